"""The set-up pages: venues, shows, checkpoints, gates, and a gate's enrolment code."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol
from zoneinfo import ZoneInfo, available_timezones

from aiohttp import web

from admission.scan import Direction
from sync_server.accounts import Current, Right
from sync_server.entities import Venue
from sync_server.errors import NotFoundError, ServerError
from sync_server.web.back_office.desk import BackOfficeDesk, Catalogue
from sync_server.web.back_office.drafts import Check, Draft
from sync_server.web.back_office.forms import Form, read_own_form
from sync_server.web.back_office.frame import Flash, show, words_of
from sync_server.web.qr import qr_svg
from sync_server.web.rendering import Words
from sync_server.web.sessions import reached_by, require_user

DESK: Final[web.AppKey[BackOfficeDesk]] = web.AppKey("desk")
UNPROCESSABLE: Final = 422
ZONES: Final = tuple(
    sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
)


def add_routes(app: web.Application) -> None:
    """Serve the set-up pages."""
    app.router.add_get("/set-up", venues_page)
    app.router.add_post("/set-up", add_venue)
    app.router.add_get("/set-up/venues/{venue}", venue_page)
    app.router.add_post("/set-up/venues/{venue}/events", add_event)
    app.router.add_post("/set-up/venues/{venue}/performances", add_performance)
    app.router.add_post("/set-up/venues/{venue}/checkpoints", add_checkpoint)
    app.router.add_post("/set-up/venues/{venue}/checkpoints/{checkpoint}", change_checkpoint)
    app.router.add_post("/set-up/venues/{venue}/gates", add_gate)
    app.router.add_post("/set-up/venues/{venue}/gates/{gate}/code", new_code)


async def venues_page(request: web.Request) -> web.StreamResponse:
    """Show the venues, and the form that makes one."""
    current = await require_user(request, Right.SET_UP)
    return await _show_venues(request, current, Draft())


async def add_venue(request: web.Request) -> web.StreamResponse:
    """Make a venue, and go on to its page."""
    current, form = await read_own_form(request, Right.SET_UP)
    check = Check("venue", form, await words_of(request))
    name, timezone = check.name("name"), check.timezone("timezone")
    if check.is_good:
        try:
            venue = await request.config_dict[DESK].add_venue(current.user, name, timezone)
        except ServerError as exc:
            check.refused(exc)
        else:
            raise web.HTTPSeeOther(f"/set-up/venues/{venue}?done=venue")
    return await _show_venues(request, current, check.draft)


async def venue_page(request: web.Request) -> web.StreamResponse:
    """Show a venue: its shows, its doors, and the forms that make more of them."""
    current = await require_user(request, Right.SET_UP)
    catalogue, venue = await _venue(request, current)
    return await _show_venue(request, current, catalogue, venue, Draft())


class _OfVenue(Protocol):
    """An event, a checkpoint, a gate."""

    @property
    def id(self) -> str: ...

    @property
    def venue_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Sent:
    """A form of the venue's page."""

    current: Current
    catalogue: Catalogue
    venue: Venue
    form: Form
    check: Check
    desk: BackOfficeDesk


async def add_event(request: web.Request) -> web.StreamResponse:
    """Make an event."""
    sent = await _sent(request, "event")
    name = sent.check.name("name")
    return await _finish(
        request, sent, lambda: sent.desk.add_event(sent.current.user, sent.venue.id, name)
    )


async def add_performance(request: web.Request) -> web.StreamResponse:
    """Make a performance of an event."""
    sent = await _sent(request, "performance")
    name = sent.check.name("name")
    starts_ms = sent.check.start("starts", sent.venue.timezone)
    event = sent.form.text("event")
    if not _is_among(event, sent.catalogue.events, sent.venue):
        sent.check.wrong("event", (await words_of(request))("Choose an event."))
    return await _finish(
        request,
        sent,
        lambda: sent.desk.add_performance(sent.current.user, event, name, starts_ms),
    )


async def add_checkpoint(request: web.Request) -> web.StreamResponse:
    """Make a checkpoint."""
    sent = await _sent(request, "checkpoint")
    name, capacity = sent.check.name("name"), sent.check.capacity("capacity")
    performances = sent.form.every("performances")
    return await _finish(
        request,
        sent,
        lambda: sent.desk.add_checkpoint(
            sent.current.user, sent.venue.id, name, capacity, performances
        ),
    )


async def change_checkpoint(request: web.Request) -> web.StreamResponse:
    """Change what a checkpoint controls, and how many people it holds."""
    checkpoint = request.match_info["checkpoint"]
    sent = await _sent(request, f"checkpoint-{checkpoint}")
    if not _is_among(checkpoint, sent.catalogue.checkpoints, sent.venue):
        raise NotFoundError("checkpoint")
    capacity = sent.check.capacity("capacity")
    performances = sent.form.every("performances")
    return await _finish(
        request,
        sent,
        lambda: sent.desk.change_checkpoint(sent.current.user, checkpoint, capacity, performances),
    )


