"""`machine.json`: what the caretaker tells the gate, and the gate its server. One part each.

Several of the caretaker's programs have something to say there and may run at once: each changes
its own part, under a lock, and the file is whole at any time.
"""

import fcntl
import json
import os
from typing import Any, Final

from caretaker.errors import FileError
from caretaker.kept_files import read_small, write_whole
from caretaker.places import Places

MACHINE_FILE: Final = "machine.json"
FORMAT: Final = 1
_LOCK_FILE: Final = "machine.lock"


def tell(places: Places, **parts: Any) -> None:
    """Put these parts in the place of those of that name; the others stay.

    Raises:
        FileError: if it cannot be written.
    """
    folder = places.care_run
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(folder / _LOCK_FILE, flags, 0o600)
    except OSError as exc:
        raise FileError(f"{folder}: cannot be written to: {exc.strerror}") from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = told(places) | {"format": FORMAT} | parts
        write_whole(folder / MACHINE_FILE, json.dumps(said).encode(), mode=0o644)
    finally:
        os.close(lock)


def told(places: Places) -> dict[str, Any]:
    """Give all of it; {} where there is none, or it is damaged: then it is made anew."""
    try:
        said = json.loads(read_small(places.care_run / MACHINE_FILE) or b"{}")
    except (FileError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
