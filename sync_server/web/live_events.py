"""The live report as server-sent events, for programs. A route of `public_api`."""

import asyncio
import json
from contextlib import suppress
from dataclasses import asdict
from typing import Final

from aiohttp import web

from sync_server.accounts import Current, Right
from sync_server.web.back_office.live import BOARD
from sync_server.web.back_office.live_board import TooManyStreamsError
from sync_server.web.json_bodies import BodyError
from sync_server.web.sessions import ACCOUNTS, COOKIE, require_user

GAP_S: Final = 0.5  # between two reports; longer than the board keeps one, or news would be missed
BEAT_S: Final = 5.0  # without news the figures are looked at again: a gate may have gone silent


async def live_events(request: web.Request) -> web.StreamResponse:
    """Send the live report whenever it has changed; `ended` says that the session is over."""
    current = await require_user(request, Right.BACK_OFFICE)
    accounts = request.config_dict[ACCOUNTS]
    try:
        async with request.config_dict[BOARD].stream() as wake:
            accounts.watch(current.session, wake)
            try:
                return await _serve(request, current, wake)
            finally:
                accounts.unwatch(current.session, wake)
    except TooManyStreamsError:
        raise BodyError(503, "too_many_streams", "too many live pages are open") from None


async def _serve(request: web.Request, current: Current, wake: asyncio.Event) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    )
    with suppress(ConnectionResetError):  # the reader's going is the ordinary end
        await response.prepare(request)
        await _send_reports(request, response, current, wake)
    return response


async def _send_reports(
    request: web.Request, response: web.StreamResponse, current: Current, wake: asyncio.Event
) -> None:
    board = request.config_dict[BOARD]
    sent = ""
    while not board.is_closing:
        wake.clear()
        if not await _is_live(request):
            await response.write(b"event: ended\ndata: {}\n\n")
            return
        report = asdict(await board.report(current.user.organization_id))
        content = json.dumps(report | {"at_us": 0})
        if content != sent:
            await response.write(f"event: live\ndata: {json.dumps(report)}\n\n".encode())
            sent = content
        await asyncio.sleep(GAP_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await wake.wait()


async def _is_live(request: web.Request) -> bool:
    """Ask anew whether the session lives: while a stream is open, it may end."""
    token = request.config_dict[COOKIE].token(request)
    return isinstance(await request.config_dict[ACCOUNTS].who(token), Current)
