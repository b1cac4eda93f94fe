"""All pages behind a PIN, and how they are found. Called by `main`'s drivers."""

from appliance.local_page.framework import Access, GatePages
from appliance.local_page.markup import element
from appliance.local_page.staff_pages import STAFF_NAVIGATION, staff_routes
from appliance.local_page.visits import NavigationEntry, Outcome, Page, Route, Visit
from appliance.page_ports import GateDesk, PageRole


def gate_pages(desk: GateDesk, access: Access) -> GatePages:
    """Give the gate's pages.

    Args:
        desk: what they look at, and what they may ask for.
        access: who may come.
    """
    routes = [Route("GET", "/gate/", PageRole.STEWARD, _home), *staff_routes(desk.staff)]
    navigation = [
        NavigationEntry("/gate/", "nav.overview", PageRole.STEWARD),
        *STAFF_NAVIGATION,
    ]
    return GatePages(access, routes, navigation)


async def _home(visit: Visit) -> Outcome:
    return Page(visit.words("nav.overview"), element("p"))
