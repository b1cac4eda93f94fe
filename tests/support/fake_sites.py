"""The site servers of the pages' fake desk."""

from sync_server.account_ports import User
from sync_server.entities import Site, Venue
from sync_server.web.back_office.desk import NewCode


class FakeSites:
    """That part of `BackOfficeDesk`; what was asked is noted by `_ask`."""

    site_servers = (Site("s1", "v1", "Local technique"),)

    async def sites(self, user: User, venue: Venue) -> list[Site]:
        return [one for one in self.site_servers if one.venue_id == venue.id]

    async def add_site(self, user: User, venue_id: str, name: str) -> str:
        self._ask("site", venue_id, name)
        return "s2"

    async def new_site_code(self, user: User, site_id: str, reached_by: str) -> NewCode:
        self._ask("site_code", site_id)
        code = "ABCD-EFGH-JKMN-PQRS"
        return NewCode(
            code, 1_780_000_900_000, f"portillon:enrol?v=1&server={reached_by}&code={code}"
        )

    async def revoke_site(self, user: User, site_id: str) -> None:
        self._ask("site_revoked", site_id)

    def site_check_string(self, site: Site) -> str:
        return "" if site.joined_ms is None else "305 811"
