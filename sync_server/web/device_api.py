"""What gates ask of the server: enrolment, lists, uploads, feed, and the live connection.

Every request but the enrolment is signed by its gate (`admission.sync.request_signing`). Answers
hold no ticket number: lists carry identifiers, and so do feeds.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from admission.errors import ProtocolError, SignatureError
from admission.limits import MESSAGE_BYTES_MAX
from admission.sync import codec
from admission.sync.messages import (
    Ack,
    AskHeads,
    Batch,
    Carried,
    Enrol,
    Enrolled,
    Heads,
    Poll,
    Renew,
    Renewed,
)
from admission.sync.request_signing import (
    COUNTER_HEADER,
    NONCE_HEADER,
    Credentials,
    ReplayWindow,
    check_request,
    read_authorization,
)
from admission.trust.status import NONCE_CHARACTERS_MAX
from sync_server.entities import Gate, Standing
from sync_server.errors import (
    ConflictError,
    EnrolmentError,
    LockedOutError,
    NotFoundError,
    UpstreamError,
)
from sync_server.web.live_polls import PollRoom
from sync_server.web.live_room import LiveDesk, LiveRoom, SocketChannel, serve_live
from sync_server.web.ranges import send_file
from sync_server.web.rush import Rush

ENROL_BYTES_MAX: Final = 4096
_FOREVER: Final = "public, max-age=31536000, immutable"


class DeviceDesk(LiveDesk, Protocol):
    """What the device API needs of the services; NotFoundError for what is not the gate's."""

    async def enrol(self, request: Enrol, address: str) -> Enrolled:
        """Spend a one-time code.

        Raises:
            EnrolmentError: if the code is wrong, used or too old.
            LockedOutError: if too many wrong codes came from that address.
        """
        ...

    async def caller(self, gate: str) -> Gate | None:
        """Give the gate that an id names, whatever its standing; None if there is none."""
        ...

    async def root(self, version: int) -> bytes:
        """Give one root document."""
        ...

    async def status(self, gate: str, nonce: str) -> bytes:
        """Sign what is the newest now, for a gate that asks with a nonce."""
        ...

    async def renew(self, gate: str, request: Renew, word: str = "") -> Renewed:
        """Certify a gate's keys anew.

        Args:
            gate: whose.
            request: which.
            word: the header by which the gate has signed this request, for who passes it on.
        """
        ...

    async def assignment(self, gate: str) -> bytes:
        """Give the gate's signed assignment."""
        ...

    async def manifest(self, gate: str, performance: str) -> bytes:
        """Give the newest signed manifest of a performance that the gate holds."""
        ...

    async def list_file(self, gate: str, performance: str, sha256: str) -> Path:
        """Give a file of a published list."""
        ...

    async def list_key(self, gate: str, performance: str) -> bytes:
        """Give a list key, sealed for the gate."""
        ...

    async def update_offer(self, gate: str) -> bytes | None:
        """Give the signed offer of another version; None while the gate is offered nothing."""
        ...

    async def update_bundle(self, gate: str, sha256: str) -> Path:
        """Give the bundle that the gate is offered."""
        ...

    async def take(self, gate: str, batch: Batch) -> Ack:
        """Take a batch in, a revoked gate's apart from all others; durable when this returns."""
        ...

    async def carry(self, carrier: str, carried: Carried) -> Ack:
        """Take a part of a journal that another gate brings; durable when this returns."""
        ...

    async def heads(self, gate: str, journals: Sequence[str]) -> Heads:
        """Give how far journals of the gate's own venue are held."""
        ...


class Nonces:
    """This start's nonce, and which request counters of each gate were seen under it."""

    def __init__(self, nonce: str) -> None:
        """Take a nonce that was never used before."""
        self.nonce = nonce
        self._windows: dict[str, ReplayWindow] = {}

    def window(self, gate: str) -> ReplayWindow:
        """Give the window of a gate."""
        return self._windows.setdefault(gate, ReplayWindow())


DESK: Final = web.AppKey("device_desk", DeviceDesk)
ROOM: Final = web.AppKey("live_room", LiveRoom)
POLLS: Final = web.AppKey("live_polls", PollRoom)
RUSH: Final = web.AppKey("rush", Rush)
NONCES: Final = web.AppKey("nonces", Nonces)

Handler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


