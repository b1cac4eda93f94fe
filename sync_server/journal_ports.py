"""What reconciling and reporting need of the journals' and facts' store. Implemented by storage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from admission.journal import Record
from admission.passage import Fact, TicketFact, TicketKey
from admission.reconcile import TicketFold
from admission.sync.gate_side import Row
from admission.sync.messages import Feed
from admission.sync.server_side import Head


@dataclass(frozen=True, slots=True)
class KnownJournal:
    """A journal as far as the server has it.

    Attributes:
        id: of the journal.
        gate_id: whose it is; None is the server's own.
        head: how far.
    """

    id: str
    gate_id: str | None
    head: Head


@dataclass(frozen=True, slots=True)
class StatedFact:
    """A fact on its way into the store.

    Attributes:
        fact: as the rules see it, its instant corrected.
        record: as the gate wrote it.
        variant: 0, or the number of a fork's other content.
        gate_id: whose journal states it; None is the server's own.
        stream: the feed it goes out on.
    """

    fact: Fact
    record: Record
    variant: int
    gate_id: str | None
    stream: str


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures of the exact report.

    Attributes:
        anomalies: (journal, sequence, reason), in fold order.
        occupancy: by checkpoint; only those with facts.
        attendance: by performance; only those with passages.
    """

    anomalies: tuple[tuple[str, int, str], ...]
    occupancy: Mapping[str, int]
    attendance: Mapping[str, int]


class Journals(Protocol):
    """Journals as the gates wrote them."""

    async def journal(self, journal_id: str) -> KnownJournal | None:
        """Give one, or None."""
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

    async def add_forks(self, journal_id: str, rows: Sequence[Row]) -> dict[int, int]:
        """Keep records that contradict what is stored; give the variant of each new one.

        Returns:
            The variant by sequence, from 1; content that was known before is left out.
        """
        ...

    async def origin_ms(self, journal_id: str, boot_id: bytes) -> int | None:
        """Give the server time of a gate machine's start, as first measured, or None."""
        ...

    async def add_origin(
        self, journal_id: str, boot_id: bytes, origin_ms: int, measured_ms: int
    ) -> None:
        """Keep a first measurement; a later one changes nothing."""
        ...


class Facts(Protocol):
    """Facts, what they come to, and the feeds they go out on."""

    async def add_facts(self, facts: Sequence[StatedFact]) -> None:
        """Keep facts; each gets the next number of its stream, without a gap."""
        ...

    async def add_refusals(
        self, journal_id: str, gate_id: str, refusals: Sequence[tuple[Record, int]]
    ) -> None:
        """Keep refusals, each with its corrected instant in microseconds."""
        ...

    async def facts_of(self, keys: Sequence[TicketKey]) -> dict[TicketKey, list[TicketFact]]:
        """Give all passages and resets of some keys."""
        ...

    async def keys_of(self, performance_id: str, identifiers: Iterable[bytes]) -> list[TicketKey]:
        """Give the keys under which some tickets have facts."""
        ...

    async def put_fold(self, key: TicketKey, fold: TicketFold, *, listed: bool) -> None:
        """Replace what is kept of a key's fold, its anomalies included."""
        ...

    async def feed(self, stream: str, after: int, items_max: int) -> Feed:
        """Give the items that follow a cursor."""
        ...

    async def sums(self) -> Sums:
        """Give the figures of the exact report."""
        ...
