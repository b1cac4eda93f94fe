"""The pages of stewards and supervisors, and how they are found. Called by `pages`."""

from appliance.handheld_ports import StaffDesk
from appliance.local_page.handheld_page import HandheldPage
from appliance.local_page.keyed_page import KEYED_ENTRY, KeyedPage
from appliance.local_page.steward_page import STEWARD_ENTRY, StewardPage
from appliance.local_page.visits import NavigationEntry, Route


def staff_routes(staff: StaffDesk) -> list[Route]:
    """Give every address."""
    return [
        *KeyedPage(staff).routes(),
        *StewardPage(staff).routes(),
        *HandheldPage(staff).routes(),
    ]


STAFF_NAVIGATION: tuple[NavigationEntry, ...] = (KEYED_ENTRY, STEWARD_ENTRY)