def add_device_api(app: web.Application, desk: DeviceDesk, room: LiveRoom, nonce: str) -> None:
    """Add the device API's routes to an application."""
    app[DESK], app[ROOM], app[NONCES] = desk, room, Nonces(nonce)
    app[RUSH] = Rush(time.monotonic)
    app[POLLS] = PollRoom(desk, room)
    app.cleanup_ctx.append(_serve_polls)
    app.router.add_post("/sync/v1/enrolments", _enrol)
    app.router.add_get("/sync/v1/roots/{version}", _signed(_root, also_revoked=True))
    app.router.add_get("/sync/v1/status", _signed(_status, also_revoked=True))
    app.router.add_post("/sync/v1/certificate", _signed(_certificate))
    app.router.add_get("/sync/v1/assignment", _signed(_assignment))
    app.router.add_get("/sync/v1/performances/{performance}/manifest", _signed(_manifest))
    app.router.add_get("/sync/v1/performances/{performance}/key", _signed(_key))
    app.router.add_get("/sync/v1/performances/{performance}/lists/{sha256}", _signed(_list_file))
    app.router.add_get("/sync/v1/update", _signed(_update))
    app.router.add_get("/sync/v1/updates/{sha256}", _signed(_bundle))
    app.router.add_post("/sync/v1/journals/{journal}", _signed(_upload, also_revoked=True))
    app.router.add_post("/sync/v1/carried/{journal}", _signed(_carried))
    app.router.add_post("/sync/v1/heads", _signed(_heads))
    app.router.add_get("/sync/v1/feed/{stream}", _signed(_feed))
    app.router.add_get("/sync/v1/live", _signed(_live))
    app.router.add_post("/sync/v1/live/poll", _signed(_poll))
    app.on_shutdown.append(_close_room)


async def _serve_polls(app: web.Application) -> AsyncIterator[None]:
    async with app[POLLS].open():
        yield


async def _close_room(app: web.Application) -> None:
    app[ROOM].close()


def _signed(
    handler: Handler, *, also_revoked: bool = False
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Have a handler serve gates that are in force, and no others.

    Args:
        handler: serves.
        also_revoked: whether it serves revoked gates too: what they bring, not what they want.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        gate = await _authenticate(request, also_revoked=also_revoked)
        try:
            return await handler(request, gate)
        except NotFoundError as exc:
            raise web.HTTPNotFound(text=exc.message) from None
        except ProtocolError as exc:
            raise web.HTTPBadRequest(text=str(exc)) from None
        except UpstreamError as exc:  # of a site server
            raise web.HTTPServiceUnavailable(text=exc.message) from None

    return handle


async def _authenticate(request: web.Request, *, also_revoked: bool) -> str:
    """Give the gate that signed a request, or refuse it with this start's nonce."""
    nonces = request.app[NONCES]
    body = await request.read() if request.can_read_body else b""
    credentials: Credentials | None = None
    try:
        credentials = read_authorization(request.headers.get("Authorization", ""))
        gate = await _check(request, credentials, nonces, body)
    except (ProtocolError, SignatureError) as exc:
        counted = 0 if credentials is None else nonces.window(credentials.gate).highest
        headers = {
            NONCE_HEADER: nonces.nonce,
            COUNTER_HEADER: str(counted),  # a gate that was started anew goes on from there
            "WWW-Authenticate": "Portillon",
        }
        raise web.HTTPUnauthorized(text=str(exc), headers=headers) from None
    if gate.standing is Standing.PENDING:
        raise web.HTTPForbidden(text="an operator has to confirm this gate's check string first")
    if gate.standing is Standing.REVOKED and not also_revoked:
        raise web.HTTPForbidden(text="this gate was revoked: its journal is taken, nothing else")
    return gate.id


async def _check(
    request: web.Request, credentials: Credentials, nonces: Nonces, body: bytes
) -> Gate:
    gate = await request.app[DESK].caller(credentials.gate)
    if gate is None or gate.public_key is None:
        raise web.HTTPForbidden(text="this gate is not enrolled here")
    check_request(
        credentials,
        public_key=gate.public_key,
        method=request.method,
        target=request.raw_path,
        body=body,
        nonce=nonces.nonce,
        window=nonces.window(credentials.gate),
    )
    return gate


async def _enrol(request: web.Request) -> web.StreamResponse:
    if (request.content_length or 0) > ENROL_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(ENROL_BYTES_MAX, request.content_length or 0)
    try:
        message = codec.decode(await request.read(), Enrol)
        answer = await request.app[DESK].enrol(message, request.remote or "")
    except ProtocolError as exc:
        raise web.HTTPBadRequest(text=str(exc)) from None
    except (EnrolmentError, UpstreamError) as exc:
        raise web.HTTPForbidden(text=exc.message) from None
    except LockedOutError as exc:
        headers = {"Retry-After": str(exc.retry_s)}
        raise web.HTTPTooManyRequests(text=exc.message, headers=headers) from None
    return _message(codec.encode(answer))


async def _root(request: web.Request, gate: str) -> web.StreamResponse:
    del gate  # a root is everybody's
    version = _whole_number(request.match_info["version"], "version")
    return _document(request, await request.app[DESK].root(version))


async def _status(request: web.Request, gate: str) -> web.StreamResponse:
    nonce = request.query.get("nonce", "")
    if not 0 < len(nonce) <= NONCE_CHARACTERS_MAX:
        raise web.HTTPBadRequest(text=f"nonce must have 1 to {NONCE_CHARACTERS_MAX} characters")
    window_s = request.app[RUSH].window_s()
    if window_s:
        headers = {"Retry-After": str(window_s)}
        told = f"too many gates at once; come back within {window_s} s"
        raise web.HTTPServiceUnavailable(text=told, headers=headers)
    try:
        raw = await request.app[DESK].status(gate, nonce)
    except ConflictError as exc:
        raise web.HTTPServiceUnavailable(text=exc.message) from None
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=raw, headers=headers, content_type="application/json")


