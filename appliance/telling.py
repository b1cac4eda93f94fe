"""From a verdict to what people are shown. Pure; called by the gate."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from admission.passage import Passage
from admission.scan import Direction
from admission.ticket import Performance
from admission.ticketlist.attributes import NOTHING, Attributes
from admission.verdict import Answer, Grant, Verdict
from appliance.ports import Look, Screen

_USED = {Answer.ALREADY_USED, Answer.ALREADY_INSIDE, Answer.NO_PASSES_LEFT}


def _unnamed(_journal: str) -> None:
    """Know no gate's name."""


def screen_of(
    verdict: Verdict,
    direction: Direction,
    performances: Mapping[str, Performance],
    last: Passage | None,
    *,
    opens: bool,
    said: Attributes = NOTHING,
    gate_called: Callable[[str], str | None] = _unnamed,
) -> Screen:
    """Give the screen that tells a verdict.

    Args:
        verdict: the answer.
        direction: of the scan.
        performances: those that the gate holds, for names and time zones.
        last: the ticket's last passage here, or None.
        opens: whether the arm opens, as it may at an exit also on a refusal.
        said: what the ticket says besides; shown, and nowhere written down.
        gate_called: gives the name of the gate that wrote a journal, as `Screen.gate` has it.
    """
    performance = performances.get(verdict.performance or "")
    if isinstance(verdict, Grant):
        return Screen(
            Look.GRANTED,
            direction,
            Answer.GRANTED,
            detail=verdict.ticket.ticket_class.category,
            attention=(said.attention,) if said.attention else (),
            seat=place_of(said),
            holder=" ".join(part for part in (said.holder_first, said.holder_last) if part),
        )
    detail, gate = "", None
    if verdict.answer in _USED and last is not None and performance is not None:
        detail, gate = _clock_face(last.at, performance), gate_called(last.gate)
    elif verdict.answer is Answer.WRONG_PERFORMANCE and performance is not None:
        detail = performance.name
    elif verdict.answer is Answer.NOT_YET_VALID and performance is not None:
        detail = _clock_face(performance.admits_from, performance)
    elif verdict.answer is Answer.CATEGORY_EXCLUDED and verdict.ticket is not None:
        detail = verdict.ticket.ticket_class.category
    look = Look.GRANTED if opens else Look.DENIED
    return Screen(look, direction, verdict.answer, detail=detail, gate=gate)


def please_pass(direction: Direction) -> Screen:
    """Give what is shown while the arm waits for its person, when the verdict had its time."""
    return Screen(Look.PLEASE_PASS, direction)


def doors_at(performances: Iterable[Performance], now: datetime) -> str:
    """Give when the doors of the first of some performances open; "" if any has them open."""
    first: Performance | None = None
    for one in performances:
        if one.admits_from is None or one.admits_from <= now:
            return ""
        if first is None or first.admits_from is None or one.admits_from < first.admits_from:
            first = one
    return "" if first is None else _clock_face(first.admits_from, first)


def place_of(said: Attributes) -> str:
    """Give where a ticket's holder goes and sits, from the large to the small; "" is anywhere."""
    return _joined(said.entrance, said.zone, said.row, said.seat)


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _clock_face(at: datetime | None, performance: Performance) -> str:
    return "" if at is None else at.astimezone(performance.zone).strftime("%H:%M")
