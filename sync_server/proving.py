"""What tickets that prove themselves are on the server: in published lists, in the one truth.

Called by publishing and reconciling, within their transactions.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from admission.passage import TicketFact, TicketKey
from admission.proof.proving import Issuer, claimed_class
from admission.proof.rotation import Rotation
from admission.reconcile import ListedTicket, unlisted_ticket
from admission.ticket import EntryExit, TicketClass, TicketState
from admission.ticketlist.issuers import IssuerClassRow, IssuerRow, RotationRow
from admission.ticketlist.packed import Entry
from sync_server.ports import Transaction

# of a blocked number that says nothing of itself: should somebody be inside with it, the way out
# stays open
UNNAMED_CLASS: Final = TicketClass("", EntryExit())


@dataclass(frozen=True, slots=True)
class ProofRows:
    """What a manifest says of tickets that prove themselves, and the entries that stop some.

    Attributes:
        issuers: those that are accepted.
        rotating: the performance's rotating codes, or None.
        stops: entries of blocked numbers that no list holds; they are no tickets.
    """

    issuers: tuple[IssuerRow, ...]
    rotating: RotationRow | None
    stops: tuple[Entry, ...]


async def proof_rows(
    transaction: Transaction, performance_id: str, classes: Sequence[TicketClass]
) -> ProofRows:
    """Give what is to be published of a performance's issuers, codes and blocked numbers.

    Args:
        transaction: a view of the database.
        performance_id: of the performance.
        classes: the class table that is published; every issuer's classes are in it.
    """
    places = {ticket_class: place for place, ticket_class in enumerate(classes)}
    known = await transaction.proving.issuers(performance_id)
    every = [one.issuer for one in known]
    stops = []
    for identifier, number in await transaction.proving.blocked(performance_id):
        ticket_class = claimed_class(number, performance_id, every) or UNNAMED_CLASS
        stops.append(Entry(identifier, places[ticket_class], TicketState.BLOCKED))
    accepted = tuple(_row(one.issuer, places) for one in known if one.accepted)
    rotation = await transaction.proving.rotation(performance_id)
    return ProofRows(accepted, None if rotation is None else _rotating(rotation), tuple(stops))


def _rotating(rotation: Rotation) -> RotationRow:
    return RotationRow(
        pattern=rotation.pattern,
        period_ms=rotation.period_ms,
        lengths=rotation.lengths,
        allows_static=rotation.allows_static,
    )


def _row(issuer: Issuer, places: Mapping[TicketClass, int]) -> IssuerRow:
    return IssuerRow(
        format=issuer.format,
        public_key=issuer.public_key.hex(),
        classes=tuple(
            IssuerClassRow(
                code=code.code, variation=code.variation, class_index=places[ticket_class]
            )
            for code, ticket_class in issuer.classes.items()
        ),
        subevents=None if issuer.subevents is None else tuple(sorted(issuer.subevents)),
    )


async def with_all_keys(
    transaction: Transaction,
    performance_id: str,
    keys: Sequence[TicketKey],
    unlisted: Collection[bytes],
) -> list[TicketKey]:
    """Add the other checkpoints' keys of unlisted numbers: a proof at one of them counts at all."""
    others = await transaction.facts.keys_of(performance_id, unlisted) if unlisted else []
    return list(dict.fromkeys([*keys, *others]))


async def unlisted_tickets(
    transaction: Transaction,
    performance_id: str,
    unlisted: Collection[bytes],
    facts: Mapping[TicketKey, Mapping[TicketFact, int]],
) -> Mapping[bytes, ListedTicket | None]:
    """Give what numbers that no list holds are, by identifier.

    Args:
        transaction: a view of the database.
        performance_id: of the performance.
        unlisted: identifiers.
        facts: by key, all of theirs among them.
    """
    if not unlisted:
        return {}
    believed = {
        ticket_class
        for known in await transaction.proving.issuers(performance_id)
        for ticket_class in known.issuer.classes.values()
    }
    blocks = await transaction.proving.blocks(performance_id, list(unlisted))
    own: defaultdict[bytes, list[TicketFact]] = defaultdict(list)
    for key, of_key in facts.items():
        if key.performance == performance_id:
            own[key.identifier] += of_key
    return {
        identifier: unlisted_ticket(own[identifier], believed, blocks.get(identifier, ()))
        for identifier in unlisted
    }
