"""Opens the gate's database: one file, one connection, one thread. The only place with pragmas.

Called by `main`. Every statement is its own transaction (autocommit), so that one record costs
one hop to the database's thread and one durable commit.

After an error of the card nothing is read or written until the file was opened anew, checked and
written to: a kernel tells of a sync that failed once, and forgets; what was to be written then may
be nowhere, though it is still read back from memory.
"""

import logging
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final

import aiosqlite

from appliance.errors import StorageError
from appliance.fault_codes import DISK_FAULT, JOURNAL_FAULT
from appliance.storage.faults import card_fault, file_error, storage_error

log = logging.getLogger(__name__)

BUSY_S_MAX: Final = 2.0  # a predecessor that is just closing has let go by then
APPLICATION_ID: Final = 0x506F7274  # in the file's header; schema/0001 writes it
_SCRIPT: Final = re.compile(r"(\d{4})_.*\.sql")
# What a script says of the programs before it: the oldest schema whose program reads and writes
# the file all the same. A script that says nothing can be read by its own programs alone.
_READABLE: Final = re.compile(r"^-- readable by programs of schema (\d+) on$", re.MULTILINE)
_READABLE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS readable_by (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    schema INTEGER NOT NULL,
    oldest INTEGER NOT NULL
) STRICT;
"""
_READABLE_ROW: Final = (
    "INSERT INTO readable_by (one, schema, oldest) VALUES (1, {0}, {1}) "
    "ON CONFLICT (one) DO UPDATE SET schema = {0}, oldest = max(oldest, {1});"
)
# EXCLUSIVE: no second daemon may write to one journal, and no shared-memory file is needed
_LOCKING: Final = "PRAGMA locking_mode = EXCLUSIVE"
_PRAGMAS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
PRAGMA cache_size = -4096;
"""
_PROBE: Final = (
    "INSERT INTO probe (one, count) VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET count = count + 1"
)

Execute = Callable[[str, Sequence[object]], Awaitable[Iterable[sqlite3.Row]]]
Connect = Callable[[Path], Awaitable[aiosqlite.Connection]]


async def connect(path: Path) -> aiosqlite.Connection:
    """Open a connection in its own thread; it commits each statement."""
    return await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_S_MAX)


