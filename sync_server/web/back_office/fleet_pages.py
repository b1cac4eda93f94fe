"""The page of the fleet: what gates really run, how updates go out, and the bundles of them."""

from collections.abc import AsyncIterator, Awaitable
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import BodyPartReader, web

from sync_server.accounts import Current, Right
from sync_server.errors import InvalidError, NotFoundError, ServerError
from sync_server.fleet_entities import Plan, Release
from sync_server.web.back_office.drafts import Check, Draft
from sync_server.web.back_office.fleet_views import fleet_view
from sync_server.web.back_office.forms import Form, read_own_form
from sync_server.web.back_office.frame import Flash, show, words_of
from sync_server.web.back_office.set_up import DESK, UNPROCESSABLE
from sync_server.web.fleet_api import read_night
from sync_server.web.rendering import Words
from sync_server.web.sessions import CSRF_FIELD, check_csrf, require_user

HOURS_MAX: Final = 14 * 24
_FIELD_BYTES_MAX: Final = 4096
_FIELDS_MAX: Final = 10
# More than the library ever holds of a body at once: it gives what is there, and has nothing to put
# back, which it would do by a way of its own that it calls deprecated.
_CHUNK_BYTES: Final = 4 * 1024 * 1024
_ACTION: Final = "/fleet/rollouts/{rollout}/{action:approve|pause|resume|abort}"


def add_routes(app: web.Application) -> None:
    """Serve the page and its forms."""
    app.router.add_get("/fleet", fleet_page)
    app.router.add_post("/fleet/rollouts", start)
    app.router.add_post(_ACTION, change)
    app.router.add_post("/fleet/releases", add_release)
    app.router.add_post("/fleet/releases/{release}/withdraw", withdraw)


async def fleet_page(request: web.Request) -> web.StreamResponse:
    """Show the fleet."""
    current = await require_user(request, Right.BACK_OFFICE)
    return await _show(request, current, Draft())


async def start(request: web.Request) -> web.StreamResponse:
    """Begin a rollout."""
    current, form = await read_own_form(request, Right.SET_UP)
    check = Check("rollout", form, await words_of(request))
    plan = _plan(check, form, await words_of(request))
    if plan is None or not check.is_good:
        return await _show(request, current, check.draft)
    work = request.config_dict[DESK].start_rollout(current.user, plan)
    return await _carry_out(request, current, check, work, "started")


async def change(request: web.Request) -> web.StreamResponse:
    """Do what a button of a rollout says."""
    current, form = await read_own_form(request, Right.SET_UP)
    action, rollout_id = request.match_info["action"], request.match_info["rollout"]
    check = Check(f"rollout-{rollout_id}", form, await words_of(request))
    work = request.config_dict[DESK].change_rollout(current.user, rollout_id, action)
    return await _carry_out(request, current, check, work, action)


async def add_release(request: web.Request) -> web.StreamResponse:
    """Take a bundle in; it goes to the disk as it comes, and is never whole in memory."""
    current = await require_user(request, Right.SET_UP)
    if request.content_type != "multipart/form-data":
        raise web.HTTPBadRequest(text="this address takes a file")
    form, file = await _fields_before_file(request)
    check_csrf(request, current, form.raw(CSRF_FIELD))
    check, words = Check("release", form, await words_of(request)), await words_of(request)
    if file is None:
        check.wrong("file", words("Choose the bundle: a file that ends in .raucb."))
        return await _show(request, current, check.draft)
    work = request.config_dict[DESK].add_release(
        current.user,
        form.text("version"),
        form.text("compatible"),
        form.text("note"),
        _chunks(file),
    )
    return await _carry_out(request, current, check, work, "released")


async def withdraw(request: web.Request) -> web.StreamResponse:
    """Offer a bundle to nobody any more."""
    current, form = await read_own_form(request, Right.SET_UP)
    check = Check("withdraw", form, await words_of(request))
    work = request.config_dict[DESK].withdraw_release(current.user, request.match_info["release"])
    return await _carry_out(request, current, check, work, "withdrawn")


async def _carry_out(
    request: web.Request, current: Current, check: Check, work: Awaitable[object], done: str
) -> web.StreamResponse:
    """Have done what a form asks for: back to the page, or the form again with what is wrong."""
    try:
        await work
    except NotFoundError:
        raise
    except ServerError as exc:
        check.refused(exc)
    else:
        raise web.HTTPSeeOther(f"/fleet?done={done}")
    return await _show(request, current, check.draft)