async def add_gate(request: web.Request) -> web.StreamResponse:
    """Make a gate at a checkpoint."""
    sent = await _sent(request, "gate")
    words = await words_of(request)
    name = sent.check.name("name")
    checkpoint, direction = sent.form.text("checkpoint"), sent.form.text("direction")
    if not _is_among(checkpoint, sent.catalogue.checkpoints, sent.venue):
        sent.check.wrong("checkpoint", words("Choose a checkpoint."))
    if direction not in list(Direction):
        sent.check.wrong("direction", words("Choose a direction."))
    return await _finish(
        request,
        sent,
        lambda: sent.desk.add_gate(sent.current.user, checkpoint, name, Direction(direction)),
    )


async def new_code(request: web.Request) -> web.StreamResponse:
    """Make a gate's enrolment code and show it, this once."""
    current, _ = await read_own_form(request, Right.SET_UP)
    catalogue, venue = await _venue(request, current)
    gate = next(
        (
            gate
            for gate in catalogue.gates
            if gate.id == request.match_info["gate"] and gate.venue_id == venue.id
        ),
        None,
    )
    if gate is None:
        raise NotFoundError("gate")
    code = await request.config_dict[DESK].new_code(current.user, gate.id, reached_by(request))
    words = await words_of(request)
    context = {
        "venue": venue,
        "gate": gate,
        "code": code,
        "qr": qr_svg(code.link, words("Enrolment link of %(gate)s", gate=gate.name)),
        "zone": ZoneInfo(venue.timezone),
    }
    path = f"/set-up/venues/{venue.id}"
    return await show(request, current, "code.html", "set_up", context, path=path)


async def _sent(request: web.Request, form_name: str) -> _Sent:
    current, form = await read_own_form(request, Right.SET_UP)
    catalogue, venue = await _venue(request, current)
    check = Check(form_name, form, await words_of(request))
    return _Sent(current, catalogue, venue, form, check, request.config_dict[DESK])


async def _finish(
    request: web.Request, sent: _Sent, work: Callable[[], Awaitable[object]]
) -> web.StreamResponse:
    """Do what a form asks for and show the venue anew, or the form again with what is wrong."""
    if sent.check.is_good:
        try:
            await work()
        except NotFoundError:
            raise
        except ServerError as exc:
            sent.check.refused(exc)
        else:
            done = sent.check.draft.name.partition("-")[0]
            raise web.HTTPSeeOther(f"/set-up/venues/{sent.venue.id}?done={done}")
    return await _show_venue(request, sent.current, sent.catalogue, sent.venue, sent.check.draft)


async def _venue(request: web.Request, current: Current) -> tuple[Catalogue, Venue]:
    catalogue = await request.config_dict[DESK].catalogue(current.user)
    for venue in catalogue.venues:
        if venue.id == request.match_info["venue"]:
            return catalogue, venue
    raise NotFoundError("venue")


async def _show_venues(request: web.Request, current: Current, draft: Draft) -> web.Response:
    catalogue = await request.config_dict[DESK].catalogue(current.user)
    return await show(
        request,
        current,
        "set_up.html",
        "set_up",
        {"catalogue": catalogue, "draft": draft, "zones": ZONES},
        status=UNPROCESSABLE if draft.errors else 200,
        path="/set-up",
    )


async def _show_venue(
    request: web.Request, current: Current, catalogue: Catalogue, venue: Venue, draft: Draft
) -> web.Response:
    events = [event for event in catalogue.events if event.venue_id == venue.id]
    ids = {event.id for event in events}
    done = _done(await words_of(request), request.query.get("done", ""))
    return await show(
        request,
        current,
        "venue.html",
        "set_up",
        {
            "venue": venue,
            "zone": ZoneInfo(venue.timezone),
            "events": events,
            "performances": [one for one in catalogue.performances if one.event_id in ids],
            "checkpoints": [one for one in catalogue.checkpoints if one.venue_id == venue.id],
            "gates": [gate for gate in catalogue.gates if gate.venue_id == venue.id],
            "check_string": request.config_dict[DESK].check_string,
            "draft": draft,
        },
        status=UNPROCESSABLE if draft.errors else 200,
        path=f"/set-up/venues/{venue.id}",
        flashes=[Flash("good", done)] if done else [],
    )


def _done(words: Words, what: str) -> str:
    match what:
        case "venue":
            return words("The venue was created. Now add its shows and its doors.")
        case "event":
            return words("The event was created. Now add a performance to it.")
        case "performance":
            return words("The performance was created. A checkpoint must control it.")
        case "checkpoint":
            return words("The checkpoint was saved.")
        case "gate":
            return words("The gate was created. Make an enrolment code for it.")
        case _:
            return ""


def _is_among(wanted: str, things: Iterable[_OfVenue], venue: Venue) -> bool:
    return any(thing.id == wanted and thing.venue_id == venue.id for thing in things)
