"""The operators' JSON API of commands: lock, unlock, open, admit; each signed, with its code."""

from aiohttp import web

from admission.scan import Direction
from admission.trust.command import Action
from sync_server.accounts import Right
from sync_server.commanding import MINUTES, Issued, Order
from sync_server.web.json_answers import instant_text
from sync_server.web.json_bodies import read_body
from sync_server.web.public_api import PREFIX, SERVICES
from sync_server.web.qr import qr_svg
from sync_server.web.sessions import check_csrf, require_user


def add_command_api(app: web.Application) -> None:
    """Serve it; the public API has been added before."""
    app.router.add_post(PREFIX + "gates/{id}/commands", _order_gate)
    app.router.add_post(PREFIX + "checkpoints/{id}/commands", _order_checkpoint)


async def _order_gate(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    check_csrf(request, current)
    commanding = request.config_dict[SERVICES].commanding
    order = await _order(request)
    return _answer(await commanding.order_gate(current.user, request.match_info["id"], order))


async def _order_checkpoint(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    check_csrf(request, current)
    commanding = request.config_dict[SERVICES].commanding
    order = await _order(request)
    return _answer(await commanding.order_checkpoint(current.user, request.match_info["id"], order))


async def _order(request: web.Request) -> Order:
    body = await read_body(request)
    minutes = body.optional_integer("minutes")
    order = Order(
        body.choice("action", Action),
        body.text("reason"),
        MINUTES if minutes is None else minutes,
        body.choice("direction", Direction, Direction.ENTRY),
        body.text("performance", ""),
        body.text("number", ""),
    )
    body.finish()
    return order


def _answer(issued: Issued) -> web.Response:
    document = {
        "counter": issued.counter,
        "gates": list(issued.gates),
        "reached": issued.reached,
        "expires": instant_text(issued.expires_ms * 1000),
        "code": issued.code,
        "qr": str(qr_svg(issued.code, issued.code[:13])),
    }
    return web.json_response(document, status=201)
