"""The style sheets and scripts of the gate's own pages, read once. Called by `serving`."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from appliance.local_page.headers import HEADERS

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript"}


def static_routes() -> list[web.RouteDef]:
    """Give an address for each file that a page may name; no path from outside is ever opened."""
    return [
        web.get(f"/gate/static/{file.name}", _file(file))
        for file in sorted(_STATIC.iterdir())
        if file.suffix in _TYPES and not file.name.startswith("display.")
    ]


def _file(file: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    body, content_type = file.read_text("utf-8"), _TYPES[file.suffix]

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type=content_type, headers=HEADERS)

    return handle
