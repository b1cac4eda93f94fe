"""What a user reaches: the organization of the account and all below it. Called by the services.

What lies outside is answered as if it were not there.
"""

from sync_server.account_ports import User
from sync_server.entities import Checkpoint, Event, Gate, Performance, Site, Venue
from sync_server.errors import NotFoundError
from sync_server.ports import Transaction


async def reach(transaction: Transaction, user: User) -> list[str]:
    """Give the ids of the organizations that a user works in."""
    branch = await transaction.organizations.branch(user.organization_id)
    return [organization.id for organization in branch]


async def find_venue(transaction: Transaction, user: User, venue_id: str) -> Venue:
    """Give a venue in the user's reach.

    Raises:
        NotFoundError: if there is none.
    """
    venue = await transaction.organizations.venue(venue_id)
    if venue is None or venue.organization_id not in await reach(transaction, user):
        raise NotFoundError("venue")
    return venue


async def find_event(transaction: Transaction, user: User, event_id: str) -> Event:
    """Give an event in the user's reach.

    Raises:
        NotFoundError: if there is none.
    """
    event = await transaction.organizations.event(event_id)
    if event is None or event.organization_id not in await reach(transaction, user):
        raise NotFoundError("event")
    return event


async def find_performance(
    transaction: Transaction, user: User, performance_id: str
) -> Performance:
    """Give a performance in the user's reach.

    Raises:
        NotFoundError: if there is none.
    """
    owner = await transaction.performances.organization_of_performance(performance_id)
    performance = await transaction.performances.performance(performance_id)
    if performance is None or owner not in await reach(transaction, user):
        raise NotFoundError("performance")
    return performance


async def find_checkpoint(transaction: Transaction, user: User, checkpoint_id: str) -> Checkpoint:
    """Give a checkpoint in the user's reach.

    Raises:
        NotFoundError: if there is none.
    """
    owner = await transaction.checkpoints.organization_of_checkpoint(checkpoint_id)
    checkpoint = await transaction.checkpoints.checkpoint(checkpoint_id)
    if checkpoint is None or owner not in await reach(transaction, user):
        raise NotFoundError("checkpoint")
    return checkpoint


async def find_gate(transaction: Transaction, user: User, gate_id: str) -> Gate:
    """Give a gate in the user's reach.

    Raises:
        NotFoundError: if there is none.
    """
    owner = await transaction.gates.organization_of_gate(gate_id)
    gate = await transaction.gates.gate(gate_id)
    if gate is None or owner not in await reach(transaction, user):
        raise NotFoundError("gate")
    return gate


async def find_site(transaction: Transaction, user: User, site_id: str) -> Site:
    """Give a site server in the user's reach.

    Raises:
        NotFoundError: if there is none.
    """
    site = await transaction.sites.site(site_id)
    if site is None:
        raise NotFoundError("site")
    await find_venue(transaction, user, site.venue_id)
    return site
