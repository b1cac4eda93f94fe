"""The lane beside its tickets: both ways, faults of sensor and controller, lock, alarm, staff."""

import pytest

from admission.journal import Flag, Kind
from admission.scan import Direction
from admission.sync.command_code import write_code
from admission.trust.command import Action
from admission.verdict import Answer
from appliance.errors import TurnstileUnsureError
from appliance.lane_keeper import TURN_S, WORD_S
from appliance.ports import LaneEvent, Look
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.virtual_turnstile import Motion, VirtualTurnstile
from gate_answers import ENTRY, EXIT, GREEN, INSIDE_OUT, NOBODY, answers, red

IN, OUT = LaneEvent.PASSED_ENTRY, LaneEvent.PASSED_EXIT


async def say(gate, *events: LaneEvent) -> None:
    for event in events:
        gate.turnstile.say(event)
    await gate.settle()


async def walk(gate, way: LaneEvent = LaneEvent.PASSED) -> None:
    gate.turnstile.walk(way=way)
    await gate.settle()


# --- both ways ------------------------------------------------------------------------------------


async def test_who_goes_the_wrong_way_is_written_as_forced_and_uses_no_ticket_up(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await walk(gate, OUT)
        await walk(gate, IN)
        granted, forced, passed = await gate.records()
        assert (forced.kind, forced.direction) == (Kind.FORCED, 2)
        assert (passed.kind, passed.refers_to) == (Kind.PASSED, granted.sequence)
        assert gate.inside == 1


async def test_after_the_wrong_way_a_grant_that_nobody_uses_ends_unused(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await walk(gate, OUT)
        await gate.later(7)
        assert await gate.kinds() == ["GRANTED", "FORCED", "NOT_PASSED"]
        assert gate.inside == 0


async def test_whoever_stands_in_the_arm_has_longer(open_gate):
    async with open_gate(people=[NOBODY], passage_timeout_s=3.0) as gate:
        await gate.scan("T1")
        await gate.later(2)
        await say(gate, LaneEvent.TURNING)
        await gate.later(5)
        assert await gate.kinds() == ["GRANTED"]
        await walk(gate)
        assert await gate.kinds() == ["GRANTED", "PASSED"]


async def test_an_arm_that_stays_halfway_leaves_a_passage_marked_unresolved(open_gate):
    async with open_gate(people=[NOBODY], passage_timeout_s=3.0) as gate:
        await gate.scan("T1")
        await say(gate, LaneEvent.TURNING)
        await gate.later(3 + TURN_S + 3 * WORD_S)
        passed = (await gate.records())[-1]
        assert (passed.kind, bool(passed.flags & Flag.UNRESOLVED)) == (Kind.PASSED, True)
        assert gate.lane.is_settled


# --- faults of sensor and controller --------------------------------------------------------------


async def test_while_a_sensor_sticks_nobody_enters_and_an_exit_counts_at_once(open_gate):
    async with open_gate(INSIDE_OUT) as gate:
        await gate.scan("T1")
        await gate.later(2)
        await say(gate, LaneEvent.SENSOR_STUCK)
        assert (gate.display.last.look, gate.display.last.fault) == (Look.OUT_OF_SERVICE, "GT-SNS")
        released = gate.turnstile.count(Motion.RELEASED)
        await gate.scan("T2")
        assert gate.turnstile.count(Motion.RELEASED) == released
        await gate.scan("T1", EXIT)
        assert gate.turnstile.count(Motion.RELEASED) == released + 1
        passed = (await gate.records())[-1]
        assert (passed.kind, passed.flags & Flag.NO_SENSOR) == (Kind.PASSED, Flag.NO_SENSOR)
        assert gate.inside == 0
        await gate.later(3)
        await say(gate, LaneEvent.SENSOR_FREE)
        assert gate.health.faults == ()
        assert answers(await gate.scan("T2")) == GREEN
        assert await gate.faults_written() == [("GT-SNS", "begun"), ("GT-SNS", "over")]


async def test_a_controller_that_is_lost_leaves_a_pending_grant_unresolved(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await say(gate, LaneEvent.DEVICE_LOST)
        assert gate.display.last.fault == "GT-ARM"
        passed = (await gate.records())[1]
        assert (passed.kind, bool(passed.flags & Flag.UNRESOLVED)) == (Kind.PASSED, True)
        await say(gate, LaneEvent.DEVICE_BACK)
        assert answers(await gate.scan("T2")) == GREEN


class Unsure(VirtualTurnstile):
    """Does not say whether it opened."""

    def __init__(self, bench) -> None:
        super().__init__(bench.clock)

    async def release(self, direction: Direction) -> None:
        raise TurnstileUnsureError("no answer")


async def test_where_nobody_knows_whether_the_arm_opened_the_ticket_is_not_let_in_twice(open_gate):
    async with open_gate(turnstile=Unsure) as gate:
        screen = await gate.scan("T1")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, "GT-ARM")
        passed = (await gate.records())[1]
        assert (passed.kind, bool(passed.flags & Flag.UNRESOLVED)) == (Kind.PASSED, True)
        assert gate.inside == 1


# --- the alarm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_sensor", [True, False])
async def test_in_an_alarm_whatever_is_presented_opens_and_no_refusal_is_sold(
    open_gate, has_sensor: bool
):
    async with open_gate(has_sensor=has_sensor) as gate:
        await say(gate, LaneEvent.FIRE)
        assert gate.display.last.look is Look.FREE_PASSAGE
        for number in ("T1", "nobody's", ""):
            assert (await gate.scan(number, EXIT)).look is Look.FREE_PASSAGE
            await gate.later(2)
        kinds = await gate.kinds()
        assert kinds[:2] == ["ALARM", "FREE_PASSAGE"]
        assert kinds[2:] == ["FREE"] * 3
        assert gate.turnstile.count(Motion.HELD) == 1
        assert gate.turnstile.count(Motion.RELEASED) == 3
        assert gate.inside == -3
        assert {record.direction for record in await gate.records()} == {0, 2}
        assert "GT-FIR" in gate.health.faults


async def test_in_an_alarm_crossings_count_the_way_that_they_are_seen(open_gate):
    async with open_gate() as gate:
        await say(gate, LaneEvent.FIRE)
        await walk(gate, OUT)
        await walk(gate, IN)
        await walk(gate)  # a sensor that does not tell which way: out
        facts = [record.direction for record in await gate.records() if record.kind == Kind.FREE]
        assert facts == [2, 1, 2]
        assert gate.inside == -1


async def test_an_alarm_ends_a_pending_grant_unused_and_its_person_crosses_freely(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await say(gate, LaneEvent.FIRE)
        await walk(gate, IN)
        assert sorted((await gate.kinds())[:4]) == [
            "ALARM",
            "FREE_PASSAGE",
            "GRANTED",
            "NOT_PASSED",
        ]
        assert (await gate.kinds())[4:] == ["FREE"]
        assert gate.inside == 1


@pytest.mark.parametrize("action", [Action.UNLOCK, Action.LOCK])
async def test_after_an_alarm_the_lane_stays_free_until_an_operator_ends_that(
    open_gate, action: Action
):
    async with open_gate() as gate:
        await say(gate, LaneEvent.FIRE)
        await gate.scan(code(action, 1))
        assert gate.lane.lane.is_free  # not while the alarm lasts
        await say(gate, LaneEvent.FIRE_OVER)
        await gate.later(3600)
        assert gate.lane.lane.is_free
        assert "GT-FIR" not in gate.health.faults
        await gate.later(5)
        await gate.scan(code(action, 2))
        assert not gate.lane.lane.is_free
        assert gate.turnstile.history[-1].motion is Motion.HELD_NO_MORE
        expected = GREEN if action is Action.UNLOCK else red(Answer.GATE_LOCKED)
        assert answers(await gate.scan("T1")) == expected


async def test_free_passage_goes_on_over_a_restart_until_somebody_ends_it(open_gate):
    async with open_gate() as gate:
        await say(gate, LaneEvent.FIRE, LaneEvent.FIRE_OVER)
    async with open_gate() as gate:
        assert gate.display.last.look is Look.FREE_PASSAGE
        assert gate.turnstile.count(Motion.HELD) == 1
        await gate.scan(code(Action.UNLOCK, 1))
    async with open_gate() as gate:
        assert gate.display.last.look is Look.IDLE
        assert gate.turnstile.count(Motion.HELD) == 0


async def test_an_alarm_frees_the_arm_though_the_card_takes_nothing_and_is_written_later(open_gate):
    async with open_gate() as gate:
        gate.disk.fill()
        await say(gate, LaneEvent.FIRE)
        assert gate.turnstile.count(Motion.HELD) == 1
        assert gate.display.last.look is Look.FREE_PASSAGE
        gate.disk.make_room()
        await gate.later(10)
        assert (await gate.kinds())[:2] == ["ALARM", "FREE_PASSAGE"]


async def test_an_alarm_that_rings_again_is_one_free_passage(open_gate):
    async with open_gate() as gate:
        await say(gate, LaneEvent.FIRE, LaneEvent.FIRE_OVER, LaneEvent.FIRE)
        assert await gate.kinds() == ["ALARM", "FREE_PASSAGE", "ALARM", "ALARM"]


# --- the staff's inputs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "direction"), [(LaneEvent.OPEN_ENTRY, ENTRY), (LaneEvent.OPEN_EXIT, EXIT)]
)
async def test_the_staffs_button_lets_one_person_through_and_is_written_down(
    open_gate, event: LaneEvent, direction: Direction
):
    async with open_gate() as gate:
        await say(gate, event)
        assert gate.display.last.look is Look.PLEASE_PASS
        assert gate.turnstile.history[0].direction is direction
        await gate.later(2)
        granted, passed = await gate.records()
        assert (granted.kind, passed.kind) == (Kind.GRANTED, Kind.PASSED)
        assert granted.flags & Flag.OVERRIDE
        assert granted.detail == {"why": "staff button"}
        assert gate.inside == (1 if direction is ENTRY else -1)


async def test_the_button_tries_a_relay_that_failed_anew(open_gate):
    async with open_gate() as gate:
        gate.turnstile.break_down()
        await say(gate, LaneEvent.OPEN_ENTRY)
        assert gate.health.faults == ("GT-RLY",)
        gate.turnstile.repair()
        await say(gate, LaneEvent.OPEN_ENTRY)
        assert gate.turnstile.count(Motion.RELEASED) == 1
        assert gate.health.faults == ()


async def test_the_button_does_nothing_while_somebody_goes_or_the_card_fails(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await say(gate, LaneEvent.OPEN_ENTRY)
        assert gate.turnstile.count(Motion.RELEASED) == 1
        await gate.later(7)
        gate.disk.fill()
        await say(gate, LaneEvent.OPEN_ENTRY)
        assert gate.turnstile.count(Motion.RELEASED) == 1


async def test_the_staffs_switch_frees_the_passage_and_turning_it_back_ends_that(open_gate):
    async with open_gate() as gate:
        await say(gate, LaneEvent.HOLD)
        await walk(gate)
        assert gate.display.last.look is Look.FREE_PASSAGE
        await say(gate, LaneEvent.HOLD_OVER)
        assert answers(await gate.scan("T1")) == GREEN
        begun, free, over, _ = await gate.records()
        assert begun.detail == {"phase": "begun", "why": "staff switch"}
        assert (free.kind, free.direction) == (Kind.FREE, 1)
        assert over.detail == {"phase": "over", "why": "staff switch"}


async def test_turning_the_switch_back_does_not_end_what_an_alarm_began(open_gate):
    async with open_gate() as gate:
        await say(gate, LaneEvent.HOLD, LaneEvent.FIRE, LaneEvent.HOLD_OVER, LaneEvent.FIRE_OVER)
        assert gate.lane.lane.is_free
        await say(gate, LaneEvent.LOCK)  # an act of the staff's own
        assert not gate.lane.lane.is_free
        assert answers(await gate.scan("T1")) == red(Answer.GATE_LOCKED)


async def test_behind_the_staffs_lock_nobody_enters_and_who_is_inside_gets_out(open_gate):
    async with open_gate(INSIDE_OUT) as gate:
        await gate.scan("T1")
        await gate.later(2)
        await say(gate, LaneEvent.LOCK)
        assert gate.display.last.look is Look.LOCKED_DOWN
        await say(gate, LaneEvent.OPEN_ENTRY)
        assert answers(await gate.scan("T2")) == red(Answer.GATE_LOCKED)
        assert gate.turnstile.count(Motion.RELEASED) == 1
        assert answers(await gate.scan("T1", EXIT)) == GREEN
        await gate.later(5)
        await say(gate, LaneEvent.OPEN_EXIT)
        assert gate.turnstile.count(Motion.RELEASED) == 3
        await gate.later(5)
        await say(gate, LaneEvent.LOCK_OVER)
        assert answers(await gate.scan("T2")) == GREEN


async def test_an_arm_that_cannot_be_held_is_told_and_people_go_all_the_same(open_gate):
    async with open_gate() as gate:
        gate.turnstile.break_down()
        await say(gate, LaneEvent.FIRE)
        assert "GT-RLY" in gate.health.faults
        assert gate.display.last.look is Look.FREE_PASSAGE
        await walk(gate, OUT)
        assert gate.inside == -1


def code(action: Action, counter: int) -> str:
    return write_code(BoxOffice().command(action, counter))
