"""Tickets that proved themselves, in the one truth of many journals."""

from datetime import datetime, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

from admission.passage import Passage, Reset, canonical
from admission.reconcile import ListedTicket, StateChange, reconcile
from admission.scan import Direction
from admission.ticket import EntryExit, Performance, Single, TicketClass, TicketState

SHOW = {"show": Performance("show", ZoneInfo("Europe/Paris"))}
EIGHT = datetime.fromisoformat("2026-07-14T20:00:00+02:00")
ONCE = TicketClass("standard", Single())
ROUND = TicketClass("vip", EntryExit())
BELIEVED = {"show": {ONCE, ROUND}}


def passed(gate, minute, direction=Direction.ENTRY, **fields):
    known = {
        "checkpoint": "door",
        "performance": "show",
        "identifier": b"T1",
        "direction": direction,
        "ticket_class": ONCE,
        "proven": True,
    }
    return Passage(gate, minute + 100, EIGHT + timedelta(minutes=minute), **{**known, **fields})


def blocked(minute, *, until=None):
    changes = [StateChange(EIGHT + timedelta(minutes=minute), TicketState.BLOCKED)]
    if until is not None:
        changes.append(StateChange(EIGHT + timedelta(minutes=until), TicketState.VALID))
    return {("show", b"T1"): changes}


def truth(*facts, tickets=None, believed=BELIEVED, blocks=None):
    """Give (anomalies, attendance), the same for every order of arrival."""
    reports = [
        reconcile(SHOW, ["door"], tickets or {}, order, believed=believed, blocks=blocks or {})
        for order in permutations(facts)
    ]
    results = [
        ([(one.passage.gate, one.reason.value) for one in report.anomalies], report.attendance)
        for report in reports
    ]
    assert all(result == results[0] for result in results)
    return results[0][0], results[0][1]["show"]


def test_a_proven_ticket_counts_as_listed():
    assert truth(passed("north", 1)) == ([], 1)


def test_two_gates_that_admitted_one_proven_ticket_are_told_of():
    assert truth(passed("north", 1), passed("south", 2)) == ([("south", "already_used")], 1)


def test_a_class_that_no_issuer_may_bring_is_not_believed():
    facts = [passed("north", 1, ticket_class=TicketClass("king", Single()))]
    assert truth(*facts) == ([("north", "unknown_ticket")], 0)
    assert truth(passed("north", 1), believed={}) == ([("north", "unknown_ticket")], 0)
    assert truth(passed("north", 1), believed={"other": {ONCE}})[0] == [("north", "unknown_ticket")]
    assert truth(passed("north", 1, ticket_class=None))[0] == [("north", "unknown_ticket")]


def test_a_passage_that_nobody_says_was_proven_is_of_an_unknown_ticket():
    assert truth(passed("north", 1, proven=False)) == ([("north", "unknown_ticket")], 0)


def test_a_ticket_once_proven_is_listed_at_every_checkpoint():
    elsewhere = passed("south", 2, Direction.ENTRY, checkpoint="other", proven=False)
    assert truth(passed("north", 1), elsewhere) == ([], 1)


def test_where_a_list_holds_the_number_its_entry_alone_counts():
    listed = {("show", b"T1"): ListedTicket(EntryExit())}
    facts = [passed("north", 1), passed("north", 2, Direction.EXIT)]
    assert truth(*facts, tickets=listed, blocks=blocked(0)) == ([], 1)


def test_of_several_classes_the_one_that_passed_last_counts():
    facts = [passed("north", 1), passed("south", 2, Direction.EXIT, ticket_class=ROUND)]
    assert truth(*facts) == ([], 1)
    facts = [passed("north", 1, ticket_class=ROUND), passed("south", 2, Direction.EXIT)]
    assert truth(*facts) == ([("south", "exit_not_allowed")], 1)


def test_a_number_revoked_after_it_passed_was_good():
    assert truth(passed("north", 1), blocks=blocked(2)) == ([], 1)


def test_a_number_that_passed_although_it_was_revoked_is_blocked_and_no_ticket():
    assert truth(passed("north", 3), blocks=blocked(2)) == ([("north", "blocked")], 0)


def test_a_number_that_passed_before_and_after_it_was_revoked_counts_once():
    facts = [passed("north", 1), passed("south", 3)]
    assert truth(*facts, blocks=blocked(2)) == ([("south", "blocked")], 1)


def test_a_number_that_was_released_again_is_good():
    assert truth(passed("north", 3), blocks=blocked(1, until=2)) == ([], 1)


def test_a_blocked_number_that_nobody_proved_is_no_ticket():
    facts = [passed("north", 1, proven=False), passed("south", 3, proven=False)]
    expected = [("north", "unknown_ticket"), ("south", "blocked")]
    assert truth(*facts, blocks=blocked(2)) == (expected, 0)


def test_whoever_is_inside_leaves_with_a_ticket_revoked_meanwhile():
    facts = [
        passed("north", 1, ticket_class=ROUND),
        passed("north", 3, Direction.EXIT, ticket_class=ROUND, proven=False),
    ]
    assert truth(*facts, blocks=blocked(2)) == ([], 1)


def test_whoever_is_inside_leaves_with_a_number_that_was_blocked_all_along():
    facts = [
        passed("north", 3, ticket_class=ROUND),
        passed("south", 4, Direction.EXIT, ticket_class=ROUND, proven=False),
    ]
    assert truth(*facts, blocks=blocked(2)) == ([("north", "blocked")], 0)


def test_a_reset_forgets_a_proven_tickets_passages_and_not_what_it_is():
    reset = Reset("server", 1, EIGHT + timedelta(minutes=2), "door", "show", b"T1")
    assert truth(passed("north", 1), reset, passed("south", 3)) == ([], 1)
    assert truth(passed("north", 1), reset) == ([], 0)


def test_an_override_is_no_proof_and_no_anomaly():
    assert truth(passed("north", 1, proven=False, override=True)) == ([], 0)


def test_two_facts_that_differ_in_the_proof_alone_are_two_contents():
    assert canonical(passed("north", 1)) != canonical(passed("north", 1, proven=False))
