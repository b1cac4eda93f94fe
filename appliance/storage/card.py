"""The card under the gate's data folder: room, reserve, and the way back after a failure.

Implements `card_ports.Card`. Called by the card keeper.
"""

import os
from asyncio import to_thread
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.storage.database import Database
from appliance.storage.faults import file_error
from appliance.storage.journal_store import SqliteJournal

RESERVE_FILE: Final = "reserve"


class DataCard:
    """One folder of one file system."""

    def __init__(self, database: Database, journal: SqliteJournal, reserve_bytes: int) -> None:
        """Take what lies on it.

        Args:
            database: the gate's.
            journal: checked before the card is used again.
            reserve_bytes: how much is held for what has to be written on a full card; 0 is none.
        """
        self._database = database
        self._journal = journal
        self._folder = database.path.parent
        self._file = self._folder / RESERVE_FILE
        self._reserve_bytes = reserve_bytes

    @property
    def fault(self) -> str:
        """What the database failed by."""
        return self._database.fault

    def free_bytes(self) -> int:
        """Give the room that is left; the kernel answers from memory."""
        try:
            room = os.statvfs(self._folder)
        except OSError as exc:
            raise file_error(f"{self._folder}: cannot be asked for its room", exc) from exc
        return room.f_bavail * room.f_frsize

    @property
    def has_reserve(self) -> bool:
        """Whether the reserve is there, whole."""
        try:
            return self._file.stat().st_size >= self._reserve_bytes
        except OSError:
            return self._reserve_bytes == 0

    @property
    def reserve_bytes(self) -> int:
        """How large it is to be."""
        return self._reserve_bytes

    async def make_reserve(self) -> None:
        """Hold room in reserve: blocks that are really taken, not a hole."""
        if self.has_reserve:
            return
        try:
            await to_thread(_take_room, self._file, self._reserve_bytes)
        except OSError as exc:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)  # half a reserve only takes room
            raise file_error(f"{self._file}: no room can be held in reserve", exc) from exc

    def free_reserve(self) -> None:
        """Give it up."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as exc:
            raise file_error(f"{self._file}: cannot be given up", exc) from exc

    async def probe(self) -> None:
        """Commit something that says nothing."""
        await self._database.probe()

    async def mend(self) -> None:
        """Open the database anew and check it."""
        await self._database.reopen(self._journal.check)


def _take_room(file: Path, size: int) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
