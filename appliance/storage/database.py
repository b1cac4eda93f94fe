"""Opens the gate's database: one file, one connection, one thread. The only place with pragmas.

Called by `main`. Every statement is its own transaction (autocommit), so that one record costs
one hop to the database's thread and one durable commit.
"""

import logging
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Final

import aiosqlite

from appliance.errors import StorageError
from appliance.storage.faults import storage_error

BUSY_S_MAX: Final = 2.0  # a predecessor that is just closing has let go by then
APPLICATION_ID: Final = 0x506F7274  # in the file's header; schema/0001 writes it
_SCRIPT: Final = re.compile(r"(\d{4})_.*\.sql")
# EXCLUSIVE: no second daemon may write to one journal, and no shared-memory file is needed
_LOCKING: Final = "PRAGMA locking_mode = EXCLUSIVE"
_PRAGMAS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
PRAGMA cache_size = -4096;
"""


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """Open the database, bring its schema up to date, and close it in the end.

    Args:
        path: of the file; made if missing, and left as it is if it is not ours.

    Raises:
        StorageError: if it cannot be opened, is in use, or is not ours; the message says which.
    """
    _reach(path)
    logging.getLogger("aiosqlite").setLevel(logging.INFO)  # below, it quotes values: list keys too
    try:
        connection = await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_S_MAX)
    except sqlite3.Error as exc:
        raise storage_error(f"{path}: cannot be opened", exc) from exc
    try:
        try:
            await connection.execute_fetchall(_LOCKING)
            installed = await _schema_installed(connection, path)
            await connection.executescript(_PRAGMAS)
            await _migrate(connection, installed)
        except sqlite3.Error as exc:
            raise storage_error(f"{path}: cannot be used", exc) from exc
        yield connection
    finally:
        await connection.close()


def _reach(path: Path) -> None:
    """Make sure of the file first: a connection that cannot open leaves its thread to itself."""
    try:
        path.open("ab").close()
    except OSError as exc:
        raise StorageError(
            f"{path}: cannot be opened: {exc.strerror}; check the data folder and its owner"
        ) from exc


async def _schema_installed(connection: aiosqlite.Connection, path: Path) -> int:
    """Give the schema's number, 0 for a file that is new; changes nothing."""
    installed = await _number(connection, "PRAGMA user_version")
    owner = await _number(connection, "PRAGMA application_id")
    things = await _number(connection, "SELECT count(*) FROM sqlite_schema")
    if owner != APPLICATION_ID and (installed, owner, things) != (0, 0, 0):
        raise StorageError(f"{path}: is the database of another program; name another data folder")
    newest = max(_scripts())
    if installed > newest:
        raise StorageError(
            f"{path}: has schema {installed}, this program knows up to {newest}; "
            "install the newer program"
        )
    return installed


async def _migrate(connection: aiosqlite.Connection, installed: int) -> None:
    for number, script in sorted(_scripts().items()):
        if number > installed:
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
            )


async def _number(connection: aiosqlite.Connection, sql: str) -> int:
    rows = list(await connection.execute_fetchall(sql))
    number: int = rows[0][0]
    return number


def _scripts() -> dict[int, str]:
    folder = resources.files("appliance.storage") / "schema"
    found = ((_SCRIPT.fullmatch(entry.name), entry) for entry in folder.iterdir())
    return {int(match[1]): entry.read_text("utf-8") for match, entry in found if match}
