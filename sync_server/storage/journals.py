"""Journals as the gates wrote them, and their machines' clocks, in the database."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.sync.gate_side import Row
from admission.sync.server_side import Head
from sync_server.gate_clock import Bounded, GateClock, Measured
from sync_server.journal_ports import KnownJournal
from sync_server.storage.clock_tables import clock_bounds
from sync_server.storage.journal_tables import clock_origins, journal_records, journals
from sync_server.storage.tables import gates


class SqlJournals:
    """The `Journals` of `journal_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def journal(self, journal_id: str) -> KnownJournal | None:
        """Give one, or None."""
        found = await self._connection.execute(select(journals).where(journals.c.id == journal_id))
        row = found.one_or_none()
        if row is None:
            return None
        head = Head(row.head_sequence, row.head_chain)
        return KnownJournal(row.id, row.gate_id, head, row.forked)

    async def journals_of(self, gate_id: str) -> list[str]:
        """Give the ids of a gate's journals."""
        rows = await self._connection.execute(
            select(journals.c.id).where(journals.c.gate_id == gate_id)
        )
        return [row.id for row in rows]

    async def names_at(self, checkpoint_id: str, count_max: int) -> dict[str, str]:
        """Give by the latest journals' ids the names of a checkpoint's gates that wrote them."""
        rows = await self._connection.execute(
            select(journals.c.id, gates.c.name)
            .join(gates, gates.c.id == journals.c.gate_id)
            .where(gates.c.checkpoint_id == checkpoint_id)
            .order_by(journals.c.id.desc())  # an id begins with its time
            .limit(count_max)
        )
        return {row.id: row.name for row in rows}

    async def add_journal(self, journal_id: str, gate_id: str | None, head: Head) -> None:
        """Keep a new one."""
        await self._connection.execute(
            insert(journals).values(
                id=journal_id,
                gate_id=gate_id,
                head_sequence=head.sequence,
                head_chain=head.chain,
            )
        )

    async def chains(self, journal_id: str, first: int, last: int) -> dict[int, bytes]:
        """Give the stored chain values of some sequences, as far as they are stored."""
        rows = await self._connection.execute(
            select(journal_records.c.sequence, journal_records.c.chain).where(
                journal_records.c.journal_id == journal_id,
                journal_records.c.sequence.between(first, last),
            )
        )
        return {row.sequence: row.chain for row in rows}

    async def add_records(self, journal_id: str, rows: Sequence[Row], head: Head) -> None:
        """Keep records, as they came, and the journal's new head."""
        if rows:
            await self._connection.execute(
                insert(journal_records),
                [
                    {
                        "journal_id": journal_id,
                        "sequence": row.sequence,
                        "chain": row.chain,
                        "blob": row.blob,
                    }
                    for row in rows
                ],
            )
        await self._connection.execute(
            update(journals)
            .where(journals.c.id == journal_id)
            .values(head_sequence=head.sequence, head_chain=head.chain)
        )

    async def heads(self, journal_ids: Sequence[str], venue_id: str) -> dict[str, Head]:
        """Give how far some journals are held, those of other venues' gates left out."""
        rows = await self._connection.execute(
            select(journals.c.id, journals.c.head_sequence, journals.c.head_chain)
            .join(gates, gates.c.id == journals.c.gate_id)
            .where(journals.c.id.in_(journal_ids), gates.c.venue_id == venue_id)
        )
        return {row.id: Head(row.head_sequence, row.head_chain) for row in rows}

    async def clock(self, journal_id: str) -> GateClock:
        """Give what is known of the clocks of a journal's machine."""
        origins, bounds = clock_origins.c, clock_bounds.c
        measured = await self._connection.execute(
            select(origins.boot_id, origins.origin_ms, origins.measured_ms, origins.ahead_ms).where(
                origins.journal_id == journal_id
            )
        )
        bounded = await self._connection.execute(
            select(bounds.boot_id, bounds.latest_ms, bounds.ahead_ms).where(
                bounds.journal_id == journal_id
            )
        )
        return GateClock(
            {boot_id: Measured(*values) for boot_id, *values in measured},
            {boot_id: Bounded(*values) for boot_id, *values in bounded},
        )

    async def add_measured(self, journal_id: str, boot_id: bytes, measured: Measured) -> None:
        """Keep a first measurement; what was a bound of that start is one no longer."""
        values = {"journal_id": journal_id, "boot_id": boot_id} | asdict(measured)
        await self._connection.execute(insert(clock_origins).values(values))
        await self._connection.execute(
            delete(clock_bounds).where(
                clock_bounds.c.journal_id == journal_id, clock_bounds.c.boot_id == boot_id
            )
        )

    async def add_bounded(self, journal_id: str, boot_id: bytes, bounded: Bounded) -> None:
        """Keep what bounds a start that never reached the server."""
        values = {"journal_id": journal_id, "boot_id": boot_id} | asdict(bounded)
        await self._connection.execute(insert(clock_bounds).values(values))
