"""The operators' JSON API, `/api/v1/`: all that the pages do, for programs.

A program signs in as a person does (POST login) and sends the session's cookie and, with whatever
changes something, its token in `X-CSRF-Token`. Errors are `{"error": {"code", "message", …}}`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from aiohttp import web

from admission.rules import ClockPolicy, ExitPolicy
from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.key_storage import KeyStorage
from sync_server.account_ports import User
from sync_server.accounts import Refused, Right, SignedIn
from sync_server.commanding import Commanding
from sync_server.copied_cards import CopiedCards
from sync_server.enrollment import CODE_LIFE_MS, Enrollment, NewCode
from sync_server.entities import ImportMode
from sync_server.errors import InvalidError, LockedOutError
from sync_server.importing import Importing
from sync_server.issuing import Issuing
from sync_server.planning import (
    KEEP,
    CheckpointChange,
    GateChange,
    Keep,
    KeyStorageChoice,
    PerformanceChange,
    Plan,
    Planning,
)
from sync_server.publishing import Publishing
from sync_server.quarantine import Quarantine
from sync_server.reconciling import Reconciling
from sync_server.releasing import Releasing
from sync_server.reporting import Reporting
from sync_server.rolling_out import RollingOut
from sync_server.siting import Siting
from sync_server.stewarding import Stewarding
from sync_server.web.json_answers import (
    ApiError,
    answer_errors,
    checkpoint_document,
    gate_document,
    import_document,
    instant_text,
    performance_document,
    side_line_document,
)
from sync_server.web.json_bodies import Body, read_body, read_bounded
from sync_server.web.live_events import live_events
from sync_server.web.sessions import ACCOUNTS, COOKIE, check_csrf, reached_by, require_user

TICKET_FILE_BYTES_MAX: Final = 64 * 1024 * 1024
PREFIX: Final = "/api/v1/"
MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Services:
    """What the API speaks to."""

    planning: Planning
    enrollment: Enrollment
    importing: Importing
    publishing: Publishing
    reconciling: Reconciling
    quarantine: Quarantine
    copied_cards: CopiedCards
    stewarding: Stewarding
    reporting: Reporting
    issuing: Issuing
    commanding: Commanding
    siting: Siting
    releasing: Releasing
    rolling_out: RollingOut


SERVICES: Final = web.AppKey("services", Services)


def add_public_api(app: web.Application, services: Services) -> None:
    """Serve the API. The back office has been added before: the sessions are its."""
    app[SERVICES] = services
    app.middlewares.append(answer_errors)
    routes = app.router
    routes.add_post(PREFIX + "login", _login)
    routes.add_post(PREFIX + "logout", _logout)
    for kind in _LISTS:
        routes.add_get(PREFIX + kind, _list)
    routes.add_post(PREFIX + "organizations", _add_organization)
    routes.add_post(PREFIX + "venues", _add_venue)
    routes.add_post(PREFIX + "events", _add_event)
    routes.add_post(PREFIX + "performances", _add_performance)
    routes.add_post(PREFIX + "checkpoints", _add_checkpoint)
    routes.add_post(PREFIX + "gates", _add_gate)
    routes.add_patch(PREFIX + "performances/{id}", _change_performance)
    routes.add_patch(PREFIX + "checkpoints/{id}", _change_checkpoint)
    routes.add_patch(PREFIX + "gates/{id}", _change_gate)
    routes.add_post(PREFIX + "performances/{id}/imports", _import)
    routes.add_post(PREFIX + "performances/{id}/publish", _publish)
    routes.add_post(PREFIX + "performances/{id}/key-storage", _choose_key_storage)
    routes.add_post(PREFIX + "performances/{id}/tickets/state", _set_state)
    routes.add_post(PREFIX + "checkpoints/{id}/resets", _reset)
    routes.add_post(PREFIX + "gates/{id}/enrolment-code", _new_code)
    routes.add_post(PREFIX + "checkpoints/{id}/enrolment-code", _new_group_code)
    routes.add_post(PREFIX + "gates/{id}/confirm", _confirm)
    routes.add_post(PREFIX + "gates/{id}/revoke", _revoke)
    routes.add_get(PREFIX + "quarantine", _quarantine)
    routes.add_post(PREFIX + "gates/{id}/release", _release)
    routes.add_get(PREFIX + "copied-cards", _copied_cards)
    routes.add_post(PREFIX + "gates/{id}/settle-copies", _settle_copies)
    routes.add_get(PREFIX + "live", _live)
    routes.add_get(PREFIX + "live/events", live_events)
    routes.add_get(PREFIX + "report", _report)


async def _login(request: web.Request) -> web.StreamResponse:
    body = await read_body(request)
    login, password = body.text("login"), body.text("password")
    body.finish()
    outcome = await request.config_dict[ACCOUNTS].sign_in(
        login, password, request.remote or "", request.headers.get("User-Agent", "")
    )
    if isinstance(outcome, SignedIn):
        response = web.json_response({"csrf": outcome.session.csrf})
        request.config_dict[COOKIE].put(response, outcome.token)
        return response
    if isinstance(outcome, Refused):
        raise ApiError(401, "login_refused", "login or password is not right")
    raise LockedOutError(-(-outcome.wait_ms // 1000))


async def _logout(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    check_csrf(request, current)
    await request.config_dict[ACCOUNTS].sign_out(current.session)
    response = web.json_response({})
    request.config_dict[COOKIE].drop(response)
    return response


async def _changing(request: web.Request, right: Right) -> tuple[User, Services]:
    """Give who asks for a change, and the services to make it with."""
    current = await require_user(request, right)
    check_csrf(request, current)
    return current.user, request.config_dict[SERVICES]


async def _list(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    services = request.config_dict[SERVICES]
    plan = await services.planning.plan(current.user)
    kind = request.path.removeprefix(PREFIX)
    return web.json_response(_LISTS[kind](plan, services))


_LISTS: Final[Mapping[str, Callable[[Plan, Services], list[dict[str, object]]]]] = {
    "organizations": lambda plan, _: [asdict(one) for one in plan.organizations],
    "venues": lambda plan, _: [asdict(one) for one in plan.venues],
    "events": lambda plan, _: [asdict(one) for one in plan.events],
    "performances": lambda plan, _: [performance_document(one) for one in plan.performances],
    "checkpoints": lambda plan, _: [checkpoint_document(one) for one in plan.checkpoints],
    "gates": lambda plan, services: _gates(plan, services),
}


def _gates(plan: Plan, services: Services) -> list[dict[str, object]]:
    return [gate_document(one, services.enrollment.check_string(one)) for one in plan.gates]


async def _add_organization(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    name, parent_id = body.text("name"), body.optional_text("parent_id")
    body.finish()
    return _made(await services.planning.add_organization(user, name, parent_id))


async def _add_venue(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    name, timezone = body.text("name"), body.text("timezone")
    organization_id = body.optional_text("organization_id")
    body.finish()
    return _made(await services.planning.add_venue(user, name, timezone, organization_id))


async def _add_event(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    venue_id, name = body.text("venue_id"), body.text("name")
    body.finish()
    return _made(await services.planning.add_event(user, venue_id, name))


async def _add_performance(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    event_id, starts_us = body.text("event_id"), body.optional_instant_us("starts_at")
    timezone, day_starts_at = body.optional_text("timezone"), body.text("day_starts_at", "00:00")
    change = _performance_change(body)
    if isinstance(change.name, Keep):
        raise InvalidError("name", "name is missing")
    return _made(
        await services.planning.add_performance(
            user,
            event_id,
            change.name,
            starts_ms=None if starts_us is None else starts_us // 1000,
            timezone=timezone,
            day_starts_at=day_starts_at,
            change=change,
        )
    )


async def _change_performance(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.BACK_OFFICE)
    change = _performance_change(await read_body(request))
    performance_id = request.match_info["id"]
    changed = await services.planning.change_performance(user, performance_id, change)
    return web.json_response(performance_document(changed))


def _performance_change(body: Body) -> PerformanceChange:
    change = PerformanceChange(
        name=body.text("name") if body.has("name") else KEEP,
        excluded_categories=body.texts("excluded_categories")
        if body.has("excluded_categories")
        else KEEP,
        admits_from_us=body.optional_instant_us("admits_from") if body.has("admits_from") else KEEP,
        admits_until_us=body.optional_instant_us("admits_until")
        if body.has("admits_until")
        else KEEP,
        canceled=body.flag("canceled") if body.has("canceled") else KEEP,
        gate_fields=body.texts("gate_fields") if body.has("gate_fields") else KEEP,
    )
    body.finish()
    return change


async def _add_checkpoint(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    venue_id = body.text("venue_id")
    change = _checkpoint_change(body)
    if isinstance(change.name, Keep):
        raise InvalidError("name", "name is missing")
    return _made(await services.planning.add_checkpoint(user, venue_id, change.name, change))


async def _change_checkpoint(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    change = _checkpoint_change(await read_body(request))
    changed = await services.planning.change_checkpoint(user, request.match_info["id"], change)
    return web.json_response(checkpoint_document(changed))


def _checkpoint_change(body: Body) -> CheckpointChange:
    change = CheckpointChange(
        name=body.text("name") if body.has("name") else KEEP,
        performances=body.texts("performances") if body.has("performances") else KEEP,
        allowed_categories=body.optional_texts("allowed_categories")
        if body.has("allowed_categories")
        else KEEP,
        capacity=body.optional_integer("capacity") if body.has("capacity") else KEEP,
    )
    body.finish()
    return change


async def _add_gate(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    checkpoint_id, name = body.text("checkpoint_id"), body.text("name")
    direction = body.choice("direction", Direction)
    exit_policy = body.choice("exit_policy", ExitPolicy, ExitPolicy.LISTED)
    clock_policy = body.choice("clock_policy", ClockPolicy, ClockPolicy.ADMIT)
    strict = body.flag("strict") if body.has("strict") else False
    body.finish()
    made = await services.planning.add_gate(
        user, checkpoint_id, name, direction, exit_policy, clock_policy, strict=strict
    )
    return _made(made)


async def _change_gate(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    change = GateChange(
        checkpoint_id=body.text("checkpoint_id") if body.has("checkpoint_id") else KEEP,
        exit_policy=body.choice("exit_policy", ExitPolicy) if body.has("exit_policy") else KEEP,
        clock_policy=body.choice("clock_policy", ClockPolicy) if body.has("clock_policy") else KEEP,
        strict=body.flag("strict") if body.has("strict") else KEEP,
    )
    body.finish()
    await services.planning.change_gate(user, request.match_info["id"], change)
    return web.json_response({})


async def _import(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.BACK_OFFICE)
    try:
        mode = ImportMode(request.query.get("mode", ImportMode.ADD))
    except ValueError:
        raise InvalidError("mode", "mode is one of add, replace") from None
    data = await read_bounded(request, TICKET_FILE_BYTES_MAX)
    report = await services.importing.import_file(
        user,
        request.match_info["id"],
        data,
        source_name=request.query.get("source", "file"),
        filename=request.query.get("filename", "tickets.csv"),
        mode=mode,
    )
    return web.json_response(import_document(report))


async def _publish(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.BACK_OFFICE)
    version = await services.publishing.publish(user, request.match_info["id"])
    return web.json_response({"version": version})


async def _choose_key_storage(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    choice = KeyStorageChoice(body.choice("key_storage", KeyStorage), body.text("reason", ""))
    body.finish()
    performance_id = request.match_info["id"]
    changed = await services.planning.choose_key_storage(user, performance_id, choice)
    return web.json_response(performance_document(changed))


async def _set_state(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.BACK_OFFICE)
    body = await read_body(request)
    number, state = body.text("number"), body.choice("state", TicketState)
    body.finish()
    changed = await services.stewarding.set_state(user, request.match_info["id"], number, state)
    return web.json_response({"changed": changed})


async def _reset(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.BACK_OFFICE)
    body = await read_body(request)
    number, performance_id = body.text("number"), body.text("performance")
    reason = body.text("reason")
    body.finish()
    checkpoint_id = request.match_info["id"]
    await services.stewarding.reset(user, performance_id, checkpoint_id, number, reason)
    return web.json_response({})


async def _new_code(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    minutes = body.optional_integer("minutes")
    body.finish()
    life_ms = CODE_LIFE_MS if minutes is None else minutes * MINUTE_MS
    made = await services.enrollment.new_code(user, request.match_info["id"], life_ms)
    return _code(request, services, made)


async def _new_group_code(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    direction = body.choice("direction", Direction, Direction.ENTRY)
    uses, minutes = body.optional_integer("uses"), body.optional_integer("minutes")
    body.finish()
    made = await services.enrollment.new_group_code(
        user, request.match_info["id"], direction, uses or 1, (minutes or 60) * MINUTE_MS
    )
    return _code(request, services, made)


def _code(request: web.Request, services: Services, made: NewCode) -> web.Response:
    expires = instant_text(made.expires_ms * 1000)
    link = services.enrollment.link(made.code, reached_by(request))
    return web.json_response({"code": made.code, "expires": expires, "link": link})


async def _confirm(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    await services.enrollment.confirm(user, request.match_info["id"])
    return web.json_response({})


async def _quarantine(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    lines = await request.config_dict[SERVICES].quarantine.lines(current.user)
    return web.json_response([asdict(line) for line in lines])


async def _release(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    released = await services.quarantine.release(user, request.match_info["id"])
    return web.json_response({"records": released})


async def _copied_cards(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    lines = await request.config_dict[SERVICES].copied_cards.open_lines(current.user)
    return web.json_response([side_line_document(line) for line in lines])


async def _settle_copies(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    body = await read_body(request)
    reason = body.text("reason")
    body.finish()
    settled = await services.copied_cards.settle(user, request.match_info["id"], reason)
    return web.json_response({"lines": settled})


async def _revoke(request: web.Request) -> web.StreamResponse:
    user, services = await _changing(request, Right.SET_UP)
    await services.enrollment.revoke(user, request.match_info["id"])
    return web.json_response({})


async def _live(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    services = request.config_dict[SERVICES]
    return web.json_response(asdict(await services.reporting.live(current.user.organization_id)))


async def _report(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    services = request.config_dict[SERVICES]
    return web.json_response(asdict(await services.reporting.rules(current.user.organization_id)))


def _made(thing_id: str) -> web.Response:
    return web.json_response({"id": thing_id}, status=201)
