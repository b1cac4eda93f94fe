"""The stored report equals the one from scratch, whatever the order, batches and repetition."""

import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from admission import journal
from admission.journal import Flag, Kind
from admission.passage import Reset
from admission.sync.feed_items import fact_of_item
from admission.sync.gate_side import AckUpTo, Uploader
from admission.sync.messages import Moment
from admission.sync.server_side import Head
from admission.ticketlist.identifiers import identify
from journal_books import BOOT, NOW_MS, Book, record
from portillon.conformance import (
    instant,
    read_fact,
    read_scenarios,
)
from sync_server.entities import (
    Checkpoint,
    Event,
    Organization,
    Performance,
    Venue,
    microseconds,
)
from sync_server.errors import ConflictError
from sync_server.journal_ports import StatedFact
from sync_server.ledger import Ledger
from sync_server.reconciling import Reconciling, absorb
from sync_server.reporting import Reporting
from sync_server.storage.tables import ticket_classes, ticket_states, tickets

CONFORMANCE = Path(__file__).parents[1] / "conformance"


@pytest.fixture
def reconciling(venue, clock):
    clock.at_us = NOW_MS * 1000
    return Reconciling(venue, clock)


async def sums(database):
    return await Reporting(database, Ledger(None, None)).rules("root")


async def test_a_batch_is_acknowledged_with_the_chain_value_of_its_last_record(reconciling):
    book = Book("j", record(1), record(2))
    taken = await reconciling.take("g0", book.batch())
    assert (taken.ack.head, taken.ack.chain) == (2, book.rows[1].chain)
    assert not taken.ack.conflict
    assert taken.streams == {"p0"}


async def test_the_same_batch_three_times_is_as_once(reconciling, venue):
    book = Book("j", record(1), record(2, identifier=b"k" * 16))
    for _ in range(3):
        taken = await reconciling.take("g0", book.batch())
        assert taken.ack.head == 2
    assert (await sums(venue)).occupancy == {"c0": 2}
    assert [item.number for item in (await reconciling.feed("p0", 0)).items] == [1, 2]


async def test_overlapping_batches_bring_only_what_is_new(reconciling):
    book = Book("j", *(record(n, identifier=bytes([n]) * 16) for n in range(1, 6)))
    await reconciling.take("g0", book.batch(1, 3))
    taken = await reconciling.take("g0", book.batch(2, 5))
    assert taken.ack.head == 5
    items = (await reconciling.feed("p0", 0)).items
    assert [(item.number, item.sequence) for item in items] == [(n, n) for n in range(1, 6)]


async def test_a_gap_is_refused_with_the_head_that_is_held(reconciling):
    book = Book("j", record(1), record(2), record(3))
    await reconciling.take("g0", book.batch(1, 1))
    taken = await reconciling.take("g0", book.batch(3, 3))
    assert taken.ack.conflict
    assert (taken.ack.head, taken.ack.chain) == (1, book.rows[0].chain)


async def test_a_malformed_record_is_kept_and_reported_and_the_others_count(reconciling, venue):
    book = Book("j", record(1), b"\xc1 no record", record(3, identifier=b"k" * 16))
    taken = await reconciling.take("g0", book.batch())
    assert taken.ack.head == 3
    assert [bad.sequence for bad in taken.ack.malformed] == [2]
    assert (await sums(venue)).occupancy == {"c0": 2}
    async with venue.read() as transaction:
        assert len(await transaction.journals.chains("j", 1, 3)) == 3


async def test_a_cloned_card_overwrites_nothing_and_both_passages_count(reconciling, venue):
    first = Book("j", record(1), record(2, identifier=b"k" * 16))
    clone = Book("j", record(1), record(2, identifier=b"l" * 16))
    await reconciling.take("g0", first.batch())
    taken = await reconciling.take("g0", clone.batch())
    assert taken.ack.conflict
    assert taken.ack.chain == first.rows[1].chain
    again = await reconciling.take("g0", clone.batch())
    assert again.ack.conflict
    assert (await sums(venue)).occupancy == {"c0": 3}


async def test_a_journal_of_another_gate_is_refused(reconciling):
    await reconciling.take("g0", Book("j", record(1)).batch())
    with pytest.raises(ConflictError, match="another gate"):
        await reconciling.take("g1", Book("j", record(1)).batch())


