"""The one decision: docs/rules.md, line by line.

Called by the gate, the conformance runner and `reconcile`. Knows no clock, no store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final, assert_never

from admission.passage import Known, TicketKey, TicketUse
from admission.scan import Direction, is_well_formed, strip
from admission.ticket import (
    Checkpoint,
    EntryExit,
    Holdings,
    Multi,
    PassRule,
    Performance,
    Single,
    Ticket,
    TicketState,
    Window,
)
from admission.verdict import Answer, Deny, Grant, Verdict

_NO_TIME: Final = timedelta(0)


@unique
class ClockPolicy(StrEnum):
    """What the rules that need the time do while the gate's clock is not trusted.

    ADMIT passes them over. REFUSE lets them refuse whatever has such a bound, since a wrong clock
    can tell neither side of it.
    """

    ADMIT = "admit"
    REFUSE = "refuse"


@unique
class ExitPolicy(StrEnum):
    """For which refused numbers the arm opens at an exit all the same."""

    LISTED = "listed"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class GateConditions:
    """What the gate adds of its own.

    Attributes:
        locked: the gate is closed to everybody who is not inside.
        list_faults: performances whose list must not admit now, and with which answer
            (`list_untrusted` or `list_expired`).
        clock_trusted: whether `now` may be relied on.
        clock_policy: what lines 12, 15 and 16 do if it may not.
        clock_uncertainty: how far a trusted `now` may be off; widens a rotating code's time.
    """

    locked: bool = False
    list_faults: Mapping[str, Answer] = field(default_factory=dict)
    clock_trusted: bool = True
    clock_policy: ClockPolicy = ClockPolicy.ADMIT
    clock_uncertainty: timedelta = _NO_TIME


ORDINARY: Final = GateConditions()


def refusal_by_state(state: TicketState) -> Answer | None:
    """Line 6: a state that is not `valid` is its own answer."""
    return None if state is TicketState.VALID else Answer(state.value)


def leaves_inside(rule: PassRule, use: TicketUse, direction: Direction) -> bool:
    """Line 4: nobody who is inside is ever held in."""
    return isinstance(rule, EntryExit) and direction is Direction.EXIT and use.is_inside


def refusal_by_use(
    rule: PassRule, use: TicketUse, direction: Direction, performance: Performance, at: datetime
) -> Answer | None:
    """Lines 7 to 12: what a ticket's rule says after what it has done at this checkpoint.

    Args:
        rule: of the ticket's class.
        use: the fold of the facts before, with their days.
        direction: of this crossing.
        performance: gives the venue's day.
        at: the instant of the scan.
    """
    match rule:
        case Single():
            if direction is Direction.EXIT:
                return Answer.EXIT_NOT_ALLOWED
            return Answer.ALREADY_USED if use.entries else None
        case EntryExit():
            if direction is Direction.ENTRY:
                return Answer.ALREADY_INSIDE if use.is_inside else None
            return None if use.is_inside else Answer.NOT_INSIDE
        case Multi():
            if rule.total is not None and use.passages >= rule.total:
                return Answer.NO_PASSES_LEFT
            if rule.per_day is not None:
                day = performance.civil_day(at)
                if use.days.count(day) >= rule.per_day:
                    return Answer.DAILY_LIMIT_REACHED
            return None
        case _:
            assert_never(rule)


def judge(
    presented: str,
    *,
    checkpoint: Checkpoint,
    direction: Direction,
    now: datetime,
    holdings: Holdings,
    history: Known,
    conditions: GateConditions = ORDINARY,
) -> Verdict:
    """Answer a scan: the first line of docs/rules.md that applies.

    Args:
        presented: the text as read; stripped here, nothing else.
        checkpoint: where it was presented.
        direction: of the reader.
        now: aware instant of the scan; the caller's clock, never ours.
        holdings: the lists that the gate holds.
        history: every fact that the gate knows, pending grants included.
        conditions: what the gate adds of its own.
    """
    text = strip(presented)
    if not is_well_formed(text):
        return Deny(Answer.MALFORMED)
    leaving = _leave_of_inside(text, checkpoint, direction, holdings, history)
    if leaving is not None:
        return leaving
    found = locate(text, checkpoint, holdings, history, direction)
    if found is None:
        return _deny_not_here(text, checkpoint, holdings, history, conditions)
    performance, ticket = found
    use = history.use(TicketKey(checkpoint.id, performance.id, ticket.identifier), performance)
    answer = (
        _refusal_by_gate(performance.id, conditions)
        or (Answer.PERFORMANCE_CANCELED if performance.canceled else None)
        or refusal_by_state(ticket.state)
        or _refusal_by_rule(ticket, use, direction, performance, now, conditions)
        or _refusal_by_filters(ticket, performance, checkpoint)
        or _refusal_by_window(performance, ticket.windows, now, conditions)
        or _refusal_by_capacity(checkpoint, direction, history)
    )
    if answer is None:
        return Grant(performance.id, ticket)
    return Deny(answer, performance.id, ticket)


def locate(
    text: str,
    checkpoint: Checkpoint,
    holdings: Holdings,
    history: Known,
    direction: Direction = Direction.EXIT,
) -> tuple[Performance, Ticket] | None:
    """Find what was presented in the checkpoint's performances, or None.

    Two of them holding it is refused when they are chosen together, by the server, which knows
    the numbers. Should it happen all the same, the first chosen counts: a gate never stops. A
    number that some list holds is that list's, whatever a signature says.
    """
    held = holdings.performances
    here = [name for name in checkpoint.performances if name in held]
    for search in (_listed, _proven, _remembered):
        for name in here:
            ticket = None
            if direction is Direction.EXIT or not _is_bare(text, name, holdings):
                ticket = search(text, name, holdings, history)
            if ticket is None or (ticket.proven and _is_listed_elsewhere(text, name, holdings)):
                continue
            return held[name], ticket
    return None


def hold(text: str, performance: str, holdings: Holdings, history: Known) -> Ticket | None:
    """Give the ticket a performance holds: by its list, else proven, else by a passage."""
    return (
        _listed(text, performance, holdings, history)
        or _proven(text, performance, holdings, history)
        or _remembered(text, performance, holdings, history)
    )


def _listed(text: str, performance: str, holdings: Holdings, history: Known) -> Ticket | None:
    del history
    shown = holdings.present(performance, text)
    if shown is None:
        return holdings.find(performance, holdings.identify(performance, text))
    ticket = holdings.find(performance, holdings.identify(performance, shown.number))
    if ticket is None or shown.window is None:
        return ticket
    return replace(ticket, windows=(shown.window,))


def _proven(text: str, performance: str, holdings: Holdings, history: Known) -> Ticket | None:
    del history
    shown = holdings.present(performance, text)
    return None if shown is None else shown.proven


def _remembered(text: str, performance: str, holdings: Holdings, history: Known) -> Ticket | None:
    shown = holdings.present(performance, text)
    number = text if shown is None else shown.number
    identifier = holdings.identify(performance, number)
    known = history.remembered_class(performance, identifier)
    return None if known is None else Ticket(identifier, known, TicketState.CANCELED)


def _is_bare(text: str, performance: str, holdings: Holdings) -> bool:
    shown = holdings.present(performance, text)
    return shown is not None and shown.is_bare


def _is_listed_elsewhere(text: str, performance: str, holdings: Holdings) -> bool:
    shown = holdings.present(performance, text)
    return shown is not None and any(
        holdings.find(other, holdings.identify(other, shown.number)) is not None
        for other in holdings.performances
        if other != performance
    )


def _leave_of_inside(
    text: str,
    checkpoint: Checkpoint,
    direction: Direction,
    holdings: Holdings,
    history: Known,
) -> Grant | None:
    """Line 4, for whichever of the checkpoint's performances the ticket is inside.

    A number may have gone over from one of them to another while its holder was inside.
    """
    if direction is not Direction.EXIT:
        return None
    for name in checkpoint.performances:
        ticket = hold(text, name, holdings, history) if name in holdings.performances else None
        if ticket is not None:
            use = history.use(TicketKey(checkpoint.id, name, ticket.identifier), None)
            if leaves_inside(ticket.ticket_class.rule, use, direction):
                return Grant(name, ticket)
    return None


def opens_on_refusal(policy: ExitPolicy, denied: Deny) -> bool:
    """Tell whether the arm opens at an exit although the answer is a refusal."""
    match policy:
        case ExitPolicy.LISTED:
            return denied.ticket is not None
        case ExitPolicy.ANY:
            return True
        case ExitPolicy.NONE:
            return False
        case _:
            assert_never(policy)


def _deny_not_here(
    text: str,
    checkpoint: Checkpoint,
    holdings: Holdings,
    history: Known,
    conditions: GateConditions,
) -> Deny:
    faults = [conditions.list_faults.get(name) for name in checkpoint.performances]
    elsewhere = next(
        (
            (name, ticket)
            for name in sorted(holdings.performances)
            if name not in checkpoint.performances
            and (ticket := hold(text, name, holdings, history)) is not None
        ),
        (None, None),
    )
    if conditions.locked:
        return Deny(Answer.GATE_LOCKED, *elsewhere)
    for fault in (Answer.LIST_UNTRUSTED, Answer.LIST_EXPIRED):
        if fault in faults:
            return Deny(fault, *elsewhere)
    if elsewhere[0] is not None:
        return Deny(Answer.WRONG_PERFORMANCE, *elsewhere)
    return Deny(Answer.UNKNOWN_TICKET)


def _refusal_by_gate(performance: str, conditions: GateConditions) -> Answer | None:
    if conditions.locked:
        return Answer.GATE_LOCKED
    return conditions.list_faults.get(performance)


def _refusal_by_rule(
    ticket: Ticket,
    use: TicketUse,
    direction: Direction,
    performance: Performance,
    now: datetime,
    conditions: GateConditions,
) -> Answer | None:
    rule = ticket.ticket_class.rule
    answer = refusal_by_use(rule, use, direction, performance, now)
    if conditions.clock_trusted or answer not in (None, Answer.DAILY_LIMIT_REACHED):
        return answer
    has_bound = isinstance(rule, Multi) and rule.per_day is not None
    return Answer.DAILY_LIMIT_REACHED if has_bound and _clock_refuses(conditions) else None


def _clock_refuses(conditions: GateConditions) -> bool:
    return conditions.clock_policy is ClockPolicy.REFUSE


def _refusal_by_filters(
    ticket: Ticket, performance: Performance, checkpoint: Checkpoint
) -> Answer | None:
    category = ticket.ticket_class.category
    if category in performance.excluded_categories:
        return Answer.CATEGORY_EXCLUDED
    allowed = checkpoint.allowed_categories
    return Answer.WRONG_CHECKPOINT if allowed is not None and category not in allowed else None


def _refusal_by_window(
    performance: Performance,
    windows: tuple[Window, ...],
    now: datetime,
    conditions: GateConditions,
) -> Answer | None:
    if not conditions.clock_trusted and not _clock_refuses(conditions):
        return None
    blind = not conditions.clock_trusted
    bounds = [(performance.admits_from, performance.admits_until, _NO_TIME)]
    for window in windows:
        slack = conditions.clock_uncertainty if window.is_reading else _NO_TIME
        bounds.append((window.start, window.end, slack))
    if any(start is not None and (blind or now < start - slack) for start, _, slack in bounds):
        return Answer.NOT_YET_VALID
    if any(end is not None and (blind or now >= end + slack) for _, end, slack in bounds):
        return Answer.NO_LONGER_VALID
    return None


def _refusal_by_capacity(
    checkpoint: Checkpoint, direction: Direction, history: Known
) -> Answer | None:
    if direction is Direction.EXIT or checkpoint.capacity is None:
        return None
    return Answer.FULL if history.occupancy(checkpoint.id) >= checkpoint.capacity else None
