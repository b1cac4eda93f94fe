"""The table of docs/rules.md, line by line, and the order of its lines."""

from datetime import datetime, timedelta
from types import MappingProxyType

import pytest

from admission.rules import GateConditions
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, Single, TicketState
from admission.verdict import Answer, Deny, Grant

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("presented", ["", " ", "\t\r\n ", "\n"])
def test_line_1_an_empty_text_is_malformed(new_scene, presented):
    assert new_scene().answer(presented) == "malformed"


def test_line_1_a_text_of_512_code_points_is_looked_up_and_one_of_513_is_malformed(new_scene):
    scene = new_scene()
    for character in ("x", "é", "🎫"):
        scene.list_ticket(character * 512)
        assert scene.answer(character * 512) == "granted"
        assert scene.answer("  " + character * 512 + "\r\n") == "granted"
        assert scene.answer(character * 513) == "malformed"


@pytest.mark.parametrize("code", [*range(0x20), 0x7F])
def test_line_1_a_control_character_inside_is_malformed(new_scene, code):
    scene = new_scene()
    number = f"T{chr(code)}1"
    scene.list_ticket(number)
    assert scene.answer(number) == "malformed"


def test_line_1_characters_beyond_ascii_are_no_control_characters(new_scene):
    scene = new_scene()
    for number in ("T\x80", "T\x85", "T\xa0", "T\u2028", "\ufeffT", "\ud800"):
        scene.list_ticket(number)
        assert scene.answer(number) == "granted"


def test_only_space_tab_return_and_newline_are_stripped(new_scene):
    scene = new_scene()
    scene.list_ticket("T1")
    assert scene.answer(" \t\r\nT1\n\r\t ") == "granted"
    assert scene.answer("\xa0T1") == "unknown_ticket"
    assert scene.answer("T1\u2003") == "unknown_ticket"
    assert scene.answer("\x0bT1") == "malformed"


def test_line_2_a_ticket_of_another_performance_that_the_gate_holds(new_scene):
    scene = new_scene("show", "matinee")
    scene.list_ticket("T1", performance="matinee")
    verdict = scene.judge("T1")
    assert isinstance(verdict, Deny)
    assert verdict.answer is Answer.WRONG_PERFORMANCE
    assert verdict.performance == "matinee"
    assert verdict.ticket is not None


def test_line_3_a_number_that_no_list_holds(new_scene):
    scene = new_scene("show", "matinee")
    scene.list_ticket("T1")
    assert scene.judge("T2") == Deny(Answer.UNKNOWN_TICKET)


def test_numbers_are_compared_by_their_exact_code_points(new_scene):
    scene = new_scene()
    scene.list_ticket("Été-1")
    assert scene.answer("Été-1") == "granted"
    for other in ("été-1", "E\u0301t\u00e9-1", "Ete-1", "Été-1\u200b", "Été-１"):
        assert scene.answer(other) == "unknown_ticket"


def test_line_4_a_ticket_that_is_inside_may_leave_whatever_the_lines_below_say(new_scene):
    scene = new_scene(capacity=0, allowed_categories=frozenset())
    scene.list_ticket(rule=EntryExit(), state=TicketState.BLOCKED)
    scene.passed()
    scene.hold(
        "show",
        canceled=True,
        excluded_categories=frozenset({"standard"}),
        admits_from=NOON + HOUR,
        admits_until=NOON - HOUR,
    )
    assert isinstance(scene.judge("T1", EXIT), Grant)
    assert scene.answer("T1", ENTRY) == "performance_canceled"


