"""What systemd is told: each notice, and a watchdog's tick only while every part moves."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from appliance.beat import Beat
from appliance.simulator.virtual_clock import VirtualClock, settle
from portillon.service_notices import TICKS_PER_TIMEOUT, ServiceNotices, notices_from

TIMEOUT_S = 10.0
TICK_S = TIMEOUT_S / TICKS_PER_TIMEOUT


class Told:
    """What systemd heard, and a clock."""

    def __init__(self, timeout_s: float | None = TIMEOUT_S) -> None:
        self.clock, self.heard = VirtualClock(), []
        self.notices = ServiceNotices(
            self.heard.append, timeout_s, self.clock.monotonic_ns, self.clock.sleep
        )

    @property
    def ticks(self) -> int:
        return self.heard.count("WATCHDOG=1")

    async def ticks_within(self, seconds: float) -> int:
        before = self.ticks
        await self.clock.run(seconds)
        return self.ticks - before

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.notices.run())
            await settle()
            yield
            task.cancel()


async def at_once() -> None:
    """Answer."""


async def never() -> None:
    """Hang."""
    await asyncio.Event().wait()


async def test_a_daemon_whose_parts_move_ticks_several_times_within_systemds_patience():
    told = Told()
    with told.notices.over("lane", at_once, 1.0):
        async with told.running():
            assert await told.ticks_within(10 * TIMEOUT_S) == 10 * TICKS_PER_TIMEOUT


async def test_any_one_part_that_hangs_ends_the_ticking_once_its_patience_is_over(caplog):
    for stuck in range(3):
        told = Told()
        with ExitStack() as stack:
            for number, name in enumerate(("lane", "database", "reader 0")):
                ask = never if number == stuck else at_once
                stack.enter_context(told.notices.over(name, ask, 5.0))
            async with told.running():
                await told.clock.run(5.0 + TICK_S)
                assert await told.ticks_within(100.0) == 0
    stuck = [record.part for record in caplog.records if record.msg == "no sign of life"]
    assert stuck == ["lane", "database", "reader 0"]  # told once each


async def test_a_part_may_be_slow_for_as_long_as_its_patience():
    told, answer = Told(), asyncio.Event()
    with told.notices.over("database", answer.wait, 30.0):
        async with told.running():
            assert await told.ticks_within(30.0) == 30.0 / TICK_S
            answer.set()
            await settle()
            assert await told.ticks_within(30.0) == 30.0 / TICK_S


async def test_a_part_that_moves_again_is_believed_again():
    told, answer = Told(), asyncio.Event()
    with told.notices.over("database", answer.wait, 5.0):
        async with told.running():
            await told.clock.run(20.0)
            assert await told.ticks_within(20.0) == 0
            answer.set()
            await settle()
            assert await told.ticks_within(20.0) == 20.0 / TICK_S


async def test_what_is_not_watched_over_any_more_stops_nothing():
    told = Told()
    async with told.running():
        with told.notices.over("opening", never, 5.0):
            await told.clock.run(20.0)
            assert await told.ticks_within(20.0) == 0
        assert await told.ticks_within(20.0) == 20.0 / TICK_S


async def test_a_loop_answers_by_going_round_and_while_it_is_away():
    told, stirred = Told(), asyncio.Event()
    beat = Beat(stirred.set)

    async def loop() -> None:
        while True:
            beat.round()
            await stirred.wait()
            stirred.clear()

    with told.notices.over("reader 0", beat.next, 1.0):
        async with told.running(), asyncio.TaskGroup() as group:
            assert await told.ticks_within(20.0) == 20.0 / TICK_S  # nobody runs it yet
            going = group.create_task(loop())
            assert await told.ticks_within(20.0) == 20.0 / TICK_S
            going.cancel()
            await told.clock.run(2 * TICK_S)
            assert await told.ticks_within(20.0) == 0  # it has stopped going round
            beat.away()  # its device is unplugged
            await settle()
            assert await told.ticks_within(20.0) == 20.0 / TICK_S


async def test_without_a_watchdog_nobody_is_asked():
    told = Told(timeout_s=None)
    with told.notices.over("lane", never, 1.0):
        await told.notices.run()
    assert told.heard == []


def test_ready_is_said_once_and_a_status_when_it_is_another():
    told = Told()
    told.notices.status("opening\nthe card")
    for _ in range(2):
        told.notices.ready()
        told.notices.status("serving")
    told.notices.stopping()
    assert told.heard == [
        "STATUS=opening the card",
        "READY=1",
        "STATUS=serving",
        "STOPPING=1\nSTATUS=stopping",
    ]


@pytest.mark.parametrize("is_abstract", [False, True])
def test_notices_arrive_at_the_socket_that_the_environment_names(tmp_path, is_abstract):
    name = f"portillon-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind("\0" + name if is_abstract else name)
        environ = {"NOTIFY_SOCKET": "@" + name if is_abstract else name, "HOME": "/"}
        notices_from(environ).ready()
        assert line.recv(100) == b"READY=1"
    assert environ == {"HOME": "/"}  # the decoder's process is not to be heard by systemd


async def test_the_watchdogs_time_is_that_of_the_environment_if_it_is_meant_for_this_process():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(f"\0portillon-watchdog-{os.getpid()}")
        line.setblocking(False)
        for pid, is_meant in ((os.getpid(), True), (1, False)):
            environ = {
                "NOTIFY_SOCKET": f"@portillon-watchdog-{os.getpid()}",
                "WATCHDOG_USEC": "10000000",
                "WATCHDOG_PID": str(pid),
            }
            async with asyncio.TaskGroup() as group:
                running = group.create_task(notices_from(environ).run())
                await settle()
                running.cancel()
            if is_meant:
                assert line.recv(100) == b"WATCHDOG=1"
            else:
                with pytest.raises(BlockingIOError):
                    line.recv(100)


def test_nobody_there_to_hear_ends_nothing(tmp_path, caplog):
    notices_from({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert [record.msg for record in caplog.records] == ["systemd not told"]
    notices_from({}).ready()
    notices_from({"NOTIFY_SOCKET": "vsock:2:1"}).ready()  # a kind that this program does not speak
    assert len(caplog.records) == 1
