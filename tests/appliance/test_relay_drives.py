"""Arms that a relay keeps open, arms that power locks, and free passage, by what the pins saw."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from admission.scan import Direction
from appliance.arm_opening import rest_arm
from appliance.config import load_config
from appliance.drivers import Drivers
from appliance.errors import ConfigError, TurnstileFaultError
from appliance.ports import LaneEvent, LaneInputs, Turnstile
from appliance.simulator.virtual_clock import VirtualClock
from appliance.turnstiles.pins import PinLibrary, Pins, open_pins
from appliance.turnstiles.relay import (
    Drive,
    Fail,
    RelayPin,
    RelayTurnstile,
    Wiring,
    open_relay_turnstile,
    rest_relays,
)

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
A, B, FREE = 17, 18, 23
RELAYS = {ENTRY: RelayPin(A), EXIT: RelayPin(B)}
PULSE = Wiring(RELAYS, free=RelayPin(FREE))
LEVEL = Wiring(RELAYS, open_s=6.0, drive=Drive.LEVEL)
SAFE = Wiring(RELAYS, open_s=6.0, drive=Drive.LEVEL, fail=Fail.SAFE)


@pytest.fixture
def mock_pins():
    with open_pins(PinLibrary.MOCK) as pins:
        yield pins


def levels(pins: Pins, number: int) -> list[int]:
    """The pin's whole history: what the relay board has seen."""
    return [int(bool(state.state)) for state in pins.pin(number).states]


class Bench:
    def __init__(self, wiring: Wiring, pins: Pins) -> None:
        self.clock = VirtualClock()
        self.opening = open_relay_turnstile(wiring, pins, self.clock, self.clock.after)

    def __enter__(self) -> tuple[VirtualClock, RelayTurnstile]:
        return self.clock, self.opening.__enter__()

    def __exit__(self, *told) -> None:
        self.opening.__exit__(*told)


# --- level ----------------------------------------------------------------------------------------


async def test_a_level_stays_until_the_grant_has_ended(mock_pins: Pins):
    with Bench(LEVEL, mock_pins) as (clock, arm):
        await arm.release(ENTRY)
        await clock.run(3)
        assert levels(mock_pins, A) == [0, 1]
        arm.close()
        assert levels(mock_pins, A) == [0, 1, 0]
        await clock.run(10)
        assert levels(mock_pins, A) == [0, 1, 0]
        assert levels(mock_pins, B) == [0]


async def test_a_level_that_nobody_ends_ends_by_its_own_timer(mock_pins: Pins):
    with Bench(LEVEL, mock_pins) as (clock, arm):
        await arm.release(EXIT)
        await clock.run(5.99)
        assert levels(mock_pins, B) == [0, 1]
        await clock.run(0.02)
        assert levels(mock_pins, B) == [0, 1, 0]


async def test_after_an_early_close_the_next_level_has_its_full_time(mock_pins: Pins):
    with Bench(LEVEL, mock_pins) as (clock, arm):
        await arm.release(ENTRY)
        await clock.run(1)
        arm.close()
        await arm.release(ENTRY)
        await clock.run(5.5)
        assert levels(mock_pins, A) == [0, 1, 0, 1]
        await clock.run(0.6)
        assert levels(mock_pins, A) == [0, 1, 0, 1, 0]


async def test_a_pulse_is_left_to_its_own_length(mock_pins: Pins):
    with Bench(PULSE, mock_pins) as (clock, arm):
        await arm.release(ENTRY)
        arm.close()
        assert levels(mock_pins, A) == [0, 1]
        await clock.run(0.2)
        assert levels(mock_pins, A) == [0, 1, 0]


async def test_a_level_is_bounded(mock_pins: Pins):
    with (
        pytest.raises(ValueError, match=r"0\.1 to 60"),
        Bench(Wiring(RELAYS, open_s=61.0, drive=Drive.LEVEL), mock_pins),
    ):
        raise AssertionError("must not open")


# --- free passage ---------------------------------------------------------------------------------


