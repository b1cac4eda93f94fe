"""What a rollout decides: who is offered a version, when the next step begins, when all stops."""

from dataclasses import replace
from itertools import product

import pytest

from rollout_makers import (
    HOUR,
    NEW,
    NEW_MACHINE,
    NOW,
    OLD_MACHINE,
    RELEASE,
    changed,
    decided,
    gates,
    look,
    machine,
    offers,
    rollout,
)
from sync_server.fleet_entities import (
    OFFERING,
    RolloutState,
)
from sync_server.machine_reports import MachineKnowledge
from sync_server.rollout import (
    LOST_MS,
    SILENT_MS,
    Progress,
    Refusal,
    abort,
    approve,
    failing_before,
    offered,
    pause,
    reach,
    resume,
)

# --- how a gate stands ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "progress"),
    [
        (None, Progress.NO_CARETAKER),
        (MachineKnowledge(), Progress.NO_CARETAKER),
        (machine(version="unknown"), Progress.NO_CARETAKER),
        (machine(), Progress.NEXT),
        (machine(version="0.2.0+2"), Progress.NEXT),
        (machine(version="0.10.0"), Progress.NEWER),
        (machine(version="0.2.0+10"), Progress.NEWER),
        (machine(compatible="portillon-gate-rpi-arm64"), Progress.NO_BUNDLE),
        (machine(compatible=""), Progress.NO_BUNDLE),
        (machine(blocked=("0.2.0+3",)), Progress.BLOCKED),
        (machine(blocked=("0.2.0+2",)), Progress.NEXT),
        (machine(fetch_version=NEW, fetch_state="fetching"), Progress.NEXT),
        (machine(fetch_version=NEW, fetch_state="fetching", fetch_have=1), Progress.FETCHING),
        (machine(fetch_version=NEW, fetch_state="no_room", fetch_have=1), Progress.FETCHING),
        (machine(fetch_version=NEW, fetch_state="whole", fetch_have=9), Progress.FETCHED),
        (machine(fetch_version=NEW, fetch_state="asked", fetch_have=9), Progress.FETCHED),
        (machine(fetch_version="0.1.9", fetch_state="whole", fetch_have=9), Progress.NEXT),
        (machine("installing"), Progress.UNDER_WAY),
        (machine("armed"), Progress.UNDER_WAY),
        (machine("trying", version=NEW), Progress.UNDER_WAY),
        (machine("rolled_back"), Progress.ROLLED_BACK),
        (machine("rolled_back", blocked=(NEW,)), Progress.ROLLED_BACK),
        (machine("abandoned"), Progress.ABANDONED),
        (machine("refused"), Progress.REFUSED),
        (machine("rolled_back", update_version="0.1.9"), Progress.NEXT),
        (machine("installing", update_version="0.1.9"), Progress.NEXT),
        (machine("committed", version=NEW), Progress.DONE),
        (machine(version=NEW), Progress.DONE),
        (machine("trying", version=NEW, update_version="0.3.0"), Progress.DONE),
        (machine("rolled_back", version=NEW, update_version="0.3.0"), Progress.DONE),
    ],
)
def test_how_a_gate_stands(known, progress):
    some = changed(gates(1), "g0", machine=known)
    assert look(rollout(), some).progress == {"g0": progress}


@pytest.mark.parametrize("update", ["installing", "armed", "trying"])
def test_a_gate_that_began_and_was_not_heard_again_is_lost(update):
    some = changed(gates(1), "g0", machine=machine(update), last_seen_ms=NOW - LOST_MS)
    assert look(rollout(), some).progress["g0"] is Progress.UNDER_WAY
    assert look(rollout(), some, now=NOW + 1).progress["g0"] is Progress.LOST
    never = changed(some, "g0", last_seen_ms=None)
    assert look(rollout(), never).progress["g0"] is Progress.LOST


def test_a_gate_that_was_switched_off_before_it_began_is_not_lost():
    some = changed(
        gates(1), "g0", machine=machine(fetch_version=NEW, fetch_state="whole"), last_seen_ms=1
    )
    assert look(rollout(), some).progress["g0"] is Progress.FETCHED


