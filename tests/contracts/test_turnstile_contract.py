"""What every turnstile keeps to: the simulator's, the real driver on mock pins, the open door."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from admission.scan import Direction
from appliance.errors import TurnstileFaultError
from appliance.ports import LaneEvent, Turnstile
from appliance.simulator.demo_person import DemoPerson
from appliance.simulator.model_controller import ModelController, ModelLine
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.simulator.virtual_turnstile import Motion, Person, VirtualTurnstile
from appliance.turnstiles.confirmed import ConfirmedPassage
from appliance.turnstiles.controller import open_controller
from appliance.turnstiles.free import FreePassage
from appliance.turnstiles.pins import PinLibrary, open_pins
from appliance.turnstiles.relay import RelayPin, SensorPin, Wiring, open_relay_turnstile

RELAY, CONTACT = 17, 27


@dataclass
class Lane:
    """A turnstile, people who walk a second after it is released, and what can be seen of it."""

    clock: VirtualClock
    turnstile: Turnstile
    pulses: Callable[[], int]
    is_at_rest: Callable[[], bool]


@asynccontextmanager
async def virtual(*, has_sensor: bool) -> AsyncIterator[Lane]:
    clock = VirtualClock()
    turnstile = VirtualTurnstile(clock, has_sensor=has_sensor)

    def is_at_rest() -> bool:
        return turnstile.history[-1].motion is Motion.RESTED

    yield Lane(clock, turnstile, lambda: turnstile.count(Motion.RELEASED), is_at_rest)


@asynccontextmanager
async def relay(*, has_sensor: bool) -> AsyncIterator[Lane]:
    clock = VirtualClock()
    wiring = Wiring(
        relays={direction: RelayPin(RELAY + n) for n, direction in enumerate(Direction)},
        sensors=(SensorPin(CONTACT),) if has_sensor else (),
    )
    with open_pins(PinLibrary.MOCK) as pins:
        async with asyncio.TaskGroup() as group:
            with open_relay_turnstile(wiring, pins, clock, clock.after) as turnstile:
                coils = [pins.pin(RELAY), pins.pin(RELAY + 1)]
                walking = None
                if has_sensor:
                    person = DemoPerson(coils, pins.pin(CONTACT), clock)
                    walking = group.create_task(person.run())
                yield Lane(
                    clock,
                    turnstile,
                    lambda: sum(bool(state.state) for coil in coils for state in coil.states),
                    lambda: not any(coil.state for coil in coils),
                )
                if walking is not None:
                    walking.cancel()


@asynccontextmanager
async def free(*, has_sensor: bool) -> AsyncIterator[Lane]:
    assert not has_sensor
    yield Lane(VirtualClock(), FreePassage(), lambda: 0, lambda: True)


@asynccontextmanager
async def confirmed(*, has_sensor: bool) -> AsyncIterator[Lane]:
    assert has_sensor
    clock, turnstile = VirtualClock(), ConfirmedPassage()

    async def tap() -> None:
        while True:
            await clock.sleep(1)
            turnstile.passed()

    async with asyncio.TaskGroup() as group:
        tapping = group.create_task(tap())
        yield Lane(clock, turnstile, lambda: 0, lambda: turnstile.awaits is None)
        tapping.cancel()


@asynccontextmanager
async def controller(*, has_sensor: bool) -> AsyncIterator[Lane]:
    assert has_sensor
    clock = VirtualClock()
    model = ModelController(clock)

    async def walk() -> None:
        walked = 0
        while True:
            await clock.sleep(1)
            if walked < model.openings:
                walked += 1
                model.walk()

    with open_controller(lambda: ModelLine(model), 1, clock) as turnstile:
        async with asyncio.TaskGroup() as group:
            walking = group.create_task(walk())
            yield Lane(clock, turnstile, lambda: model.openings, lambda: not model.is_open)
            walking.cancel()


PASSAGES = {LaneEvent.PASSED, LaneEvent.PASSED_ENTRY}
OpensLane = Callable[..., AbstractAsyncContextManager[Lane]]
WITH_SENSOR: list[OpensLane] = [virtual, relay, confirmed, controller]
WITH_ARM: list[OpensLane] = [virtual, relay, controller]
ALWAYS_SENSING: list[OpensLane] = [confirmed, controller]
WITHOUT: list[OpensLane] = [virtual, relay, free]
EVERY: list[OpensLane] = [virtual, relay, free, confirmed, controller]


@asynccontextmanager
async def watched(lane: Lane) -> AsyncIterator[list[LaneEvent]]:
    events: list[LaneEvent] = []
    heard = events.append

    async def collect() -> None:
        async for event in lane.turnstile.events():
            heard(event)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(collect())
        await settle()
        yield events
        task.cancel()


@pytest.mark.parametrize("open_lane", WITH_SENSOR)
async def test_it_says_that_it_senses_passages_and_tells_of_each(open_lane: OpensLane):
    async with open_lane(has_sensor=True) as lane, watched(lane) as events:
        assert lane.turnstile.has_sensor
        for expected in (1, 2, 3):
            await lane.turnstile.release(Direction.ENTRY)
            await lane.clock.run(5)
            assert len(events) == expected
            assert set(events) <= PASSAGES


@pytest.mark.parametrize("open_lane", WITHOUT)
async def test_without_a_sensor_it_says_so_and_tells_of_nothing(open_lane: OpensLane):
    async with open_lane(has_sensor=False) as lane, watched(lane) as events:
        assert not lane.turnstile.has_sensor
        await lane.turnstile.release(Direction.ENTRY)
        await lane.clock.run(30)
        assert events == []


@pytest.mark.parametrize("open_lane", EVERY)
@pytest.mark.parametrize("direction", list(Direction))
async def test_releasing_never_waits_for_the_person(open_lane: OpensLane, direction: Direction):
    async with open_lane(has_sensor=open_lane in ALWAYS_SENSING) as lane:
        before_ns = lane.clock.monotonic_ns()
        await lane.turnstile.release(direction)
        assert lane.clock.monotonic_ns() == before_ns


@pytest.mark.parametrize("open_lane", WITH_ARM)
async def test_a_release_while_a_pulse_is_running_is_no_second_pulse(open_lane: OpensLane):
    async with open_lane(has_sensor=True) as lane, watched(lane) as events:
        await lane.turnstile.release(Direction.ENTRY)
        await lane.clock.run(0.1)
        await lane.turnstile.release(Direction.ENTRY)
        await lane.clock.run(10)
        assert lane.pulses() == 1
        assert len(events) == 1


@pytest.mark.parametrize("open_lane", EVERY)
async def test_rest_is_at_once_and_may_be_repeated(open_lane: OpensLane):
    async with open_lane(has_sensor=open_lane in ALWAYS_SENSING) as lane:
        await lane.turnstile.release(Direction.ENTRY)
        lane.turnstile.rest()
        assert lane.is_at_rest()
        lane.turnstile.rest()
        assert lane.is_at_rest()


@pytest.mark.parametrize("open_lane", EVERY)
async def test_it_is_closed_and_held_at_any_time_without_waiting(open_lane: OpensLane):
    async with open_lane(has_sensor=open_lane in ALWAYS_SENSING) as lane:
        before_ns = lane.clock.monotonic_ns()
        lane.turnstile.close()
        for is_open in (True, True, False, False):
            await lane.turnstile.hold(is_open)
        await lane.turnstile.release(Direction.ENTRY)
        lane.turnstile.close()
        lane.turnstile.rest()
        assert lane.is_at_rest()
        assert lane.clock.monotonic_ns() == before_ns


@pytest.mark.parametrize("open_lane", WITH_ARM)
async def test_it_can_be_released_again_after_rest(open_lane: OpensLane):
    async with open_lane(has_sensor=True) as lane, watched(lane) as events:
        await lane.turnstile.release(Direction.ENTRY)
        lane.turnstile.rest()
        await lane.clock.run(10)
        await lane.turnstile.release(Direction.ENTRY)
        await lane.clock.run(10)
        assert lane.pulses() == 2
        assert events[-1] in PASSAGES


@pytest.mark.parametrize("open_lane", EVERY)
async def test_watching_can_be_ended_and_begun_again(open_lane: OpensLane):
    has_sensor = open_lane in WITH_SENSOR
    async with open_lane(has_sensor=has_sensor) as lane:
        async with watched(lane):
            pass
        async with watched(lane) as events:
            await lane.turnstile.release(Direction.ENTRY)
            await lane.clock.run(10)
            assert len(events) == has_sensor


# --- the simulator's people ----------------------------------------------------------------------


async def test_a_person_who_turns_back_is_not_seen():
    clock = VirtualClock()
    turnstile = VirtualTurnstile(clock, [Person(passes_after_s=None)])
    await turnstile.release(Direction.ENTRY)
    await clock.run(60)
    assert turnstile.count(Motion.PASSED) == 0


async def test_a_person_slower_than_the_arm_finds_it_closed():
    clock = VirtualClock()
    turnstile = VirtualTurnstile(clock, [Person(passes_after_s=5.1)])
    await turnstile.release(Direction.ENTRY)
    await clock.run(60)
    assert turnstile.count(Motion.PASSED) == 0


async def test_companions_and_uninvited_people_are_in_the_history_with_their_times():
    clock = VirtualClock()
    turnstile = VirtualTurnstile(clock, [Person(1.0, followed_after_s=0.5)])
    turnstile.walk(after_s=3)
    await turnstile.release(Direction.EXIT)
    await clock.run(10)
    assert [(h.at_ns, h.motion, h.direction) for h in turnstile.history] == [
        (0, Motion.RELEASED, Direction.EXIT),
        (1_000_000_000, Motion.PASSED, None),
        (1_500_000_000, Motion.PASSED, None),
        (3_000_000_000, Motion.PASSED, None),
    ]


async def test_people_walk_also_where_nobody_watches_the_sensor():
    clock = VirtualClock()
    turnstile = VirtualTurnstile(clock, has_sensor=False)
    await turnstile.release(Direction.ENTRY)
    await clock.run(2)
    assert turnstile.count(Motion.PASSED) == 1


async def test_a_virtual_turnstile_breaks_down_and_is_repaired():
    turnstile = VirtualTurnstile(VirtualClock())
    turnstile.break_down()
    with pytest.raises(TurnstileFaultError):
        await turnstile.release(Direction.ENTRY)
    assert turnstile.history == ()
    turnstile.repair()
    await turnstile.release(Direction.ENTRY)
    assert turnstile.count(Motion.RELEASED) == 1
