"""The time of facts by the server's clock: measured at contact, set right backwards, told again."""

import random

import pytest
from sqlalchemy import insert

from admission.journal import Flag, Kind
from admission.sync.gate_side import FeedReader
from admission.sync.messages import Moment
from journal_books import NOW_MS, Book, record
from sync_server.gate_clock import Bounded, GateClock, Measured
from sync_server.ledger import Ledger
from sync_server.reconciling import Reconciling
from sync_server.reporting import Reporting
from sync_server.storage.tables import ticket_classes, tickets

DAY_MS = 86_400_000
AHEAD_MS = 400 * DAY_MS
FIRST, SECOND = b"1" * 16, b"2" * 16
NOT_A_CONTACT = Moment(0, NOW_MS * 2, b"")  # of records that came by other hands


@pytest.fixture
def reconciling(venue, clock):
    clock.at_us = NOW_MS * 1000
    return Reconciling(venue, clock)


async def sums(database):
    return await Reporting(database, Ledger(None, None)).rules("root")


def before(sequence, wall_ms, **changes):
    """A passage of a start of the machine that never reached the server."""
    changes = {"identifier": bytes([sequence]) * 16} | changes
    return record(sequence, wall_ms=wall_ms, boot_ms=60_000, boot_id=FIRST, **changes)


def contact(book, *, ahead_ms, boot_ms=600_000, boot_id=SECOND, **which):
    """What a gate sends at its first contact after it was started anew."""
    return replace_sent(book.batch(**which), Moment(NOW_MS + ahead_ms, boot_ms, boot_id))


def replace_sent(batch, sent):
    return type(batch)(batch.journal, batch.first, batch.previous_chain, batch.blobs, sent)


async def items(reconciling, stream="p0"):
    return (await reconciling.feed(stream, 0)).items


