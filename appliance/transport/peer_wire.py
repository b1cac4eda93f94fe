"""Questions and answers between gates of one local network, over HTTP without TLS.

What is said proves itself (`admission.sync.peer_proof`): who is in between can hold it back, and
read identifiers that mean nothing without a list's key. Bounded in time, in size and in number.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address
from typing import Final

import aiohttp
from aiohttp import web

from admission.sync.peer_messages import CONTENT_TYPE, PEER_MESSAGE_BYTES_MAX
from appliance.errors import ConfigError, LinkError
from appliance.transport.answers import LIBRARY_ERRORS, read, words_of

log = logging.getLogger(__name__)

PATH: Final = "/peers/v1/ask"
CONNECT_S_MAX: Final = 1.0  # it is the same network
ANSWER_S_MAX: Final = 3.0
AT_ONCE_MAX: Final = 8  # answers under way; beyond, a gate is told to come again
QUESTION_BYTES_MAX: Final = 256 * 1024  # what a gate has, at its most
_GRACE_S: Final = 0.5

Answer = Callable[[str, bytes], Awaitable[bytes | None]]


class HttpWire:
    """Implements `peer_ports.PeerWire`. Use `open_wire`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Take a session that `open_wire` made."""
        self._session = session

    async def ask(self, address: str, raw: bytes) -> bytes:
        """Bring a question to a gate, and its answer back."""
        try:
            async with self._session.post(
                f"http://{address}{PATH}",
                data=raw,
                headers={"Content-Type": CONTENT_TYPE},
                allow_redirects=False,
            ) as response:
                return await read(response, PEER_MESSAGE_BYTES_MAX)
        except LIBRARY_ERRORS as exc:
            raise LinkError(f"{address}: {words_of(exc)}") from exc


@asynccontextmanager
async def open_wire() -> AsyncIterator[HttpWire]:
    """Open the way to other gates; nothing is sent until it is used."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX, sock_connect=CONNECT_S_MAX)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=32, limit_per_host=2),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        timeout=timeout,
    ) as session:
        yield HttpWire(session)


@asynccontextmanager
async def serve_peers(host: str, port: int, answer: Answer) -> AsyncIterator[int]:
    """Answer other gates.

    Args:
        host: address of the interface that is listened on; "" is every one.
        port: 0 takes any that is free.
        answer: given the asker's host and its question; None is no answer.

    Yields:
        The port.

    Raises:
        ConfigError: if it cannot be listened on.
    """
    room = asyncio.Semaphore(AT_ONCE_MAX)

    async def handle(request: web.Request) -> web.Response:
        if room.locked():
            return web.Response(status=503)
        async with room:
            try:
                async with asyncio.timeout(ANSWER_S_MAX):
                    raw = await answer(plain_host(request.remote or ""), await request.read())
            except TimeoutError:
                return web.Response(status=408)
        if raw is None:
            return web.Response(status=403)
        return web.Response(body=raw, content_type=CONTENT_TYPE)

    app = web.Application(client_max_size=QUESTION_BYTES_MAX)
    app.router.add_post(PATH, handle)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=30.0, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host or None, port)
        try:
            await site.start()
        except OSError as exc:
            raise ConfigError(
                f"peers.port: {port} cannot be listened on ({exc.strerror}); name another"
            ) from exc
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def plain_host(host: str) -> str:
    """Write an address as both sides know it: an IPv4 one is none of IPv6."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
