"""The operators' JSON API of tickets that prove themselves: issuers, rotating codes, blocks."""

from typing import Final

from aiohttp import web

from admission.proof.proving import IssuerFormat
from admission.proof.rotation import Rotation
from sync_server.account_ports import User
from sync_server.accounts import Right
from sync_server.errors import InvalidError
from sync_server.issuing import Issuing, ProvingSetUp
from sync_server.web.json_answers import instant_text
from sync_server.web.json_bodies import Body, read_body, read_bounded
from sync_server.web.public_api import PREFIX, SERVICES
from sync_server.web.sessions import check_csrf, require_user

NUMBER_FILE_BYTES_MAX: Final = 16 * 1024 * 1024
_PERFORMANCE: Final = PREFIX + "performances/{id}/"


def add_proving_api(app: web.Application) -> None:
    """Serve it; the public API has been added before."""
    routes = app.router
    routes.add_get(_PERFORMANCE + "proving", _set_up)
    routes.add_post(_PERFORMANCE + "issuers", _add_issuer)
    routes.add_delete(_PERFORMANCE + "issuers/{issuer}", _withdraw_issuer)
    routes.add_put(_PERFORMANCE + "rotation", _set_rotation)
    routes.add_delete(_PERFORMANCE + "rotation", _end_rotation)
    routes.add_post(_PERFORMANCE + "rotation/export", _export_rotation)
    routes.add_post(_PERFORMANCE + "blocked", _block)
    routes.add_post(_PERFORMANCE + "signed-tickets", _issue)


async def _changing(request: web.Request, right: Right) -> tuple[User, Issuing, str]:
    current = await require_user(request, right)
    check_csrf(request, current)
    return current.user, request.config_dict[SERVICES].issuing, request.match_info["id"]


async def _set_up(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    issuing = request.config_dict[SERVICES].issuing
    return web.json_response(
        _document(await issuing.set_up(current.user, request.match_info["id"]))
    )


async def _add_issuer(request: web.Request) -> web.StreamResponse:
    user, issuing, performance_id = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    ticket_format, key = body.choice("format", IssuerFormat), body.text("public_key", "")
    classes, subevents = body.texts("classes"), body.optional_texts("subevents")
    body.finish()
    made = await issuing.add_issuer(
        user, performance_id, ticket_format, key=key, classes=classes, subevents=subevents
    )
    return web.json_response({"id": made}, status=201)


async def _withdraw_issuer(request: web.Request) -> web.StreamResponse:
    user, issuing, performance_id = await _changing(request, Right.SET_UP)
    await issuing.withdraw_issuer(user, performance_id, request.match_info["issuer"])
    return web.json_response({})


async def _set_rotation(request: web.Request) -> web.StreamResponse:
    user, issuing, performance_id = await _changing(request, Right.SET_UP)
    rotation = _rotation(await read_body(request))
    await issuing.set_rotation(user, performance_id, rotation)
    return web.json_response({})


async def _end_rotation(request: web.Request) -> web.StreamResponse:
    user, issuing, performance_id = await _changing(request, Right.SET_UP)
    await issuing.set_rotation(user, performance_id, None)
    return web.json_response({})


async def _export_rotation(request: web.Request) -> web.StreamResponse:
    user, issuing, performance_id = await _changing(request, Right.SET_UP)
    return csv_answer(await issuing.rotating_patterns(user, performance_id))


async def _block(request: web.Request) -> web.StreamResponse:
    user, issuing, performance_id = await _changing(request, Right.BACK_OFFICE)
    action = request.query.get("action", "block")
    if action not in ("block", "release"):
        raise InvalidError("action", "action is one of block, release")
    data = await read_bounded(request, NUMBER_FILE_BYTES_MAX)
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InvalidError("numbers", "the numbers are text in UTF-8, one a line") from None
    done = await issuing.block(user, performance_id, lines, blocked=action == "block")
    return web.json_response({"changed": done.changed, "listed": done.listed})


async def _issue(request: web.Request) -> web.StreamResponse:
    user, issuing, performance_id = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    class_code, count = body.optional_integer("class_code"), body.optional_integer("count")
    since, until = body.optional_instant_us("valid_from"), body.optional_instant_us("valid_until")
    body.finish()
    if class_code is None:
        raise InvalidError("class_code", "class_code is missing")
    issued = await issuing.issue(
        user,
        performance_id,
        class_code,
        count=1 if count is None else count,
        valid_from_us=since,
        valid_until_us=until,
    )
    tickets = [{"number": one.number, "text": one.text} for one in issued]
    return web.json_response({"tickets": tickets}, status=201)


def csv_answer(text: str) -> web.Response:
    """Answer with a file of secrets: to be saved, and kept in no cache."""
    headers = {
        "Content-Disposition": 'attachment; filename="rotating-codes.csv"',
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=headers)


def _rotation(body: Body) -> Rotation:
    pattern, period_ms = body.text("pattern"), body.optional_integer("period_ms")
    lengths, allows_static = body.texts("lengths"), body.flag("allows_static")
    body.finish()
    return read_rotation(pattern, str(period_ms), lengths, allows_static=allows_static)


def read_rotation(
    pattern: str, period_ms: str, lengths: list[str], *, allows_static: bool
) -> Rotation:
    """Read rotating codes as somebody wrote them.

    Raises:
        InvalidError: if they cannot be.
    """
    if not all(
        text.isascii() and text.isdigit() and len(text) < 9 for text in (period_ms, *lengths)
    ):
        raise InvalidError("lengths", "period and lengths are whole numbers")
    try:
        return Rotation(pattern, int(period_ms), tuple(map(int, lengths)), allows_static)
    except ValueError as exc:
        raise InvalidError("pattern", str(exc)) from None


def _document(shown: ProvingSetUp) -> dict[str, object]:
    rotation = shown.rotation
    return {
        "issuers": [
            {
                "id": known.id,
                "format": known.issuer.format.value,
                "public_key": known.issuer.public_key.hex(),
                "classes": [
                    {
                        "code": code.code,
                        "variation": code.variation,
                        "category": ticket_class.category,
                    }
                    for code, ticket_class in known.issuer.classes.items()
                ],
                "subevents": None
                if known.issuer.subevents is None
                else sorted(known.issuer.subevents),
                "accepted": known.accepted,
                "created": instant_text(known.created_ms * 1000),
            }
            for known in shown.issuers
        ],
        "rotation": None
        if rotation is None
        else {
            "pattern": rotation.pattern,
            "period_ms": rotation.period_ms,
            "lengths": list(rotation.lengths),
            "allows_static": rotation.allows_static,
        },
        "blocked": shown.blocked,
        "own_key": shown.own_key.hex(),
    }