async def times(reconciling):
    """Give the last instant that the feed tells of each fact, in milliseconds from now."""
    return {item.sequence: item.at_us // 1000 - NOW_MS for item in await items(reconciling)}


async def test_what_a_fast_clock_wrote_before_a_restart_is_set_right_at_the_next_contact(
    reconciling,
):
    book = Book("j", before(1, NOW_MS + AHEAD_MS - 3_600_000))
    await reconciling.take("g0", contact(book, ahead_ms=AHEAD_MS))
    assert await times(reconciling) == {1: -3_600_000}


async def test_a_passage_whose_time_was_set_right_is_marked(reconciling, venue):
    book = Book("j", before(1, NOW_MS + AHEAD_MS - 3_600_000), record(2, boot_id=SECOND))
    await reconciling.take("g0", contact(book, ahead_ms=AHEAD_MS, boot_ms=5_000_000))
    async with venue.read() as transaction:
        rows = await transaction.connection.exec_driver_sql(
            "SELECT sequence, flags FROM facts ORDER BY sequence"
        )
        marked = {sequence: bool(flags & Flag.CLOCK_SUSPECT) for sequence, flags in rows}
    assert marked == {1: True, 2: False}


async def test_a_clock_that_was_set_right_meanwhile_says_nothing_of_before(reconciling):
    """Then a record of the future is as late as it can be: when the machine started again."""
    book = Book("j", before(1, NOW_MS + AHEAD_MS))
    await reconciling.take("g0", contact(book, ahead_ms=0))
    assert await times(reconciling) == {1: -600_000}


async def test_a_wall_clock_that_was_right_is_believed_where_trusted_time_was_not(reconciling):
    book = Book("j", before(1, NOW_MS - 3_600_000, trusted_ms=NOW_MS + AHEAD_MS))
    await reconciling.take("g0", contact(book, ahead_ms=0))
    assert await times(reconciling) == {1: -3_600_000}


async def test_what_may_be_true_is_taken_as_the_gate_says(reconciling):
    book = Book("j", before(1, NOW_MS - 7 * DAY_MS, trusted_ms=NOW_MS - 3_600_000))
    await reconciling.take("g0", contact(book, ahead_ms=-7 * DAY_MS))
    assert await times(reconciling) == {1: -3_600_000}


async def test_facts_that_came_by_other_hands_are_set_right_when_the_gate_comes_itself(
    reconciling, venue
):
    fast_ms = NOW_MS + AHEAD_MS
    book = Book(
        "j",
        before(1, fast_ms - 7_200_000),
        record(2, wall_ms=fast_ms - 60_000, boot_ms=540_000, boot_id=SECOND),
        record(3, Kind.BOOT, wall_ms=fast_ms, boot_ms=590_000, boot_id=SECOND),
    )
    carried = replace_sent(book.batch(1, 2), NOT_A_CONTACT)
    await reconciling.take("g0", carried)
    assert await times(reconciling) == {1: AHEAD_MS - 7_200_000, 2: AHEAD_MS - 60_000}
    taken = await reconciling.take("g0", contact(book, ahead_ms=AHEAD_MS, first=3))
    assert taken.streams == {"p0"}
    assert await times(reconciling) == {1: -7_200_000, 2: -60_000}
    assert [item.number for item in await items(reconciling)] == [1, 2, 3, 4]
    assert [item.sequence for item in await items(reconciling)] == [1, 2, 1, 2]


async def test_an_anomaly_moves_with_the_time_of_a_passage(reconciling, venue):
    fast = Book("j-fast", before(1, NOW_MS + AHEAD_MS - 7_200_000, identifier=b"t" * 16))
    right = Book("j-right", record(1, wall_ms=NOW_MS - 3_600_000, identifier=b"t" * 16))
    await list_single(venue, b"t" * 16)
    await reconciling.take("g0", replace_sent(fast.batch(), NOT_A_CONTACT))
    await reconciling.take("g0", replace_sent(right.batch(), NOT_A_CONTACT))
    assert [one.gate for one in (await sums(venue)).anomalies] == ["j-fast"]
    later = Book("j-fast", *(before(1, 0), record(2, Kind.BOOT, boot_id=SECOND)))
    later.rows[0] = fast.rows[0]
    batch = later.batch(first=2)
    await reconciling.take("g0", replace_sent(batch, Moment(NOW_MS + AHEAD_MS, 600_000, SECOND)))
    assert [one.gate for one in (await sums(venue)).anomalies] == ["j-right"]


async def list_single(venue, identifier):
    async with venue.write() as transaction:
        source = await transaction.tickets.add_source("p0", "file", "s")
        class_id = await transaction.connection.scalar(
            insert(ticket_classes)
            .values(performance_id="p0", category="standard", mode="single")
            .returning(ticket_classes.c.id)
        )
        await transaction.connection.execute(
            insert(tickets).values(
                identifier=identifier, number="T", class_id=class_id, source_id=source.id
            )
        )


async def test_a_repeat_is_paged_like_any_other_item(reconciling):
    book = Book("j", *(before(n, NOW_MS + AHEAD_MS) for n in range(1, 8)))
    await reconciling.take("g0", replace_sent(book.batch(), NOT_A_CONTACT))
    after = Book("j", *(before(n, NOW_MS + AHEAD_MS) for n in range(1, 8)), record(8, Kind.BOOT))
    await reconciling.take("g0", contact(after, ahead_ms=AHEAD_MS, first=8))
    reader, cursor, numbers = FeedReader({"p0": 0}), 0, []
    while True:
        async with reconciling._store.read() as transaction:
            feed = await transaction.facts.feed("p0", cursor, 3)
        if not feed.items:
            break
        for command in reader.receive(feed):
            numbers += [item.number for item in getattr(command, "items", ())]
        cursor = reader.cursors["p0"]
    assert numbers == list(range(1, 15))


async def test_no_start_of_a_copied_card_bounds_the_others(reconciling, venue):
    """Two machines with one journal: neither was before the other."""
    one = Book("j", record(1, boot_id=SECOND))
    other = Book("j", before(1, NOW_MS + 3_600_000))
    await reconciling.take("g0", contact(one, ahead_ms=0))
    await reconciling.take("g0", replace_sent(other.batch(), NOT_A_CONTACT))
    more = Book("j", record(1, boot_id=SECOND), record(2, Kind.BOOT, boot_id=b"3" * 16))
    await reconciling.take("g0", contact(more, ahead_ms=0, boot_id=b"3" * 16, first=2))
    assert {item.at_us // 1000 - NOW_MS for item in await items(reconciling)} >= {3_600_000}


@pytest.mark.parametrize("seed", range(20))
def test_the_clock_is_one_whatever_the_order_of_contacts_and_records(seed):
    chance = random.Random(seed)
    records = [before(n, NOW_MS + chance.randint(-DAY_MS, AHEAD_MS)) for n in range(1, 5)]
    sent = Moment(NOW_MS + AHEAD_MS, 600_000, SECOND)
    first, second = GateClock(), GateClock()
    first.measure(sent, NOW_MS)
    first.bound(FIRST, sent)
    second.measure(sent, NOW_MS)
    second.measure(Moment(NOW_MS, 700_000, SECOND), NOW_MS + 5 * DAY_MS)
    second.bound(FIRST, sent)
    second.bound(FIRST, Moment(NOW_MS, 700_000, SECOND))
    assert [first.corrected(one) for one in records] == [second.corrected(one) for one in records]
    assert (
        first
        == second
        == GateClock(
            {SECOND: Measured(NOW_MS - 600_000, NOW_MS, AHEAD_MS)},
            {FIRST: Bounded(NOW_MS - 600_000, AHEAD_MS)},
        )
    )


def test_a_start_that_reached_the_server_in_the_end_is_bounded_no_longer():
    clock = GateClock({}, {FIRST: Bounded(NOW_MS, 0)})
    assert clock.measure(Moment(NOW_MS, 1_000, FIRST), NOW_MS) is not None
    assert clock.bounded == {}
    fast = before(1, NOW_MS + AHEAD_MS)
    at, is_wrong = clock.corrected(replace_record(fast, boot_ms=500))
    assert (at.timestamp() * 1000, is_wrong) == (NOW_MS - 500, True)


def replace_record(one, **changes):
    values = {name: getattr(one, name) for name in one.__struct_fields__} | changes
    return type(one)(**values)


def test_a_measure_of_before_wall_clocks_were_compared_bounds_nothing():
    clock = GateClock({SECOND: Measured(NOW_MS, NOW_MS)})
    assert clock.bound(FIRST, Moment(0, 0, SECOND)) is None
    own = before(1, NOW_MS + AHEAD_MS)
    assert clock.corrected(own)[1] is False
