"""Serves the gate's own page while a context lasts. Bound by `main`."""

import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from appliance.errors import ConfigError
from appliance.local_page.display_page import PictureSource, routes
from appliance.local_page.framework import GatePages
from appliance.local_page.headers import known_names_only
from appliance.local_page.static_files import static_routes

_SHUTDOWN_S_MAX: Final = 1.0  # streams stay open for as long as their browser does


@asynccontextmanager
async def serve_page(
    source: PictureSource,
    address: str,
    port: int,
    *,
    pages: GatePages | None = None,
    names: Collection[str] = (),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Serve the display's page and the gate's own; yields its address.

    Args:
        source: whose picture is shown to everybody.
        address: to listen at.
        port: to listen on.
        pages: those behind a PIN; None is none.
        names: under which the gate may be asked for, besides its addresses and `localhost`.
        tls: the certificate to be shown; None serves in clear.

    Raises:
        ConfigError: if the port cannot be had.
    """
    application = web.Application(middlewares=[known_names_only(names)])
    application.add_routes(routes(source))
    if pages is not None:
        application.add_routes(static_routes())
        pages.add_to(application)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S_MAX)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address, port, ssl_context=tls).start()
        except OSError as exc:
            raise ConfigError(
                f"page: {address}:{port} cannot be had ({exc.strerror}); choose another page.port"
            ) from exc
        host = f"[{address}]" if ":" in address else address
        yield f"{'http' if tls is None else 'https'}://{host}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