def test_line_5_a_canceled_performance_admits_nobody(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.hold("show", canceled=True)
    assert scene.answer() == "performance_canceled"
    scene.hold("show", canceled=False)
    assert scene.answer() == "granted"


@pytest.mark.parametrize("state", [s for s in TicketState if s is not TicketState.VALID])
@pytest.mark.parametrize("rule", [Single(), EntryExit(), Multi()])
def test_line_6_a_state_that_is_not_valid_is_the_answer(new_scene, state, rule):
    scene = new_scene()
    scene.list_ticket(rule=rule, state=state)
    assert scene.answer("T1", ENTRY) == state.value
    assert scene.answer("T1", EXIT) == state.value


def test_line_7_a_single_ticket_has_no_exit(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Single())
    assert scene.answer("T1", EXIT) == "exit_not_allowed"
    scene.passed()
    assert scene.answer("T1", EXIT) == "exit_not_allowed"


def test_line_8_a_single_ticket_enters_once(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Single())
    assert scene.play() == "granted"
    assert scene.play() == "already_used"


def test_line_8_a_passage_of_direction_exit_does_not_use_a_single_ticket_up(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Single())
    scene.passed("T1", EXIT)
    assert scene.answer() == "granted"


def test_line_9_a_ticket_that_is_inside_may_not_enter_again(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    answers = [scene.play("T1", way) for way in (ENTRY, ENTRY, EXIT, ENTRY)]
    assert answers == ["granted", "already_inside", "granted", "granted"]


def test_line_10_a_ticket_that_is_outside_may_not_leave(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=EntryExit())
    answers = [scene.play("T1", way) for way in (EXIT, ENTRY, EXIT, EXIT)]
    assert answers == ["not_inside", "granted", "granted", "not_inside"]


def test_line_11_the_total_of_a_multi_ticket(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Multi(total=3))
    answers = [scene.play("T1", way) for way in (ENTRY, EXIT, EXIT, ENTRY, EXIT)]
    assert answers == ["granted", "granted", "granted", "no_passes_left", "no_passes_left"]


def test_line_12_the_daily_limit_of_a_multi_ticket_begins_anew_with_the_day(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Multi(per_day=1))
    assert scene.play("T1", ENTRY, at=NOON) == "granted"
    assert scene.play("T1", EXIT, at=NOON + HOUR) == "daily_limit_reached"
    assert scene.play("T1", EXIT, at=NOON + 10 * HOUR) == "granted"  # midnight in Paris


def test_lines_11_and_12_a_multi_ticket_without_limits_passes_for_ever(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Multi())
    assert {scene.play("T1", way) for way in (ENTRY, ENTRY, EXIT, EXIT) * 5} == {"granted"}


def test_line_13_a_category_that_is_filtered_out(new_scene):
    scene = new_scene()
    scene.list_ticket(category="press")
    scene.hold("show", excluded_categories=frozenset({"press"}))
    assert scene.answer() == "category_excluded"
    scene.list_ticket(category="Press")
    assert scene.answer() == "granted"


def test_line_14_a_category_that_belongs_to_another_checkpoint(new_scene):
    scene = new_scene(allowed_categories=frozenset({"vip"}))
    scene.list_ticket("T1", category="vip")
    scene.list_ticket("T2", category="standard")
    assert scene.answer("T1") == "granted"
    assert scene.answer("T2") == "wrong_checkpoint"


def test_line_15_the_first_instant_of_admission_admits_and_the_one_before_does_not(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.hold("show", admits_from=NOON)
    assert scene.answer(at=NOON - timedelta(microseconds=1)) == "not_yet_valid"
    assert scene.answer(at=NOON) == "granted"


def test_line_16_admission_is_over_at_admits_until(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.hold("show", admits_until=NOON)
    assert scene.answer(at=NOON - timedelta(microseconds=1)) == "granted"
    assert scene.answer(at=NOON) == "no_longer_valid"


def test_lines_15_and_16_instants_are_compared_whatever_their_offset(new_scene):
    scene = new_scene()
    scene.list_ticket()
    scene.hold("show", admits_from=NOON)
    in_tokyo = datetime.fromisoformat("2026-07-14T20:59:59.999999+09:00")
    assert scene.answer(at=in_tokyo) == "not_yet_valid"
    assert scene.answer(at=in_tokyo + timedelta(microseconds=1)) == "granted"


def test_line_17_a_full_checkpoint_lets_nobody_in_and_everybody_out(new_scene):
    scene = new_scene(capacity=1)
    for number in ("T1", "T2"):
        scene.list_ticket(number, EntryExit())
    assert scene.play("T1", ENTRY) == "granted"
    assert scene.play("T2", ENTRY) == "full"
    assert scene.play("T1", EXIT) == "granted"
    assert scene.play("T2", ENTRY) == "granted"


def test_line_17_capacity_does_not_hold_at_an_exit(new_scene):
    scene = new_scene(capacity=0)
    scene.list_ticket(rule=Multi())
    assert scene.answer("T1", ENTRY) == "full"
    assert scene.answer("T1", EXIT) == "granted"


def test_line_18_a_grant_names_the_performance_and_the_ticket(new_scene):
    scene = new_scene()
    scene.list_ticket(category="vip")
    verdict = scene.judge()
    assert isinstance(verdict, Grant)
    assert verdict.answer is Answer.GRANTED
    assert verdict.performance == "show"
    assert verdict.ticket.identifier == b"T1"
    assert verdict.ticket.ticket_class.category == "vip"


# --- the order: every line applies, then each is taken away in turn ---------------------------

LAYERS = MappingProxyType(
    {
        "gate_locked": lambda scene: setattr(
            scene,
            "conditions",
            GateConditions(list_faults=scene.conditions.list_faults),
        ),
        "list_expired": lambda scene: setattr(scene, "conditions", GateConditions()),
        "performance_canceled": lambda scene: scene.hold("show", canceled=False),
        "blocked": lambda scene: scene.list_ticket(
            rule=scene.rule, category="press", state=TicketState.VALID
        ),
        "use": lambda scene: scene.reset(),
        "category_excluded": lambda scene: scene.hold("show", excluded_categories=frozenset()),
        "wrong_checkpoint": lambda scene: scene.change_door(allowed_categories=None),
        "not_yet_valid": lambda scene: scene.hold("show", admits_from=None),
        "no_longer_valid": lambda scene: scene.hold("show", admits_until=None),
        "full": lambda scene: scene.change_door(capacity=1),
    }
)


def everything_against(scene, rule):
    scene.rule = rule
    scene.list_ticket(rule=rule, category="press", state=TicketState.BLOCKED)
    scene.hold(
        "show",
        canceled=True,
        excluded_categories=frozenset({"press"}),
        admits_from=NOON + 24 * HOUR,
        admits_until=NOON - HOUR,
    )
    scene.change_door(allowed_categories=frozenset({"vip"}), capacity=0)
    scene.conditions = GateConditions(locked=True, list_faults={"show": Answer.LIST_EXPIRED})


@pytest.mark.parametrize(
    ("rule", "use"),
    [
        (Single(), ["already_used"]),
        (EntryExit(), ["already_inside"]),
        (Multi(total=1, per_day=1), ["no_passes_left"]),
        (Multi(per_day=1), ["daily_limit_reached"]),
    ],
)
def test_at_an_entry_the_first_line_that_applies_is_the_answer(new_scene, rule, use):
    scene = new_scene()
    everything_against(scene, rule)
    scene.passed()
    given = []
    for take_away in LAYERS.values():
        given.append(scene.answer("T1", ENTRY))
        take_away(scene)
    expected = [*LAYERS]
    expected[expected.index("use") : expected.index("use") + 1] = use
    assert given == expected
    assert scene.answer("T1", ENTRY) == "granted"


@pytest.mark.parametrize(
    ("rule", "use"),
    [(Single(), "exit_not_allowed"), (EntryExit(), "not_inside"), (Multi(0), "no_passes_left")],
)
def test_at_an_exit_the_first_line_that_applies_is_the_answer(new_scene, rule, use):
    scene = new_scene()
    everything_against(scene, rule)
    given = []
    for name in ("gate_locked", "list_expired", "performance_canceled", "blocked"):
        given.append(scene.answer("T1", EXIT))
        LAYERS[name](scene)
    assert given == ["gate_locked", "list_expired", "performance_canceled", "blocked"]
    assert scene.answer("T1", EXIT) == use


def test_the_filters_and_the_window_hold_at_an_exit_as_well(new_scene):
    scene = new_scene()
    everything_against(scene, Multi())
    for name in ("gate_locked", "list_expired", "performance_canceled", "blocked"):
        LAYERS[name](scene)
    given = []
    for name in ("category_excluded", "wrong_checkpoint", "not_yet_valid", "no_longer_valid"):
        given.append(scene.answer("T1", EXIT))
        LAYERS[name](scene)
    assert given == ["category_excluded", "wrong_checkpoint", "not_yet_valid", "no_longer_valid"]
    assert scene.answer("T1", EXIT) == "granted"


def test_line_11_comes_before_line_12(new_scene):
    scene = new_scene()
    scene.list_ticket(rule=Multi(total=2, per_day=2))
    assert [scene.play() for _ in range(3)] == ["granted", "granted", "no_passes_left"]


def test_line_2_comes_before_the_state_of_the_ticket_there(new_scene):
    scene = new_scene("show", "matinee")
    scene.list_ticket("T1", performance="matinee", state=TicketState.BLOCKED)
    scene.hold("matinee", canceled=True)
    assert scene.answer("T1") == "wrong_performance"
