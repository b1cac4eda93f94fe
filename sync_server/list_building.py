"""Builds the files of a list: a segment where little has changed, else the whole list packed anew.

Called by publishing, one list at a time. A segment follows the files that were published last; if
those are not there as they were, or do not add up with the database, the list is packed anew.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from admission.errors import ListError
from admission.limits import SEGMENT_ENTRIES_MAX, SEGMENTS_MAX
from admission.ticket import TicketState
from admission.ticketlist.columns import Buffer
from admission.ticketlist.overlay import NO_CHANGES, Entries, layered
from admission.ticketlist.packed import Entry, PackedList, pack
from admission.ticketlist.pieces import FileRef, SegmentRef, bases, check_piece
from admission.ticketlist.segment import Change, pack_segment, read_segment
from sync_server.entities import FileKind, ListFile
from sync_server.list_ports import TicketChanges
from sync_server.ports import SnapshotFiles, Transaction

log = logging.getLogger(__name__)

SEGMENT_SHARE: Final = 10  # segments over a tenth of a list: a new gate fetches so much twice


@dataclass(frozen=True, slots=True)
class Built:
    """The files of a list, kept on disk.

    Attributes:
        snapshot: the packed file.
        segments: what has changed since, in order.
        count: entries of the list.
        mark: changes noted up to here are in it.
        new: records of the files that were not published before.
        changed: tickets that a segment was written for; None where all were gone over.
    """

    snapshot: FileRef
    segments: tuple[SegmentRef, ...]
    count: int
    mark: int
    new: tuple[ListFile, ...]
    changed: Sequence[bytes] | None = None

    @property
    def size_bytes(self) -> int:
        """Give the bytes of all of them together."""
        return self.snapshot.size + sum(segment.size for segment in self.segments)


@dataclass(frozen=True, slots=True)
class _Published:
    """The list that was published last.

    Attributes:
        snapshot: its packed file.
        segments: what has changed since, in order.
        entries: its tickets.
        count: how many entries they have.
    """

    snapshot: FileRef
    segments: tuple[SegmentRef, ...]
    entries: Entries
    count: int

    @property
    def room(self) -> int:
        """Give how many changes a further segment may have."""
        if len(self.segments) >= SEGMENTS_MAX:
            return 0
        most = min(SEGMENT_ENTRIES_MAX, self.snapshot.count // SEGMENT_SHARE)
        return most - sum(segment.count for segment in self.segments)


class ListBuilding:
    """The builder.

    Args:
        files: where the files are kept.
    """

    def __init__(self, files: SnapshotFiles) -> None:
        self._files = files

    async def build(
        self,
        transaction: Transaction,
        performance_id: str,
        version: int,
        places: Mapping[int, int],
        stops: Sequence[Entry] = (),
        *,
        anew: bool = False,
    ) -> Built:
        """Build the files of a list as the database has it now.

        Args:
            transaction: one view of the database.
            performance_id: whose list.
            version: that it will have.
            places: place in the manifest's table of each class, by key; a class keeps its place.
            stops: entries of numbers that are no tickets; changes of theirs are noted too.
            anew: whether to pack the whole list in any case.
        """
        published = None if anew else await self._published(transaction, performance_id)
        room = 0 if published is None else published.room
        changes = await transaction.pieces.changes(performance_id, max(0, room))
        if published is not None and changes.is_complete:
            built = await self._following(
                transaction, performance_id, version, places, stops, published, changes
            )
            if built.count == await transaction.pieces.listed(performance_id) + len(stops):
                return built
            log.error("list packed anew", extra={"performance": performance_id})
        mark = changes.mark
        return await self._whole(transaction, performance_id, version, places, stops, mark)

    async def _published(self, transaction: Transaction, performance_id: str) -> _Published | None:
        """Open what was published last; None where it is not there as it was."""
        files = await transaction.pieces.newest_files(performance_id)
        opened = [await self._files.open(file.sha256.hex()) for file in files]
        raw = [one for one in opened if one is not None]
        newest = await transaction.performances.newest_list(performance_id)
        if newest is None or not files or len(raw) < len(files):
            return None
        try:
            return await asyncio.to_thread(
                _open, performance_id, files, raw, newest.count + newest.stops
            )
        except ListError as exc:
            fields = {"performance": performance_id, "reason": str(exc)}
            log.error("published list is damaged: packed anew", extra=fields)  # noqa: TRY400
            return None

    async def _following(
        self,
        transaction: Transaction,
        performance_id: str,
        version: int,
        places: Mapping[int, int],
        stops: Sequence[Entry],
        published: _Published,
        noted: TicketChanges,
    ) -> Built:
        """Write a segment of what is not as it was published; none where everything is."""
        listed = await transaction.tickets.listed_among(performance_id, noted.identifiers)
        now = {identifier: (places[key], state) for identifier, key, state in listed}
        now |= {stop.identifier: (stop.class_index, stop.state) for stop in stops}
        changes, grown = _differences(published.entries, noted.identifiers, now)
        count = published.count + grown
        if not changes:
            return Built(published.snapshot, published.segments, count, noted.mark, (), ())
        *_, base = bases(published.snapshot, published.segments)
        raw = pack_segment(performance_id, base, changes)
        digest = hashlib.sha256(raw).digest()
        await self._files.keep(digest.hex(), raw)
        new = SegmentRef(version=version, size=len(raw), sha256=digest.hex(), count=len(changes))
        record = ListFile(performance_id, version, FileKind.SEGMENT, digest, len(raw), len(changes))
        segments = (*published.segments, new)
        changed = [change.identifier for change in changes]
        return Built(published.snapshot, segments, count, noted.mark, (record,), changed)

    async def _whole(
        self,
        transaction: Transaction,
        performance_id: str,
        version: int,
        places: Mapping[int, int],
        stops: Sequence[Entry],
        mark: int,
    ) -> Built:
        entries: list[Entry] = []
        async for batch in transaction.tickets.listed(performance_id):
            entries += await asyncio.to_thread(_placed, batch, places)
        entries += stops
        raw, digest = await asyncio.to_thread(_packed, performance_id, entries)
        await self._files.keep(digest.hex(), raw)
        count = len(entries)
        snapshot = FileRef(version=version, size=len(raw), sha256=digest.hex(), count=count)
        record = ListFile(performance_id, version, FileKind.SNAPSHOT, digest, len(raw), count)
        return Built(snapshot, (), count, mark, (record,))


def _differences(
    entries: Entries, identifiers: Sequence[bytes], now: Mapping[bytes, tuple[int, TicketState]]
) -> tuple[list[Change], int]:
    """Give what is not as it is published, and by how many tickets the list has grown."""
    changes: list[Change] = []
    grown = 0
    for identifier in identifiers:
        was, listed = entries.find(identifier), now.get(identifier)
        if listed is None:
            if was is not None:
                changes.append(Change(identifier, 0, None))
                grown -= 1
        elif was is None or (was.class_index, was.state) != listed:
            changes.append(Change(identifier, *listed))
            grown += was is None
    return changes, grown


def _open(
    performance_id: str, files: Sequence[ListFile], raw: Sequence[Buffer], count: int
) -> _Published:
    """Runs in a thread: a list of a million takes a moment."""
    head, *rest = files
    snapshot = FileRef(
        version=head.version, size=head.size_bytes, sha256=head.sha256.hex(), count=head.count
    )
    refs = tuple(
        SegmentRef(
            version=file.version,
            size=file.size_bytes,
            sha256=file.sha256.hex(),
            count=file.count,
        )
        for file in rest
    )
    check_piece("published snapshot", snapshot, raw[0])
    for ref, one in zip(refs, raw[1:], strict=True):
        check_piece("published segment", ref, one)
    segments = [
        read_segment(one[: ref.size], performance_id, base)
        for ref, one, base in zip(refs, raw[1:], bases(snapshot, refs), strict=False)
    ]
    overlay = NO_CHANGES.under(segments) if segments else NO_CHANGES
    packed = PackedList(raw[0], performance_id)
    return _Published(snapshot, refs, layered(packed, overlay), count)


def _placed(batch: Sequence[Entry], places: Mapping[int, int]) -> list[Entry]:
    return [Entry(identifier, places[key], state) for identifier, key, state in batch]


def _packed(performance_id: str, entries: list[Entry]) -> tuple[bytes, bytes]:
    raw = pack(performance_id, entries)
    return raw, hashlib.sha256(raw).digest()
