"""Light and sound: a pattern of its own for each outcome, timed by the gate's clock."""

import asyncio
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory, MockPin, MockPWMPin

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays import signals
from appliance.displays.appearance import ANSWERS
from appliance.displays.gpio_signals import SignalWiring, open_gpio_signals
from appliance.displays.palette import Hue
from appliance.displays.signals import (
    AMBER,
    BLUE,
    DARK,
    DIM_WHITE,
    FLASH_HZ_MAX,
    GREEN,
    RED,
    TONE_HZ_MAX,
    TONE_HZ_MIN,
    pattern_of,
)
from appliance.errors import DeviceError
from appliance.ports import Look, Screen
from appliance.simulator.virtual_clock import VirtualClock, settle

REFUSALS = [answer for answer in Answer if answer is not Answer.GRANTED]
GRANTED = Screen(Look.GRANTED)
LET_OUT = Screen(Look.GRANTED, Direction.EXIT, Answer.NOT_INSIDE)
CHECKED = Screen(Look.GRANTED, attention=("!",))
R, G, B, BUZZER = 17, 27, 22, 13
WIRING = SignalWiring(R, G, B, buzzer=BUZZER)


def denied(answer: Answer) -> Screen:
    return Screen(Look.DENIED, answer=answer)


def every_screen() -> list[Screen]:
    looks = [Screen(look, way) for look in Look if look is not Look.DENIED for way in Direction]
    return [*looks, LET_OUT, CHECKED, *(denied(answer) for answer in REFUSALS)]


def rhythm(screen: Screen) -> list[tuple[bool, float]]:
    return [(tone.hz > 0, tone.seconds) for tone in pattern_of(screen).sound]


# --- the tables -------------------------------------------------------------------------------


def test_nothing_flashes_faster_than_three_times_a_second():
    for screen in every_screen():
        light = pattern_of(screen).light
        assert light
        if len(light) > 1:
            assert sum(flash.seconds for flash in light) >= 1 / FLASH_HZ_MAX
            assert all(flash.seconds >= 1 / (2 * FLASH_HZ_MAX) for flash in light)


def test_every_tone_is_one_that_small_buzzers_play_and_old_ears_hear():
    for screen in every_screen():
        for tone in pattern_of(screen).sound:
            assert tone.hz == 0 or TONE_HZ_MIN <= tone.hz <= TONE_HZ_MAX
            assert 0 < tone.seconds <= 0.5


def test_colours_are_fractions_of_full_light():
    for screen in every_screen():
        for flash in pattern_of(screen).light:
            assert all(0 <= part <= 1 for part in flash.colour)


def test_going_and_not_going_differ_in_rhythm_not_only_in_pitch():
    go = rhythm(GRANTED)
    for answer in REFUSALS:
        assert rhythm(denied(answer)) != go
    assert rhythm(LET_OUT) != go
    assert rhythm(Screen(Look.NOT_PASSED)) != go
    assert rhythm(CHECKED) not in (go, *(rhythm(denied(answer)) for answer in REFUSALS))
    assert rhythm(denied(Answer.ALREADY_USED)) != rhythm(denied(Answer.BLOCKED))


def test_an_admission_is_two_tones_that_rise_within_150_ms():
    for direction in Direction:
        sound = pattern_of(Screen(Look.GRANTED, direction)).sound
        assert [tone.hz for tone in sound] == sorted(tone.hz for tone in sound)
        assert len({tone.hz for tone in sound}) == 2
        assert sum(tone.seconds for tone in sound) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("hue", "colour", "tones"),
    [(Hue.YELLOW, AMBER, 2), (Hue.ORANGE, AMBER, 2), (Hue.RED, RED, 1), (Hue.BLUE, BLUE, 3)],
)
def test_a_refusal_sounds_and_shines_by_its_kind(hue, colour, tones):
    answers = [answer for answer in REFUSALS if ANSWERS[answer].hue is hue]
    assert answers
    for answer in answers:
        pattern = pattern_of(denied(answer))
        assert pattern.light[0].colour == colour
        assert len([tone for tone in pattern.sound if tone.hz > 0]) == tones


def test_only_those_who_may_go_see_green():
    for screen in every_screen():
        shows_green = any(flash.colour == GREEN for flash in pattern_of(screen).light)
        goes = screen.look in (Look.GRANTED, Look.PLEASE_PASS, Look.FREE_PASSAGE)
        assert shows_green == goes


def test_used_and_wrong_place_differ_in_light_though_both_are_amber():
    used, elsewhere = denied(Answer.ALREADY_USED), denied(Answer.WRONG_CHECKPOINT)
    assert len(pattern_of(used).light) != len(pattern_of(elsewhere).light)


