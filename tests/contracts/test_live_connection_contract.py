"""What every live connection keeps to: over a WebSocket, by long polls, and the imagined one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from admission.sync.messages import Beat, Feed, Lists, Moment, Status, Subscribe
from appliance.errors import LinkError
from appliance.link_ports import LiveConnection
from appliance.simulator.imagined_link import ImaginedLink
from appliance.simulator.imagined_server import ImaginedServer
from appliance.simulator.virtual_clock import VirtualClock
from appliance.transport.client import open_link
from live_house import GATE, STREAM, item, live_house, network
from signed_server import SIGNER


@dataclass
class Line:
    """A live connection, and the server at its other end."""

    connection: LiveConnection
    grow: Callable[[int], None]
    statuses: Callable[[], list[str]]
    cut: Callable[[], None]


@asynccontextmanager
async def over(sockets: str) -> AsyncIterator[Line]:
    async with live_house() as house, network(house.url) as between:
        between.sockets = sockets
        async with open_link(between.url, GATE, SIGNER) as link, link.live() as connection:
            yield Line(
                connection,
                house.grow,
                lambda: [status.mode for status in house.statuses],
                house.room.close,
            )


@asynccontextmanager
async def imagined() -> AsyncIterator[Line]:
    server = ImaginedServer(VirtualClock())
    server.lists = {STREAM: None}
    server.offered = lambda gate: Lists({STREAM: 1}, 1)
    server.numbering = "n"
    link = ImaginedLink(server, GATE, bytes(32))

    def grow(count: int) -> None:
        items = server.feeds.setdefault(STREAM, [])
        items += [item(len(items) + place) for place in range(1, count + 1)]
        server.wake([STREAM])

    async with link.live() as connection:
        yield Line(
            connection,
            grow,
            lambda: [status.mode for status in server.statuses.values()],
            link.cut,
        )


LINES = {"socket": lambda: over("pass"), "polls": lambda: over("refuse"), "imagined": imagined}


@pytest.fixture(params=sorted(LINES))
async def line(request) -> AsyncIterator[Line]:
    async with asyncio.timeout(20), LINES[request.param]() as opened:
        yield opened


async def items_up_to(line: Line, last: int) -> list[int]:
    numbers: list[int] = []
    while last not in numbers:
        message = await line.connection.receive()
        if isinstance(message, Feed):
            numbers += [one.number for one in message.items]
    return numbers


async def heard(line: Line, mode: str) -> None:
    while line.statuses()[-1:] != [mode]:  # noqa: ASYNC110 (one of them has no event to wait for)
        await asyncio.sleep(0)


async def speak_on(line: Line) -> None:
    while True:
        await line.connection.send(Beat())


def status(mode: str) -> Status:
    return Status(mode, [], 0, {}, Moment(0, 0, b""))


async def test_the_facts_that_a_gate_lacks_come_in_order_and_without_a_gap(line: Line):
    line.grow(7)
    await line.connection.send(Subscribe({STREAM: 2}, "n"))
    assert await items_up_to(line, 7) == [3, 4, 5, 6, 7]


async def test_a_fact_that_is_new_comes_to_a_gate_that_waits(line: Line):
    await line.connection.send(Subscribe({STREAM: 0}, "n"))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(items_up_to(line, 1))
        await asyncio.sleep(0)
        line.grow(1)
    assert waiting.result() == [1]


async def test_what_a_gate_says_goes_out_while_it_waits_for_the_server(line: Line):
    await line.connection.send(Subscribe({STREAM: 0}, "n"))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(items_up_to(line, 1))
        await line.connection.send(status("first"))
        await line.connection.send(status("second"))
        await heard(line, "second")
        assert not waiting.done()
        line.grow(1)


async def test_several_that_speak_at_once_are_all_heard(line: Line):
    await line.connection.send(Subscribe({STREAM: 0}, "n"))
    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(line.connection.send(status(str(number))))
    await heard(line, "4")


async def test_a_connection_that_was_ended_is_a_link_error_for_who_waits_and_who_speaks(line: Line):
    await line.connection.send(Subscribe({STREAM: 0}, "n"))
    line.cut()
    with pytest.raises(LinkError):
        await items_up_to(line, 1)
    with pytest.raises(LinkError):
        await speak_on(line)
