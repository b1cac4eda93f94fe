"""The gate's requests to the sync server over HTTP(S), each signed, bounded in time and in size.

Implements `link_ports.ServerLink`. Whatever goes wrong on the way is a LinkError: refused,
black-holed, slow, a name that does not resolve, a 5xx, a page of HTML from a captive portal.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp

from admission.errors import ProtocolError
from admission.limits import ENVELOPE_BYTES_MAX, MESSAGE_BYTES_MAX
from admission.sync import codec
from admission.sync.messages import (
    Ack,
    AskHeads,
    Batch,
    Carried,
    Enrol,
    Enrolled,
    Feed,
    Heads,
    Live,
    Poll,
    Polled,
    Renew,
    Renewed,
)
from admission.sync.request_signing import COUNTER_HEADER, NONCE_HEADER, authorization
from appliance.errors import LinkError
from appliance.identity_ports import Signer
from appliance.link_ports import LiveConnection
from appliance.transport.answers import (
    LIBRARY_ERRORS,
    answer_error,
    decoded,
    read,
    read_part,
    words_of,
    write_to,
)
from appliance.transport.live_choice import LiveChoice
from appliance.transport.live_poll import PollConnection
from appliance.transport.pinning import PinnedContext, pinned_context

CONNECT_S_MAX: Final = 2.0
REQUEST_S_MAX: Final = 5.0  # whole request; a person waits for none of them
STALL_S_MAX: Final = 5.0  # a download may be long, but not silent,
DOWNLOAD_BYTES_PER_S_MIN: Final = 10_000  # nor slower than this
LIVE_SILENCE_S_MAX: Final = 6.0  # the server beats every 2 s
CLOSE_S_MAX: Final = 1.0  # a good-bye that nobody answers
_KEY_BYTES_MAX: Final = 1024
_SESSION_BYTES: Final = 16
_POLL: Final = "/sync/v1/live/poll"
_TRIES: Final = 2  # the first answer may be a new nonce
_ASSIGNMENT: Final = "/sync/v1/assignment"
_NO_OFFER: Final = (204, 404)  # nothing now; and a server of before there were any


class HttpLink:
    """One gate's connection to its server. Use `open_link`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        gate: str,
        signer: Signer,
        pinned: PinnedContext | None = None,
    ) -> None:
        """Take a session that `open_link` made.

        Args:
            session: aiohttp's.
            server: base address, without a slash at the end.
            gate: id, "" before enrolment.
            signer: the gate's key, signs requests.
            pinned: of its connections, None where nothing is pinned.
        """
        self._session = session
        self._server = server
        self._gate = gate
        self._signer = signer
        self._pinned = pinned
        self._nonce = ""
        self._counter = 0
        self._etags: dict[str, str] = {}
        self._choice = LiveChoice(self._live_by_socket, self._live_by_polls)

    async def enrol(self, request: Enrol) -> Enrolled:
        """Enrol with a one-time code."""
        raw = await self._fetch("POST", "/sync/v1/enrolments", codec.encode(request))
        return decoded(raw, Enrolled)

    async def renew(self, request: Renew) -> Renewed:
        """Have keys certified."""
        return decoded(
            await self._fetch("POST", "/sync/v1/certificate", codec.encode(request)), Renewed
        )

    def take_pins(self, pins: tuple[bytes, ...]) -> None:
        """Take other certificates for the server's from the next connection on."""
        if self._pinned is not None:
            self._pinned.pins = pins

    async def root(self, version: int) -> bytes | None:
        """Fetch one root document; None if there is none of that version yet."""
        async with self._request("GET", f"/sync/v1/roots/{version}") as response:
            if response.status == 404:
                return None
            return await read(response, ENVELOPE_BYTES_MAX)

    async def status(self, nonce: str) -> bytes:
        """Ask what is the newest now."""
        target = f"/sync/v1/status?{urlencode({'nonce': nonce})}"
        return await self._fetch("GET", target, bytes_max=ENVELOPE_BYTES_MAX)

    async def assignment(self) -> bytes | None:
        """Fetch the assignment; None if unchanged."""
        return await self._fetch_if_new(_ASSIGNMENT)

    async def manifest(self, performance: str) -> bytes | None:
        """Fetch a manifest; None if unchanged."""
        return await self._fetch_if_new(_manifest_of(performance))

    async def list_key(self, performance: str) -> bytes:
        """Fetch a list key, sealed for this gate."""
        target = f"/sync/v1/performances/{_part(performance)}/key"
        return await self._fetch("GET", target, bytes_max=_KEY_BYTES_MAX)

    def forget(self, performance: str) -> None:
        """Ask for a manifest in full next time: what came could not be installed."""
        self._etags.pop(_manifest_of(performance), None)

    def forget_assignment(self) -> None:
        """Ask for the assignment in full next time: what came could not be taken."""
        self._etags.pop(_ASSIGNMENT, None)

    async def download(self, performance: str, sha256: str, size: int, to: Path) -> None:
        """Fetch a snapshot into a file; stops with an error as soon as it is too long or slow.

        Raises:
            LinkError: as every request.
            StorageError: if the file cannot be written.
        """
        target = f"/sync/v1/performances/{_part(performance)}/lists/{_part(sha256)}"
        timeout = aiohttp.ClientTimeout(
            total=STALL_S_MAX + size / DOWNLOAD_BYTES_PER_S_MIN,
            sock_connect=CONNECT_S_MAX,
            sock_read=STALL_S_MAX,
        )
        async with self._request("GET", target, timeout=timeout) as response:
            await write_to(response, size, to)

    async def update_offer(self) -> bytes | None:
        """Ask for the signed offer of another version; None where the gate is offered nothing."""
        async with self._request("GET", "/sync/v1/update") as response:
            if response.status in _NO_OFFER:
                return None
            return await read(response, ENVELOPE_BYTES_MAX)

    async def bundle_part(self, sha256: str, start: int, length: int, size: int) -> bytes:
        """Fetch a part of the bundle that is offered, up to its end.

        Where the answer breaks off, what has come so far is given.

        Raises:
            LinkError: as every request, and if nothing came.
        """
        length = min(length, size - start)
        timeout = aiohttp.ClientTimeout(
            total=STALL_S_MAX + length / DOWNLOAD_BYTES_PER_S_MIN,
            sock_connect=CONNECT_S_MAX,
            sock_read=STALL_S_MAX,
        )
        headers = {
            "Range": f"bytes={start}-{start + length - 1}",
            "If-Range": f'"{sha256}"',
            "Accept-Encoding": "identity",
        }
        target = f"/sync/v1/updates/{_part(sha256)}"
        async with self._request("GET", target, headers=headers, timeout=timeout) as response:
            return await read_part(response, start, length, size)

    async def upload(self, batch: Batch) -> Ack:
        """Hand records over."""
        target = f"/sync/v1/journals/{_part(batch.journal)}"
        return decoded(await self._fetch("POST", target, codec.encode(batch)), Ack)

    async def carry(self, carried: Carried) -> Ack:
        """Hand another gate's records over, which that gate has sealed."""
        target = f"/sync/v1/carried/{_part(carried.batch.journal)}"
        return decoded(await self._fetch("POST", target, codec.encode(carried)), Ack)

    async def heads(self, journals: Sequence[str]) -> Heads:
        """Ask how far the server has some journals."""
        body = codec.encode(AskHeads(list(journals)))
        return decoded(await self._fetch("POST", "/sync/v1/heads", body), Heads)

    async def feed(self, stream: str, after: int) -> Feed:
        """Fetch what follows a cursor."""
        target = f"/sync/v1/feed/{_part(stream)}?{urlencode({'after': after})}"
        return decoded(await self._fetch("GET", target), Feed)

    def live(self) -> AbstractAsyncContextManager[LiveConnection]:
        """Open the live connection, the way that works."""
        return self._choice.open()

    @asynccontextmanager
    async def _live_by_polls(self) -> AsyncIterator[PollConnection]:
        polling = PollConnection(self._exchange, secrets.token_hex(_SESSION_BYTES))
        await polling.open()
        yield polling

    async def _exchange(self, poll: Poll) -> Polled:
        timeout = aiohttp.ClientTimeout(
            total=REQUEST_S_MAX + poll.wait_ms / 1000, sock_connect=CONNECT_S_MAX
        )
        async with self._request("POST", _POLL, codec.encode(poll), timeout=timeout) as response:
            return decoded(await read(response, MESSAGE_BYTES_MAX), Polled)

    @asynccontextmanager
    async def _live_by_socket(self) -> AsyncIterator["LiveSocket"]:
        socket = await self._connect("/sync/v1/live")
        try:
            yield LiveSocket(socket)
        finally:
            await socket.close()

    async def _connect(self, target: str) -> aiohttp.ClientWebSocketResponse:
        for attempt in range(_TRIES):
            try:
                async with asyncio.timeout(REQUEST_S_MAX):
                    return await self._session.ws_connect(
                        self._server + target,
                        headers=self._signed("GET", target, b""),
                        max_msg_size=MESSAGE_BYTES_MAX,
                        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S_MAX),
                    )
            except aiohttp.WSServerHandshakeError as exc:
                if not self._take_nonce(exc.status, exc.headers or {}) or attempt + 1 == _TRIES:
                    raise answer_error(exc.status, "live") from exc
            except LIBRARY_ERRORS as exc:
                raise LinkError(f"live: {words_of(exc)}") from exc
        raise AssertionError("the last try returns or raises")

    async def _fetch_if_new(self, target: str) -> bytes | None:
        known = self._etags.get(target)
        headers = {"If-None-Match": known} if known else {}
        async with self._request("GET", target, headers=headers) as response:
            if response.status == 304 and known:
                return None
            raw = await read(response, ENVELOPE_BYTES_MAX)
            if etag := response.headers.get("ETag"):
                self._etags[target] = etag
            return raw

    async def _fetch(
        self, method: str, target: str, body: bytes = b"", bytes_max: int = MESSAGE_BYTES_MAX
    ) -> bytes:
        async with self._request(method, target, body) as response:
            return await read(response, bytes_max)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 (aiohttp's own)
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        for attempt in range(_TRIES):
            try:
                response = await self._session.request(
                    method,
                    self._server + target,
                    data=body or None,
                    headers=(headers or {}) | self._signed(method, target, body),
                    timeout=timeout or aiohttp.ClientTimeout(REQUEST_S_MAX, CONNECT_S_MAX),
                    allow_redirects=False,
                )
            except LIBRARY_ERRORS as exc:
                raise LinkError(f"{method} {target.partition('?')[0]}: {words_of(exc)}") from exc
            if self._take_nonce(response.status, response.headers) and attempt + 1 < _TRIES:
                response.release()
                continue
            try:
                yield response
            finally:
                response.release()
            return

    def _take_nonce(self, status: int, headers: Mapping[str, str]) -> bool:
        """Go on from the nonce and the counter that a refusal names; tell whether it names one.

        Requests overlap: what another one has learned already is not taken back.
        """
        nonce = headers.get(NONCE_HEADER, "")
        if status != 401 or not nonce:
            return False
        text = headers.get(COUNTER_HEADER, "0")
        seen = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
        if nonce != self._nonce:
            self._nonce, self._counter = nonce, seen
        else:
            self._counter = max(self._counter, seen)
        return True

    def _signed(self, method: str, target: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": codec.CONTENT_TYPE, "Accept": codec.CONTENT_TYPE}
        if self._gate:
            self._counter += 1
            headers["Authorization"] = authorization(
                self._signer.sign, method, target, body, self._gate, self._nonce, self._counter
            )
        return headers


class LiveSocket:
    """Implements `link_ports.LiveConnection` over a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take a socket that was just opened."""
        self._socket = socket

    async def send(self, message: Live) -> None:
        """Send a message."""
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                await self._socket.send_bytes(codec.encode(message))
        except LIBRARY_ERRORS as exc:
            raise LinkError(f"live connection: {words_of(exc)}") from exc

    async def receive(self) -> Live:
        """Wait for the next message; silence is an error."""
        try:
            message = await self._socket.receive(timeout=LIVE_SILENCE_S_MAX)
        except TimeoutError as exc:
            raise LinkError(f"live connection silent for {LIVE_SILENCE_S_MAX} s") from exc
        except LIBRARY_ERRORS as exc:
            raise LinkError(f"live connection: {words_of(exc)}") from exc
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise LinkError(f"live connection ended ({message.type.name.lower()})")
        try:
            return codec.decode_live(message.data)
        except ProtocolError as exc:
            raise LinkError(f"live connection: {exc}") from exc


@asynccontextmanager
async def open_link(
    server: str, gate: str, signer: Signer, pins: Iterable[bytes] = (), proxy: str = ""
) -> AsyncIterator[HttpLink]:
    """Open a link; nothing is sent until it is used.

    Args:
        server: base address.
        gate: id of the gate, "" before enrolment.
        signer: the gate's key.
        pins: SHA-256 of the certificates that are good; without any, those that the machine's
            own store vouches for.
        proxy: base address of the web proxy between; "" is none. It carries TLS unopened.

    Raises:
        LinkError: if the server is pinned, and the address would not lead there by TLS.
    """
    pins = tuple(pins)
    if pins and not server.startswith("https://"):
        raise LinkError(f"{server}: this gate's server is pinned; write https://")
    pinned = pinned_context(pins) if pins else None
    connector = aiohttp.TCPConnector(limit=8, ssl=True if pinned is None else pinned)
    # no environment proxies, no cookies: a gate talks to its server and to nobody else
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        proxy=proxy or None,
    ) as session:
        yield HttpLink(session, server.rstrip("/"), gate, signer, pinned)


def _part(text: str) -> str:
    return quote(text, safe="")


def _manifest_of(performance: str) -> str:
    return f"/sync/v1/performances/{_part(performance)}/manifest"
