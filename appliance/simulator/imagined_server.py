"""A sync server without a socket or a disk. Bound by tests; gates reach it by `imagined_link`.

It stands on the same machines as the real one (`admission.sync.server_side`): what it takes in, it
numbers in the feed and tells every gate that is connected.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from admission import journal
from admission.journal import Record
from admission.sync.feed_items import item_of
from admission.sync.gate_side import Row
from admission.sync.messages import Ack, Batch, Feed, FeedItem, Lists, Status
from admission.sync.server_side import Command, Head, LiveSide, take_in
from appliance.ports import Clock
from appliance.simulator.box_office import BoxOffice, SignedList

PAGE_ITEMS_MAX: Final = 3  # small, so that few facts fill several pages


class Standing(Protocol):
    """A live connection, as the server has it."""

    gate: str
    side: LiveSide

    def carry_out(self, commands: list[Command]) -> None:
        """Do what the server's machine says."""
        ...


@dataclass(slots=True)
class StoredJournal:
    """One gate's journal, as the server has it.

    Attributes:
        rows: by sequence.
        forked: rows that contradict them.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    forked: list[Row] = field(default_factory=list)

    def records(self) -> list[Record]:
        """Read every record, in order."""
        return [journal.decode(row.blob) for row in self.rows.values()]


class ImaginedServer:
    """What gates talk to.

    Args:
        clock: the server's.
        office: signs for it; None is an ordinary one.

    Attributes:
        office: the same.
        status_fields: what its status documents say otherwise than they should.
        journals: by id.
        feeds: items by stream.
        lists: the newest by performance.
        assignments: envelope by gate.
        statuses: the last of each gate.
        connections: those that stand.
        numbering: names the feeds' numbers; those of another server mean other facts.
    """

    def __init__(self, clock: Clock, office: BoxOffice | None = None) -> None:
        self.office = office or BoxOffice()
        self.status_fields: dict[str, Any] = {}
        self.journals: dict[str, StoredJournal] = {}
        self.feeds: dict[str, list[FeedItem]] = {}
        self.lists: dict[str, SignedList] = {}
        self.assignments: dict[str, tuple[int, bytes]] = {}
        self.statuses: dict[str, Status] = {}
        self.connections: list[Standing] = []
        self.numbering = "imagined"
        self.clock = clock

    def publish(self, signed: SignedList) -> None:
        """Hand a list out from now on, and tell everybody."""
        self.lists[signed.manifest.performance] = signed
        self._announce()

    def assign(self, gate: str, version: int, envelope: bytes) -> None:
        """Give a gate its duty, and tell it."""
        self.assignments[gate] = (version, envelope)
        self._announce()

    def status(self, nonce: str) -> bytes:
        """Sign what is the newest now."""
        fields = {"time": self.clock.now()} | self.status_fields
        lists = fields.pop("lists", self.lists)
        return self.office.status(fields.pop("nonce", nonce), lists, **fields)

    def take(self, batch: Batch) -> Ack:
        """Take a batch in, as the real server does."""
        stored = self.journals.setdefault(batch.journal, StoredJournal())
        chains = {sequence: row.chain for sequence, row in stored.rows.items()}
        head = max(chains, default=0)
        known = Head(head, chains.get(head, journal.genesis(batch.journal)))
        intake = take_in(batch, known, chains)
        stored.forked += intake.forked
        grown = set()
        for new in intake.records:
            stored.rows[new.row.sequence] = new.row
            if new.record is not None:
                grown |= self._feed(batch.journal, new.record)
        self.wake(sorted(grown))
        return intake.answer(batch.journal, journal.wall_ms(self.clock.now()))

    def page(self, stream: str, after: int) -> Feed:
        """Read a stream after a cursor."""
        items = self.feeds.get(stream, [])
        page = items[after : after + PAGE_ITEMS_MAX]
        return Feed(stream, after, page, len(items), self.numbering)

    def wake(self, streams: list[str]) -> None:
        """Tell every connection that these streams have grown."""
        for connection in self.connections:
            connection.carry_out(connection.side.wake(streams))

    def offered(self, gate: str) -> Lists:
        """Give what there is for a gate."""
        versions = {name: signed.manifest.version for name, signed in self.lists.items()}
        assignment = self.assignments.get(gate, (0, b""))[0]
        return Lists(versions, assignment, len(self.office.roots))

    def _feed(self, journal_id: str, record: Record) -> set[str]:
        fact = journal.fact_of(journal_id, record)
        if fact is None or not record.performance:
            return set()
        items = self.feeds.setdefault(record.performance, [])
        items.append(item_of(len(items) + 1, journal_id, record, fact.at))
        return {record.performance}

    def _announce(self) -> None:
        for connection in self.connections:
            connection.carry_out(connection.side.announce(self.offered(connection.gate)))
