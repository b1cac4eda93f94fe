"""The lane's state machine: what it does with each event, one rule at a time."""

from dataclasses import replace

import pytest

from admission.errors import LocalProtocolError
from admission.lane import TRANSITIONS, TRANSITIONS_BLIND, Lane, LaneState
from admission.lane_events import (
    Declined,
    EndFree,
    Failed,
    FireAlarm,
    FireOver,
    Granted,
    HoldOpen,
    LaneAction,
    LaneInput,
    LaneOutput,
    Lock,
    Mended,
    Part,
    Passed,
    Presented,
    PulseFailed,
    Refused,
    Settled,
    TimedOut,
    TurnedBack,
    Turning,
    TurnTimedOut,
    Unlock,
    WrongWay,
)
from admission.scan import Direction

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
PULSE = LaneAction.PULSE
PASSED = LaneAction.RECORD_PASSED
NOT_PASSED = LaneAction.RECORD_NOT_PASSED
UNRESOLVED = LaneAction.RECORD_UNRESOLVED
TAILGATING = LaneAction.RECORD_TAILGATING
FORCED = LaneAction.RECORD_FORCED
FREE = LaneAction.RECORD_FREE


def play(lane: Lane, *events: LaneInput) -> tuple[Lane, list[LaneOutput]]:
    outputs: list[LaneOutput] = []
    for event in events:
        lane, more = lane.step(event)
        outputs += more
    return lane, outputs


def done(lane: Lane, *events: LaneInput) -> list[tuple[LaneAction, int | None]]:
    return [(output.action, output.grant) for output in play(lane, *events)[1]]


LANE = Lane(has_sensor=True)
BLIND = Lane(has_sensor=False)


# --- a grant and its passage ----------------------------------------------------------------------


def test_a_grant_is_pulsed_in_its_direction_and_makes_the_lane_busy():
    lane, outputs = play(LANE, Granted(7, EXIT))
    assert outputs == [LaneOutput(PULSE, 7, EXIT)]
    assert (lane.state, lane.pending, lane.direction) == (LaneState.GRANTED, 7, EXIT)
    assert lane.is_busy


@pytest.mark.parametrize("seen", [None, ENTRY])
def test_a_passage_in_time_uses_the_grant(seen: Direction | None):
    assert done(LANE, Granted(7), Passed(seen)) == [(PULSE, 7), (PASSED, 7)]


def test_a_grant_nobody_used_in_time_is_recorded_as_not_passed():
    lane, outputs = play(LANE, Granted(7), TimedOut(7))
    assert outputs[1:] == [LaneOutput(NOT_PASSED, 7, ENTRY)]
    assert lane.state is LaneState.IDLE


def test_whoever_is_said_not_to_go_has_not_gone():
    assert done(LANE, Granted(7), Declined()) == [(PULSE, 7), (NOT_PASSED, 7)]
    assert done(LANE, Declined()) == []


def test_a_passage_without_any_grant_is_forced():
    assert done(LANE, Passed()) == [(FORCED, None)]


def test_a_passage_after_the_grants_time_is_forced():
    assert done(LANE, Granted(7), TimedOut(7), Passed())[-1] == (FORCED, None)


def test_every_further_passage_on_one_grant_is_tailgating():
    assert done(LANE, Granted(7), Passed(), Passed(ENTRY), Passed())[2:] == [(TAILGATING, 7)] * 2


def test_once_a_passage_has_settled_the_next_without_a_grant_is_forced():
    assert done(LANE, Granted(7), Passed(), Settled(7), Passed())[-1] == (FORCED, None)


def test_the_next_person_need_not_wait_until_the_last_passage_has_settled():
    lane, outputs = play(LANE, Granted(7), Passed(), Granted(8), Settled(7), Passed())
    assert [output.grant for output in outputs[-2:]] == [8, 8]
    assert lane.state is LaneState.SETTLING


def test_a_second_grant_while_one_is_pending_is_never_pulsed_and_ends_at_once():
    assert done(LANE, Granted(7), Granted(8))[1:] == [(NOT_PASSED, 8)]
    assert done(LANE, Granted(7), Granted(8), Passed(), Passed())[2:] == [
        (PASSED, 7),
        (TAILGATING, 7),
    ]


@pytest.mark.parametrize("late", [TimedOut(6), Settled(6), TurnTimedOut(6)])
def test_a_timer_of_an_earlier_grant_changes_nothing(late: LaneInput):
    lane, _ = play(LANE, Granted(6), TimedOut(6), Granted(7))
    assert lane.step(late) == (lane, ())


def test_an_earlier_passages_settling_does_not_settle_a_later_one():
    lane, _ = play(LANE, Granted(6), Passed(), Granted(7), Passed())
    assert lane.step(Settled(6)) == (lane, ())


# --- the wrong way --------------------------------------------------------------------------------


