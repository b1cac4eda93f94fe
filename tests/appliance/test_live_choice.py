"""The live connection finds its way: a WebSocket, or polls where there can be none."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from admission.sync.messages import Beat, Feed, Moment, Poll, Polled, Status, Subscribe
from appliance.errors import LinkAnswerError, LinkError
from appliance.transport import client
from appliance.transport.client import open_link
from appliance.transport.live_choice import (
    SOCKET_RETRY_S_MAX,
    SOCKET_RETRY_S_MIN,
    YOUNG_S,
    LiveChoice,
)
from appliance.transport.live_poll import PollConnection
from live_house import GATE, STREAM, live_house, network
from signed_server import SIGNER

STATUS = Status("connected", [], 0, {}, Moment(0, 0, b""))


# --- over real sockets ----------------------------------------------------------------------------


@asynccontextmanager
async def through(sockets: str):
    """Give a house, a network that treats WebSockets so, and a link through it."""
    async with live_house() as house, network(house.url) as between:
        between.sockets = sockets
        async with asyncio.timeout(20), open_link(between.url, GATE, SIGNER) as link:
            yield house, between, link


async def numbers_up_to(connection, last: int) -> list[int]:
    numbers: list[int] = []
    while last not in numbers:
        message = await connection.receive()
        if isinstance(message, Feed):
            numbers += [one.number for one in message.items]
    return numbers


@pytest.mark.parametrize("sockets", ["refuse", "strip", "hang"])
async def test_a_network_without_web_sockets_is_gone_through_by_polls(
    sockets: str, monkeypatch: pytest.MonkeyPatch
):
    if sockets == "hang":
        monkeypatch.setattr(client, "REQUEST_S_MAX", 0.5)
    async with through(sockets) as (house, between, link):
        async with link.live() as connection:
            house.grow(4)
            await connection.send(Subscribe({STREAM: 0}, "n"))
            assert await numbers_up_to(connection, 4) == [1, 2, 3, 4]
        async with link.live():
            pass
        assert between.asked == 1  # the second time it is known


async def test_a_web_socket_is_used_where_it_can_be_had():
    async with through("pass") as (house, between, link):
        async with link.live() as connection:
            house.grow(1)
            await connection.send(Subscribe({STREAM: 0}, "n"))
            assert await numbers_up_to(connection, 1) == [1]
        assert (between.asked, between.polls) == (1, 0)


async def test_a_web_socket_that_does_not_last_is_given_up_for_polls():
    async with through("pass") as (house, between, link):
        for _ in range(2):
            await break_at_once(link, between)
        async with link.live() as connection:
            house.grow(1)
            await connection.send(Subscribe({STREAM: 0}, "n"))
            assert await numbers_up_to(connection, 1) == [1]
        assert between.asked == 2


async def break_at_once(link, between) -> None:
    async def live() -> None:
        async with link.live() as connection:
            between.cut_sockets()
            await numbers_up_to(connection, 1)

    with pytest.raises(LinkError):
        await live()


@pytest.mark.parametrize("kind", ["answers_lost", "requests_lost"])
async def test_what_is_lost_on_the_way_is_said_again_and_counts_once(kind: str):
    async with through("refuse") as (house, between, link), link.live() as connection:
        await connection.send(Subscribe({STREAM: 0}, "n"))
        expected = 0
        for _ in range(6):
            setattr(between, kind, 1)
            house.grow(2)
            expected += 2
            got = await numbers_up_to(connection, expected)
            assert got == [expected - 1, expected]
            setattr(between, kind, 1)
            await connection.send(STATUS)
        assert house.statuses


async def test_a_network_that_loses_everything_is_a_lost_link():
    async with through("refuse") as (house, between, link), link.live() as connection:
        await connection.send(Subscribe({STREAM: 0}, "n"))
        house.grow(1)
        between.answers_lost = 99
        with pytest.raises(LinkError):
            await connection.receive()


async def test_a_session_that_the_server_forgot_is_a_lost_link_and_the_next_one_works():
    async with through("refuse") as (house, _, link):
        async with link.live() as connection:
            await connection.send(Subscribe({STREAM: 0}, "n"))
            house.room.close()
            with pytest.raises(LinkAnswerError, match="no such live session"):
                await numbers_up_to(connection, 1)
        assert house.gone == 1
        async with link.live() as connection:
            house.grow(1)
            await connection.send(Subscribe({STREAM: 0}, "n"))
            assert await numbers_up_to(connection, 1) == [1]


async def test_where_nothing_gets_through_the_error_is_that_of_the_socket():
    async with open_link("http://127.0.0.1:9", GATE, SIGNER) as link:
        with pytest.raises(LinkError, match="live: "):
            async with link.live():
                pass


# --- what a server may not say --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Polled(3, [b"\xc1"]), "messages 1 to 2 missing"),
        (Polled(1, [b"\xc1"]), "not a live message"),
    ],
)
async def test_an_answer_that_cannot_be_is_a_lost_link(answer: Polled, told: str):
    async def exchange(poll: Poll) -> Polled:
        return answer

    with pytest.raises(LinkError, match=told):
        await PollConnection(exchange, "one").receive()


@pytest.mark.parametrize("received", [0, 2])
async def test_a_server_that_does_not_take_what_it_is_told_is_not_told_for_ever(received: int):
    async def exchange(poll: Poll) -> Polled:
        return Polled(0, [], received)

    with pytest.raises(LinkError, match="does not take"):
        await PollConnection(exchange, "one").send(Beat())


# --- when which way -------------------------------------------------------------------------------


class Ways:
    """Connections that are counted, and fail as they are told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sockets = self.polls = 0
        self.no_sockets = self.no_polls = self.mute = False
        self.choice = LiveChoice(self.socket, self.polling, lambda: self.now)

    @asynccontextmanager
    async def socket(self):
        self.sockets += 1
        if self.no_sockets:
            raise LinkError("no sockets here")
        yield self

    @asynccontextmanager
    async def polling(self):
        self.polls += 1
        if self.no_polls:
            raise LinkError("no polls here")
        yield self

    async def send(self, message) -> None:
        pass

    async def receive(self) -> Beat:
        if self.mute:
            raise LinkError("silent")
        return Beat()

    def fail(self) -> None:
        raise LinkError("broken")

    async def live(self, lasts_s: float) -> str:
        """Have a live connection that breaks after a while; tell which way it went."""
        before = self.sockets, self.polls
        with suppress(LinkError):
            async with self.choice.open():
                self.now += lasts_s
                self.fail()
        return {(1, 0): "socket", (0, 1): "polls", (1, 1): "both"}[
            self.sockets - before[0], self.polls - before[1]
        ]


