"""Opens the database, brings it up to date, and hands out transactions. Called by `main`.

One writer at a time (a lock here, `BEGIN IMMEDIATE` there), readers beside it; every commit is on
the disk before it returns (WAL, synchronous=FULL).
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, event, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sync_server.errors import StorageError
from sync_server.storage.migrations import NEWEST
from sync_server.storage.transaction import SqlTransaction

BUSY_S: Final = 30.0  # another process (a backup, `init`) may hold the file this long
READERS: Final = 6  # connections, a thread each; further readers wait for one of them
READER_WAIT_S: Final = 120.0
WRITER_CACHE_KIB: Final = 65_536  # the tickets of an import of a million stay in memory
READER_CACHE_KIB: Final = 8_192
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MODE: Final = 0o600


class Database:
    """The store of `ports`, over one SQLite file."""

    def __init__(self, writer: AsyncEngine, readers: AsyncEngine) -> None:
        self._writer = writer
        self._readers = readers
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlTransaction]:
        """Open a view to read from; it never waits for a writer, and cannot write."""
        async with self._readers.begin() as connection:
            yield SqlTransaction(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlTransaction]:
        """Open the one writing transaction; waits for the writer before.

        Cancel: safe at any time; what was not committed is undone.
        """
        async with self._writing, self._writer.begin() as connection:
            yield SqlTransaction(connection)


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """Open a database file, made if it is not there, with its tables brought up to date.

    Raises:
        StorageError: if the file is no database, or one of a newer program.
    """
    await asyncio.to_thread(_make_private, path)
    writer = _engine(path, 1, WRITER_CACHE_KIB, "BEGIN IMMEDIATE", "query_only=OFF")
    readers = _engine(path, READERS, READER_CACHE_KIB, "BEGIN", "query_only=ON")
    try:
        await _bring_up_to_date(writer, path)
        yield Database(writer, readers)
    finally:
        await readers.dispose()
        await writer.dispose()


def _engine(path: Path, connections: int, cache_kib: int, begin: str, access: str) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        connect_args={"timeout": BUSY_S},
        pool_size=connections,
        max_overflow=0,
        pool_timeout=READER_WAIT_S,
    )
    pragmas = (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "temp_store=MEMORY",
        f"cache_size=-{cache_kib}",
        access,
    )

    def set_up(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # BEGIN is said by `start`
        cursor = dbapi_connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "begin", start)
    return engine


async def _bring_up_to_date(writer: AsyncEngine, path: Path) -> None:
    try:
        async with writer.begin() as connection:
            await connection.run_sync(migrate)
    except DatabaseError as exc:
        raise StorageError(f"{path} cannot be used as the database: {exc.orig}") from exc
    except StorageError as exc:
        raise StorageError(f"{path} cannot be used as the database: {exc.message}") from exc


def _make_private(path: Path) -> None:
    """Make the file, for nobody else to read: it holds list keys. Its journal inherits that."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _MODE))
    except OSError as exc:
        raise StorageError(f"{path} cannot be opened as the database: {exc.strerror}") from exc


def migrate(connection: Connection) -> None:
    """Run the steps that a database has not had yet, inside the caller's transaction.

    Raises:
        StorageError: if it has had steps that this program does not know.
    """
    if _revision(connection) == NEWEST:
        return
    from alembic import command  # a second of a small machine: only where there is work
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        raise StorageError(f"it was written by a newer version of this program: {exc}") from exc


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