def test_a_gate_behind_a_site_server_is_not_reached_but_what_it_runs_counts():
    some = gates(2, via="site")
    some = changed(some, "g1", machine=NEW_MACHINE)
    assert look(rollout(), some).progress == {"g0": Progress.BEHIND_SITE, "g1": Progress.DONE}


def test_without_a_bundle_nobody_is_offered_anything():
    assert look(rollout(), gates(3), releases=()).all_in(*Progress) == []
    assert offers(rollout(), gates(3), releases=()) == set()


# --- who is offered what ----------------------------------------------------------------------


def test_canaries_are_offered_it_first_and_nobody_else():
    assert offers(rollout("g3", "g1"), gates(8)) == {"g3", "g1"}


def test_a_step_reaches_its_share_rounded_up_and_spread_over_checkpoints():
    some = gates(8, at=4)
    step = rollout("g0", stage=1, steps=(50, 100))
    begun = look(step, some).begun
    assert len(begun) == 4
    assert "g0" in begun
    at = {gate.id: gate.checkpoint_id for gate in some}
    assert len({at[gate] for gate in begun - {"g0"}}) == 3  # no two of one checkpoint
    assert offers(rollout("g0", stage=2, steps=(50, 100)), some) == {gate.id for gate in some}


@pytest.mark.parametrize(
    ("able", "stage", "reached"),
    [
        (0, 0, 0),
        (1, 0, 1),
        (10, 0, 2),
        (10, 1, 2),
        (11, 1, 3),
        (10, 2, 5),
        (10, 3, 10),
        (10, 9, 10),
    ],
)
def test_how_many_gates_a_stage_reaches(able, stage, reached):
    order = ["a", "b", *(f"o{n}" for n in range(8)), "last"][:able]
    assert reach(rollout("a", "b", steps=(20, 50, 100)), order, stage) == reached


def test_who_was_reached_stays_reached_while_gates_go_over_to_the_version():
    some = gates(12, at=3)
    step = rollout("g0", stage=1)
    before = look(step, some).begun
    after = changed(some, *sorted(before)[:2], machine=NEW_MACHINE)
    assert look(step, after).begun == before


def test_every_gate_gets_the_bundle_of_its_own_kind():
    other = replace(RELEASE, id="r2", compatible="other", sha256="cd" * 32)
    some = changed(gates(3), "g1", machine=machine(compatible="other"))
    some = changed(some, "g2", machine=machine(compatible="third"))
    one = rollout("g0", "g1", "g2")
    standing = look(one, some, (RELEASE, other))
    found = [offered(one, standing, gate, (RELEASE, other), is_busy=False) for gate in some]
    assert found == [RELEASE, other, None]


def test_of_two_bundles_of_a_kind_the_one_added_last_is_offered():
    newer = replace(RELEASE, id="r2", sha256="cd" * 32, added_ms=NOW + 1)
    standing = look(rollout(), gates(1), (newer, RELEASE))
    assert offered(rollout(), standing, gates(1)[0], (newer, RELEASE), is_busy=False) == newer


def test_nothing_is_offered_while_a_performance_is_on_or_near():
    assert offers(rollout(), gates(3)) == {"g0"}
    assert offers(rollout(), gates(3), is_busy=True) == set()


@pytest.mark.parametrize("state", [state for state in RolloutState if state not in OFFERING])
def test_what_is_stopped_or_over_offers_nothing(state):
    assert offers(rollout(state=state), gates(3)) == set()


def test_an_older_version_is_offered_only_where_that_is_wanted():
    some = changed(gates(1), "g0", machine=machine(version="0.3.0"))
    assert offers(rollout(), some) == set()
    assert offers(rollout(is_downgrade=True), some) == {"g0"}


def test_a_blocked_version_is_never_offered_not_even_as_a_downgrade():
    some = changed(gates(1), "g0", machine=machine(version="0.3.0", blocked=(NEW,)))
    assert offers(rollout(is_downgrade=True), some) == set()


@pytest.mark.parametrize("known", [machine("rolled_back"), machine("refused"), NEW_MACHINE, None])
def test_who_has_failed_or_has_it_is_offered_nothing(known):
    assert offers(rollout(), changed(gates(2), "g0", machine=known)) == set()


