"""What is done with a gate's identity: codes, confirming, revoking, releasing what it brought."""

from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from admission.scan import Direction
from admission.trust.command import Action
from sync_server.accounts import Current, Right
from sync_server.commanding import Issued
from sync_server.entities import Venue
from sync_server.errors import NotFoundError, ServerError
from sync_server.stewarding import REASON_CHARACTERS_MAX
from sync_server.web.back_office.desk import NewCode
from sync_server.web.back_office.forms import read_own_form
from sync_server.web.back_office.frame import show, words_of
from sync_server.web.back_office.set_up import (
    DESK,
    Sent,
    finish,
    is_among,
    read_sent,
    show_venue,
    venue_of,
)
from sync_server.web.formats import isolated
from sync_server.web.qr import qr_svg
from sync_server.web.sessions import reached_by

_ON_THE_PAGE: Final = (Action.LOCK, Action.UNLOCK, Action.OPEN)
_GATE: Final = "/set-up/venues/{venue}/gates/{gate}"


def add_routes(app: web.Application) -> None:
    """Serve what is done with gates."""
    app.router.add_post("/set-up/venues/{venue}/group-codes", new_group_code)
    app.router.add_post(_GATE + "/code", new_code)
    app.router.add_post(_GATE + "/confirm", confirm)
    app.router.add_post(_GATE + "/revoke", revoke)
    app.router.add_post(_GATE + "/commands", command)
    app.router.add_post(_GATE + "/release", release)
    app.router.add_post(_GATE + "/settle", settle_copies)


async def new_code(request: web.Request) -> web.StreamResponse:
    """Make a gate's enrolment code and show it, this once."""
    current, _ = await read_own_form(request, Right.SET_UP)
    catalogue, venue = await venue_of(request, current)
    gate_id = request.match_info["gate"]
    gate = next((one for one in catalogue.gates if one.id == gate_id), None)
    if gate is None or gate.venue_id != venue.id:
        raise NotFoundError("gate")
    code = await request.config_dict[DESK].new_code(current.user, gate.id, reached_by(request))
    words = await words_of(request)
    title = words("Enrolment code of %(gate)s", gate=isolated(gate.name))
    return await _show_code(request, current, venue, code, title, is_single=True)


async def new_group_code(request: web.Request) -> web.StreamResponse:
    """Make a code for several machines and show it, this once."""
    sent = await read_sent(request, "group")
    words = await words_of(request)
    checkpoint, direction = sent.form.text("checkpoint"), sent.form.text("direction")
    uses, hours = sent.check.count("uses", 200), sent.check.count("hours", 168)
    if not is_among(checkpoint, sent.catalogue.checkpoints, sent.venue):
        sent.check.wrong("checkpoint", words("Choose a checkpoint."))
    if direction not in list(Direction):
        sent.check.wrong("direction", words("Choose a direction."))
    if sent.check.is_good:
        try:
            code = await sent.desk.new_group_code(
                sent.current.user,
                checkpoint,
                Direction(direction),
                uses,
                hours * 60,
                reached_by(request),
            )
        except NotFoundError:
            raise
        except ServerError as exc:
            sent.check.refused(exc)
        else:
            names = [one.name for one in sent.catalogue.checkpoints if one.id == checkpoint]
            title = words("Enrolment code for several gates of %(checkpoint)s", checkpoint=names[0])
            return await _show_code(request, sent.current, sent.venue, code, title, is_single=False)
    return await show_venue(request, sent.current, sent.catalogue, sent.venue, sent.check.draft)


async def confirm(request: web.Request) -> web.StreamResponse:
    """Take a waiting machine in: its digits were compared."""
    sent, gate_id = await _of_gate(request, "confirmed")
    return await finish(request, sent, lambda: sent.desk.confirm_gate(sent.current.user, gate_id))


async def revoke(request: web.Request) -> web.StreamResponse:
    """Have a gate's key mean nothing any more."""
    sent, gate_id = await _of_gate(request, "revoked")
    return await finish(request, sent, lambda: sent.desk.revoke_gate(sent.current.user, gate_id))


async def release(request: web.Request) -> web.StreamResponse:
    """Believe what a revoked gate has handed in."""
    sent, gate_id = await _of_gate(request, "released")
    return await finish(request, sent, lambda: sent.desk.release(sent.current.user, gate_id))


async def settle_copies(request: web.Request) -> web.StreamResponse:
    """Take the notice of a copied card down: somebody has looked into it."""
    sent, gate_id = await _of_gate(request, f"copied-{request.match_info['gate']}")
    reason = sent.form.text("reason").strip()
    if not reason or len(reason) > REASON_CHARACTERS_MAX:
        sent.check.wrong("reason", (await words_of(request))("Say why, in a few words."))
    return await finish(
        request, sent, lambda: sent.desk.settle_copies(sent.current.user, gate_id, reason)
    )


async def command(request: web.Request) -> web.StreamResponse:
    """Command a gate, and show the code that its reader takes where no network reaches it."""
    gate_id = request.match_info["gate"]
    sent, _ = await _of_gate(request, f"command-{gate_id}")
    words, check = await words_of(request), sent.check
    action, reason = sent.form.text("action"), sent.form.text("reason").strip()
    if action not in _ON_THE_PAGE:
        check.wrong("action", words("Choose what the gate is to do."))
    if not reason or len(reason) > REASON_CHARACTERS_MAX:
        check.wrong("reason", words("Say why, in a few words."))
    if check.is_good:
        try:
            issued = await sent.desk.command_gate(
                sent.current.user, gate_id, Action(action), reason
            )
        except NotFoundError:
            raise
        except ServerError as exc:
            check.refused(exc)
        else:
            return await _show_command(request, sent, gate_id, issued, action)
    return await show_venue(request, sent.current, sent.catalogue, sent.venue, check.draft)


async def _show_command(
    request: web.Request, sent: Sent, gate_id: str, issued: Issued, action: str
) -> web.Response:
    names = [one.name for one in sent.catalogue.gates if one.id == gate_id]
    words = await words_of(request)
    context = {
        "venue": sent.venue,
        "gate_name": names[0],
        "action": action,
        "issued": issued,
        "qr": qr_svg(issued.code, words("Command as a QR code")),
        "zone": ZoneInfo(sent.venue.timezone),
    }
    path = f"/set-up/venues/{sent.venue.id}"
    return await show(request, sent.current, "command.html", "set_up", context, path=path)


async def _of_gate(request: web.Request, form_name: str) -> tuple[Sent, str]:
    sent = await read_sent(request, form_name)
    gate_id = request.match_info["gate"]
    if not is_among(gate_id, sent.catalogue.gates, sent.venue):
        raise NotFoundError("gate")
    return sent, gate_id


async def _show_code(
    request: web.Request,
    current: Current,
    venue: Venue,
    code: NewCode,
    title: str,
    *,
    is_single: bool,
) -> web.Response:
    words = await words_of(request)
    context = {
        "venue": venue,
        "title": title,
        "code": code,
        "is_single": is_single,
        "is_site": False,
        "qr": qr_svg(code.link, words("Enrolment link as a QR code")),
        "zone": ZoneInfo(venue.timezone),
    }
    path = f"/set-up/venues/{venue.id}"
    return await show(request, current, "code.html", "set_up", context, path=path)
