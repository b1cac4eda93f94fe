"""The bundles of gates' software on the server's disk: written as they come in, then only read."""

import asyncio
import hashlib
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from sync_server.errors import StorageError

HEAD_BYTES: Final = 16
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_SUFFIX: Final = ".raucb"
_LEFT_S: Final = 24 * 3600.0  # no upload takes as long


class BundleFolder:
    """The `BundleFiles` of `fleet_ports`, over one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def receive(self) -> AsyncIterator["_Incoming"]:
        """Begin to take one in; what is not kept is gone when the context ends.

        Raises:
            StorageError: if the disk does not take it.
        """
        try:
            file = await asyncio.to_thread(_begin, self._folder)
        except OSError as exc:
            raise StorageError(f"{self._folder}: no bundle can be kept: {exc.strerror}") from exc
        incoming = _Incoming(file, self)
        try:
            yield incoming
        finally:
            _end(file, is_kept=incoming.is_kept)

    def path(self, sha256: str) -> Path:
        """Give where a bundle lies, whether or not it is there.

        Raises:
            ValueError: if the text is no digest.
        """
        if not _NAME.fullmatch(sha256):
            raise ValueError("a bundle is named by 64 hexadecimal digits")
        return self._folder / (sha256 + _SUFFIX)

    async def remove(self, sha256: str) -> None:
        """Free the room of a bundle; one that is not there is none."""
        await asyncio.to_thread(self.path(sha256).unlink, missing_ok=True)


class _Incoming:
    """The `IncomingBundle` of `fleet_ports`."""

    def __init__(self, file: BinaryIO, folder: BundleFolder) -> None:
        self.head = b""
        self.size = 0
        self.is_kept = False
        self._file = file
        self._folder = folder
        self._digest = hashlib.sha256()

    async def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self.head = (self.head + chunk[:HEAD_BYTES])[:HEAD_BYTES]
        self.size += len(chunk)
        try:
            await asyncio.to_thread(self._write, chunk)
        except OSError as exc:
            raise StorageError(f"the bundle cannot be written: {exc.strerror}") from exc

    async def keep(self) -> tuple[str, int]:
        """Have it survive a power cut, under its digest; give that and its size."""
        sha256 = self._digest.hexdigest()
        try:
            await asyncio.to_thread(_settle, self._file, self._folder.path(sha256))
        except OSError as exc:
            raise StorageError(f"the bundle cannot be kept: {exc.strerror}") from exc
        self.is_kept = True
        return sha256, self.size

    def _write(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._file.write(chunk)


def _begin(folder: Path) -> BinaryIO:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob("*.part"):  # of a server that was ended while one came in
        if left.stat().st_mtime < time.time() - _LEFT_S:
            left.unlink(missing_ok=True)
    descriptor, name = tempfile.mkstemp(suffix=".part", dir=folder)  # for nobody else to read
    os.close(descriptor)
    return Path(name).open("r+b")


def _end(file: BinaryIO, *, is_kept: bool) -> None:
    with suppress(OSError):  # of a full disk, which was told before
        file.close()
    if not is_kept:
        Path(file.name).unlink(missing_ok=True)


def _settle(file: BinaryIO, path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    Path(file.name).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