async def test_a_clock_400_days_fast_is_corrected_by_the_first_contact_after_its_start(
    reconciling,
):
    fast_ms = NOW_MS + 400 * 86_400_000
    book = Book("j", record(1, wall_ms=fast_ms, boot_ms=5_000_000))
    await reconciling.take("g0", book.batch(wall_ms=fast_ms + 60_000, boot_ms=5_060_000))
    (item,) = (await reconciling.feed("p0", 0)).items
    assert item.at_us == (NOW_MS - 60_000) * 1000


async def test_a_clock_that_is_nearly_right_is_taken_as_it_is(reconciling):
    book = Book("j", record(1, wall_ms=NOW_MS, boot_ms=5_000_000))
    await reconciling.take("g0", book.batch(wall_ms=NOW_MS + 1900, boot_ms=5_000_500))
    (item,) = (await reconciling.feed("p0", 0)).items
    assert item.at_us == NOW_MS * 1000


@pytest.mark.parametrize(
    ("boot_ms", "sent_boot_ms"),
    [
        (2**63 - 1, 2**63 - 1),
        (2**63 - 1, 0),
        (-(2**63), -(2**63)),
        (5_000_000, -(2**63)),
        (0, 2**62),
    ],
)
async def test_a_machine_whose_count_is_nonsense_is_taken_at_its_clocks_word(
    reconciling, venue, boot_ms, sent_boot_ms
):
    book = Book("j", record(1, wall_ms=NOW_MS, boot_ms=boot_ms, flags=2**62 | int(Flag.STALE)))
    taken = await reconciling.take("g0", book.batch(wall_ms=NOW_MS, boot_ms=sent_boot_ms))
    assert taken.ack.head == 1
    (item,) = (await reconciling.feed("p0", 0)).items
    assert item.at_us == NOW_MS * 1000


async def test_the_first_measurement_of_a_machines_start_stays(reconciling):
    fast_ms = NOW_MS + 3_600_000
    book = Book("j", *(record(n, wall_ms=fast_ms, boot_ms=5_000_000 + n) for n in (1, 2)))
    await reconciling.take("g0", book.batch(1, 1, wall_ms=fast_ms, boot_ms=5_000_000))
    await reconciling.take("g0", book.batch(2, 2, wall_ms=fast_ms, boot_ms=4_000_000))
    items = (await reconciling.feed("p0", 0)).items
    assert [item.at_us for item in items] == [(NOW_MS + n) * 1000 for n in (1, 2)]


async def test_no_gate_can_write_into_the_servers_own_journal(reconciling, venue):
    with pytest.raises(ConflictError, match="another gate"):
        await reconciling.take("g0", Book("server", record(1)).batch())
    async with venue.write() as transaction:
        await reconciling.reset_within(transaction, "c0", "p0", b"i" * 16, {})
    with pytest.raises(ConflictError, match="another gate"):
        await reconciling.take("g0", Book("server", record(1)).batch())


async def test_a_fork_that_states_the_same_fact_in_other_bytes_counts_once(reconciling, venue):
    await reconciling.take("g0", Book("j", record(1)).batch())
    await reconciling.take("g0", Book("j", record(1, hlc=77)).batch())
    assert (await sums(venue)).occupancy == {"c0": 1}
    assert len((await reconciling.feed("p0", 0)).items) == 1


async def test_a_fact_that_a_fork_brought_first_counts_once(reconciling, venue):
    other = Book("j", record(1, hlc=77), record(2))
    await reconciling.take("g0", Book("j", record(1)).batch())
    await reconciling.take("g0", other.batch())
    await reconciling.take("g0", Book("j", record(1), record(2)).batch())
    assert (await sums(venue)).occupancy == {"c0": 2}


@pytest.mark.parametrize(
    "content",
    [b"\xc1", record(1, direction=7), record(9), record(1, wall_ms=2**62), record(1, Kind.BOOT)],
)
async def test_a_fork_that_states_no_fact_is_kept_and_harms_nothing(reconciling, venue, content):
    await reconciling.take("g0", Book("j", record(1)).batch())
    taken = await reconciling.take("g0", Book("j", content).batch())
    assert taken.ack.conflict
    assert (await sums(venue)).occupancy == {"c0": 1}


