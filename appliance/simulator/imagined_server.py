"""A sync server without a socket or a disk. Bound by tests; gates reach it by `imagined_link`.

It stands on the same machines as the real one (`admission.sync.server_side`): what it takes in, it
numbers in the feed and tells every gate that is connected.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from admission import journal
from admission.journal import Record
from admission.sync.feed_items import item_of
from admission.sync.gate_side import Row
from admission.sync.messages import (
    Ack,
    Batch,
    Carried,
    Claim,
    Feed,
    FeedItem,
    Heads,
    Hint,
    Lists,
    Seal,
    Status,
)
from admission.sync.sealed_head import check_batch, check_carried
from admission.sync.server_side import Command, Head, LiveSide, Send, take_in
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
        forked: rows of its side lines, by what came.
        seals: by sequence and chain value.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    forked: list[Row] = field(default_factory=list)
    seals: dict[tuple[int, bytes], Seal] = field(default_factory=dict)

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
        device_keys: public key by gate, of those whose seals are looked at.
        feeds: items by stream.
        lists: the newest by performance.
        assignments: envelope by gate.
        statuses: the last of each gate.
        connections: those that stand.
        hints: those that gates sent, in order.
        claims: the same of claims.
        claim_answer: what every claim is answered; None says nothing.
        numbering: names the feeds' numbers; those of another server mean other facts.
    """

    def __init__(self, clock: Clock, office: BoxOffice | None = None) -> None:
        self.office = office or BoxOffice()
        self.status_fields: dict[str, Any] = {}
        self.journals: dict[str, StoredJournal] = {}
        self.device_keys: dict[str, bytes] = {}
        self.feeds: dict[str, list[FeedItem]] = {}
        self.lists: dict[str, SignedList] = {}
        self.assignments: dict[str, tuple[int, bytes]] = {}
        self.statuses: dict[str, Status] = {}
        self.connections: list[Standing] = []
        self.hints: list[Hint] = []
        self.claims: list[Claim] = []
        self.claim_answer: str | None = "granted"
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
        """Take a batch in, as the real server does.

        Raises:
            RemoteProtocolError: if its seal is not by its gate.
        """
        if batch.seal is not None and batch.seal.gate in self.device_keys:
            key = self.device_keys[batch.seal.gate]
            check_batch(batch, gate=batch.seal.gate, keys=[key])
        stored = self.journals.setdefault(batch.journal, StoredJournal())
        chains = {sequence: row.chain for sequence, row in stored.rows.items()}
        head = max(chains, default=0)
        known = Head(head, chains.get(head, journal.genesis(batch.journal)))
        aside: dict[int, set[bytes]] = {}
        for row in stored.forked:
            aside.setdefault(row.sequence, set()).add(row.chain)
        intake = take_in(batch, known, chains, aside)
        stored.forked += intake.forked
        if batch.seal is not None and intake.held.sequence:
            stored.seals[batch.seal.sequence, batch.seal.chain] = batch.seal
        grown = set()
        for new in intake.records:
            stored.rows[new.row.sequence] = new.row
            if new.record is not None:
                grown |= self._feed(batch.journal, new.record)
        for row in intake.forked:
            grown |= self._feed(batch.journal, journal.decode(row.blob))
        self.wake(sorted(grown))
        return intake.answer(batch.journal, journal.wall_ms(self.clock.now()))

    def carry(self, carried: Carried) -> Ack:
        """Take in what somebody else brings of a gate's journal.

        Raises:
            RemoteProtocolError: if the gate has not sealed all of it.
        """
        keys = [key for gate, key in self.device_keys.items() if gate == carried.gate]
        check_carried(carried.batch, gate=carried.gate, keys=keys)
        return self.take(carried.batch)

    def heads(self, journals: Sequence[str]) -> Heads:
        """Tell how far some journals are held."""
        held = {name: self.journals[name].rows for name in journals if name in self.journals}
        return Heads(
            {name: (max(rows), rows[max(rows)].chain) for name, rows in held.items() if rows}
        )

    def hint(self, hint: Hint) -> None:
        """Hand a hint on to every other gate."""
        self.hints.append(hint)
        for connection in self.connections:
            if connection.gate != hint.gate and connection.side.may_hear(hint.performance):
                connection.carry_out([Send(hint)])

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