async def _fields_before_file(request: web.Request) -> tuple[Form, BodyPartReader | None]:
    """Read an upload up to its file, which is left to be read; the token stands before it."""
    pairs: list[tuple[str, str]] = []
    try:
        reader = await request.multipart()
        for _ in range(_FIELDS_MAX):
            part = await reader.next()
            if part is None:
                break
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise web.HTTPBadRequest(text="this upload cannot be read")
            if part.name == "file":
                return Form(pairs), part if part.filename else None
            pairs.append((part.name, (await _field(part)).decode("utf-8")))
    except ValueError as exc:
        raise web.HTTPBadRequest(text="this upload cannot be read") from exc
    return Form(pairs), None


async def _field(part: BodyPartReader) -> bytes:
    value = bytearray()
    async for chunk in _chunks(part):
        value += chunk
        if len(value) > _FIELD_BYTES_MAX:
            raise web.HTTPRequestEntityTooLarge(_FIELD_BYTES_MAX, len(value))
    return bytes(value)


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_CHUNK_BYTES):
        yield chunk


def _plan(check: Check, form: Form, words: Words) -> Plan | None:
    """Read the form of a rollout; what is wrong with single fields is noted."""
    steps = [part.strip().removesuffix("%").strip() for part in form.text("steps").split(",")]
    is_read = all(one.isascii() and one.isdigit() and len(one) <= 3 for one in steps)
    if not is_read:
        check.wrong(
            "steps", words("Enter rising percentages with commas between them, such as 25, 100.")
        )
    hours = form.text("hours")
    if not (hours.isascii() and hours.isdigit()) or int(hours[:9]) > HOURS_MAX:
        check.wrong("hours", words("Enter a whole number from 0 to %(most)s.", most=HOURS_MAX))
        hours = "0"
    night = None
    try:
        night = read_night(form.text("night_from"), form.text("night_until"))
    except InvalidError:
        check.wrong(
            "night_from", words("Enter both times of day, or leave both empty for any time.")
        )
    if not form.every("canary"):
        check.wrong("canary", words("Choose at least one gate that goes first."))
    if not is_read:
        return None
    return Plan(
        version=form.text("version"),
        venue_id=form.text("venue") or None,
        canaries=tuple(form.every("canary")),
        steps=tuple(int(one) for one in steps),
        healthy_h=int(hours),
        is_automatic=form.text("mode") == "automatic",
        night=night,
        is_downgrade=form.text("downgrade") == "yes",
    )


async def _show(request: web.Request, current: Current, draft: Draft) -> web.Response:
    desk = request.config_dict[DESK]
    report = await desk.fleet(current.user)
    may_set_up = current.may(Right.SET_UP)
    releases = await desk.releases(current.user) if may_set_up else []
    zones = sorted({venue.timezone for venue in report.venues})
    done = _done(await words_of(request), request.query.get("done", ""))
    return await show(
        request,
        current,
        "fleet.html",
        "fleet",
        {
            "view": fleet_view(report),
            "at_us": report.at_ms * 1000,
            "venues": report.venues,
            "zone": ZoneInfo(zones[0] if len(zones) == 1 else "UTC"),
            "is_utc": len(zones) > 1,
            "releases": releases,
            "versions": _versions_of(releases),
            "may_set_up": may_set_up,
            "may_add": may_set_up and await desk.may_add_releases(current.user),
            "draft": draft,
        },
        status=UNPROCESSABLE if draft.errors else 200,
        path="/fleet",
        flashes=[Flash("good", done)] if done else [],
    )


def _versions_of(releases: list[Release]) -> list[str]:
    """Give the versions that can be rolled out, those added last first."""
    return list(dict.fromkeys(one.version for one in releases if one.withdrawn_ms is None))


def _done(words: Words, what: str) -> str:
    match what:
        case "started":
            return words("The rollout has begun: the gates that go first are offered the version.")
        case "approve":
            return words("The next step has begun.")
        case "pause":
            return words("The rollout is paused: nothing is offered until you resume it.")
        case "resume":
            return words("The rollout goes on, without the gates that failed.")
        case "abort":
            return words("The rollout is aborted. Gates that run the version go on running it.")
        case "released":
            return words("The bundle is here. Nothing goes out before a rollout is begun.")
        case "withdrawn":
            return words("The bundle is withdrawn: it is offered to nobody any more.")
        case _:
            return ""
