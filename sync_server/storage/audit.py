"""Who did what, in the database. Entries are added and read, never changed."""

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.entities import AuditEntry
from sync_server.storage.tables import audit


class SqlAudit:
    """The `Audit` of `ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_entry(self, entry: AuditEntry) -> None:
        """Keep one entry."""
        await self._connection.execute(
            insert(audit).values(
                id=entry.id,
                at_ms=entry.at_ms,
                user_id=entry.user_id,
                what=entry.what,
                subject=entry.subject,
                detail=dict(entry.detail),
            )
        )

    async def newest(self, limit: int, before_ms: int | None = None) -> list[AuditEntry]:
        """Give the newest entries, newest first, optionally only those before a time."""
        query = select(audit).order_by(audit.c.at_ms.desc(), audit.c.id.desc()).limit(limit)
        if before_ms is not None:
            query = query.where(audit.c.at_ms < before_ms)
        rows = await self._connection.execute(query)
        return [AuditEntry(**row) for row in rows.mappings()]
