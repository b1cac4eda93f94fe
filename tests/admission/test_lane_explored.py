"""Every course of events that a lane can see, tried; and that faults of its table are found so."""

from collections.abc import Callable

import pytest

from admission import lane
from admission.lane import REST, TRANSITIONS, TRANSITIONS_BLIND, Lane, LaneState
from admission.lane_events import (
    EndFree,
    Failed,
    FireAlarm,
    FireOver,
    Granted,
    HoldOpen,
    Mended,
    Passed,
    Presented,
    PulseFailed,
    Refused,
    TimedOut,
    TurnTimedOut,
    Unlock,
    WrongWay,
)
from admission.scan import Direction
from lane_world import BrokenPromiseError, explore

S = LaneState


@pytest.mark.parametrize("has_sensor", [True, False])
def test_no_course_of_events_breaks_a_promise(has_sensor: bool):
    worlds = explore(has_sensor)
    seen = {world.lane.state for world in worlds}
    pending = {S.GRANTED, S.TURNING, S.OVERDUE, S.SETTLING}
    assert seen == (set(S) if has_sensor else set(S) - pending)
    assert len(worlds) > (300 if has_sensor else 50)


# Faults of the table that the exploration has to find: in which row, what stands there instead.
MUTANTS: dict[str, tuple[tuple[LaneState, type], tuple[LaneState | None, tuple]]] = {
    "a second grant is pulsed": ((S.GRANTED, Refused), (S.GRANTED, (lane._PULSE,))),
    "a second grant is forgotten": ((S.GRANTED, Refused), (S.GRANTED, ())),
    "a grant in free passage is forgotten": ((S.FREE, Refused), (S.FREE, ())),
    "a passage leaves its grant open": ((S.GRANTED, Passed), (S.SETTLING, ())),
    "a passage is written as forced, too": (
        (S.GRANTED, Passed),
        (S.SETTLING, (lane._USED, lane._FORCED)),
    ),
    "the wrong way uses the grant up": ((S.GRANTED, WrongWay), (S.SETTLING, (lane._USED,))),
    "the wrong way is not written": ((S.TURNING, WrongWay), (S.TURNING, ())),
    "a second person passes unseen": ((S.SETTLING, Passed), (S.SETTLING, ())),
    "a second person uses the grant again": ((S.SETTLING, Passed), (S.SETTLING, (lane._USED,))),
    "nobody is seen without a grant": ((S.IDLE, Passed), (S.IDLE, ())),
    "a grant's time never ends it": ((S.GRANTED, TimedOut), (S.GRANTED, ())),
    "who stands in the arm is waited for for ever": ((S.OVERDUE, TurnTimedOut), (S.OVERDUE, ())),
    "nobody times who stands in the arm": ((S.TURNING, TimedOut), (S.OVERDUE, ())),
    "a failed relay leaves the grant open": ((S.GRANTED, PulseFailed), (REST, ())),
    "a failed sensor leaves the grant open": ((S.TURNING, Failed), (REST, ())),
    "an alarm is no matter in lock-down": ((S.LOCKED_DOWN, FireAlarm), (S.LOCKED_DOWN, ())),
    "an alarm leaves the pending grant open": (
        (S.GRANTED, FireAlarm),
        (S.FREE, (lane._HOLD,)),
    ),
    "an alarm does not hold the arm": ((S.SETTLING, FireAlarm), (S.FREE, ())),
    "holding open is not heard in a fault": ((S.FAULT, HoldOpen), (S.FAULT, ())),
    "the end of the alarm locks": ((S.FREE, FireOver), (REST, (lane._RELOCK,))),
    "an unlocking ends free passage": ((S.FREE, Unlock), (REST, (lane._RELOCK,))),
    "a repair ends free passage": ((S.FREE, Mended), (REST, (lane._RELOCK,))),
    "the end of free passage keeps holding": ((S.FREE, EndFree), (REST, ())),
    "a free crossing uses the last grant up": ((S.FREE, Passed), (S.FREE, (lane._USED,))),
    "something presented opens in a locked lane": (
        (S.LOCKED_DOWN, Presented),
        (S.LOCKED_DOWN, (lane._OPENED,)),
    ),
    "lock-down holds people in": ((S.LOCKED_DOWN, Granted), (S.LOCKED_DOWN, (lane._NOT_TAKEN,))),
    "a fault holds people in": ((S.FAULT, Granted), (S.FAULT, (lane._NOT_TAKEN,))),
    "a repair does not end the fault": ((S.FAULT, Mended), (S.FAULT, ())),
    "the arm opens before its grant is on the disk": (
        (S.IDLE, Granted),
        (S.GRANTED, (lane._PULSE, lane._NOT_TAKEN)),
    ),
}
SAME = {
    # who may enter is asked of orders and faults, not of the state: the lane would serve as before
    "a repair does not end the fault",
}


@pytest.mark.parametrize("name", sorted(set(MUTANTS) - SAME))
def test_a_fault_of_the_table_is_found(name: str, monkeypatch: pytest.MonkeyPatch):
    row, step = MUTANTS[name]
    monkeypatch.setitem(TRANSITIONS, row, step)
    with pytest.raises(BrokenPromiseError):
        explore(True)


BLIND_MUTANTS = {
    "the passage is not written with the grant": ((S.IDLE, Granted), (S.IDLE, (lane._PULSE,))),
    "the arm opens before the passage is written": (
        (S.LOCKED_DOWN, Granted),
        (S.LOCKED_DOWN, (lane._PULSE, lane._USED_AT_ONCE)),
    ),
    "a grant stays pending that nobody sees end": ((S.FAULT, Granted), (S.GRANTED, (lane._PULSE,))),
}


@pytest.mark.parametrize("name", sorted(BLIND_MUTANTS))
def test_a_fault_of_the_table_of_lanes_without_a_sensor_is_found(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    row, step = BLIND_MUTANTS[name]
    monkeypatch.setitem(TRANSITIONS_BLIND, row, step)
    with pytest.raises(BrokenPromiseError):
        explore(False)


def anybody(self: Lane, direction: Direction, *, is_override: bool = False) -> bool:
    return not self.is_busy and not self.is_free


def nobody_in_lock_down(self: Lane, direction: Direction, *, is_override: bool = False) -> bool:
    return self.resting is LaneState.IDLE and anybody(self, direction)


@pytest.mark.parametrize("takes", [anybody, nobody_in_lock_down])
def test_a_fault_in_who_may_go_is_found(
    takes: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Lane, "takes", takes)
    with pytest.raises(BrokenPromiseError):
        explore(True)
