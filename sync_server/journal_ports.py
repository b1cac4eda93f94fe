"""What reconciling needs of the evidence: journals, facts, and what facts come to.

Implemented by storage. Evidence is added and never changed; folds and anomalies are derived from
it and may be made anew at any time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from admission.journal import Record
from admission.passage import Fact, TicketFact, TicketKey
from admission.reconcile import TicketFold
from admission.sync.gate_side import Row
from admission.sync.messages import Feed, Moment, Seal
from admission.sync.server_side import Head
from sync_server.gate_clock import Bounded, GateClock, Measured


@dataclass(frozen=True, slots=True)
class KnownJournal:
    """A journal as far as the server has it.

    Attributes:
        id: of the journal.
        gate_id: whose it is; None is the server's own.
        head: how far.
        forked: whether another content was ever offered for a record.
    """

    id: str
    gate_id: str | None
    head: Head
    forked: bool = False


@dataclass(frozen=True, slots=True)
class SideLine:
    """A history of a journal beside its main one: a gate's card was cloned, or put back.

    Attributes:
        id: within the database.
        journal_id: of the journal.
        gate_id: whose it is.
        after: the last place that it shares with another line.
        head: how far it goes.
        main: how far the main line goes.
        found_ms: when it was found.
        settled_ms: when an operator has looked into it, or None.
    """

    id: int
    journal_id: str
    gate_id: str
    after: Head
    head: Head
    main: Head
    found_ms: int
    settled_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StatedFact:
    """A fact on its way into the store.

    Attributes:
        fact: as the rules see it, its instant corrected.
        record: as the gate wrote it.
        variant: 0, or the number of a fork's other content.
        gate_id: whose journal states it; None is the server's own.
        stream: the feed it goes out on.
        clock_wrong: whether the gate's clock was found wrong, and the instant set right.
    """

    fact: Fact
    record: Record
    variant: int
    gate_id: str | None
    stream: str
    clock_wrong: bool = False


@dataclass(frozen=True, slots=True)
class KeptFact:
    """A fact in the store, and what its record says of its moment.

    Attributes:
        journal: id of the journal that holds it.
        sequence: its place there.
        variant: 0, or the number of a fork's other content.
        key: the ticket and the checkpoint that it counts for.
        stream: the feed it went out on.
        at_us: its instant, microseconds since 1970.
        wall_ms: as in the record.
        boot_ms: likewise.
        boot_id: likewise.
        trusted_ms: likewise.
    """

    journal: str
    sequence: int
    variant: int
    key: TicketKey
    stream: str
    at_us: int
    wall_ms: int
    boot_ms: int
    boot_id: bytes
    trusted_ms: int


@dataclass(frozen=True, slots=True)
class Move:
    """A fact whose instant is known otherwise now.

    Attributes:
        fact: as it is kept.
        at_us: the right instant, microseconds since 1970.
        clock_wrong: whether the gate's clock was found wrong.
    """

    fact: KeptFact
    at_us: int
    clock_wrong: bool


@dataclass(frozen=True, slots=True)
class KeyFold:
    """What facts of one key come to.

    Attributes:
        key: the ticket and the checkpoint.
        fold: the result.
        is_listed: whether the performance's list holds the ticket.
        variants: variant of each passage, by the passage.
    """

    key: TicketKey
    fold: TicketFold
    is_listed: bool
    variants: Mapping[TicketFact, int]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that a revoked gate handed in.

    Attributes:
        journal: which.
        sequence: its place there.
        previous_chain: chain value before it.
        chain: chain value with it.
        blob: as it came.
        forked: whether it contradicts what is stored of the journal.
        sent: the moment that its batch named.
        received_ms: when it came.
    """

    journal: str
    sequence: int
    previous_chain: bytes
    chain: bytes
    blob: bytes
    forked: bool
    sent: Moment
    received_ms: int


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """What is held of a gate.

    Attributes:
        gate_id: of the gate.
        records: how many.
        first_ms: when the first came.
        last_ms: when the last came.
    """

    gate_id: str
    records: int
    first_ms: int
    last_ms: int


class QuarantineStore(Protocol):
    """What revoked gates handed in, apart from all other evidence."""

    async def head(self, journal_id: str) -> Head | None:
        """Give how far a journal goes here, its contradictions aside; None for not at all."""
        ...

    async def chains(
        self, journal_id: str, first: int, last: int
    ) -> tuple[dict[int, bytes], dict[int, set[bytes]]]:
        """Give the chain values of some sequences: of the main line, and of the others."""
        ...

    async def keep(self, gate_id: str, held: Sequence[Quarantined]) -> None:
        """Keep records as they came; one that is here already is left."""
        ...

    async def count(self, gate_id: str) -> int:
        """Give how many records of a gate are held."""
        ...

    async def lines(self, gate_ids: Sequence[str]) -> list[QuarantineLine]:
        """Give what is held of some gates."""
        ...

    async def take_out(self, gate_id: str) -> list[Quarantined]:
        """Give everything that is held of a gate, in the order it came, and hold it no longer."""
        ...


