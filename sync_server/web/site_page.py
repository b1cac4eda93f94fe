"""A site server's one page: how it stands, for whoever is at the machine. It changes nothing.

It is shown on this machine alone, without a login: a site has no accounts, and nobody on the
venue's network needs to read which gates there are. From afar it is reached through a tunnel.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from sync_server.site_state import SiteState
from sync_server.web.languages import LANGUAGES, choose
from sync_server.web.rendering import Pages, Words, page
from sync_server.web.security import add_security_headers, is_loopback, refuse_foreign_origins
from sync_server.web.statics import own_statics

STATE: Final[web.AppKey[Callable[[], Awaitable[SiteState]]]] = web.AppKey("site_state")
PAGES: Final = web.AppKey("site_pages", Pages)


def add_site_page(app: web.Application, state: Callable[[], Awaitable[SiteState]]) -> None:
    """Serve the page.

    Args:
        app: the outermost application.
        state: gathers what the page shows.
    """
    statics = own_statics()
    app[STATE], app[PAGES] = state, Pages(statics)
    app.middlewares.append(refuse_foreign_origins)
    add_security_headers(app, strict_transport=False)
    statics.add_routes(app)
    app.router.add_get("/", _show)


async def _show(request: web.Request) -> web.StreamResponse:
    language = choose(request.query.get("language"), request.headers.get("Accept-Language", ""))
    words = Words(language)
    if not is_loopback(request.remote or ""):
        raise web.HTTPForbidden(text=words("This page is shown on the site server itself only."))
    state = await request.app[STATE]()
    context = {
        "state": state,
        "zone": ZoneInfo(state.timezone or "UTC"),
        "tongues": [(code, code == language) for code in LANGUAGES],
        "csrf": "",
        "path": "/",
    }
    return page(request.app[PAGES].text(language, "site.html", context))
