"""Puts the back office into an application. Called by `main`."""

from aiohttp import web

from sync_server.accounts import Accounts
from sync_server.web.back_office import (
    fleet_pages,
    gate_pages,
    imports,
    live,
    performances,
    proving_pages,
    set_up,
    sign_in,
    site_pages,
)
from sync_server.web.back_office.desk import BackOfficeDesk
from sync_server.web.back_office.faults import tell_people
from sync_server.web.back_office.frame import PAGES
from sync_server.web.back_office.live_board import LiveBoard
from sync_server.web.rendering import Pages
from sync_server.web.security import (
    add_security_headers,
    believe_own_proxy,
    refuse_foreign_origins,
)
from sync_server.web.sessions import ACCOUNTS, COOKIE, Cookie
from sync_server.web.statics import own_statics


def add_back_office(
    app: web.Application,
    *,
    accounts: Accounts,
    desk: BackOfficeDesk,
    tls: bool,
    proxied: bool = False,
) -> LiveBoard:
    """Serve the operators' pages.

    Args:
        app: the outermost application.
        accounts: who may sign in.
        desk: the services.
        tls: whether browsers reach the server by HTTPS only.
        proxied: whether they do so through a web server before this one, which is then believed
            about whom it speaks for, and whose certificate browsers trust.

    Returns:
        The board, to be told whenever something has changed.
    """
    statics = own_statics()
    pages = Pages(statics)
    board = LiveBoard(desk, pages)
    app[ACCOUNTS] = accounts
    app[COOKIE] = Cookie(tls=tls)
    app[PAGES] = pages
    app[live.BOARD] = board
    app[set_up.DESK] = desk
    if proxied:
        app.middlewares.append(believe_own_proxy)
    app.middlewares.append(tell_people)
    app.middlewares.append(refuse_foreign_origins)
    add_security_headers(app, strict_transport=proxied)
    statics.add_routes(app)
    sign_in.add_routes(app)
    live.add_routes(app)
    performances.add_routes(app)
    imports.add_routes(app)
    set_up.add_routes(app)
    gate_pages.add_routes(app)
    site_pages.add_routes(app)
    proving_pages.add_routes(app)
    fleet_pages.add_routes(app)
    return board