def test_who_goes_the_other_way_than_granted_is_forced_and_the_grant_still_waits_for_its_person():
    lane, outputs = play(LANE, Granted(7, ENTRY), Passed(EXIT))
    assert outputs[-1] == LaneOutput(FORCED, None, EXIT)
    assert lane.pending == 7
    assert done(lane, Passed(ENTRY)) == [(PASSED, 7)]
    assert done(lane, TimedOut(7)) == [(NOT_PASSED, 7)]


def test_who_comes_the_other_way_behind_somebody_is_no_tailgater():
    assert done(LANE, Granted(7, ENTRY), Passed(ENTRY), Passed(EXIT))[-1] == (FORCED, None)


# --- somebody in the arm --------------------------------------------------------------------------


def test_whoever_stands_in_the_arm_when_the_time_is_over_may_still_go_on():
    lane, outputs = play(LANE, Granted(7), Turning(), TimedOut(7))
    assert outputs[1:] == [LaneOutput(LaneAction.AWAIT_TURN, 7, ENTRY)]
    assert (lane.state, lane.pending) == (LaneState.OVERDUE, 7)
    assert done(lane, Passed()) == [(PASSED, 7)]


def test_whoever_steps_back_has_the_rest_of_the_grants_time():
    lane, _ = play(LANE, Granted(7), Turning(), TurnedBack())
    assert lane.state is LaneState.GRANTED
    assert done(LANE, Granted(7), Turning(), TimedOut(7), TurnedBack())[-1] == (NOT_PASSED, 7)


def test_an_arm_that_stays_halfway_leaves_the_grants_end_unknown():
    events = Granted(7), Turning(), TimedOut(7), TurnTimedOut(7)
    assert done(LANE, *events)[-1] == (UNRESOLVED, 7)


# --- faults ---------------------------------------------------------------------------------------


def test_a_relay_that_does_not_obey_leaves_the_grant_unused_and_the_lane_in_fault():
    lane, outputs = play(LANE, Granted(7), PulseFailed(7))
    assert outputs[-1].action is NOT_PASSED
    assert lane.state is LaneState.FAULT
    assert not lane.takes(ENTRY)
    assert play(lane, Mended(Part.RELAY))[0].state is LaneState.IDLE


@pytest.mark.parametrize("part", [Part.SENSOR, Part.DEVICE])
def test_a_failure_while_a_grant_is_pending_leaves_its_end_unknown(part: Part):
    assert done(LANE, Granted(7), Failed(part))[-1] == (UNRESOLVED, 7)


def test_each_fault_ends_for_itself():
    lane, _ = play(LANE, Failed(Part.SENSOR), Failed(Part.DEVICE), Mended(Part.SENSOR))
    assert lane.state is LaneState.FAULT
    assert play(lane, Mended(Part.DEVICE))[0].state is LaneState.IDLE


def test_in_fault_people_still_get_out_and_where_the_sensor_fails_that_counts_at_once():
    lane, _ = play(LANE, Failed(Part.SENSOR))
    assert done(lane, Granted(7, ENTRY)) == [(NOT_PASSED, 7)]
    assert done(lane, Granted(7, EXIT)) == [(PASSED, 7), (PULSE, 7)]
    lane, _ = play(LANE, Failed(Part.DEVICE))
    assert done(lane, Granted(7, EXIT), Passed()) == [(PULSE, 7), (PASSED, 7)]


def test_after_an_exit_in_fault_the_lane_is_in_fault_again():
    lane, _ = play(LANE, Failed(Part.DEVICE), Granted(7, EXIT), TimedOut(7))
    assert lane.state is LaneState.FAULT


# --- without a sensor -----------------------------------------------------------------------------


def test_without_a_sensor_a_grant_is_the_passage_and_its_record_stands_above_the_pulse():
    assert done(BLIND, Granted(7), Granted(8)) == [
        (PASSED, 7),
        (PULSE, 7),
        (PASSED, 8),
        (PULSE, 8),
    ]
    assert not play(BLIND, Granted(7))[0].is_busy


def test_without_a_sensor_a_relay_that_does_not_obey_puts_the_lane_in_fault():
    lane, outputs = play(BLIND, Granted(7), PulseFailed(7))
    assert [output.action for output in outputs] == [PASSED, PULSE]
    assert lane.state is LaneState.FAULT


def test_a_passage_in_a_lane_without_a_sensor_is_a_fault_of_the_program():
    with pytest.raises(LocalProtocolError, match="no sensor"):
        BLIND.step(Passed())


# --- lock-down ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", [LANE, BLIND])
def test_in_lock_down_nobody_enters_who_is_inside_gets_out_and_an_operator_may_override(lane: Lane):
    lane, _ = play(lane, Lock())
    assert lane.state is LaneState.LOCKED_DOWN
    assert done(lane, Granted(7, ENTRY)) == [(NOT_PASSED, 7)]
    assert (PULSE, 7) in done(lane, Granted(7, EXIT))
    assert (PULSE, 7) in done(lane, Granted(7, ENTRY, is_override=True))
    assert play(lane, Unlock())[0].state is LaneState.IDLE


