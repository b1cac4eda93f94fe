"""Whatever brings questions to other gates: over HTTP on this machine, and imagined."""

import socket
from contextlib import AsyncExitStack

import pytest

from admission.sync.peer_messages import PEER_MESSAGE_BYTES_MAX
from appliance.errors import ConfigError, LinkError
from appliance.simulator.imagined_network import ImaginedNetwork, ImaginedWire
from appliance.transport.peer_wire import (
    QUESTION_BYTES_MAX,
    open_wire,
    plain_host,
    serve_peers,
)


class OverHttp:
    def __init__(self, stack):
        self.stack = stack

    async def serve(self, answer):
        port = await self.stack.enter_async_context(serve_peers("127.0.0.1", 0, answer))
        return f"127.0.0.1:{port}"

    async def wire(self):
        return await self.stack.enter_async_context(open_wire())

    async def nobody(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            return f"127.0.0.1:{free.getsockname()[1]}"


class Imagined:
    def __init__(self, _):
        self.network = ImaginedNetwork()

    async def serve(self, answer):
        self.network.open("127.0.0.1:1", answer, lambda raw: None)
        return "127.0.0.1:1"

    async def wire(self):
        return ImaginedWire(self.network, "127.0.0.1:2")

    async def nobody(self):
        return "127.0.0.1:3"


@pytest.fixture(params=[OverHttp, Imagined])
async def way(request):
    async with AsyncExitStack() as stack:
        yield request.param(stack)


async def test_a_question_arrives_with_its_sender_and_its_answer_comes_back(way):
    asked = []

    async def answer(host, raw):
        asked.append((host, raw))
        return b"answer"

    address = await way.serve(answer)
    wire = await way.wire()
    assert await wire.ask(address, b"question") == b"answer"
    assert asked == [("127.0.0.1", b"question")]


async def test_no_answer_is_an_error_of_the_link(way):
    async def answer(_host, _raw):
        return None

    address = await way.serve(answer)
    wire = await way.wire()
    with pytest.raises(LinkError):
        await wire.ask(address, b"question")
    with pytest.raises(LinkError):
        await wire.ask(await way.nobody(), b"question")


# --- over HTTP alone ----------------------------------------------------------------------------


async def test_too_long_a_question_is_not_read_and_too_long_an_answer_not_taken():
    async def answer(_host, _raw):
        return bytes(PEER_MESSAGE_BYTES_MAX + 1)

    async with serve_peers("127.0.0.1", 0, answer) as port, open_wire() as wire:
        with pytest.raises(LinkError):
            await wire.ask(f"127.0.0.1:{port}", bytes(QUESTION_BYTES_MAX + 1))
        with pytest.raises(LinkError, match="over"):
            await wire.ask(f"127.0.0.1:{port}", b"question")


async def test_a_port_that_is_taken_is_told():
    async def answer(_host, _raw):
        return b""

    async with serve_peers("127.0.0.1", 0, answer) as port:
        with pytest.raises(ConfigError, match=r"peers\.port"):
            async with serve_peers("127.0.0.1", port, answer):
                pass


@pytest.mark.parametrize("address", ["127.0.0.1:nonsense", "[::1", ""])
async def test_an_address_that_is_none_is_an_error_of_the_link(address):
    async with open_wire() as wire:
        with pytest.raises(LinkError):
            await wire.ask(address, b"question")


def test_an_address_is_written_as_both_sides_know_it():
    assert plain_host("::ffff:10.0.0.1") == "10.0.0.1"
    assert plain_host("fd00::1") == "fd00::1"
    assert plain_host("unix socket") == "unix socket"
