"""Many gates' facts, one truth: named cases, each in every order of arrival."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest

from admission import journal
from admission.journal import Flag, Kind, Record
from admission.passage import FreeCrossing, Passage, Reset, canonical
from admission.reconcile import ListedTicket, StateChange, distinct, reconcile
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, Performance, Single, TicketState

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
SHOW = {"show": Performance("show", ZoneInfo("Europe/Paris"))}
EVENING = datetime.fromisoformat("2026-07-14T19:00:00+02:00")
CANCELED = TicketState.CANCELED


def at(wall):
    hour, minute = wall.split(":")
    return EVENING.replace(hour=int(hour), minute=int(minute))


def passage(gate, direction, wall, sequence=1, **fields):
    known = {
        "checkpoint": "door",
        "performance": "show",
        "identifier": b"T1",
        "direction": direction,
    }
    return Passage(gate, sequence, at(wall), **{**known, **fields})


def truth(rule, *facts, states=(), checkpoints=("door",)):
    """Give the report, after making sure that it is the same for every order of arrival."""
    tickets = {("show", b"T1"): ListedTicket(rule, tuple(states))}
    reports = [reconcile(SHOW, checkpoints, tickets, order) for order in permutations(facts)]
    assert len({as_bytes(report) for report in reports}) == 1
    repeated = reconcile(SHOW, checkpoints, tickets, [*facts, *reversed(facts), *facts])
    assert as_bytes(repeated) == as_bytes(reports[0])
    return reports[0]


def as_bytes(report):
    anomalies = [
        [one.passage.gate, one.passage.sequence, one.reason, canonical(one.passage).decode()]
        for one in report.anomalies
    ]
    return json.dumps([anomalies, report.occupancy, report.attendance]).encode()


def anomalies(report):
    return [(one.passage.gate, one.passage.sequence, one.reason.value) for one in report.anomalies]


# --- named cases ------------------------------------------------------------------------------


def test_of_two_entries_of_a_single_ticket_the_earlier_counts_and_the_later_is_an_anomaly():
    report = truth(Single(), passage("N", ENTRY, "19:30"), passage("S", ENTRY, "19:35"))
    assert anomalies(report) == [("S", 1, "already_used")]
    assert report.attendance == {"show": 1}
    assert report.occupancy == {"door": 2}  # both people are in there


def test_two_entries_and_one_exit_leave_one_person_inside_and_one_anomaly():
    report = truth(
        EntryExit(),
        passage("N", ENTRY, "19:30", 1),
        passage("S", ENTRY, "19:35"),
        passage("N", EXIT, "20:00", 2),
    )
    assert anomalies(report) == [("S", 1, "already_inside")]
    assert report.occupancy == {"door": 1}


def test_in_out_and_in_again_over_two_gates_is_legal():
    report = truth(
        EntryExit(),
        passage("N", ENTRY, "19:30", 1),
        passage("N", EXIT, "19:40", 2),
        passage("S", ENTRY, "19:50"),
    )
    assert anomalies(report) == []
    assert report.occupancy == {"door": 1}


def test_an_exit_without_an_entry_is_an_anomaly_and_the_entry_after_it_is_none():
    report = truth(EntryExit(), passage("N", EXIT, "19:40"), passage("S", ENTRY, "19:50"))
    assert anomalies(report) == [("N", 1, "not_inside")]
    assert report.occupancy == {"door": 0}
    assert report.attendance == {"show": 1}


def test_the_third_passage_of_a_day_is_over_a_daily_limit_of_two():
    report = truth(
        Multi(per_day=2),
        passage("N", ENTRY, "19:30"),
        passage("S", ENTRY, "19:35"),
        passage("W", ENTRY, "19:40"),
    )
    assert anomalies(report) == [("W", 1, "daily_limit_reached")]


def test_the_third_and_fourth_passage_are_over_a_total_of_two_in_either_direction():
    report = truth(
        Multi(total=2),
        passage("N", ENTRY, "19:30", 1),
        passage("S", ENTRY, "19:35"),
        passage("N", EXIT, "19:36", 2),
        passage("W", ENTRY, "19:40"),
    )
    assert anomalies(report) == [("N", 2, "no_passes_left"), ("W", 1, "no_passes_left")]
    assert report.occupancy == {"door": 2}


def test_in_at_one_gate_and_out_at_the_other_twice_is_legal_and_ends_outside():
    report = truth(
        EntryExit(),
        passage("N", ENTRY, "19:30", 1),
        passage("S", EXIT, "19:40", 1),
        passage("N", ENTRY, "19:50", 2),
        passage("S", EXIT, "20:00", 2),
    )
    assert anomalies(report) == []
    assert report.occupancy == {"door": 0}


def test_an_entry_that_was_good_becomes_an_anomaly_when_an_earlier_one_arrives():
    online = passage("S", ENTRY, "19:35")
    tickets = {("show", b"T1"): ListedTicket(Single())}
    assert anomalies(reconcile(SHOW, ["door"], tickets, [online])) == []
    report = truth(Single(), online, passage("N", ENTRY, "19:30"))
    assert anomalies(report) == [("S", 1, "already_used")]


def test_an_entry_after_the_ticket_was_canceled_is_an_anomaly_and_stays_a_passage():
    canceled = StateChange(at("19:20"), CANCELED)
    report = truth(Single(), passage("N", ENTRY, "19:30"), states=[canceled])
    assert anomalies(report) == [("N", 1, "canceled")]
    assert report.occupancy == {"door": 1}
    assert report.attendance == {"show": 1}


def test_an_entry_before_the_ticket_was_canceled_is_no_anomaly():
    canceled = StateChange(at("19:50"), CANCELED)
    report = truth(Single(), passage("N", ENTRY, "19:30"), states=[canceled])
    assert anomalies(report) == []


def test_a_clock_400_days_fast_is_put_right_by_the_offset_known_at_contact():
    offset = timedelta(days=400)
    record = Record(
        kind=Kind.PASSED,
        sequence=1,
        wall_ms=journal.wall_ms(at("19:30") + offset),
        boot_ms=0,
        boot_id=bytes(16),
        flags=Flag.CLOCK_SUSPECT,
        checkpoint="door",
        performance="show",
        identifier=b"T1",
        direction=1,
    )
    corrected = journal.fact_of("N", record, journal.instant(record.wall_ms) - offset)
    assert corrected == passage("N", ENTRY, "19:30")
    report = truth(Single(), corrected, passage("S", ENTRY, "19:35"))
    assert anomalies(report) == [("S", 1, "already_used")]


def test_of_two_entries_at_one_instant_the_gate_then_the_sequence_decides():
    report = truth(Single(), passage("N", ENTRY, "19:30"), passage("S", ENTRY, "19:30"))
    assert anomalies(report) == [("S", 1, "already_used")]
    report = truth(Single(), passage("n", ENTRY, "19:30"), passage("S", ENTRY, "19:30"))
    assert anomalies(report) == [("n", 1, "already_used")]  # by code points
    report = truth(Single(), passage("N", ENTRY, "19:30", 9), passage("N", ENTRY, "19:30", 10))
    assert anomalies(report) == [("N", 10, "already_used")]


def test_an_arm_that_did_not_turn_is_no_fact():
    granted = Record(
        kind=Kind.GRANTED,
        sequence=1,
        wall_ms=journal.wall_ms(at("19:30")),
        boot_ms=0,
        boot_id=bytes(16),
        checkpoint="door",
        performance="show",
        identifier=b"T1",
        direction=1,
    )
    not_passed = journal.placed(journal.ending(granted, Kind.NOT_PASSED, 1), 2, 0)
    facts = [journal.fact_of("N", record) for record in (granted, not_passed)]
    assert facts == [None, None]
    report = truth(Single(), passage("S", ENTRY, "19:35"))
    assert anomalies(report) == []
    assert report.occupancy == {"door": 1}


# --- what a passage is judged by --------------------------------------------------------------


@pytest.mark.parametrize("state", [s for s in TicketState if s is not TicketState.VALID])
def test_a_state_is_its_own_reason_and_comes_before_use(state):
    changes = [StateChange(at("19:32"), state)]
    report = truth(
        Single(), passage("N", ENTRY, "19:30"), passage("S", ENTRY, "19:35"), states=changes
    )
    assert anomalies(report) == [("S", 1, state.value)]


def test_nobody_who_is_inside_leaves_as_an_anomaly():
    report = truth(
        EntryExit(),
        passage("N", ENTRY, "19:30"),
        passage("S", EXIT, "20:00"),
        states=[StateChange(at("19:40"), TicketState.BLOCKED)],
    )
    assert anomalies(report) == []


def test_a_change_of_state_counts_from_its_own_instant_on():
    for wall, expected in (("19:29", []), ("19:30", ["canceled"]), ("19:31", ["canceled"])):
        report = truth(
            Single(), passage("N", ENTRY, wall), states=[StateChange(at("19:30"), CANCELED)]
        )
        assert [reason for _, _, reason in anomalies(report)] == expected


def test_of_two_changes_at_one_instant_the_later_listed_counts():
    both = [StateChange(at("19:30"), CANCELED), StateChange(at("19:30"), TicketState.VALID)]
    assert anomalies(truth(Single(), passage("N", ENTRY, "19:30"), states=both)) == []
    report = truth(Single(), passage("N", ENTRY, "19:30"), states=both[::-1])
    assert anomalies(report) == [("N", 1, "canceled")]


def test_before_its_first_change_a_ticket_is_valid_and_a_change_from_the_beginning_is_one():
    unpaid = StateChange(None, TicketState.UNPAID)
    paid = StateChange(at("19:30"), TicketState.VALID)
    ticket = ListedTicket(Single(), (unpaid, paid))
    assert ticket.state_at(at("19:29")) is TicketState.UNPAID
    assert ticket.state_at(at("19:30")) is TicketState.VALID
    assert ListedTicket(Single(), (paid,)).state_at(at("00:00")) is TicketState.VALID


def test_a_single_ticket_that_left_is_an_anomaly_and_does_not_use_its_entry_up():
    report = truth(Single(), passage("N", EXIT, "19:30"), passage("S", ENTRY, "19:35"))
    assert anomalies(report) == [("N", 1, "exit_not_allowed")]


def test_filters_windows_and_capacity_make_no_anomaly():
    performance = replace(SHOW["show"], canceled=True, admits_until=at("00:00"))
    ticket = {("show", b"T1"): ListedTicket(Single())}
    report = reconcile({"show": performance}, ["door"], ticket, [passage("N", ENTRY, "19:30")])
    assert anomalies(report) == []


def test_a_number_that_is_not_in_its_list_is_an_anomaly_and_no_attendance():
    report = truth(Single(), passage("N", ENTRY, "19:30", identifier=b"T2"))
    assert anomalies(report) == [("N", 1, "unknown_ticket")]
    assert report.occupancy == {"door": 1}
    assert report.attendance == {"show": 0}


def test_a_number_of_no_performance_counts_in_occupancy_only():
    report = truth(Single(), passage("N", EXIT, "19:30", performance=None, identifier=b""))
    assert anomalies(report) == [("N", 1, "unknown_ticket")]
    assert report.occupancy == {"door": -1}
    assert report.attendance == {"show": 0}


def test_an_override_is_never_an_anomaly_and_counts_in_judging_those_after_it():
    report = truth(
        Single(),
        passage("N", ENTRY, "19:30"),
        passage("S", ENTRY, "19:35", override=True),
        passage("W", ENTRY, "19:40"),
    )
    assert anomalies(report) == [("W", 1, "already_used")]
    report = truth(Single(), passage("N", ENTRY, "19:30", override=True, identifier=b"T2"))
    assert anomalies(report) == []


def test_an_anomaly_counts_in_judging_those_after_it():
    report = truth(
        EntryExit(),
        passage("N", EXIT, "19:30"),
        passage("S", ENTRY, "19:35"),
        passage("W", ENTRY, "19:40"),
        passage("W", EXIT, "19:45", 2),
    )
    assert anomalies(report) == [("N", 1, "not_inside"), ("W", 1, "already_inside")]


def test_a_grant_whose_end_is_unknown_counts_as_a_passage():
    report = truth(
        Single(), passage("N", ENTRY, "19:30", unresolved=True), passage("S", ENTRY, "19:35")
    )
    assert anomalies(report) == [("S", 1, "already_used")]


def test_use_at_one_checkpoint_says_nothing_of_another():
    report = truth(
        Single(),
        passage("N", ENTRY, "19:30"),
        passage("S", ENTRY, "19:35", checkpoint="garden"),
        checkpoints=("door", "garden"),
    )
    assert anomalies(report) == []
    assert report.occupancy == {"door": 1, "garden": 1}
    assert report.attendance == {"show": 1}


# --- resets and free crossings ----------------------------------------------------------------


def reset(wall, sequence=1, gate="office", **fields):
    return Reset(gate, sequence, at(wall), **{"checkpoint": "door", "performance": "show"} | fields)


def test_a_reset_forgets_in_judging_occupancy_and_attendance():
    report = truth(
        Single(),
        passage("N", ENTRY, "19:30"),
        reset("19:32", identifier=b"T1"),
        passage("S", EXIT, "19:35", override=True),
    )
    assert anomalies(report) == []
    assert report.occupancy == {"door": -1}
    assert report.attendance == {"show": 1}
    report = truth(Single(), passage("N", ENTRY, "19:30"), reset("19:32", identifier=b"T1"))
    assert (report.occupancy, report.attendance) == ({"door": 0}, {"show": 0})


def test_a_reset_takes_no_anomaly_away():
    report = truth(
        Single(),
        passage("N", ENTRY, "19:30"),
        passage("S", ENTRY, "19:35"),
        reset("19:40", identifier=b"T1"),
        passage("W", ENTRY, "19:45"),
    )
    assert anomalies(report) == [("S", 1, "already_used")]


def test_a_reset_forgets_only_its_performance_number_and_checkpoint():
    first = passage("N", ENTRY, "19:30")
    for other in ({"checkpoint": "garden"}, {"performance": "matinee"}, {"identifier": b"T2"}):
        fields = {"identifier": b"T1"} | other
        report = truth(Single(), first, reset("19:32", **fields), passage("S", ENTRY, "19:35"))
        assert anomalies(report) == [("S", 1, "already_used")]


def test_a_reset_forgets_an_unlisted_number_as_well():
    report = truth(
        Single(), passage("N", ENTRY, "19:30", identifier=b"T2"), reset("19:32", identifier=b"T2")
    )
    assert anomalies(report) == [("N", 1, "unknown_ticket")]
    assert report.occupancy == {"door": 0}


def test_a_reset_at_one_instant_with_a_passage_follows_fold_order():
    for gate, forgotten in (("A", False), ("Z", True)):
        report = truth(
            Single(),
            passage("N", ENTRY, "19:30"),
            reset("19:30", gate=gate, identifier=b"T1"),
            passage("S", ENTRY, "19:35"),
        )
        assert anomalies(report) == ([] if forgotten else [("S", 1, "already_used")])


def test_a_reset_does_not_forget_free_crossings():
    free = FreeCrossing("N", 7, at("19:30"), "door", ENTRY)
    report = truth(Single(), free, reset("19:40", identifier=b""))
    assert report.occupancy == {"door": 1}


def test_every_checkpoint_and_performance_is_listed_zeros_too():
    performances = {name: Performance(name, ZoneInfo("UTC")) for name in ("b", "a")}
    report = reconcile(performances, ["south", "north"], {}, [])
    assert report.occupancy == {"south": 0, "north": 0}
    assert report.attendance == {"b": 0, "a": 0}


def test_a_checkpoint_that_nobody_listed_is_counted_all_the_same():
    report = truth(
        Single(),
        FreeCrossing("N", 1, at("19:30"), "z", ENTRY),
        FreeCrossing("N", 2, at("19:30"), "a", EXIT),
    )
    assert list(report.occupancy.items()) == [("door", 0), ("a", -1), ("z", 1)]


def test_a_ticket_of_a_performance_that_nobody_listed_is_unknown():
    tickets = {("matinee", b"T1"): ListedTicket(Single())}
    facts = [passage("N", ENTRY, "19:30", performance="matinee")]
    report = reconcile(SHOW, ["door"], tickets, facts)
    assert anomalies(report) == [("N", 1, "unknown_ticket")]
    assert report.attendance == {"show": 0}


# --- forks ------------------------------------------------------------------------------------


def test_the_same_pair_with_another_content_is_a_fork_and_both_are_folded():
    one = passage("N", ENTRY, "19:30")
    other = replace(one, at=at("19:31"))
    assert distinct([one, other, one, other]) == [one, other]
    report = truth(Single(), one, other)
    assert anomalies(report) == [("N", 1, "already_used")]
    assert report.occupancy == {"door": 2}


def test_a_fork_at_one_instant_is_folded_in_one_order_only():
    one = passage("N", ENTRY, "19:30")
    report = truth(EntryExit(), one, replace(one, direction=EXIT))
    assert len(report.anomalies) in (0, 1)
    assert report.occupancy == {"door": 0}
