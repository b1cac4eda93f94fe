"""What a revoked gate hands in is kept, and counts nowhere before a person has said so."""

import pytest

from admission import journal
from admission.journal import Kind, Record
from admission.sync.messages import Batch, Moment
from sync_server import quarantine as module
from sync_server.account_ports import Role, User
from sync_server.errors import ConflictError, NotFoundError
from sync_server.quarantine import Quarantine
from sync_server.reconciling import Reconciling

BOOT = b"b" * 16
JOURNAL = "journal-a"


def record(sequence, identifier=b"i" * 16, **changes):
    values = {
        "kind": int(Kind.PASSED),
        "sequence": sequence,
        "wall_ms": 1_780_000_000_000,
        "boot_ms": 1000 + sequence,
        "boot_id": BOOT,
        "checkpoint": "c0",
        "performance": "p0",
        "identifier": identifier,
        "direction": 1,
    }
    return journal.encode(Record(**values | changes))


def batch(*blobs, first=1, before=None, name=JOURNAL):
    previous = journal.genesis(name) if before is None else before
    return Batch(name, first, previous, list(blobs), Moment(1_780_000_000_000, 5000, BOOT))


@pytest.fixture
def reconciling(venue, clock):
    return Reconciling(venue, clock)


@pytest.fixture
def quarantine(venue, ledger, news, reconciling):
    return Quarantine(venue, ledger, news, reconciling)


async def _facts(venue):
    async with venue.read() as transaction:
        feed = await transaction.facts.feed("p0", 0, 100)
        audit = [entry.what for entry in await transaction.audit.newest(10)]
        known = await transaction.journals.journal(JOURNAL)
    return [item.sequence for item in feed.items], audit, known


async def test_it_is_acknowledged_and_is_part_of_nothing(quarantine, venue, master, news):
    ack = await quarantine.take("g0", batch(record(1), record(2)))
    assert (ack.head, ack.conflict) == (2, False)
    items, audit, known = await _facts(venue)
    assert (items, known) == ([], None)
    assert audit.count("quarantine_began") == 1
    (line,) = await quarantine.lines(master)
    assert (line.gate_id, line.records) == ("g0", 2)
    assert news.reports == 1
    assert news.streams == []


async def test_released_it_counts_as_if_it_came_now(quarantine, venue, master, news):
    first = await quarantine.take("g0", batch(record(1), record(2)))
    await quarantine.take("g0", batch(record(3), first=3, before=first.chain))
    assert await quarantine.release(master, "g0") == 3
    items, audit, known = await _facts(venue)
    assert items == [1, 2, 3]
    assert audit.count("quarantine_began") == audit.count("quarantine_released") == 1
    assert known.head.sequence == 3
    assert not known.forked
    assert await quarantine.lines(master) == []
    assert news.streams == ["p0"]


async def test_it_goes_on_where_the_gate_was_before_it_was_revoked(
    quarantine, reconciling, venue, master
):
    taken = await reconciling.take("g0", batch(record(1)))
    ack = await quarantine.take("g0", batch(record(2), first=2, before=taken.ack.chain))
    assert (ack.head, ack.conflict) == (2, False)
    assert (await _facts(venue))[0] == [1]
    await quarantine.release(master, "g0")
    items, _, known = await _facts(venue)
    assert (items, known.forked) == ([1, 2], False)


async def test_what_is_sent_again_is_held_once(quarantine, master):
    first = await quarantine.take("g0", batch(record(1)))
    again = await quarantine.take("g0", batch(record(1), record(2)))
    assert (again.head, again.conflict) == (2, False)
    assert (await quarantine.take("g0", batch(record(1)))).chain == again.chain != first.chain
    (line,) = await quarantine.lines(master)
    assert line.records == 2


async def test_a_gap_is_answered_with_what_is_held(quarantine, master):
    await quarantine.take("g0", batch(record(1)))
    ack = await quarantine.take("g0", batch(record(5), first=5, before=bytes(32)))
    assert (ack.head, ack.conflict) == (1, True)
    assert [line.records for line in await quarantine.lines(master)] == [1]


async def test_another_history_is_held_too_and_is_a_fork_once_released(
    quarantine, reconciling, venue, master
):
    await reconciling.take("g0", batch(record(1)))
    ack = await quarantine.take("g0", batch(record(1, b"j" * 16)))
    assert (ack.head, ack.conflict) == (1, True)
    assert [line.records for line in await quarantine.lines(master)] == [1]
    assert not (await _facts(venue))[2].forked
    await quarantine.release(master, "g0")
    items, _, known = await _facts(venue)
    assert (items, known.forked) == ([1, 1], True)


async def test_a_record_that_cannot_be_read_is_held_as_it_came(quarantine, master):
    ack = await quarantine.take("g0", batch(b"\xc1 no record", record(2)))
    assert (ack.head, [bad.sequence for bad in ack.malformed]) == (2, [1])
    assert await quarantine.release(master, "g0") == 2


@pytest.mark.parametrize("name", ["server", "journal-of-another"])
async def test_no_gate_hands_in_anothers_journal(quarantine, reconciling, venue, name):
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        await transaction.gates.add_gate(type(gate)("g1", "venue", "B", "c0", gate.direction))
    await reconciling.take("g1", batch(record(1), name="journal-of-another"))
    with pytest.raises(ConflictError, match="belongs to another gate"):
        await quarantine.take("g0", batch(record(1), name=name))


async def test_a_thief_cannot_fill_the_disk(quarantine, monkeypatch):
    monkeypatch.setattr(module, "RECORDS_MAX", 2)
    ack = await quarantine.take("g0", batch(record(1), record(2)))
    with pytest.raises(ConflictError, match="wait for an operator's decision"):
        await quarantine.take("g0", batch(record(3), first=3, before=ack.chain))


async def test_only_who_may_reach_a_gate_sees_and_releases_what_it_brought(quarantine):
    await quarantine.take("g0", batch(record(1)))
    stranger = User("x", "nowhere", "x", "X", "", Role.MASTER, "fr")
    assert await quarantine.lines(stranger) == []
    with pytest.raises(NotFoundError):
        await quarantine.release(stranger, "g0")
