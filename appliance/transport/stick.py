"""A USB stick in the server's place: what it carries is verified as if the server had sent it.

Implements `link_ports.ServerLink` as far as a folder can answer, and `carrying`'s `Stick`. Follows
no symbolic link, reads nothing but plain files, and no more of one than it may have.
"""

import asyncio
import contextlib
import os
import re
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, NoReturn

from admission.limits import ENVELOPE_BYTES_MAX
from admission.sync import stick
from admission.sync.messages import (
    Ack,
    Batch,
    Carried,
    Enrol,
    Enrolled,
    Feed,
    Heads,
    Renew,
    Renewed,
)
from appliance.errors import LinkAnswerError, LinkError, StorageError
from appliance.link_ports import LiveConnection

_KEY_BYTES_MAX: Final = 1024
_CHUNK: Final = 1 << 20
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # no FIFO holds us
_DRAFT_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class StickLink:
    """One stick, for one gate."""

    def __init__(self, folder: Path, gate: str) -> None:
        """Take where it is mounted.

        Args:
            folder: its top folder.
            gate: id of the gate that reads it.
        """
        self._folder = folder
        self._gate = gate

    async def root(self, version: int) -> bytes | None:
        """Read one root document; None if there is none of that version."""
        return await self._read_if_there(stick.root_path(version), ENVELOPE_BYTES_MAX)

    async def status(self, nonce: str) -> bytes:
        """Read what was the newest when the stick was written; it answers nobody's nonce."""
        del nonce
        return await self._read(stick.gate_path(self._gate, "status"), ENVELOPE_BYTES_MAX)

    async def assignment(self) -> bytes | None:
        """Read the assignment."""
        return await self._read(stick.gate_path(self._gate, "assignment"), ENVELOPE_BYTES_MAX)

    async def manifest(self, performance: str) -> bytes | None:
        """Read a manifest."""
        return await self._read(
            stick.list_path(self._gate, performance, "manifest"), ENVELOPE_BYTES_MAX
        )

    def forget(self, performance: str) -> None:
        """Nothing is remembered."""

    def forget_assignment(self) -> None:
        """Nothing is remembered."""

    def take_pins(self, pins: tuple[bytes, ...]) -> None:
        """A stick has no certificate."""

    async def list_key(self, performance: str) -> bytes:
        """Read a list key, sealed for this gate."""
        return await self._read(stick.list_path(self._gate, performance, "key"), _KEY_BYTES_MAX)

    async def download(self, performance: str, sha256: str, size: int, to: Path) -> None:
        """Copy a piece of a list into a file; never more than `size` bytes.

        Raises:
            LinkError: as every request.
            StorageError: if the file cannot be written.
        """
        del performance
        if not _DIGEST.fullmatch(sha256):
            raise LinkAnswerError("a piece is named by 64 hexadecimal digits")
        await asyncio.to_thread(self._copy, stick.piece_path(sha256), size, to)

    async def order(self) -> bytes | None:
        """Read the lock or unlock that stood when the stick was written, None for none."""
        return await self._read_if_there(stick.gate_path(self._gate, "order"), ENVELOPE_BYTES_MAX)

    async def put(self, path: stick.Path, data: bytes) -> None:
        """Write a file onto the stick, whole or not at all.

        Raises:
            LinkError: if it cannot be written.
        """
        await asyncio.to_thread(self._put, path, data)

    async def enrol(self, request: Enrol) -> Enrolled:
        """A stick makes no gate."""
        del request
        self._cannot()

    async def renew(self, request: Renew) -> Renewed:
        """A stick certifies nothing."""
        del request
        self._cannot()

    async def upload(self, batch: Batch) -> Ack:
        """A stick acknowledges nothing: only the server knows what it has."""
        del batch
        self._cannot()

    async def carry(self, carried: Carried) -> Ack:
        """A stick acknowledges nothing."""
        del carried
        self._cannot()

    async def heads(self, journals: Sequence[str]) -> Heads:
        """A stick does not know what the server has."""
        del journals
        self._cannot()

    async def feed(self, stream: str, after: int) -> Feed:
        """A stick has no feeds."""
        del stream, after
        self._cannot()

    @asynccontextmanager
    async def live(self) -> AsyncIterator[LiveConnection]:
        """A stick has no live connection."""
        self._cannot()
        yield  # type: ignore[unreachable]

    def _cannot(self) -> NoReturn:
        raise LinkError("a stick carries no answers, only documents")

    async def _read(self, path: stick.Path, bytes_max: int) -> bytes:
        raw = await self._read_if_there(path, bytes_max)
        if raw is None:
            raise LinkAnswerError(f"the stick has no {path[-1]} for this gate")
        return raw

    async def _read_if_there(self, path: stick.Path, bytes_max: int) -> bytes | None:
        return await asyncio.to_thread(self._read_file, path, bytes_max)

    def _read_file(self, path: stick.Path, bytes_max: int) -> bytes | None:
        with _troubles(path):
            try:
                with self._opened(path) as handle:
                    _require_plain(handle, path, bytes_max)
                    return _read_most(handle, bytes_max)
            except FileNotFoundError:
                return None

    def _copy(self, path: stick.Path, size: int, to: Path) -> None:
        with _troubles(path):
            try:
                handle_of = self._opened(path)
                with handle_of as handle:
                    _require_plain(handle, path, size)
                    self._pour(handle, size, to)
            except FileNotFoundError:
                raise LinkAnswerError("the stick has not every piece of the list") from None

    @staticmethod
    def _pour(handle: int, size: int, to: Path) -> None:
        left = size
        try:
            file = to.open("wb")
        except OSError as exc:
            raise StorageError(f"{to}: cannot be written: {exc.strerror}") from exc
        with file:
            while left > 0 and (part := os.read(handle, min(left, _CHUNK))):
                left -= len(part)
                try:
                    file.write(part)
                except OSError as exc:
                    raise StorageError(f"{to}: cannot be written: {exc.strerror}") from exc

    def _put(self, path: stick.Path, data: bytes) -> None:
        with _troubles(path), _walk(self._folder, path[:-1], make=True) as folder:
            draft = f"{path[-1]}.tmp"
            handle = os.open(draft, _DRAFT_FLAGS, 0o600, dir_fd=folder)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path[-1], src_dir_fd=folder, dst_dir_fd=folder)
            with contextlib.suppress(OSError):  # not every stick's file system knows how
                os.fsync(folder)

    @contextmanager
    def _opened(self, path: stick.Path) -> Iterator[int]:
        with _walk(self._folder, path[:-1]) as folder:
            handle = os.open(path[-1], _FILE_FLAGS, dir_fd=folder)
            try:
                yield handle
            finally:
                os.close(handle)


@contextmanager
def _walk(top: Path, names: stick.Path, *, make: bool = False) -> Iterator[int]:
    """Open a folder below another, one step at a time, so that no link leads elsewhere."""
    try:
        handle = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise LinkError(f"the stick at {top} is gone: {exc.strerror}") from exc
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
        raise LinkError(f"stick: {'/'.join(path)}: {exc.strerror}") from exc


def _require_plain(handle: int, path: stick.Path, bytes_max: int) -> None:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise LinkAnswerError(f"stick: {path[-1]} is no plain file")
    if found.st_size > bytes_max:
        raise LinkAnswerError(f"stick: {path[-1]} is over {bytes_max} bytes")


def _read_most(handle: int, bytes_max: int) -> bytes:
    parts, left = [], bytes_max
    while left > 0 and (part := os.read(handle, min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
