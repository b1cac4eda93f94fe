"""What people are told: the newest, for its time, then what is shown at rest."""

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest

from admission.scan import Direction
from admission.verdict import Answer
from appliance.announcer import ATTENTION_S, HOLD_S, LANGUAGE_S, VERDICT_S, Announcer
from appliance.errors import DeviceError, DisplayLostError
from appliance.ports import Look, Screen
from appliance.simulator.virtual_clock import VirtualClock, settle

IDLE = Screen(Look.IDLE, title="Carmen")
GREEN = Screen(Look.GRANTED, answer=Answer.GRANTED)
RED = Screen(Look.DENIED, answer=Answer.ALREADY_USED)


class Shown:
    """A display and a lamp at once: remembers what it showed; can be lost, or slow."""

    def __init__(self) -> None:
        self.screens: list[Screen] = []
        self.lost: DeviceError | None = None
        self.ready = asyncio.Event()
        self.ready.set()
        self.rested = 0

    async def show(self, screen: Screen) -> None:
        await self.ready.wait()
        if self.lost is not None:
            raise self.lost
        self.screens.append(screen)

    signal = show

    def rest(self) -> None:
        self.rested += 1

    @property
    def looks(self) -> list[Look]:
        return [screen.look for screen in self.screens]


@asynccontextmanager
async def announcing(languages: int = 1):
    clock, display, second, lamp = VirtualClock(), Shown(), Shown(), Shown()
    announcer = Announcer([display, second], [lamp], clock, languages)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(announcer.run())
        announcer.rest_on(IDLE)
        await settle()
        yield SimpleNamespace(
            clock=clock, display=display, second=second, lamp=lamp, announcer=announcer
        )
        task.cancel()


async def test_the_first_thing_shown_is_that_the_gate_starts():
    display = Shown()
    announcer = Announcer([display], [], VirtualClock())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(announcer.run())
        await settle()
        task.cancel()
    assert display.looks == [Look.STARTING]


async def test_every_display_and_lamp_tells_the_same():
    async with announcing() as gate:
        gate.announcer.post(GREEN)
        await settle()
        assert gate.display.screens == gate.second.screens == gate.lamp.screens == [IDLE, GREEN]


@pytest.mark.parametrize("screen", [GREEN, RED, Screen(Look.NOT_PASSED)], ids=lambda s: s.look)
async def test_an_answer_is_held_for_its_time_and_then_the_gate_is_at_rest(screen: Screen):
    async with announcing() as gate:
        gate.announcer.post(screen)
        await gate.clock.run(HOLD_S[screen.look] - 0.01)
        assert gate.display.screens[-1] == screen
        await gate.clock.run(0.02)
        assert gate.display.screens[-1] == IDLE
        await gate.clock.run(60)
        assert len(gate.display.screens) == 3


async def test_of_several_answers_at_once_only_the_newest_is_shown():
    async with announcing() as gate:
        for screen in (GREEN, RED, GREEN, RED):
            gate.announcer.post(screen)
        await settle()
        assert gate.display.screens == [IDLE, RED]


async def test_a_new_answer_ends_the_one_before_at_once():
    async with announcing() as gate:
        gate.announcer.post(GREEN)
        await gate.clock.run(1)
        gate.announcer.post(RED)
        await settle()
        assert gate.display.looks == [Look.IDLE, Look.GRANTED, Look.DENIED]
        await gate.clock.run(HOLD_S[Look.DENIED])
        assert gate.display.screens[-1] == IDLE


PASS = Screen(Look.PLEASE_PASS)
PROOF = Screen(Look.GRANTED, answer=Answer.GRANTED, attention=("!",))
FREE = Screen(Look.FREE_PASSAGE)


@pytest.mark.parametrize(("screen", "seconds"), [(GREEN, VERDICT_S), (PROOF, ATTENTION_S)])
async def test_an_admission_is_followed_by_what_was_posted_with_it(screen, seconds):
    async with announcing() as gate:
        gate.announcer.post(screen, PASS)
        await gate.clock.run(seconds - 0.01)
        assert gate.display.screens == [IDLE, screen]
        await gate.clock.run(0.02)
        assert gate.display.screens == [IDLE, screen, PASS]
        await gate.clock.run(30)
        gate.announcer.post(Screen(Look.PASSED))
        await gate.clock.run(HOLD_S[Look.PASSED] + 0.01)
        assert gate.display.looks[-2:] == [Look.PASSED, Look.IDLE]


async def test_what_would_follow_an_admission_is_dropped_with_it():
    async with announcing() as gate:
        gate.announcer.post(GREEN, PASS)
        await gate.clock.run(1)
        gate.announcer.done()
        gate.announcer.post(GREEN, PASS)
        gate.announcer.post(RED)
        await gate.clock.run(60)
        assert gate.display.looks == [Look.IDLE, Look.GRANTED, Look.DENIED, Look.IDLE]


