"""Server-sent events: the parts of a page that changed, for as long as its browser stays.

Called by the framework. A slow browser skips what it missed; one whose session ended is told so.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from appliance.local_page.markup import Markup
from appliance.local_page.visits import Live
from appliance.ports import Clock

STREAMS_MAX: Final = 16  # a gate must not be kept busy by its own page
HEARTBEAT_S: Final = 15.0  # finds out that a browser has gone
WRITE_S_MAX: Final = 10.0  # a browser that takes nothing is let go


class Streams:
    """All streams that are open."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none; the clock counts the time between two looks."""
        self._clock = clock
        self._open = 0

    async def send(
        self,
        request: web.Request,
        live: Live,
        is_allowed: Callable[[], bool],
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        """Send until the browser leaves or its session ends.

        Cancel: ends the stream.
        """
        if self._open >= STREAMS_MAX:
            return web.Response(status=503, headers={**headers, "Retry-After": "10"})
        self._open += 1
        try:
            return await self._send(request, live, is_allowed, headers)
        finally:
            self._open -= 1

    async def _send(
        self,
        request: web.Request,
        live: Live,
        is_allowed: Callable[[], bool],
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        response.content_type = "text/event-stream"
        await response.prepare(request)
        sent: dict[str, Markup] = {}
        quiet_s = 0.0
        try:
            while is_allowed():
                parts = await live.parts()
                news = {name: part for name, part in parts.items() if sent.get(name) != part}
                sent.update(news)
                quiet_s = 0.0 if news else quiet_s + live.every_s
                if news:
                    await _write(response, f"data: {json.dumps(news)}\n\n")
                elif quiet_s >= HEARTBEAT_S:
                    quiet_s = 0.0
                    await _write(response, ":\n\n")
                await self._wait(live)
            await _write(response, "event: ended\ndata: {}\n\n")
        except (ConnectionError, TimeoutError):  # the browser left: the usual end of a stream
            pass
        return response

    async def _wait(self, live: Live) -> None:
        if live.wait is None:
            await self._clock.sleep(live.every_s)
        else:
            await live.wait()


async def _write(response: web.StreamResponse, event: str) -> None:
    async with asyncio.timeout(WRITE_S_MAX):
        await response.write(event.encode())
