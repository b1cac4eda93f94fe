"""The one web application, for gates, programs and people, and its listening socket."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from admission.limits import MESSAGE_BYTES_MAX
from sync_server.accounts import Accounts
from sync_server.errors import ConfigError
from sync_server.site_state import SiteState
from sync_server.web.back_office.desk import BackOfficeDesk
from sync_server.web.back_office.live_board import LiveBoard
from sync_server.web.back_office.routes import add_back_office
from sync_server.web.command_api import add_command_api
from sync_server.web.device_api import DeviceDesk, add_device_api
from sync_server.web.fleet_api import add_fleet_api
from sync_server.web.live_room import LiveRoom
from sync_server.web.proving_api import add_proving_api
from sync_server.web.public_api import Services, add_public_api
from sync_server.web.site_api import GateDesk, add_site_api
from sync_server.web.site_page import add_site_page
from sync_server.web.site_room import SiteRoom
from sync_server.web.site_set_up_api import add_site_set_up_api

_SHUTDOWN_S_MAX: Final = 2.0


def make_application(
    *,
    desk: BackOfficeDesk,
    gates: GateDesk,
    services: Services,
    accounts: Accounts,
    room: LiveRoom,
    sites: SiteRoom,
    nonce: str,
    tls: bool,
    proxied: bool,
) -> tuple[web.Application, LiveBoard]:
    """Put pages, operators' API and device API into one application.

    Args:
        desk: serves operators' pages.
        gates: serves gates.
        services: serve operators' programs.
        accounts: who may sign in.
        room: the gates' live connections.
        sites: those of site servers.
        nonce: of this start, for signed requests.
        tls: whether browsers reach the server by HTTPS only.
        proxied: whether they do so through a web server before this one.

    Returns:
        The application, and the board to be told of news.
    """
    app = web.Application(client_max_size=MESSAGE_BYTES_MAX)
    board = add_back_office(app, accounts=accounts, desk=desk, tls=tls, proxied=proxied)
    add_public_api(app, services)
    add_proving_api(app)
    add_command_api(app)
    add_site_set_up_api(app)
    add_fleet_api(app)
    add_device_api(app, gates, room, nonce)
    add_site_api(app, services.siting, gates, sites)
    return app, board


def make_site_application(
    gates: DeviceDesk, room: LiveRoom, state: Callable[[], Awaitable[SiteState]], nonce: str
) -> web.Application:
    """Put a site server's page and the device API into one application.

    Args:
        gates: serves gates.
        room: the gates' live connections.
        state: gathers what the page shows.
        nonce: of this start, for signed requests.
    """
    app = web.Application(client_max_size=MESSAGE_BYTES_MAX)
    add_site_page(app, state)
    add_device_api(app, gates, room, nonce)
    return app


@asynccontextmanager
async def serve(
    app: web.Application, host: str, port: int, context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve an application while the context lasts; yields its address.

    Args:
        app: the application.
        host: address to listen on.
        port: TCP port.
        context: key and certificate, None to serve in clear.

    Raises:
        ConfigError: if the port cannot be had.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S_MAX)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, ssl_context=context).start()
        except OSError as exc:
            raise ConfigError(
                f"{host}:{port} cannot be had ({exc.strerror}); choose another port"
            ) from exc
        yield f"{'http' if context is None else 'https'}://{host}:{port}"
    finally:
        await runner.cleanup()
