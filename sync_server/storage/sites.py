"""Site servers and the codes that they join with, in the central server's database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sync_server.entities import JsonValue, Site, SiteCode
from sync_server.errors import ConflictError
from sync_server.storage.site_tables import site_codes, sites


class SqlSites:
    """The `Sites` of `site_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_site(self, site: Site) -> None:
        """Keep a new one."""
        await self._connection.execute(
            insert(sites).values(id=site.id, venue_id=site.venue_id, **_changeable(site))
        )

    async def save_site(self, site: Site) -> None:
        """Replace what is kept of one, except what `note_site` keeps.

        Raises:
            ConflictError: if its public key is another site's.
        """
        try:
            await self._connection.execute(
                update(sites).where(sites.c.id == site.id).values(_changeable(site))
            )
        except IntegrityError as exc:
            raise ConflictError("key_taken", "another site has this key already") from exc

    async def note_site(
        self, site_id: str, seen_ms: int, status: dict[str, JsonValue] | None
    ) -> None:
        """Note that a site was heard, and what it said of itself (None: nothing new)."""
        values: dict[str, Any] = {"last_seen_ms": seen_ms}
        if status is not None:
            values["last_status"] = status
        await self._connection.execute(update(sites).where(sites.c.id == site_id).values(values))

    async def site(self, site_id: str) -> Site | None:
        """Give one, or None."""
        rows = await self._connection.execute(select(sites).where(sites.c.id == site_id))
        row = rows.mappings().one_or_none()
        return None if row is None else _site(row)

    async def sites_at(self, venue_ids: Sequence[str]) -> list[Site]:
        """Give those of some venues, by name."""
        rows = await self._connection.execute(
            select(sites).where(sites.c.venue_id.in_(venue_ids)).order_by(sites.c.name, sites.c.id)
        )
        return [_site(row) for row in rows.mappings()]

    async def add_code(self, code: SiteCode) -> None:
        """Keep a new code; earlier unused ones of its site are dropped."""
        await self._connection.execute(
            delete(site_codes).where(
                site_codes.c.site_id == code.site_id, site_codes.c.used_ms.is_(None)
            )
        )
        await self._connection.execute(
            insert(site_codes).values(
                code_hash=code.code_hash, site_id=code.site_id, expires_ms=code.expires_ms
            )
        )

    async def codes(self) -> list[SiteCode]:
        """Give the unused codes."""
        rows = await self._connection.execute(
            select(site_codes).where(site_codes.c.used_ms.is_(None))
        )
        return [SiteCode(**row) for row in rows.mappings()]

    async def spend_code(self, code_hash: bytes, used_ms: int) -> bool:
        """Mark a code used; False where it was used before."""
        spent = await self._connection.execute(
            update(site_codes)
            .where(site_codes.c.code_hash == code_hash, site_codes.c.used_ms.is_(None))
            .values(used_ms=used_ms)
        )
        return spent.rowcount == 1


def _changeable(site: Site) -> Mapping[str, Any]:
    return {
        "name": site.name,
        "public_key": site.public_key,
        "pins": list(site.pins),
        "addresses": list(site.addresses),
        "joined_ms": site.joined_ms,
        "revoked_ms": site.revoked_ms,
    }


def _site(row: RowMapping) -> Site:
    values = dict(row)
    values["pins"], values["addresses"] = tuple(values["pins"]), tuple(values["addresses"])
    return Site(**values)
