"""A memory card that fails, fills up and hangs when it is told to, under a real database."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from appliance.storage.card import DataCard
from appliance.storage.database import connect

_READS = ("SELECT", "PRAGMA locking_mode", "PRAGMA user_version", "PRAGMA application_id")
_READS += ("PRAGMA quick_check",)
PLENTY = 1 << 30


def sqlite_error(code: int, text: str = "imagined") -> sqlite3.OperationalError:
    """Make an error as the database would."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class ImaginedCard:
    """What stands between connections and their file.

    Attributes:
        fault: code of the error that every write meets; None for none.
        is_written: whether what fails is written all the same, as by a sync that fails.
        commits: how many writes came through.
    """

    def __init__(self) -> None:
        self.fault: int | None = None
        self.is_written = False
        self.commits = 0
        self.opened = 0
        self._held: asyncio.Event | None = None

    def fail(self, code: int, *, is_written: bool = False) -> None:
        """Let every write fail from now on."""
        self.fault, self.is_written = code, is_written

    def work(self) -> None:
        """Let all be well again."""
        self.fault = None

    def hang(self) -> None:
        """Let no write come back until `let_go`."""
        self._held = asyncio.Event()

    def let_go(self) -> None:
        """Let those that hang come back."""
        if self._held is not None:
            self._held.set()
            self._held = None

    async def connect(self, path: Path) -> Any:
        """Open a connection through this card."""
        self.opened += 1
        return _Connection(await connect(path), self)

    async def execute(self, inner: Any, sql: str, values: Any) -> Any:
        """Run a statement as this card has it."""
        if sql.startswith(_READS):
            return await inner.execute_fetchall(sql, values)
        if self._held is not None:
            await self._held.wait()
        if self.fault is not None and not self.is_written:
            raise sqlite_error(self.fault)
        rows = await inner.execute_fetchall(sql, values)
        if self.fault is not None:
            raise sqlite_error(self.fault)
        self.commits += 1
        return rows


class _Connection:
    def __init__(self, inner: Any, card: ImaginedCard) -> None:
        self._inner, self._card = inner, card

    async def execute_fetchall(self, sql: str, values: Any = ()) -> Any:
        return await self._card.execute(self._inner, sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class WatchedCard(DataCard):
    """The card as its keeper sees it, with as much room as a test says.

    Attributes:
        free: the room.
        idle: set while it is not being mended.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.free = PLENTY
        self.idle = asyncio.Event()
        self.idle.set()

    def free_bytes(self) -> int:
        return self.free

    async def mend(self) -> None:
        self.idle.clear()
        try:
            await super().mend()
        finally:
            self.idle.set()
