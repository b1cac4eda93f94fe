"""What is done with a venue's site servers: making one, its joining code, revoking it."""

from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from sync_server.accounts import Right
from sync_server.errors import NotFoundError
from sync_server.web.back_office.forms import read_own_form
from sync_server.web.back_office.frame import show, words_of
from sync_server.web.back_office.set_up import DESK, finish, is_among, read_sent, venue_of
from sync_server.web.formats import isolated
from sync_server.web.sessions import reached_by

_SITE: Final = "/set-up/venues/{venue}/sites/{site}"


def add_routes(app: web.Application) -> None:
    """Serve what is done with site servers."""
    app.router.add_post("/set-up/venues/{venue}/sites", add_site)
    app.router.add_post(_SITE + "/code", new_code)
    app.router.add_post(_SITE + "/revoke", revoke)


async def add_site(request: web.Request) -> web.StreamResponse:
    """Make a site server of a venue."""
    sent = await read_sent(request, "site")
    name = sent.check.name("name")
    return await finish(
        request, sent, lambda: sent.desk.add_site(sent.current.user, sent.venue.id, name)
    )


async def new_code(request: web.Request) -> web.StreamResponse:
    """Make a site server's joining code and show it, this once."""
    current, _ = await read_own_form(request, Right.SET_UP)
    _, venue = await venue_of(request, current)
    desk, site_id = request.config_dict[DESK], request.match_info["site"]
    names = [one.name for one in await desk.sites(current.user, venue) if one.id == site_id]
    if not names:
        raise NotFoundError("site")
    code = await desk.new_site_code(current.user, site_id, reached_by(request))
    words = await words_of(request)
    context = {
        "venue": venue,
        "title": words("Joining code of %(site)s", site=isolated(names[0])),
        "code": code,
        "is_single": True,
        "is_site": True,
        "qr": "",
        "zone": ZoneInfo(venue.timezone),
    }
    path = f"/set-up/venues/{venue.id}"
    return await show(request, current, "code.html", "set_up", context, path=path)


async def revoke(request: web.Request) -> web.StreamResponse:
    """Have a site server's key mean nothing any more."""
    sent, site_id = await read_sent(request, "parted"), request.match_info["site"]
    sites = await sent.desk.sites(sent.current.user, sent.venue)
    if not is_among(site_id, sites, sent.venue):
        raise NotFoundError("site")
    return await finish(request, sent, lambda: sent.desk.revoke_site(sent.current.user, site_id))
