"""What site servers ask of their upstream: whom they serve, documents for gates, feeds, carrying.

Every request but the first is signed by its site, as gates sign theirs. A site is told of the gates
of its own venue alone, and whatever it fetches for one of them is what that gate would have been
given itself: signed by a role, or sealed for the gate. Where a gate's own word is needed (its keys
anew), the gate's signature comes along.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from aiohttp import WSMsgType, web

from admission.errors import ProtocolError, SignatureError
from admission.limits import MESSAGE_BYTES_MAX
from admission.sync import codec
from admission.sync.hint_guard import HintGuard
from admission.sync.messages import (
    Beat,
    Carried,
    Claim,
    Feed,
    Hint,
    Ordered,
    Renew,
    Status,
    Subscribe,
)
from admission.sync.request_signing import (
    COUNTER_HEADER,
    NONCE_HEADER,
    Credentials,
    check_request,
    read_authorization,
    signed_text,
)
from admission.sync.server_side import Command, LiveSide, ReadFeed, Send
from admission.sync.site_messages import (
    GateOrder,
    GateTold,
    Join,
    Joined,
    Roster,
    RosterNews,
    SiteLive,
    SiteTold,
)
from admission.trust.keys import verify
from admission.trust.status import NONCE_CHARACTERS_MAX
from sync_server.entities import Gate, Site, Standing
from sync_server.errors import (
    ConflictError,
    EnrolmentError,
    InvalidError,
    LockedOutError,
    NotFoundError,
)
from sync_server.web.device_api import NONCES, ROOM, DeviceDesk
from sync_server.web.live_room import BEAT_S, LIVE_S_MAX
from sync_server.web.site_room import SiteConnection, SiteRoom

log = logging.getLogger(__name__)

JOIN_BYTES_MAX: Final = 8192
GATE_WORD: Final = "Portillon-Gate-Authorization"  # the gate's own signature
_GATE: Final = "/sync/v1/site/gates/{gate}"
_PERFORMANCE: Final = _GATE + "/performances/{performance}"
_FOREVER: Final = "public, max-age=31536000, immutable"


class SiteOffice(Protocol):
    """What these routes need of the services."""

    async def join(self, request: Join, address: str) -> Joined:
        """Spend a code.

        Raises:
            EnrolmentError: if the code is wrong, used or too old.
            LockedOutError: if too many wrong codes came from that address.
        """
        ...

    async def caller(self, site_id: str) -> Site | None:
        """Give the site that an id names, whatever became of it; None if there is none."""
        ...

    async def gate_of(self, site_id: str, gate_id: str) -> Gate:
        """Give a gate of a site's venue; NotFoundError if it is none."""
        ...

    async def roster(self, site_id: str) -> Roster:
        """Say whom a site serves."""
        ...

    async def streams(self, site_id: str) -> frozenset[str]:
        """Give the feeds that a site may follow."""
        ...

    async def numbering(self) -> str:
        """Give the name of the feeds' numbers."""
        ...

    async def feed(self, site_id: str, stream: str, after: int) -> Feed:
        """Read a stream after a cursor; NotFoundError if it is none of the site's."""
        ...

    async def note(self, site_id: str, told: SiteTold) -> None:
        """Remember how a site is."""
        ...


class GateDesk(DeviceDesk, Protocol):
    """What gates are given, and what is noted of them: the device API's own desk."""

    async def note_status(self, gate: str, status: Status, via: str = "") -> None:
        """Remember how a gate is, and behind which site."""
        ...


OFFICE: Final = web.AppKey("site_office", SiteOffice)
GATES: Final = web.AppKey("site_gates", GateDesk)
SITES: Final = web.AppKey("site_room", SiteRoom)
_Handler = Callable[[web.Request, Site], Awaitable[web.StreamResponse]]


def add_site_api(app: web.Application, office: SiteOffice, gates: GateDesk, room: SiteRoom) -> None:
    """Serve sites; the device API has been added before."""
    app[OFFICE], app[GATES], app[SITES] = office, gates, room
    app.on_shutdown.append(_close_room)
    app.router.add_post("/sync/v1/site/enrolments", _join)
    app.router.add_get("/sync/v1/site/roster", _signed(_roster))
    app.router.add_get("/sync/v1/site/roots/{version}", _signed(_root))
    app.router.add_get("/sync/v1/site/feed/{stream}", _signed(_feed))
    app.router.add_get("/sync/v1/site/live", _signed(_live))
    app.router.add_get(_GATE + "/status", _signed(_status))
    app.router.add_get(_GATE + "/assignment", _signed(_assignment))
    app.router.add_post("/sync/v1/site/carried/{journal}", _signed(_carried))
    app.router.add_post(_GATE + "/claims", _signed(_claim))
    app.router.add_post(_GATE + "/certificate", _signed(_certificate))
    app.router.add_get(_PERFORMANCE + "/manifest", _signed(_manifest))
    app.router.add_get(_PERFORMANCE + "/key", _signed(_key))
    app.router.add_get(_PERFORMANCE + "/lists/{sha256}", _signed(_list_file))


