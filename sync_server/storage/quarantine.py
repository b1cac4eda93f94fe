"""What revoked gates handed in, in the database: kept as it came, apart from all other evidence."""

from collections.abc import Sequence

from sqlalchemy import and_, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.sync.messages import Moment
from admission.sync.server_side import Head
from sync_server.journal_ports import Quarantined, QuarantineLine
from sync_server.storage.journal_tables import quarantined_records as records


class SqlQuarantine:
    """The `QuarantineStore` of `journal_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def head(self, journal_id: str) -> Head | None:
        """Give how far a journal goes here, its contradictions aside; None for not at all."""
        found = await self._connection.execute(
            select(records.c.sequence, records.c.chain)
            .where(records.c.journal_id == journal_id, records.c.forked.is_(False))
            .order_by(records.c.sequence.desc())
            .limit(1)
        )
        row = found.one_or_none()
        return None if row is None else Head(row.sequence, row.chain)

    async def chains(
        self, journal_id: str, first: int, last: int
    ) -> tuple[dict[int, bytes], dict[int, set[bytes]]]:
        """Give the chain values of some sequences: of the main line, and of the others."""
        rows = await self._connection.execute(
            select(records.c.sequence, records.c.chain, records.c.forked).where(
                records.c.journal_id == journal_id, records.c.sequence.between(first, last)
            )
        )
        main: dict[int, bytes] = {}
        aside: dict[int, set[bytes]] = {}
        for row in rows:
            if row.forked:
                aside.setdefault(row.sequence, set()).add(row.chain)
            else:
                main[row.sequence] = row.chain
        return main, aside

    async def keep(self, gate_id: str, held: Sequence[Quarantined]) -> None:
        """Keep records as they came; one that is here already is left."""
        for one in held:
            same = and_(
                records.c.journal_id == one.journal,
                records.c.sequence == one.sequence,
                records.c.chain == one.chain,
            )
            if await self._connection.scalar(select(records.c.id).where(same)) is not None:
                continue
            await self._connection.execute(
                insert(records).values(
                    journal_id=one.journal,
                    gate_id=gate_id,
                    sequence=one.sequence,
                    previous_chain=one.previous_chain,
                    chain=one.chain,
                    blob=one.blob,
                    forked=one.forked,
                    wall_ms=one.sent.wall_ms,
                    boot_ms=one.sent.boot_ms,
                    boot_id=one.sent.boot_id,
                    received_ms=one.received_ms,
                )
            )

    async def count(self, gate_id: str) -> int:
        """Give how many records of a gate are held."""
        counted = await self._connection.scalar(
            select(func.count()).select_from(records).where(records.c.gate_id == gate_id)
        )
        return int(counted or 0)

    async def lines(self, gate_ids: Sequence[str]) -> list[QuarantineLine]:
        """Give what is held of some gates."""
        rows = await self._connection.execute(
            select(
                records.c.gate_id,
                func.count().label("records"),
                func.min(records.c.received_ms).label("first_ms"),
                func.max(records.c.received_ms).label("last_ms"),
            )
            .where(records.c.gate_id.in_(gate_ids))
            .group_by(records.c.gate_id)
        )
        return [QuarantineLine(row.gate_id, row.records, row.first_ms, row.last_ms) for row in rows]

    async def take_out(self, gate_id: str) -> list[Quarantined]:
        """Give everything that is held of a gate, in the order it came, and hold it no longer."""
        rows = await self._connection.execute(
            select(records).where(records.c.gate_id == gate_id).order_by(records.c.id)
        )
        held = [
            Quarantined(
                journal=row.journal_id,
                sequence=row.sequence,
                previous_chain=row.previous_chain,
                chain=row.chain,
                blob=row.blob,
                forked=row.forked,
                sent=Moment(row.wall_ms, row.boot_ms, row.boot_id),
                received_ms=row.received_ms,
            )
            for row in rows
        ]
        await self._connection.execute(delete(records).where(records.c.gate_id == gate_id))
        return held
