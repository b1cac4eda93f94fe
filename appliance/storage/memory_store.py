"""Lists, assignment and feed on disk; the lists themselves are files (see `list_files`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from admission.sync.messages import FeedItem
from admission.trust.trusted_time import SignedTime, StoredTime
from appliance.errors import StorageError
from appliance.fault_codes import JOURNAL_FAULT
from appliance.ports import FeedCursors, StoredList
from appliance.storage.database import Database
from appliance.storage.key_shelf import SqliteKeyShelf
from appliance.storage.list_files import ListFolder

_INSERT_FEED: Final = "INSERT INTO feed (stream, numbering, number, item) VALUES "
_NAME_PLACE: Final = (
    "INSERT INTO feed_numberings (stream, numbering, name) VALUES (?, ?, ?) "
    "ON CONFLICT (stream, numbering) DO UPDATE SET name = excluded.name"
)
_SELECT_ITEMS: Final = (
    "SELECT item FROM feed LEFT JOIN feed_numberings USING (stream, numbering) WHERE stream = ? "
    "ORDER BY coalesce(name, '') = coalesce((SELECT name FROM numbering_heard), ''), "
    "numbering, number"
)
_SELECT_CURSORS: Final = (
    "SELECT feed.stream, feed.numbering, coalesce(name, ''), MAX(number) "
    "FROM feed LEFT JOIN feed_numberings USING (stream, numbering) "
    "GROUP BY feed.stream, feed.numbering ORDER BY feed.stream, feed.numbering"
)
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(FeedItem)


class SqliteMemory:
    """Implements `ports.Memory` over the database and a folder beside it."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Open the folder; downloads that were broken off are removed.

        Args:
            database: from `open_database`.
            folder: for the packed lists; made if missing.

        Raises:
            StorageError: if the folder cannot be used.
        """
        self._database = database
        self._files = ListFolder(folder)
        self._keys = SqliteKeyShelf(database)
        self._places: dict[tuple[str, str], int] = {}  # stream, numbering: its place on the disk
        self._newest: dict[str, int] = {}  # greatest such place by stream
        self._unnamed: set[tuple[str, int]] = set()

    @property
    def files(self) -> ListFolder:
        """The pieces of its lists."""
        return self._files

    @property
    def keys(self) -> SqliteKeyShelf:
        """The keys of its lists."""
        return self._keys

    async def lists(self) -> list[StoredList]:
        """Give what was installed."""
        rows = await self._run(
            "SELECT performance, version, chain, manifest, before FROM lists ORDER BY performance"
        )
        return [StoredList(*row) for row in rows]

    async def install(self, stored: StoredList, downloads: Mapping[str, Path]) -> None:
        """Make a list the installed one, atomically; see `ports.Memory.install`.

        The files come first, under names that nothing points to yet; the row that points to them
        is the one step that decides. A crash before it leaves the old list.
        """
        await self._files.keep(downloads)
        await self._run(
            "INSERT INTO lists (performance, version, chain, manifest, before) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (performance) DO UPDATE SET "
            "version = excluded.version, chain = excluded.chain, manifest = excluded.manifest, "
            "before = excluded.before "
            "WHERE excluded.version >= lists.version",
            (
                stored.performance,
                stored.version,
                stored.chain,
                stored.manifest,
                stored.before,
            ),
        )

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

    async def signed_time(self) -> StoredTime | None:
        """Give the last signed time, or None before the first."""
        rows = await self._run(
            "SELECT boot_id, boot_ms, floor_ms, greatest_ms, sequence, "
            "origin_ms, error_ms, heard_boot_ms FROM signed_time"
        )
        if not rows:
            return None
        boot_id, boot_ms, floor_ms, greatest_ms, sequence, *heard = rows[0]
        signed = None if heard[0] is None else SignedTime(*heard)
        return StoredTime(boot_id, boot_ms, floor_ms, greatest_ms, signed, sequence)

    async def remember_signed_time(self, stored: StoredTime) -> None:
        """Remember a signed time, in the place of the one before."""
        heard = stored.signed
        await self._run(
            "INSERT OR REPLACE INTO signed_time (one, boot_id, boot_ms, floor_ms, greatest_ms, "
            "sequence, origin_ms, error_ms, heard_boot_ms) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                stored.boot_id,
                stored.boot_ms,
                stored.floor_ms,
                stored.greatest_ms,
                stored.sequence,
                None if heard is None else heard.origin_ms,
                None if heard is None else heard.error_ms,
                None if heard is None else heard.boot_ms,
            ),
        )

    async def feed_items(self, stream: str) -> list[FeedItem]:
        """Give all items of a stream that were applied, those of other numberings first.

        What the server says that was heard last corrects what was said before.
        """
        rows = await self._run(_SELECT_ITEMS, (stream,))
        try:
            return [_decoder.decode(row[0]) for row in rows]
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise StorageError(f"feed {stream} is damaged: {exc}", JOURNAL_FAULT) from exc

    async def feed_cursors(self) -> FeedCursors:
        """Give the greatest number applied, by numbering and stream."""
        cursors = FeedCursors()
        for (cursors.last,) in await self._run("SELECT name FROM numbering_heard"):
            pass
        for stream, place, name, number in await self._run(_SELECT_CURSORS):
            self._place(stream, name, place)
            cursors.by_numbering.setdefault(name, {})[stream] = number  # the last place counts
        return cursors

    async def remember_numbering(self, numbering: str) -> None:
        """Remember whose numbers were heard last."""
        await self._run(
            "INSERT INTO numbering_heard (one, name) VALUES (1, ?) "
            "ON CONFLICT (one) DO UPDATE SET name = excluded.name",
            (numbering,),
        )

    def renumber_feed(self, stream: str, numbering: str = "") -> None:
        """Begin another place; see `ports.Memory.renumber_feed`."""
        place = self._newest.get(stream, -1) + 1
        self._place(stream, numbering, place)
        self._unnamed.add((stream, place))

    async def remember_feed(
        self, stream: str, items: Sequence[FeedItem], numbering: str = ""
    ) -> None:
        """Remember items, in one commit: one statement.

        What the place is called stands on the disk before anything is in it; a crash in between
        leaves an empty place.
        """
        if not items:
            return
        if (stream, numbering) not in self._places:
            self.renumber_feed(stream, numbering)
        place = self._places[stream, numbering]
        if (stream, place) in self._unnamed:
            await self._run(_NAME_PLACE, (stream, place, numbering))
            self._unnamed.discard((stream, place))
        await self._run(
            _INSERT_FEED + ", ".join(["(?, ?, ?, ?)"] * len(items)) + " ON CONFLICT DO NOTHING",
            [
                value
                for item in items
                for value in (stream, place, item.number, _encoder.encode(item))
            ],
        )

    def _place(self, stream: str, numbering: str, place: int) -> None:
        self._places[stream, numbering] = place
        self._newest[stream] = max(place, self._newest.get(stream, -1))

    async def _run(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return await self._database.run("lists and feed cannot be written or read", sql, values)