async def test_a_refusal_stands_for_a_second_before_another_takes_its_place():
    other = Screen(Look.DENIED, answer=Answer.BLOCKED)
    async with announcing() as gate:
        gate.announcer.post(RED)
        await gate.clock.run(0.2)
        gate.announcer.post(other)
        await gate.clock.run(0.79)
        assert gate.display.screens == [IDLE, RED]
        await gate.clock.run(0.02)
        assert gate.display.screens == [IDLE, RED, other]
        await gate.clock.run(HOLD_S[Look.DENIED])
        assert gate.display.screens == [IDLE, RED, other, IDLE]


async def test_an_admission_is_shown_with_the_arm_also_right_after_a_refusal():
    async with announcing() as gate:
        gate.announcer.post(RED)
        await gate.clock.run(0.2)
        gate.announcer.post(GREEN)
        await settle()
        assert gate.display.screens == [IDLE, RED, GREEN]


@pytest.mark.parametrize("before", [IDLE, GREEN, RED, PASS], ids=lambda s: s.look)
async def test_an_emergency_is_shown_at_once_and_nothing_else_until_it_is_over(before):
    async with announcing() as gate:
        if before is not IDLE:
            gate.announcer.post(before, PASS)
            await gate.clock.run(0.2)
        gate.announcer.rest_on(FREE)
        await settle()
        assert gate.display.screens[-1] == FREE
        for screen in (GREEN, RED, Screen(Look.HOLD_STILL)):
            gate.announcer.post(screen, PASS)
            await gate.clock.run(3)
        assert gate.display.screens[-1] == FREE
        gate.announcer.rest_on(IDLE)
        await gate.clock.run(60)
        assert gate.display.screens[-1] == IDLE


async def test_a_lock_down_is_shown_at_once_and_whoever_leaves_is_answered():
    locked, out = Screen(Look.LOCKED_DOWN), Screen(Look.GRANTED, Direction.EXIT)
    async with announcing() as gate:
        gate.announcer.post(GREEN, PASS)
        await gate.clock.run(0.2)
        gate.announcer.rest_on(locked)
        await settle()
        assert gate.display.screens == [IDLE, GREEN, locked]
        gate.announcer.post(out)
        await settle()
        assert gate.display.screens[-1] == out
        older = replace(locked, degraded=True, degraded_min=1)
        gate.announcer.rest_on(older)  # no news: it waits its turn
        await gate.clock.run(1)
        assert gate.display.looks[-1] is Look.GRANTED
        await gate.clock.run(5)
        assert gate.display.screens[-1] == older


async def test_a_lock_down_that_comes_back_meanwhile_is_shown_at_once():
    async with announcing() as gate:
        gate.announcer.rest_on(Screen(Look.LOCKED_DOWN))
        await settle()
        gate.announcer.post(PASS)
        await settle()
        gate.announcer.rest_on(IDLE)
        await settle()
        assert gate.display.looks[-1] is Look.PLEASE_PASS
        gate.announcer.rest_on(Screen(Look.LOCKED_DOWN))
        await settle()
        assert gate.display.looks[-1] is Look.LOCKED_DOWN


async def test_a_code_that_cannot_be_read_is_told_only_to_who_is_told_nothing_else():
    still = Screen(Look.HOLD_STILL)
    async with announcing() as gate:
        gate.announcer.post(GREEN)
        await settle()
        gate.announcer.post(still)
        await gate.clock.run(4.9)
        assert gate.display.screens == [IDLE, GREEN]
        await gate.clock.run(0.2)
        for _ in range(10):  # seen on frame after frame
            gate.announcer.post(still)
            await gate.clock.run(0.3)
        assert gate.display.screens == [IDLE, GREEN, IDLE, still]
        assert gate.lamp.screens == gate.display.screens
        gate.announcer.post(RED)
        await settle()
        assert gate.display.screens[-1] == RED


async def test_a_code_that_is_seen_no_more_is_no_longer_told_of():
    async with announcing() as gate:
        gate.announcer.post(Screen(Look.HOLD_STILL))
        await gate.clock.run(HOLD_S[Look.HOLD_STILL] + 0.01)
        assert gate.display.looks == [Look.IDLE, Look.HOLD_STILL, Look.IDLE]


async def test_a_verdict_in_two_languages_is_held_for_both():
    async with announcing(languages=2) as gate:
        gate.announcer.post(RED)
        await gate.clock.run(2 * LANGUAGE_S - 0.01)
        assert gate.display.screens[-1] == RED
        await gate.clock.run(0.02)
        assert gate.display.screens[-1] == IDLE


