"""The relay turnstile over mock pins: short pulses, sure ends, passages, faults told plainly."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from admission.scan import Direction
from appliance.errors import ConfigError, TurnstileFaultError
from appliance.ports import LaneEvent
from appliance.simulator.demo_person import DemoPerson
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.simulator.virtual_turnstile import Person
from appliance.turnstiles.pins import PinLibrary, Pins, open_pins, refuse_broken_gpiozero
from appliance.turnstiles.relay import RelayPin, RelayTurnstile, SensorPin, Wiring
from appliance.turnstiles.relay import open_relay_turnstile as open_turnstile

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
RELAY, OTHER_RELAY, CONTACT = 17, 18, 27
BOTH_WAYS = Wiring(
    relays={ENTRY: RelayPin(RELAY), EXIT: RelayPin(OTHER_RELAY)}, sensors=(SensorPin(CONTACT),)
)


@dataclass
class Bench:
    clock: VirtualClock
    pins: Pins
    turnstile: RelayTurnstile
    events: list[LaneEvent] = field(default_factory=list)

    async def collect(self) -> None:
        async for event in self.turnstile.events():
            self.events.append(event)

    def levels(self, number: int) -> list[bool]:
        """The pin's whole history: what the relay board has seen."""
        return [bool(state.state) for state in self.pins.pin(number).states]

    async def turn_arm(self) -> None:
        self.pins.pin(CONTACT).drive_low()
        await self.clock.run(0.3)
        self.pins.pin(CONTACT).drive_high()
        await self.clock.run(0.3)


@pytest.fixture
def mock_pins() -> Iterator[Pins]:
    with open_pins(PinLibrary.MOCK) as pins:
        yield pins


@asynccontextmanager
async def bench(pins: Pins, wiring: Wiring = BOTH_WAYS) -> AsyncIterator[Bench]:
    clock = VirtualClock()
    with open_turnstile(wiring, pins, clock, clock.after) as turnstile:
        made = Bench(clock, pins, turnstile)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(made.collect())
            await settle()
            yield made
            task.cancel()


# --- pulses ------------------------------------------------------------------------------------


