"""The server's half of the protocol: which records of a batch are new, what to push. No socket.

`take_in` judges a batch against what is stored; `LiveSide` keeps one gate's live connection fed.
The stores and the web room do what they return.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from admission import journal
from admission.errors import JournalError, RemoteProtocolError
from admission.journal import Record
from admission.sync.gate_side import Row
from admission.sync.messages import (
    Ack,
    Batch,
    Beat,
    Claim,
    Feed,
    Hint,
    Lists,
    Live,
    Malformed,
    Status,
    Subscribe,
)


@dataclass(frozen=True, slots=True)
class Head:
    """How far the server has a journal.

    Attributes:
        sequence: up to which it has everything; 0 for none.
        chain: chain value there; the genesis for 0.
    """

    sequence: int
    chain: bytes


NOT_HELD: Final = Head(0, b"")


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to store and fold.

    Attributes:
        row: what is stored, as it came.
        record: what it says; None if it cannot be read, then it is stored all the same.
    """

    row: Row
    record: Record | None


@dataclass(frozen=True, slots=True)
class Intake:
    """What a batch comes to. Store, commit, then answer.

    Attributes:
        head: where the journal's main line stands once `records` are stored.
        records: new ones of the main line, in order.
        malformed: of all that are new, those that could not be read.
        forked: new rows of a side line, in order; kept aside, never overwriting.
        forked_after: the place that `forked` follows, on the main line or on a side line.
        conflict: the batch is no part of the main line.
        held: how far the batch's own line is held once all this is stored; 0 for not at all.
    """

    head: Head
    records: tuple[NewRecord, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    forked: tuple[Row, ...] = ()
    forked_after: Head | None = None
    conflict: bool = False
    held: Head = NOT_HELD

    def answer(self, journal_id: str, server_ms: int) -> Ack:
        """Give the acknowledgement, to be sent after the commit."""
        return Ack(
            journal_id,
            self.head.sequence,
            self.head.chain,
            server_ms,
            self.conflict,
            list(self.malformed),
            self.held.sequence,
            self.held.chain,
        )


def take_in(
    batch: Batch,
    head: Head,
    stored_chains: Mapping[int, bytes],
    side_chains: Mapping[int, Collection[bytes]] | None = None,
) -> Intake:
    """Judge a batch against what is stored of its journal: a tree of lines.

    A chain value stands for the whole history before it. So a batch belongs where its previous
    chain value is known: on the main line, which only ever grows at its head, or on a side line.
    What follows the main head grows the main line, all else is a side line. A batch whose
    previous chain value is known nowhere is not taken: the gate starts again from our head, or
    from its first record.

    Args:
        batch: as received.
        head: how far the main line is stored.
        stored_chains: the main line's chain values that are stored for the batch's sequences and
            for `first - 1`, as far as they are stored (0 is the genesis and need not be there).
        side_chains: the same of all side lines.
    """
    main = {0: journal.genesis(batch.journal), **stored_chains}
    aside = side_chains or {}
    place = Head(batch.first - 1, batch.previous_chain)
    is_main = main.get(place.sequence) == place.chain
    if not is_main and place.chain not in aside.get(place.sequence, ()):
        return Intake(head, conflict=True)
    new: list[Row] = []
    forked: list[Row] = []
    forked_after = None
    for row in _rows(batch):
        is_main = is_main and (place == head or main.get(row.sequence) == row.chain)
        if is_main and place == head:
            new.append(row)
            head = Head(row.sequence, row.chain)
        elif not is_main and row.chain not in aside.get(row.sequence, ()):
            forked_after = forked_after or place
            forked.append(row)
        place = Head(row.sequence, row.chain)
    read = [_read(row, batch.journal) for row in new]
    bad = [one for _, one in read] + [_read(row, batch.journal)[1] for row in forked]
    return Intake(
        head,
        records=tuple(record for record, _ in read),
        malformed=tuple(one for one in bad if one is not None),
        forked=tuple(forked),
        forked_after=forked_after,
        conflict=not is_main,
        held=place if place.sequence else NOT_HELD,
    )


def _rows(batch: Batch) -> list[Row]:
    rows = []
    value = batch.previous_chain
    for sequence, blob in enumerate(batch.blobs, start=batch.first):
        value = journal.chain(value, blob)
        rows.append(Row(sequence, value, blob))
    return rows


def _read(row: Row, batch_journal: str) -> tuple[NewRecord, Malformed | None]:
    try:
        record = journal.decode(row.blob)
        journal.fact_of(batch_journal, record)  # raises if the record contradicts itself
    except JournalError as exc:
        return NewRecord(row, None), Malformed(row.sequence, str(exc)[:200])
    if record.sequence != row.sequence:
        says = f"record says sequence {record.sequence}"
        return NewRecord(row, None), Malformed(row.sequence, says)
    return NewRecord(row, record), None


@dataclass(frozen=True, slots=True)
class ReadFeed:
    """Read what follows a cursor and hand it to `LiveSide.page`.

    Attributes:
        stream: which feed.
        after: the cursor.
    """

    stream: str
    after: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message on the live connection."""

    message: Live


@dataclass(frozen=True, slots=True)
class NoteStatus:
    """Remember how the gate is."""

    status: Status


@dataclass(frozen=True, slots=True)
class ForwardHint:
    """Hand a hint on to whoever else may follow its performance, if its gate may say it."""

    hint: Hint


@dataclass(frozen=True, slots=True)
class AnswerClaim:
    """Say whether a ticket is free, soon or not at all."""

    claim: Claim


Command = ReadFeed | Send | NoteStatus | ForwardHint | AnswerClaim


@dataclass(slots=True)
class LiveSide:
    """One gate's live connection.

    Per stream at most one read is under way; a wake-up meanwhile is remembered, so that any
    number of wake-ups costs at most one further read.

    Attributes:
        allowed: streams that this gate may follow.
        numbering: whose feed numbers are served; a gate that knows others begins at 0.
    """

    allowed: frozenset[str]
    numbering: str = ""
    _cursors: dict[str, int] = field(default_factory=dict)
    _reading: set[str] = field(default_factory=set)
    _woken: set[str] = field(default_factory=set)
    _subscribed: bool = False

    @property
    def is_subscribed(self) -> bool:
        """Whether the gate has said where its cursors stand."""
        return self._subscribed

    def receive(self, message: Live) -> list[Command]:
        """Take a message of the gate.

        Raises:
            RemoteProtocolError: if it may not come now, or only a server sends it.
        """
        match message:
            case Subscribe():
                self._subscribed = True
                is_ours = message.numbering == self.numbering
                self._cursors = {
                    stream: cursor if is_ours else 0
                    for stream, cursor in message.cursors.items()
                    if stream in self.allowed
                }
                self._reading.clear()
                self._woken.clear()
                return self._read(sorted(self._cursors))
            case Status():
                return [NoteStatus(message)]
            case Hint():
                return [ForwardHint(message)] if self.may_hear(message.performance) else []
            case Claim():
                return [AnswerClaim(message)] if self.may_hear(message.performance) else []
            case Beat():
                return []
            case _:
                raise RemoteProtocolError(f"a gate does not send {type(message).__name__}")

    def may_hear(self, performance: str) -> bool:
        """Tell whether hints of a performance are this gate's to say and to hear."""
        return self._subscribed and performance in self.allowed

    def wake(self, streams: Sequence[str]) -> list[Command]:
        """Note that these streams have grown."""
        return self._read([stream for stream in streams if stream in self._cursors])

    def announce(self, lists: Lists) -> list[Command]:
        """Tell the gate of new lists."""
        return [Send(lists)] if self._subscribed else []

    def page(self, feed: Feed) -> list[Command]:
        """Take what a `ReadFeed` found.

        A page of before the gate subscribed anew is dropped, but not the news in it. A gate that
        stands higher than the stream (the server came from a backup) is told so.
        """
        self._reading.discard(feed.stream)
        self.numbering = feed.numbering
        cursor = self._cursors.get(feed.stream)
        if cursor != feed.after:
            is_news = cursor is not None and feed.head > cursor
            return self._read([feed.stream]) if is_news else []
        commands: list[Command] = []
        if feed.items or feed.head < feed.after:
            self._cursors[feed.stream] = feed.items[-1].number if feed.items else feed.head
            commands.append(Send(feed))
        again = feed.stream in self._woken or feed.head > self._cursors[feed.stream]
        self._woken.discard(feed.stream)
        return commands + (self._read([feed.stream]) if again else [])

    def _read(self, streams: Sequence[str]) -> list[Command]:
        commands: list[Command] = []
        for stream in streams:
            if stream in self._reading:
                self._woken.add(stream)
            else:
                self._reading.add(stream)
                commands.append(ReadFeed(stream, self._cursors[stream]))
        return commands
