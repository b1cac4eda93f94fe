"""Bundles on the gate's card, and the file by which the caretaker is asked for one of them.

A bundle that is on its way is `SHA256.part`; whole and checked, it is `VERSION-SHA256.raucb`.
"""

import asyncio
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Final

from appliance.errors import StorageError
from appliance.storage.lasting_file import sync_folder, write_passing
from appliance.update_ports import UpdateRequest

BUNDLES_MAX: Final = 2
REQUEST_FILE: Final = "update-request.json"
REQUEST_BYTES_MAX: Final = 16 * 1024
FORMAT: Final = 1
_CHUNK_BYTES: Final = 1 << 20
_PART: Final = ".part"
_WHOLE: Final = ".raucb"
_BY: Final = "server"


class FolderShelf:
    """The `BundleShelf` of `update_ports`, over one folder."""

    def __init__(self, folder: Path) -> None:
        """Take a folder; it is made when the first bundle comes."""
        self._folder = folder

    async def have(self, sha256: str) -> int:
        """Tell how many bytes of a bundle are here, be it whole or not."""
        return await asyncio.to_thread(self._have, sha256)

    async def append(self, sha256: str, start: int, data: bytes) -> None:
        """Add bytes to a bundle, from a place on; they survive a power cut when this returns."""
        try:
            await asyncio.to_thread(self._append, sha256, start, data)
        except OSError as exc:
            raise StorageError(f"bundle cannot be written: {exc.strerror}") from exc

    async def finish(self, sha256: str, version: str) -> str:
        """Check a bundle that has all its bytes; give its path, or "" where it was damaged."""
        try:
            return await asyncio.to_thread(self._finish, sha256, version)
        except OSError as exc:
            raise StorageError(f"bundle cannot be read: {exc.strerror}") from exc

    async def make_room(self, sha256: str, bytes_more: int) -> bool:
        """Keep one other bundle beside this one at the most, and none where room is short."""
        try:
            return await asyncio.to_thread(self._make_room, sha256, bytes_more)
        except OSError as exc:
            raise StorageError(f"room for a bundle is not known: {exc.strerror}") from exc

    def _whole(self, sha256: str) -> Path | None:
        return next(self._folder.glob(f"*-{sha256}{_WHOLE}"), None)

    def _have(self, sha256: str) -> int:
        found = self._whole(sha256) or self._folder / (sha256 + _PART)
        try:
            return found.stat().st_size
        except FileNotFoundError:
            return 0

    def _append(self, sha256: str, start: int, data: bytes) -> None:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        path = self._folder / (sha256 + _PART)
        is_new = not path.exists()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o640)
        try:
            left, at = memoryview(data), start
            while left:
                written = os.pwrite(handle, left, at)
                left, at = left[written:], at + written
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            sync_folder(self._folder)

    def _finish(self, sha256: str, version: str) -> str:
        whole = self._whole(sha256)
        if whole is not None:
            return str(whole)
        part = self._folder / (sha256 + _PART)
        if _digest(part) != sha256:
            part.unlink(missing_ok=True)
            return ""
        whole = self._folder / f"{version}-{sha256}{_WHOLE}"
        part.replace(whole)
        sync_folder(self._folder)
        return str(whole)

    def _make_room(self, sha256: str, bytes_more: int) -> bool:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        others = [
            path
            for path in self._folder.iterdir()
            if path.suffix in (_PART, _WHOLE) and sha256 not in path.name
        ]
        others.sort(key=lambda path: path.stat().st_mtime)
        while others and (len(others) >= BUNDLES_MAX or self._free() < bytes_more):
            others.pop(0).unlink(missing_ok=True)
        return self._free() >= bytes_more

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free


class RequestFile:
    """The `UpdateDesk` of `update_ports`, over the file that the caretaker watches.

    It lies where a start of the machine empties it: who asks has to ask again then.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is there."""
        self._path = folder / REQUEST_FILE

    async def ask(self, request: UpdateRequest) -> None:
        """Ask for an update; the same again is no news, and wakes nobody."""
        document = {
            "format": FORMAT,
            "path": request.path,
            "version": request.version,
            "size": request.size,
            "sha256": request.sha256,
            "by": _BY,
        }
        if self._present() == document:
            return
        try:
            await asyncio.to_thread(write_passing, self._path, json.dumps(document).encode(), 0o644)
        except OSError as exc:
            raise StorageError(f"{self._path}: cannot be written: {exc.strerror}") from exc

    async def take_back(self) -> None:
        """Ask for nothing any more, as far as the server was who asked."""
        if self._present().get("by") != _BY:
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as exc:
            raise StorageError(f"{self._path}: cannot be removed: {exc.strerror}") from exc

    def _present(self) -> dict[str, object]:
        """Give what is asked for now; nothing where it cannot be read."""
        try:
            with self._path.open("rb") as file:
                said = json.loads(file.read(REQUEST_BYTES_MAX).decode("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
