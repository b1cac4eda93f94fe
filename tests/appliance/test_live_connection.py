"""The gate's live connection, against servers that keep it, break it and never had it."""

import asyncio
import hashlib

import pytest
from aiohttp import WSMsgType, web

from admission.sync import codec
from admission.sync.messages import Beat, Subscribe
from appliance.errors import LinkAnswerError, LinkError, LinkRefusedError
from appliance.transport import client
from appliance.transport.client import HttpLink, open_link
from signed_server import ACK, GATE, SIGNER, Server
from talking_server import talking


async def test_a_live_connection_carries_messages_both_ways(server: Server, link: HttpLink):
    heard = []

    async def converse(ws: web.WebSocketResponse) -> None:
        heard.append(codec.decode_live((await ws.receive()).data))
        await ws.send_bytes(codec.encode(Beat(7)))
        await ws.receive()

    server.live = converse
    async with link.live() as connection:
        await connection.send(Subscribe({"show": 3}))
        assert await connection.receive() == Beat(7)
    assert heard == [Subscribe({"show": 3})]
    assert server.counters == [1]


async def test_a_live_connection_gets_over_a_new_nonce_and_loses_no_assignment(
    server: Server, link: HttpLink
):
    async def greet(ws: web.WebSocketResponse) -> None:
        await ws.send_bytes(codec.encode(Beat(7)))
        await ws.receive()

    server.live = greet
    server.answers["*"] = web.Response(body=b"assignment", headers={"ETag": '"1"'})
    async with link.live() as connection:
        assert await connection.receive() == Beat(7)
    server.start_anew()
    async with link.live() as connection:
        assert await connection.receive() == Beat(7)
    assert await link.assignment() == b"assignment"


async def say_text(ws: web.WebSocketResponse) -> None:
    await ws.send_str("hello")
    await ws.receive()


async def say_garbage(ws: web.WebSocketResponse) -> None:
    await ws.send_bytes(b"\xc1")
    await ws.receive()


async def say_too_much(ws: web.WebSocketResponse) -> None:
    await ws.send_bytes(b"x" * (client.MESSAGE_BYTES_MAX + 1))
    await ws.receive()


async def say_what_is_not_live(ws: web.WebSocketResponse) -> None:
    await ws.send_bytes(codec.encode(ACK))
    await ws.receive()


async def close(ws: web.WebSocketResponse) -> None:
    await ws.close()


async def cut_off(ws: web.WebSocketResponse) -> None:
    ws._req.transport.abort()


@pytest.mark.parametrize(
    ("talk", "told"),
    [
        (close, r"live connection ended \(close"),
        (cut_off, r"live connection ended \(clos"),
        (say_text, r"live connection ended \(text\)"),
        (say_garbage, "live connection: not a live message"),
        (say_what_is_not_live, "live connection: not a live message"),
        (say_too_much, r"live connection ended \((error|close)"),
    ],
)
async def test_a_live_connection_that_goes_wrong_is_a_link_error(
    server: Server, link: HttpLink, talk, told: str
):
    server.live = talk
    async with asyncio.timeout(5), link.live() as connection:
        with pytest.raises(LinkError, match=told):
            await connection.receive()


async def test_a_live_connection_that_says_nothing_is_lost_after_a_while(
    server: Server, link: HttpLink, monkeypatch: pytest.MonkeyPatch
):
    async def listen(ws: web.WebSocketResponse) -> None:
        while (await ws.receive()).type is WSMsgType.BINARY:
            pass

    server.live = listen
    monkeypatch.setattr(client, "LIVE_SILENCE_S_MAX", 0.02)
    async with asyncio.timeout(5), link.live() as connection:
        with pytest.raises(LinkError, match=r"live connection silent for 0\.02 s"):
            await connection.receive()


async def test_what_cannot_be_sent_any_more_is_a_link_error(server: Server, link: HttpLink):
    server.live = cut_off
    async with asyncio.timeout(5), link.live() as connection:
        with pytest.raises(LinkError):
            await connection.receive()
        with pytest.raises(LinkError, match="live connection: "):
            await connection.send(Beat())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"no upgrade", LinkAnswerError),
        (web.Response(status=404), LinkAnswerError),
        (web.Response(status=403), LinkRefusedError),
    ],
)
async def test_a_server_without_a_live_connection_is_told(
    server: Server, link: HttpLink, answer, error: type[LinkError]
):
    server.answers["*"] = answer
    with pytest.raises(error, match="live"):
        async with link.live():
            pass


async def test_a_good_bye_that_nobody_answers_holds_nobody_up(monkeypatch: pytest.MonkeyPatch):
    """The other side upgrades, and is gone without a word."""
    monkeypatch.setattr(client, "LIVE_SILENCE_S_MAX", 0.02)
    monkeypatch.setattr(client, "CLOSE_S_MAX", 0.02)

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (key,) = [
            line.split(b": ")[1]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        ]
        accept = _accept(key)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await asyncio.Event().wait()

    async with (
        asyncio.timeout(5),
        talking(upgrade) as url,
        open_link(url, GATE, SIGNER) as link,
        link.live() as connection,
    ):
        with pytest.raises(LinkError, match="silent"):
            await connection.receive()


def _accept(key: bytes) -> bytes:
    import base64

    magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(key + magic, usedforsecurity=False).digest())
