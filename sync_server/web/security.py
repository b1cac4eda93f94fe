"""What every answer of the server tells browsers to refuse. Added to the application by `main`.

Pages need no inline script and no inline style, and load nothing from elsewhere.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: browsers then send "Origin: null" with our own forms
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Server": "portillon",  # and not which version of which library
}
_STRICT_TRANSPORT: Final = "max-age=31536000"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_Signal = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


def add_security_headers(app: web.Application, *, strict_transport: bool) -> None:
    """Have every answer carry HEADERS, answers of errors and streams too.

    Args:
        app: the outermost application.
        strict_transport: whether browsers shall never again take another certificate than one
            that they trust by themselves; a certificate of our own would lock people out.
    """
    app.on_response_prepare.append(_signal(strict_transport=strict_transport))


@web.middleware
async def refuse_foreign_origins(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse to change anything for a page of another site.

    Browsers say where a request comes from; programs (gates, scripts) say nothing and pass. It
    stands in front of the token of `sessions.check_csrf` and guards the login form too.

    Raises:
        web.HTTPForbidden: for an unsafe method from another origin.
    """
    if request.method not in _SAFE_METHODS and not _is_own_origin(request):
        raise web.HTTPForbidden(text="this request comes from another site")
    return await handler(request)


@web.middleware
async def believe_own_proxy(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take the client's address from the web server that stands before this one.

    Only one on this machine is believed, and only the last address of what it says: it saw that
    one itself. Without this, one guesser behind the proxy would slow everybody's login down.
    """
    said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if is_loopback(request.remote or "") and _is_address(said):
        request = request.clone(remote=said)
    return await handler(request)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(text: str) -> bool:
    """Tell whether a text is an address of this machine, which no network leads to."""
    return _is_address(text) and ip_address(text).is_loopback


def _is_own_origin(request: web.Request) -> bool:
    fetched_from = request.headers.get("Sec-Fetch-Site")
    if fetched_from is not None:
        return fetched_from in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _signal(*, strict_transport: bool) -> _Signal:
    async def add(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers[name] = value
        if strict_transport:
            response.headers["Strict-Transport-Security"] = _STRICT_TRANSPORT
        response.headers.setdefault("Cache-Control", "no-store")

    return add
