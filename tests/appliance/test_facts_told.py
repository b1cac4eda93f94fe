"""What the server tells of facts that a gate knows: their times are right by the server's clock."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from admission import journal
from admission.journal import Flag, Kind
from admission.passage import History, Passage, Reset, TicketKey
from admission.scan import Direction
from admission.sync.messages import FeedItem
from admission.ticket import EntryExit, TicketClass
from appliance.feed_keeper import take_told

NOON = datetime.fromisoformat("2026-07-14T12:00:00+00:00")
KEY = TicketKey("door", "show", b"T1")
OWN = Passage(
    "own", 1, NOON, "door", "show", b"T1", Direction.ENTRY,
    ticket_class=TicketClass("standard", EntryExit()), proven=True,
)  # fmt: skip


def tell(history, fact, variant=0):
    """Have the server tell a fact."""
    is_reset = isinstance(fact, Reset)
    item = FeedItem(
        number=1,
        kind=int(Kind.RESET if is_reset else Kind.PASSED),
        gate=fact.gate,
        sequence=fact.sequence,
        at_us=journal.microseconds(fact.at),
        checkpoint=fact.checkpoint,
        performance=fact.performance,
        identifier=fact.identifier,
        direction=0 if is_reset else journal.direction_code(fact.direction),
        flags=0 if is_reset else int(Flag.PROVEN),
        ticket_class=None if is_reset else journal.class_code(fact.ticket_class),
        variant=variant,
    )
    take_told(history, "own".__eq__, item)


@pytest.fixture
def history():
    history = History()
    history.add(OWN)
    return history


def test_a_gate_whose_clock_was_fast_folds_its_own_passage_where_it_belongs(history):
    exit_elsewhere = replace(
        OWN, gate="other", at=NOON - timedelta(days=300), direction=Direction.EXIT
    )
    tell(history, exit_elsewhere)
    assert history.use(KEY, None).is_inside
    tell(history, replace(OWN, at=NOON - timedelta(days=400)))
    assert not history.use(KEY, None).is_inside


def test_a_time_of_another_gates_fact_is_corrected(history):
    other = replace(OWN, gate="other")
    tell(history, other)
    moved = replace(other, at=NOON + timedelta(hours=1))
    tell(history, moved)
    assert history.facts_of(KEY) == (OWN, moved)


@pytest.mark.parametrize(
    "told",
    [
        replace(OWN, at=NOON + timedelta(1), direction=Direction.EXIT),
        replace(OWN, sequence=2, at=NOON + timedelta(1)),
        Reset("own", 1, NOON + timedelta(1), "door", "show", b"T1"),
    ],
)
def test_what_another_card_did_in_our_name_counts_besides(history, told, caplog):
    tell(history, told)
    assert history.facts_of(KEY) == (OWN, told)
    assert "another card" in caplog.text
    tell(history, told)
    assert history.facts_of(KEY) == (OWN, told)


def test_two_cards_that_wrote_alike_at_one_place_count_both_in_whatever_order_they_are_told(
    history,
):
    here, there = replace(OWN, at=NOON + timedelta(hours=1)), replace(OWN, at=NOON + timedelta(1))
    for order in ((here, 0, there, 1), (there, 1, here, 0), (there, 0, here, 1)):
        again = History()
        again.add(OWN)
        for _ in range(2):  # told again, it is the same again
            tell(again, order[0], order[1])
            tell(again, order[2], order[3])
            assert again.facts_of(KEY) == (here, there)
        assert again.occupancy("door") == 2


def test_what_another_card_wrote_before_we_wrote_alike_stays_its_own(history):
    theirs = replace(OWN, sequence=2, at=NOON + timedelta(hours=1))
    tell(history, theirs)
    mine = replace(theirs, at=NOON + timedelta(hours=2))
    history.add(mine)
    tell(history, theirs)
    tell(history, mine, 1)
    assert history.facts_of(KEY) == (OWN, theirs, mine)


def test_what_this_gate_writes_itself_counts_although_another_card_wrote_as_much(history):
    tell(history, replace(OWN, sequence=2, identifier=b"T2"))
    mine = replace(OWN, sequence=2, at=NOON + timedelta(1), identifier=b"T3")
    assert history.add(mine)
    assert history.facts_of(TicketKey("door", "show", b"T3")) == (mine,)
    assert history.occupancy("door") == 3


def test_both_contents_of_a_forked_record_count(history):
    one = replace(OWN, gate="other", at=NOON + timedelta(1))
    two = replace(one, at=NOON + timedelta(2))
    for fact, variant in ((one, 0), (two, 1), (one, 0)):
        tell(history, fact, variant)
    assert history.facts_of(KEY) == (OWN, one, two)


def test_what_another_card_did_at_the_place_of_our_pending_grant_counts_besides(history):
    pending = replace(OWN, sequence=2, at=NOON + timedelta(minutes=1))
    history.pend(pending)
    theirs = replace(pending, at=NOON + timedelta(minutes=2))
    tell(history, theirs)
    assert history.facts_of(KEY) == (OWN, pending, theirs)
    history.take_back(pending)
    assert history.facts_of(KEY) == (OWN, theirs)
