"""What a gate adds to the rules of its own: exit policy, its own answers, a clock in doubt."""

from datetime import datetime, timedelta

import pytest

from admission.rules import ClockPolicy, ExitPolicy, GateConditions, opens_on_refusal
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, Single
from admission.verdict import Answer, Deny

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")
HOUR = timedelta(hours=1)


# --- exit policy ------------------------------------------------------------------------------


def test_listed_opens_an_exit_for_any_number_that_the_gate_holds(new_scene):
    scene = new_scene("show", "matinee")
    scene.list_ticket("T1", Single())
    scene.list_ticket("T2", performance="matinee")
    for number in ("T1", "T2"):
        denied = scene.judge(number, EXIT)
        assert isinstance(denied, Deny)
        assert opens_on_refusal(ExitPolicy.LISTED, denied)
        assert opens_on_refusal(ExitPolicy.ANY, denied)
        assert not opens_on_refusal(ExitPolicy.NONE, denied)


@pytest.mark.parametrize("presented", ["T3", ""])
def test_only_any_opens_an_exit_for_what_the_gate_does_not_hold(new_scene, presented):
    denied = new_scene().judge(presented, EXIT)
    assert isinstance(denied, Deny)
    assert denied.performance is None
    assert not opens_on_refusal(ExitPolicy.LISTED, denied)
    assert opens_on_refusal(ExitPolicy.ANY, denied)
    assert not opens_on_refusal(ExitPolicy.NONE, denied)


def test_the_passage_of_a_refused_exit_is_the_checkpoints_performance_that_holds_it(new_scene):
    scene = new_scene("show", "a")
    scene.list_ticket()
    scene.list_ticket(performance="a")
    denied = scene.judge("T1", EXIT)
    assert (denied.answer, denied.performance) == (Answer.EXIT_NOT_ALLOWED, "show")


def test_else_it_is_that_of_the_first_performance_held_by_id(new_scene):
    scene = new_scene("show", "z", "B", "a")
    for performance in ("z", "B", "a"):
        scene.list_ticket(performance=performance)
    assert scene.judge("T1", EXIT).performance == "B"


# --- answers that the gate adds ---------------------------------------------------------------


def conditions(locked=False, **faults):
    return GateConditions(
        locked=locked, list_faults={name: Answer(fault) for name, fault in faults.items()}
    )


def test_a_locked_gate_says_so_before_anything_about_the_list(new_scene):
    scene = new_scene()
    scene.list_ticket()
    for fault in ("list_untrusted", "list_expired"):
        scene.conditions = conditions(locked=True, show=fault)
        assert scene.answer("T1") == "gate_locked"
        assert scene.answer("unheard of") == "gate_locked"
        scene.conditions = conditions(show=fault)
        assert scene.answer("T1") == fault
        assert scene.answer("unheard of") == fault


def test_the_gates_answers_come_after_line_1(new_scene):
    scene = new_scene()
    scene.conditions = conditions(locked=True, show="list_untrusted")
    assert scene.answer("") == "malformed"


def test_the_gates_answers_come_before_line_2(new_scene):
    scene = new_scene("show", "matinee")
    scene.list_ticket(performance="matinee")
    scene.conditions = conditions(locked=True)
    denied = scene.judge()
    assert (denied.answer, denied.performance) == (Answer.GATE_LOCKED, "matinee")
    scene.conditions = conditions(show="list_expired")
    assert scene.answer() == "list_expired"


def test_untrusted_comes_before_expired(new_scene):
    scene = new_scene("show", "matinee")
    scene.change_door(performances=("show", "matinee"))
    scene.conditions = conditions(show="list_expired", matinee="list_untrusted")
    assert scene.answer("unheard of") == "list_untrusted"


def test_a_fault_of_one_list_does_not_stop_the_tickets_of_another(new_scene):
    scene = new_scene("show", "matinee")
    scene.change_door(performances=("show", "matinee"))
    scene.list_ticket()
    scene.conditions = conditions(matinee="list_expired")
    assert scene.answer() == "granted"


def test_a_fault_of_a_list_that_the_checkpoint_does_not_control_stops_nobody(new_scene):
    scene = new_scene("show", "matinee")
    scene.list_ticket(performance="matinee")
    scene.conditions = conditions(matinee="list_expired")
    assert scene.answer() == "wrong_performance"


def test_the_gates_answers_never_apply_to_an_exit_of_a_ticket_that_is_inside(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    scene.passed()
    for fault in ("list_untrusted", "list_expired"):
        scene.conditions = conditions(locked=True, show=fault)
        assert scene.answer("T1", EXIT) == "granted"
    scene.drop_ticket()
    assert scene.answer("T1", EXIT) == "granted"


def test_the_gates_answers_apply_to_an_exit_of_a_ticket_that_is_outside(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    scene.conditions = conditions(locked=True)
    assert scene.answer("T1", EXIT) == "gate_locked"


# --- a clock that is not trusted --------------------------------------------------------------

ADMITTING = GateConditions(clock_trusted=False)
REFUSING = GateConditions(clock_trusted=False, clock_policy=ClockPolicy.REFUSE)


def test_by_default_a_clock_that_is_not_trusted_lets_lines_12_15_and_16_admit(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Multi(per_day=1))
    scene.hold("show", admits_from=NOON + 9 * HOUR, admits_until=NOON - 9 * HOUR)
    scene.conditions = ADMITTING
    assert [scene.play(), scene.play()] == ["granted", "granted"]


def test_a_clock_that_is_not_trusted_leaves_the_other_lines_alone(new_scene):
    scene = new_scene()
    scene.conditions = ADMITTING
    scene.list_ticket(rule=Multi(total=1, per_day=1))
    assert [scene.play(), scene.play()] == ["granted", "no_passes_left"]
    scene.list_ticket(rule=Multi(per_day=1), category="press")
    scene.hold("show", excluded_categories=frozenset({"press"}))
    assert scene.answer() == "category_excluded"


@pytest.mark.parametrize("policy", ClockPolicy)
def test_the_clock_policy_is_nothing_while_the_clock_is_trusted(new_scene, policy):
    scene = new_scene()
    scene.conditions = GateConditions(clock_policy=policy)
    scene.list_ticket(rule=Multi(per_day=1))
    scene.hold("show", admits_from=NOON, admits_until=NOON + HOUR)
    assert scene.answer(at=NOON) == "granted"
    scene.passed(at=NOON)
    assert scene.answer(at=NOON) == "daily_limit_reached"


def test_a_policy_of_refuse_lets_those_lines_refuse_whatever_the_clock_says(new_scene):
    scene = new_scene()
    scene.conditions = REFUSING
    scene.list_ticket()
    assert scene.answer() == "granted"  # nothing here needs the time
    scene.hold("show", admits_from=NOON - HOUR)
    assert scene.answer() == "not_yet_valid"
    scene.hold("show", admits_from=None, admits_until=NOON + HOUR)
    assert scene.answer() == "no_longer_valid"
    scene.hold("show", admits_until=None)
    scene.list_ticket(rule=Multi(total=5))
    assert scene.answer() == "granted"
    scene.list_ticket(rule=Multi(per_day=5))
    assert scene.answer() == "daily_limit_reached"