@pytest.mark.parametrize(
    "look", [Look.STARTING, Look.WAITING_LIST, Look.IDLE, Look.READING, Look.OUT_OF_SERVICE]
)
def test_a_gate_to_which_nobody_spoke_is_silent(look):
    assert pattern_of(Screen(look)).sound == ()


def test_degraded_mode_sounds_and_shines_the_same():
    assert pattern_of(Screen(Look.GRANTED, degraded=True)) == pattern_of(GRANTED)


# --- the driver -------------------------------------------------------------------------------


@pytest.fixture
def factory():
    """Mock pins that can be driven by pulse width, as the board's can."""
    pins = MockFactory(pin_class=MockPWMPin)
    yield pins
    pins.close()


def lamp(factory) -> tuple[float, float, float]:
    return tuple(factory.pin(number).state for number in (R, G, B))


def pitch(factory) -> float | None:
    frequency = factory.pin(BUZZER).frequency
    return None if frequency is None else round(frequency)


async def test_light_and_sound_start_within_the_call(factory):
    async with open_gpio_signals(WIRING, VirtualClock(), factory=factory) as device:
        await device.signal(GRANTED)
        assert lamp(factory) == GREEN
        assert pitch(factory) == 1047


async def test_the_sound_is_played_once_and_the_light_stays(factory):
    clock = VirtualClock()
    async with open_gpio_signals(WIRING, clock, factory=factory) as device:
        await device.signal(GRANTED)
        await clock.run(0.080)
        assert pitch(factory) == 1568
        await clock.run(0.080)
        assert pitch(factory) is None
        await clock.run(3600)
        assert pitch(factory) is None
        assert lamp(factory) == GREEN
        assert clock.sleepers == 0


async def test_a_flashing_light_takes_turns_until_it_is_replaced(factory):
    clock = VirtualClock()
    async with open_gpio_signals(WIRING, clock, factory=factory) as device:
        await device.signal(LET_OUT)
        colours = []
        for seconds in (0.7, 0.2, 0.4, 0.2, 0.7):
            await clock.run(seconds / 2)
            colours.append(lamp(factory))
            await clock.run(seconds / 2)
        assert colours == [GREEN, DARK, AMBER, DARK, GREEN]
        await device.signal(Screen(Look.IDLE))
        await clock.run(10)
        assert lamp(factory) == DIM_WHITE


async def test_a_new_pattern_takes_over_in_the_middle_of_the_old(factory):
    clock = VirtualClock()
    async with open_gpio_signals(WIRING, clock, factory=factory) as device:
        await device.signal(denied(Answer.BLOCKED))
        await clock.run(0.1)
        assert (lamp(factory), pitch(factory)) == (RED, 523)
        await device.signal(GRANTED)
        assert (lamp(factory), pitch(factory)) == (GREEN, 1047)
        await clock.run(0.45)  # past the end of the long tone that was replaced
        assert (lamp(factory), pitch(factory)) == (GREEN, None)


async def test_patterns_in_one_breath_leave_only_the_last(factory):
    clock = VirtualClock()
    async with open_gpio_signals(WIRING, clock, factory=factory) as device:
        for screen in (LET_OUT, denied(Answer.INCOMPLETE), Screen(Look.READING), GRANTED):
            await device.signal(screen)
        await clock.run(5)
        assert (lamp(factory), pitch(factory)) == (GREEN, None)


async def test_the_history_of_an_active_buzzer_is_the_rhythm(factory):
    clock = VirtualClock()
    wiring = SignalWiring(R, G, B, dims=False, buzzer=BUZZER, tonal=False)
    plain = MockFactory(pin_class=MockPin)
    async with open_gpio_signals(wiring, clock, factory=plain) as device:
        pin = plain.pin(BUZZER)
        await device.signal(denied(Answer.ALREADY_USED))
        await clock.run(2)
        assert [state.state for state in pin.states] == [False, True, False, True, False]
    plain.close()


async def test_a_lamp_that_cannot_be_dimmed_shows_the_nearest_colour():
    plain = MockFactory(pin_class=MockPin)
    wiring = SignalWiring(R, G, B, dims=False)
    async with open_gpio_signals(wiring, VirtualClock(), factory=plain) as device:
        await device.signal(denied(Answer.ALREADY_USED))
        assert lamp(plain) == (True, True, False)
        await device.signal(Screen(Look.IDLE))
        assert lamp(plain) == (False, False, False)
    plain.close()


async def test_rest_is_at_once_and_nothing_comes_after_it(factory):
    clock = VirtualClock()
    async with open_gpio_signals(WIRING, clock, factory=factory) as device:
        await device.signal(denied(Answer.INCOMPLETE))
        await clock.run(0.1)
        device.rest()
        assert (lamp(factory), pitch(factory)) == ((0, 0, 0), None)
        await clock.run(10)
        assert (lamp(factory), pitch(factory)) == ((0, 0, 0), None)


