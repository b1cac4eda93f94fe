"""What a database's error means, in words that say what to do. Called by this room's stores."""

import sqlite3
from typing import Final

from appliance.errors import StorageError

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


def storage_error(what: str, exc: sqlite3.Error) -> StorageError:
    """Make the gate's error of a database's.

    Args:
        what: what could not be done, with the file's name where it is known.
        exc: what the database said; its own words are kept.
    """
    code = getattr(exc, "sqlite_errorcode", 0) & _PRIMARY
    meaning = _MEANINGS.get(code)
    return StorageError(f"{what}: {exc}" + (f": {meaning}" if meaning else ""))
