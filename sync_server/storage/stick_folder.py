"""A stick's folder, as the server writes and reads it.

Follows no symbolic link below the folder that it is given, reads nothing but plain files, and no
more of one than it may have.
"""

import asyncio
import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from admission.sync import stick
from sync_server.errors import ConfigError

_CHUNK: Final = 1 << 20
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DRAFT_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_JOURNAL: Final = re.compile(r"[0-9a-f]{32}")
_BATCH: Final = re.compile(r"[0-9]{20}\.batch")


class StickFolder:
    """One stick."""

    def __init__(self, top: Path) -> None:
        self._top = top

    async def put(self, path: stick.Path, data: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            ConfigError: if it cannot be written.
        """
        await asyncio.to_thread(self._put, path, data)

    async def copy(self, source: Path, path: stick.Path) -> None:
        """Copy a file of the server's, whole or not at all; one of that size is there already.

        Raises:
            ConfigError: if it cannot be written.
        """
        await asyncio.to_thread(self._copy, source, path)

    async def read(self, path: stick.Path, bytes_max: int) -> bytes:
        """Read a file.

        Raises:
            ConfigError: if it cannot be read, is no plain file, or is over `bytes_max`.
        """
        return await asyncio.to_thread(self._read, path, bytes_max)

    async def batches(self, most: int) -> list[stick.Path]:
        """Name the parts of journals, each journal's in order; no more than `most`.

        Raises:
            ConfigError: if the stick cannot be read.
        """
        return await asyncio.to_thread(self._batches, most)

    def _put(self, path: stick.Path, data: bytes) -> None:
        with (
            _troubles(path),
            _walk(self._top, path[:-1], make=True) as folder,
            _draft(folder, path[-1]) as handle,
            os.fdopen(handle, "wb") as file,
        ):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _copy(self, source: Path, path: stick.Path) -> None:
        with _troubles(path), _walk(self._top, path[:-1], make=True) as folder:
            with contextlib.suppress(FileNotFoundError):
                there = os.stat(path[-1], dir_fd=folder, follow_symlinks=False)
                if stat.S_ISREG(there.st_mode) and there.st_size == source.stat().st_size:
                    return
            with _draft(folder, path[-1]) as handle, os.fdopen(handle, "wb") as file:
                with source.open("rb") as original:
                    shutil.copyfileobj(original, file, _CHUNK)
                file.flush()
                os.fsync(file.fileno())

    def _read(self, path: stick.Path, bytes_max: int) -> bytes:
        with _troubles(path), _walk(self._top, path[:-1]) as folder:
            handle = os.open(path[-1], _FILE_FLAGS, dir_fd=folder)
            with os.fdopen(handle, "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or found.st_size > bytes_max:
                    raise ConfigError(f"{path[-1]}: no plain file of at most {bytes_max} bytes")
                return file.read(bytes_max)

    def _batches(self, most: int) -> list[stick.Path]:
        found: list[stick.Path] = []
        with _troubles(stick.JOURNALS), _walk(self._top, ()) as top:
            if not _is_there(top, stick.JOURNALS[0]):
                return []
        with _troubles(stick.JOURNALS), _walk(self._top, stick.JOURNALS[:-1]) as above:
            if not _is_there(above, stick.JOURNALS[-1]):
                return []
        with _troubles(stick.JOURNALS), _walk(self._top, stick.JOURNALS) as folder:
            for journal in _names(folder, _JOURNAL):
                try:
                    below = os.open(journal, _FOLDER_FLAGS, dir_fd=folder)
                except OSError:
                    continue  # a file or a link in a folder's place is none of a gate's
                try:
                    found += [(*stick.JOURNALS, journal, name) for name in _names(below, _BATCH)]
                finally:
                    os.close(below)
        return found[:most]


def _is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _names(folder: int, like: re.Pattern[str]) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if like.fullmatch(entry.name))


@contextmanager
def _draft(folder: int, name: str) -> Iterator[int]:
    """Give a file that takes the name's place once the context has ended well."""
    draft = f"{name}.tmp"
    yield os.open(draft, _DRAFT_FLAGS, 0o600, dir_fd=folder)
    os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    with contextlib.suppress(OSError):  # not every stick's file system knows how
        os.fsync(folder)


@contextmanager
def _walk(top: Path, names: stick.Path, *, make: bool = False) -> Iterator[int]:
    """Open a folder below another, one step at a time, so that no link leads elsewhere."""
    handle = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=handle)
            below = os.open(name, _FOLDER_FLAGS, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _troubles(path: stick.Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ConfigError(f"stick: {'/'.join(path)}: {exc.strerror}") from exc
