"""The live page of the display: the picture, the same in words, and each change as it comes.

`main` serves the routes on the machine's own address only. Nobody can do anything here, and what
is shown is what everybody at the gate sees: no ticket number, no name.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from appliance.local_page.words import choose_language, text

_STREAMS_MAX: Final = 32  # a handful of browsers; a gate must not be kept busy by its own page
_HEARTBEAT_S: Final = 15.0  # finds out that a browser has gone, and keeps idle connections open
_STATIC: Final = Path(__file__).parent / "static"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PictureSource(Protocol):
    """What the page shows: a display that keeps its picture."""

    @property
    def png(self) -> bytes:
        """The picture shown now; b"" while there is none."""
        ...

    @property
    def text(self) -> str:
        """The same in words."""
        ...

    @property
    def language(self) -> str:
        """Of the text: `fr`, `en`."""
        ...

    @property
    def revision(self) -> int:
        """Counts the pictures from 1; 0 while there is none."""
        ...

    async def wait_after(self, revision: int) -> None:
        """Wait until a picture later than that revision is shown.

        Cancel: ends the wait.
        """
        ...


def routes(source: PictureSource) -> list[web.RouteDef]:
    """Give the routes of the page, to be put into an application of their own.

    Streams stay open for as long as their browser does: give the application's runner a
    `shutdown_timeout` of a second.

    Args:
        source: whose picture is shown.
    """
    return [
        web.get("/", _page(source)),
        web.get("/display.png", _picture(source)),
        web.get("/events", _Events(source).stream),
        web.get("/display.css", _file("display.css", "text/css")),
        web.get("/display.js", _file("display.js", "text/javascript")),
        web.get("/favicon.ico", _no_icon),
    ]


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _page(source: PictureSource) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        accepted = request.headers.get("Accept-Language", "")
        language = choose_language(request.query.get("lang"), accepted, source.language)
        body = _html(source, language)
        headers = {**_HEADERS, "Content-Language": language}
        return web.Response(text=body, content_type="text/html", headers=headers)

    return handle


def _picture(source: PictureSource) -> _Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        if not source.png:
            raise web.HTTPNotFound(headers=_HEADERS)
        return web.Response(body=source.png, content_type="image/png", headers=_HEADERS)

    return handle


def _file(name: str, content_type: str) -> _Handler:
    body = (_STATIC / name).read_text("utf-8")

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type=content_type, headers=_HEADERS)

    return handle


async def _no_icon(_: web.Request) -> web.StreamResponse:
    """Browsers ask for it unbidden; an empty answer keeps their consoles clean."""
    return web.Response(status=204, headers=_HEADERS)


class _Events:
    """Server-sent events: one at once, then one for each new picture; a slow browser skips some."""

    def __init__(self, source: PictureSource) -> None:
        self._source = source
        self._streams = 0

    async def stream(self, request: web.Request) -> web.StreamResponse:
        if self._streams >= _STREAMS_MAX:
            raise web.HTTPServiceUnavailable(headers=_HEADERS)
        self._streams += 1
        try:
            return await self._send_all(request)
        finally:
            self._streams -= 1

    async def _send_all(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type = "text/event-stream"
        await response.prepare(request)
        sent = -1
        try:
            while True:
                if self._source.revision > sent:
                    sent = self._source.revision
                    await response.write(self._event())
                await self._wait(sent, response)
        except ConnectionError:  # the browser left: the usual end of a stream
            return response

    async def _wait(self, revision: int, response: web.StreamResponse) -> None:
        try:
            async with asyncio.timeout(_HEARTBEAT_S):
                await self._source.wait_after(revision)
        except TimeoutError:
            await response.write(b":\n\n")

    def _event(self) -> bytes:
        data = {"revision": self._source.revision, "text": self._source.text}
        return f"data: {json.dumps(data)}\n\n".encode()


def _html(source: PictureSource, language: str) -> str:
    def words(key: str) -> str:
        return escape(text(f"display.{key}", language))

    other = "en" if language == "fr" else "fr"
    is_blank = source.revision == 0
    answer = words("none_yet") if is_blank else escape(source.text)
    picture = "" if is_blank else f' src="display.png?revision={source.revision}"'
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words("title")}</title>
<link rel="stylesheet" href="display.css">
<script src="display.js" defer></script>
</head>
<body>
<main>
<h1>{words("title")}</h1>
<img id="picture" alt="{words("picture")}"{picture}>
<p id="answer" role="status" lang="{escape(language if is_blank else source.language)}"\
 data-language="{escape(source.language)}">{answer}</p>
<p id="lost" role="alert" data-text="{words("lost")}"></p>
<noscript><p>{words("without_script")}</p></noscript>
</main>
<footer><a href="?lang={other}" hreflang="{other}" lang="{other}">{words("other_language")}</a>\
</footer>
</body>
</html>
"""
