"""The operators' commands that were obeyed, in the gate's database. Each step is one commit."""

import json
import sqlite3
from typing import Any

from admission.scan import Direction
from admission.sync.assignment import Move
from appliance.errors import StorageError
from appliance.storage.database import Database


class SqliteCommands:
    """Implements `trust_ports.CommandMemory`."""

    def __init__(self, database: Database) -> None:
        """Take what `open_database` gave."""
        self._database = database

    async def counters(self) -> dict[str, int]:
        """Give the greatest counter obeyed, by key id."""
        rows = await self._run("SELECT key, max(counter) FROM commands GROUP BY key")
        return {row[0]: row[1] for row in rows}

    async def spend(self, key: str, counter: int, action: str) -> None:
        """Remember a command before it is obeyed."""
        await self._run(
            "INSERT INTO commands (key, counter, action) VALUES (?, ?, ?)", (key, counter, action)
        )

    async def is_locked(self) -> bool:
        """Tell whether the last lock or unlock that was obeyed is a lock."""
        rows = await self._run(
            "SELECT action FROM commands WHERE action IN ('lock', 'unlock') "
            "ORDER BY ordinal DESC LIMIT 1"
        )
        return bool(rows) and rows[0][0] == "lock"

    async def moved(self) -> Move | None:
        """Give to which checkpoint a supervisor moved the gate last; None for never."""
        rows = await self._run(
            "SELECT action FROM commands WHERE action LIKE 'move %' ORDER BY ordinal DESC LIMIT 1"
        )
        if not rows:
            return None
        own, chosen = json.loads(rows[0][0].removeprefix("move "))  # ids may hold spaces
        return Move(own, chosen)

    async def turned(self) -> dict[str, Direction]:
        """Give which way each reader that a steward turned lets people go since, by its name."""
        rows = await self._run(
            "SELECT action FROM commands WHERE action LIKE 'turn %' ORDER BY ordinal"
        )
        turns = [row[0].split(" ", 2)[1:] for row in rows]
        return {reader: Direction(direction) for direction, reader in turns}

    async def _run(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return await self._database.run("commands cannot be used", sql, values)
        except sqlite3.IntegrityError as exc:
            raise StorageError(f"this command was obeyed before: {exc}") from exc
