"""Files that a power cut leaves whole: the old one or the new one. Called by the other stores.

Written under another name, synced, put in the old one's place, and the folder synced.
"""

import os
from pathlib import Path


def write_lasting(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in the place of the one of that name, or of none.

    Args:
        path: where to; its folder is there.
        content: all of it.
        mode: who may read it, whatever the process's mask.

    Raises:
        OSError: if it cannot be written; then no copy of the content is left behind.
    """
    unfinished = path.with_name(path.name + ".part")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_passing(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in another's place, whole or not at all to who reads it; nothing is synced.

    For folders that a power cut empties anyway, as those under /run.

    Args:
        path: where to; its folder is there.
        content: all of it.
        mode: who may read it, whatever the process's mask.

    Raises:
        OSError: if it cannot be written.
    """
    unfinished = path.with_name(path.name + ".part")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
    unfinished.replace(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last.

    Raises:
        OSError: if they cannot be.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
