"""A site server's requests to its upstream over HTTP(S), signed by the site's key.

Implements `upstream_ports.Upstream`. Whatever goes wrong on the way is an UpstreamError.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import aiohttp

from admission.errors import ProtocolError
from admission.limits import ENVELOPE_BYTES_MAX, MESSAGE_BYTES_MAX
from admission.sync import codec
from admission.sync.messages import Ack, Carried, Claim, Claimed, Feed
from admission.sync.request_signing import COUNTER_HEADER, NONCE_HEADER, authorization
from admission.sync.site_messages import Join, Joined, Roster, SiteLive
from sync_server.errors import UpstreamError

CONNECT_S_MAX: Final = 2.0
REQUEST_S_MAX: Final = 4.0  # a gate that waits for us gives up after 5 s
BATCH_S_MAX: Final = 20.0  # nobody waits for a batch on its way up
STALL_S_MAX: Final = 10.0
DOWNLOAD_S_MAX: Final = 3600.0
LIVE_SILENCE_S_MAX: Final = 6.0  # upstream beats every 2 s
_GATE_WORD: Final = "Portillon-Gate-Authorization"
_WORDS_BYTES_MAX: Final = 200
_KEY_BYTES_MAX: Final = 1024
_CHUNK_BYTES: Final = 1 << 16
_TRIES: Final = 3  # a new nonce, and the certificate that has taken over
_LIBRARY_ERRORS: Final = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
M = TypeVar("M", Ack, Claimed, Feed, Roster, Joined)


class UpstreamLink:
    """One site's connection to its upstream. Use `open_upstream`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str,
        site: str,
        sign: Callable[[bytes], bytes],
        pins: tuple[bytes, ...],
    ) -> None:
        self._session = session
        self._server = server
        self._site = site
        self._sign = sign
        self._pins = pins
        self._nonce = ""
        self._counter = 0

    def take_pins(self, pins: tuple[bytes, ...]) -> None:
        """Take other certificates for upstream's from the next connection on."""
        self._pins = pins

    async def join(self, request: Join) -> Joined:
        """Become a site by a one-time code."""
        raw = await self._fetch("POST", "/sync/v1/site/enrolments", codec.encode(request))
        return _decoded(raw, Joined)

    async def roster(self) -> Roster:
        """Ask whom this site serves."""
        return _decoded(await self._fetch("GET", "/sync/v1/site/roster"), Roster)

    async def root(self, version: int) -> bytes:
        """Fetch one root document."""
        target = f"/sync/v1/site/roots/{version}"
        return await self._fetch("GET", target, bytes_max=ENVELOPE_BYTES_MAX)

    async def status(self, gate: str, nonce: str) -> bytes:
        """Fetch what is the newest now for a gate; without a nonce, to be carried."""
        query = f"?{urlencode({'nonce': nonce})}" if nonce else ""
        return await self._fetch("GET", _of(gate, "status") + query, bytes_max=ENVELOPE_BYTES_MAX)

    async def assignment(self, gate: str) -> bytes:
        """Fetch a gate's assignment."""
        return await self._fetch("GET", _of(gate, "assignment"), bytes_max=ENVELOPE_BYTES_MAX)

    async def manifest(self, gate: str, performance: str) -> bytes:
        """Fetch a manifest."""
        target = _of(gate, "performances", performance, "manifest")
        return await self._fetch("GET", target, bytes_max=ENVELOPE_BYTES_MAX)

    async def list_key(self, gate: str, performance: str) -> bytes:
        """Fetch a list key, sealed for a gate."""
        target = _of(gate, "performances", performance, "key")
        return await self._fetch("GET", target, bytes_max=_KEY_BYTES_MAX)

    async def certify(self, gate: str, word: str, raw: bytes) -> bytes:
        """Hand a gate's request for a certificate on, with the signature that it came with."""
        return await self._fetch("POST", _of(gate, "certificate"), raw, {_GATE_WORD: word})

    async def carry(self, carried: Carried) -> Ack:
        """Hand a gate's records on, which that gate has sealed."""
        target = f"/sync/v1/site/carried/{_part(carried.batch.journal)}"
        raw = await self._fetch("POST", target, codec.encode(carried), seconds_max=BATCH_S_MAX)
        return _decoded(raw, Ack)

    async def claim(self, gate: str, claim: Claim) -> Claimed | None:
        """Ask whether a ticket is free; None says nothing."""
        raw = await self._fetch("POST", _of(gate, "claims"), codec.encode(claim))
        return _decoded(raw, Claimed) if raw else None

    async def feed(self, stream: str, after: int) -> Feed:
        """Fetch what follows a cursor."""
        target = f"/sync/v1/site/feed/{_part(stream)}?{urlencode({'after': after})}"
        return _decoded(await self._fetch("GET", target), Feed)

    async def download(self, gate: str, performance: str, sha256: str, to: Path) -> None:
        """Fetch a piece of a list into a file; one of another digest is an error."""
        target = _of(gate, "performances", performance, "lists", sha256)
        timeout = aiohttp.ClientTimeout(
            total=DOWNLOAD_S_MAX, sock_connect=CONNECT_S_MAX, sock_read=STALL_S_MAX
        )
        digest = hashlib.sha256()
        async with self._request("GET", target, timeout=timeout) as response:
            await _require_good(response)
            try:
                with to.open("wb") as file:
                    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                        digest.update(chunk)
                        await asyncio.to_thread(file.write, chunk)
            except _LIBRARY_ERRORS as exc:
                raise UpstreamError(f"list {sha256[:12]}: {_words(exc)}") from exc
        if digest.hexdigest() != sha256:
            raise UpstreamError(f"list {sha256[:12]} came as another file")

    @asynccontextmanager
    async def live(self) -> AsyncIterator["UpstreamSocket"]:
        """Open the live connection."""
        socket = await self._connect("/sync/v1/site/live")
        try:
            yield UpstreamSocket(socket)
        finally:
            await socket.close()

    async def _connect(self, target: str) -> aiohttp.ClientWebSocketResponse:
        failure: Exception | None = None
        for _ in range(_TRIES):
            try:
                async with asyncio.timeout(REQUEST_S_MAX):
                    return await self._session.ws_connect(
                        self._server + target,
                        headers=self._signed("GET", target, b""),
                        max_msg_size=MESSAGE_BYTES_MAX,
                        timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                        ssl=self._tls(),
                    )
            except aiohttp.WSServerHandshakeError as exc:
                failure = UpstreamError("live connection refused", exc.status)
                if not self._take_nonce(exc.status, exc.headers or {}):
                    break
            except aiohttp.ServerFingerprintMismatch as exc:
                failure = exc
                self._turn_pins()
            except _LIBRARY_ERRORS as exc:
                failure = exc
                break
        if isinstance(failure, UpstreamError):
            raise failure
        raise UpstreamError(f"live connection: {_words(failure)}") from failure

    async def _fetch(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        bytes_max: int = MESSAGE_BYTES_MAX,
        seconds_max: float = REQUEST_S_MAX,
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(seconds_max, sock_connect=CONNECT_S_MAX)
        async with self._request(method, target, body, headers, timeout) as response:
            await _require_good(response)
            return await _read(response, bytes_max)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 (aiohttp's own)
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        response = None
        for attempt in range(_TRIES):
            try:
                response = await self._session.request(
                    method,
                    self._server + target,
                    data=body or None,
                    headers={**(headers or {}), **self._signed(method, target, body)},
                    timeout=timeout,
                    allow_redirects=False,
                    ssl=self._tls(),
                )
            except aiohttp.ServerFingerprintMismatch as exc:
                self._turn_pins()
                if attempt + 1 == _TRIES:
                    raise UpstreamError(f"{method} {_bare(target)}: {_words(exc)}") from exc
                continue
            except _LIBRARY_ERRORS as exc:
                raise UpstreamError(f"{method} {_bare(target)}: {_words(exc)}") from exc
            if attempt + 1 < _TRIES and self._take_nonce(response.status, response.headers):
                response.release()
                continue
            break
        assert response is not None  # noqa: S101 (every other way out of the loop raises)
        try:
            yield response
        finally:
            response.release()

    def _tls(self) -> aiohttp.Fingerprint | bool:
        """Give how upstream is known: by a pin, which is all that counts then."""
        return aiohttp.Fingerprint(self._pins[0]) if self._pins else True

    def _turn_pins(self) -> None:
        """Try the other pin next: upstream's certificate may have been replaced."""
        self._pins = (*self._pins[1:], *self._pins[:1])

    def _take_nonce(self, status: int, headers: Mapping[str, str]) -> bool:
        nonce = headers.get(NONCE_HEADER, "")
        if status != 401 or not nonce:
            return False
        text = headers.get(COUNTER_HEADER, "0")
        seen = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
        self._counter = seen if nonce != self._nonce else max(self._counter, seen)
        self._nonce = nonce
        return True

    def _signed(self, method: str, target: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": codec.CONTENT_TYPE, "Accept": codec.CONTENT_TYPE}
        if self._site:
            self._counter += 1
            headers["Authorization"] = authorization(
                self._sign, method, target, body, self._site, self._nonce, self._counter
            )
        return headers


class UpstreamSocket:
    """Implements `upstream_ports.UpstreamConnection` over a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take a socket that was just opened."""
        self._socket = socket

    async def send(self, message: SiteLive) -> None:
        """Send a message."""
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                await self._socket.send_bytes(codec.encode(message))
        except _LIBRARY_ERRORS as exc:
            raise UpstreamError(f"live connection: {_words(exc)}") from exc

    async def receive(self) -> SiteLive:
        """Wait for the next message; silence is an error."""
        try:
            message = await self._socket.receive(timeout=LIVE_SILENCE_S_MAX)
        except _LIBRARY_ERRORS as exc:
            raise UpstreamError(f"live connection: {_words(exc)}") from exc
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise UpstreamError(f"live connection ended ({message.type.name.lower()})")
        try:
            return codec.decode_site_live(message.data)
        except ProtocolError as exc:
            raise UpstreamError(f"live connection: {exc}") from exc


@asynccontextmanager
async def open_upstream(
    server: str, site: str, sign: Callable[[bytes], bytes], pins: tuple[bytes, ...]
) -> AsyncIterator[UpstreamLink]:
    """Open a link; nothing is sent until it is used.

    Args:
        server: base address.
        site: id of the site, "" before it has joined.
        sign: signs with the site's key.
        pins: SHA-256 of the certificates that are good; without any, those that the machine's own
            store vouches for.

    Raises:
        UpstreamError: if upstream is pinned, and the address would not lead there by TLS.
    """
    if pins and not server.startswith("https://"):
        raise UpstreamError(f"{server}: this site's upstream is pinned; write https://")
    connector = aiohttp.TCPConnector(limit=32)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    ) as session:
        yield UpstreamLink(session, server.rstrip("/"), site, sign, pins)


async def _require_good(response: aiohttp.ClientResponse) -> None:
    if response.status in (200, 409):  # a conflict is an answer to a batch
        return
    try:
        words = (await response.content.read(_WORDS_BYTES_MAX)).decode("utf-8", "replace")
    except _LIBRARY_ERRORS:
        words = ""
    raise UpstreamError(f"upstream answers {response.status}: {words}", response.status)


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    raw = bytearray()
    try:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            raw += chunk
            if len(raw) > bytes_max:
                raise UpstreamError(f"an answer of upstream is over {bytes_max} bytes")
    except _LIBRARY_ERRORS as exc:
        raise UpstreamError(f"upstream: {_words(exc)}") from exc
    return bytes(raw)


def _decoded(raw: bytes, kind: type[M]) -> M:
    try:
        return codec.decode(raw, kind)
    except ProtocolError as exc:
        raise UpstreamError(f"upstream: {exc}") from exc


def _words(exc: BaseException | None) -> str:
    return str(exc) or type(exc).__name__


def _bare(target: str) -> str:
    return target.partition("?")[0]


def _part(text: str) -> str:
    return quote(text, safe="")


def _of(gate: str, *parts: str) -> str:
    return "/sync/v1/site/gates/" + "/".join(_part(part) for part in (gate, *parts))
