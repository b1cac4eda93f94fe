"""The report is one, whatever the order, the batches and the repetitions in which facts arrived."""

import json
from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from admission.passage import FreeCrossing, Passage, Reset, canonical, fold_key, key_of, step
from admission.reconcile import ListedTicket, StateChange, fold_ticket, reconcile
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, Performance, Single, TicketState

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

EVENING = datetime.fromisoformat("2026-07-14T19:00:00+02:00")
GATES = ("N", "n", "é", "g10", "g2")
CHECKPOINTS = ("door", "garden")
NUMBERS = ("T1", "T2", "T3", "?")
RULES = (Single(), EntryExit(), Multi(total=2), Multi(per_day=1), Multi(3, 2))

place = {
    "gate": st.sampled_from(GATES),
    "sequence": st.integers(1, 5),
    "at": st.integers(-2, 3).map(lambda step: EVENING + step * timedelta(hours=3)),
    "checkpoint": st.sampled_from((*CHECKPOINTS, "door", "door", "unlisted", "aside")),
}
performances = st.sampled_from(("show", "show", "matinee", "nowhere"))
identifiers = st.sampled_from(("T1", "T1", *NUMBERS)).map(str.encode)
drawn_facts = st.lists(
    st.one_of(
        st.builds(
            Passage,
            **place,
            performance=st.none() | performances,
            identifier=identifiers,
            direction=st.sampled_from(Direction),
            override=st.booleans(),
            unresolved=st.booleans(),
        ),
        st.builds(
            Passage,
            **place,
            performance=st.just("show"),
            identifier=identifiers,
            direction=st.sampled_from(Direction),
        ),
        st.builds(Reset, **place, performance=performances, identifier=identifiers),
        st.builds(FreeCrossing, **place, direction=st.sampled_from(Direction)),
    ),
    max_size=14,
)
changes = st.lists(
    st.tuples(st.none() | place["at"], st.sampled_from(TicketState)), max_size=3
).map(
    lambda drawn: (
        tuple(
            StateChange(since, state)
            for since, state in sorted(
                drawn, key=lambda change: (change[0] is not None, change[0] or 0)
            )
        )
        if sum(since is None for since, _ in drawn) <= 1
        else ()
    )
)
tickets = st.fixed_dictionaries(
    {
        (name, number.encode()): st.builds(ListedTicket, st.sampled_from(RULES), changes)
        for name in ("show", "matinee")
        for number in NUMBERS[:3]
    }
)
PERFORMANCES = {
    "show": Performance("show", ZoneInfo("Europe/Paris")),
    "matinee": Performance("matinee", ZoneInfo("Australia/Lord_Howe")),
}


def as_bytes(report):
    anomalies = [
        [one.passage.gate, one.passage.sequence, one.reason, canonical(one.passage).decode()]
        for one in report.anomalies
    ]
    return json.dumps([anomalies, report.occupancy, report.attendance]).encode()


@half
@given(drawn_facts, tickets, st.data())
def test_any_order_batching_and_repetition_gives_the_same_report_byte_for_byte(facts, listed, data):
    report = as_bytes(reconcile(PERFORMANCES, CHECKPOINTS, listed, facts))
    order = data.draw(st.permutations(facts))
    again = data.draw(st.lists(st.sampled_from(facts), max_size=5)) if facts else []
    cut = data.draw(st.integers(0, len(order)))
    batches = [order[cut:], again, order[:cut]]
    arrived = [fact for batch in batches for fact in batch]
    assert as_bytes(reconcile(PERFORMANCES, CHECKPOINTS, listed, arrived)) == report


@half
@given(drawn_facts, tickets)
def test_folding_again_only_the_tickets_that_a_batch_touches_gives_the_whole_report(facts, listed):
    known, folds = defaultdict(list), {}
    free, used = defaultdict(set), set()
    for fact in facts:  # each of them a batch of its own
        if isinstance(fact, FreeCrossing):
            free[fact.checkpoint].add(fact)
            continue
        key = key_of(fact)
        if fact not in known[key]:
            known[key].append(fact)
        performance = PERFORMANCES.get(key.performance)
        ticket = listed.get((key.performance, key.identifier))
        folds[key] = fold_ticket(known[key], performance, ticket)
    occupancy = dict.fromkeys((*CHECKPOINTS, *sorted({fact.checkpoint for fact in facts})), 0)
    for checkpoint, crossings in free.items():
        occupancy[checkpoint] += sum(step(crossing.direction) for crossing in crossings)
    for key, fold in folds.items():
        occupancy[key.checkpoint] += fold.occupancy
        if fold.is_used and (key.performance, key.identifier) in listed:
            used.add((key.performance, key.identifier))
    found = [anomaly for fold in folds.values() for anomaly in fold.anomalies]
    report = reconcile(PERFORMANCES, CHECKPOINTS, listed, facts)
    assert sorted(found, key=lambda one: fold_key(one.passage)) == list(report.anomalies)
    assert occupancy == report.occupancy
    assert report.attendance == {
        name: sum(performance == name for performance, _ in used) for name in PERFORMANCES
    }


@half
@given(drawn_facts, tickets)
def test_what_is_folded_are_the_facts_and_nothing_is_lost(facts, listed):
    report = reconcile(PERFORMANCES, CHECKPOINTS, listed, facts)
    keys = [fold_key(anomaly.passage) for anomaly in report.anomalies]
    assert keys == sorted(keys)
    assert all(anomaly.passage in facts for anomaly in report.anomalies)
    assert not any(anomaly.passage.override for anomaly in report.anomalies)
    if not any(isinstance(fact, Reset) for fact in facts):
        crossings = {
            canonical(fact) + fact.gate.encode() + b"%d" % fact.sequence: fact for fact in facts
        }
        assert sum(report.occupancy.values()) == sum(
            step(fact.direction) for fact in crossings.values()
        )