async def test_a_release_is_one_pulse_of_its_direction(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.turnstile.release(ENTRY)
        assert b.levels(RELAY) == [False, True]
        await b.clock.run(0.19)
        assert b.levels(RELAY) == [False, True]
        await b.clock.run(0.01)
        assert b.levels(RELAY) == [False, True, False]
        assert b.levels(OTHER_RELAY) == [False]


async def test_the_other_direction_has_its_own_relay(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.turnstile.release(EXIT)
        await b.clock.run(1)
        assert b.levels(OTHER_RELAY) == [False, True, False]
        assert b.levels(RELAY) == [False]


async def test_a_pulse_that_is_running_is_not_prolonged(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.turnstile.release(ENTRY)
        await b.clock.run(0.15)
        await b.turnstile.release(ENTRY)
        await b.clock.run(0.05)
        assert b.levels(RELAY) == [False, True, False]
        await b.clock.run(5)
        assert b.levels(RELAY) == [False, True, False]


async def test_pulses_do_not_follow_each_other_faster_than_a_person(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.turnstile.release(ENTRY)
        await b.clock.run(0.2)
        async with asyncio.TaskGroup() as group:
            group.create_task(b.turnstile.release(ENTRY))
            await b.clock.run(0.099)
            assert b.levels(RELAY) == [False, True, False]
            await b.clock.run(0.002)
            assert b.levels(RELAY) == [False, True, False, True]


async def test_a_release_that_is_cancelled_while_it_waits_starts_no_pulse(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.turnstile.release(ENTRY)
        await b.clock.run(0.2)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(b.turnstile.release(ENTRY))
            await settle()
            waiting.cancel()
        await b.clock.run(5)
        assert b.levels(RELAY) == [False, True, False]


async def test_a_board_that_wants_low_is_at_rest_when_high(mock_pins: Pins):
    wiring = Wiring(relays={ENTRY: RelayPin(RELAY, active_high=False)})
    async with bench(mock_pins, wiring) as b:
        assert b.levels(RELAY)[-1] is True
        await b.turnstile.release(ENTRY)
        await b.clock.run(1)
        assert b.levels(RELAY)[-3:] == [True, False, True]


async def test_a_direction_without_a_relay_cannot_be_released(mock_pins: Pins):
    async with bench(mock_pins, Wiring(relays={ENTRY: RelayPin(RELAY)})) as b:
        with pytest.raises(TurnstileFaultError, match="exit"):
            await b.turnstile.release(EXIT)


async def test_rest_ends_a_pulse_now_and_without_waiting(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.turnstile.release(ENTRY)
        b.turnstile.rest()
        assert b.levels(RELAY) == [False, True, False]
        assert b.clock.sleepers == 0


async def test_after_rest_the_next_pulse_has_its_full_length(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.turnstile.release(ENTRY)
        b.turnstile.rest()
        await b.clock.run(0.3)
        await b.turnstile.release(ENTRY)
        await b.clock.run(0.2)
        assert b.levels(RELAY)[-1] is False


async def test_leaving_the_turnstile_leaves_its_relays_off(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await b.turnstile.release(ENTRY)
    assert b.levels(RELAY)[-1] is False
    assert mock_pins.pin(RELAY).function == "input"


async def test_the_thread_ends_a_pulse_though_the_loop_hangs(mock_pins: Pins):
    relay = mock_pins.pin(RELAY)
    wiring = Wiring(relays={ENTRY: RelayPin(RELAY)}, open_s=0.1)
    with open_turnstile(wiring, mock_pins, VirtualClock()) as turnstile:
        await turnstile.release(ENTRY)
        assert relay.state
        hang_until(lambda: not relay.state)  # the loop does nothing meanwhile
    on, off = relay.states[1:3]
    assert (on.state, off.state) == (True, False)
    assert off.timestamp > 0.09  # and then some, where the machine is busy


def hang_until(holds: Callable[[], bool]) -> None:
    for _ in range(10_000_000):
        if holds():
            return
    raise AssertionError("it never came to hold")


# --- passages ----------------------------------------------------------------------------------


async def test_each_turn_of_the_arm_is_one_passage(mock_pins: Pins):
    async with bench(mock_pins) as b:
        assert b.turnstile.has_sensor
        await b.turn_arm()
        await b.turn_arm()
        assert b.events == [LaneEvent.PASSED, LaneEvent.PASSED]


async def test_a_passage_is_told_once_the_contact_has_settled(mock_pins: Pins):
    async with bench(mock_pins) as b:
        mock_pins.pin(CONTACT).drive_low()
        await b.clock.run(0.019)
        assert b.events == []
        await b.clock.run(0.002)
        assert b.events == [LaneEvent.PASSED]


async def test_a_contact_that_bounces_is_one_passage(mock_pins: Pins):
    async with bench(mock_pins) as b:
        for _ in range(5):
            mock_pins.pin(CONTACT).drive_low()
            await b.clock.run(0.004)
            mock_pins.pin(CONTACT).drive_high()
            await b.clock.run(0.004)
        await b.turn_arm()
        assert b.events == [LaneEvent.PASSED]


async def test_a_spark_on_the_wire_is_no_passage(mock_pins: Pins):
    async with bench(mock_pins) as b:
        mock_pins.pin(CONTACT).drive_low()
        mock_pins.pin(CONTACT).drive_high()
        await b.clock.run(1)
        assert b.events == []


async def test_edges_from_the_pin_librarys_thread_are_seen(mock_pins: Pins):
    async with bench(mock_pins) as b:
        await asyncio.to_thread(mock_pins.pin(CONTACT).drive_low)
        await b.clock.run(0.1)
        assert b.events == [LaneEvent.PASSED]


async def test_a_contact_that_opens_for_a_passage_is_understood(mock_pins: Pins):
    wiring = Wiring(
        relays={ENTRY: RelayPin(RELAY)}, sensors=(SensorPin(CONTACT, normally_closed=True),)
    )
    mock_pins.pin(CONTACT).pull = "up"
    async with bench(mock_pins, wiring) as b:
        mock_pins.pin(CONTACT).drive_low()  # closed: the arm is at rest
        await b.clock.run(1)
        assert b.events == []
        mock_pins.pin(CONTACT).drive_high()
        await b.clock.run(0.1)
        assert b.events == [LaneEvent.PASSED]


async def test_a_contact_that_pulls_up_is_understood(mock_pins: Pins):
    wiring = Wiring(relays={ENTRY: RelayPin(RELAY)}, sensors=(SensorPin(CONTACT, pull_up=False),))
    async with bench(mock_pins, wiring) as b:
        mock_pins.pin(CONTACT).drive_high()
        await b.clock.run(0.1)
        assert b.events == [LaneEvent.PASSED]


async def test_without_a_contact_nothing_is_sensed(mock_pins: Pins):
    async with bench(mock_pins, Wiring(relays={ENTRY: RelayPin(RELAY)})) as b:
        assert not b.turnstile.has_sensor
        await b.clock.run(10)
        assert b.events == []


async def test_a_closed_turnstile_leaves_no_callback_behind(mock_pins: Pins):
    from gpiozero import DigitalInputDevice

    handlers = (
        DigitalInputDevice.when_activated.handlers,
        DigitalInputDevice.when_deactivated.handlers,
    )
    before = [set(each) for each in handlers]
    async with bench(mock_pins):
        assert [len(set(each)) for each in handlers] == [len(each) + 1 for each in before]
    assert [set(each) for each in handlers] == before


# --- pins --------------------------------------------------------------------------------------


def test_each_pin_can_be_used_once():
    with pytest.raises(ValueError, match="once"):
        Wiring(relays={ENTRY: RelayPin(17)}, sensors=(SensorPin(17),))


def test_a_turnstile_without_a_relay_is_no_turnstile():
    with pytest.raises(ValueError, match="at least one"):
        Wiring(relays={})


async def test_a_pin_that_somebody_else_has_is_a_fault(mock_pins: Pins):
    with (
        open_turnstile(BOTH_WAYS, mock_pins, VirtualClock()),
        pytest.raises(TurnstileFaultError, match="claimed"),
        open_turnstile(BOTH_WAYS, mock_pins, VirtualClock()),
    ):
        raise AssertionError("must not open")


async def test_pins_that_could_not_all_be_claimed_are_given_back(mock_pins: Pins):
    wrong = Wiring(relays={ENTRY: RelayPin(RELAY)}, sensors=(SensorPin(999),))
    with (
        pytest.raises(TurnstileFaultError, match="999"),
        open_turnstile(wrong, mock_pins, VirtualClock()),
    ):
        raise AssertionError("must not open")
    with open_turnstile(BOTH_WAYS, mock_pins, VirtualClock()) as turnstile:
        assert turnstile.has_sensor


@pytest.mark.parametrize("version", ["2.0.1", "2.0.1.post1", "2.0.1.post2"])
def test_the_releases_that_drive_wrong_pins_are_refused(version: str):
    with pytest.raises(ConfigError, match=rf"gpiozero {version} .*install gpiozero 2\.0\.1\.post3"):
        refuse_broken_gpiozero(version)


@pytest.mark.parametrize("version", ["2.0", "2.0.1.post3", "2.1"])
def test_other_releases_are_taken(version: str):
    refuse_broken_gpiozero(version)


OFF_THE_BOARD = """
import sys, warnings
warnings.simplefilter("error")
from appliance.errors import ApplianceError
from appliance.turnstiles.pins import PinLibrary, open_pins
try:
    with open_pins(PinLibrary.LGPIO) as pins:
        print("opened", type(pins.factory).__name__)
except ApplianceError as exc:
    print(type(exc).__name__, exc)
print(sorted(name for name in sys.modules if name in ("RPi", "pigpio")))
"""


def test_off_the_board_the_pins_are_a_fault_and_no_other_library_takes_over(tmp_path: Path):
    scratch, runtime = tmp_path / "cwd", tmp_path / "run"
    scratch.mkdir()
    runtime.mkdir()
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "RUNTIME_DIRECTORY": str(runtime)}
    environment.pop("LG_WD", None)
    run = subprocess.run(
        [sys.executable, "-c", OFF_THE_BOARD],
        cwd=scratch,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    what, others = run.stdout.splitlines()
    assert what.split()[0] in ("TurnstileFaultError", "ConfigError")
    assert "lgpio" in what
    assert others == "[]"
    assert list(scratch.iterdir()) == []  # lgpio's pipe is not left where the gate was started


# --- the demonstration: the real driver, and somebody who walks --------------------------------


async def test_a_demo_person_walks_when_the_relay_closes(mock_pins: Pins):
    async with bench(mock_pins) as b, asyncio.TaskGroup() as group:
        person = demo_person(b, Person(passes_after_s=2.0))
        walking = group.create_task(person.run())
        await b.turnstile.release(ENTRY)
        await b.clock.run(1.9)
        assert b.events == []
        await b.clock.run(0.3)
        assert (b.events, person.passages) == ([LaneEvent.PASSED], 1)
        walking.cancel()


async def test_a_demo_person_may_turn_back_or_bring_a_companion(mock_pins: Pins):
    async with bench(mock_pins) as b, asyncio.TaskGroup() as group:
        person = demo_person(b, Person(passes_after_s=None), Person(1.0, followed_after_s=0.8))
        walking = group.create_task(person.run())
        for expected in (0, 2):
            await b.turnstile.release(ENTRY)
            await b.clock.run(0.1)
            await b.clock.run(0.1)
            await b.clock.run(5)
            assert len(b.events) == expected
        walking.cancel()


def demo_person(b: Bench, *people: Person) -> DemoPerson:
    relays: list[Any] = [b.pins.pin(RELAY), b.pins.pin(OTHER_RELAY)]
    return DemoPerson(relays, b.pins.pin(CONTACT), b.clock, people)