def test_locking_down_lets_the_pending_grant_be_used_and_then_nobody_enters():
    lane, outputs = play(LANE, Granted(7), Lock(), Passed(), Granted(8))
    assert [(output.action, output.grant) for output in outputs[1:]] == [
        (PASSED, 7),
        (NOT_PASSED, 8),
    ]
    assert play(lane, Settled(7))[0].state is LaneState.LOCKED_DOWN


def test_unlocking_before_the_pending_grant_has_ended_takes_the_lock_back():
    assert play(LANE, Granted(7), Lock(), Unlock())[0] == play(LANE, Granted(7))[0]


# --- free passage ---------------------------------------------------------------------------------


@pytest.mark.parametrize("begin", [FireAlarm(), HoldOpen()])
def test_in_free_passage_crossings_are_free_and_no_grant_is_a_matter(begin: LaneInput):
    lane, outputs = play(LANE, begin)
    assert outputs == [LaneOutput(LaneAction.HOLD)]
    assert lane.is_free
    _, outputs = play(lane, Granted(7), Passed(EXIT), Presented(ENTRY))
    assert outputs == [
        LaneOutput(NOT_PASSED, 7, ENTRY),
        LaneOutput(FREE, None, EXIT),
        LaneOutput(LaneAction.PULSE_FREE, None, ENTRY),
    ]


def test_without_a_sensor_what_is_presented_in_free_passage_is_the_crossing():
    _, outputs = play(BLIND, HoldOpen(), Presented(EXIT))
    assert outputs[1:] == [
        LaneOutput(FREE, None, EXIT),
        LaneOutput(LaneAction.PULSE_FREE, None, EXIT),
    ]


@pytest.mark.parametrize("begin", [FireAlarm(), HoldOpen()])
def test_a_grant_that_was_pending_is_not_used_up_by_a_free_crossing(begin: LaneInput):
    assert done(LANE, Granted(7), begin, Passed())[1:] == [
        (NOT_PASSED, 7),
        (LaneAction.HOLD, None),
        (FREE, None),
    ]


def test_free_passage_outlasts_the_alarm_and_ends_by_an_act_only():
    lane, _ = play(LANE, FireAlarm(), EndFree())
    assert lane.is_free  # not while there is an alarm
    lane, outputs = play(lane, FireOver())
    assert (lane.is_free, outputs) == (True, [])
    lane, outputs = play(lane, Unlock(), EndFree())
    assert (lane.state, outputs) == (LaneState.IDLE, [LaneOutput(LaneAction.RELOCK)])


def test_after_free_passage_orders_and_faults_stand_as_they_are_by_then():
    lane, _ = play(LANE, HoldOpen(), Lock())
    assert lane.is_free
    assert play(lane, EndFree())[0].state is LaneState.LOCKED_DOWN
    lane, _ = play(lane, Failed(Part.SENSOR), EndFree())
    assert lane.state is LaneState.FAULT


def test_nothing_presented_matters_outside_free_passage():
    assert done(LANE, Presented(ENTRY)) == []
    assert done(LANE, Granted(7), Presented(ENTRY), EndFree()) == [(PULSE, 7)]


# --- its order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("grant", [6, 7])
def test_grants_must_count_upwards(grant: int):
    lane, _ = play(LANE, Granted(7), Passed())
    with pytest.raises(LocalProtocolError, match="count upwards"):
        lane.step(Granted(grant))


@pytest.mark.parametrize("event", [Refused(3), WrongWay(EXIT)])
def test_what_the_lane_makes_of_events_itself_is_not_taken_from_others(event: LaneInput):
    with pytest.raises(LocalProtocolError, match="lane itself"):
        LANE.step(event)


def test_the_table_leads_only_to_states_that_it_leads_out_of():
    assert {state for state, _ in TRANSITIONS} == set(LaneState)
    assert {state for state, _ in TRANSITIONS.values()} - {None} <= set(LaneState)
    assert set(TRANSITIONS_BLIND) == set(TRANSITIONS)


def test_in_another_journal_grants_count_from_the_beginning_and_nothing_else_changes():
    lane, _ = play(LANE, Granted(13), Passed())
    lane, outputs = play(lane.renumbered(), Settled(13), Granted(3))
    assert (lane.state, outputs) == (LaneState.GRANTED, [LaneOutput(PULSE, 3, ENTRY)])
    for begin in (Lock(), FireAlarm(), Failed(Part.SENSOR)):
        lane, _ = play(LANE, begin)
        assert lane.renumbered() == replace(lane, last=0)


def test_a_pending_grant_ends_in_its_own_journal():
    lane, _ = play(LANE, Granted(13), Turning())
    with pytest.raises(LocalProtocolError, match="is pending"):
        lane.renumbered()