class Database:
    """The gate's database over one connection, which is another after each failure.

    Attributes:
        path: of the file.
        fault: what is wrong with the card, "" for nothing; while it is something, all is refused.
        on_trouble: told the fault when one begins.
    """

    def __init__(self, path: Path, make: Connect = connect) -> None:
        """Open nothing yet; `open_database` does.

        Args:
            path: of the file.
            make: makes a connection.
        """
        self.path = path
        self.fault = ""
        self.on_trouble: Callable[[str], None] = lambda _: None
        self._make = make
        self._connection: aiosqlite.Connection | None = None

    @property
    def connection(self) -> aiosqlite.Connection:
        """The connection of now.

        Raises:
            StorageError: if there is none, or it is not to be used.
        """
        if self.fault or self._connection is None:
            fault = self.fault or DISK_FAULT
            raise StorageError(f"{self.path.name}: not used before it is checked ({fault})", fault)
        return self._connection

    async def execute_fetchall(
        self, sql: str, values: Sequence[object] = ()
    ) -> Iterable[sqlite3.Row]:
        """Run a statement; give its rows.

        Raises:
            sqlite3.Error: as the database has it; an error of the card is noted.
            StorageError: if it was noted before.
        """
        try:
            return await self.connection.execute_fetchall(sql, values)
        except sqlite3.Error as exc:
            self._note(exc)
            raise

    async def run(
        self, what: str, sql: str, values: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a statement; give its rows.

        Args:
            what: what could not be done, should it fail.
            sql: the statement.
            values: of its marks.

        Raises:
            StorageError: if it fails.
            sqlite3.IntegrityError: if the schema forbids it.
        """
        try:
            return [tuple(row) for row in await self.execute_fetchall(sql, values)]
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as exc:
            raise self.error(what, exc) from exc

    def error(self, what: str, exc: sqlite3.Error) -> StorageError:
        """Make the gate's error of one that `execute_fetchall` raised."""
        return storage_error(what, exc, self.fault)

    async def require_whole(self) -> None:
        """Have the database check its pages; a large one takes a second or so.

        Raises:
            StorageError: if it is damaged, or cannot be read.
        """
        try:
            await _require_whole(self.connection, self.path)
        except sqlite3.Error as exc:
            self._note(exc)
            raise self.error(f"{self.path.name}: cannot be checked", exc) from exc

    async def pulse(self) -> None:
        """Go once through the thread that writes; at once while there is no connection.

        A card that answers with an error answers: what is wrong with it is told elsewhere.
        """
        if self._connection is None:
            return
        # ValueError: the connection was closed meanwhile, as it is when the card is tried anew
        with suppress(sqlite3.Error, ValueError):
            await self._connection.execute_fetchall("SELECT 1")

    async def probe(self) -> None:
        """Commit something that says nothing.

        Raises:
            StorageError: if it cannot be.
        """
        await self.run("nothing can be written", _PROBE)

    async def reopen(self, check: Callable[[Execute], Awaitable[None]]) -> None:
        """Close the file, open it anew, check it and write to it; only then it is used again.

        Args:
            check: reads what matters, and raises StorageError where that is not right.

        Raises:
            StorageError: if the card is still not good; nothing is used.
        """
        self.fault = self.fault or DISK_FAULT
        await self.close()
        _forget_pages(self.path)
        opened = await self._open()
        try:
            try:
                await _require_whole(opened, self.path)
                await check(opened.execute_fetchall)
                # what is only in the log may be there only in memory: into the file with it, anew
                ((is_busy, _, _),) = await opened.execute_fetchall(
                    "PRAGMA wal_checkpoint(TRUNCATE)"
                )
                if is_busy:
                    raise StorageError(f"{self.path.name}: its log is in use")
                await opened.execute_fetchall(_PROBE)
            except sqlite3.Error as exc:
                fault = card_fault(exc, self.path.parent)
                raise storage_error(f"{self.path.name}: still not good", exc, fault) from exc
        except BaseException:
            await _close(opened)
            raise
        self._connection, self.fault = opened, ""

    async def open(self) -> None:
        """Open the file and bring its schema up to date.

        A daemon before this one may have died over a sync that failed: what the kernel still
        remembers then may be nowhere on the card, and nothing must be written behind it.

        Raises:
            StorageError: if it cannot be opened, is in use, or is not ours.
        """
        _forget_pages(self.path)
        self._connection, self.fault = await self._open(), ""

    async def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await _close(connection)

    async def _open(self) -> aiosqlite.Connection:
        _reach(self.path)
        # below, it quotes values: list keys too
        logging.getLogger("aiosqlite").setLevel(logging.INFO)
        try:
            opened = await self._make(self.path)
        except sqlite3.Error as exc:
            raise storage_error(f"{self.path}: cannot be opened", exc) from exc
        try:
            try:
                await opened.execute_fetchall(_LOCKING)
                installed = await _schema_installed(opened, self.path)
                await opened.executescript(_PRAGMAS)
                await _migrate(opened, installed)
            except sqlite3.Error as exc:
                fault = card_fault(exc, self.path.parent)
                raise storage_error(f"{self.path}: cannot be used", exc, fault) from exc
        except BaseException:
            await _close(opened)
            raise
        return opened

    def _note(self, exc: sqlite3.Error) -> None:
        fault = card_fault(exc, self.path.parent)
        if fault and not self.fault:
            log.error("card failed", extra={"fault": fault, "reason": str(exc)})
            self.fault = fault
            self.on_trouble(fault)


@asynccontextmanager
async def open_database(path: Path, make: Connect = connect) -> AsyncIterator[Database]:
    """Open the database, bring its schema up to date, and close it in the end.

    Args:
        path: of the file; made if missing, and left as it is if it is not ours.
        make: makes a connection.

    Raises:
        StorageError: if it cannot be opened, is in use, or is not ours; the message says which.
    """
    database = Database(path, make)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def _close(connection: aiosqlite.Connection) -> None:
    """Close a connection; what cannot be written then is in the log, or was never acknowledged."""
    with suppress(sqlite3.Error):
        await connection.close()


def _reach(path: Path) -> None:
    """Make sure of the file first: a connection that cannot open leaves its thread to itself."""
    try:
        path.open("ab").close()
    except OSError as exc:
        raise file_error(f"{path}: cannot be opened", exc) from exc


def _forget_pages(path: Path) -> None:
    """Let the kernel read the files from the card again, not from what it remembers of them."""
    for file in (path, path.with_name(path.name + "-wal")):
        with suppress(OSError):  # it is only a better check where it can be had
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


async def _require_whole(connection: aiosqlite.Connection, path: Path) -> None:
    """Have the database check the pages of the journal."""
    ((told,),) = await connection.execute_fetchall("PRAGMA quick_check(1)")
    if told != "ok":
        raise StorageError(f"{path.name}: is damaged: {told}", JOURNAL_FAULT)


async def _schema_installed(connection: aiosqlite.Connection, path: Path) -> int:
    """Give the schema's number, 0 for a file that is new; changes nothing."""
    installed = await _number(connection, "PRAGMA user_version")
    owner = await _number(connection, "PRAGMA application_id")
    things = await _number(connection, "SELECT count(*) FROM sqlite_schema")
    if owner != APPLICATION_ID and (installed, owner, things) != (0, 0, 0):
        raise StorageError(f"{path}: is the database of another program; name another data folder")
    newest = max(scripts())
    if installed > newest and await _oldest_reader(connection) > newest:
        raise StorageError(
            f"{path}: has schema {installed}, this program knows up to {newest}; "
            "install the newer program"
        )
    return installed


async def _migrate(connection: aiosqlite.Connection, installed: int) -> None:
    for number, script in sorted(scripts().items()):
        if number > installed:
            readable = _READABLE_ROW.format(number, readable_from(number, script))
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\n{_READABLE_TABLE}{readable}\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )


async def _number(connection: aiosqlite.Connection, sql: str) -> int:
    rows = list(await connection.execute_fetchall(sql))
    number: int = rows[0][0]
    return number


async def _oldest_reader(connection: aiosqlite.Connection) -> int:
    """Give the oldest schema whose programs can still use the file; its own, if it does not say."""
    named = "SELECT count(*) FROM sqlite_schema WHERE name = 'readable_by'"
    installed = await _number(connection, "PRAGMA user_version")
    if not await _number(connection, named):
        return installed
    rows = await connection.execute_fetchall(
        "SELECT oldest FROM readable_by WHERE schema = ?", (installed,)
    )
    return next((int(oldest) for (oldest,) in rows), installed)


def readable_from(number: int, script: str) -> int:
    """Give the oldest schema whose programs can still use a file after a script."""
    said = _READABLE.search(script)
    return int(said[1]) if said else number


def scripts() -> dict[int, str]:
    """Give the schema's scripts by number; each leads from the one before to its own."""
    folder = resources.files("appliance.storage") / "schema"
    found = ((_SCRIPT.fullmatch(entry.name), entry) for entry in folder.iterdir())
    return {int(match[1]): entry.read_text("utf-8") for match, entry in found if match}
