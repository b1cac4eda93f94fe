"""Facts (passages, resets, free crossings), the order they fold in, and what they add up to.

Called by `rules`, `reconcile` and both houses' stores. State is never stored here as such: it is
always the fold of the known facts (docs/rules.md, Reconciliation).
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Final, NamedTuple, Protocol

from admission.scan import Direction
from admission.ticket import Performance, TicketClass

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Passage:
    """A person went through.

    Attributes:
        gate: the journal that holds it (a gate whose journal was begun anew is another gate).
        sequence: its place in that journal.
        at: aware instant of the scan, corrected by the clock's known offset to the server.
        checkpoint: where.
        performance: the performance it counts for; None where no held performance has the number.
        identifier: the ticket; b"" where `performance` is None.
        direction: which way.
        override: a steward let the person through and said why.
        unresolved: a grant whose end nobody knows; it counts as a passage.
        ticket_class: category and rule as the gate knew them; None for an unlisted number.
        proven: no list held the ticket: its own signature proved its class.
    """

    gate: str
    sequence: int
    at: datetime
    checkpoint: str
    performance: str | None
    identifier: bytes
    direction: Direction
    override: bool = False
    unresolved: bool = False
    ticket_class: TicketClass | None = None
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """An operator made a checkpoint forget a ticket's passages before this instant.

    Attributes: as those of `Passage`.
    """

    gate: str
    sequence: int
    at: datetime
    checkpoint: str
    performance: str
    identifier: bytes


@dataclass(frozen=True, slots=True)
class FreeCrossing:
    """Somebody crossed while the lane stood free in an emergency: no ticket.

    Attributes: as those of `Passage`.
    """

    gate: str
    sequence: int
    at: datetime
    checkpoint: str
    direction: Direction


TicketFact = Passage | Reset
Fact = Passage | Reset | FreeCrossing


class TicketKey(NamedTuple):
    """What a ticket's use is counted by: one ticket at one checkpoint.

    Attributes:
        checkpoint: id of the checkpoint.
        performance: id of the performance, None for unknown numbers.
        identifier: of the ticket, b"" for unknown numbers.
    """

    checkpoint: str
    performance: str | None
    identifier: bytes


def key_of(fact: TicketFact) -> TicketKey:
    """Give the key that a fact counts under."""
    return TicketKey(fact.checkpoint, fact.performance, fact.identifier)


def canonical(fact: Fact) -> bytes:
    """Write a fact's content as bytes, equal exactly when the content is: the tie of a fork."""
    parts: list[object] = [type(fact).__name__, fact.at - _EPOCH, fact.checkpoint]
    match fact:
        case Passage():
            parts += [fact.performance, fact.identifier, fact.direction.value]
            parts += [fact.override, fact.unresolved, fact.ticket_class]
            parts += ["proven"] if fact.proven else []
        case Reset():
            parts += [fact.performance, fact.identifier]
        case FreeCrossing():
            parts += [fact.direction.value]
    return repr(parts).encode()  # repr quotes what it joins and escapes lone surrogates


FoldKey = tuple[datetime, str, int, bytes]


def fold_key(fact: Fact) -> FoldKey:
    """Give the sort key of fold order: time, gate by code points, sequence, canonical bytes."""
    return (fact.at, fact.gate, fact.sequence, canonical(fact))


def at_instant(fact: Fact, at: datetime) -> Fact:
    """Give a fact with another instant: its gate's clock was corrected."""
    return replace(fact, at=at)


def step(direction: Direction) -> int:
    """Give what one crossing does to occupancy: +1 for an entry, -1 for an exit."""
    return 1 if direction is Direction.ENTRY else -1


@dataclass(slots=True)
class TicketUse:
    """What a ticket's unforgotten passages at one checkpoint add up to, so far in the fold.

    Attributes:
        entries: how many were entries.
        passages: how many there were, in either direction.
        is_inside: whether the last one was an entry.
        days: venue days of the passages, one for each; filled only where a performance is given.
        occupancy: entries less exits.
        last: the last passage, or None.
    """

    entries: int = 0
    passages: int = 0
    is_inside: bool = False
    days: list[date] = field(default_factory=list)
    occupancy: int = 0
    last: Passage | None = None

    def add(self, fact: TicketFact, performance: Performance | None) -> None:
        """Take the next fact of the fold in.

        Args:
            fact: the next one in fold order.
            performance: gives the venue's day; None leaves `days` empty.
        """
        if isinstance(fact, Reset):
            self.entries = self.passages = self.occupancy = 0
            self.is_inside = False
            self.days.clear()
            self.last = None
            return
        is_entry = fact.direction is Direction.ENTRY
        self.entries += is_entry
        self.passages += 1
        self.is_inside = is_entry
        self.occupancy += step(fact.direction)
        self.last = fact
        if performance is not None:
            self.days.append(performance.civil_day(fact.at))


def use_of(facts: Iterable[TicketFact], performance: Performance | None) -> TicketUse:
    """Fold a ticket's facts at one checkpoint.

    Args:
        facts: in fold order.
        performance: the one they count for.
    """
    use = TicketUse()
    for fact in facts:
        use.add(fact, performance)
    return use


class Known(Protocol):
    """What is known of the past, as far as a verdict asks: `History`, or it with hints in view."""

    def use(self, key: TicketKey, performance: Performance | None) -> TicketUse:
        """Fold what is known of a ticket at a checkpoint."""
        ...

    def remembered_class(self, performance: str, identifier: bytes) -> TicketClass | None:
        """Give the class of a number that no list holds any more but that has passed, or None."""
        ...

    def occupancy(self, checkpoint: str) -> int:
        """Give the people inside a checkpoint; may be negative."""
        ...


