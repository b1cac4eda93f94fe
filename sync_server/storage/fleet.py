"""Releases and rollouts, in the database."""

from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.fleet_entities import OVER, Night, Plan, Release, Rollout, RolloutState
from sync_server.storage.fleet_tables import releases, rollouts

_OVER: Final = [state.value for state in OVER]


class SqlFleet:
    """The `Fleet` of `fleet_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_release(self, release: Release) -> None:
        """Keep a new one."""
        await self._connection.execute(insert(releases).values(asdict(release)))

    async def release(self, release_id: str) -> Release | None:
        """Give one, or None."""
        rows = await self._connection.execute(select(releases).where(releases.c.id == release_id))
        row = rows.mappings().one_or_none()
        return None if row is None else Release(**row)

    async def releases(self) -> list[Release]:
        """Give all, those added last first."""
        rows = await self._connection.execute(
            select(releases).order_by(releases.c.added_ms.desc(), releases.c.id.desc())
        )
        return [Release(**row) for row in rows.mappings()]

    async def withdraw_release(self, release_id: str, at_ms: int) -> None:
        """Note that one is offered to nobody any more."""
        await self._connection.execute(
            update(releases).where(releases.c.id == release_id).values(withdrawn_ms=at_ms)
        )

    async def add_rollout(self, rollout: Rollout) -> None:
        """Keep a new one."""
        plan, night = rollout.plan, rollout.plan.night
        await self._connection.execute(
            insert(rollouts).values(
                id=rollout.id,
                organization_id=rollout.organization_id,
                version=plan.version,
                venue_id=plan.venue_id,
                canaries=list(plan.canaries),
                steps=list(plan.steps),
                healthy_h=plan.healthy_h,
                is_automatic=plan.is_automatic,
                night_from_min=None if night is None else night.from_min,
                night_until_min=None if night is None else night.until_min,
                is_downgrade=plan.is_downgrade,
                created_ms=rollout.created_ms,
                created_by=rollout.created_by,
                **_changeable(rollout),
            )
        )

    async def save_rollout(self, rollout: Rollout) -> None:
        """Replace what is kept of how far one has come; its plan is never another."""
        await self._connection.execute(
            update(rollouts).where(rollouts.c.id == rollout.id).values(_changeable(rollout))
        )

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """Give one, or None."""
        rows = await self._connection.execute(select(rollouts).where(rollouts.c.id == rollout_id))
        row = rows.mappings().one_or_none()
        return None if row is None else _rollout(row)

    async def open_rollouts(self) -> list[Rollout]:
        """Give those that are not over, oldest first."""
        rows = await self._connection.execute(
            select(rollouts)
            .where(rollouts.c.state.not_in(_OVER))
            .order_by(rollouts.c.created_ms, rollouts.c.id)
        )
        return [_rollout(row) for row in rows.mappings()]

    async def newest_rollouts(self, organization_ids: list[str], limit: int) -> list[Rollout]:
        """Give those of some organizations, newest first."""
        rows = await self._connection.execute(
            select(rollouts)
            .where(rollouts.c.organization_id.in_(organization_ids))
            .order_by(rollouts.c.created_ms.desc(), rollouts.c.id.desc())
            .limit(limit)
        )
        return [_rollout(row) for row in rows.mappings()]


def _changeable(rollout: Rollout) -> dict[str, Any]:
    return {
        "state": rollout.state.value,
        "stage": rollout.stage,
        "stage_since_ms": rollout.stage_since_ms,
        "complete_ms": rollout.complete_ms,
        "reason": rollout.reason,
        "culprit": rollout.culprit,
        "excused": list(rollout.excused),
    }


def _rollout(row: RowMapping) -> Rollout:
    since, until = row["night_from_min"], row["night_until_min"]
    return Rollout(
        id=row["id"],
        organization_id=row["organization_id"],
        plan=Plan(
            version=row["version"],
            venue_id=row["venue_id"],
            canaries=tuple(row["canaries"]),
            steps=tuple(row["steps"]),
            healthy_h=row["healthy_h"],
            is_automatic=row["is_automatic"],
            night=None if since is None or until is None else Night(since, until),
            is_downgrade=row["is_downgrade"],
        ),
        state=RolloutState(row["state"]),
        stage=row["stage"],
        stage_since_ms=row["stage_since_ms"],
        complete_ms=row["complete_ms"],
        reason=row["reason"],
        culprit=row["culprit"],
        excused=tuple(row["excused"]),
        created_ms=row["created_ms"],
        created_by=row["created_by"],
    )
