"""Several gates' journals -> anomalies, occupancy, attendance.

Called by the server and the conformance runner. The report is a fold of a set of facts: the same
wherever it is computed, whatever the order in which they arrived.

A ticket's facts at one checkpoint fold on their own (`fold_ticket`), so a store that keeps each
fold's result has the whole report by folding again only what a new fact touches.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from admission.passage import (
    Fact,
    FreeCrossing,
    Passage,
    Reset,
    TicketFact,
    TicketKey,
    TicketUse,
    fold_key,
    key_of,
    step,
)
from admission.rules import leaves_inside, refusal_by_state, refusal_by_use
from admission.ticket import EntryExit, PassRule, Performance, TicketClass, TicketState
from admission.verdict import Answer

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class StateChange:
    """A ticket's state from an instant on.

    Attributes:
        since: aware instant the state counts from; None is from the beginning.
        state: the state.
    """

    since: datetime | None
    state: TicketState


@dataclass(frozen=True, slots=True)
class ListedTicket:
    """What the record knows of a listed ticket.

    Attributes:
        rule: as it is known now.
        states: its changes of state, in order of time; of two at one instant the later counts.
        is_listed: False for a number that is blocked, but that no list holds and nobody has
            proven while it was not: it is no ticket.
    """

    rule: PassRule
    states: tuple[StateChange, ...] = ()
    is_listed: bool = True

    def state_at(self, at: datetime) -> TicketState:
        """Give the state that held at an instant: `valid` before the first change."""
        state = TicketState.VALID
        for change in self.states:
            if change.since is None or change.since <= at:
                state = change.state
        return state


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A passage that would have been refused, had everything been known.

    Attributes:
        passage: the passage; it stays counted.
        reason: the line's answer.
    """

    passage: Passage
    reason: Answer


@dataclass(frozen=True, slots=True)
class TicketFold:
    """What one ticket's facts at one checkpoint come to.

    Attributes:
        anomalies: in fold order.
        occupancy: entries less exits over its unforgotten passages.
        is_used: whether it has an unforgotten passage.
    """

    anomalies: tuple[Anomaly, ...]
    occupancy: int
    is_used: bool


def fold_ticket(
    facts: Iterable[TicketFact], performance: Performance | None, ticket: ListedTicket | None
) -> TicketFold:
    """Fold the facts of one `TicketKey`, judging each passage again after those before it.

    Args:
        facts: all of them, each once, in any order.
        performance: the one they count for; None for numbers of no performance.
        ticket: what its list says; None for an unlisted number.
    """
    use = TicketUse()
    anomalies = []
    for fact in sorted(facts, key=fold_key):
        if isinstance(fact, Passage) and not fact.override:
            reason = _judge_again(fact, use, performance, ticket)
            if reason is not None:
                anomalies.append(Anomaly(fact, reason))
        use.add(fact, performance)
    return TicketFold(tuple(anomalies), use.occupancy, use.passages > 0)


def _judge_again(
    passage: Passage,
    use: TicketUse,
    performance: Performance | None,
    ticket: ListedTicket | None,
) -> Answer | None:
    if ticket is None or performance is None:
        return Answer.UNKNOWN_TICKET
    if not ticket.is_listed and ticket.state_at(passage.at) is TicketState.VALID:
        return Answer.UNKNOWN_TICKET
    if leaves_inside(ticket.rule, use, passage.direction):
        return None
    return refusal_by_state(ticket.state_at(passage.at)) or refusal_by_use(
        ticket.rule, use, passage.direction, performance, passage.at
    )


def unlisted_ticket(
    facts: Iterable[TicketFact],
    believed: Collection[TicketClass],
    blocks: Sequence[StateChange] = (),
) -> ListedTicket | None:
    """Give what a number that no list holds is, after all that is known of it.

    A passage whose gate says that the ticket proved itself is believed for a class that the
    performance accepts from an issuer. Of several classes the one that passed last counts.

    Args:
        facts: all of the number's in its performance, at whatever checkpoint, in any order.
        believed: classes that the performance accepts from issuers.
        blocks: when the number was blocked and released, in order of time.
    """
    proofs = [
        fact
        for fact in facts
        if isinstance(fact, Passage) and fact.proven and fact.ticket_class in believed
    ]
    if not proofs:
        return ListedTicket(EntryExit(), tuple(blocks), is_listed=False) if blocks else None
    newest = max(proofs, key=fold_key).ticket_class
    rule = EntryExit() if newest is None else newest.rule  # it is none of them: it was believed
    ticket = ListedTicket(rule, tuple(blocks))
    counted = any(ticket.state_at(fact.at) is TicketState.VALID for fact in proofs)
    return replace(ticket, is_listed=counted)


