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
from sync_server.journal_ports import SideLine
from sync_server.web.back_office.desk import BackOfficeDesk, Catalogue
from sync_server.web.back_office.drafts import Check, Draft
from sync_server.web.back_office.forms import Form, read_own_form
from sync_server.web.back_office.frame import Flash, show, words_of
from sync_server.web.rendering import Words
from sync_server.web.sessions import require_user

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
    catalogue, venue = await venue_of(request, current)
    return await show_venue(request, current, catalogue, venue, Draft())


class _OfVenue(Protocol):
    """An event, a checkpoint, a gate."""

    @property
    def id(self) -> str: ...

    @property
    def venue_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A form of the venue's page."""

    current: Current
    catalogue: Catalogue
    venue: Venue
    form: Form
    check: Check
    desk: BackOfficeDesk


async def add_event(request: web.Request) -> web.StreamResponse:
    """Make an event."""
    sent = await read_sent(request, "event")
    name = sent.check.name("name")
    return await finish(
        request, sent, lambda: sent.desk.add_event(sent.current.user, sent.venue.id, name)
    )


async def add_performance(request: web.Request) -> web.StreamResponse:
    """Make a performance of an event."""
    sent = await read_sent(request, "performance")
    name = sent.check.name("name")
    starts_ms = sent.check.start("starts", sent.venue.timezone)
    event = sent.form.text("event")
    if not is_among(event, sent.catalogue.events, sent.venue):
        sent.check.wrong("event", (await words_of(request))("Choose an event."))
    return await finish(
        request,
        sent,
        lambda: sent.desk.add_performance(sent.current.user, event, name, starts_ms),
    )


async def add_checkpoint(request: web.Request) -> web.StreamResponse:
    """Make a checkpoint."""
    sent = await read_sent(request, "checkpoint")
    name, capacity = sent.check.name("name"), sent.check.capacity("capacity")
    performances = sent.form.every("performances")
    return await finish(
        request,
        sent,
        lambda: sent.desk.add_checkpoint(
            sent.current.user, sent.venue.id, name, capacity, performances
        ),
    )


async def change_checkpoint(request: web.Request) -> web.StreamResponse:
    """Change what a checkpoint controls, and how many people it holds."""
    checkpoint = request.match_info["checkpoint"]
    sent = await read_sent(request, f"checkpoint-{checkpoint}")
    if not is_among(checkpoint, sent.catalogue.checkpoints, sent.venue):
        raise NotFoundError("checkpoint")
    capacity = sent.check.capacity("capacity")
    performances = sent.form.every("performances")
    return await finish(
        request,
        sent,
        lambda: sent.desk.change_checkpoint(sent.current.user, checkpoint, capacity, performances),
    )


async def add_gate(request: web.Request) -> web.StreamResponse:
    """Make a gate at a checkpoint."""
    sent = await read_sent(request, "gate")
    words = await words_of(request)
    name = sent.check.name("name")
    checkpoint, direction = sent.form.text("checkpoint"), sent.form.text("direction")
    if not is_among(checkpoint, sent.catalogue.checkpoints, sent.venue):
        sent.check.wrong("checkpoint", words("Choose a checkpoint."))
    if direction not in list(Direction):
        sent.check.wrong("direction", words("Choose a direction."))
    return await finish(
        request,
        sent,
        lambda: sent.desk.add_gate(sent.current.user, checkpoint, name, Direction(direction)),
    )


async def read_sent(request: web.Request, form_name: str) -> Sent:
    """Read a form of a venue's page.

    Raises:
        NotFoundError: if the venue is out of reach.
    """
    current, form = await read_own_form(request, Right.SET_UP)
    catalogue, venue = await venue_of(request, current)
    check = Check(form_name, form, await words_of(request))
    return Sent(current, catalogue, venue, form, check, request.config_dict[DESK])


async def finish(
    request: web.Request, sent: Sent, work: Callable[[], Awaitable[object]]
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
    return await show_venue(request, sent.current, sent.catalogue, sent.venue, sent.check.draft)


async def venue_of(request: web.Request, current: Current) -> tuple[Catalogue, Venue]:
    """Give the venue of a request's address, and what is set up there.

    Raises:
        NotFoundError: if it is out of reach.
    """
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


async def show_venue(
    request: web.Request, current: Current, catalogue: Catalogue, venue: Venue, draft: Draft
) -> web.Response:
    """Show a venue's page, with a form of it as it was sent."""
    held = await request.config_dict[DESK].quarantine(current.user)
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
            "sites": await request.config_dict[DESK].sites(current.user, venue),
            "site_check_string": request.config_dict[DESK].site_check_string,
            "quarantine": {line.gate_id: line for line in held},
            "copied": by_gate(await request.config_dict[DESK].copied_cards(current.user)),
            "check_string": request.config_dict[DESK].check_string,
            "draft": draft,
        },
        status=UNPROCESSABLE if draft.errors else 200,
        path=f"/set-up/venues/{venue.id}",
        flashes=[Flash("good", done)] if done else [],
    )


def by_gate(lines: Iterable[SideLine]) -> dict[str, list[SideLine]]:
    """Sort what is known of copied cards by gate."""
    sorted_out: dict[str, list[SideLine]] = {}
    for line in lines:
        sorted_out.setdefault(line.gate_id, []).append(line)
    return sorted_out


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
        case "confirmed":
            return words("The gate was confirmed: it fetches its lists now.")
        case "revoked":
            return words("The gate was revoked: it gets nothing any more.")
        case "site":
            return words("The site server was created. Make a joining code for it.")
        case "parted":
            return words("The site server was revoked: it gets nothing any more.")
        case "copied":
            return words("The notice is taken down. Both histories are kept and count.")
        case "released":
            return words("What the gate handed in counts now.")
        case _:
            return ""


def is_among(wanted: str, things: Iterable[_OfVenue], venue: Venue) -> bool:
    """Tell whether an id is that of one of some things, and of this venue."""
    return any(thing.id == wanted and thing.venue_id == venue.id for thing in things)