async def _close_room(app: web.Application) -> None:
    app[SITES].close()


def _signed(handler: _Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Have a handler serve sites that are in force, and no others."""

    async def handle(request: web.Request) -> web.StreamResponse:
        site = await authenticate_site(request)
        try:
            return await handler(request, site)
        except NotFoundError as exc:
            raise web.HTTPNotFound(text=exc.message) from None
        except (ProtocolError, SignatureError) as exc:
            raise web.HTTPBadRequest(text=str(exc)) from None
        except InvalidError as exc:
            raise web.HTTPBadRequest(text=exc.message) from None

    return handle


async def authenticate_site(request: web.Request) -> Site:
    """Give the site that signed a request, or refuse it with this start's nonce."""
    nonces = request.app[NONCES]
    body = await request.read() if request.can_read_body else b""
    credentials: Credentials | None = None
    try:
        credentials = read_authorization(request.headers.get("Authorization", ""))
        site = await request.app[OFFICE].caller(credentials.gate)
        if site is None or site.public_key is None:
            raise web.HTTPForbidden(text="this site has not joined here")
        check_request(
            credentials,
            public_key=site.public_key,
            method=request.method,
            target=request.raw_path,
            body=body,
            nonce=nonces.nonce,
            window=nonces.window(credentials.gate),
        )
    except (ProtocolError, SignatureError) as exc:
        counted = 0 if credentials is None else nonces.window(credentials.gate).highest
        headers = {
            NONCE_HEADER: nonces.nonce,
            COUNTER_HEADER: str(counted),
            "WWW-Authenticate": "Portillon",
        }
        raise web.HTTPUnauthorized(text=str(exc), headers=headers) from None
    if not site.is_in_force:
        raise web.HTTPForbidden(text="this site was revoked")
    return site


async def _join(request: web.Request) -> web.StreamResponse:
    if (request.content_length or 0) > JOIN_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(JOIN_BYTES_MAX, request.content_length or 0)
    try:
        message = codec.decode(await request.read(), Join)
        answer = await request.app[OFFICE].join(message, request.remote or "")
    except ProtocolError as exc:
        raise web.HTTPBadRequest(text=str(exc)) from None
    except EnrolmentError as exc:
        raise web.HTTPForbidden(text=exc.message) from None
    except LockedOutError as exc:
        headers = {"Retry-After": str(exc.retry_s)}
        raise web.HTTPTooManyRequests(text=exc.message, headers=headers) from None
    return _message(codec.encode(answer))


async def _roster(request: web.Request, site: Site) -> web.StreamResponse:
    return _message(codec.encode(await request.app[OFFICE].roster(site.id)))


async def _root(request: web.Request, site: Site) -> web.StreamResponse:
    del site  # a root is everybody's
    return _document(await request.app[GATES].root(_whole(request.match_info["version"])))


async def _feed(request: web.Request, site: Site) -> web.StreamResponse:
    after = _whole(request.query.get("after", "0"))
    feed = await request.app[OFFICE].feed(site.id, request.match_info["stream"], after)
    return _message(codec.encode(feed))


async def _gate(request: web.Request, site: Site) -> Gate:
    return await request.app[OFFICE].gate_of(site.id, request.match_info["gate"])


async def _gate_in_force(request: web.Request, site: Site) -> str:
    gate = await _gate(request, site)
    if gate.standing is not Standing.IN_FORCE:
        raise NotFoundError("gate")  # a gate that waits, or was revoked, gets nothing here either
    return gate.id


async def _status(request: web.Request, site: Site) -> web.StreamResponse:
    """Sign what is the newest for a gate: with its nonce, or with none, to be carried."""
    gate = await _gate(request, site)
    if gate.standing not in (Standing.IN_FORCE, Standing.REVOKED):
        raise NotFoundError("gate")
    nonce = request.query.get("nonce", "")
    if len(nonce) > NONCE_CHARACTERS_MAX:
        raise web.HTTPBadRequest(text=f"nonce must have at most {NONCE_CHARACTERS_MAX} characters")
    try:
        return _document(await request.app[GATES].status(gate.id, nonce))
    except ConflictError as exc:
        raise web.HTTPServiceUnavailable(text=exc.message) from None


async def _assignment(request: web.Request, site: Site) -> web.StreamResponse:
    gate = await _gate_in_force(request, site)
    return _document(await request.app[GATES].assignment(gate))


async def _manifest(request: web.Request, site: Site) -> web.StreamResponse:
    gate = await _gate_in_force(request, site)
    performance = request.match_info["performance"]
    return _document(await request.app[GATES].manifest(gate, performance))


async def _key(request: web.Request, site: Site) -> web.StreamResponse:
    gate = await _gate_in_force(request, site)
    performance = request.match_info["performance"]
    return _document(await request.app[GATES].list_key(gate, performance))


async def _list_file(request: web.Request, site: Site) -> web.StreamResponse:
    gate = await _gate_in_force(request, site)
    performance, sha256 = request.match_info["performance"], request.match_info["sha256"]
    path = await request.app[GATES].list_file(gate, performance, sha256)
    return web.FileResponse(path, headers={"Cache-Control": _FOREVER})


async def _carried(request: web.Request, site: Site) -> web.StreamResponse:
    """Take a gate's records, which the gate has sealed; a site speaks for its venue's gates."""
    carried = codec.decode(await request.read(), Carried)
    if carried.batch.journal != request.match_info["journal"]:
        raise web.HTTPBadRequest(text="the batch is of another journal than the address says")
    await request.app[OFFICE].gate_of(site.id, carried.gate)
    ack = await request.app[GATES].carry(site.id, carried)
    return web.Response(
        body=codec.encode(ack),
        status=409 if ack.conflict else 200,
        content_type=codec.CONTENT_TYPE,
        headers={"Cache-Control": "no-store"},
    )


async def _claim(request: web.Request, site: Site) -> web.StreamResponse:
    """Say whether a ticket is free; an empty answer leaves that to the site and its gate."""
    gate = await _gate_in_force(request, site)
    claimed = await request.app[GATES].claim(gate, codec.decode(await request.read(), Claim))
    return _message(b"" if claimed is None else codec.encode(claimed))


async def _certificate(request: web.Request, site: Site) -> web.StreamResponse:
    """Certify a gate's keys anew, at the gate's own word.

    A site's word would not do: it could have itself certified as one of its gates. What the gate
    signed for the site, by the key that it has now, comes along and is checked here. Played again
    it does nothing: it names the present key, and that one has gone then.
    """
    gate = await _gate(request, site)
    body = await request.read()
    check_gate_word(gate, request.headers.get(GATE_WORD, ""), "/sync/v1/certificate", body)
    renewed = await request.app[GATES].renew(gate.id, codec.decode(body, Renew))
    return _message(codec.encode(renewed))


def check_gate_word(gate: Gate, header: str, target: str, body: bytes) -> None:
    """Make sure that a gate itself has signed a request that somebody else brings.

    Raises:
        RemoteProtocolError: if the header is none.
        SignatureError: if the gate's present key did not sign it.
    """
    credentials = read_authorization(header)
    if credentials.gate != gate.id or gate.public_key is None:
        raise SignatureError("another gate signed this request")
    text = signed_text("POST", target, body, gate.id, credentials.nonce, credentials.counter)
    verify(gate.public_key, credentials.signature, text)


@dataclass(slots=True)
class _Wire:
    """One site's live connection: socket, sans-I/O side, and who serves it."""

    socket: web.WebSocketResponse
    side: LiveSide
    desk: GateDesk
    office: SiteOffice
    connection: SiteConnection
    site: Site
    hear: Callable[[Hint], None]
    guards: dict[str, HintGuard] = field(default_factory=dict)

    async def send(self, message: SiteLive) -> None:
        await self.socket.send_bytes(codec.encode(message))


async def _live(request: web.Request, site: Site) -> web.StreamResponse:
    socket = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES_MAX, timeout=1.0)
    await socket.prepare(request)
    desk, room, office = request.app[GATES], request.app[SITES], request.app[OFFICE]
    streams = await office.streams(site.id)
    connection = SiteConnection(site.id, streams=streams)
    side = LiveSide(streams, await office.numbering())

    def hear(hint: Hint) -> None:
        desk.hinted(hint)
        request.app[ROOM].hint(hint, onward=False)
        room.hint(hint, but=connection)

    wire = _Wire(socket, side, desk, office, connection, site, hear)
    try:
        async with room.join(connection), asyncio.TaskGroup() as tasks:
            sender = tasks.create_task(_send_news(wire))
            await _receive(wire)
            sender.cancel()
    except* (ProtocolError, NotFoundError, InvalidError) as group:
        log.warning("site broke the protocol", extra={"site": site.id, "reason": str(group)})
    except* ConnectionError:
        pass  # the site went; its gates go on without us
    finally:
        for gate in sorted(connection.behind):
            await desk.note_gone(gate)
        await socket.close()
    return socket