def test_nobody_takes_the_place_of_a_canary_that_cannot_be_reached():
    some = changed(gates(8), "g0", machine=None)
    assert offers(rollout("g0", "g1"), some) == {"g1"}
    assert offers(rollout("g0", "gone"), some) == set()


def test_who_was_left_out_is_offered_nothing():
    assert offers(rollout("g0", "g1", excused=("g0",)), gates(2)) == {"g1"}


# --- when the next step begins ----------------------------------------------------------------


def test_with_all_canaries_done_it_waits_for_a_persons_word():
    some = changed(gates(8), "g0", machine=NEW_MACHINE)
    one = decided(rollout(), some)
    assert (one.state, one.stage, one.complete_ms) == (RolloutState.WAITING, 0, NOW)
    assert decided(one, some, now=NOW + 999 * HOUR) == one
    assert offers(one, some) == set()
    further = approve(one, look(one, some), NOW + 5)
    assert (further.state, further.stage, further.stage_since_ms) == (
        RolloutState.RUNNING, 1, NOW + 5,
    )  # fmt: skip
    assert len(offers(further, some)) == 1  # of 8 gates 25 % are two, and one of them has it


def test_with_one_canary_to_go_nothing_goes_on():
    some = changed(gates(8), "g0", machine=NEW_MACHINE)
    one = rollout("g0", "g1")
    assert decided(one, some) == one


def test_by_itself_it_goes_on_only_after_its_hours_and_in_health():
    some = changed(gates(8), "g0", machine=NEW_MACHINE)
    one = decided(rollout(is_automatic=True, healthy_h=24), some)
    assert (one.state, one.stage, one.complete_ms) == (RolloutState.RUNNING, 0, NOW)
    later = NOW + 24 * HOUR
    heard = changed(some, "g0", last_seen_ms=later - SILENT_MS)
    assert decided(one, heard, now=later - 1).stage == 0
    assert decided(one, heard, now=later).stage == 1
    assert decided(one, heard, now=later + 1).stage == 0  # silent for a moment too long
    assert decided(one, changed(heard, "g0", has_faults=True), now=later).stage == 0
    assert decided(one, changed(heard, "g0", last_seen_ms=None), now=later).stage == 0
    assert decided(one, changed(heard, "g5", has_faults=True), now=later).stage == 1  # not of it


def test_a_step_that_reaches_nobody_new_is_passed_over():
    some = changed(gates(4), "g0", machine=NEW_MACHINE)
    one = decided(rollout(steps=(10, 25, 50, 100)), some)
    assert approve(one, look(one, some), NOW).stage == 3  # 10 and 25 % of four are the canary


def test_a_gate_that_joins_later_is_waited_for_again():
    some = changed(gates(2), "g0", "g1", machine=NEW_MACHINE)
    one = decided(rollout("g0", "g1", "g9"), some)
    assert one.state is RolloutState.WAITING
    joined = [*some, replace(some[0], id="g9", machine=OLD_MACHINE)]
    assert decided(one, joined, now=NOW + 1) == rollout("g0", "g1", "g9")


def test_it_is_done_when_every_gate_that_can_runs_it():
    some = changed(gates(4), "g0", "g1", "g2", machine=NEW_MACHINE)
    some = changed(some, "g3", machine=None)
    assert decided(rollout(stage=2), some).state is RolloutState.DONE
    assert decided(rollout(stage=1), some).state is RolloutState.WAITING


def test_with_nobody_done_nothing_is_complete():
    assert decided(rollout(excused=("g0",)), gates(4)) == rollout(excused=("g0",))
    assert decided(rollout(), []) == rollout()


# --- when all stops ---------------------------------------------------------------------------

