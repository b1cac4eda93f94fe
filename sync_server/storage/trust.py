"""The chain of root documents, in the database."""

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.storage.tables import roots, status_epochs


class SqlRoots:
    """The `Roots` of `trust_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_root(self, version: int, envelope: bytes, installed_ms: int) -> None:
        """Keep the next root."""
        await self._connection.execute(
            insert(roots).values(version=version, envelope=envelope, installed_ms=installed_ms)
        )

    async def root(self, version: int) -> bytes | None:
        """Give the envelope of one version, or None."""
        found: bytes | None = await self._connection.scalar(
            select(roots.c.envelope).where(roots.c.version == version)
        )
        return found

    async def newest_version(self) -> int:
        """Give the version of the newest root, 0 before the first."""
        newest: int | None = await self._connection.scalar(select(func.max(roots.c.version)))
        return newest or 0

    async def begin_epoch(self, at_least: int) -> int:
        """Begin a new epoch of status versions."""
        last: int | None = await self._connection.scalar(select(status_epochs.c.epoch))
        epoch = max(at_least, (last or 0) + 1)
        if last is None:
            await self._connection.execute(insert(status_epochs).values(one=1, epoch=epoch))
        else:
            await self._connection.execute(update(status_epochs).values(epoch=epoch))
        return epoch
