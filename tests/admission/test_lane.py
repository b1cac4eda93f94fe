"""The lane's state machine: what it does, and what it never does, in every state it can reach."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.errors import LocalProtocolError
from admission.lane import (
    TRANSITIONS,
    Failed,
    Granted,
    Lane,
    LaneAction,
    LaneInput,
    LaneOutput,
    LaneState,
    Lock,
    Passed,
    PulseFailed,
    Repaired,
    Settled,
    TimedOut,
    Unlock,
)

PULSE = LaneAction.PULSE
PASSED = LaneAction.RECORD_PASSED
NOT_PASSED = LaneAction.RECORD_NOT_PASSED
UNRESOLVED = LaneAction.RECORD_UNRESOLVED
TAILGATING = LaneAction.RECORD_TAILGATING
FORCED = LaneAction.RECORD_FORCED
ENDS = {PASSED, NOT_PASSED, UNRESOLVED}
SIMPLE: tuple[LaneInput, ...] = (Passed(), Lock(), Unlock(), Failed(), Repaired())


def play(lane: Lane, *events: LaneInput) -> tuple[Lane, list[LaneOutput]]:
    outputs: list[LaneOutput] = []
    for event in events:
        lane, more = lane.step(event)
        outputs += more
    return lane, outputs


def idle(*, has_sensor: bool = True) -> Lane:
    return Lane(has_sensor, LaneState.IDLE)


def test_a_lane_begins_locked_and_takes_grants_once_it_is_unlocked():
    lane = Lane(has_sensor=True)
    assert not lane.takes_grants
    lane, outputs = play(lane, Unlock())
    assert (lane.state, outputs) == (LaneState.IDLE, [])
    assert lane.takes_grants


def test_a_grant_is_pulsed_and_makes_the_lane_busy():
    lane, outputs = play(idle(), Granted(7))
    assert outputs == [LaneOutput(PULSE, 7)]
    assert (lane.state, lane.pending, lane.is_busy) == (LaneState.GRANTED, 7, True)


def test_a_passage_in_time_uses_the_grant():
    lane, outputs = play(idle(), Granted(7), Passed())
    assert outputs == [LaneOutput(PULSE, 7), LaneOutput(PASSED, 7)]
    assert not lane.is_busy
    assert lane.takes_grants


def test_a_grant_nobody_used_in_time_is_recorded_as_not_passed():
    lane, outputs = play(idle(), Granted(7), TimedOut(7))
    assert outputs == [LaneOutput(PULSE, 7), LaneOutput(NOT_PASSED, 7)]
    assert lane.state is LaneState.IDLE


def test_a_passage_without_any_grant_is_forced():
    assert play(idle(), Passed())[1] == [LaneOutput(FORCED)]


def test_a_passage_after_the_grants_time_is_forced():
    assert play(idle(), Granted(7), TimedOut(7), Passed())[1][-1] == LaneOutput(FORCED)


def test_every_further_passage_on_one_grant_is_tailgating():
    _, outputs = play(idle(), Granted(7), Passed(), Passed(), Passed())
    assert outputs[2:] == [LaneOutput(TAILGATING, 7), LaneOutput(TAILGATING, 7)]


def test_once_a_passage_has_settled_the_next_without_a_grant_is_forced():
    _, outputs = play(idle(), Granted(7), Passed(), Settled(7), Passed())
    assert outputs[-1] == LaneOutput(FORCED)


def test_the_next_person_need_not_wait_until_the_last_passage_has_settled():
    lane, outputs = play(idle(), Granted(7), Passed(), Granted(8), Settled(7), Passed())
    assert outputs[-2:] == [LaneOutput(PULSE, 8), LaneOutput(PASSED, 8)]
    assert lane.state is LaneState.SETTLING


def test_a_second_grant_while_one_is_pending_is_never_pulsed_and_ends_at_once():
    lane, outputs = play(idle(), Granted(7), Granted(8))
    assert outputs[1:] == [LaneOutput(NOT_PASSED, 8)]
    assert lane.pending == 7
    _, outputs = play(lane, Passed(), Passed())
    assert outputs == [LaneOutput(PASSED, 7), LaneOutput(TAILGATING, 7)]


@pytest.mark.parametrize("late", [TimedOut(6), Settled(6)])
def test_a_timer_of_an_earlier_grant_changes_nothing(late: LaneInput):
    lane, _ = play(idle(), Granted(6), TimedOut(6), Granted(7))
    assert lane.step(late) == (lane, ())


def test_an_earlier_passages_settling_does_not_settle_a_later_one():
    lane, _ = play(idle(), Granted(6), Passed(), Granted(7), Passed())
    assert lane.step(Settled(6)) == (lane, ())
    assert lane.step(Passed())[1] == (LaneOutput(TAILGATING, 7),)


def test_the_pending_grants_own_settling_cannot_come_before_its_passage():
    lane, _ = play(idle(), Granted(7))
    assert lane.step(Settled(7)) == (lane, ())


def test_locking_lets_the_pending_grant_be_used_and_then_takes_no_more():
    lane, outputs = play(idle(), Granted(7), Lock(), Passed(), Granted(8))
    assert outputs == [
        LaneOutput(PULSE, 7),
        LaneOutput(PASSED, 7),
        LaneOutput(NOT_PASSED, 8),
    ]
    assert lane.state is LaneState.LOCKED


def test_unlocking_before_the_pending_grant_has_ended_takes_the_lock_back():
    lane, _ = play(idle(), Granted(7), Lock(), Unlock())
    assert lane == play(idle(), Granted(7))[0]


def test_a_relay_that_does_not_obey_leaves_the_grant_unused_and_the_lane_in_fault():
    lane, outputs = play(idle(), Granted(7), PulseFailed(7))
    assert outputs[-1] == LaneOutput(NOT_PASSED, 7)
    assert lane.state is LaneState.FAULT
    assert not lane.takes_grants


def test_a_failure_while_a_grant_is_pending_leaves_its_end_unknown():
    _, outputs = play(idle(), Granted(7), Failed())
    assert outputs[-1] == LaneOutput(UNRESOLVED, 7)


def test_a_repaired_lane_stays_locked_until_somebody_unlocks_it():
    lane, _ = play(idle(), Failed(), Unlock())
    assert lane.state is LaneState.FAULT
    lane, _ = play(lane, Repaired())
    assert lane.state is LaneState.LOCKED


def test_without_a_sensor_a_grant_is_the_passage_and_its_record_stands_above_the_pulse():
    lane, outputs = play(idle(has_sensor=False), Granted(7), Granted(8))
    assert outputs == [
        LaneOutput(PASSED, 7),
        LaneOutput(PULSE, 7),
        LaneOutput(PASSED, 8),
        LaneOutput(PULSE, 8),
    ]
    assert not lane.is_busy


def test_without_a_sensor_a_relay_that_does_not_obey_puts_the_lane_in_fault():
    lane, outputs = play(idle(has_sensor=False), Granted(7), PulseFailed(7))
    assert outputs == [LaneOutput(PASSED, 7), LaneOutput(PULSE, 7)]
    assert lane.state is LaneState.FAULT


def test_a_passage_in_a_lane_without_a_sensor_is_a_fault_of_the_program():
    with pytest.raises(LocalProtocolError, match="no sensor"):
        idle(has_sensor=False).step(Passed())


@pytest.mark.parametrize("grant", [6, 7])
def test_grants_must_count_upwards(grant: int):
    lane, _ = play(idle(), Granted(7), Passed())
    with pytest.raises(LocalProtocolError, match="count upwards"):
        lane.step(Granted(grant))


def test_the_table_leads_only_to_states_that_it_leads_out_of():
    assert {state for state, _ in TRANSITIONS} == set(LaneState)
    assert {state for state, _ in TRANSITIONS.values()} == set(LaneState)


def inputs_for(lane: Lane) -> Iterator[LaneInput]:
    """Every event that can matter to a lane: each simple one, and timers of grants old and new."""
    for event in SIMPLE:
        if lane.has_sensor or event != Passed():
            yield event
    yield Granted(lane.last + 1)
    for grant in {1, lane.last, lane.current or lane.last}:
        yield from (TimedOut(grant), Settled(grant), PulseFailed(grant))


def nameless(lane: Lane) -> Lane:
    """The lane with its grants renamed, so that there are finitely many."""
    if lane.current is None:
        return replace(lane, last=10)
    return replace(lane, current=9 if lane.current < lane.last else 10, last=10)


def reachable(has_sensor: bool) -> set[Lane]:
    found: set[Lane] = set()
    waiting = [nameless(Lane(has_sensor))]
    while waiting:
        lane = waiting.pop()
        if lane not in found:
            found.add(lane)
            waiting += [nameless(lane.step(event)[0]) for event in inputs_for(lane)]
    return found


EVERY_STEP = [
    (lane, event, *lane.step(event))
    for has_sensor in (True, False)
    for lane in sorted(reachable(has_sensor), key=str)
    for event in inputs_for(lane)
]


def test_every_state_can_be_reached():
    with_sensor = {lane.state for lane, *_ in EVERY_STEP if lane.has_sensor}
    without = {lane.state for lane, *_ in EVERY_STEP if not lane.has_sensor}
    assert with_sensor == set(LaneState)
    assert without == {LaneState.LOCKED, LaneState.IDLE, LaneState.FAULT}


def test_in_every_state_a_grant_either_stays_pending_or_ends_exactly_once():
    for lane, event, after, outputs in EVERY_STEP:
        open_before = {lane.pending} - {None}
        if isinstance(event, Granted):
            open_before.add(event.grant)
        ended = [output.grant for output in outputs if output.action in ENDS]
        assert len(ended) == len(set(ended)), (lane, event)
        assert set(ended) == open_before - {after.pending}, (lane, event)
        assert {after.pending} - {None} <= open_before, (lane, event)


def test_in_every_state_a_grant_is_used_by_a_passage_only_and_by_its_own():
    for lane, event, _, outputs in EVERY_STEP:
        used = [output.grant for output in outputs if output.action is PASSED]
        if lane.has_sensor:
            assert used == [] or (event == Passed() and used == [lane.pending]), (lane, event)
        else:
            assert used == [] or event == Granted(used[0]), (lane, event)


def test_in_every_state_a_passage_is_recorded_exactly_once():
    for lane, event, _, outputs in EVERY_STEP:
        recorded = [o for o in outputs if o.action in {PASSED, TAILGATING, FORCED}]
        if event == Passed():
            assert len(recorded) == 1, (lane, event)
        elif lane.has_sensor:
            assert recorded == [], (lane, event)


def test_in_every_state_only_a_new_grant_is_pulsed_and_never_while_another_is_pending():
    for lane, event, _, outputs in EVERY_STEP:
        pulsed = [output.grant for output in outputs if output.action is PULSE]
        assert pulsed in ([], [getattr(event, "grant", None)]), (lane, event)
        if pulsed:
            assert isinstance(event, Granted), (lane, event)
            assert lane.takes_grants, (lane, event)
            assert not lane.is_busy, (lane, event)


def test_in_every_state_a_locked_or_faulty_lane_pulses_nothing():
    for lane, event, _, outputs in EVERY_STEP:
        if lane.state in (LaneState.LOCKED, LaneState.CLOSING, LaneState.FAULT):
            assert all(output.action is not PULSE for output in outputs), (lane, event)


def test_in_every_state_a_failure_leads_to_the_fault_and_a_lock_takes_no_more_grants():
    for lane, event, after, _ in EVERY_STEP:
        if event == Failed():
            assert after.state is LaneState.FAULT, lane
        if event == Lock():
            assert not after.takes_grants, lane


def test_in_every_state_the_pending_grants_end_leaves_nothing_pending():
    for lane, event, after, _ in EVERY_STEP:
        ends = (TimedOut(lane.pending or 0), PulseFailed(lane.pending or 0), Failed(), Passed())
        if lane.is_busy and event in ends:
            assert not after.is_busy, (lane, event)


@given(
    has_sensor=st.booleans(),
    choices=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60),
)
def test_over_any_course_of_events_no_more_passages_are_attributed_than_grants_were_pulsed(
    has_sensor: bool, choices: list[tuple[int, int]]
):
    lane, given_out = Lane(has_sensor), 0
    outputs: list[LaneOutput] = []
    for kind, back in choices:
        grant = max(1, given_out - back)
        if kind < 3:
            given_out += 1
            event: LaneInput = Granted(given_out)
        elif kind < 6 and has_sensor:
            event = Passed()
        else:
            late = (TimedOut(grant), Settled(grant), PulseFailed(grant), Failed())
            event = (*late, Lock(), Unlock(), Repaired(), Unlock())[(kind + back) % 8]
        lane, more = lane.step(event)
        outputs += more
    pulsed = [o.grant for o in outputs if o.action is PULSE]
    used = [o.grant for o in outputs if o.action is PASSED]
    ended = [o.grant for o in outputs if o.action in ENDS]
    assert set(used) <= set(pulsed)
    assert len(ended) == len(set(ended))
    assert sorted([*ended, *([lane.pending] if lane.is_busy else [])]) == list(
        range(1, given_out + 1)
    )


def test_in_another_journal_grants_count_from_the_beginning_and_nothing_else_changes():
    lane, _ = play(idle(), Granted(13), Passed())
    with pytest.raises(LocalProtocolError, match="count upwards"):
        lane.step(Granted(3))
    lane, outputs = play(lane.renumbered(), Settled(13), Granted(3))
    assert (lane.state, outputs) == (LaneState.GRANTED, [LaneOutput(PULSE, 3)])
    assert play(idle(), Lock())[0].renumbered().state is LaneState.LOCKED


def test_a_pending_grant_ends_in_its_own_journal():
    lane, _ = play(idle(), Granted(13))
    with pytest.raises(LocalProtocolError, match="is pending"):
        lane.renumbered()
