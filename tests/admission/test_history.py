"""What a gate knows: each fact once, in fold order, and grants that may be taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission.passage import (
    FreeCrossing,
    History,
    Passage,
    Reset,
    TicketKey,
    TicketUse,
    canonical,
    fold_key,
)
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, Performance, Single, TicketClass

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")
KEY = TicketKey("door", "show", b"T1")
PASSAGE = Passage("north", 1, NOON, "door", "show", b"T1", ENTRY)


def test_a_fact_that_comes_again_is_the_same_fact():
    history = History()
    assert history.add(PASSAGE)
    assert not history.add(PASSAGE)
    assert history.facts_of(KEY) == (PASSAGE,)
    assert history.occupancy("door") == 1


def test_a_free_crossing_that_comes_again_counts_once():
    history = History()
    crossing = FreeCrossing("north", 1, NOON, "door", ENTRY)
    assert [history.add(crossing), history.add(crossing)] == [True, False]
    assert history.occupancy("door") == 1


def test_a_gate_counts_a_pair_of_gate_and_sequence_once_whatever_it_says():
    history = History()
    history.add(PASSAGE)
    assert not history.add(replace(PASSAGE, at=NOON + timedelta(seconds=2)))
    assert history.facts_of(KEY) == (PASSAGE,)


def test_a_corrected_fact_takes_the_place_of_what_was_known_of_it():
    history = History()
    south = replace(PASSAGE, gate="south", at=NOON + timedelta(minutes=1), direction=EXIT)
    history.add(PASSAGE)
    history.add(south)
    moved = replace(PASSAGE, at=NOON + timedelta(hours=1))
    assert history.correct(moved)
    assert not history.correct(moved)
    assert history.facts_of(KEY) == (south, moved)
    assert history.use(KEY, None).is_inside
    assert history.occupancy("door") == 0
    assert history.known("north", 1) == moved


def test_a_corrected_fact_may_be_of_another_ticket_or_of_none():
    history = History()
    history.add(PASSAGE)
    history.correct(replace(PASSAGE, identifier=b"T2"))
    assert history.facts_of(KEY) == ()
    assert history.occupancy("door") == 1
    history.correct(FreeCrossing("north", 1, NOON, "door", EXIT))
    assert list(history) == []
    assert history.occupancy("door") == -1
    history.correct(PASSAGE)
    assert history.occupancy("door") == 1


def test_a_correction_of_what_is_not_known_is_a_fact():
    history = History()
    assert history.correct(PASSAGE)
    assert history.facts_of(KEY) == (PASSAGE,)
    assert history.known("north", 2) is None


def test_facts_stand_in_fold_order():
    history = History()
    later = replace(PASSAGE, sequence=2, at=NOON + timedelta(minutes=1))
    south = replace(PASSAGE, gate="south")
    for fact in (later, south, PASSAGE):
        history.add(fact)
    assert history.facts_of(KEY) == (PASSAGE, south, later)
    assert list(history) == [PASSAGE, south, later]


def test_a_grant_taken_back_leaves_nothing_and_may_be_added_again():
    history = History()
    assert history.pend(PASSAGE)
    assert not history.pend(PASSAGE)
    assert (history.facts_of(KEY), history.occupancy("door")) == ((PASSAGE,), 1)
    history.take_back(PASSAGE)
    assert history.facts_of(KEY) == ()
    assert history.occupancy("door") == 0
    assert history.remembered_class("show", b"T1") is None
    assert history.add(PASSAGE)


def test_a_pending_grant_is_taken_back_from_beside_a_fact_of_its_place_and_content():
    history = History()
    history.pend(PASSAGE)
    assert history.known("north", 1) is None
    told = replace(PASSAGE, at=NOON + timedelta(seconds=1))
    assert history.correct(told)
    assert history.add(PASSAGE) is False
    history.take_back(PASSAGE)
    assert history.facts_of(KEY) == (told,)
    assert history.occupancy("door") == 1


def test_what_is_not_known_cannot_be_taken_back_and_nothing_changes():
    history = History()
    history.pend(PASSAGE)
    for stranger in (
        replace(PASSAGE, sequence=2),
        replace(PASSAGE, at=NOON + timedelta(seconds=1)),
        replace(PASSAGE, direction=EXIT),
        replace(PASSAGE, identifier=b"T2"),
    ):
        with pytest.raises(KeyError):
            history.take_back(stranger)
    assert history.facts_of(KEY) == (PASSAGE,)
    assert history.occupancy("door") == 1
    assert not history.pend(PASSAGE)


def test_use_tells_the_last_passage_and_the_days():
    history = History()
    exit_ = replace(PASSAGE, sequence=2, at=NOON + timedelta(days=1), direction=EXIT)
    history.add(PASSAGE)
    history.add(exit_)
    use = history.use(KEY, Performance("show", UTC))
    assert (use.entries, use.passages, use.is_inside, use.last) == (1, 2, False, exit_)
    assert use.days == [NOON.date(), exit_.at.date()]
    history.add(Reset("office", 1, exit_.at + timedelta(hours=1), "door", "show", b"T1"))
    assert history.use(KEY, None) == TicketUse()


def test_the_class_that_is_remembered_is_that_of_the_last_passage_anywhere():
    history = History()
    first, last = TicketClass("old", Single()), TicketClass("new", EntryExit())
    history.add(replace(PASSAGE, sequence=2, at=NOON + timedelta(hours=1), ticket_class=last))
    history.add(replace(PASSAGE, checkpoint="garden", ticket_class=first))
    assert history.remembered_class("show", b"T1") == last
    history.add(Reset("office", 1, NOON + timedelta(hours=2), "door", "show", b"T1"))
    assert history.remembered_class("show", b"T1") == first


# --- fold order -------------------------------------------------------------------------------

names = st.text(max_size=3) | st.sampled_from(("a", "a\x1fb", "None", "', '", "\ud800"))
instants = st.builds(
    lambda minute, hours: (NOON + timedelta(minutes=minute)).astimezone(
        timezone(timedelta(hours=hours))
    ),
    st.integers(-1, 1),
    st.integers(-11, 13),
)
classes = st.none() | st.builds(
    TicketClass, names, st.sampled_from((Single(), EntryExit(), Multi(), Multi(1), Multi(None, 1)))
)
place = {
    "gate": st.just("north"),
    "sequence": st.just(1),
    "at": instants,
    "checkpoint": names,
}
facts = st.one_of(
    st.builds(
        Passage,
        **place,
        performance=st.none() | names,
        identifier=st.binary(max_size=2),
        direction=st.sampled_from(Direction),
        override=st.booleans(),
        unresolved=st.booleans(),
        ticket_class=classes,
    ),
    st.builds(Reset, **place, performance=names, identifier=st.binary(max_size=2)),
    st.builds(FreeCrossing, **place, direction=st.sampled_from(Direction)),
)


@half
@given(facts, facts)
def test_canonical_bytes_are_equal_exactly_when_the_content_is(one, other):
    assert (canonical(one) == canonical(other)) is (one == other)
    assert canonical(one) == canonical(replace(one))


def test_canonical_bytes_do_not_depend_on_the_offset_an_instant_is_written_in():
    there = replace(PASSAGE, at=NOON.astimezone(timezone(timedelta(hours=5))))
    assert there == PASSAGE
    assert canonical(there) == canonical(PASSAGE)


def test_names_that_hold_separators_make_no_two_facts_alike():
    one = replace(PASSAGE, checkpoint="door\x1fshow", performance="x")
    other = replace(PASSAGE, checkpoint="door", performance="show\x1fx")
    assert canonical(one) != canonical(other)
    assert canonical(replace(PASSAGE, performance="None")) != canonical(
        replace(PASSAGE, performance=None)
    )


@half
@given(st.lists(facts, max_size=6), st.randoms(use_true_random=False))
def test_fold_order_is_one_whatever_the_order_of_arrival(drawn, order):
    shuffled = drawn[:]
    order.shuffle(shuffled)
    assert sorted(shuffled, key=fold_key) == sorted(drawn, key=fold_key)
