"""The pieces of lists as files, each named by its digest. They are written once, then only read."""

import asyncio
import mmap
import os
import re
from pathlib import Path
from typing import Final

from admission.ticketlist.columns import Buffer

_NAME: Final = re.compile(r"[0-9a-f]{64}")


class Folder:
    """The `SnapshotFiles` of `ports`, over one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, sha256: str, data: bytes) -> None:
        """Write a file so that it survives a power cut; one that is there already is left."""
        path = self.path(sha256)
        await asyncio.to_thread(_write, path, data)

    async def open(self, sha256: str) -> Buffer | None:
        """Map a file, None where it is not there; what is in it is not checked."""
        return await asyncio.to_thread(_map, self.path(sha256))

    def path(self, sha256: str) -> Path:
        """Give where a file lies, whether or not it is there.

        Raises:
            ValueError: if the text is no digest.
        """
        if not _NAME.fullmatch(sha256):
            raise ValueError("a snapshot is named by 64 hexadecimal digits")
        return self._folder / f"{sha256}.tgl"


def _map(path: Path) -> Buffer | None:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (FileNotFoundError, ValueError):  # ValueError: it is empty, and cannot be mapped
        return None


def _write(path: Path, data: bytes) -> None:
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
