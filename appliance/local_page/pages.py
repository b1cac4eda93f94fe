"""All pages behind a PIN, and how they are found. Called by `page_opening`."""

from appliance.local_page.display_page import PictureSource
from appliance.local_page.framework import Access, GatePages
from appliance.local_page.journal_page import JournalPage
from appliance.local_page.overview import Overview
from appliance.local_page.picture_page import PicturePage
from appliance.local_page.set_up_page import SET_UP_ENTRY, SetUpPage
from appliance.local_page.staff_pages import STAFF_NAVIGATION, staff_routes
from appliance.local_page.visits import NavigationEntry
from appliance.local_page.wiring_page import WIRING_ENTRY, WiringPage
from appliance.page_ports import GateDesk, PageRole


def gate_pages(desk: GateDesk, access: Access, display: PictureSource) -> GatePages:
    """Give the gate's pages.

    Args:
        desk: what they look at, and what they may ask for.
        access: who may come.
        display: what everybody at the gate sees.
    """
    routes = [
        *Overview(desk).routes(),
        *JournalPage(desk).routes(),
        *PicturePage(desk, display).routes(),
        *WiringPage(desk).routes(),
        *SetUpPage(desk, access.pins).routes(),
        *staff_routes(desk.staff),
    ]
    navigation = [
        NavigationEntry("/gate/", "nav.overview", PageRole.STEWARD),
        *STAFF_NAVIGATION,
        NavigationEntry("/gate/journal", "nav.journal", PageRole.STEWARD),
        NavigationEntry("/gate/picture", "nav.picture", PageRole.SUPERVISOR),
        WIRING_ENTRY,
        SET_UP_ENTRY,
    ]
    return GatePages(access, routes, navigation)
