"""Organizations, venues and events in the database."""

from collections.abc import Sequence

from sqlalchemy import insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.entities import Event, Organization, Venue
from sync_server.storage.tables import events, organizations, venues


class SqlOrganizations:
    """The `Organizations` of `ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_organization(self, organization: Organization) -> None:
        """Keep a new one."""
        await self._connection.execute(
            insert(organizations).values(
                id=organization.id, parent_id=organization.parent_id, name=organization.name
            )
        )

    async def organization(self, organization_id: str) -> Organization | None:
        """Give one, or None."""
        rows = await self._connection.execute(
            select(organizations).where(organizations.c.id == organization_id)
        )
        row = rows.mappings().one_or_none()
        return None if row is None else Organization(**row)

    async def root(self) -> Organization | None:
        """Give the one without a parent, None before `init`."""
        rows = await self._connection.execute(
            select(organizations).where(organizations.c.parent_id.is_(None))
        )
        row = rows.mappings().first()
        return None if row is None else Organization(**row)

    async def branch(self, top: str) -> list[Organization]:
        """Give an organization and all below it, by name."""
        below = select(literal(top).label("id")).cte(recursive=True)
        below = below.union_all(
            select(organizations.c.id).join(below, organizations.c.parent_id == below.c.id)
        )
        rows = await self._connection.execute(
            select(organizations)
            .where(organizations.c.id.in_(select(below.c.id)))
            .order_by(organizations.c.name, organizations.c.id)
        )
        return [Organization(**row) for row in rows.mappings()]

    async def add_venue(self, venue: Venue) -> None:
        """Keep a new one."""
        await self._connection.execute(
            insert(venues).values(
                id=venue.id,
                organization_id=venue.organization_id,
                name=venue.name,
                timezone=venue.timezone,
            )
        )

    async def venue(self, venue_id: str) -> Venue | None:
        """Give one, or None."""
        rows = await self._connection.execute(select(venues).where(venues.c.id == venue_id))
        row = rows.mappings().one_or_none()
        return None if row is None else Venue(**row)

    async def venues(self, organization_ids: Sequence[str]) -> list[Venue]:
        """Give those of some organizations, by name."""
        rows = await self._connection.execute(
            select(venues)
            .where(venues.c.organization_id.in_(organization_ids))
            .order_by(venues.c.name, venues.c.id)
        )
        return [Venue(**row) for row in rows.mappings()]

    async def add_event(self, event: Event) -> None:
        """Keep a new one."""
        await self._connection.execute(
            insert(events).values(
                id=event.id,
                organization_id=event.organization_id,
                venue_id=event.venue_id,
                name=event.name,
            )
        )

    async def event(self, event_id: str) -> Event | None:
        """Give one, or None."""
        rows = await self._connection.execute(select(events).where(events.c.id == event_id))
        row = rows.mappings().one_or_none()
        return None if row is None else Event(**row)

    async def events(self, organization_ids: Sequence[str]) -> list[Event]:
        """Give those of some organizations, by name."""
        rows = await self._connection.execute(
            select(events)
            .where(events.c.organization_id.in_(organization_ids))
            .order_by(events.c.name, events.c.id)
        )
        return [Event(**row) for row in rows.mappings()]
