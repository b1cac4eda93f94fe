"""The performances: their list, and one performance with its tickets, lists and corrections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from admission.ticket import TicketState
from admission.ticketlist.key_storage import KeyStorage
from sync_server.accounts import Current, Right
from sync_server.entities import Checkpoint, Event, Gate, Performance, Venue
from sync_server.errors import ConflictError, NotFoundError, ServerError
from sync_server.reporting import LiveReport, PerformanceLine
from sync_server.web.back_office.desk import Catalogue
from sync_server.web.back_office.drafts import Check, Draft
from sync_server.web.back_office.forms import read_own_form
from sync_server.web.back_office.frame import Flash, language_of, show, words_of
from sync_server.web.back_office.live import BOARD
from sync_server.web.back_office.set_up import DESK, UNPROCESSABLE
from sync_server.web.number_risk import kept_keys, number_risk
from sync_server.web.rendering import Words
from sync_server.web.sessions import require_user

VERSIONS_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Shown:
    """A performance with what stands around it.

    Attributes:
        performance: itself.
        event: whose performance it is.
        venue: where.
        zone: in which its times are shown.
        line: its figures, or None while it is too new for the report.
        checkpoints: those that control it.
        gates: those of its venue.
    """

    performance: Performance
    event: Event
    venue: Venue
    zone: ZoneInfo
    line: PerformanceLine | None
    checkpoints: tuple[Checkpoint, ...]
    gates: tuple[Gate, ...]


def add_routes(app: web.Application) -> None:
    """Serve the performances."""
    app.router.add_get("/performances", performances_page)
    app.router.add_get("/performances/{performance}", performance_page)
    app.router.add_post("/performances/{performance}/publish", publish)
    app.router.add_post("/performances/{performance}/state", set_state)
    app.router.add_post("/performances/{performance}/reset", reset)
    app.router.add_post("/performances/{performance}/key-storage", choose_key_storage)


async def performances_page(request: web.Request) -> web.StreamResponse:
    """Show every performance of the branch."""
    current = await require_user(request, Right.BACK_OFFICE)
    catalogue = await request.config_dict[DESK].catalogue(current.user)
    report = await request.config_dict[BOARD].report(current.user.organization_id)
    shown = [_shown(catalogue, one, report) for one in catalogue.performances]
    context = {"performances": shown, "may_set_up": current.may(Right.SET_UP)}
    return await show(request, current, "performances.html", "performances", context)


async def performance_page(request: web.Request) -> web.StreamResponse:
    """Show one performance, and the forms that bring tickets in and correct them."""
    current = await require_user(request, Right.BACK_OFFICE)
    shown = await find(request, current)
    done = _done(await words_of(request), request)
    return await show_performance(request, current, shown, Draft(), done)


async def publish(request: web.Request) -> web.StreamResponse:
    """Publish the performance's list."""
    current, form = await read_own_form(request, Right.BACK_OFFICE)
    shown = await find(request, current)
    check = Check("publish", form, await words_of(request))
    try:
        version = await request.config_dict[DESK].publish(current.user, shown.performance.id)
    except ServerError as exc:
        check.refused(exc)
        return await show_performance(request, current, shown, check.draft)
    raise web.HTTPSeeOther(f"/performances/{shown.performance.id}?done=published&version={version}")


async def set_state(request: web.Request) -> web.StreamResponse:
    """Change one ticket's state."""
    current, form = await read_own_form(request, Right.BACK_OFFICE)
    shown = await find(request, current)
    words = await words_of(request)
    check = Check("state", form, words)
    number, state = check.number("number"), form.text("state")
    if state not in list(TicketState):
        check.wrong("state", words("Choose a state."))
    if check.is_good:
        try:
            changed = await request.config_dict[DESK].set_state(
                current.user, shown.performance.id, number, TicketState(state)
            )
        except NotFoundError:
            check.wrong("number", words("No ticket of this performance has that number."))
        except ServerError as exc:
            check.refused(exc)
        else:
            done = "state" if changed else "same_state"
            raise web.HTTPSeeOther(f"/performances/{shown.performance.id}?done={done}")
    return await show_performance(request, current, shown, check.draft)


