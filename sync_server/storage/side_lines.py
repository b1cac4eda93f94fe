"""Histories of journals beside their main ones, and the seals of all of them, in the database.

A record of a side line is known by its chain value, which stands for everything before it. Its
content is kept once, in `journal_forks`, unless it is the main line's own at that place.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import and_, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.sync.gate_side import Row
from admission.sync.messages import Seal
from admission.sync.server_side import Head
from sync_server.journal_ports import SideLine
from sync_server.storage.journal_tables import (
    journal_forks,
    journal_records,
    journal_seals,
    journals,
    side_lines,
    side_records,
)


class SqlSideLines:
    """The `SideLines` of `journal_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def chains(self, journal_id: str, first: int, last: int) -> dict[int, set[bytes]]:
        """Give the chain values of all side lines at some sequences."""
        rows = await self._connection.execute(
            select(side_records.c.sequence, side_records.c.chain).where(
                side_records.c.journal_id == journal_id,
                side_records.c.sequence.between(first, last),
            )
        )
        chains: dict[int, set[bytes]] = {}
        for row in rows:
            chains.setdefault(row.sequence, set()).add(row.chain)
        return chains

    async def add(
        self, journal_id: str, after: Head, rows: Sequence[Row], found_ms: int
    ) -> dict[int, int]:
        """Keep new records of a side line; give the variant of each new content."""
        line_id = await self._lengthen(journal_id, after, rows[-1], found_ms)
        variants = {}
        previous = after.chain
        for row in rows:
            variant = await self._keep_aside(journal_id, row)
            if variant is not None:
                variants[row.sequence] = variant
            await self._connection.execute(
                insert(side_records).values(
                    journal_id=journal_id,
                    sequence=row.sequence,
                    chain=row.chain,
                    previous_chain=previous,
                    blob_sha256=hashlib.sha256(row.blob).digest(),
                    line_id=line_id,
                )
            )
            previous = row.chain
        await self._connection.execute(
            update(journals).where(journals.c.id == journal_id).values(forked=True)
        )
        return variants

    async def _lengthen(self, journal_id: str, after: Head, last: Row, found_ms: int) -> int:
        """Have a side line go up to a record, or begin one there; give its id."""
        lengthened = await self._connection.execute(
            update(side_lines)
            .where(
                side_lines.c.journal_id == journal_id,
                side_lines.c.head_sequence == after.sequence,
                side_lines.c.head_chain == after.chain,
            )
            .values(head_sequence=last.sequence, head_chain=last.chain)
            .returning(side_lines.c.id)
        )
        line_id = lengthened.scalar_one_or_none()
        if line_id is None:
            begun = await self._connection.execute(
                insert(side_lines)
                .values(
                    journal_id=journal_id,
                    after_sequence=after.sequence,
                    after_chain=after.chain,
                    head_sequence=last.sequence,
                    head_chain=last.chain,
                    found_ms=found_ms,
                )
                .returning(side_lines.c.id)
            )
            line_id = begun.scalar_one()
        return int(line_id)

    async def _keep_aside(self, journal_id: str, row: Row) -> int | None:
        stored = await self._connection.scalar(
            select(journal_records.c.blob).where(
                journal_records.c.journal_id == journal_id,
                journal_records.c.sequence == row.sequence,
            )
        )
        here = (journal_forks.c.journal_id == journal_id, journal_forks.c.sequence == row.sequence)
        sha256 = hashlib.sha256(row.blob).digest()
        known = await self._connection.scalar(
            select(journal_forks.c.variant).where(*here, journal_forks.c.blob_sha256 == sha256)
        )
        if stored == row.blob or known is not None:
            return None
        last = await self._connection.scalar(
            select(func.coalesce(func.max(journal_forks.c.variant), 0)).where(*here)
        )
        variant = int(last or 0) + 1
        await self._connection.execute(
            insert(journal_forks).values(
                journal_id=journal_id,
                sequence=row.sequence,
                blob_sha256=sha256,
                variant=variant,
                blob=row.blob,
            )
        )
        return variant

    async def rows(self, line: SideLine) -> list[Row]:
        """Give a side line's own records, in order."""
        content = func.coalesce(journal_forks.c.blob, journal_records.c.blob)
        found = await self._connection.execute(
            select(side_records.c.sequence, side_records.c.chain, content.label("blob"))
            .outerjoin(
                journal_forks,
                and_(
                    journal_forks.c.journal_id == side_records.c.journal_id,
                    journal_forks.c.sequence == side_records.c.sequence,
                    journal_forks.c.blob_sha256 == side_records.c.blob_sha256,
                ),
            )
            .outerjoin(
                journal_records,
                and_(
                    journal_records.c.journal_id == side_records.c.journal_id,
                    journal_records.c.sequence == side_records.c.sequence,
                ),
            )
            .where(side_records.c.line_id == line.id)
            .order_by(side_records.c.sequence)
        )
        return [Row(row.sequence, row.chain, row.blob) for row in found]

    async def of_gates(self, gate_ids: Sequence[str]) -> list[SideLine]:
        """Give the side lines of some gates' journals, the first found first."""
        found = await self._connection.execute(
            select(
                side_lines,
                journals.c.gate_id,
                journals.c.head_sequence.label("main_sequence"),
                journals.c.head_chain.label("main_chain"),
            )
            .join(journals, journals.c.id == side_lines.c.journal_id)
            .where(journals.c.gate_id.in_(gate_ids))
            .order_by(side_lines.c.id)
        )
        return [
            SideLine(
                id=row.id,
                journal_id=row.journal_id,
                gate_id=row.gate_id,
                after=Head(row.after_sequence, row.after_chain),
                head=Head(row.head_sequence, row.head_chain),
                main=Head(row.main_sequence, row.main_chain),
                found_ms=row.found_ms,
                settled_ms=row.settled_ms,
            )
            for row in found
        ]

    async def settle(self, gate_id: str, user_id: str, reason: str, at_ms: int) -> int:
        """Note that an operator has looked into a gate's side lines; give how many were open."""
        of_gate = select(journals.c.id).where(journals.c.gate_id == gate_id)
        settled = await self._connection.execute(
            update(side_lines)
            .where(side_lines.c.journal_id.in_(of_gate), side_lines.c.settled_ms.is_(None))
            .values(settled_ms=at_ms, settled_by=user_id, reason=reason)
        )
        return settled.rowcount


class SqlSeals:
    """The `Seals` of `journal_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, seal: Seal) -> None:
        """Keep a seal that was checked; those that are not needed beside it are dropped."""
        table = journal_seals
        here = (table.c.journal_id == seal.journal, table.c.sequence == seal.sequence)
        if await self._connection.scalar(
            select(table.c.sequence).where(*here, table.c.chain == seal.chain)
        ):
            return
        await self._thin(seal)
        await self._connection.execute(
            insert(table).values(
                journal_id=seal.journal,
                sequence=seal.sequence,
                chain=seal.chain,
                signature=seal.signature,
            )
        )

    async def _thin(self, seal: Seal) -> None:
        """Drop the main line's last seal where a batch reaches from the one before it to here."""
        is_main = exists().where(
            journal_records.c.journal_id == journal_seals.c.journal_id,
            journal_records.c.sequence == journal_seals.c.sequence,
            journal_records.c.chain == journal_seals.c.chain,
        )
        rows = await self._connection.execute(
            select(journal_seals.c.sequence, journal_seals.c.chain)
            .where(
                journal_seals.c.journal_id == seal.journal,
                journal_seals.c.sequence < seal.sequence,
                is_main,
            )
            .order_by(journal_seals.c.sequence.desc())
            .limit(2)
        )
        before = [(row.sequence, row.chain) for row in rows]
        start = before[1][0] if len(before) > 1 else 0
        if before and seal.sequence - start <= JOURNAL_BATCH_RECORDS_MAX:
            sequence, chain = before[0]
            await self._connection.execute(
                delete(journal_seals).where(
                    journal_seals.c.journal_id == seal.journal,
                    journal_seals.c.sequence == sequence,
                    journal_seals.c.chain == chain,
                )
            )

    async def after(self, journal_id: str, sequence: int = 0) -> list[Seal]:
        """Give the seals of records after a sequence, in order, of all lines."""
        rows = await self._connection.execute(
            select(journal_seals, journals.c.gate_id)
            .join(journals, journals.c.id == journal_seals.c.journal_id)
            .where(journal_seals.c.journal_id == journal_id, journal_seals.c.sequence > sequence)
            .order_by(journal_seals.c.sequence, journal_seals.c.chain)
        )
        return [
            Seal(row.gate_id, row.journal_id, row.sequence, row.chain, row.signature)
            for row in rows
        ]
