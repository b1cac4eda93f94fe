"""Journals as the gates wrote them, their forks, and their machines' clocks, in the database."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.sync.gate_side import Row
from admission.sync.server_side import Head
from sync_server.journal_ports import KnownJournal
from sync_server.storage.tables import clock_origins, journal_forks, journal_records, journals


class SqlJournals:
    """The `Journals` of `journal_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def journal(self, journal_id: str) -> KnownJournal | None:
        """Give one, or None."""
        row = (
            await self._connection.execute(select(journals).where(journals.c.id == journal_id))
        ).one_or_none()
        if row is None:
            return None
        return KnownJournal(row.id, row.gate_id, Head(row.head_sequence, row.head_chain))

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

    async def add_forks(self, journal_id: str, rows: Sequence[Row]) -> dict[int, int]:
        """Keep records that contradict what is stored; give the variant of each new one."""
        variants = {}
        for row in rows:
            digest = hashlib.sha256(row.blob).digest()
            same = await self._connection.scalar(
                select(journal_records.c.sequence).where(
                    journal_records.c.journal_id == journal_id,
                    journal_records.c.sequence == row.sequence,
                    journal_records.c.blob == row.blob,
                )
            )
            known = await self._connection.scalar(
                select(func.count()).where(
                    journal_forks.c.journal_id == journal_id,
                    journal_forks.c.sequence == row.sequence,
                )
            )
            added = await self._connection.execute(
                insert_or(journal_forks)
                .values(
                    journal_id=journal_id,
                    sequence=row.sequence,
                    blob_sha256=digest,
                    variant=(known or 0) + 1,
                    blob=row.blob,
                )
                .on_conflict_do_nothing()
            )
            if added.rowcount and same is None:
                variants[row.sequence] = (known or 0) + 1
        await self._connection.execute(
            update(journals).where(journals.c.id == journal_id).values(forked=True)
        )
        return variants

    async def origin_ms(self, journal_id: str, boot_id: bytes) -> int | None:
        """Give the server time of a gate machine's start, as first measured, or None."""
        found: int | None = await self._connection.scalar(
            select(clock_origins.c.origin_ms).where(
                clock_origins.c.journal_id == journal_id, clock_origins.c.boot_id == boot_id
            )
        )
        return found

    async def add_origin(
        self, journal_id: str, boot_id: bytes, origin_ms: int, measured_ms: int
    ) -> None:
        """Keep a first measurement; a later one changes nothing."""
        await self._connection.execute(
            insert_or(clock_origins)
            .values(
                journal_id=journal_id,
                boot_id=boot_id,
                origin_ms=origin_ms,
                measured_ms=measured_ms,
            )
            .on_conflict_do_nothing()
        )