async def test_free_crossings_and_unknown_numbers_count_in_occupancy_only(reconciling, venue):
    unknown = {"performance": "", "identifier": b"", "ticket_class": None}
    records = [
        record(1, Kind.FREE, **unknown),
        record(2, Kind.FREE, **unknown),
        record(3, Kind.FREE, **unknown | {"direction": 2}),
        record(4, **unknown),
        record(5, **unknown),
        record(6, Kind.RESET, **unknown | {"direction": 0}),
    ]
    for sequence in range(1, 7):
        await reconciling.take("g0", Book("j", *records).batch(sequence, sequence))
    report = await sums(venue)
    assert report.occupancy == {"c0": 3}
    assert report.attendance == {"p0": 0, "p1": 0}
    assert [one.sequence for one in report.anomalies] == [4, 5]


async def test_an_exit_that_opened_on_a_refusal_is_a_refusal_too(reconciling, venue):
    opened = record(1, Kind.GRANTED, flags=int(Flag.EXIT_POLICY), answer="not_inside")
    passed = record(2, flags=int(Flag.EXIT_POLICY), answer="not_inside", direction=2)
    await reconciling.take("g0", Book("j", opened, passed).batch())
    async with venue.read() as transaction:
        assert await transaction.reports.refused_by_answer(["c0"]) == {"not_inside": 1}


async def test_refusals_are_kept_and_state_no_fact(reconciling, venue):
    book = Book("j", record(1, Kind.DENIED, answer="already_used"))
    taken = await reconciling.take("g0", book.batch())
    assert taken.streams == frozenset()
    assert (await sums(venue)).occupancy == {"c0": 0}


async def test_a_passage_of_no_performance_goes_out_on_its_checkpoints_first_stream(
    reconciling, venue
):
    unknown = record(1, performance="", identifier=b"", ticket_class=None)
    taken = await reconciling.take("g0", Book("j", unknown).batch())
    assert taken.streams == {"p0"}
    assert [one.reason for one in (await sums(venue)).anomalies] == ["unknown_ticket"]


async def test_a_reset_by_an_operator_reaches_the_feed_and_the_occupancy(reconciling, venue, clock):
    await reconciling.take("g0", Book("j", record(1, wall_ms=NOW_MS - 5000)).batch())
    clock.advance(10)
    async with venue.write() as transaction:
        detail = {"reason": "let in by mistake"}
        streams = await reconciling.reset_within(transaction, "c0", "p0", b"i" * 16, detail)
    assert streams == {"p0"}
    assert (await sums(venue)).occupancy == {"c0": 0}
    last = (await reconciling.feed("p0", 1)).items[0]
    assert isinstance(fact_of_item(last), Reset)


async def test_flags_that_gates_need_travel_with_the_feed(reconciling):
    flagged = record(1, flags=int(Flag.OVERRIDE | Flag.STALE))
    await reconciling.take("g0", Book("j", flagged).batch())
    (item,) = (await reconciling.feed("p0", 0)).items
    assert item.flags == Flag.OVERRIDE
    assert fact_of_item(item).override


async def test_an_uploader_and_the_store_agree_after_any_loss(reconciling):
    chance = random.Random(5)
    book = Book("j", *(record(n, identifier=bytes([n]) * 16) for n in range(1, 60)))
    uploader = Uploader("j", 0, journal.genesis("j"))
    while uploader.acked < len(book.rows):
        rows = book.rows[uploader.acked : uploader.acked + chance.randint(1, 9)]
        batch = uploader.next_batch(rows, Moment(NOW_MS, 5_000_000, BOOT))
        taken = await reconciling.take("g0", batch) if chance.random() > 0.3 else None
        if taken is None or chance.random() < 0.3:
            uploader.lost()  # the request or the answer got lost on the way
            continue
        answer = uploader.receive(taken.ack)
        if not isinstance(answer, AckUpTo):
            answer = uploader.compared(answer, book.rows[answer.sequence - 1].chain)
        assert isinstance(answer, AckUpTo)
    feed = await reconciling.feed("p0", 0)
    assert [item.number for item in feed.items] == list(range(1, 60))


SCENARIOS = [
    pytest.param(scenario, id=f"{number}-{scenario['name']}")
    for number in (1, 2)
    for scenario in read_scenarios(CONFORMANCE / f"reconcile-{number}.json")
]