async def test_in_free_passage_levels_stay_and_no_timer_ends_them(mock_pins: Pins):
    with Bench(LEVEL, mock_pins) as (clock, arm):
        await arm.release(ENTRY)
        await arm.hold(True)
        await clock.run(3600)
        await arm.release(ENTRY)
        arm.close()
        assert levels(mock_pins, A)[-1] == levels(mock_pins, B)[-1] == 1
        await arm.hold(False)
        assert levels(mock_pins, A)[-1] == levels(mock_pins, B)[-1] == 0
    assert clock.sleepers == 0


async def test_pulses_do_not_hold_and_the_turnstiles_own_input_does(mock_pins: Pins):
    with Bench(PULSE, mock_pins) as (clock, arm):
        await arm.hold(True)
        await clock.run(3600)
        assert (levels(mock_pins, A), levels(mock_pins, B)) == ([0], [0])
        assert levels(mock_pins, FREE) == [0, 1]
        await arm.release(ENTRY)
        await clock.run(1)
        assert levels(mock_pins, A) == [0, 1, 0]
        await arm.hold(False)
        assert levels(mock_pins, FREE) == [0, 1, 0]


@pytest.mark.parametrize("wiring", [PULSE, LEVEL, SAFE])
async def test_rest_ends_holding_and_the_way_out_leaves_every_relay_off(
    wiring: Wiring, mock_pins: Pins
):
    with Bench(wiring, mock_pins) as (_, arm):
        await arm.hold(True)
        arm.rest()
        assert [levels(mock_pins, pin)[-1] for pin in (A, B)] == [0, 0]
        await arm.hold(True)
    assert [levels(mock_pins, pin)[-1] for pin in (A, B, FREE)] == [0, 0, 0]


# --- fail-safe ------------------------------------------------------------------------------------


async def test_an_arm_that_power_locks_is_locked_while_the_gate_serves_and_free_else(
    mock_pins: Pins,
):
    with Bench(SAFE, mock_pins) as (clock, arm):
        assert levels(mock_pins, A) == [0, 1]
        await arm.release(ENTRY)
        assert levels(mock_pins, A) == [0, 1, 0]
        assert levels(mock_pins, B) == [0, 1]
        await clock.run(6.1)
        assert levels(mock_pins, A) == [0, 1, 0, 1]
        await arm.hold(True)
        assert levels(mock_pins, A)[-1] == levels(mock_pins, B)[-1] == 0
        await arm.hold(False)
        assert levels(mock_pins, A)[-1] == levels(mock_pins, B)[-1] == 1
    assert levels(mock_pins, A)[-1] == levels(mock_pins, B)[-1] == 0


def test_an_arm_that_power_locks_is_not_opened_by_pulses():
    with pytest.raises(ValueError, match="by level"):
        Wiring(RELAYS, fail=Fail.SAFE)


# --- after a kill ---------------------------------------------------------------------------------


def test_the_relays_are_claimed_at_rest_and_let_go(mock_pins: Pins):
    for number in (A, B, FREE):  # what a killed daemon left on
        mock_pins.pin(number).output_with_state(1)
    rest_relays(PULSE, mock_pins)
    for number in (A, B, FREE):
        assert levels(mock_pins, number)[-1] == 0
        assert mock_pins.pin(number).function == "input"


async def test_while_the_daemon_runs_its_relays_are_left_alone(mock_pins: Pins):
    with Bench(PULSE, mock_pins) as (_, arm):
        await arm.release(ENTRY)
        with pytest.raises(TurnstileFaultError, match="claimed"):
            rest_relays(PULSE, mock_pins)
        assert levels(mock_pins, A) == [0, 1]


def config(tmp_path: Path, turnstile: str):
    path = tmp_path / "gate.toml"
    head = 'data = "d"\nserver = "http://127.0.0.1:1"\n[[readers]]\nkind = "folder"\nfolder = "f"\n'
    path.write_text(f"{head}[turnstile]\n{turnstile}", "utf-8")
    return load_config(path)


def test_a_gate_is_brought_to_rest_by_its_configuration(tmp_path: Path):
    rest_arm(config(tmp_path, 'kind = "relay"\npin_factory = "mock"\n'))
    with pytest.raises(ConfigError, match="no relay"):
        rest_arm(config(tmp_path, 'kind = "none"\n'))


