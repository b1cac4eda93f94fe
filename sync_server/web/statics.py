"""The style sheets and scripts, under an address that changes with their content.

Browsers may keep them for ever; modules find each other by relative addresses, as all of them
stand under one digest. Read once, at start: a request never reaches the file system.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_DIGEST_HEX_DIGITS: Final = 12


@cache
def own_statics() -> "Statics":
    """Give the files of this package, read once."""
    return Statics(FOLDER)


class Statics:
    """All files of a folder, in memory.

    Args:
        folder: where they are; not searched deeper.
    """

    def __init__(self, folder: Path) -> None:
        self._files = {
            path.name: path.read_bytes()
            for path in sorted(folder.iterdir())
            if path.suffix in _TYPES
        }
        every = hashlib.sha256()
        for name, content in self._files.items():
            every.update(f"{name}\0{len(content)}\0".encode() + content)
        self._digest = every.hexdigest()[:_DIGEST_HEX_DIGITS]

    def address(self, name: str) -> str:
        """Give the address of a file.

        Raises:
            KeyError: if there is no such file: a mistake in a template.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self._digest}/{name}"

    def add_routes(self, app: web.Application) -> None:
        """Serve the files."""
        app.router.add_get("/static/{digest}/{name}", self._serve, name="static")

    async def _serve(self, request: web.Request) -> web.Response:
        content = self._files.get(request.match_info["name"])
        if content is None:
            raise web.HTTPNotFound
        response = web.Response(
            body=content,
            content_type=_TYPES[Path(request.match_info["name"]).suffix],
            charset="utf-8",
        )
        if request.match_info["digest"] == self._digest:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
