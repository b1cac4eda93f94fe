"""A handheld's own life: its trigger, the answer that stays, battery, what is only looked at."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from admission.scan import Direction
from admission.verdict import Answer
from appliance.errors import DeviceError
from appliance.fault_codes import BATTERY_FAULT
from appliance.handheld_keeper import LOOK_S, BatteryBounds, HandheldFace, HandheldKeeper
from appliance.handheld_ports import BatteryReading
from appliance.ports import Look
from appliance.stewarding import CHECK_ONLY_S
from appliance.turnstiles.confirmed import ConfirmedPassage
from gate_answers import ENTRY, GREEN, INSIDE_OUT, answers
from linked_gate import linked


class Gauge:
    """A battery that is as it is told to be."""

    def __init__(self, percent=80, *, is_plugged=False):
        self.reading = BatteryReading(percent, is_plugged)
        self.is_lost = False

    async def read(self):
        if self.is_lost:
            raise DeviceError("the gauge is gone")
        return self.reading

    def says(self, percent, *, is_plugged=False):
        self.reading = BatteryReading(percent, is_plugged)


class Engine:
    """A reader's trigger that remembers."""

    def __init__(self):
        self.history = []

    def start(self):
        self.history.append("start")

    def stop(self):
        self.history.append("stop")


class Finger:
    """A button, and the finger on it."""

    def __init__(self):
        self.queue = asyncio.Queue()

    async def presses(self):
        while True:
            yield await self.queue.get()


@asynccontextmanager
async def carried(gate, **parts):
    """Run a handheld beside a gate that is running."""
    face = HandheldFace()
    gate.announcer._displays.append(face)
    keeper = HandheldKeeper(face=face, health=gate.health, clock=gate.clock, **parts)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        await gate.settle()
        yield keeper
        task.cancel()


# --- the trigger ----------------------------------------


async def test_a_pull_makes_readers_look_for_a_while_and_no_longer(open_gate):
    engine = Engine()
    async with open_gate() as gate, carried(gate, triggers=[engine], trigger_s=5.0) as hand:
        assert (hand.has_trigger, hand.is_triggered) == (True, False)
        hand.pull()
        await gate.later(4.9)
        assert hand.is_triggered
        await gate.later(0.2)
        assert not hand.is_triggered
        assert engine.history == ["start", "stop"]


async def test_pulling_again_begins_the_time_anew(open_gate):
    engine = Engine()
    async with open_gate() as gate, carried(gate, triggers=[engine], trigger_s=5.0) as hand:
        hand.pull()
        await gate.later(4)
        hand.pull()
        await gate.later(4)
        assert hand.is_triggered
        await gate.later(2)
        assert engine.history == ["start", "start", "stop"]


async def test_a_finger_on_the_button_starts_and_stops_the_engine(open_gate):
    engine, finger = Engine(), Finger()
    async with open_gate() as gate, carried(gate, triggers=[engine], button=finger):
        for is_down in (True, False):
            finger.queue.put_nowait(is_down)
            await gate.settle()
        assert engine.history == ["start", "stop"]


async def test_the_engine_rests_when_the_gate_stops(open_gate):
    engine = Engine()
    async with open_gate() as gate:
        async with carried(gate, triggers=[engine]) as hand:
            hand.pull()
            await gate.settle()
        assert engine.history == ["start", "stop"]


# --- the last answer ------------------------------------


async def test_the_last_answer_stays_until_the_trigger_is_pulled_again(open_gate):
    async with open_gate() as gate, carried(gate) as hand:
        await gate.scan("nothing")
        await gate.later(300)
        assert hand.now.look is Look.IDLE
        assert (hand.last.look, hand.last.answer) == (Look.DENIED, Answer.UNKNOWN_TICKET)
        hand.pull()
        assert hand.last is None


# --- who went -------------------------------------------


async def test_a_ticket_is_used_up_only_when_the_steward_says_that_its_holder_went(open_gate):
    lane = ConfirmedPassage()
    async with (
        open_gate(INSIDE_OUT, turnstile=lambda _: lane) as gate,
        carried(gate, confirming=lane) as hand,
    ):
        assert not hand.went(has_passed=True)
        assert answers(await gate.scan("T1")) == GREEN
        assert hand.awaits is ENTRY
        assert hand.went(has_passed=False)
        await gate.settle()
        assert (gate.inside, hand.awaits) == (0, None)
        await gate.scan("T1")
        assert hand.went(has_passed=True)
        await gate.settle()
        assert gate.inside == 1
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED", "GRANTED", "PASSED"]


