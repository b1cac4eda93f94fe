"""The live page and its event stream."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from sync_server.accounts import Current, Right
from sync_server.web.back_office.frame import language_of, show
from sync_server.web.back_office.live_board import LiveBoard, TooManyStreamsError
from sync_server.web.back_office.live_parts import context
from sync_server.web.sessions import ACCOUNTS, COOKIE, require_user

GAP_S: Final = 0.5  # two sendings stand at least this far apart, however much goes on
BEAT_S: Final = 5.0  # without news the figures are looked at again: a gate may have gone silent
BOARD: Final = web.AppKey("live_board", LiveBoard)
_ZONE_DEFAULT: Final = "Europe/Paris"  # before the first venue


def add_routes(app: web.Application) -> None:
    """Serve the live page and its stream."""
    app.router.add_get("/", live_page)
    app.router.add_get("/live/stream", live_stream)
    app.on_shutdown.append(_close_streams)


async def live_page(request: web.Request) -> web.StreamResponse:
    """Show what is going on now; complete without any script."""
    current = await require_user(request, Right.BACK_OFFICE)
    board = request.config_dict[BOARD]
    organization_id = current.user.organization_id
    zones = await _zones(board, current)
    report = await board.report(organization_id)
    name = await board.reports.organization_name(organization_id)
    values = {"organization": name, "zones": zones, **context(report, _zone(request, zones))}
    return await show(request, current, "live.html", "live", values)


async def live_stream(request: web.Request) -> web.StreamResponse:
    """Send the live page's parts as they change, as server-sent events.

    `parts` carries the parts that differ from those sent before, rendered; `ended` says that the
    session is over.
    """
    current = await require_user(request, Right.BACK_OFFICE)
    try:
        async with request.config_dict[BOARD].stream() as wake:
            return await _serve(request, current, wake)
    except TooManyStreamsError:
        raise web.HTTPServiceUnavailable(text="too many live pages are open") from None


async def _serve(request: web.Request, current: Current, wake: asyncio.Event) -> web.StreamResponse:
    accounts = request.config_dict[ACCOUNTS]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    )
    accounts.watch(current.session, wake)
    try:
        # The reader closing the page is the ordinary end of a stream.
        with suppress(ConnectionResetError):
            await response.prepare(request)
            await _send_parts(request, response, current, wake)
    finally:
        accounts.unwatch(current.session, wake)
    return response


async def _send_parts(
    request: web.Request, response: web.StreamResponse, current: Current, wake: asyncio.Event
) -> None:
    board = request.config_dict[BOARD]
    language = await language_of(request)
    zone = _zone(request, await _zones(board, current))
    sent: Mapping[str, str] = {}
    while not board.is_closing:
        wake.clear()
        if not await _is_live(request):
            await _send(response, "ended", {})
            return
        parts = await board.parts(current.user.organization_id, language, zone)
        news = {part: text for part, text in parts.items() if sent.get(part) != text}
        await _send(response, "parts", {"parts": news})
        sent = parts
        await asyncio.sleep(GAP_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await wake.wait()


async def _send(response: web.StreamResponse, event: str, data: Mapping[str, object]) -> None:
    # JSON holds no bare line end, so one `data` line carries it.
    await response.write(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())


async def _is_live(request: web.Request) -> bool:
    """Ask anew whether the session lives: while a stream is open, it may end."""
    token = request.config_dict[COOKIE].token(request)
    return isinstance(await request.config_dict[ACCOUNTS].who(token), Current)


async def _zones(board: LiveBoard, current: Current) -> list[str]:
    return list(await board.reports.zones(current.user.organization_id)) or [_ZONE_DEFAULT]


def _zone(request: web.Request, zones: Sequence[str]) -> ZoneInfo:
    """Give the zone that the reader chose among the venues', else the first of them."""
    chosen = request.query.get("zone", "")
    return ZoneInfo(chosen if chosen in zones else zones[0])


async def _close_streams(app: web.Application) -> None:
    app[BOARD].close()
