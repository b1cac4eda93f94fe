"""What a steward is told of a ticket that is only looked at. Pure; called by the gate."""

from collections.abc import Callable

from admission.passage import History, Passage, TicketKey
from admission.passage import Reset as ResetFact
from admission.ticket import Checkpoint
from admission.verdict import Verdict
from appliance.holdings import GateHoldings
from appliance.ports import Screen
from appliance.steward_ports import Checked
from appliance.telling import place_of


def checked(
    verdict: Verdict,
    screen: Screen,
    number: str,
    *,
    checkpoint: Checkpoint,
    holdings: GateHoldings,
    history: History,
    gate_called: Callable[[str], str | None],
) -> Checked:
    """Give what is known of a ticket.

    Args:
        verdict: what it would be answered.
        screen: the same, as it would be shown.
        number: as it was presented.
        checkpoint: where.
        holdings: the lists held.
        history: the facts known.
        gate_called: gives the name of the gate that wrote a journal, as `Screen.gate` has it.
    """
    performance, ticket = verdict.performance, verdict.ticket
    if performance is None or ticket is None:
        return Checked(screen)
    key = TicketKey(checkpoint.id, performance, ticket.identifier)
    passages = _unforgotten(history, key)
    first = passages[0] if passages else None
    said = holdings.attributes(performance, ticket.identifier, number)
    held = holdings.performances.get(performance)
    return Checked(
        screen=screen,
        category=ticket.ticket_class.category,
        first_used_at=None if first is None or held is None else first.at.astimezone(held.zone),
        first_used_by=None if first is None else gate_called(first.gate),
        passages=len(passages),
        attention=said.attention,
        seat=place_of(said),
        holder=" ".join(part for part in (said.holder_first, said.holder_last) if part),
    )


def _unforgotten(history: History, key: TicketKey) -> list[Passage]:
    passages: list[Passage] = []
    for fact in history.facts_of(key):
        if isinstance(fact, ResetFact):
            passages.clear()
        else:
            passages.append(fact)
    return passages
