"""Performances and the lists published of them, in the database."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.ticketlist.attributes import TRAVELLING
from admission.ticketlist.guessability import Guessability
from admission.ticketlist.key_storage import KeyStorage
from sync_server.entities import ListVersion, Performance
from sync_server.storage.measures import document_of, measured_of
from sync_server.storage.tables import events, list_versions, performances


class SqlPerformances:
    """The `Performances` of `ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_performance(self, performance: Performance) -> None:
        """Keep a new one."""
        await self._connection.execute(
            insert(performances).values(
                id=performance.id,
                event_id=performance.event_id,
                list_key=performance.list_key,
                published_version=performance.published_version,
                guessability=document_of(performance.guessability),
                **_changeable(performance),
            )
        )

    async def save_performance(self, performance: Performance) -> None:
        """Replace what is kept of one, except its list key, published version and measure."""
        await self._connection.execute(
            update(performances)
            .where(performances.c.id == performance.id)
            .values(_changeable(performance))
        )

    async def performance(self, performance_id: str) -> Performance | None:
        """Give one, or None."""
        return (await self.performances_by_id([performance_id])).get(performance_id)

    async def performances(self, organization_ids: Sequence[str]) -> list[Performance]:
        """Give those of some organizations, by start (open-dated last), then name."""
        return await self._ordered(events.c.organization_id.in_(organization_ids))

    async def performances_at(self, venue_id: str) -> list[Performance]:
        """Give those of a venue's events, by start (open-dated last), then name."""
        return await self._ordered(events.c.venue_id == venue_id)

    async def _ordered(self, condition: ColumnElement[bool]) -> list[Performance]:
        rows = await self._connection.execute(
            select(performances)
            .join(events, events.c.id == performances.c.event_id)
            .where(condition)
            .order_by(
                performances.c.starts_ms.is_(None),
                performances.c.starts_ms,
                performances.c.name,
                performances.c.id,
            )
        )
        return [_performance(row) for row in rows.mappings()]

    async def performances_by_id(self, ids: Iterable[str]) -> dict[str, Performance]:
        """Give those of some ids that exist, by id."""
        rows = await self._connection.execute(
            select(performances).where(performances.c.id.in_(set(ids)))
        )
        return {row["id"]: _performance(row) for row in rows.mappings()}

    async def organization_of_performance(self, performance_id: str) -> str | None:
        """Give the id of the organization it belongs to, or None where it does not exist."""
        found: str | None = await self._connection.scalar(
            select(events.c.organization_id)
            .join(performances, performances.c.event_id == events.c.id)
            .where(performances.c.id == performance_id)
        )
        return found

    async def note_published(self, performance_id: str, version: int) -> None:
        """Note the version of a performance's newest list."""
        await self._connection.execute(
            update(performances)
            .where(performances.c.id == performance_id)
            .values(published_version=version)
        )

    async def note_guessability(self, performance_id: str, measured: Guessability | None) -> None:
        """Note how guessable a performance's numbers are now."""
        await self._connection.execute(
            update(performances)
            .where(performances.c.id == performance_id)
            .values(guessability=document_of(measured))
        )

    async def add_list_version(self, version: ListVersion) -> None:
        """Keep a published list."""
        await self._connection.execute(
            insert(list_versions).values(
                performance_id=version.performance_id,
                version=version.version,
                published_ms=version.published_ms,
                manifest=version.manifest,
                snapshot_sha256=version.snapshot_sha256,
                size_bytes=version.size_bytes,
                count=version.count,
                stops=version.stops,
            )
        )

    async def newest_list(self, performance_id: str) -> ListVersion | None:
        """Give the newest published list, or None before the first."""
        found = await self.list_versions(performance_id, 1)
        return found[0] if found else None

    async def list_versions(self, performance_id: str, limit: int) -> list[ListVersion]:
        """Give the newest published lists, newest first."""
        rows = await self._connection.execute(
            select(list_versions)
            .where(list_versions.c.performance_id == performance_id)
            .order_by(list_versions.c.version.desc())
            .limit(limit)
        )
        return [ListVersion(**row) for row in rows.mappings()]


def _changeable(performance: Performance) -> Mapping[str, Any]:
    return {
        "name": performance.name,
        "starts_ms": performance.starts_ms,
        "timezone": performance.timezone,
        "day_starts_at": performance.day_starts_at,
        "excluded_categories": list(performance.excluded_categories),
        "admits_from_us": performance.admits_from_us,
        "admits_until_us": performance.admits_until_us,
        "canceled": performance.canceled,
        "key_storage": performance.key_storage.value,
        "key_storage_reason": performance.key_storage_reason,
        "gate_fields": list(performance.gate_fields),
    }


def _performance(row: RowMapping) -> Performance:
    values = dict(row)
    values["excluded_categories"] = tuple(values["excluded_categories"])
    values["guessability"] = measured_of(values["guessability"])
    values["key_storage"] = KeyStorage(values["key_storage"])
    fields = values["gate_fields"]
    values["gate_fields"] = TRAVELLING if fields is None else tuple(fields)
    del values["listed"]  # for reports, which read it themselves
    del values["changes_logged"]  # for the pieces of lists
    return Performance(**values)