async def test_only_sockets_that_die_young_twice_in_a_row_are_given_up():
    ways = Ways()
    young, old = YOUNG_S - 1, YOUNG_S
    lives = [await ways.live(lasts_s) for lasts_s in (young, old, young, old, young, young)]
    assert lives == ["socket"] * 6
    assert await ways.live(1) == "polls"


async def test_each_time_in_vain_doubles_the_wait_for_a_socket():
    ways = Ways()
    ways.no_sockets = True
    assert await ways.live(0) == "both"
    waits = []
    for _ in range(7):
        began = ways.now
        while await ways.live(0) == "polls":
            ways.now += 30
        waits.append(ways.now - began)
    assert waits == [min(SOCKET_RETRY_S_MAX, SOCKET_RETRY_S_MIN * 2**turn) for turn in range(7)]


async def test_a_network_that_is_down_says_nothing_against_sockets():
    ways = Ways()
    ways.no_sockets = ways.no_polls = True
    assert [await ways.live(0) for _ in range(3)] == ["both"] * 3
    ways.no_sockets = False
    assert await ways.live(YOUNG_S) == "socket"


async def test_beside_polls_a_socket_is_tried_now_and_then_and_taken_when_it_speaks():
    ways = Ways()
    ways.no_sockets = True
    async with ways.choice.open() as connection:
        await connection.send(STATUS)
        assert ways.sockets == 1
        ways.now += SOCKET_RETRY_S_MIN
        await connection.send(Beat())
        assert ways.sockets == 1  # a hint or a claim is not held up by it
        await connection.send(STATUS)
        assert ways.sockets == 2
        ways.no_sockets, ways.mute = False, True
        ways.now += 2 * SOCKET_RETRY_S_MIN
        await connection.send(STATUS)
        assert ways.sockets == 3  # it opens, and is silent
        ways.mute = False
        ways.now += 4 * SOCKET_RETRY_S_MIN
        with pytest.raises(LinkError, match="can be had again"):
            await connection.send(STATUS)
    assert await ways.live(YOUNG_S) == "socket"
