"""What a database's error means, in words that say what to do. Called by this room's stores."""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Final

from appliance.errors import StorageError
from appliance.fault_codes import DISK_FAULT, FULL_FAULT, JOURNAL_FAULT, READ_ONLY_FAULT

_PRIMARY: Final = 0xFF  # the low byte is the error, what is above it only details
_MEANINGS: Final = {
    sqlite3.SQLITE_BUSY: "it is in use; is another gate running on it?",
    sqlite3.SQLITE_LOCKED: "it is in use; is another gate running on it?",
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_READONLY: "it may not be written to; check the owner of the data folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the owner of the data folder",
    sqlite3.SQLITE_IOERR: "the disk does not read or write; replace it",
    sqlite3.SQLITE_NOTADB: "it is no database; move it away and the gate begins a new one",
    sqlite3.SQLITE_CORRUPT: "it is damaged; keep it for the record, and begin a new one",
}
_FAULTS: Final = {
    sqlite3.SQLITE_FULL: FULL_FAULT,
    sqlite3.SQLITE_READONLY: READ_ONLY_FAULT,
    sqlite3.SQLITE_CANTOPEN: DISK_FAULT,
    sqlite3.SQLITE_IOERR: DISK_FAULT,
    sqlite3.SQLITE_NOTADB: JOURNAL_FAULT,
    sqlite3.SQLITE_CORRUPT: JOURNAL_FAULT,
}
_FAULTS_OF_FILES: Final = {errno.ENOSPC: FULL_FAULT, errno.EROFS: READ_ONLY_FAULT}


def storage_error(what: str, exc: sqlite3.Error, fault: str = "") -> StorageError:
    """Make the gate's error of a database's.

    Args:
        what: what could not be done, with the file's name where it is known.
        exc: what the database said; its own words are kept.
        fault: the card's, where more is known of it than the database said.
    """
    code = _primary(exc)
    meaning = _MEANINGS.get(code)
    told = f"{what}: {exc}" + (f": {meaning}" if meaning else "")
    return StorageError(told, fault or _FAULTS.get(code, DISK_FAULT))


def file_error(what: str, exc: OSError) -> StorageError:
    """Make the gate's error of a file system's."""
    return StorageError(
        f"{what}: {exc.strerror}; check the data folder and its owner",
        _FAULTS_OF_FILES.get(exc.errno or 0, DISK_FAULT),
    )


def card_fault(exc: sqlite3.Error, folder: Path) -> str:
    """Tell what is wrong with the card after a database's error; "" where nothing is.

    A file system that was mounted again to be read only, and one that is full where the room had
    been promised, show as errors of input and output: the file system itself is asked.
    """
    fault = _FAULTS.get(_primary(exc), "")
    if fault != DISK_FAULT:
        return fault
    try:
        room = os.statvfs(folder)
    except OSError:
        return fault  # not even that can be read
    if room.f_flag & os.ST_RDONLY:
        return READ_ONLY_FAULT
    return FULL_FAULT if room.f_bavail == 0 else fault


def _primary(exc: sqlite3.Error) -> int:
    return getattr(exc, "sqlite_errorcode", 0) & _PRIMARY