async def _receive(wire: _Wire) -> None:
    connection = wire.connection
    while not connection.ended:
        try:
            message = await wire.socket.receive(timeout=LIVE_S_MAX)
        except TimeoutError:
            return
        if message.type is not WSMsgType.BINARY:
            return
        match codec.decode_site_live(message.data):
            case GateTold() as told:
                await _note_gate(wire, told)
            case Hint() as hint:
                await _note_hint(wire, hint)
            case SiteTold() as told:
                await wire.office.note(wire.site.id, told)
            case Subscribe() | Beat() as said:
                await _carry_out(wire, wire.side.receive(said))
            case other:
                raise InvalidError("message", f"a site does not send {type(other).__name__}")
        connection.due.set()


async def _note_hint(wire: _Wire, hint: Hint) -> None:
    """Hand a hint on that a site brings, as if its gate had brought it; a site may invent some.

    Like a gate's own it makes others stricter for a minute at the most, and is counted.
    """
    if hint.gate not in wire.connection.behind or hint.performance not in wire.connection.streams:
        return
    now_ms = time.monotonic_ns() // 1_000_000
    guard = wire.guards.get(hint.gate)
    if guard is None:
        guard = HintGuard(hint.gate, await wire.desk.journals(hint.gate))
        wire.guards[hint.gate] = guard
    if guard.passes(hint, now_ms):
        wire.hear(hint)
    elif guard.wants_journals(now_ms):
        guard.know(await wire.desk.journals(hint.gate))