async def _certificate(request: web.Request, gate: str) -> web.StreamResponse:
    wanted = codec.decode(await request.read(), Renew)
    word = request.headers.get("Authorization", "")
    return _message(codec.encode(await request.app[DESK].renew(gate, wanted, word)))


async def _assignment(request: web.Request, gate: str) -> web.StreamResponse:
    return _document(request, await request.app[DESK].assignment(gate))


async def _manifest(request: web.Request, gate: str) -> web.StreamResponse:
    performance = request.match_info["performance"]
    return _document(request, await request.app[DESK].manifest(gate, performance))


async def _key(request: web.Request, gate: str) -> web.StreamResponse:
    sealed = await request.app[DESK].list_key(gate, request.match_info["performance"])
    return web.Response(body=sealed, headers={"Cache-Control": "no-store"})


async def _list_file(request: web.Request, gate: str) -> web.StreamResponse:
    performance, sha256 = request.match_info["performance"], request.match_info["sha256"]
    path = await request.app[DESK].list_file(gate, performance, sha256)
    return web.FileResponse(path, headers={"Cache-Control": _FOREVER})


async def _update(request: web.Request, gate: str) -> web.StreamResponse:
    raw = await request.app[DESK].update_offer(gate)
    headers = {"Cache-Control": "no-store"}
    if raw is None:
        return web.Response(status=204, headers=headers)
    return web.Response(body=raw, headers=headers, content_type="application/json")


async def _bundle(request: web.Request, gate: str) -> web.StreamResponse:
    sha256 = request.match_info["sha256"]
    path = await request.app[DESK].update_bundle(gate, sha256)
    return await send_file(request, path, sha256, "private, max-age=86400, immutable")


async def _upload(request: web.Request, gate: str) -> web.StreamResponse:
    batch = codec.decode(await request.read(), Batch)
    if batch.journal != request.match_info["journal"]:
        raise web.HTTPBadRequest(text="the batch is of another journal than the address says")
    ack = await request.app[DESK].take(gate, batch)
    return _message(codec.encode(ack), 409 if ack.conflict else 200)


async def _carried(request: web.Request, gate: str) -> web.StreamResponse:
    carried = codec.decode(await request.read(), Carried)
    if carried.batch.journal != request.match_info["journal"]:
        raise web.HTTPBadRequest(text="the batch is of another journal than the address says")
    ack = await request.app[DESK].carry(gate, carried)
    return _message(codec.encode(ack), 409 if ack.conflict else 200)


async def _heads(request: web.Request, gate: str) -> web.StreamResponse:
    asked = codec.decode(await request.read(), AskHeads)
    return _message(codec.encode(await request.app[DESK].heads(gate, asked.journals)))


async def _feed(request: web.Request, gate: str) -> web.StreamResponse:
    after = _whole_number(request.query.get("after", "0"), "after")
    stream = request.match_info["stream"]
    return _message(codec.encode(await request.app[DESK].feed(gate, stream, after)))


def _whole_number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) >= len(str(1 << 63)):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number")
    return int(text)


async def _live(request: web.Request, gate: str) -> web.StreamResponse:
    socket = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES_MAX, timeout=1.0)
    await socket.prepare(request)
    await serve_live(gate, SocketChannel(socket), request.app[DESK], request.app[ROOM])
    return socket


async def _poll(request: web.Request, gate: str) -> web.StreamResponse:
    poll = codec.decode(await request.read(), Poll)
    return _message(codec.encode(await request.app[POLLS].answer(gate, poll)))


def _document(request: web.Request, raw: bytes) -> web.Response:
    """Answer with a signed document, or with 304 where the gate has it."""
    etag = f'"{hashlib.sha256(raw).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=raw, headers=headers, content_type="application/json")


def _message(raw: bytes, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=raw, status=status, content_type=codec.CONTENT_TYPE, headers=headers)
