"""What gates hold until their journals tell: nothing is free for two at once, nothing for ever."""

import pytest

from admission.errors import RemoteProtocolError
from admission.journal import Kind, Record
from admission.sync.claims import CLAIM_S_HELD, HELD_MAX, HELD_OF_A_GATE_MAX, ClaimTable
from admission.sync.messages import Claim, Hint

OVER_MS = round(CLAIM_S_HELD * 1000)
AT_MS = 1_780_000_000_000


def a_claim(number=1, ticket=b"T1", at_ms=AT_MS, **fields):
    known = {
        "number": number,
        "checkpoint": "door",
        "performance": "show",
        "identifier": ticket,
        "direction": 1,
        "at_ms": at_ms,
    }
    return Claim(**{**known, **fields})


def a_hint(gate="a", ticket=b"T1", at_ms=AT_MS, **fields):
    return Hint(gate, f"journal {gate}", 7, "door", "show", ticket, 1, at_ms, **fields)


def the_end(kind, ticket=b"T1", at_ms=AT_MS):
    return Record(
        kind=int(kind),
        sequence=9,
        wall_ms=5,
        boot_ms=0,
        boot_id=b"",
        checkpoint="door",
        performance="show",
        identifier=ticket,
        direction=1,
        refers_to=7,
        trusted_ms=at_ms,
    )


@pytest.fixture
def table():
    return ClaimTable()


def test_the_second_gate_finds_what_the_first_holds(table):
    assert table.claim("a", a_claim(), 0) == ()
    (held,) = table.claim("b", a_claim(), 1)
    assert held.gate == "a"


def test_other_tickets_and_places_are_others(table):
    table.claim("a", a_claim(), 0)
    assert table.claim("b", a_claim(ticket=b"T2"), 0) == ()
    assert table.claim("b", a_claim(checkpoint="side"), 0) == ()


def test_a_gate_is_not_in_its_own_way(table):
    table.claim("a", a_claim(1), 0)
    assert table.claim("a", a_claim(2, at_ms=AT_MS + 9), 1) == ()
    assert len(table.claim("b", a_claim(), 2)) == 2


def test_who_was_refused_holds_nothing(table):
    table.claim("a", a_claim(), 0)
    table.release("a", a_claim())
    assert table.claim("b", a_claim(), 1) == ()


@pytest.mark.parametrize("kind", [Kind.PASSED, Kind.NOT_PASSED])
def test_the_journal_ends_what_it_tells_the_end_of(table, kind):
    table.claim("a", a_claim(), 0)
    table.claim("a", a_claim(2, ticket=b"T2"), 0)
    assert table.holds("a")
    table.settle("a", [the_end(Kind.GRANTED), the_end(kind)])
    assert table.claim("b", a_claim(), 1) == ()
    assert len(table.claim("b", a_claim(ticket=b"T2"), 1)) == 1


def test_an_older_passage_of_the_ticket_ends_nothing(table):
    table.claim("a", a_claim(), 0)
    table.settle("a", [the_end(Kind.PASSED, at_ms=AT_MS - 60_000)])
    table.settle("b", [the_end(Kind.PASSED)])
    assert len(table.claim("c", a_claim(), 1)) == 1


def test_what_a_gate_says_it_granted_is_held_unless_it_takes_it_back(table):
    table.hear(a_hint(), 0)
    assert len(table.claim("b", a_claim(), 1)) == 1
    table.hear(a_hint(withdrawn=True), 2)
    assert table.claim("c", a_claim(at_ms=AT_MS + 5), 3)[0].gate == "b"


def test_a_claim_and_the_hint_of_its_grant_are_one(table):
    table.claim("a", a_claim(), 0)
    table.hear(a_hint(), 1)
    assert len(table) == 1


def test_nothing_is_held_for_longer_than_a_minute(table):
    table.claim("a", a_claim(), 0)
    assert len(table.claim("b", a_claim(), OVER_MS - 1)) == 1
    table.release("b", a_claim())
    assert table.claim("c", a_claim(), OVER_MS) == ()


def test_a_gate_that_claims_everything_loses_its_oldest(table):
    table.claim("honest", a_claim(), 0)
    for number in range(HELD_OF_A_GATE_MAX + 10):
        table.claim("flood", a_claim(number + 1, ticket=number.to_bytes(4)), 0)
    assert len(table) == HELD_OF_A_GATE_MAX + 1
    assert len(table.claim("b", a_claim(), 0)) == 1
    assert table.dropped == 10


def test_the_table_is_bounded(table):
    for number in range(HELD_MAX + 100):
        gate, count = f"gate {number // 200}", number % 200
        table.claim(gate, a_claim(count + 1, ticket=count.to_bytes(4)), 0)
    assert len(table) == HELD_MAX


def test_a_claim_that_makes_no_sense_is_refused(table):
    with pytest.raises(RemoteProtocolError, match="claim or hint 1 of a"):
        table.claim("a", a_claim(direction=3), 0)
    assert len(table) == 0
    assert not table.holds("a")