async def _note_gate(wire: _Wire, told: GateTold) -> None:
    """Take in how a gate behind the site is; a gate that comes is told of what stands."""
    gate = await wire.office.gate_of(wire.site.id, told.gate)
    behind = wire.connection.behind
    if told.status is None:
        if gate.id in behind:
            behind.discard(gate.id)
            await wire.desk.note_gone(gate.id)
        return
    if gate.standing is not Standing.IN_FORCE:
        return
    is_new = gate.id not in behind
    behind.add(gate.id)
    await wire.desk.note_status(gate.id, told.status, via=wire.site.name)
    if is_new:
        standing = await wire.desk.standing_order(gate.id)
        if standing is not None:
            wire.connection.order(gate.id, standing)


async def _send_news(wire: _Wire) -> None:
    """Send what is due, and a beat where nothing is for a while."""
    connection, side = wire.connection, wire.side
    while not connection.ended:
        try:
            async with asyncio.timeout(BEAT_S):
                await connection.due.wait()
        except TimeoutError:
            await wire.send(Beat(time.time_ns() // 1_000_000))
            continue
        connection.due.clear()
        while connection.hints and side.is_subscribed:
            await wire.send(connection.hints.popleft())
        while connection.orders and side.is_subscribed:
            gate, envelope = connection.orders.popleft()
            await wire.send(GateOrder(gate, envelope))
        grown, connection.grown = connection.grown, set()
        if connection.roster_due and side.is_subscribed:
            connection.roster_due = False
            caller = await wire.office.caller(wire.site.id)
            if caller is None or not caller.is_in_force:
                break
            side.allowed = connection.streams = await wire.office.streams(wire.site.id)
            await wire.send(RosterNews())
        await _carry_out(wire, side.wake(sorted(grown)))
    await wire.socket.close()


async def _carry_out(wire: _Wire, commands: list[Command]) -> None:
    todo = list(commands)
    while todo:
        match todo.pop(0):
            case Send(Ordered()):
                pass  # orders go by gate
            case Send(message):
                await wire.send(message)
            case ReadFeed(stream, after):
                todo += wire.side.page(await wire.office.feed(wire.site.id, stream, after))
            case _:
                pass  # a site says how its gates are by another message


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) >= len(str(1 << 63)):
        raise web.HTTPBadRequest(text="expected a whole number")
    return int(text)


def _document(raw: bytes) -> web.Response:
    return web.Response(body=raw, headers={"Cache-Control": "no-store"})


def _message(raw: bytes) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=raw, content_type=codec.CONTENT_TYPE, headers=headers)
