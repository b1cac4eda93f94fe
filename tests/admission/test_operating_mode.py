"""Connected or degraded, and every cause of it."""

from itertools import product

import pytest

from admission.operating_mode import (
    BACKLOG_RECORDS_MAX,
    Cause,
    Mode,
    Situation,
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
        (Situation(live=True, lists_fresh=False), Cause.LIST_AGE),
        (Situation(live=True, clock_trusted=False), Cause.CLOCK),
        (Situation(live=True, backlog=BACKLOG_RECORDS_MAX + 1), Cause.BACKLOG),
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