class History:
    """The facts that a gate knows, its own and those of others, ready to be judged by.

    A fact is a fact once, however often it is added. Pending grants count like facts until they
    are taken back; no fact is ever taken for one. Memory is bounded by the passages of the
    performances held.
    """

    def __init__(self) -> None:
        self._facts: dict[TicketKey, list[TicketFact]] = {}
        self._known: dict[tuple[str, int, int], Fact] = {}
        self._pending: dict[tuple[str, int], Passage] = {}
        self._own_variants: dict[tuple[str, int], int] = {}
        self._occupancy: dict[str, int] = {}
        self._checkpoints: dict[tuple[str | None, bytes], set[str]] = {}

    def add(self, fact: Fact) -> bool:
        """Take a fact in; tell whether it was new."""
        identity = (fact.gate, fact.sequence, 0)
        if identity in self._known:
            return False
        self._known[identity] = fact
        self._count(fact)
        return True

    def correct(self, fact: Fact, variant: int = 0) -> bool:
        """Take a fact in, in the place of what was known of it; tell whether anything changed.

        The server knows a gate's clock better than that gate, or its neighbours, did.

        Args:
            fact: as it is known now.
            variant: of the contents of a forked journal's record, which; each is a fact.
        """
        identity = (fact.gate, fact.sequence, variant)
        known = self._known.get(identity)
        if known == fact:
            return False
        if known is not None:
            self._uncount(known)
        self._known[identity] = fact
        self._count(fact)
        return True

    def takes_for_own(self, fact: Fact, variant: int) -> bool:
        """Tell whether a told content of the gate's own record is the one taken for its own.

        That is the first which was asked for: two cards may have written alike at one place.

        Args:
            fact: as told, alike but for the time.
            variant: which of the record's contents.
        """
        return self._own_variants.setdefault((fact.gate, fact.sequence), variant) == variant

    def known(self, gate: str, sequence: int, variant: int = 0) -> Fact | None:
        """Give what is known of a fact, or None."""
        return self._known.get((gate, sequence, variant))

    def _count(self, fact: Fact) -> None:
        if isinstance(fact, FreeCrossing):
            self._shift(fact.checkpoint, step(fact.direction))
            return
        key = key_of(fact)
        facts = self._facts.setdefault(key, [])
        self._checkpoints.setdefault((key.performance, key.identifier), set()).add(key.checkpoint)
        before = self._occupancy_of(facts)
        insort(facts, fact, key=fold_key)
        self._shift(key.checkpoint, self._occupancy_of(facts) - before)

    def _uncount(self, fact: Fact) -> None:
        if isinstance(fact, FreeCrossing):
            self._shift(fact.checkpoint, -step(fact.direction))
            return
        key = key_of(fact)
        facts = self._facts[key]
        before = self._occupancy_of(facts)
        facts.remove(fact)
        self._shift(key.checkpoint, self._occupancy_of(facts) - before)
        if not facts:
            del self._facts[key]

    def pend(self, grant: Passage) -> bool:
        """Count a grant whose end is not known yet; tell whether it was new.

        It is none of the facts: another card that writes the same journal may have written one
        at the grant's place.

        Args:
            grant: the passage that it will be if somebody goes through.
        """
        if (grant.gate, grant.sequence) in self._pending:
            return False
        self._pending[grant.gate, grant.sequence] = grant
        self._count(grant)
        return True

    def take_back(self, grant: Passage) -> None:
        """Count a pending grant no more: it has ended.

        Raises:
            KeyError: if just this grant is not pending; nothing is changed then.
        """
        if self._pending.get((grant.gate, grant.sequence)) != grant:
            raise KeyError(f"grant {grant.sequence} of {grant.gate} is not pending")
        del self._pending[grant.gate, grant.sequence]
        self._uncount(grant)

    def use(self, key: TicketKey, performance: Performance | None) -> TicketUse:
        """Fold what is known of a ticket at a checkpoint."""
        return use_of(self._facts.get(key, ()), performance)

    def facts_of(self, key: TicketKey) -> Sequence[TicketFact]:
        """Give what is known of a ticket at a checkpoint, in fold order."""
        return tuple(self._facts.get(key, ()))

    def remembered_class(self, performance: str, identifier: bytes) -> TicketClass | None:
        """Give the class of a number that no list holds any more but that has passed, or None."""
        known = [
            fact
            for checkpoint in self._checkpoints.get((performance, identifier), ())
            for fact in self._unforgotten(TicketKey(checkpoint, performance, identifier))
            if fact.ticket_class is not None
        ]
        return max(known, key=fold_key).ticket_class if known else None

    def occupancy(self, checkpoint: str) -> int:
        """Give the people inside a checkpoint by all known facts; may be negative."""
        return self._occupancy.get(checkpoint, 0)

    def __iter__(self) -> Iterator[TicketFact]:
        """Go over every passage and reset, ticket by ticket."""
        for facts in self._facts.values():
            yield from facts

    def _unforgotten(self, key: TicketKey) -> Iterator[Passage]:
        for fact in reversed(self._facts.get(key, ())):
            if isinstance(fact, Reset):
                return
            yield fact

    def _shift(self, checkpoint: str, by: int) -> None:
        self._occupancy[checkpoint] = self._occupancy.get(checkpoint, 0) + by

    @staticmethod
    def _occupancy_of(facts: Iterable[TicketFact]) -> int:
        return use_of(facts, None).occupancy
