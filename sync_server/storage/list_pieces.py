"""The files of published lists and the changes since, in the database."""

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.entities import FileKind, ListFile
from sync_server.list_ports import TicketChanges
from sync_server.storage.tables import (
    list_files,
    list_versions,
    performances,
    ticket_changes,
)


class SqlPieces:
    """The `Pieces` of `list_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin_log(self, performance_id: str) -> None:
        """Have every change of a performance's tickets noted from now on."""
        await self._connection.execute(
            update(performances)
            .where(performances.c.id == performance_id)
            .values(changes_logged=True)
        )

    async def is_logged(self, performance_id: str) -> bool:
        """Tell whether changes are noted."""
        return bool(
            await self._connection.scalar(
                select(performances.c.changes_logged).where(performances.c.id == performance_id)
            )
        )

    async def note(self, performance_id: str, identifiers: Select[tuple[bytes]]) -> None:
        """Note tickets that are not as they were, where that is asked for; for this room only."""
        if await self.is_logged(performance_id):
            found = identifiers.subquery()
            await self._connection.execute(
                insert(ticket_changes).from_select(
                    ["performance_id", "identifier"],
                    select(literal(performance_id), *found.c),
                )
            )

    async def changes(self, performance_id: str, most: int) -> TicketChanges:
        """Give the tickets noted, no more of them than `most`."""
        noted = ticket_changes.c.performance_id == performance_id
        mark = await self._connection.scalar(select(func.max(ticket_changes.c.id)).where(noted))
        rows = await self._connection.scalars(
            select(ticket_changes.c.identifier).where(noted).distinct().limit(most + 1)
        )
        found = list(rows)
        return TicketChanges(mark or 0, found[:most], is_complete=len(found) <= most)

    async def forget_changes(self, performance_id: str, mark: int) -> None:
        """Forget what was noted up to a mark."""
        await self._connection.execute(
            delete(ticket_changes).where(
                ticket_changes.c.performance_id == performance_id, ticket_changes.c.id <= mark
            )
        )

    async def listed(self, performance_id: str) -> int:
        """Give how many tickets a performance lists, as counted import by import."""
        counted = await self._connection.scalar(
            select(performances.c.listed).where(performances.c.id == performance_id)
        )
        return int(counted or 0)

    async def add_file(self, file: ListFile) -> None:
        """Keep the record of a file that is published."""
        await self._connection.execute(
            insert(list_files).values(
                performance_id=file.performance_id,
                version=file.version,
                kind=file.kind.value,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                count=file.count,
                base_version=file.base_version,
                fields=file.fields,
            )
        )

    async def newest_files(self, performance_id: str) -> list[ListFile]:
        """Give the newest snapshot and the segments after it, in order."""
        own = list_files.c.performance_id == performance_id
        since = (
            select(func.max(list_files.c.version))
            .where(own, _is(FileKind.SNAPSHOT))
            .scalar_subquery()
        )
        rows = await self._connection.execute(
            select(list_files)
            .where(own, list_files.c.version >= since)
            .where(_is(FileKind.SNAPSHOT) | _is(FileKind.SEGMENT))
            .order_by(list_files.c.version)
        )
        return [_file(row) for row in rows.mappings()]

    async def attribute_files(self, performance_id: str) -> list[ListFile]:
        """Give the newest whole file of attributes and those after it, in order."""
        own = (list_files.c.performance_id == performance_id) & _is(FileKind.ATTRIBUTES)
        base = select(func.max(list_files.c.base_version)).where(own).scalar_subquery()
        rows = await self._connection.execute(
            select(list_files)
            .where(own, list_files.c.base_version == base)
            .order_by(list_files.c.version)
        )
        return [_file(row) for row in rows.mappings()]

    async def is_file_of(self, performance_id: str, sha256: bytes) -> bool:
        """Tell whether a file of that digest was ever published for a performance."""
        for table, digest in (
            (list_files, list_files.c.sha256),
            (list_versions, list_versions.c.snapshot_sha256),  # of before files were kept here
        ):
            found = await self._connection.scalar(
                select(table.c.version)
                .where(digest == sha256, table.c.performance_id == performance_id)
                .limit(1)
            )
            if found is not None:
                return True
        return False


def _file(row: RowMapping) -> ListFile:
    return ListFile(**dict(row) | {"kind": FileKind(row["kind"])})


def _is(kind: FileKind) -> ColumnElement[bool]:
    return list_files.c.kind == kind.value
