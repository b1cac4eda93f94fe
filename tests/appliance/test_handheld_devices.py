"""A handheld's devices: the kernel's gauge over a made-up tree, button and motor on mock pins."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from gpiozero.pins.mock import MockFactory

from admission.scan import Direction
from admission.verdict import Answer
from appliance.config import load_config
from appliance.drivers import Drivers
from appliance.errors import ConfigError, DeviceError
from appliance.handheld.power_supply import PowerSupply
from appliance.handheld.trigger_button import DEBOUNCE_S, open_trigger
from appliance.handheld.vibration import ONE_LONG, ONE_SHORT, TWO_SHORT, open_vibration, shakes_of
from appliance.handheld_keeper import HandheldFace
from appliance.handheld_ports import BatteryReading
from appliance.ports import Look, Screen
from appliance.simulator.virtual_clock import VirtualClock, settle

ERRORS = (OSError,)
GRANTED = Screen(Look.GRANTED, Direction.ENTRY, Answer.GRANTED)
DENIED = Screen(Look.DENIED, Direction.ENTRY, Answer.ALREADY_USED)


# --- the gauge ------------------------------------------


@pytest.fixture
def supply(tmp_path):
    """Write a supply as the kernel tells of it."""

    def write(name, **values):
        (tmp_path / name).mkdir(exist_ok=True)
        for key, value in values.items():
            (tmp_path / name / key).write_text(f"{value}\n")

    return write


async def test_a_battery_says_how_full_it_is(supply, tmp_path):
    supply("BAT0", type="Battery", capacity=57, status="Discharging", present=1)
    assert await PowerSupply(root=tmp_path).read() == BatteryReading(57, is_plugged=False)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
async def test_a_battery_that_is_fed_is_plugged(supply, tmp_path, status):
    supply("BAT0", type="Battery", capacity=57, status=status)
    assert (await PowerSupply(root=tmp_path).read()).is_plugged


@pytest.mark.parametrize(("online", "is_plugged"), [(1, True), (0, False)])
async def test_a_charger_beside_a_gauge_that_does_not_know_counts(
    supply, tmp_path, online, is_plugged
):
    supply("max17040", type="Battery", capacity=57, status="Unknown")
    supply("usb", type="USB", online=online)
    assert (await PowerSupply(root=tmp_path).read()).is_plugged is is_plugged


async def test_a_gauge_without_a_capacity_is_worked_out(supply, tmp_path):
    supply("BAT0", type="Battery", charge_now=1_500_000, charge_full=3_000_000)
    assert (await PowerSupply(root=tmp_path).read()).percent == 50
    supply("BAT0", energy_now=40_000_000, energy_full=0)
    assert (await PowerSupply(root=tmp_path).read()).percent == 50


@pytest.mark.parametrize(
    ("capacity", "percent"), [(104, 100), ("", None), ("x", None), ("-3", None)]
)
async def test_what_makes_no_sense_is_bounded_or_not_known(supply, tmp_path, capacity, percent):
    supply("BAT0", type="Battery", capacity=capacity)
    assert (await PowerSupply(root=tmp_path).read()).percent == percent


async def test_the_battery_of_a_scanner_beside_it_is_not_ours(supply, tmp_path):
    supply("hid-0", type="Battery", scope="Device", capacity=3)
    with pytest.raises(DeviceError, match="no battery under"):
        await PowerSupply(root=tmp_path).read()
    supply("pack", type="Battery", capacity=90)
    assert (await PowerSupply(root=tmp_path).read()).percent == 90
    assert (await PowerSupply("hid-0", tmp_path).read()).percent == 3


async def test_no_battery_is_told_with_its_name(supply, tmp_path):
    supply("BAT0", type="Battery", capacity=57, present=0)
    with pytest.raises(DeviceError, match="BAT0: the battery is out"):
        await PowerSupply(root=tmp_path).read()
    with pytest.raises(DeviceError, match="no battery 'BAT1'"):
        await PowerSupply("BAT1", tmp_path).read()
    with pytest.raises(DeviceError, match="cannot be read: No such file"):
        await PowerSupply(root=tmp_path / "none").read()


# --- the trigger ----------------------------------------


async def listen(trigger, told):
    """Note what a trigger says."""
    async for is_down in trigger.presses():
        told.append(is_down)


async def test_a_press_and_a_release_are_told_once_however_they_chatter():
    clock, factory = VirtualClock(), MockFactory()
    with open_trigger(23, clock, factory=factory, errors=ERRORS) as trigger:
        told = []

        async with asyncio.TaskGroup() as group:
            task = group.create_task(listen(trigger, told))
            await settle()
            pin = factory.pin(23)
            for level in (0, 1, 0):
                pin.drive_low() if level == 0 else pin.drive_high()
                await settle()
            clock.advance(DEBOUNCE_S)
            await settle()
            assert told == [True]
            pin.drive_high()
            await settle()
            clock.advance(DEBOUNCE_S)
            await settle()
            assert told == [True, False]
            task.cancel()


async def test_a_press_too_short_to_settle_ends_released():
    clock, factory = VirtualClock(), MockFactory()
    with open_trigger(23, clock, factory=factory, errors=ERRORS) as trigger:
        told = []

        async with asyncio.TaskGroup() as group:
            task = group.create_task(listen(trigger, told))
            await settle()
            factory.pin(23).drive_low()
            factory.pin(23).drive_high()
            await settle()
            clock.advance(DEBOUNCE_S)
            await settle()
            assert told in ([True, False], [])
            task.cancel()


async def test_a_pin_that_is_taken_is_told():
    factory = MockFactory()
    with (
        open_trigger(23, VirtualClock(), factory=factory, errors=(Exception,)),
        pytest.raises(DeviceError, match="the trigger's pin 23 cannot be had"),
    ):
        open_trigger(23, VirtualClock(), factory=factory, errors=(Exception,)).__enter__()


# --- the motor ------------------------------------------


def test_each_outcome_has_its_rhythm():
    assert shakes_of(GRANTED) == ONE_SHORT
    assert shakes_of(Screen(Look.GRANTED, attention=("!",))) == TWO_SHORT
    assert shakes_of(DENIED) == ONE_LONG
    assert shakes_of(Screen(Look.IDLE)) == ()
    assert len({ONE_SHORT, TWO_SHORT, ONE_LONG}) == 3


async def test_the_motor_plays_a_rhythm_and_is_still_afterwards():
    clock, factory = VirtualClock(), MockFactory()
    opened = open_vibration(24, clock, factory=factory, errors=ERRORS)
    async with opened as vibration:
        pin = factory.pin(24)
        pin.clear_states()
        await vibration.signal(Screen(Look.GRANTED, attention=("!",)))
        for seconds in TWO_SHORT:
            await settle()
            clock.advance(seconds)
        await settle()
        assert [state.state for state in pin.states] == [0, 1, 0, 1, 0]
        await vibration.signal(GRANTED)
        assert pin.state == 1
    assert [state.state for state in pin.states][-2:] == [1, 0]


async def test_the_same_screen_shown_again_does_not_shake_again():
    factory = MockFactory()
    async with open_vibration(24, VirtualClock(), factory=factory, errors=ERRORS) as vibration:
        fault = Screen(Look.OUT_OF_SERVICE, fault="GT-RLY")
        await vibration.signal(fault)
        vibration.rest()
        await vibration.signal(fault)
        assert factory.pin(24).state == 0
        await vibration.signal(DENIED)
        assert factory.pin(24).state == 1


# --- the configuration ----------------------------------

HANDHELD = """
data = "data"
profile = "handheld"
[[readers]]
kind = "folder"
folder = "pictures"
[page]
port = 8080
[handheld]
trigger_pin = 23
"""


def test_a_handheld_has_no_arm_and_is_its_page(tmp_path):
    path = tmp_path / "gate.toml"

    def complaint(text):
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        return str(caught.value).removeprefix(f"{path}: ")

    path.write_text(HANDHELD)
    config = load_config(path)
    assert (config.is_handheld, config.handheld.trigger_pin, config.handheld.gauge) == (
        True,
        23,
        "sysfs",
    )
    assert complaint(HANDHELD + '[turnstile]\nkind = "relay"\n') == (
        "turnstile.kind: 'relay' is an arm, which no handheld has; write none or confirm"
    )
    assert complaint(HANDHELD.replace("port = 8080", "")).startswith("page.port: is missing")
    assert complaint(HANDHELD + "vibration_pin = 23\n") == (
        "handheld.vibration_pin: pin 23 is used by handheld.trigger_pin too; give each its own pin"
    )
    assert complaint(HANDHELD + "rest_percent = 20\n") == (
        "handheld.rest_percent: must be below warn_percent; lower it"
    )
    assert complaint(HANDHELD + 'battery = "../x"\n').startswith("handheld.battery: is a supply's")
    assert complaint(HANDHELD.replace('"folder"', '"folder"\nname = "keyed"', 1)) == (
        "readers: 'keyed' names what is typed by hand; choose another name"
    )


# --- as `main` opens them -------------------------------


async def test_a_handheld_opens_its_face_its_trigger_its_motor_and_its_gauge(tmp_path):
    path = tmp_path / "gate.toml"
    more = 'vibration_pin = 24\npin_factory = "mock"\n[turnstile]\nkind = "confirm"\n'
    path.write_text(HANDHELD + more)
    config = load_config(path)
    async with AsyncExitStack() as stack:
        drivers = Drivers(config, VirtualClock(), stack)
        assert isinstance(drivers.face, HandheldFace)
        (vibration,) = await drivers.open_signals()
        await vibration.signal(DENIED)
        assert drivers.pins("mock").factory.pin(24).state == 1
        later = drivers.for_one_start(stack)
        assert later.face is drivers.face
        assert later.open_turnstile() is later.confirming
        assert later.open_trigger() is not None
        assert isinstance(later.open_battery(), PowerSupply)


async def test_a_gate_that_stands_has_none_of_it(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text(HANDHELD.replace('profile = "handheld"', ""))
    async with AsyncExitStack() as stack:
        drivers = Drivers(load_config(path), VirtualClock(), stack)
        assert drivers.face is None
        assert drivers.open_trigger() is None
        assert drivers.open_battery() is None
        assert await drivers.open_signals() == []
