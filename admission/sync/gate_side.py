"""The gate's half of the protocol: what to send next, what an answer means. No socket, no clock.

`Uploader` carries one journal to the server, in order, one batch at a time. `FeedReader` follows
the others' facts without a gap. The uplink does what they return.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from admission.errors import LocalProtocolError, RemoteProtocolError
from admission.journal import genesis
from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.sync.messages import Ack, Batch, Feed, FeedItem, Moment, Seal


class Row(NamedTuple):
    """A record as the journal stores it.

    Attributes:
        sequence: its place.
        chain: chain value after it.
        blob: its bytes.
    """

    sequence: int
    chain: bytes
    blob: bytes


Sealing = Callable[[int, bytes], Seal]  # seals the record of a sequence, by the chain after it


@dataclass(frozen=True, slots=True)
class AckUpTo:
    """The server has everything up to here, durably, and it is what we wrote.

    Of a line of history beside the server's main one this may be less than before: then the
    server has lost it, and all of it is sent again.

    Attributes:
        sequence: up to which.
        chain: chain value there.
        malformed: sequences it could store but not read.
    """

    sequence: int
    chain: bytes
    malformed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CompareChain:
    """The server stands elsewhere than we thought: compare its chain with our own there.

    The shell looks its own chain value up and calls `Uploader.compared`.

    Attributes:
        sequence: where the server stands.
        chain: what it has there.
    """

    sequence: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Fork:
    """What the server holds is not our history: this card or another is a copy.

    Attributes:
        sequence: where the server stands.
    """

    sequence: int


class Uploader:
    """Stop-and-wait upload of one journal.

    An acknowledgement counts only if its chain value equals our own at that place. A journal that
    was found to be a fork goes on all the same: the server keeps it beside its main line, as a
    side line, and says in `held` how far it has that.

    Attributes:
        journal: its id.
        acked: greatest sequence that the server has of our own line.
        forked_at: where the server's main line stood when it was found to be another; None while
            ours is the main one, as far as we know.
    """

    def __init__(
        self,
        journal: str,
        acked: int,
        acked_chain: bytes,
        *,
        forked_at: int | None = None,
        sealing: Sealing | None = None,
    ) -> None:
        """Start where the last acknowledgement left off.

        Args:
            journal: its id.
            acked: greatest sequence acknowledged, 0 for none.
            acked_chain: chain value there; the genesis for 0.
            forked_at: for a journal that is known not to be the server's main line.
            sealing: seals the last record of each batch; None leaves batches without a seal.
        """
        self.journal = journal
        self.acked = acked
        self.forked_at = forked_at
        self._acked_chain = acked_chain
        self._sealing = sealing
        self._in_flight: dict[int, bytes] = {}

    def next_batch(self, rows: Sequence[Row], sent: Moment) -> Batch | None:
        """Make the next batch, or None if there is nothing to send.

        Args:
            rows: records from `acked + 1` on, in order.
            sent: the moment of sending.

        Raises:
            LocalProtocolError: if a batch is under way, or `rows` has a gap.
        """
        if self._in_flight:
            raise LocalProtocolError("a batch is under way")
        chosen = rows[:JOURNAL_BATCH_RECORDS_MAX]
        if not chosen:
            return None
        expected = range(self.acked + 1, self.acked + 1 + len(chosen))
        if [row.sequence for row in chosen] != list(expected):
            raise LocalProtocolError(f"records after {self.acked} must follow without a gap")
        self._in_flight = {row.sequence: row.chain for row in chosen}
        last = chosen[-1]
        seal = None if self._sealing is None else self._sealing(last.sequence, last.chain)
        blobs = [row.blob for row in chosen]
        return Batch(self.journal, self.acked + 1, self._acked_chain, blobs, sent, seal)

    def question(self, sent: Moment) -> Batch | None:
        """Make a batch of no records, which asks whether the server has what it acknowledged.

        Returns:
            None if it has acknowledged nothing, so that there is nothing to ask.

        Raises:
            LocalProtocolError: if a batch is under way.
        """
        if self._in_flight:
            raise LocalProtocolError("a batch is under way")
        if self.acked == 0:
            return None
        self._in_flight = {self.acked: self._acked_chain}
        return Batch(self.journal, self.acked + 1, self._acked_chain, [], sent)

    def carried_off(self, last: Row) -> None:
        """Go on after the batch under way without an answer: somebody carries it.

        Args:
            last: its last record.
        """
        self._in_flight = {}
        self.acked, self._acked_chain = last.sequence, last.chain

    def lost(self) -> None:
        """Forget the batch under way: no answer came. It is sent again, unchanged in content."""
        self._in_flight = {}

    def receive(self, ack: Ack) -> AckUpTo | CompareChain:
        """Take the server's answer.

        Raises:
            RemoteProtocolError: if it speaks of another journal, or nothing of a batch that
                follows what the server has was taken; sending it again at once would not help.
        """
        if ack.journal != self.journal:
            raise RemoteProtocolError(f"answer for journal {ack.journal}, sent {self.journal}")
        flown, self._in_flight = self._in_flight, {}
        if self.forked_at is not None:
            return self._held(ack, flown)
        if flown.get(ack.head) == ack.chain:
            return self._up_to(ack.head, ack.chain, ack)
        if (ack.head, ack.chain) == (self.acked, self._acked_chain):
            raise RemoteProtocolError(f"the server took nothing of what follows {ack.head}")
        return CompareChain(ack.head, ack.chain)

    def compared(self, asked: CompareChain, own_chain: bytes | None) -> AckUpTo | Fork:
        """Decide after a comparison.

        Args:
            asked: what `receive` returned.
            own_chain: our chain value at that sequence; None if our journal does not reach it.
        """
        if own_chain == asked.chain:
            self.acked, self._acked_chain = asked.sequence, asked.chain
            return AckUpTo(asked.sequence, asked.chain)
        self.forked_at = asked.sequence
        return Fork(asked.sequence)

    def _held(self, ack: Ack, flown: dict[int, bytes]) -> AckUpTo:
        """Go by how far the server has our own line, whatever its main one is."""
        if flown.get(ack.held) == ack.held_chain:
            return self._up_to(ack.held, ack.held_chain, ack)
        if ack.held == 0 and self.acked > 0:  # it came from a backup of before our line left
            return self._up_to(0, genesis(self.journal), ack)
        raise RemoteProtocolError(f"the server holds nothing of what follows {self.acked} aside")

    def _up_to(self, sequence: int, chain: bytes, ack: Ack) -> AckUpTo:
        self.acked, self._acked_chain = sequence, chain
        return AckUpTo(sequence, chain, tuple(bad.sequence for bad in ack.malformed))


@dataclass(frozen=True, slots=True)
class ApplyFeed:
    """Take these in, then remember the cursor, both durably.

    Attributes:
        stream: which feed.
        items: new ones, in order.
        cursor: the greatest number now applied.
    """

    stream: str
    items: tuple[FeedItem, ...]
    cursor: int


@dataclass(frozen=True, slots=True)
class FetchFeed:
    """Ask for what follows a cursor: something is missing.

    Attributes:
        stream: which feed.
        after: the cursor.
    """

    stream: str
    after: int


@dataclass(frozen=True, slots=True)
class RestartFeed:
    """The server's numbers went back (it came from a backup): what follows is numbered anew.

    What was applied stays applied; a fact that comes again is the same fact.

    Attributes:
        stream: which feed; its cursor is 0 again.
        numbering: whose numbers they are.
    """

    stream: str
    numbering: str = ""


@dataclass(frozen=True, slots=True)
class ChangeNumbering:
    """Another server answers, or one under another numbering: its numbers have their own cursors.

    Attributes:
        numbering: whose numbers count from here on.
    """

    numbering: str


FeedCommand = ApplyFeed | FetchFeed | RestartFeed | ChangeNumbering


class FeedReader:
    """Follows the feeds of some performances; each number is applied exactly once, in order.

    A cursor belongs to a numbering. Servers number for themselves: what one calls its seventh
    item is another fact elsewhere, so each numbering that was met has cursors of its own.
    """

    def __init__(
        self,
        cursors: Mapping[str, int],
        numbering: str = "",
        elsewhere: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        """Start from the cursors that were stored; their streams are followed.

        Args:
            cursors: greatest number applied, by stream; 0 for none yet.
            numbering: whose numbers they are; that of the server that was heard last.
            elsewhere: cursors under other numberings.
        """
        self._known = {name: dict(some) for name, some in (elsewhere or {}).items()}
        self._known[numbering] = dict(cursors)
        self._numbering = numbering
        self._streams = list(cursors)

    @property
    def numbering(self) -> str:
        """Whose numbers the cursors are; "" for those of a server that does not say."""
        return self._numbering

    @property
    def cursors(self) -> dict[str, int]:
        """Where each stream stands that is followed."""
        known = self._known[self._numbering]
        return {stream: known.get(stream, 0) for stream in self._streams}

    def follow(self, streams: Sequence[str]) -> None:
        """Follow these streams, and no others; known ones keep their cursor."""
        self._streams = list(dict.fromkeys(streams))

    def receive(self, feed: Feed) -> list[FeedCommand]:
        """Take items in; give what to do, in order.

        Raises:
            RemoteProtocolError: if the items are not numbered without gaps.
        """
        if feed.stream not in self._streams:
            return []
        numbers = [item.number for item in feed.items]
        if numbers != list(range(feed.after + 1, feed.after + 1 + len(numbers))):
            raise RemoteProtocolError(f"feed {feed.stream}: items after {feed.after} have a gap")
        commands: list[FeedCommand] = []
        if feed.numbering != self._numbering:
            self._numbering = feed.numbering
            commands.append(ChangeNumbering(feed.numbering))
        cursors = self._known.setdefault(self._numbering, {})
        cursor = cursors.get(feed.stream, 0)
        if feed.head < feed.after and feed.head < cursor:  # our numbers are of another history
            cursors[feed.stream] = 0
            restart = RestartFeed(feed.stream, self._numbering)
            return [*commands, restart, FetchFeed(feed.stream, 0)]
        if feed.after > cursor:
            return [*commands, FetchFeed(feed.stream, cursor)]
        new = tuple(item for item in feed.items if item.number > cursor)
        if new:
            cursor = cursors[feed.stream] = new[-1].number
            commands.append(ApplyFeed(feed.stream, new, cursor))
        if feed.head > cursor:
            commands.append(FetchFeed(feed.stream, cursor))
        return commands