async def reset(request: web.Request) -> web.StreamResponse:
    """Forget a ticket's earlier passages at a checkpoint."""
    current, form = await read_own_form(request, Right.BACK_OFFICE)
    shown = await find(request, current)
    words = await words_of(request)
    check = Check("reset", form, words)
    number, checkpoint = check.number("number"), form.text("checkpoint")
    if checkpoint not in {one.id for one in shown.checkpoints}:
        check.wrong("checkpoint", words("Choose a checkpoint."))
    reason = check.reason("reason")
    if check.is_good:
        try:
            await request.config_dict[DESK].reset(
                current.user, shown.performance.id, checkpoint, number, reason
            )
        except ServerError as exc:
            check.refused(exc)
        else:
            raise web.HTTPSeeOther(f"/performances/{shown.performance.id}?done=reset")
    return await show_performance(request, current, shown, check.draft)


async def choose_key_storage(request: web.Request) -> web.StreamResponse:
    """Choose where gates keep the performance's list key."""
    current, form = await read_own_form(request, Right.SET_UP)
    shown = await find(request, current)
    words = await words_of(request)
    check = Check("key", form, words)
    storage, reason = form.text("key_storage"), form.text("key_storage_reason")
    if storage not in list(KeyStorage):
        check.wrong("key_storage", words("Choose one of the ways."))
    if check.is_good:
        try:
            await request.config_dict[DESK].choose_key_storage(
                current.user, shown.performance.id, KeyStorage(storage), reason
            )
        except ConflictError as exc:
            check.wrong("key_storage_reason", words.known("error", exc.code) or exc.message)
        except ServerError as exc:
            check.refused(exc)
        else:
            raise web.HTTPSeeOther(f"/performances/{shown.performance.id}?done=key")
    return await show_performance(request, current, shown, check.draft)


async def find(request: web.Request, current: Current) -> Shown:
    """Give the performance that an address names.

    Raises:
        NotFoundError: if it does not exist, or not in the user's branch.
    """
    catalogue = await request.config_dict[DESK].catalogue(current.user)
    report = await request.config_dict[BOARD].report(current.user.organization_id)
    for performance in catalogue.performances:
        if performance.id == request.match_info["performance"]:
            return _shown(catalogue, performance, report)
    raise NotFoundError("performance")


async def show_performance(
    request: web.Request,
    current: Current,
    shown: Shown,
    draft: Draft,
    flashes: Sequence[Flash] = (),
) -> web.Response:
    """Show a performance's page, with a form that was sent and what is wrong with it."""
    desk = request.config_dict[DESK]
    words = await words_of(request)
    versions = await desk.list_versions(current.user, shown.performance.id)
    return await show(
        request,
        current,
        "performance.html",
        "performances",
        {
            "shown": shown,
            "zone": shown.zone,
            "imports": await desk.imports(current.user, shown.performance.id),
            "versions": versions[:VERSIONS_SHOWN],
            "states": list(TicketState),
            "key_storages": list(KeyStorage),
            "risk": number_risk(words, await language_of(request), shown.performance.guessability),
            "kept": kept_keys(words, shown.performance, shown.gates),
            "may_set_up": current.may(Right.SET_UP),
            "draft": draft,
        },
        status=UNPROCESSABLE if draft.errors else 200,
        path=f"/performances/{shown.performance.id}",
        flashes=flashes,
    )


def _shown(catalogue: Catalogue, performance: Performance, report: LiveReport) -> Shown:
    event = next(one for one in catalogue.events if one.id == performance.event_id)
    return Shown(
        performance=performance,
        event=event,
        venue=next(one for one in catalogue.venues if one.id == event.venue_id),
        zone=ZoneInfo(performance.timezone),
        line=next((line for line in report.performances if line.id == performance.id), None),
        checkpoints=tuple(
            one for one in catalogue.checkpoints if performance.id in one.performances
        ),
        gates=tuple(one for one in catalogue.gates if one.venue_id == event.venue_id),
    )


def _done(words: Words, request: web.Request) -> list[Flash]:
    match request.query.get("done", ""):
        case "published":
            version = request.query.get("version", "")
            text = words("List %(version)s is published. Gates fetch it now.", version=version)
        case "state":
            text = words("The ticket's state is changed. Publish the list to tell the gates.")
        case "same_state":
            return [Flash("info", words("The ticket had that state already."))]
        case "reset":
            text = words("The ticket's earlier passages there are forgotten.")
        case "key":
            text = words("Where gates keep the list key is chosen. Publish the list to tell them.")
        case _:
            return []
    return [Flash("good", text)]