@pytest.mark.parametrize(
    ("turnstile", "complaint"),
    [
        ('kind = "relay"\nfail = "safe"\n', 'turnstile.fail: .* wants drive = "level"'),
        (
            'kind = "relay"\nfail = "safe"\ndrive = "level"\nfree_pin = 4\n',
            "turnstile.free_pin: .* needs none",
        ),
        ('kind = "relay"\nexit_sensor_pin = 4\n', "exit_sensor_pin: .* add sensor_pin"),
        ('kind = "serial"\n', "turnstile.port: is missing"),
        ('kind = "serial"\nport = "p"\naddress = 0\n', "address: must be .* from 1 to 247"),
        ('kind = "serial"\nport = "p"\nbaud = 50\n', "baud: must be .* from 1200"),
        ('kind = "simulated"\nsensor_pin = 3\nexit_sensor_pin = 4\n', "nobody simulated"),
        ('kind = "relay"\nturning_pin = 4\n', "turning_pin: .* add sensor_pin"),
        ('kind = "none"\nfire_pin = 5\nstaff_open_pin = 5\n', "pin 5 is used by turnstile.fire"),
        ('kind = "relay"\nfree_pin = 17\n', "free_pin: pin 17 is used by turnstile.entry_pin"),
    ],
)
def test_an_arm_that_cannot_be_is_refused_by_name(tmp_path: Path, turnstile: str, complaint: str):
    with pytest.raises(ConfigError, match=complaint):
        config(tmp_path, turnstile)


def test_a_controller_lets_people_out_without_a_pin(tmp_path: Path):
    text = 'kind = "serial"\nport = "/dev/x"\nbaud = 9600\naddress = 7\n'
    arm = config(tmp_path, text).turnstile
    assert (arm.port, arm.baud, arm.address, arm.has_exit) == ("/dev/x", 9600, 7, True)
    assert not config(tmp_path, 'kind = "relay"\n').turnstile.has_exit


def test_inputs_hang_beside_any_kind_of_arm(tmp_path: Path):
    assert config(tmp_path, 'kind = "none"\nfire_pin = 5\n').turnstile.has_inputs
    assert not config(tmp_path, 'kind = "none"\n').turnstile.has_inputs


WHOLE = """kind = "relay"
pin_factory = "mock"
exit_pin = 18
free_pin = 23
sensor_pin = 22
exit_sensor_pin = 24
turning_pin = 25
fire_pin = 16
staff_open_pin = 19
staff_hold_pin = 20
staff_lock_pin = 21
"""


async def test_every_wire_that_is_configured_is_heard_or_moved(tmp_path: Path):
    clock = VirtualClock()
    async with AsyncExitStack() as stack:
        drivers = Drivers(config(tmp_path, WHOLE), clock, stack)
        arm, inputs = drivers.open_turnstile(), drivers.open_inputs()
        assert inputs is not None
        pins: Pins = drivers.pins("mock")
        heard: list[LaneEvent] = []

        async def collect(source: Turnstile | LaneInputs) -> None:
            async for event in source.events():
                heard.append(event)  # noqa: PERF401 (it never ends)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(collect(source)) for source in (arm, inputs)]
            await clock.run(1)
            for number in (22, 24, 25, 16, 19, 20, 21):
                pins.pin(number).drive_low()
                await clock.run(0.5)
                pins.pin(number).drive_high()
                await clock.run(0.5)
            for task in tasks:
                task.cancel()
        assert heard == [
            LaneEvent.FIRE,  # nothing is wired to the loop at the start
            LaneEvent.PASSED_ENTRY,
            LaneEvent.PASSED_EXIT,
            LaneEvent.TURNING,
            LaneEvent.TURNED_BACK,
            LaneEvent.FIRE_OVER,
            LaneEvent.FIRE,
            LaneEvent.OPEN_ENTRY,
            LaneEvent.HOLD,
            LaneEvent.HOLD_OVER,
            LaneEvent.LOCK,
            LaneEvent.LOCK_OVER,
        ]
        await arm.release(EXIT)
        await arm.hold(True)
        assert [levels(pins, pin) for pin in (A, B, FREE)] == [[0], [0, 1], [0, 1]]
