"""Runs the gate's pages: who may see what, forms that nobody else can send, bounded bodies.

Called by `serving`. A page is a function from a `Visit` to an `Outcome`; all that has to do with
the web is here and in `answering`.
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from aiohttp import web

from appliance.errors import StorageError
from appliance.local_page.headers import HEADERS, TLS_HEADERS
from appliance.local_page.layout import document
from appliance.local_page.live_stream import Streams
from appliance.local_page.log_in import HOME, LOG_IN, LogIn
from appliance.local_page.markup import element
from appliance.local_page.sessions import Session, Sessions
from appliance.local_page.throttling import PinThrottle, is_loopback
from appliance.local_page.visits import (
    Content,
    Live,
    LoggedIn,
    LoggedOut,
    Navigation,
    Outcome,
    Page,
    Redirect,
    Route,
    Visit,
)
from appliance.local_page.words import LANGUAGES, choose_language
from appliance.page_ports import PageRole, PinStore
from appliance.ports import Clock

log = logging.getLogger(__name__)

BODY_S_MAX: Final = 10.0  # a form is a few hundred bytes on a local network
FIELDS_MAX: Final = 50
LANGUAGE_S_MAX: Final = 365 * 24 * 3600
_NEW_TOKEN: Final = web.RequestKey("new_token", str)  # a cookie that the answer has to set
_NEW_VISIT: Final = web.RequestKey("new_visit", str)
_FORM_TYPE: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come, and how.

    Attributes:
        pins: of the two roles.
        clock: counts idleness and waits.
        language: where a visitor asks for none that we speak.
        gate: gives the gate's name.
        is_kiosk: whether somebody at this machine's own screen is a steward without a PIN, as
            long as no steward's PIN is set.
        is_tls: whether the page is served over TLS.
        idle_s: for each role, after how long without doing anything it is asked for its PIN.
    """

    pins: PinStore
    clock: Clock
    language: str
    gate: Callable[[], str] = lambda: ""
    is_kiosk: bool = False
    is_tls: bool = False
    idle_s: Mapping[PageRole, float] = field(
        default_factory=lambda: {PageRole.STEWARD: 4 * 3600.0, PageRole.SUPERVISOR: 600.0}
    )