BAD = [
    ({"machine": machine("rolled_back")}, "rolled_back"),
    ({"machine": machine("abandoned")}, "abandoned"),
    ({"machine": machine("refused")}, "refused"),
    ({"machine": machine("armed"), "last_seen_ms": NOW - LOST_MS - 1}, "lost"),
    ({"machine": machine("trying", version=NEW), "last_seen_ms": None}, "lost"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
@pytest.mark.parametrize("state", OFFERING)
def test_one_gate_that_fails_stops_it_for_everybody(bad, reason, state):
    some = changed(gates(8), "g1", **bad)
    one = decided(rollout("g0", "g1", state=state), some)
    assert (one.state, one.reason, one.culprit) == (RolloutState.HALTED, reason, "g1")
    assert offers(one, some) == set()


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_gate_of_any_step_stops_it(stage):
    some = changed(gates(8), "g7", machine=machine("rolled_back"))
    assert decided(rollout(stage=stage), some).state is RolloutState.HALTED


def test_failing_weighs_more_than_being_complete():
    some = changed(gates(2), "g0", machine=NEW_MACHINE)
    some = changed(some, "g1", machine=machine("rolled_back"))
    assert decided(rollout("g0", "g1", stage=2), some).state is RolloutState.HALTED


def test_resumed_it_goes_on_without_those_that_failed():
    some = changed(gates(4), "g0", machine=NEW_MACHINE)
    some = changed(some, "g1", machine=machine("rolled_back"))
    halted = decided(rollout("g0", "g1"), some)
    one = resume(halted, look(halted, some))
    assert (one.state, one.excused, one.reason, one.culprit) == (
        RolloutState.RUNNING, ("g1",), "", "",
    )  # fmt: skip
    assert decided(one, some).state is RolloutState.WAITING
    again = changed(some, "g2", machine=machine("rolled_back"))
    assert decided(one, again).culprit == "g2"


def test_a_gate_that_was_left_out_and_has_it_after_all_is_done():
    some = changed(gates(1), "g0", machine=NEW_MACHINE)
    assert look(rollout(excused=("g0",)), some).progress["g0"] is Progress.DONE


def test_who_failed_before_it_began_is_not_its_doing():
    some = changed(gates(3), "g1", machine=machine("rolled_back"))
    one = rollout()
    assert failing_before(one, look(one, some)) == ("g1",)
    assert failing_before(replace(one, excused=("g1",)), look(one, some)) == ()


# --- what people may ask of it ----------------------------------------------------------------

ASKED = {
    "approve": lambda one, some: approve(one, look(one, some), NOW),
    "pause": lambda one, some: pause(one),
    "resume": lambda one, some: resume(one, look(one, some)),
    "abort": lambda one, some: abort(one),
}
S, R = RolloutState, Refusal
OUTCOMES = {
    ("approve", S.RUNNING): S.RUNNING,
    ("approve", S.WAITING): S.RUNNING,
    ("approve", S.PAUSED): R.NOT_OFFERING,
    ("approve", S.HALTED): R.NOT_OFFERING,
    ("pause", S.RUNNING): S.PAUSED,
    ("pause", S.WAITING): S.PAUSED,
    ("pause", S.PAUSED): R.NOT_OFFERING,
    ("pause", S.HALTED): R.NOT_OFFERING,
    ("resume", S.RUNNING): R.NOT_STOPPED,
    ("resume", S.WAITING): R.NOT_STOPPED,
    ("resume", S.PAUSED): S.RUNNING,
    ("resume", S.HALTED): S.RUNNING,
    ("abort", S.RUNNING): S.ABORTED,
    ("abort", S.WAITING): S.ABORTED,
    ("abort", S.PAUSED): S.ABORTED,
    ("abort", S.HALTED): S.ABORTED,
}


@pytest.mark.parametrize(("asked", "state"), list(product(ASKED, RolloutState)))
def test_what_may_be_asked_when(asked, state):
    some = changed(gates(4), "g0", machine=NEW_MACHINE)
    outcome = ASKED[asked](rollout(state=state), some)
    wanted = OUTCOMES.get((asked, state), Refusal.OVER)
    assert (outcome if isinstance(outcome, Refusal) else outcome.state) == wanted


def test_the_last_step_has_no_next_and_the_first_needs_one_that_works():
    some = changed(gates(4), "g0", machine=NEW_MACHINE)
    assert approve(rollout(stage=2), look(rollout(), some), NOW) is Refusal.LAST_STAGE
    assert approve(rollout(), look(rollout(), gates(4)), NOW) is Refusal.NOBODY_DONE


def test_a_silent_gate_does_not_hold_a_person_up():
    some = changed(gates(16), "g0", machine=NEW_MACHINE)
    one = rollout("g0", "g1")  # g1 is switched off
    assert approve(one, look(one, some), NOW).stage == 1
