"""The headers of every answer of the gate's own page, and under which names it may be asked for."""

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # not no-referrer: browsers then send "Origin: null" with our own forms
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# no word on how long: the certificate may be made anew, and a gate's address go to another machine
TLS_HEADERS: Final[dict[str, str]] = {}


def known_names_only(names: Collection[str]) -> Middleware:
    """Make a middleware that refuses requests for names that are not this gate's.

    A page elsewhere can have its own name lead here and then read the answers as its own; an
    address of numbers cannot be had that way.

    Args:
        names: besides addresses of numbers and `localhost`.
    """
    allowed = {"localhost", *(name.lower().rstrip(".") for name in names)}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_known(request.host, allowed):
            return web.Response(status=421, text="No such name at this gate.\n", headers=HEADERS)
        return await handler(request)

    return middleware


def _is_known(host: str, allowed: Collection[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ip_address(name)
    except ValueError:
        return name.lower().rstrip(".") in allowed
    return True