class Journals(Protocol):
    """Journals as the gates wrote them."""

    async def journal(self, journal_id: str) -> KnownJournal | None:
        """Give one, or None."""
        ...

    async def journals_of(self, gate_id: str) -> list[str]:
        """Give the ids of a gate's journals."""
        ...

    async def names_at(self, checkpoint_id: str, count_max: int) -> dict[str, str]:
        """Give by the latest journals' ids the names of a checkpoint's gates that wrote them."""
        ...

    async def add_journal(self, journal_id: str, gate_id: str | None, head: Head) -> None:
        """Keep a new one."""
        ...

    async def chains(self, journal_id: str, first: int, last: int) -> dict[int, bytes]:
        """Give the stored chain values of some sequences, as far as they are stored."""
        ...

    async def add_records(self, journal_id: str, rows: Sequence[Row], head: Head) -> None:
        """Keep records, as they came, and the journal's new head."""
        ...

    async def heads(self, journal_ids: Sequence[str], venue_id: str) -> dict[str, Head]:
        """Give how far some journals are held, those of other venues' gates left out."""
        ...

    async def clock(self, journal_id: str) -> GateClock:
        """Give what is known of the clocks of a journal's machine."""
        ...

    async def add_measured(self, journal_id: str, boot_id: bytes, measured: Measured) -> None:
        """Keep a first measurement; what was a bound of that start is one no longer."""
        ...

    async def add_bounded(self, journal_id: str, boot_id: bytes, bounded: Bounded) -> None:
        """Keep what bounds a start that never reached the server."""
        ...


class SideLines(Protocol):
    """Histories of journals beside their main ones."""

    async def chains(self, journal_id: str, first: int, last: int) -> dict[int, set[bytes]]:
        """Give the chain values of all side lines at some sequences."""
        ...

    async def add(
        self, journal_id: str, after: Head, rows: Sequence[Row], found_ms: int
    ) -> dict[int, int]:
        """Keep new records of a side line; give the variant of each new content.

        Args:
            journal_id: of the journal.
            after: the place that they follow, on whatever line; one that is no side line's head
                begins another side line.
            rows: in order, without gaps, none of which is kept yet.
            found_ms: when, should a line begin.

        Returns:
            The variant by sequence, from 1; content that was known before is left out.
        """
        ...

    async def rows(self, line: SideLine) -> list[Row]:
        """Give a side line's own records, in order."""
        ...

    async def of_gates(self, gate_ids: Sequence[str]) -> list[SideLine]:
        """Give the side lines of some gates' journals, the first found first."""
        ...

    async def settle(self, gate_id: str, user_id: str, reason: str, at_ms: int) -> int:
        """Note that an operator has looked into a gate's side lines; give how many were open."""
        ...


class Seals(Protocol):
    """What gates have signed of their journals."""

    async def keep(self, seal: Seal) -> None:
        """Keep a seal that was checked; those that are not needed beside it are dropped.

        What is kept of the main line is enough to prove all of it in batches.
        """
        ...

    async def after(self, journal_id: str, sequence: int = 0) -> list[Seal]:
        """Give the seals of records after a sequence, in order, of all lines."""
        ...


class Facts(Protocol):
    """Facts, what they come to, and the feeds they go out on."""

    async def add_facts(self, facts: Sequence[StatedFact]) -> None:
        """Keep facts; each gets the next number of its stream, without a gap."""
        ...

    async def add_refusals(
        self, journal_id: str, gate_id: str, refusals: Sequence[tuple[Record, int, int]]
    ) -> None:
        """Keep refusals, each with its variant and its corrected instant in microseconds."""
        ...

    async def contents(self, journal_id: str, sequence: int) -> list[Fact]:
        """Give every content that is known of one fact."""
        ...

    async def facts_of(
        self, keys: Sequence[TicketKey]
    ) -> Mapping[TicketKey, Mapping[TicketFact, int]]:
        """Give all passages and resets of some keys, each with its variant."""
        ...

    async def keys_of(self, performance_id: str, identifiers: Iterable[bytes]) -> list[TicketKey]:
        """Give the keys under which some tickets have facts."""
        ...

    async def replace_folds(self, folds: Sequence[KeyFold]) -> None:
        """Replace what is kept of some keys' folds, their anomalies included."""
        ...

    async def add_folds(self, folds: Sequence[KeyFold]) -> None:
        """Add to what is kept of facts without a ticket, each of which folds alone."""
        ...

    async def variants(self, journal_id: str, sequence: int) -> list[tuple[KeptFact, Fact]]:
        """Give every content that is known of one fact, as it is kept."""
        ...

    async def boots(self, journal_id: str) -> set[bytes]:
        """Give the starts of its machine that a journal's facts name."""
        ...

    async def of_boots(self, journal_id: str, boots: Iterable[bytes]) -> list[KeptFact]:
        """Give the facts of some starts of a journal's machine."""
        ...

    async def move(self, moves: Sequence[Move]) -> None:
        """Give facts another instant; each goes out again, under a new number of its feed."""
        ...

    async def feed(self, stream: str, after: int, items_max: int) -> Feed:
        """Give the items that follow a cursor."""
        ...

    async def numbering(self) -> str:
        """Give the name of the feeds' numbers."""
        ...

    async def renumber(self, name: str) -> None:
        """Give the feeds' numbers another name, so that gates take them for new ones."""
        ...
