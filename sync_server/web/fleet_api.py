"""The operators' JSON API of updates: bundles, rollouts, and what gates really run."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

from sync_server.account_ports import User
from sync_server.accounts import Right
from sync_server.errors import InvalidError
from sync_server.fleet_entities import FleetGate, Night, Plan, Release
from sync_server.rolling_out import Look
from sync_server.web.json_answers import instant_text
from sync_server.web.json_bodies import Body, read_body
from sync_server.web.public_api import PREFIX, SERVICES
from sync_server.web.sessions import check_csrf, require_user

CHUNK_BYTES: Final = 256 * 1024
_ROLLOUT: Final = PREFIX + "rollouts/{id}/"


def add_fleet_api(app: web.Application) -> None:
    """Serve it; the public API has been added before."""
    routes = app.router
    routes.add_get(PREFIX + "fleet", _fleet)
    routes.add_get(PREFIX + "releases", _releases)
    routes.add_post(PREFIX + "releases", _add_release)
    routes.add_post(PREFIX + "releases/{id}/withdraw", _withdraw)
    routes.add_post(PREFIX + "rollouts", _start)
    for action in ("approve", "pause", "resume", "abort"):
        routes.add_post(_ROLLOUT + action, _acting(action))


async def chunks_of(request: web.Request) -> AsyncIterator[bytes]:
    """Give a body as it comes in; it is never whole in memory."""
    async for chunk in request.content.iter_chunked(CHUNK_BYTES):
        yield chunk


async def _changing(request: web.Request) -> User:
    current = await require_user(request, Right.SET_UP)
    check_csrf(request, current)
    return current.user


async def _releases(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.SET_UP)
    found = await request.config_dict[SERVICES].releasing.releases(current.user)
    return web.json_response([release_document(one) for one in found])


async def _add_release(request: web.Request) -> web.StreamResponse:
    user = await _changing(request)
    version, compatible = request.query.get("version", ""), request.query.get("compatible", "")
    release = await request.config_dict[SERVICES].releasing.add(
        user, version, compatible, request.query.get("note", ""), chunks_of(request)
    )
    return web.json_response(release_document(release), status=201)


async def _withdraw(request: web.Request) -> web.StreamResponse:
    user = await _changing(request)
    await request.config_dict[SERVICES].releasing.withdraw(user, request.match_info["id"])
    return web.json_response({})


async def _start(request: web.Request) -> web.StreamResponse:
    user = await _changing(request)
    plan = _plan(await read_body(request))
    made = await request.config_dict[SERVICES].rolling_out.start(user, plan)
    return web.json_response({"id": made}, status=201)


def _acting(action: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def act(request: web.Request) -> web.StreamResponse:
        user = await _changing(request)
        rolling_out = request.config_dict[SERVICES].rolling_out
        acts = {
            "approve": rolling_out.approve,
            "pause": rolling_out.pause,
            "resume": rolling_out.resume,
            "abort": rolling_out.abort,
        }
        await acts[action](user, request.match_info["id"])
        return web.json_response({})

    return act


async def _fleet(request: web.Request) -> web.StreamResponse:
    current = await require_user(request, Right.BACK_OFFICE)
    report = await request.config_dict[SERVICES].rolling_out.report(current.user)
    return web.json_response(
        {
            "at": instant_text(report.at_ms * 1000),
            "gates": [gate_document(report.views[gate.id]) for gate in report.gates],
            "rollouts": [rollout_document(look) for look in report.rollouts],
        }
    )


def _plan(body: Body) -> Plan:
    version, venue_id = body.text("version"), body.optional_text("venue_id")
    canaries = tuple(body.texts("canaries"))
    steps = tuple(_percent(one) for one in body.optional_texts("steps") or ("25", "100"))
    healthy_h = body.optional_integer("healthy_h")
    is_automatic = body.has("automatic") and body.flag("automatic")
    is_downgrade = body.has("downgrade") and body.flag("downgrade")
    since, until = body.optional_text("night_from"), body.optional_text("night_until")
    body.finish()
    return Plan(
        version=version,
        venue_id=venue_id,
        canaries=canaries,
        steps=steps,
        healthy_h=24 if healthy_h is None else healthy_h,
        is_automatic=is_automatic,
        night=read_night(since, until),
        is_downgrade=is_downgrade,
    )


def _percent(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3:
        raise InvalidError("steps", 'steps are whole percentages as texts, such as ["25", "100"]')
    return int(text)


def read_night(since: str | None, until: str | None) -> Night | None:
    """Read the hours in which gates may install, as "HH:MM"; None for none.

    Raises:
        InvalidError: if they are no times of a day.
    """
    if not since and not until:
        return None
    return Night(_minutes(since or ""), _minutes(until or ""))


def _minutes(text: str) -> int:
    hours, colon, minutes = text.partition(":")
    is_time = len(hours) == len(minutes) == 2 and colon and (hours + minutes).isdecimal()
    if not is_time or not text.isascii() or int(hours) > 23 or int(minutes) > 59:
        raise InvalidError("night", "the hours are two times of a day, such as 02:00 and 06:00")
    return int(hours) * 60 + int(minutes)


def release_document(release: Release) -> dict[str, object]:
    """Give what a program is told of a bundle."""
    withdrawn_ms = release.withdrawn_ms
    return {
        "id": release.id,
        "version": release.version,
        "compatible": release.compatible,
        "size": release.size_bytes,
        "sha256": release.sha256,
        "note": release.note,
        "added": instant_text(release.added_ms * 1000),
        "withdrawn": instant_text(None if withdrawn_ms is None else withdrawn_ms * 1000),
    }


def rollout_document(look: Look) -> dict[str, object]:
    """Give what a program is told of a rollout."""
    rollout, plan = look.rollout, look.rollout.plan
    return {
        "id": rollout.id,
        "version": plan.version,
        "venue_id": plan.venue_id,
        "canaries": list(plan.canaries),
        "steps": [str(step) for step in plan.steps],
        "healthy_h": plan.healthy_h,
        "automatic": plan.is_automatic,
        "downgrade": plan.is_downgrade,
        "state": rollout.state.value,
        "stage": rollout.stage,
        "reason": rollout.reason,
        "culprit": rollout.culprit,
        "left_out": list(rollout.excused),
        "gates": {gate: one.value for gate, one in look.standing.progress.items()},
    }


def gate_document(gate: FleetGate) -> dict[str, object]:
    """Give what a program is told of what a gate runs; `machine` null where it does not say."""
    known, seen_ms = gate.machine, gate.last_seen_ms
    return {
        "id": gate.id,
        "name": gate.name,
        "last_seen": instant_text(None if seen_ms is None else seen_ms * 1000),
        "machine": None
        if known is None
        else {
            "version": known.version,
            "slot": known.slot,
            "compatible": known.compatible,
            "update": known.update,
            "update_version": known.update_version,
            "update_reason": known.update_reason,
            "blocked": list(known.blocked),
            "fetching": {
                "version": known.fetch_version,
                "state": known.fetch_state,
                "have": known.fetch_have,
                "size": known.fetch_size,
            },
            "free_mb": known.free_mb,
            "provision": known.provision,
            "provision_reason": known.provision_reason,
            "firmware_s": known.firmware_s,
        },
    }
