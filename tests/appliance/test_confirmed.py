"""A lane whose steward is the sensor: one tap for each person who was let through."""

import asyncio

from admission.scan import Direction
from appliance.ports import LaneEvent
from appliance.simulator.virtual_clock import settle
from appliance.turnstiles.confirmed import ConfirmedPassage
from gate_answers import ENTRY


async def heard(lane: ConfirmedPassage) -> list[LaneEvent]:
    events: list[LaneEvent] = []

    async def collect() -> None:
        async for event in lane.events():
            events.append(event)  # noqa: PERF401 (it never ends)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(collect())
        await settle()
        task.cancel()
    return events


async def test_the_stewards_tap_is_the_passage_of_whoever_was_let_through():
    lane = ConfirmedPassage()
    assert lane.has_sensor
    await lane.release(Direction.EXIT)
    assert lane.awaits is Direction.EXIT
    assert lane.passed()
    assert await heard(lane) == [LaneEvent.PASSED_EXIT]


async def test_the_steward_may_say_that_the_person_did_not_go():
    lane = ConfirmedPassage()
    await lane.release(Direction.ENTRY)
    assert lane.not_passed()
    assert await heard(lane) == [LaneEvent.NOT_PASSED]


async def test_a_second_tap_and_one_for_nobody_say_nothing():
    lane = ConfirmedPassage()
    assert not lane.passed()
    await lane.release(Direction.ENTRY)
    assert lane.passed()
    assert not lane.passed()
    assert not lane.not_passed()
    assert await heard(lane) == [LaneEvent.PASSED_ENTRY]


async def test_once_the_grant_has_ended_a_late_tap_is_for_nobody():
    for end in (lambda lane: lane.close(), lambda lane: lane.rest()):
        lane = ConfirmedPassage()
        await lane.release(Direction.ENTRY)
        end(lane)
        assert not lane.passed()
        assert await heard(lane) == []


async def test_the_gate_waits_for_the_tap_and_writes_what_the_steward_said(open_gate):
    lane = ConfirmedPassage()
    async with open_gate(turnstile=lambda bench: lane) as gate:
        await gate.scan("T1")
        assert await gate.kinds() == ["GRANTED"]
        lane.passed()
        await gate.settle()
        await gate.scan("T2", ENTRY)
        lane.not_passed()
        await gate.settle()
        assert await gate.kinds() == ["GRANTED", "PASSED", "GRANTED", "NOT_PASSED"]
        assert gate.inside == 1
        await gate.scan("T3")
        await gate.later(60)  # nobody tapped: the grant ends by itself, and the tap comes too late
        assert not lane.passed()
        await gate.settle()
        assert (await gate.kinds())[4:] == ["GRANTED", "NOT_PASSED"]
