"""A pinned server is the only one a gate speaks to, whatever name, authority or date says."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from admission.sync.messages import Enrol
from appliance.errors import LinkError
from appliance.transport.client import open_link
from appliance.transport.pinning import pinned_context
from signed_server import GATE, KEY, SIGNER, Server
from sync_server import tls

NOW = datetime.now(UTC)
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)  # its twenty years are over
ENROL = Enrol("code", bytes(32), bytes(32))


@asynccontextmanager
async def serving(folder: Path, made: datetime = NOW) -> AsyncIterator[tuple[Server, bytes]]:
    """Run a server with a certificate of its own; give it and its pin."""
    folder.mkdir()
    tls.ensure_certificate(folder, ["elsewhere.example"], made)
    served = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.server_context(folder)).start()
    served.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served, tls.read_pins(folder).current
    finally:
        await runner.cleanup()


async def _greet(ws: web.WebSocketResponse) -> None:
    await ws.close()


async def test_the_pinned_server_is_spoken_to_though_nobody_vouches_for_it(tmp_path: Path):
    async with serving(tmp_path / "own") as (server, pin):
        server.live = _greet
        async with open_link(server.url, GATE, SIGNER, [pin]) as link:
            await link.assignment()
            async with link.live():
                pass
    assert len(server.counters) == 2


async def test_the_pin_is_the_authority_and_an_old_certificate_is_as_good(tmp_path: Path):
    async with (
        serving(tmp_path / "own", LONG_AGO) as (server, pin),
        open_link(server.url, GATE, SIGNER, [pin]) as link,
    ):
        await link.assignment()
    assert server.counters


async def test_a_man_in_the_middle_with_another_certificate_hears_not_one_request(tmp_path: Path):
    async with serving(tmp_path / "own") as (_, pin), serving(tmp_path / "his") as (other, _):
        other.live = _greet
        async with open_link(other.url, GATE, SIGNER, [pin]) as link:
            for ask in (link.assignment(), link.enrol(ENROL), link.list_key("p")):
                with pytest.raises(LinkError, match="not the one that was pinned"):
                    await ask
            with pytest.raises(LinkError, match="not the one that was pinned"):
                async with link.live():
                    pass
    assert other.requests == []


async def test_either_of_two_pins_is_good_while_the_certificate_is_changed(tmp_path: Path):
    async with serving(tmp_path / "own") as (old, one), serving(tmp_path / "new") as (new, two):
        for server in (old, new):
            async with open_link(server.url, GATE, SIGNER, [one, two]) as link:
                await link.assignment()
    assert old.counters
    assert new.counters


async def test_a_pinned_server_is_never_spoken_to_in_clear(server: Server):
    with pytest.raises(LinkError, match="this gate's server is pinned; write https://"):
        async with open_link(server.url, GATE, SIGNER, [bytes(32)]):
            pass
    assert server.requests == []


async def test_a_pinned_gate_that_is_answered_in_clear_sends_nothing(server: Server):
    url = server.url.replace("http:", "https:")
    async with open_link(url, GATE, SIGNER, [bytes(32)]) as link:
        with pytest.raises(LinkError):
            await link.assignment()
    assert server.requests == []


async def test_a_trusted_authority_makes_no_exception_to_the_pin(tmp_path: Path):
    """Even a certificate that the machine would trust is refused where another is pinned."""
    async with serving(tmp_path / "own") as (server, pin):
        trusting = pinned_context([bytes(32)])
        trusting.load_verify_locations(cadata=_pem(tmp_path / "own"))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
            with pytest.raises(aiohttp.ClientConnectorError, match="pinned"):
                await session.get(server.url)
        assert pin != bytes(32)


async def test_without_a_pin_a_certificate_of_nobody_is_refused(tmp_path: Path):
    async with (
        serving(tmp_path / "own") as (server, _),
        open_link(server.url, GATE, SIGNER) as link,
    ):
        with pytest.raises(LinkError, match=r"certificate verify failed|CERTIFICATE_VERIFY"):
            await link.assignment()
    assert server.requests == []


@asynccontextmanager
async def a_proxy() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a web proxy; give its address, and the heads of what it was asked."""
    asked: list[bytes] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(4096):
                writer.write(chunk)
                await writer.drain()
        finally:
            writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.partition(b"\r\n")[0])
        host, _, port = head.split()[1].decode().rpartition(":")
        there = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            group.create_task(carry(reader, there[1]))
            group.create_task(carry(there[0], writer))

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_a_proxy_carries_what_it_cannot_open_and_the_pin_holds_through_it(tmp_path: Path):
    async with (
        serving(tmp_path / "own") as (server, pin),
        a_proxy() as (proxy, asked),
        open_link(server.url, GATE, SIGNER, [pin], proxy) as link,
    ):
        server.live = _greet
        await link.assignment()
        async with link.live():
            pass
        async with open_link(server.url, GATE, SIGNER, [bytes(32)], proxy) as other:
            with pytest.raises(LinkError, match="not the one that was pinned"):
                await other.assignment()
    assert len(server.counters) == 2
    address = server.url.removeprefix("https://").encode()
    assert set(asked) == {b"CONNECT " + address + b" HTTP/1.1"}


def test_nothing_older_than_tls_1_3_is_spoken_with_a_pinned_server():
    assert pinned_context([KEY]).minimum_version is ssl.TLSVersion.TLSv1_3


def _pem(folder: Path) -> str:
    text = (folder / tls.KEY_FILE).read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]
