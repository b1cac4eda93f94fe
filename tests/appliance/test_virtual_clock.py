"""The clock that only moves when told, and waiting with a limit on it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from appliance.alarm import wait_set
from appliance.simulator.virtual_clock import VirtualClock, settle


async def test_time_stands_still_until_it_is_moved():
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC), boot_ms=5)
    await settle()
    assert (clock.monotonic_ns(), clock.boot_ms()) == (0, 5)
    clock.advance(1.5)
    assert (clock.monotonic_ns(), clock.boot_ms()) == (1_500_000_000, 1505)
    assert clock.now() == datetime(2026, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)


async def test_sleepers_wake_in_order_each_at_its_own_time():
    clock, woken = VirtualClock(), list[tuple[str, int]]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic_ns() // 1_000_000))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("c", 3), ("a", 1), ("b", 2), ("b2", 2)):
            group.create_task(sleeper(name, seconds))
        await clock.run(10)
    assert woken == [("a", 1000), ("b", 2000), ("b2", 2000), ("c", 3000)]
    assert clock.monotonic_ns() == 10_000_000_000


async def test_who_lies_down_again_is_woken_again_within_the_same_run():
    clock, ticks = VirtualClock(), list[int]()

    async def tick() -> None:
        while True:
            await clock.sleep(60)
            ticks.append(clock.monotonic_ns() // 1_000_000_000)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(tick())
        await clock.run(300)
        task.cancel()
    assert ticks == [60, 120, 180, 240, 300]


async def test_a_jump_wakes_everybody_who_is_due_at_its_end():
    clock = VirtualClock()
    async with asyncio.TaskGroup() as group:
        early = group.create_task(clock.sleep(1))
        late = group.create_task(clock.sleep(3))
        await settle()
        assert clock.sleepers == 2
        clock.advance(2)
        await settle()
        assert (early.done(), late.done(), clock.sleepers) == (True, False, 1)
        late.cancel()


async def test_a_cancelled_sleep_ends_at_once_and_wakes_nobody():
    clock = VirtualClock()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(clock.sleep(5))
        await settle()
        task.cancel()
    assert clock.sleepers == 0
    await clock.run(10)


async def test_what_is_put_off_happens_when_the_clock_gets_there_unless_taken_back():
    clock, happened = VirtualClock(), list[str]()
    clock.after(2, lambda: happened.append("late"))
    clock.after(1, lambda: happened.append("early"))
    clock.after(0.5, lambda: happened.append("never")).cancel()
    assert clock.next_due_ns == 1_000_000_000
    await clock.run(1)
    assert happened == ["early"]
    clock.advance(1)
    assert happened == ["early", "late"]
    assert clock.next_due_ns is None


def test_time_does_not_run_backwards():
    with pytest.raises(ValueError, match="forward"):
        VirtualClock().advance(-1)


def test_the_wall_clock_can_be_set_without_durations_noticing():
    clock = VirtualClock()
    before, boot_ms = clock.now(), clock.boot_ms()
    clock.step_wall(-3600)
    assert clock.now() == before - timedelta(hours=1)
    assert (clock.boot_ms(), clock.monotonic_ns()) == (boot_ms, 0)


def test_a_clock_needs_an_aware_start():
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001


async def test_waiting_ends_when_the_event_is_set():
    clock, event = VirtualClock(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(wait_set(event, clock, 10))
        await clock.run(9)
        assert not waiting.done()
        event.set()
        await settle()
        assert waiting.done()
    assert waiting.result() is True
    assert clock.sleepers == 0


async def test_waiting_ends_when_the_limit_is_reached():
    clock, event = VirtualClock(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(wait_set(event, clock, 10))
        await clock.run(10)
        assert waiting.done()
    assert waiting.result() is False


async def test_an_event_that_is_set_on_the_stroke_counts():
    clock, event = VirtualClock(), asyncio.Event()

    async def set_it() -> None:
        await clock.sleep(10)
        event.set()

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(wait_set(event, clock, 10))
        group.create_task(set_it())
        await clock.run(10)
    assert waiting.result() is True


async def test_an_event_that_is_set_already_is_not_waited_for():
    event = asyncio.Event()
    event.set()
    assert await wait_set(event, VirtualClock(), 0)


async def test_waiting_that_is_cancelled_leaves_no_task_behind():
    clock = VirtualClock()
    before = asyncio.all_tasks()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(wait_set(asyncio.Event(), clock, 10))
        await settle()
        waiting.cancel()
    assert asyncio.all_tasks() == before
    assert clock.sleepers == 0
