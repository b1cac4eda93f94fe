"""List keys on the disk, and nothing left of them once they are wiped. Implements `ports.KeyShelf`.

SQLite overwrites what it deletes (`secure_delete`, set where the database is opened), and the
write-ahead log, which still holds the page as it was, is emptied at once. What the flash inside a
memory card keeps of overwritten blocks is beyond any program.
"""

from collections.abc import Sequence
from typing import Any

from appliance.errors import StorageError
from appliance.ports import KeyBox
from appliance.storage.database import Database


class SqliteKeyShelf:
    """The table `list_keys`.

    Args:
        database: from `open_database`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def box(self, performance: str) -> KeyBox | None:
        """Give what is kept of a performance's key, None for nothing."""
        rows = await self._run(
            "SELECT how, content FROM list_keys WHERE performance = ?", (performance,)
        )
        return KeyBox(*rows[0]) if rows else None

    async def put(self, performance: str, box: KeyBox) -> None:
        """Keep a key; what was kept of it before has been wiped."""
        await self._run(
            "INSERT INTO list_keys (performance, how, content) VALUES (?, ?, ?)",
            (performance, box.how, box.content),
        )

    async def wipe(self, performance: str) -> None:
        """Leave nothing of a key in the database and its log."""
        await self._run("DELETE FROM list_keys WHERE performance = ?", (performance,))
        ((is_busy, _, _),) = await self._run("PRAGMA wal_checkpoint(TRUNCATE)")
        if is_busy:
            raise StorageError("a list key is not wiped yet: the database's log is in use")

    async def _run(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return await self._database.run("list keys cannot be written or read", sql, values)
