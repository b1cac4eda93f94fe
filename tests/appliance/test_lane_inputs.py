"""Contacts beside the arm, on mock pins: what they mean, whatever bounces and storms there are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from appliance.errors import TurnstileFaultError
from appliance.ports import LaneEvent
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.turnstiles.inputs import InputPin, button, fire_loop, open_inputs, switch
from appliance.turnstiles.pins import PinLibrary, Pins, open_pins

FIRE, OPEN, HOLD, SENSOR, OTHER = 16, 19, 20, 22, 24
S = 1_000_000_000
SPECS = [
    fire_loop(FIRE),
    button(OPEN, LaneEvent.OPEN_ENTRY),
    switch(HOLD, LaneEvent.HOLD, LaneEvent.HOLD_OVER),
    InputPin(SENSOR, LaneEvent.PASSED_ENTRY, stuck_ns=20 * S),
    InputPin(OTHER, LaneEvent.PASSED_EXIT, stuck_ns=20 * S),
]


class Bench:
    def __init__(self, pins: Pins, clock: VirtualClock) -> None:
        self.pins, self.clock = pins, clock
        self.heard: list[LaneEvent] = []

    async def close(self, number: int, for_s: float = 0.5) -> None:
        self.pins.pin(number).drive_low()
        await self.clock.run(for_s)

    async def open(self, number: int, for_s: float = 0.5) -> None:
        self.pins.pin(number).drive_high()
        await self.clock.run(for_s)


@pytest.fixture
def mock_pins():
    with open_pins(PinLibrary.MOCK) as pins:
        yield pins


@asynccontextmanager
async def bench(pins: Pins, *, closed: tuple[int, ...] = (FIRE,)) -> AsyncIterator[Bench]:
    clock = VirtualClock()
    made = Bench(pins, clock)
    for number in closed:
        pin = pins.pin(number)
        pin.pull = "up"
        pin.drive_low()
        pin._set_pull = lambda _: None  # a wire to ground is stronger, also when the pin is claimed
    with open_inputs(SPECS, pins, clock) as inputs:

        async def collect() -> None:
            async for event in inputs.events():
                made.heard.append(event)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(collect())
            await settle()
            yield made
            task.cancel()


async def test_an_open_loop_is_an_alarm_and_a_closed_one_its_end(mock_pins: Pins):
    async with bench(mock_pins) as b:
        assert b.heard == []
        await b.open(FIRE)
        assert b.heard == [LaneEvent.FIRE]
        await b.close(FIRE)
        assert b.heard == [LaneEvent.FIRE, LaneEvent.FIRE_OVER]


async def test_a_loop_that_is_open_at_the_start_is_an_alarm_told_once(mock_pins: Pins):
    async with bench(mock_pins, closed=()) as b:
        await b.clock.run(60)
        assert b.heard == [LaneEvent.FIRE]


async def test_a_loop_that_chatters_is_one_alarm_and_a_spark_is_none(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.open(FIRE, 0.05)
        await b.close(FIRE, 5)
        assert b.heard == []
        for _ in range(20):
            await b.open(FIRE, 0.04)
            await b.close(FIRE, 0.01)
        await b.open(FIRE, 5)
        assert b.heard == [LaneEvent.FIRE]


async def test_a_button_says_so_once_however_long_it_is_held(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.close(OPEN, 30)
        await b.open(OPEN, 1)
        assert b.heard == [LaneEvent.OPEN_ENTRY]


async def test_a_button_that_is_held_at_the_start_opens_nothing_and_a_switch_is_heard(
    mock_pins: Pins,
):
    async with bench(mock_pins, closed=(FIRE, OPEN, HOLD)) as b:
        await b.clock.run(10)
        assert b.heard == [LaneEvent.HOLD]
        await b.open(HOLD)
        assert b.heard == [LaneEvent.HOLD, LaneEvent.HOLD_OVER]


async def test_a_contact_that_stays_is_a_passage_then_a_fault_and_at_rest_again_its_end(
    mock_pins: Pins,
):
    async with bench(mock_pins) as b:
        await b.close(SENSOR, 19)
        assert b.heard == [LaneEvent.PASSED_ENTRY]
        await b.clock.run(2)
        assert b.heard == [LaneEvent.PASSED_ENTRY, LaneEvent.SENSOR_STUCK]
        await b.open(SENSOR)
        assert b.heard[2:] == [LaneEvent.SENSOR_FREE]


async def test_a_contact_that_is_active_from_the_start_is_stuck_and_nobody_passed(mock_pins: Pins):
    async with bench(mock_pins, closed=(FIRE, SENSOR)) as b:
        await b.clock.run(30)
        assert b.heard == [LaneEvent.SENSOR_STUCK]


async def test_two_contacts_that_stick_are_free_when_both_are(mock_pins: Pins):
    async with bench(mock_pins, closed=(FIRE, SENSOR, OTHER)) as b:
        await b.clock.run(30)
        await b.open(SENSOR)
        assert b.heard == [LaneEvent.SENSOR_STUCK]
        await b.open(OTHER)
        assert b.heard == [LaneEvent.SENSOR_STUCK, LaneEvent.SENSOR_FREE]


async def test_a_storm_on_one_line_hides_no_other(mock_pins: Pins):
    async with bench(mock_pins) as b:
        mock_pins.pin(FIRE).drive_high()
        for _ in range(5000):  # more than is kept, and nobody takes it in meanwhile
            mock_pins.pin(SENSOR).drive_low()
            mock_pins.pin(SENSOR).drive_high()
        await b.clock.run(1)
        await b.close(OPEN, 1)
        assert b.heard == [LaneEvent.FIRE, LaneEvent.OPEN_ENTRY]


async def test_a_pin_that_somebody_else_has_is_a_fault(mock_pins: Pins):
    async with bench(mock_pins):
        with (
            pytest.raises(TurnstileFaultError, match="claimed"),
            open_inputs([fire_loop(FIRE)], mock_pins, VirtualClock()),
        ):
            raise AssertionError("must not open")
