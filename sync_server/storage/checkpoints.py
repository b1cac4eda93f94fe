"""Checkpoints and the performances they control, in the database."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.entities import Checkpoint
from sync_server.storage.tables import checkpoint_performances, checkpoints, venues


class SqlCheckpoints:
    """The `Checkpoints` of `ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a new one."""
        await self._connection.execute(
            insert(checkpoints).values(
                id=checkpoint.id,
                venue_id=checkpoint.venue_id,
                name=checkpoint.name,
                allowed_categories=_stored_categories(checkpoint),
                capacity=checkpoint.capacity,
            )
        )
        await self._control(checkpoint)

    async def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace what is kept of one, the performances it controls included."""
        await self._connection.execute(
            update(checkpoints)
            .where(checkpoints.c.id == checkpoint.id)
            .values(
                name=checkpoint.name,
                allowed_categories=_stored_categories(checkpoint),
                capacity=checkpoint.capacity,
            )
        )
        await self._connection.execute(
            delete(checkpoint_performances).where(
                checkpoint_performances.c.checkpoint_id == checkpoint.id
            )
        )
        await self._control(checkpoint)

    async def checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        """Give one, or None."""
        rows = await self._connection.execute(
            select(checkpoints).where(checkpoints.c.id == checkpoint_id)
        )
        found = await self._with_performances(rows.mappings().all())
        return found[0] if found else None

    async def checkpoints(self, organization_ids: Sequence[str]) -> list[Checkpoint]:
        """Give those of some organizations, by name."""
        rows = await self._connection.execute(
            select(checkpoints)
            .join(venues, venues.c.id == checkpoints.c.venue_id)
            .where(venues.c.organization_id.in_(organization_ids))
            .order_by(checkpoints.c.name, checkpoints.c.id)
        )
        return await self._with_performances(rows.mappings().all())

    async def checkpoints_at(self, venue_id: str) -> list[Checkpoint]:
        """Give those of a venue, by name."""
        rows = await self._connection.execute(
            select(checkpoints)
            .where(checkpoints.c.venue_id == venue_id)
            .order_by(checkpoints.c.name, checkpoints.c.id)
        )
        return await self._with_performances(rows.mappings().all())

    async def organization_of_checkpoint(self, checkpoint_id: str) -> str | None:
        """Give the id of the organization it belongs to, or None where it does not exist."""
        found: str | None = await self._connection.scalar(
            select(venues.c.organization_id)
            .join(checkpoints, checkpoints.c.venue_id == venues.c.id)
            .where(checkpoints.c.id == checkpoint_id)
        )
        return found

    async def _control(self, checkpoint: Checkpoint) -> None:
        if checkpoint.performances:
            await self._connection.execute(
                insert(checkpoint_performances),
                [
                    {"checkpoint_id": checkpoint.id, "performance_id": performance}
                    for performance in checkpoint.performances
                ],
            )

    async def _with_performances(self, rows: Sequence[RowMapping]) -> list[Checkpoint]:
        controlled = defaultdict(list)
        links = await self._connection.execute(
            select(checkpoint_performances)
            .where(checkpoint_performances.c.checkpoint_id.in_([row["id"] for row in rows]))
            .order_by(checkpoint_performances.c.performance_id)
        )
        for checkpoint_id, performance_id in links:
            controlled[checkpoint_id].append(performance_id)
        return [_checkpoint(row, controlled[row["id"]]) for row in rows]


def _stored_categories(checkpoint: Checkpoint) -> list[str] | None:
    return None if checkpoint.allowed_categories is None else list(checkpoint.allowed_categories)


def _checkpoint(row: RowMapping, controlled: list[str]) -> Checkpoint:
    allowed = row["allowed_categories"]
    return Checkpoint(
        id=row["id"],
        venue_id=row["venue_id"],
        name=row["name"],
        allowed_categories=None if allowed is None else tuple(allowed),
        capacity=row["capacity"],
        performances=tuple(controlled),
    )
