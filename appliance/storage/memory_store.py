"""Lists, assignment and feed on disk. The lists themselves are files that are mapped, not read."""

import asyncio
import mmap
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiosqlite
import msgspec

from admission.errors import DigestError
from admission.sync.messages import FeedItem
from admission.ticketlist.acceptance import check_snapshot
from admission.ticketlist.manifest import Manifest
from admission.ticketlist.packed import Buffer, PackedList
from appliance.errors import StorageError
from appliance.ports import StoredList
from appliance.storage.faults import storage_error

_DOWNLOAD_SUFFIX: Final = ".part"
_INSERT_FEED: Final = "INSERT INTO feed (stream, numbering, number, item) VALUES "
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(FeedItem)


class SqliteMemory:
    """Implements `ports.Memory` over the database and a folder beside it."""

    def __init__(self, connection: aiosqlite.Connection, folder: Path) -> None:
        """Open the folder; downloads that were broken off are removed.

        Args:
            connection: from `open_database`.
            folder: for the packed lists; made if missing.

        Raises:
            StorageError: if the folder cannot be used.
        """
        self._connection = connection
        self._folder = folder
        self._numberings: dict[str, int] = {}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for leftover in folder.glob(f"*{_DOWNLOAD_SUFFIX}"):
                leftover.unlink()
        except OSError as exc:
            raise StorageError(f"{folder}: cannot be used: {exc.strerror}") from exc

    async def lists(self) -> list[StoredList]:
        """Give what was installed."""
        rows = await self._run(
            "SELECT performance, version, chain, manifest, list_key FROM lists ORDER BY performance"
        )
        return [StoredList(*row) for row in rows]

    async def open_snapshot(self, manifest: Manifest) -> Buffer:
        """Map an installed snapshot, checked; see `ports.Memory.open_snapshot`."""
        return await asyncio.to_thread(_map_checked, self._path(manifest), manifest)

    def new_download(self) -> Path:
        """Name a temporary file in the lists' own folder, so that it can be renamed into place."""
        try:
            handle, name = tempfile.mkstemp(suffix=_DOWNLOAD_SUFFIX, dir=self._folder)
        except OSError as exc:
            raise StorageError(f"{self._folder}: cannot be written: {exc.strerror}") from exc
        os.close(handle)
        return Path(name)

    async def open_download(self, manifest: Manifest, download: Path) -> Buffer:
        """Map a download, checked; see `ports.Memory.open_download`."""
        return await asyncio.to_thread(_map_checked, download, manifest)

    async def install(self, stored: StoredList, manifest: Manifest, download: Path | None) -> None:
        """Make a list the installed one, atomically; see `ports.Memory.install`.

        The file comes first, under a name that nothing points to yet; the row that points to it
        is the one step that decides. A crash before it leaves the old list.
        """
        if download is not None:
            await asyncio.to_thread(_move_durably, download, self._path(manifest))
        await self._run(
            "INSERT INTO lists (performance, version, chain, manifest, list_key) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (performance) DO UPDATE SET "
            "version = excluded.version, chain = excluded.chain, manifest = excluded.manifest, "
            "list_key = excluded.list_key WHERE excluded.version >= lists.version",
            (stored.performance, stored.version, stored.chain, stored.manifest, stored.list_key),
        )

    async def sweep(self, manifests: Sequence[Manifest]) -> None:
        """Remove list files that none of these names; see `ports.Memory.sweep`."""
        wanted = {self._path(manifest).name for manifest in manifests}
        await asyncio.to_thread(_remove_others, self._folder, wanted)

    async def assignment(self) -> bytes | None:
        """Give the assignment's envelope, or None before the first."""
        rows = await self._run("SELECT envelope FROM assignment")
        return rows[0][0] if rows else None

    async def remember_assignment(self, version: int, envelope: bytes) -> None:
        """Remember an assignment that was checked, in the place of the one before."""
        await self._run(
            "INSERT INTO assignment (one, version, envelope) VALUES (1, ?, ?) "
            "ON CONFLICT (one) DO UPDATE SET version = excluded.version, "
            "envelope = excluded.envelope",
            (version, envelope),
        )

    async def feed_items(self, stream: str) -> list[FeedItem]:
        """Give all items of a stream that were applied, those of old numberings included."""
        rows = await self._run(
            "SELECT item FROM feed WHERE stream = ? ORDER BY numbering, number", (stream,)
        )
        try:
            return [_decoder.decode(row[0]) for row in rows]
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise StorageError(f"feed {stream} is damaged: {exc}") from exc

    async def feed_cursors(self) -> dict[str, int]:
        """Give the greatest number applied, by stream."""
        rows = await self._run(
            "SELECT stream, numbering, MAX(number) FROM feed GROUP BY stream, numbering "
            "ORDER BY stream, numbering"
        )
        self._numberings = {stream: numbering for stream, numbering, _ in rows}  # the last counts
        return {stream: number for stream, _, number in rows}

    def renumber_feed(self, stream: str) -> None:
        """Begin another numbering; see `ports.Memory.renumber_feed`."""
        self._numberings[stream] = self._numberings.get(stream, 0) + 1

    async def remember_feed(self, stream: str, items: Sequence[FeedItem]) -> None:
        """Remember items, in one commit: one statement."""
        if not items:
            return
        numbering = self._numberings.get(stream, 0)
        await self._run(
            _INSERT_FEED + ", ".join(["(?, ?, ?, ?)"] * len(items)) + " ON CONFLICT DO NOTHING",
            [
                value
                for item in items
                for value in (stream, numbering, item.number, _encoder.encode(item))
            ],
        )

    def _path(self, manifest: Manifest) -> Path:
        return self._folder / f"{manifest.snapshot.sha256}.tgl"

    async def _run(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            rows = await self._connection.execute_fetchall(sql, values)
        except sqlite3.Error as exc:
            raise storage_error("lists and feed cannot be written or read", exc) from exc
        return [tuple(row) for row in rows]


def _map_checked(path: Path, manifest: Manifest) -> Buffer:
    """Runs in a thread: hashing and going over a large list takes a while."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise DigestError("snapshot is empty")  # an empty file cannot be mapped
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as exc:
        raise StorageError(f"snapshot {path.name[:12]}… cannot be opened: {exc.strerror}") from exc
    check_snapshot(manifest, mapped)
    entries = PackedList(mapped, manifest.performance)
    entries.check_columns(len(manifest.classes))  # a bad ticket must not come up at the door
    return mapped


def _move_durably(source: Path, target: Path) -> None:
    try:
        with source.open("rb") as file:
            os.fsync(file.fileno())
        source.replace(target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as exc:
        raise StorageError(f"list cannot be stored: {exc.strerror}") from exc


def _remove_others(folder: Path, wanted: set[str]) -> None:
    try:
        for file in folder.glob("*.tgl"):
            if file.name not in wanted:
                file.unlink(missing_ok=True)
    except OSError as exc:
        raise StorageError(f"{folder}: cannot be swept: {exc.strerror}") from exc