async def test_the_same_answer_for_the_next_person_is_shown_and_signalled_again():
    async with announcing() as gate:
        for _ in range(2):
            gate.announcer.post(RED)
            await gate.clock.run(1)
        assert gate.lamp.screens == [IDLE, RED, RED]


async def test_an_answer_that_has_served_its_time_gives_way():
    async with announcing() as gate:
        gate.announcer.post(GREEN)
        await gate.clock.run(1)
        gate.announcer.done()
        await settle()
        assert gate.display.screens == [IDLE, GREEN, IDLE]


async def test_what_is_shown_after_a_passage_is_the_newest_rest():
    """The occupancy changes in the same moment in which the screen is given back."""
    async with announcing() as gate:
        gate.announcer.post(GREEN)
        await gate.clock.run(1)
        gate.announcer.done()
        later = Screen(Look.IDLE, title="Carmen", occupancy=7)
        gate.announcer.rest_on(later)
        await gate.clock.run(60)
        assert gate.display.screens[-1] == later


async def test_an_answer_that_comes_with_the_end_of_the_one_before_is_shown():
    async with announcing() as gate:
        gate.announcer.post(GREEN)
        await gate.clock.run(1)
        gate.announcer.done()
        gate.announcer.post(RED)
        await settle()
        assert gate.display.screens == [IDLE, GREEN, RED]


async def test_a_new_rest_waits_until_the_answer_has_had_its_time():
    async with announcing() as gate:
        gate.announcer.post(RED)
        await gate.clock.run(1)
        fault = Screen(Look.OUT_OF_SERVICE, fault="GT-RLY")
        gate.announcer.rest_on(fault)
        gate.announcer.rest_on(IDLE)
        gate.announcer.rest_on(fault)
        await gate.clock.run(1)
        assert gate.display.screens == [IDLE, RED]
        await gate.clock.run(1)
        assert gate.display.screens == [IDLE, RED, fault]


async def test_a_rest_that_did_not_change_is_not_drawn_again():
    async with announcing() as gate:
        for _ in range(3):
            gate.announcer.rest_on(Screen(Look.IDLE, title="Carmen"))
            await settle()
        assert gate.display.screens == [IDLE]


async def test_the_degraded_banner_is_on_answers_too():
    async with announcing() as gate:
        gate.announcer.rest_on(Screen(Look.IDLE, degraded=True))
        await settle()
        gate.announcer.post(GREEN)
        await settle()
        assert gate.display.screens[-1] == Screen(
            Look.GRANTED, answer=Answer.GRANTED, degraded=True
        )
        gate.announcer.rest_on(IDLE)
        gate.announcer.post(GREEN)
        await settle()
        assert gate.display.screens[-1] == GREEN


async def test_a_lost_display_takes_nothing_from_the_others_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
):
    async with announcing() as gate:
        gate.display.lost = DisplayLostError("the cable is out")
        with caplog.at_level(logging.INFO, "appliance.announcer"):
            for _ in range(3):
                gate.announcer.post(RED)
                await gate.clock.run(3)
            assert [record.message for record in caplog.records] == ["device lost"]
            gate.display.lost = None
            gate.announcer.post(GREEN)
            await settle()
            assert [record.message for record in caplog.records] == [
                "device lost",
                "device is back",
            ]
        assert gate.second.looks.count(Look.DENIED) == 3
        assert gate.display.screens == [IDLE, GREEN]


async def test_a_lamp_that_fails_does_not_keep_the_display_dark():
    async with announcing() as gate:
        gate.lamp.lost = DeviceError("no such pin")
        gate.announcer.post(GREEN)
        await settle()
        assert gate.display.screens[-1] == GREEN


async def test_a_display_that_is_slow_misses_what_has_passed_meanwhile():
    async with announcing() as gate:
        gate.display.ready.clear()
        for screen in (GREEN, RED, GREEN, RED):
            gate.announcer.post(screen)
            await settle()
        gate.display.ready.set()
        await settle()
        assert gate.display.screens == [IDLE, GREEN, RED]


async def test_at_the_end_lights_and_sounds_are_off():
    async with announcing() as gate:
        gate.announcer.rest()
        assert gate.lamp.rested == 1


async def test_a_display_that_is_unplugged_does_not_stop_the_gate(open_gate):
    async with open_gate() as gate:
        gate.display.is_lost = True
        await gate.scan("T1")
        await gate.later(2)
        await gate.scan("T2")
        await gate.later(8)
        assert (await gate.kinds()).count("PASSED") == 2
        gate.display.is_lost = False
        assert (await gate.scan("T3")).look is Look.GRANTED
