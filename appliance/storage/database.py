"""Opens the gate's database: one file, one connection, one thread. The only place with pragmas.

Called by `main`. Every statement is its own transaction (autocommit), so that one record costs
one hop to the database's thread and one durable commit.
"""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Final

import aiosqlite

from appliance.errors import StorageError

_SCRIPT: Final = re.compile(r"(\d{4})_.*\.sql")
# EXCLUSIVE: no second daemon may write to one journal, and no shared-memory file is needed
_PRAGMAS: Final = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA busy_timeout = 2000;
PRAGMA cache_size = -4096;
"""


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """Open the database, bring its schema up to date, and close it in the end.

    Args:
        path: of the file; made if missing.

    Raises:
        StorageError: if it cannot be opened, is in use, or is not ours; the message says which.
    """
    try:
        connection = await aiosqlite.connect(path, isolation_level=None)
    except sqlite3.Error as exc:
        raise StorageError(f"{path}: cannot be opened: {exc}") from exc
    try:
        try:
            await connection.executescript(_PRAGMAS)
            await _migrate(connection)
        except sqlite3.OperationalError as exc:
            raise StorageError(f"{path}: cannot be used ({exc}); is another gate running?") from exc
        except sqlite3.DatabaseError as exc:
            raise StorageError(f"{path}: is no journal database: {exc}") from exc
        yield connection
    finally:
        await connection.close()


async def _migrate(connection: aiosqlite.Connection) -> None:
    rows = list(await connection.execute_fetchall("PRAGMA user_version"))
    installed: int = rows[0][0]
    scripts = _scripts()
    if installed > max(scripts):
        raise StorageError(
            f"the database has schema {installed}, this program knows up to {max(scripts)}; "
            "install the newer program"
        )
    for number in sorted(scripts):
        if number > installed:
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{scripts[number]}\nPRAGMA user_version = {number};\nCOMMIT;"
            )


def _scripts() -> dict[int, str]:
    folder = resources.files("appliance.storage") / "schema"
    found = ((_SCRIPT.fullmatch(entry.name), entry) for entry in folder.iterdir())
    return {int(match[1]): entry.read_text("utf-8") for match, entry in found if match}
