"""What docs/rules.md says around its table: words, and most of its bullets."""

from datetime import datetime, timedelta, timezone

import pytest

from admission.passage import TicketKey
from admission.rules import judge, locate
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, Single, TicketState
from admission.verdict import Answer, Deny, Grant

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


# --- the words --------------------------------------------------------------------------------


def test_a_ticket_is_used_at_each_checkpoint_on_its_own(new_scene):
    scene = new_scene()
    scene.list_ticket()
    assert scene.play() == "granted"
    scene.change_door(id="garden")
    assert scene.play() == "granted"
    assert scene.play() == "already_used"


def test_a_grant_that_nobody_went_through_uses_nothing_up(new_scene):
    scene = new_scene()
    scene.list_ticket()
    assert [scene.answer() for _ in range(3)] == ["granted"] * 3


def test_a_passage_whose_end_is_unknown_counts_until_it_is_reset(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.passed(unresolved=True)
    assert scene.answer() == "already_used"
    scene.reset()
    assert scene.answer() == "granted"


def test_an_override_is_a_passage_like_any_other(new_scene):
    scene = new_scene(capacity=1)
    scene.list_ticket()
    scene.passed(override=True)
    assert scene.answer() == "already_used"
    scene.list_ticket("T2")
    assert scene.answer("T2") == "full"


@pytest.mark.parametrize("rule", [Single(), EntryExit(), Multi(total=1), Multi(per_day=1)])
def test_a_reset_forgets_the_earlier_passages_at_its_checkpoint_only(new_scene, rule):
    scene = new_scene()
    scene.list_ticket(rule=rule)
    scene.passed()
    scene.passed(checkpoint="garden")
    assert scene.answer() != "granted"
    scene.reset()
    assert scene.answer() == "granted"
    scene.change_door(id="garden")
    assert scene.answer() != "granted"


def test_a_reset_forgets_what_is_before_it_in_fold_order_not_what_arrived_before_it(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.passed(at=NOON + HOUR)
    scene.reset(at=NOON)
    assert scene.answer() == "already_used"
    scene.reset(at=NOON + 2 * HOUR)
    scene.passed(at=NOON + HOUR)
    assert scene.answer() == "granted"


def test_a_reset_takes_people_out_of_the_occupancy(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    scene.passed()
    scene.reset()
    assert scene.history.occupancy("door") == 0
    assert scene.answer("T1", EXIT) == "not_inside"


# --- inside, counting, occupancy --------------------------------------------------------------


def test_a_ticket_that_never_passed_is_outside(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    assert scene.answer("T1", EXIT) == "not_inside"
    assert scene.answer("T1", ENTRY) == "granted"


def test_multi_counts_passages_in_either_direction(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Multi(total=2))
    scene.passed("T1", EXIT)
    scene.passed("T1", ENTRY)
    assert scene.answer("T1", ENTRY) == "no_passes_left"
    assert scene.answer("T1", EXIT) == "no_passes_left"


def test_occupancy_counts_unknown_numbers_and_free_crossings(new_scene):
    scene = new_scene(capacity=3)
    scene.list_ticket("T1", EntryExit())
    scene.passed("T1")
    scene.passed("?", performance=None, identifier=b"")
    scene.free()
    scene.list_ticket("T2")
    assert scene.history.occupancy("door") == 3
    assert scene.answer("T2") == "full"
    scene.passed("?", EXIT, performance=None, identifier=b"")
    assert scene.history.occupancy("door") == 2
    assert scene.answer("T2") == "granted"


def test_occupancy_may_be_negative(new_scene):
    scene = new_scene(capacity=0)
    scene.list_ticket()
    scene.free(EXIT)
    assert scene.history.occupancy("door") == -1
    assert scene.answer() == "granted"


def test_occupancy_is_counted_per_checkpoint(new_scene):
    scene = new_scene(capacity=1)
    scene.list_ticket("T1")
    scene.list_ticket("T2")
    scene.passed("T1", checkpoint="garden")
    assert scene.history.occupancy("door") == 0
    assert scene.answer("T2") == "granted"


def test_a_limit_of_zero_admits_nobody_and_none_is_no_limit(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Multi(total=0))
    assert scene.answer() == "no_passes_left"
    scene.list_ticket(rule=Multi(per_day=0))
    assert scene.answer() == "daily_limit_reached"
    scene.list_ticket(rule=Multi(total=None, per_day=None))
    assert scene.answer() == "granted"
    scene.change_door(capacity=0)
    assert scene.answer() == "full"
    scene.change_door(capacity=None)
    assert scene.answer() == "granted"


@pytest.mark.parametrize("limits", [(-1, None), (None, -1)])
def test_a_limit_below_zero_is_no_rule(limits):
    with pytest.raises(ValueError, match="must be >= 0"):
        Multi(*limits)


def test_no_allowed_categories_is_no_restriction_and_an_empty_list_admits_nobody(new_scene):
    scene = new_scene()
    scene.list_ticket()
    assert scene.answer() == "granted"
    scene.change_door(allowed_categories=frozenset())
    assert scene.answer() == "wrong_checkpoint"


# --- last and earlier are in fold order -------------------------------------------------------


def test_the_last_passage_is_the_latest_in_time_not_the_last_to_arrive(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    scene.passed("T1", EXIT, at=NOON + HOUR)
    scene.passed("T1", ENTRY, at=NOON)
    assert scene.answer("T1", ENTRY, at=NOON + 2 * HOUR) == "granted"
    assert scene.answer("T1", EXIT, at=NOON + 2 * HOUR) == "not_inside"


def test_a_passage_timed_after_the_gates_own_clock_counts(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.passed(at=NOON + 24 * HOUR)
    assert scene.answer(at=NOON) == "already_used"


def test_of_two_passages_at_one_instant_the_gates_code_points_decide(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    scene.passed("T1", ENTRY, at=NOON, gate="a", sequence=1)
    scene.passed("T1", EXIT, at=NOON, gate="Z", sequence=99)  # Z comes before a
    assert scene.answer("T1", EXIT) == "granted"
    scene.passed("T1", EXIT, at=NOON, gate="é", sequence=1)  # é comes after a
    assert scene.answer("T1", EXIT) == "not_inside"


def test_of_two_passages_of_a_gate_at_one_instant_the_sequence_decides(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    scene.passed("T1", EXIT, at=NOON, sequence=9)
    scene.passed("T1", ENTRY, at=NOON, sequence=10)  # ten comes after nine, not before
    assert scene.answer("T1", EXIT) == "granted"


def test_instants_are_compared_to_the_microsecond_whatever_their_offset(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    there = NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    scene.passed("T1", EXIT, at=NOON + MICROSECOND)
    scene.passed("T1", ENTRY, at=there)
    assert scene.answer("T1", EXIT) == "not_inside"


# --- pending grants ---------------------------------------------------------------------------


def test_while_a_grant_is_pending_its_ticket_answers_as_if_it_had_passed(new_scene):
    scene = new_scene(capacity=1)
    scene.list_ticket("T1", EntryExit())
    scene.list_ticket("T2")
    pending = scene.passage("T1")
    scene.history.pend(pending)
    assert scene.answer("T1", ENTRY) == "already_inside"
    assert scene.answer("T1", EXIT) == "granted"
    assert scene.answer("T2", ENTRY) == "full"
    scene.history.take_back(pending)
    assert scene.answer("T1", ENTRY) == "granted"
    assert scene.answer("T1", EXIT) == "not_inside"
    assert scene.answer("T2", ENTRY) == "granted"


# --- what a gate holds ------------------------------------------------------------------------


def test_any_passage_that_knows_a_dropped_numbers_class_keeps_it_held(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    scene.passed()
    scene.drop_ticket()
    later = scene.passed("T1", EXIT)
    assert later.ticket_class is None
    assert scene.answer("T1", ENTRY) == "canceled"


def test_a_number_that_the_list_dropped_may_leave_once_and_not_come_back(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit(), category="vip")
    scene.passed()
    scene.drop_ticket()
    verdict = scene.judge("T1", EXIT)
    assert isinstance(verdict, Grant)
    assert verdict.ticket.ticket_class.category == "vip"
    assert verdict.ticket.state is TicketState.CANCELED
    scene.passed("T1", EXIT, ticket_class=verdict.ticket.ticket_class)
    assert scene.answer("T1", ENTRY) == "canceled"
    assert scene.answer("T1", EXIT) == "canceled"


def test_a_number_that_passed_elsewhere_stays_held_here_as_well(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.passed(checkpoint="garden")
    scene.drop_ticket()
    assert scene.answer() == "canceled"


def test_a_number_that_was_reset_is_no_longer_held_when_the_list_drops_it(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.passed()
    scene.reset()
    scene.drop_ticket()
    assert scene.answer() == "unknown_ticket"


def test_a_number_that_never_passed_is_unknown_when_the_list_drops_it(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.drop_ticket()
    assert scene.answer() == "unknown_ticket"


def test_a_dropped_number_of_another_performance_is_still_told_where_it_belongs(new_scene):
    scene = new_scene("show", "matinee")
    scene.list_ticket(performance="matinee")
    scene.passed(performance="matinee")
    scene.drop_ticket(performance="matinee")
    assert scene.answer() == "wrong_performance"


def test_the_lists_own_entry_counts_before_what_a_passage_remembers(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    scene.passed()
    scene.list_ticket(rule=Multi(total=1))
    assert scene.answer("T1", EXIT) == "no_passes_left"


def test_a_number_that_went_over_to_another_performance_lets_its_holder_out(new_scene):
    scene = new_scene("show", "matinee")
    scene.change_door(performances=("matinee", "show"))
    scene.list_ticket(rule=EntryExit())
    scene.passed()
    scene.drop_ticket()
    scene.list_ticket(rule=EntryExit(), performance="matinee")
    verdict = scene.judge("T1", EXIT)
    assert isinstance(verdict, Grant)
    assert verdict.performance == "show"  # so that it is the show's passage that ends


def test_should_two_chosen_performances_hold_one_number_the_first_chosen_counts(new_scene):
    scene = new_scene("show", "matinee")
    scene.list_ticket(category="of the show")
    scene.list_ticket(performance="matinee", category="of the matinee")
    for order in (("show", "matinee"), ("matinee", "show")):
        scene.change_door(performances=order)
        found = locate("T1", scene.checkpoint, scene.holdings, scene.history)
        assert found is not None
        assert found[0].id == order[0]
        assert found[1].ticket_class.category == f"of the {order[0]}"


def test_a_performance_whose_list_the_gate_lacks_holds_nothing(new_scene):
    scene = new_scene()
    scene.change_door(performances=("not yet here", "show"))
    scene.list_ticket()
    assert scene.answer() == "granted"
    assert scene.answer("T2") == "unknown_ticket"


# --- verdicts ---------------------------------------------------------------------------------


def test_a_refusal_needs_a_reason():
    with pytest.raises(ValueError, match="needs a reason"):
        Deny(Answer.GRANTED)


def test_judging_changes_nothing(new_scene):
    scene = new_scene()
    scene.list_ticket()
    key = TicketKey("door", "show", b"T1")
    verdicts = [
        judge(
            "T1",
            checkpoint=scene.checkpoint,
            direction=ENTRY,
            now=NOON,
            holdings=scene.holdings,
            history=scene.history,
        )
        for _ in range(2)
    ]
    assert verdicts[0] == verdicts[1]
    assert scene.history.facts_of(key) == ()