async def list_tickets(database, scenario):
    """Put a scenario's tickets with the histories of their states into the database."""
    async with database.write() as transaction:
        for row in scenario["tickets"]:
            source = await transaction.tickets.source(row["performance"], "s")
            if source is None:
                source = await transaction.tickets.add_source(row["performance"], "file", "s")
            rule = row["rule"]
            class_id = await transaction.connection.scalar(
                insert(ticket_classes)
                .values(
                    performance_id=row["performance"],
                    category=row["number"],
                    mode=rule["mode"],
                    total=rule.get("total"),
                    per_day=rule.get("per_day"),
                )
                .returning(ticket_classes.c.id)
            )
            identifier = _identifier(row["performance"], row["number"])
            await transaction.connection.execute(
                insert(tickets).values(
                    identifier=identifier,
                    number=row["number"],
                    class_id=class_id,
                    source_id=source.id,
                )
            )
            for ordinal, change in enumerate(row["states"]):
                since = change["from"]
                await transaction.connection.execute(
                    insert(ticket_states).values(
                        identifier=identifier,
                        ordinal=ordinal,
                        from_us=None if since is None else microseconds(instant(since)),
                        state=change["state"],
                        origin="source",
                    )
                )


def _identifier(performance_id, number):
    return identify(performance_id.encode().rjust(32, b"k"), number)


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_conformance_scenarios_replay_through_the_real_store(database, scenario):
    chance = random.Random(scenario["name"])
    async with database.write() as transaction:
        await _add_places(transaction, scenario)
    await list_tickets(database, scenario)
    arriving = [_stated(raw) for raw in scenario["facts"]]
    chance.shuffle(arriving)
    known = set()
    while arriving:
        batch, arriving = arriving[: (size := chance.randint(1, 7))], arriving[size:]
        new = {(one.fact.gate, one.fact.sequence): one for one in batch}
        new = [one for identity, one in new.items() if identity not in known]
        known |= {(one.fact.gate, one.fact.sequence) for one in new}
        async with database.write() as transaction:
            for gate in {one.fact.gate for one in new}:
                if await transaction.journals.journal(gate) is None:
                    await transaction.journals.add_journal(gate, None, _no_head())
            await absorb(transaction, new)
    found = await sums(database)
    expected = scenario["expect"]
    assert [asdict(one) for one in found.anomalies] == expected["anomalies"]
    assert found.occupancy == expected["occupancy"]
    assert found.attendance == expected["attendance"]


def _no_head():
    return Head(0, bytes(32))


async def _add_places(transaction, scenario):
    await transaction.organizations.add_organization(Organization("root", None, "Root"))
    await transaction.organizations.add_venue(Venue("venue", "root", "Hall", "Europe/Paris"))
    await transaction.organizations.add_event(Event("event", "root", "venue", "Show"))
    for raw in scenario["performances"]:
        one = Performance(
            id=raw["id"],
            event_id="event",
            name=raw["id"],
            starts_ms=None,
            timezone=raw["timezone"],
            day_starts_at=raw.get("day_starts_at", "00:00"),
            excluded_categories=(),
            admits_from_us=None,
            admits_until_us=None,
            canceled=False,
            list_key=raw["id"].encode().rjust(32, b"k"),
        )
        await transaction.performances.add_performance(one)
    for raw in scenario["checkpoints"]:
        place = Checkpoint(raw["id"], "venue", raw["id"], None, None, tuple(raw["performances"]))
        await transaction.checkpoints.add_checkpoint(place)


def _stated(raw):
    """Give a scenario's fact with the identifier that the server would give its number."""
    fact = read_fact(raw)
    kinds = {"passage": Kind.PASSED, "reset": Kind.RESET, "free": Kind.FREE}
    values = {"performance": "", "identifier": b"", "ticket_class": None, "direction": 0}
    if raw["kind"] != "free":
        identifier = _identifier(raw["performance"], raw["number"])
        fact = replace(fact, identifier=identifier)
        values |= {"performance": raw["performance"], "identifier": identifier}
    flags = int(Flag.OVERRIDE) if raw.get("override") else 0
    one = record(
        raw["sequence"], kinds[raw["kind"]], checkpoint=raw["checkpoint"], flags=flags, **values
    )
    return StatedFact(fact, one, 0, None, raw.get("performance", ""))
