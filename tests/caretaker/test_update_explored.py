"""Every course of an update, the power cut at any step: the machine starts, and knows what runs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caretaker import update_machine
from caretaker.update_machine import (
    ATTEMPTS_MAX,
    STARTS,
    Committed,
    OutOfTurnError,
    Phase,
    Requested,
    Try,
    _Start,
)
from update_world import (
    DAMAGED,
    DEAD,
    SICK,
    BrokenPromiseError,
    World,
    check,
    cut,
    power_on,
    settle,
    steps,
)

GOOD = "2.0.0"
OFFERS = ("", GOOD, *SICK, *DEAD, *DAMAGED)
CUTS_MAX = 2


def explore(first: World, cuts_max: int = CUTS_MAX) -> set[World]:
    """Every world that can be reached: after each step a cut, or anything offered."""
    todo, seen = [first], {first}
    while todo:
        world = todo.pop()
        if world.booted is None:
            after = [power_on(world)]
        else:
            after = []
            for offered in OFFERS:
                for one in steps(world, offered):
                    after.append(one)
                    if one.booted is not None and one.cuts < cuts_max:
                        after.append(cut(one))
        for one in after:
            check(one)
            # the number of a start only tells one from the next: the rest of the world is the same
            boot = "" if one.booted is None or one.update.boot != str(one.boot) else "0"
            one = replace(one, boot=0, update=replace(one.update, boot=boot))
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return seen


def test_no_course_of_events_leaves_a_machine_that_does_not_start():
    worlds = explore(World())
    assert {world.update.phase for world in worlds} == set(Phase)
    assert len(worlds) > 300


def test_wherever_it_was_cut_a_machine_comes_to_rest_on_a_version_that_is_well():
    for world in explore(World(), cuts_max=1):
        rested = settle(cut(world), GOOD)
        assert rested.running in rested.proven
        is_given_up = rested.update.phase is Phase.ABANDONED or GOOD in rested.update.blocked
        assert rested.running == GOOD or is_given_up


def test_a_firmware_that_knows_no_flag_is_tried_three_times_and_left_alone():
    rested = settle(World(loses_flag=True), GOOD)
    assert (rested.update.phase, rested.update.attempts) == (Phase.ABANDONED, ATTEMPTS_MAX)
    assert rested.running == "1.0.0"
    assert "knows no tryboot" in rested.update.reason


def test_a_version_that_never_says_a_word_is_tried_three_times_and_left():
    rested = settle(World(), *DEAD)
    assert (rested.running, rested.update.phase) == ("1.0.0", Phase.ABANDONED)
    assert settle(rested, GOOD).running == GOOD


@pytest.mark.parametrize("offered", [*SICK])
def test_a_version_that_does_not_hold_is_left_and_never_tried_again(offered: str):
    rested = settle(World(), offered)
    assert (rested.running, rested.update.phase) == ("1.0.0", Phase.ROLLED_BACK)
    assert settle(rested, offered).update.blocked == (offered,)


def test_a_bundle_whose_payload_is_damaged_is_refused_and_the_next_one_installed():
    refused = settle(World(), *DAMAGED)
    assert (refused.update.phase, refused.running) == (Phase.REFUSED, "1.0.0")
    assert settle(refused, GOOD).running == GOOD


def test_two_updates_go_there_and_back_between_the_slots():
    second = settle(settle(World(), GOOD), "2.1.0")
    assert (second.running, second.slots) == ("2.1.0", ("2.1.0", GOOD))


@given(st.lists(st.tuples(st.sampled_from(OFFERS), st.integers(0, 9)), max_size=40))
def test_a_plug_that_is_pulled_at_any_moment_takes_nothing_away(nights):
    world = World()
    for offered, steps_left in nights:
        world = power_on(world) if world.booted is None else world
        for after in steps(world, offered):
            world = after
            check(world)
            steps_left -= 1
            if steps_left < 0:
                break
        if steps_left < 0 and world.booted is not None:
            world = cut(world)
    assert settle(world, "").running in world.proven | {GOOD}


MUTANTS = {
    "a lost flag is tried for ever": ("attempts", (Phase.ARMED, _Start.OLD)),
    "a version that did not hold is not blocked": (Phase.IDLE, (Phase.TRYING, _Start.OLD)),
    "a version that came up is not noted": (Phase.ARMED, (Phase.ARMED, _Start.ON_TRIAL)),
}


def explore_and_settle(first: World) -> None:
    for world in explore(first, cuts_max=1):
        settle(cut(world), next(iter(SICK)))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_of_the_table_is_found(name: str, monkeypatch: pytest.MonkeyPatch):
    phase, row = MUTANTS[name]
    if phase == "attempts":
        monkeypatch.setattr(update_machine, "ATTEMPTS_MAX", 99)
    else:
        monkeypatch.setitem(STARTS, row, (phase, ""))
    with pytest.raises((BrokenPromiseError, OutOfTurnError)):
        explore_and_settle(World(loses_flag=phase == "attempts"))


def test_nothing_is_installed_while_another_slot_starts_than_runs():
    with pytest.raises(OutOfTurnError, match="another slot"):
        update_machine.step(update_machine.Update(), Requested(GOOD, "b", "a", "1"))
    with pytest.raises(OutOfTurnError):
        update_machine.step(update_machine.Update(Phase.TRYING), Requested(GOOD, "b", "b", "1"))


def test_what_was_not_found_well_is_not_committed():
    trying = update_machine.Update(Phase.TRYING, GOOD, "b")
    with pytest.raises(OutOfTurnError, match="not found well"):
        update_machine.step(trying, Committed())


def test_one_start_of_the_machine_asks_for_one_trial():
    armed = update_machine.Update(Phase.ARMED, GOOD, "b")
    once, _ = update_machine.step(armed, Try("boot"))
    with pytest.raises(OutOfTurnError, match="in this start"):
        update_machine.step(once, Try("boot"))
