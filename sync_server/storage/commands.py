"""The operators' commands that were signed, in the database."""

from typing import Final

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.command_ports import SignedCommand
from sync_server.storage.command_table import commands

_STANDING_MAX: Final = 500


class SqlCommands:
    """The `Commands` of `command_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, command: SignedCommand) -> None:
        """Keep one."""
        await self._connection.execute(
            insert(commands).values(
                key_id=command.key_id,
                counter=command.counter,
                action=command.action,
                gates=list(command.gates),
                envelope=command.envelope,
                issued_ms=command.issued_ms,
                not_after_ms=command.not_after_ms,
            )
        )

    async def last_counter(self, key_id: str) -> int:
        """Give the greatest counter that a key has signed, 0 for none."""
        last: int | None = await self._connection.scalar(
            select(func.max(commands.c.counter)).where(commands.c.key_id == key_id)
        )
        return last or 0

    async def standing(self, key_id: str, now_ms: int) -> list[SignedCommand]:
        """Give the locks and unlocks of a key that are not over, newest first."""
        rows = await self._connection.execute(
            select(commands)
            .where(
                commands.c.key_id == key_id,
                commands.c.not_after_ms > now_ms,
                commands.c.action.in_(["lock", "unlock"]),
            )
            .order_by(commands.c.counter.desc())
            .limit(_STANDING_MAX)
        )
        return [
            SignedCommand(
                key_id=row.key_id,
                counter=row.counter,
                action=row.action,
                gates=tuple(row.gates),
                envelope=row.envelope,
                issued_ms=row.issued_ms,
                not_after_ms=row.not_after_ms,
            )
            for row in rows
        ]