class GateBrokeError(Exception):
    """Whatever ends the gate while its signals play."""


async def break_while_flashing(factory) -> None:
    async with open_gpio_signals(WIRING, VirtualClock(), factory=factory) as device:
        await device.signal(LET_OUT)
        raise GateBrokeError


async def test_the_pins_are_at_rest_when_the_gate_ends_and_its_fault_comes_through(factory):
    with pytest.raises(GateBrokeError):
        await break_while_flashing(factory)
    assert [state.state for state in factory.pin(G).states][-2:] == [1, 0]
    assert factory.pin(G).function == "input"
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_gate_without_a_buzzer_has_its_light(factory):
    wiring = SignalWiring(R, G, B)
    async with open_gpio_signals(wiring, VirtualClock(), factory=factory) as device:
        await device.signal(GRANTED)
        assert lamp(factory) == GREEN


async def test_a_pin_that_is_taken_is_a_device_fault(factory):
    taken = SignalWiring(R, G, G)
    with pytest.raises(DeviceError, match="the lamp's pins cannot be had"):
        async with open_gpio_signals(taken, VirtualClock(), factory=factory):
            raise AssertionError("the context must not be entered")
    with pytest.raises(DeviceError, match="the buzzer's pin cannot be had"):
        async with open_gpio_signals(
            SignalWiring(R, G, B, buzzer=R), VirtualClock(), factory=factory
        ):
            raise AssertionError("the context must not be entered")
    async with open_gpio_signals(WIRING, VirtualClock(), factory=factory) as device:
        await device.signal(GRANTED)  # both failures let go of the pins they had


class FailingPin(MockPWMPin):
    """A pin whose chip went away."""

    broken = False

    def _set_state(self, value):
        if FailingPin.broken:
            raise OSError(5, "Input/output error")
        super()._set_state(value)


async def test_pins_that_fail_are_told_and_never_end_the_gate():
    failing, clock = MockFactory(pin_class=FailingPin), VirtualClock()
    async with open_gpio_signals(WIRING, clock, factory=failing) as device:
        await device.signal(LET_OUT)
        FailingPin.broken = True
        try:
            await clock.run(5)  # the pattern's own next step meets the fault: it ends in silence
            with pytest.raises(DeviceError, match="the lamp cannot be driven"):
                await device.signal(GRANTED)
            device.rest()
        finally:
            FailingPin.broken = False
        await device.signal(GRANTED)
        await settle()
        assert lamp(failing) == GREEN
    failing.close()


def test_the_tables_cover_every_colour_a_refusal_can_have():
    assert set(signals._DENIED) == {ANSWERS[answer].hue for answer in REFUSALS}


# --- how loud ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("volume", "duty"), [(1.0, 0.5), (0.5, 1 / 6), (0.01, 0.0032)])
async def test_a_passive_buzzer_is_as_loud_as_the_part_of_a_wave_it_is_driven_for(
    factory, volume, duty
):
    opening = open_gpio_signals(WIRING, VirtualClock(), factory=factory, volume=lambda: volume)
    async with opening as device:
        await device.signal(GRANTED)
        assert factory.pin(BUZZER).state == pytest.approx(duty, abs=0.0005)
        assert pitch(factory) == 1047


async def test_a_buzzer_without_volume_is_silent_and_the_light_says_the_same(factory):
    clock, wiring = VirtualClock(), SignalWiring(R, G, B, dims=False, buzzer=BUZZER, tonal=False)
    plain = MockFactory(pin_class=MockPin)
    async with open_gpio_signals(wiring, clock, factory=plain, volume=lambda: 0.0) as device:
        await device.signal(denied(Answer.ALREADY_USED))
        await clock.run(2)
        assert not any(state.state for state in plain.pin(BUZZER).states)
        assert lamp(plain) == (True, True, False)
    plain.close()


async def test_the_volume_is_asked_for_with_each_sound(factory):
    volumes = [0.0, 1.0]
    opening = open_gpio_signals(
        WIRING, VirtualClock(), factory=factory, volume=lambda: volumes.pop(0)
    )
    async with opening as device:
        await device.signal(GRANTED)
        assert pitch(factory) is None
        await device.signal(GRANTED)
        assert pitch(factory) == 1047


def test_the_documentation_tells_every_rhythm_once():
    """Whoever wires a buzzer finds there what it says."""
    page = Path(__file__).parents[2] / "docs" / "operations" / "displays.md"
    sounds = page.read_text("utf-8").partition("## Sound")[2].partition("## ")[0]
    rows = [line for line in sounds.splitlines() if line.startswith("| ")][2:]
    rhythms = {tuple(rhythm(screen)) for screen in every_screen()} - {()}
    assert len(rows) == len(rhythms)
