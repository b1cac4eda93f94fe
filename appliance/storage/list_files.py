"""The pieces of lists as files, each named by its digest: mapped, checked, kept, swept.

Called through `ports.ListFiles`. A file is written once and never changed; one that is found
changed is set aside. What hashes or syncs runs in a thread.
"""

import asyncio
import hashlib
import mmap
import os
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from admission.errors import DigestError
from admission.ticketlist.columns import Buffer
from admission.ticketlist.pieces import PieceRef, check_piece
from appliance.errors import StorageError
from appliance.storage.lasting_file import sync_folder

KEPT_SUFFIX: Final = ".tgl"
ASIDE_SUFFIX: Final = ".aside"
ASIDE_MAX: Final = 2  # evidence enough, and no way to fill the card
_DOWNLOAD_SUFFIX: Final = ".part"
_CHUNK_BYTES: Final = 1 << 20


class ListFolder:
    """Implements `ports.ListFiles` over a folder."""

    def __init__(self, folder: Path) -> None:
        """Open the folder; downloads that were broken off are removed.

        Args:
            folder: made if missing.

        Raises:
            StorageError: if the folder cannot be used.
        """
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for leftover in folder.glob(f"*{_DOWNLOAD_SUFFIX}"):
                leftover.unlink()
        except OSError as exc:
            raise StorageError(f"{folder}: cannot be used: {exc.strerror}") from exc

    async def missing(self, refs: Iterable[PieceRef]) -> set[str]:
        """Give the digests of those that are not there whole."""
        return await asyncio.to_thread(self._missing, list(refs))

    def _missing(self, refs: list[PieceRef]) -> set[str]:
        return {ref.sha256 for ref in refs if _size(self._path(ref.sha256)) != ref.size}

    def new_download(self) -> Path:
        """Name a temporary file in the same folder, so that it can be renamed into place."""
        try:
            handle, name = tempfile.mkstemp(suffix=_DOWNLOAD_SUFFIX, dir=self._folder)
        except OSError as exc:
            raise StorageError(f"{self._folder}: cannot be written: {exc.strerror}") from exc
        os.close(handle)
        return Path(name)

    async def open(self, what: str, ref: PieceRef, download: Path | None = None) -> Buffer:
        """Map a piece, checked; see `ports.ListFiles.open`."""
        return await asyncio.to_thread(_map_checked, what, ref, download or self._path(ref.sha256))

    async def check(self, what: str, ref: PieceRef) -> None:
        """Read a kept piece again; see `ports.ListFiles.check`."""
        await asyncio.to_thread(_check_again, what, ref, self._path(ref.sha256))

    async def keep(self, downloads: Mapping[str, Path]) -> None:
        """Give downloads their lasting names, so that they survive a power cut.

        Raises:
            StorageError: if one cannot be; whatever names them must not be written then.
        """
        if downloads:
            await asyncio.to_thread(self._keep, dict(downloads))

    def _keep(self, downloads: dict[str, Path]) -> None:
        try:
            for sha256, download in downloads.items():
                with download.open("rb") as file:
                    os.fsync(file.fileno())
                download.replace(self._path(sha256))
            sync_folder(self._folder)
        except OSError as exc:
            raise StorageError(f"list cannot be stored: {exc.strerror}") from exc

    async def set_aside(self, sha256: str) -> None:
        """Put a damaged piece where it is used no more; see `ports.ListFiles.set_aside`."""
        await asyncio.to_thread(self._set_aside, sha256)

    def _set_aside(self, sha256: str) -> None:
        path = self._path(sha256)
        try:
            if path.exists():
                os.utime(path)  # the order in which they were set aside
                path.replace(path.with_suffix(ASIDE_SUFFIX))
            aside = sorted(self._folder.glob(f"*{ASIDE_SUFFIX}"), key=_age)
            for old in aside[:-ASIDE_MAX]:
                old.unlink()
        except OSError as exc:
            raise StorageError(f"list cannot be set aside: {exc.strerror}") from exc

    async def sweep(self, wanted: Collection[str]) -> None:
        """Remove every kept piece but those of these digests; see `ports.ListFiles.sweep`."""
        names = {self._path(sha256).name for sha256 in wanted}
        await asyncio.to_thread(self._sweep, names)

    def _sweep(self, names: set[str]) -> None:
        try:
            for file in self._folder.glob(f"*{KEPT_SUFFIX}"):
                if file.name not in names:
                    file.unlink(missing_ok=True)
        except OSError as exc:
            raise StorageError(f"{self._folder}: cannot be swept: {exc.strerror}") from exc

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}{KEPT_SUFFIX}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None  # not there, or not to be had: it is fetched again


def _age(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


def _map_checked(what: str, ref: PieceRef, path: Path) -> Buffer:
    """Runs in a thread: hashing a large list takes a while."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise DigestError(f"{what} is empty")  # an empty file cannot be mapped
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as exc:
        raise _unreadable(what, path, exc) from exc
    check_piece(what, ref, mapped)
    return mapped


def _check_again(what: str, ref: PieceRef, path: Path) -> None:
    """Runs in a thread, a chunk at a time: what else the gate does goes on between them."""
    try:
        with path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # the card, not a copy
            size, sha256 = _digest(file)
    except OSError as exc:
        raise _unreadable(what, path, exc) from exc
    if size != ref.size:
        raise DigestError(f"{what} has {size} bytes now, the manifest says {ref.size}")
    if sha256 != ref.sha256:
        raise DigestError(f"{what} has changed since it was verified: its digest differs")


def _digest(file: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _unreadable(what: str, path: Path, exc: OSError) -> StorageError:
    return StorageError(f"{what} {path.name[:12]}… cannot be opened: {exc.strerror}")