# --- the battery ----------------------------------------


async def test_a_low_battery_is_told_and_the_gate_serves_on(open_gate):
    gauge = Gauge(21)
    async with open_gate() as gate, carried(gate, battery=gauge) as hand:
        assert hand.battery == BatteryReading(21, False)
        assert gate.health.faults == ()
        gauge.says(20)
        await gate.later(LOOK_S)
        assert gate.health.faults == (BATTERY_FAULT,)
        assert (gate.display.last.look, gate.display.last.fault) == (Look.IDLE, "GT-BAT")
        assert answers(await gate.scan("T1")) == GREEN


async def test_an_empty_battery_ends_entering_but_not_the_person_who_goes(open_gate):
    gauge = Gauge(6)
    async with open_gate(INSIDE_OUT) as gate, carried(gate, battery=gauge):
        await gate.scan("T1")
        gauge.says(5)
        await gate.later(LOOK_S)
        assert gate.inside == 1
        assert (gate.display.last.look, gate.display.last.fault) == (Look.OUT_OF_SERVICE, "GT-BAT")
        before = len(await gate.records())
        await gate.scan("T2")
        assert len(await gate.records()) == before
        await gate.scan("T1", Direction.EXIT)  # whoever is inside may leave
        await gate.later(2)
        assert gate.inside == 0
        assert ("GT-BAT", "begun") in await gate.faults_written()


async def test_the_charger_ends_it_at_once_and_a_wavering_gauge_does_not(open_gate):
    gauge = Gauge(5)
    async with open_gate() as gate, carried(gate, battery=gauge):
        for percent in (6, 5, 9):
            gauge.says(percent)
            await gate.later(LOOK_S)
            assert gate.health.is_stopped
        gauge.says(10)
        await gate.later(LOOK_S)
        assert (gate.health.is_stopped, gate.health.faults) == (False, (BATTERY_FAULT,))
        gauge.says(24)
        await gate.later(LOOK_S)
        assert gate.health.faults == (BATTERY_FAULT,)
        gauge.says(4, is_plugged=True)
        await gate.later(LOOK_S)
        assert gate.health.faults == ()


async def test_a_gauge_that_is_lost_or_says_nothing_stops_nobody(open_gate):
    gauge = Gauge(None)
    async with open_gate() as gate, carried(gate, battery=gauge) as hand:
        assert gate.health.faults == ()
        gauge.is_lost = True
        await gate.later(LOOK_S)
        assert (hand.battery, gate.health.faults) == (None, ())
        gauge.is_lost = False
        gauge.says(50)
        await gate.later(LOOK_S)
        assert hand.battery == BatteryReading(50, False)


@pytest.mark.parametrize(("warn", "percent"), [(30, 30), (50, 41)])
async def test_bounds_are_the_venues_own(open_gate, warn, percent):
    gauge = Gauge(percent)
    async with open_gate() as gate, carried(gate, battery=gauge, bounds=BatteryBounds(warn, 10)):
        assert gate.health.faults == (BATTERY_FAULT,)


async def test_the_server_is_told_of_the_battery(open_gate):
    async with linked(open_gate) as gate:
        assert (gate.uplink.status().battery, gate.uplink.status().charging) == (-1, False)
        async with carried(gate, battery=Gauge(64, is_plugged=True)) as hand:
            gate.uplink.battery = lambda: hand.battery
            assert (gate.uplink.status().battery, gate.uplink.status().charging) == (64, True)


# --- only looking ---------------------------------------


async def test_what_is_only_looked_at_marks_no_ticket(open_gate):
    async with open_gate() as gate:
        gate.stewarding.check_only(is_on=True)
        for _ in range(2):
            await gate.scan("T1")
            assert answers(gate.stewarding.looked_at.screen) == GREEN
        assert await gate.records() == []
        gate.stewarding.check_only(is_on=False)
        assert gate.stewarding.looked_at is None
        assert answers(await gate.scan("T1")) == GREEN


async def test_only_looking_ends_by_itself(open_gate):
    async with open_gate() as gate:
        gate.stewarding.check_only(is_on=True)
        await gate.later(CHECK_ONLY_S - 1)
        await gate.scan("T1")
        assert await gate.records() == []
        await gate.later(CHECK_ONLY_S + 1)
        assert not gate.stewarding.is_check_only
        assert answers(await gate.scan("T1")) == GREEN