class GatePages:
    """All pages that belong to somebody; the public one is `display_page`."""

    def __init__(self, access: Access, routes: Sequence[Route], navigation: Navigation) -> None:
        """Take who may come, the pages, and how they are found."""
        self._access = access
        self._navigation = navigation
        self._sessions = Sessions(access.idle_s)
        self._streams = Streams(access.clock)
        log_in = LogIn(access.pins, self._sessions, PinThrottle(), access.clock)
        self._routes = (*log_in.routes(), *routes)

    def add_to(self, application: web.Application) -> None:
        """Add every address to an application."""
        for route in self._routes:
            application.router.add_route(route.method, route.path, self._handler(route))

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await self._serve(route, request)
            except StorageError as exc:
                log.error("page not served", extra={"reason": str(exc)})  # noqa: TRY400
                visit = Visit(request.path, self._language(request))
                return self._refused(request, visit, 503, "gate.card_fails")

        return handle

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        visit, token = await self._visit(request)
        if route.method == "POST":
            if is_from_elsewhere(request):
                return self._refused(request, visit, 403, "gate.elsewhere")
            form = await _form(request, route.body_bytes_max)
            if form is None:
                return self._refused(request, visit, 413, "gate.too_much")
            visit.form = form
            if not hmac.compare_digest(form.get("csrf", "").encode(), visit.csrf.encode()):
                return self._refused(request, visit, 403, "gate.form_too_old")
        if route.role is not None and not visit.may_act_as(route.role):
            return self._not_allowed(request, visit)
        outcome = await route.handle(visit)
        if visit.session is not None and token and not isinstance(outcome, Live):
            self._sessions.use(token, visit.session, self._access.clock.monotonic_ns())
        return await self._answer(request, visit, outcome, token)

    async def _visit(self, request: web.Request) -> tuple[Visit, str]:
        """Find out who asks; give the session's token, too, "" for none."""
        stamps = await self._access.pins.stamps()
        now_ns = self._access.clock.monotonic_ns()
        token = request.cookies.get(self._cookie("session"), "")
        session = self._sessions.find(token, stamps, now_ns) if token else None
        address = request.remote or ""
        is_local = is_loopback(address)
        if session is None:
            token = ""
            if self._access.is_kiosk and is_local and PageRole.STEWARD not in stamps:
                token, session = self._sessions.open(PageRole.STEWARD, "", now_ns)
                request[_NEW_TOKEN] = token
        visit = Visit(
            path=request.path,
            language=self._language(request),
            query=request.query,
            session=session,
            csrf=self._csrf(request, session),
            is_local=is_local,
            address=address,
        )
        return visit, token

    def _csrf(self, request: web.Request, session: Session | None) -> str:
        """Give what forms carry: the session's, or what a cookie holds for whoever has none."""
        if session is not None:
            return session.csrf
        held = request.cookies.get(self._cookie("visit"), "")
        if len(held) != len(_fresh()):
            held = request[_NEW_VISIT] = _fresh()
        return held

    def _language(self, request: web.Request) -> str:
        asked = request.query.get("lang") or request.cookies.get("language")
        accepted = request.headers.get("Accept-Language", "")
        return choose_language(asked, accepted, self._access.language)

    # --- answers ----------------------------------------------------------------------------------

    async def _answer(
        self, request: web.Request, visit: Visit, outcome: Outcome, token: str
    ) -> web.StreamResponse:
        match outcome:
            case Page():
                return self._page(request, visit, outcome)
            case Redirect(path):
                return self._with_cookies(request, _see_other(path))
            case Content():
                response = web.Response(
                    body=outcome.body,
                    status=outcome.status,
                    content_type=outcome.content_type,
                    headers=self._headers(),
                )
                if outcome.file_name:
                    named = f'attachment; filename="{outcome.file_name}"'
                    response.headers["Content-Disposition"] = named
                return response
            case Live():
                session = visit.session
                is_open = (lambda: True) if session is None else self._is_open(session)
                return await self._streams.send(request, outcome, is_open, self._headers())
            case LoggedIn(new_token, path):
                if token:
                    self._sessions.close(token)
                request[_NEW_TOKEN] = new_token
                return self._with_cookies(request, _see_other(path))
            case LoggedOut(path):
                self._sessions.close(token)
                response = self._with_cookies(request, _see_other(path))
                response.del_cookie(self._cookie("session"), path="/")
                return response

    def _is_open(self, session: Session) -> Callable[[], bool]:
        def is_open() -> bool:
            now_ns = self._access.clock.monotonic_ns()
            return self._sessions.is_open(session) and not self._sessions.is_over(session, now_ns)

        return is_open

    def _page(self, request: web.Request, visit: Visit, page: Page) -> web.Response:
        notice = ""
        if visit.session is not None:
            notice, visit.session.notice = visit.session.notice, ""
        body = document(page, visit, self._navigation, self._access.gate(), notice)
        headers = {**self._headers(), "Content-Language": visit.language}
        response = web.Response(
            text=body, status=page.status, content_type="text/html", headers=headers
        )
        return self._with_cookies(request, response)

    def _not_allowed(self, request: web.Request, visit: Visit) -> web.Response:
        if visit.role is not None:
            return self._refused(request, visit, 403, "gate.supervisors_only")
        wanted = visit.path if request.method == "GET" else HOME
        had_one = "&ended=1" if request.cookies.get(self._cookie("session")) else ""
        response = _see_other(f"{LOG_IN}?then={quote(wanted, safe='')}{had_one}")
        return self._with_cookies(request, response)

    def _refused(self, request: web.Request, visit: Visit, status: int, key: str) -> web.Response:
        page = Page(
            visit.words("gate.refused"),
            element("p", visit.words(key), class_="notice bad"),
            status=status,
        )
        return self._page(request, visit, page)

    def _with_cookies(self, request: web.Request, response: web.Response) -> web.Response:
        if new_token := request.get(_NEW_TOKEN):
            self._set_cookie(response, self._cookie("session"), new_token)
        if new_visit := request.get(_NEW_VISIT):
            self._set_cookie(response, self._cookie("visit"), new_visit)
        if (language := request.query.get("lang")) in LANGUAGES:
            self._set_cookie(response, "language", language or "", LANGUAGE_S_MAX)
        return response

    def _set_cookie(
        self, response: web.Response, name: str, value: str, age_s: int | None = None
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=age_s,
            path="/",
            secure=self._access.is_tls,
            httponly=True,
            samesite="Strict",
        )

    def _cookie(self, name: str) -> str:
        """Give a cookie's name; over TLS one that no page in clear can set."""
        return f"__Host-gate-{name}" if self._access.is_tls else f"gate-{name}"

    def _headers(self) -> dict[str, str]:
        return {**HEADERS, **(TLS_HEADERS if self._access.is_tls else {})}


def is_from_elsewhere(request: web.Request) -> bool:
    """Tell whether a form was sent by a page that is not ours."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host


async def _form(request: web.Request, bytes_max: int) -> dict[str, str] | None:
    """Read a form; None where it is too long, too slow or none."""
    if request.content_type != _FORM_TYPE or (request.content_length or 0) > bytes_max:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in request.content.iter_chunked(4096):
                body += chunk
                if len(body) > bytes_max:
                    return None
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except (TimeoutError, ValueError):
        return None
    return dict(pairs)


def _see_other(path: str) -> web.Response:
    return web.Response(status=303, headers={**HEADERS, "Location": path})


def _fresh() -> str:
    return secrets.token_urlsafe(32)
