"""Serves the gate's own page while a context lasts. Bound by `main`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from appliance.errors import ConfigError
from appliance.local_page.display_page import PictureSource, routes

_SHUTDOWN_S_MAX: Final = 1.0  # streams stay open for as long as their browser does


@asynccontextmanager
async def serve_page(source: PictureSource, address: str, port: int) -> AsyncIterator[str]:
    """Serve the display's page; yields its address.

    Args:
        source: whose picture is shown.
        address: to listen at.
        port: to listen on.

    Raises:
        ConfigError: if the port cannot be had.
    """
    application = web.Application(client_max_size=1024)  # nothing is ever sent here
    application.add_routes(routes(source))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S_MAX)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address, port).start()
        except OSError as exc:
            raise ConfigError(
                f"page: {address}:{port} cannot be had ({exc.strerror}); choose another page.port"
            ) from exc
        yield f"http://{address}:{port}/"
    finally:
        await runner.cleanup()
