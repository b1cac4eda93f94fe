"""Long polls as a live connection: numbered both ways, said again until seen, and bounded."""

import asyncio

import pytest

from admission.errors import RemoteProtocolError
from admission.sync import codec
from admission.sync.messages import (
    POLL_FRAMES_MAX,
    Beat,
    Lists,
    Moment,
    Ordered,
    Poll,
    Status,
    Subscribe,
)
from sync_server.errors import NotFoundError
from sync_server.web import live_polls
from sync_server.web.live_polls import PollChannel, PollRoom

HELD_MS = 20_000


def lists(version: int) -> Lists:
    return Lists({"show": version}, 1)


def said(polled) -> list:
    return [codec.decode_live(raw) for raw in polled.frames]


def poll(seen: int = 0, first: int = 1, *messages, wait_ms: int = HELD_MS) -> Poll:
    return Poll("one", seen, first, [codec.encode(one) for one in messages], wait_ms)


async def test_what_is_said_waits_for_a_poll_and_is_said_again_until_it_was_seen():
    channel = PollChannel("one")
    await channel.send(lists(1))
    await channel.send(lists(2))
    lost = await channel.exchange(poll())
    again = await channel.exchange(poll())
    assert said(lost) == said(again) == [lists(1), lists(2)]
    assert again.number == 2
    await channel.send(lists(3))
    assert said(await channel.exchange(poll(seen=1))) == [lists(2), lists(3)]
    assert said(await channel.exchange(poll(seen=2))) == [lists(3)]


async def test_a_poll_is_held_until_there_is_something_to_say():
    channel = PollChannel("one")
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        held = tasks.create_task(channel.exchange(poll()))
        await asyncio.sleep(0)
        assert not held.done()
        await channel.send(lists(1))
    assert said(held.result()) == [lists(1)]


async def test_a_poll_is_not_held_for_ever():
    answer = await PollChannel("one").exchange(poll(wait_ms=1))
    assert (answer.number, answer.frames) == (0, [])


async def test_a_later_poll_relieves_an_earlier_one_that_nobody_reads_any_more():
    channel = PollChannel("one")
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        first = tasks.create_task(channel.exchange(poll()))
        await asyncio.sleep(0)
        second = tasks.create_task(channel.exchange(poll()))
        assert (await first).frames == []
        await channel.send(lists(1))
        assert said(await second) == [lists(1)]


async def test_what_the_gate_says_is_answered_at_once_and_counts_once_however_often_it_comes():
    channel = PollChannel("one")
    status = Status("connected", [], 0, {}, Moment(0, 0, b""))
    await channel.send(lists(1))
    answer = await channel.exchange(poll(0, 1, Subscribe({}), wait_ms=0))
    assert (answer.received, answer.frames) == (1, [])
    again = await channel.exchange(poll(0, 1, Subscribe({}), status, wait_ms=0))
    assert again.received == 2
    assert await channel.receive() == Subscribe({})
    assert await channel.receive() == status


async def test_what_cannot_be_is_a_fault_of_the_gate():
    channel = PollChannel("one")
    with pytest.raises(RemoteProtocolError, match="messages 1 to 1 missing"):
        await channel.exchange(poll(0, 2, Beat(), wait_ms=0))
    with pytest.raises(RemoteProtocolError, match="message 1 was never sent"):
        await channel.exchange(poll(seen=1, wait_ms=0))
    with pytest.raises(RemoteProtocolError, match="not a live message"):
        await channel.exchange(Poll("one", 0, 1, [b"\xc1"]))


async def test_what_does_not_fit_is_not_taken_and_the_gate_is_told_how_far_it_came():
    channel = PollChannel("one")
    many = [Beat()] * POLL_FRAMES_MAX
    assert (await channel.exchange(poll(0, 1, *many, wait_ms=0))).received == POLL_FRAMES_MAX
    more = poll(0, POLL_FRAMES_MAX + 1, Beat(), wait_ms=0)
    assert (await channel.exchange(more)).received == POLL_FRAMES_MAX
    await channel.receive()
    assert (await channel.exchange(more)).received == POLL_FRAMES_MAX + 1


async def test_what_the_gate_does_not_confirm_is_bounded_and_then_it_is_gone(monkeypatch):
    channel = PollChannel("one")
    for number in range(POLL_FRAMES_MAX):
        await channel.send(lists(number))
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        waiting = tasks.create_task(channel.send(lists(99)))
        await asyncio.sleep(0)
        assert not waiting.done()
        await channel.exchange(poll(seen=1, wait_ms=0))
    monkeypatch.setattr(live_polls, "LIVE_S_MAX", 0.01)
    with pytest.raises(ConnectionResetError, match="confirms nothing"):
        await channel.send(lists(100))


async def test_an_answer_is_bounded_and_the_rest_comes_with_the_next():
    channel = PollChannel("one")
    long = Ordered(bytes(60_000))
    for _ in range(live_polls.ANSWER_BYTES_MAX // 60_000 + 1):
        await channel.send(long)
    first = await channel.exchange(poll())
    assert sum(map(len, first.frames)) <= live_polls.ANSWER_BYTES_MAX
    second = await channel.exchange(poll(seen=first.number))
    assert len(first.frames) + len(second.frames) == live_polls.ANSWER_BYTES_MAX // 60_000 + 1


async def test_a_gate_that_says_nothing_is_gone_and_a_session_that_is_over_says_so(monkeypatch):
    channel = PollChannel("one")
    monkeypatch.setattr(live_polls, "LIVE_S_MAX", 0.01)
    assert await channel.receive() is None
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        held = tasks.create_task(_refused(channel))
        await asyncio.sleep(0)
        channel.end()
        channel.end()
    await held
    assert await channel.receive() is None
    with pytest.raises(ConnectionResetError):
        await channel.send(lists(1))


async def _refused(channel: PollChannel) -> None:
    with pytest.raises(NotFoundError, match="no such live session"):
        await channel.exchange(poll())


async def test_a_fault_of_one_gates_session_is_told_and_ends_no_other(monkeypatch, caplog):
    async def serve(gate, channel, _desk, _room):
        if gate == "ill":
            raise RuntimeError("a fault of ours")
        await channel.send(lists(7))
        await channel.receive()

    monkeypatch.setattr(live_polls, "serve_live", serve)
    room = PollRoom(None, None)
    async with asyncio.timeout(10), room.open():
        assert said(await room.answer("well", poll())) == [lists(7)]
        with pytest.raises(NotFoundError):
            await room.answer("ill", poll())
        assert "live session failed" in caplog.text
        assert "a fault of ours" in caplog.text
        with pytest.raises(NotFoundError):  # another session was begun for it, which failed, too
            await room.answer("ill", poll())
        assert said(await room.answer("well", poll())) == [lists(7)]
