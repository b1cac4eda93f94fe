"""Tickets that prove themselves: whose signatures count, which codes rotate, which are blocked."""

from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from admission.proof.proving import IssuerFormat
from admission.proof.rotation import Rotation
from sync_server.accounts import Current, Right
from sync_server.errors import InvalidError, NotFoundError, ServerError
from sync_server.web.back_office.drafts import Check, Draft
from sync_server.web.back_office.forms import Form, read_own_form
from sync_server.web.back_office.frame import Flash, show, words_of
from sync_server.web.back_office.performances import find
from sync_server.web.back_office.set_up import DESK, UNPROCESSABLE
from sync_server.web.proving_api import csv_answer, read_rotation
from sync_server.web.rendering import Words
from sync_server.web.sessions import require_user

PATTERN: Final = "{number}-{totp_timestamp_millis}-{totp_value_0}"
_PAGE: Final = "/performances/{performance}/proving"


def add_routes(app: web.Application) -> None:
    """Serve the page and its forms."""
    app.router.add_get(_PAGE, proving_page)
    app.router.add_post(_PAGE + "/issuers", add_issuer)
    app.router.add_post(_PAGE + "/issuers/{issuer}/withdraw", withdraw_issuer)
    app.router.add_post(_PAGE + "/rotation", set_rotation)
    app.router.add_post(_PAGE + "/rotation/export", export_rotation)
    app.router.add_post(_PAGE + "/blocked", block)


async def proving_page(request: web.Request) -> web.StreamResponse:
    """Show what the performance accepts besides its list."""
    current = await require_user(request, Right.BACK_OFFICE)
    return await _show(request, current, Draft(), _done(await words_of(request), request))


async def add_issuer(request: web.Request) -> web.StreamResponse:
    """Accept somebody's signed tickets."""
    current, form = await read_own_form(request, Right.SET_UP)
    words = await words_of(request)
    check = Check("issuer", form, words)
    ticket_format = form.text("format")
    if ticket_format not in list(IssuerFormat):
        check.wrong("format", words("Choose a format."))
    if not form.text("classes"):
        check.wrong("classes", words("Say what at least one code means."))
    if check.is_good:
        dates = form.text("subevents").replace(",", " ").split()
        asked = request.config_dict[DESK].add_issuer(
            current.user,
            request.match_info["performance"],
            IssuerFormat(ticket_format),
            form.text("public_key"),
            form.text("classes").splitlines(),
            dates or None,
        )
        await _ask(request, check, asked, "issuer")
    return await _show(request, current, check.draft)


async def withdraw_issuer(request: web.Request) -> web.StreamResponse:
    """Accept an issuer's tickets no longer."""
    current, form = await read_own_form(request, Right.SET_UP)
    check = Check("withdraw", form, await words_of(request))
    asked = request.config_dict[DESK].withdraw_issuer(
        current.user, request.match_info["performance"], request.match_info["issuer"]
    )
    await _ask(request, check, asked, "withdrawn")
    return await _show(request, current, check.draft)


async def set_rotation(request: web.Request) -> web.StreamResponse:
    """Have entries ask for rotating codes, or no longer."""
    current, form = await read_own_form(request, Right.SET_UP)
    words = await words_of(request)
    check = Check("rotation", form, words)
    rotation = _rotation(check, form, words) if form.text("on") else None
    if check.is_good:
        asked = request.config_dict[DESK].set_rotation(
            current.user, request.match_info["performance"], rotation
        )
        await _ask(request, check, asked, "rotation" if rotation else "no_rotation")
    return await _show(request, current, check.draft)


async def export_rotation(request: web.Request) -> web.StreamResponse:
    """Give the keys of the performance's rotating codes, as a file."""
    current, form = await read_own_form(request, Right.SET_UP)
    check = Check("export", form, await words_of(request))
    desk = request.config_dict[DESK]
    try:
        text = await desk.rotating_patterns(current.user, request.match_info["performance"])
    except NotFoundError:
        raise
    except ServerError as exc:
        check.refused(exc)
        return await _show(request, current, check.draft)
    return csv_answer(text)


async def block(request: web.Request) -> web.StreamResponse:
    """Block numbers that no list holds, or release them."""
    current, form = await read_own_form(request, Right.BACK_OFFICE)
    words = await words_of(request)
    check = Check("block", form, words)
    if not form.text("numbers"):
        check.wrong("numbers", words("Enter at least one number."))
    if check.is_good:
        desk = request.config_dict[DESK]
        is_release = form.text("action") == "release"
        asked = desk.block_numbers(
            current.user,
            request.match_info["performance"],
            form.raw("numbers").splitlines(),
            blocked=not is_release,
        )
        await _ask(request, check, asked, "released" if is_release else "blocked")
    return await _show(request, current, check.draft)


async def _ask(request: web.Request, check: Check, asked: Awaitable[object], done: str) -> None:
    """Wait for a service; go on to the page that tells of it, unless it refused."""
    try:
        await asked
    except NotFoundError:
        raise
    except ServerError as exc:
        check.refused(exc)
        return
    performance_id = request.match_info["performance"]
    raise web.HTTPSeeOther(f"/performances/{performance_id}/proving?done={done}")


def _rotation(check: Check, form: Form, words: Words) -> Rotation | None:
    seconds = form.text("period_s")
    try:
        return read_rotation(
            form.text("pattern"),
            f"{seconds}000" if seconds else "",
            form.text("lengths").replace(",", " ").split(),
            allows_static=bool(form.text("allows_static")),
        )
    except InvalidError as exc:
        check.wrong(exc.field, exc.message)
        return None


async def _show(
    request: web.Request, current: Current, draft: Draft, flashes: list[Flash] | None = None
) -> web.Response:
    shown = await find(request, current)
    accepted = await request.config_dict[DESK].proving(current.user, shown.performance.id)
    return await show(
        request,
        current,
        "proving.html",
        "performances",
        {
            "shown": shown,
            "zone": shown.zone,
            "accepted": accepted,
            "formats": list(IssuerFormat),
            "pattern": PATTERN,
            "may_set_up": current.may(Right.SET_UP),
            "draft": draft,
        },
        status=UNPROCESSABLE if draft.errors else 200,
        path=f"/performances/{shown.performance.id}/proving",
        flashes=flashes or [],
    )


def _done(words: Words, request: web.Request) -> list[Flash]:
    texts = {
        "issuer": words("The issuer is added. Publish the list to tell the gates."),
        "withdrawn": words("The issuer is withdrawn. Publish the list to tell the gates."),
        "rotation": words("Entries ask for rotating codes. Publish the list to tell the gates."),
        "no_rotation": words("Codes do not rotate any more. Publish the list to tell the gates."),
        "blocked": words("The numbers are blocked. Publish the list to tell the gates."),
        "released": words("The numbers are released. Publish the list to tell the gates."),
    }
    text = texts.get(request.query.get("done", ""))
    return [] if text is None else [Flash("good", text)]
