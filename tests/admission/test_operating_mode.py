"""Connected or degraded, and every cause of it."""

from itertools import product

import pytest

from admission.operating_mode import (
    BACKLOG_RECORDS_LOW,
    BACKLOG_RECORDS_MAX,
    QUEUE_S_LOW,
    QUEUE_S_MAX,
    STEADY_S,
    Cause,
    Mode,
    QueueAge,
    Situation,
    Steadiness,
    age_s,
    causes_of,
    mode_of,
)


def test_a_gate_with_link_fresh_lists_clock_and_no_backlog_is_connected():
    causes = causes_of(Situation(live=True))
    assert causes == ()
    assert mode_of(causes) is Mode.CONNECTED


@pytest.mark.parametrize(
    ("situation", "cause"),
    [
        (Situation(live=False), Cause.LINK),
        (Situation(live=False, peers=2), Cause.PEERS_ONLY),
        (Situation(live=True, lists_fresh=False), Cause.LIST_AGE),
        (Situation(live=True, clock_trusted=False), Cause.CLOCK),
        (Situation(live=True, backlog=BACKLOG_RECORDS_MAX + 1), Cause.BACKLOG),
        (Situation(live=True, backlog=1, queued_s=QUEUE_S_MAX + 1), Cause.BACKLOG),
    ],
)
def test_each_cause_alone_degrades(situation, cause):
    assert causes_of(situation) == (cause,)
    assert mode_of((cause,)) is Mode.DEGRADED


def test_a_backlog_at_its_limit_does_not_degrade_yet():
    assert causes_of(Situation(live=True, backlog=BACKLOG_RECORDS_MAX)) == ()


def test_all_causes_are_told_the_most_telling_first():
    worst = Situation(live=False, lists_fresh=False, clock_trusted=False, backlog=10_000)
    assert causes_of(worst) == (Cause.LINK, Cause.LIST_AGE, Cause.CLOCK, Cause.BACKLOG)


def test_a_gate_is_connected_exactly_when_nothing_is_wrong():
    for live, fresh, trusted, behind in product((True, False), repeat=4):
        backlog = 0 if behind else BACKLOG_RECORDS_MAX + 1
        causes = causes_of(Situation(live, fresh, trusted, backlog))
        assert len(causes) == [live, fresh, trusted, behind].count(False)
        assert (mode_of(causes) is Mode.CONNECTED) is (not causes)


def test_peers_beside_a_link_change_nothing():
    assert causes_of(Situation(live=True, peers=3)) == ()


# --- what has begun at a limit ends well below it -------------------------------------------------

LATE = (Cause.BACKLOG,)


@pytest.mark.parametrize(
    ("backlog", "queued_s", "before", "after"),
    [
        (BACKLOG_RECORDS_MAX, 0, (), ()),
        (BACKLOG_RECORDS_MAX + 1, 0, (), LATE),
        (BACKLOG_RECORDS_MAX, 0, LATE, LATE),
        (BACKLOG_RECORDS_LOW + 1, 0, LATE, LATE),
        (BACKLOG_RECORDS_LOW, 0, LATE, ()),
        (1, QUEUE_S_MAX, (), ()),
        (1, QUEUE_S_MAX + 1, (), LATE),
        (1, QUEUE_S_LOW + 1, LATE, LATE),
        (1, QUEUE_S_LOW, LATE, ()),
    ],
)
def test_a_backlog_ends_well_below_the_limit_at_which_it_begins(backlog, queued_s, before, after):
    assert causes_of(Situation(True, backlog=backlog, queued_s=queued_s), before) == after


DOWN = (Cause.LINK,)


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        ([(0, DOWN), (1, ())], [DOWN, ()]),  # the first return is shown at once
        ([(0, ()), (1, DOWN), (2, ())], [(), DOWN, ()]),  # the first loss: likewise
        ([(0, ()), (STEADY_S, DOWN), (STEADY_S + 1, ())], [(), DOWN, ()]),
        ([(0, DOWN), (1, ()), (2, DOWN), (3, ()), (4, ())], [DOWN, (), DOWN, DOWN, DOWN]),
        (
            [(0, DOWN), (1, ()), (2, DOWN), (3, ()), (3 + STEADY_S, ()), (14, DOWN), (15, ())],
            [DOWN, (), DOWN, DOWN, (), DOWN, ()],
        ),
    ],
)
def test_a_link_that_comes_and_goes_does_not_make_the_display_flicker(steps, shown):
    steadiness = Steadiness()
    assert [steadiness.shown(causes, now_s) for now_s, causes in steps] == shown


# --- how old what is known has become -------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "age"),
    [
        (Cause.LINK, 7),
        (Cause.PEERS_ONLY, 7),
        (Cause.LIST_AGE, 8),
        (Cause.BACKLOG, 9),
        (Cause.CLOCK, None),
    ],
)
def test_each_cause_has_the_age_of_what_it_is_about(cause, age):
    situation = Situation(live=False, heard_s=7, list_age_s=8, queued_s=9)
    assert age_s(cause, situation) == age


def test_the_oldest_record_waits_from_when_it_was_seen_until_the_server_has_it():
    queue = QueueAge()
    assert queue.wait_s(5, 5, 0) == 0
    assert queue.wait_s(6, 5, 10) == 0
    assert queue.wait_s(8, 5, 30) == 20
    assert queue.wait_s(8, 6, 40) == 10  # what is left was seen at 30
    assert queue.wait_s(8, 8, 50) == 0
    assert queue.wait_s(9, 8, 60) == 0
    assert queue.wait_s(1, 0, 70) == 0  # a journal begun anew
    assert queue.wait_s(1, 0, 75) == 5


def test_the_wait_of_a_long_backlog_is_bounded_in_memory_and_never_told_too_short():
    queue = QueueAge()
    for second in range(2_000):
        assert queue.wait_s(second + 1, 0, second) == second
    assert len(queue._marks) <= 257
