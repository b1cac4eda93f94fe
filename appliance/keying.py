"""Which ticket somebody means who types its number. Called by `stewarding`."""

from admission.keyed import Meant, meant_by
from admission.passage import History
from admission.rules import hold
from admission.ticketlist.manifest import alphabet_of
from appliance.holdings import GateHoldings


def meant_ticket(typed: str, holdings: GateHoldings, history: History) -> Meant:
    """Find out which number was meant, in every list that the gate holds.

    Args:
        typed: stripped.
        holdings: the lists held, with what they state of their numbers.
        history: what has passed, also of numbers that no list holds any more.
    """
    alphabets = {one.manifest.performance: alphabet_of(one.manifest) for one in holdings.lists}

    def find(performance: str, number: str) -> bytes | None:
        ticket = hold(number, performance, holdings, history)
        return None if ticket is None else ticket.identifier

    return meant_by(typed, alphabets, find)