@dataclass(frozen=True, slots=True)
class Report:
    """The one truth of many journals.

    Attributes:
        anomalies: in fold order.
        occupancy: people inside, by checkpoint; every checkpoint is listed, zeros too.
        attendance: tickets that passed, by performance; likewise.
    """

    anomalies: tuple[Anomaly, ...]
    occupancy: Mapping[str, int]
    attendance: Mapping[str, int]


def distinct(facts: Iterable[Fact]) -> list[Fact]:
    """Give each fact once. The same identity with another content is a fork: both stay."""
    seen: dict[tuple[str, int], list[Fact]] = {}
    for fact in facts:
        known = seen.setdefault((fact.gate, fact.sequence), [])
        if fact not in known:
            known.append(fact)
    return [fact for known in seen.values() for fact in known]


def reconcile(
    performances: Mapping[str, Performance],
    checkpoints: Sequence[str],
    tickets: Mapping[tuple[str, bytes], ListedTicket],
    facts: Iterable[Fact],
    *,
    believed: Mapping[str, Collection[TicketClass]] = _NOTHING,
    blocks: Mapping[tuple[str, bytes], Sequence[StateChange]] = _NOTHING,
) -> Report:
    """Fold every known fact, from scratch.

    Args:
        performances: by id; each gets its attendance.
        checkpoints: ids; each gets its occupancy.
        tickets: by performance and identifier.
        facts: in any order, each any number of times.
        believed: by performance, classes of tickets that may have proven themselves.
        blocks: by performance and identifier, of numbers that no list holds.
    """
    occupancy = dict.fromkeys(checkpoints, 0)
    used: set[tuple[str, bytes]] = set()
    anomalies: list[Anomaly] = []
    by_key: defaultdict[TicketKey, list[Passage | Reset]] = defaultdict(list)
    for fact in distinct(facts):
        if isinstance(fact, FreeCrossing):
            occupancy[fact.checkpoint] = occupancy.get(fact.checkpoint, 0) + step(fact.direction)
        else:
            by_key[key_of(fact)].append(fact)
    proven = _unlisted_tickets(by_key, tickets, believed, blocks)
    for key, own in by_key.items():
        ticket = None
        if key.performance is not None:
            of_list = tickets.get((key.performance, key.identifier))
            ticket = of_list or proven.get((key.performance, key.identifier))
        performance = None if key.performance is None else performances.get(key.performance)
        fold = fold_ticket(own, performance, ticket)
        anomalies += fold.anomalies
        occupancy[key.checkpoint] = occupancy.get(key.checkpoint, 0) + fold.occupancy
        if fold.is_used and ticket is not None and ticket.is_listed and performance is not None:
            used.add((performance.id, key.identifier))
    attendance = dict.fromkeys(performances, 0)
    for name, _ in used:
        attendance[name] += 1
    anomalies.sort(key=lambda anomaly: fold_key(anomaly.passage))
    unlisted = sorted(occupancy.keys() - set(checkpoints))  # theirs was the order of arrival
    occupancy = {name: occupancy[name] for name in (*checkpoints, *unlisted)}
    return Report(tuple(anomalies), occupancy, attendance)


def _unlisted_tickets(
    by_key: Mapping[TicketKey, list[Passage | Reset]],
    tickets: Mapping[tuple[str, bytes], ListedTicket],
    believed: Mapping[str, Collection[TicketClass]],
    blocks: Mapping[tuple[str, bytes], Sequence[StateChange]],
) -> dict[tuple[str, bytes], ListedTicket | None]:
    facts: defaultdict[tuple[str, bytes], list[TicketFact]] = defaultdict(list)
    for key, own in by_key.items():
        if key.performance is not None and (key.performance, key.identifier) not in tickets:
            facts[key.performance, key.identifier] += own
    return {
        name: unlisted_ticket(own, believed.get(name[0], ()), blocks.get(name, ()))
        for name, own in facts.items()
    }
