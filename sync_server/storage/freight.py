"""What a site server keeps of what it carries: documents down, batches up, cursors."""

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from admission import journal
from sync_server.site_ports import Document, Load
from sync_server.storage.journal_tables import journals
from sync_server.storage.site_tables import site_batches, site_cursors, site_documents


class SqlFreight:
    """The `Freight` of `site_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, kind: str, name: str, document: Document) -> None:
        """Keep a document in the place of the one before."""
        await self.drop(kind, [name])
        await self._connection.execute(
            insert(site_documents).values(
                kind=kind, name=name, raw=document.raw, fetched_ms=document.fetched_ms
            )
        )

    async def document(self, kind: str, name: str) -> Document | None:
        """Give one, or None."""
        found = await self._connection.execute(
            select(site_documents).where(
                site_documents.c.kind == kind, site_documents.c.name == name
            )
        )
        row = found.one_or_none()
        return None if row is None else Document(row.raw, row.fetched_ms)

    async def names(self, kind: str) -> list[str]:
        """Give the names under which there are documents of a kind."""
        rows = await self._connection.execute(
            select(site_documents.c.name).where(site_documents.c.kind == kind)
        )
        return [row.name for row in rows]

    async def drop(self, kind: str, names: Sequence[str]) -> None:
        """Forget some documents of a kind."""
        for name in names:
            await self._connection.execute(
                delete(site_documents).where(
                    site_documents.c.kind == kind, site_documents.c.name == name
                )
            )

    async def load(self, new: Load) -> None:
        """Keep a batch until upstream has it; its id is given by the store."""
        await self._connection.execute(
            insert(site_batches).values(
                journal_id=new.journal_id,
                gate_id=new.gate_id,
                first=new.first,
                last=new.last,
                raw=new.raw,
                taken_ms=new.taken_ms,
            )
        )

    async def waiting(self, limit: int) -> list[Load]:
        """Give, of each journal, the batch that is to go up next: the oldest that waits."""
        oldest = (
            select(func.min(site_batches.c.id))
            .where(site_batches.c.carried_ms.is_(None))
            .group_by(site_batches.c.journal_id)
        )
        rows = await self._connection.execute(
            select(site_batches)
            .where(site_batches.c.id.in_(oldest))
            .order_by(site_batches.c.id)
            .limit(limit)
        )
        return [
            Load(row.id, row.journal_id, row.gate_id, row.first, row.last, row.raw, row.taken_ms)
            for row in rows
        ]

    async def carried(self, load_id: int, at_ms: int) -> None:
        """Note that upstream has a batch, durably."""
        await self._connection.execute(
            update(site_batches).where(site_batches.c.id == load_id).values(carried_ms=at_ms)
        )

    async def carry_again(self, journal_id: str, after: int) -> int:
        """Have batches with records after a sequence go up again; tell how many."""
        again = await self._connection.execute(
            update(site_batches)
            .where(
                site_batches.c.journal_id == journal_id,
                site_batches.c.last > after,
                site_batches.c.carried_ms.is_not(None),
            )
            .values(carried_ms=None)
        )
        return again.rowcount

    async def backlog(self) -> int:
        """Give how many records wait."""
        count = await self._connection.scalar(
            select(func.sum(site_batches.c.last - site_batches.c.first + 1)).where(
                site_batches.c.carried_ms.is_(None)
            )
        )
        return int(count or 0)

    async def forget_carried(self, before_ms: int) -> None:
        """Forget the batches that upstream has since before an instant."""
        await self._connection.execute(
            delete(site_batches).where(site_batches.c.carried_ms < before_ms)
        )

    async def cursors(self) -> tuple[dict[str, int], str]:
        """Give how far upstream's feeds were taken in, and whose numbers these are."""
        rows = (await self._connection.execute(select(site_cursors))).all()
        numbering = rows[0].numbering if rows else ""
        return {row.stream: row.cursor for row in rows}, numbering

    async def keep_cursor(self, stream: str, cursor: int, numbering: str) -> None:
        """Keep how far a feed was taken in."""
        await self._connection.execute(delete(site_cursors).where(site_cursors.c.stream == stream))
        await self._connection.execute(
            insert(site_cursors).values(stream=stream, cursor=cursor, numbering=numbering)
        )

    async def know_journal(self, journal_id: str) -> None:
        """Have a place for facts of a journal whose records are not here."""
        known = await self._connection.scalar(
            select(journals.c.id).where(journals.c.id == journal_id)
        )
        if known is None:
            genesis = journal.genesis(journal_id)
            await self._connection.execute(
                insert(journals).values(id=journal_id, head_sequence=0, head_chain=genesis)
            )

    async def adopt(self, journal_id: str, gate_id: str) -> None:
        """Say whose a journal is, of which only facts were here until now."""
        await self._connection.execute(
            update(journals)
            .where(
                journals.c.id == journal_id,
                journals.c.gate_id.is_(None),
                journals.c.head_sequence == 0,
            )
            .values(gate_id=gate_id)
        )
