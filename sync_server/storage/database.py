"""Opens the database, brings it up to date, and hands out transactions. Called by `main`.

One writer at a time (a lock here, `BEGIN IMMEDIATE` there), readers beside it; every commit is on
the disk before it returns (WAL, synchronous=FULL).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, event, inspect, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from sync_server.errors import StorageError
from sync_server.storage.merging import Merge
from sync_server.storage.migrations import NEWEST
from sync_server.storage.transaction import SqlTransaction
from sync_server.ticket_ports import IncomingTicket

BUSY_S: Final = 30.0  # another process (a backup, `init`) may hold the file this long
READERS: Final = 6  # connections, a thread each; further readers wait for one of them
READER_WAIT_S: Final = 120.0
WRITER_CACHE_KIB: Final = 65_536  # the tickets of an import of a million stay in memory
READER_CACHE_KIB: Final = 8_192
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MODE: Final = 0o600
_BEGIN: Final = "portillon_begin"  # a connection's option: another way to begin


class Database:
    """The store of `ports`, over one SQLite file."""

    def __init__(self, writer: AsyncEngine, readers: AsyncEngine, importers: AsyncEngine) -> None:
        self._writer = writer
        self._readers = readers
        self._importers = importers
        self._writing = asyncio.Lock()
        self._importing = asyncio.Lock()

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

    async def pulse(self) -> None:
        """Go once through the writer and its thread, after whoever writes now.

        A database that answers with an error answers: whoever asks it for more is told.
        """
        async with self._writing:
            with suppress(SQLAlchemyError):
                async with self._writer.connect() as connection:
                    await connection.scalar(text("SELECT 1"))

    @asynccontextmanager
    async def staging(self) -> AsyncIterator["SqlStaging"]:
        """Open an empty place for an import's rows; waits for the import before.

        It is a connection of its own, whose temporary tables go when it is closed.
        """
        async with self._importing, self._importers.connect() as connection:
            async with connection.begin():
                await Merge(connection).begin()
            yield SqlStaging(connection, self._writing)


class SqlStaging:
    """The `Staging` of `ports`."""

    def __init__(self, connection: AsyncConnection, writing: asyncio.Lock) -> None:
        self._connection = connection
        self._writing = writing

    async def stage(self, rows: Sequence[IncomingTicket]) -> None:
        """Add rows."""
        async with self._connection.begin():
            await Merge(self._connection).stage(rows)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlTransaction]:
        """Open the one writing transaction, in which the rows can be merged."""
        async with self._connection.begin():
            await Merge(self._connection).finish_staging()
        await self._connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        async with self._writing, self._connection.begin():
            yield SqlTransaction(self._connection)


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """Open a database file, made if it is not there, with its tables brought up to date.

    Raises:
        StorageError: if the file is no database, or one of a newer program.
    """
    await asyncio.to_thread(_make_private, path)
    url = URL.create("sqlite+aiosqlite", database=str(path))
    arguments = {"timeout": BUSY_S}
    writer = create_async_engine(url, connect_args=arguments, pool_size=1, max_overflow=0)
    readers = create_async_engine(
        url,
        connect_args=arguments,
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=READER_WAIT_S,
    )
    importers = create_async_engine(url, connect_args=arguments, poolclass=NullPool)
    _prepare(writer, WRITER_CACHE_KIB, "BEGIN IMMEDIATE", "query_only=OFF")
    _prepare(readers, READER_CACHE_KIB, "BEGIN", "query_only=ON")
    _prepare(importers, WRITER_CACHE_KIB, "BEGIN", "query_only=OFF")
    try:
        await _bring_up_to_date(writer, path)
        yield Database(writer, readers, importers)
    finally:
        for engine in (importers, readers, writer):
            await engine.dispose()


def _prepare(engine: AsyncEngine, cache_kib: int, begin: str, access: str) -> None:
    """Have every connection of an engine set up alike, and begin its transactions so."""
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
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, begin))

    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "begin", start)


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
