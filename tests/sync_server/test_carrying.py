"""Journals that others bring are taken for what their own gate has sealed, whoever brings them."""

from dataclasses import replace
from itertools import pairwise

import pytest
from msgspec.structs import replace as changed

from admission import journal
from admission.errors import RemoteProtocolError
from admission.journal import Kind, Record
from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.scan import Direction
from admission.sync.messages import Batch, Carried, Moment
from admission.sync.sealed_head import check_batch, seal
from admission.trust.keys import public_key, sign
from sync_server.carrying import Carrying
from sync_server.entities import Gate, Venue
from sync_server.errors import ConflictError
from sync_server.quarantine import Quarantine
from sync_server.reconciling import Reconciling

KEY, LATER_KEY, OTHERS = b"1" * 32, b"2" * 32, b"3" * 32
FAST_MS = 1_780_000_000_000 + 400 * 86_400_000


def passage(sequence, **changes):
    values = {
        "kind": int(Kind.PASSED),
        "sequence": sequence,
        "wall_ms": 1_780_000_000_000,
        "boot_ms": 1000 + sequence,
        "boot_id": b"b" * 16,
        "checkpoint": "c0",
        "performance": "p0",
        "identifier": sequence.to_bytes(16),
        "direction": 1,
    }
    return journal.encode(Record(**values | changes))


def sealed_batch(first, last, *, key=KEY, gate="g0", name="j", sealed=None, before=None):
    """Make the batch of some records, sealed at the last of them or at another."""
    chains = {0: journal.genesis(name)}
    blobs = {sequence: passage(sequence) for sequence in range(1, last + 1)}
    for sequence, blob in blobs.items():
        chains[sequence] = journal.chain(chains[sequence - 1], blob)
    at = last if sealed is None else sealed
    return Batch(
        name,
        first,
        chains[first - 1] if before is None else before,
        [blobs[sequence] for sequence in range(first, last + 1)],
        Moment(FAST_MS, 1000, b"b" * 16),
        seal(lambda text: sign(key, text), gate, name, at, chains[at]),
    )


@pytest.fixture
async def house(venue):
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        await transaction.gates.save_gate(replace(gate, public_key=public_key(KEY)))
        other = Gate("g1", "venue", "B", "c0", Direction.ENTRY, public_key=public_key(OTHERS))
        await transaction.gates.add_gate(other)
    return venue


@pytest.fixture
def reconciling(house, clock):
    return Reconciling(house, clock)


@pytest.fixture
def carrying(house, ledger, news, reconciling):
    return Carrying(house, reconciling, Quarantine(house, ledger, news, reconciling))


async def change(house, **values):
    async with house.write() as transaction:
        gate = await transaction.gates.gate("g0")
        await transaction.gates.save_gate(replace(gate, **values))


async def seals_of(house):
    async with house.read() as transaction:
        return await transaction.seals.after("j")


# --- what others bring ----------------------------------------------------------------------------


async def test_what_another_brings_is_taken_as_if_the_gate_had_brought_it(carrying, reconciling):
    taken = await carrying.take(Carried("g0", sealed_batch(1, 3)))
    assert (taken.ack.head, taken.ack.held, taken.streams) == (3, 3, {"p0"})
    again = await reconciling.take("g0", sealed_batch(1, 3))
    assert (again.ack.head, again.has_news) == (3, False)


async def test_what_others_bring_measures_no_clock(carrying, reconciling):
    await carrying.take(Carried("g0", sealed_batch(1, 1)))
    (item,) = (await reconciling.feed("p0", 0)).items
    assert item.at_us == 1_780_000_000_000_000


async def test_facts_of_no_ticket_are_set_right_too_once_the_gate_itself_comes(
    carrying, reconciling, clock
):
    named = {"performance": "", "identifier": b"", "wall_ms": FAST_MS}
    blobs = [passage(1, **named), passage(2, kind=int(Kind.FREE), **named), passage(3, **named)]
    chain = journal.genesis("j")
    for blob in blobs:
        chain = journal.chain(chain, blob)
    sealed = seal(lambda text: sign(KEY, text), "g0", "j", 3, chain)
    batch = changed(sealed_batch(1, 3), blobs=blobs, seal=sealed)
    await carrying.take(Carried("g0", batch))
    await reconciling.take("g0", batch)
    times = {item.sequence: item.at_us for item in (await reconciling.feed("p0", 0)).items}
    assert times == {n: clock.at_us + n * 1000 for n in (1, 2, 3)}


@pytest.mark.parametrize(
    "forge",
    [
        lambda batch: changed(batch, seal=None),
        lambda batch: changed(batch, blobs=[*batch.blobs, passage(4)]),
        lambda batch: changed(batch, blobs=batch.blobs[:-1]),
        lambda batch: changed(batch, blobs=[batch.blobs[1], batch.blobs[0], batch.blobs[2]]),
        lambda batch: changed(batch, blobs=[]),
        lambda batch: changed(batch, previous_chain=bytes(32)),
        lambda batch: changed(batch, first=2),
        lambda batch: changed(batch, seal=changed(batch.seal, signature=bytes(64))),
        lambda batch: sealed_batch(1, 3, key=OTHERS),
        lambda batch: sealed_batch(1, 3, sealed=2),
        lambda batch: sealed_batch(1, 3, gate="g1", key=OTHERS),
        lambda batch: changed(batch, seal=sealed_batch(1, 3, name="k").seal),
    ],
)
async def test_what_its_gate_has_not_sealed_to_the_last_record_is_refused(
    carrying, reconciling, forge
):
    with pytest.raises(RemoteProtocolError):
        await carrying.take(Carried("g0", forge(sealed_batch(1, 3))))
    assert (await reconciling.feed("p0", 0)).items == []


async def test_a_gate_that_nobody_knows_is_refused(carrying):
    with pytest.raises(RemoteProtocolError, match="no gate that is enrolled"):
        await carrying.take(Carried("g9", sealed_batch(1, 1, gate="g9")))


async def test_no_gate_brings_its_own_records_as_anothers_journal(carrying, reconciling):
    await reconciling.take("g0", sealed_batch(1, 1))
    with pytest.raises(ConflictError, match="another gate"):
        await carrying.take(Carried("g1", sealed_batch(1, 1, key=OTHERS, gate="g1")))


async def test_what_was_sealed_by_a_key_of_before_its_replacement_is_good(carrying, house):
    await change(house, public_key=public_key(LATER_KEY))
    assert (await carrying.take(Carried("g0", sealed_batch(1, 2)))).ack.head == 2
    later = sealed_batch(1, 3, key=LATER_KEY)
    assert (await carrying.take(Carried("g0", later))).ack.head == 3


async def test_what_a_revoked_gate_wrote_is_held_apart_whoever_brings_it(
    carrying, reconciling, house
):
    await change(house, revoked_ms=1)
    assert (await carrying.take(Carried("g0", sealed_batch(1, 2)))).ack.head == 2
    assert (await reconciling.feed("p0", 0)).items == []


async def test_a_key_that_was_stolen_does_not_speak_for_the_gate_that_was_enrolled_anew(
    carrying, reconciling, house
):
    await change(house, revoked_ms=1)
    await change(house, revoked_ms=None, public_key=public_key(LATER_KEY))
    assert (await carrying.take(Carried("g0", sealed_batch(1, 2)))).ack.head == 2
    assert (await reconciling.feed("p0", 0)).items == []
    await carrying.take(Carried("g0", sealed_batch(1, 1, key=LATER_KEY, name="k")))
    assert len((await reconciling.feed("p0", 0)).items) == 1


# --- heads ----------------------------------------------------------------------------------------


async def test_a_gate_is_told_how_far_the_journals_of_its_venue_are_held(
    carrying, reconciling, house
):
    async with house.write() as transaction:
        await transaction.organizations.add_venue(Venue("far", "root", "Far", "Europe/Paris"))
        away = Gate("g2", "far", "C", "c0", Direction.ENTRY, public_key=public_key(b"4" * 32))
        await transaction.gates.add_gate(away)
    taken = await reconciling.take("g0", sealed_batch(1, 3))
    mine, others = await carrying.heads("g1", ["j", "no such"]), await carrying.heads("g2", ["j"])
    assert mine.heads == {"j": (3, taken.ack.chain)}
    assert others.heads == {}


# --- seals ----------------------------------------------------------------------------------------


async def test_a_batch_with_a_wrong_seal_is_refused_whole(reconciling, house):
    for wrong in (
        sealed_batch(1, 2, key=OTHERS),
        changed(sealed_batch(1, 2), seal=sealed_batch(1, 2, name="k").seal),
        changed(sealed_batch(2, 2), seal=sealed_batch(1, 1, sealed=0).seal),
    ):
        with pytest.raises(RemoteProtocolError, match="seal"):
            await reconciling.take("g0", wrong)
    async with house.read() as transaction:
        assert await transaction.journals.journal("j") is None


async def test_a_seal_of_the_record_before_a_batch_or_within_it_is_good(reconciling):
    for first, last, at in ((1, 2, 1), (3, 4, 2)):
        taken = await reconciling.take("g0", sealed_batch(first, last, sealed=at))
        assert taken.ack.head == last


async def test_a_batch_without_a_seal_is_a_gates_of_before_there_were_any(reconciling, house):
    await reconciling.take("g0", changed(sealed_batch(1, 2), seal=None))
    assert await seals_of(house) == []


async def test_of_many_seals_those_are_kept_that_prove_the_journal_in_batches(
    reconciling, house, monkeypatch
):
    monkeypatch.setattr("sync_server.storage.side_lines.JOURNAL_BATCH_RECORDS_MAX", 5)
    for sequence in range(1, 18):
        await reconciling.take("g0", sealed_batch(sequence, sequence))
    kept = await seals_of(house)
    places = [0, *(one.sequence for one in kept)]
    assert places[-1] == 17
    assert all(after - before <= 5 for before, after in pairwise(places))
    assert len(kept) < 10
    for before, one in zip(places, kept, strict=False):
        batch = changed(sealed_batch(before + 1, one.sequence), seal=one)
        check_batch(batch, gate="g0", keys=[public_key(KEY)])


async def test_the_seal_of_a_side_line_is_kept_beside_the_main_lines(reconciling, house):
    await reconciling.take("g0", sealed_batch(1, 3))
    blob = passage(2, identifier=b"x" * 16)
    chain = journal.chain(journal.chain(journal.genesis("j"), passage(1)), blob)
    aside = changed(
        sealed_batch(2, 2),
        blobs=[blob],
        seal=seal(lambda text: sign(KEY, text), "g0", "j", 2, chain),
    )
    taken = await reconciling.take("g0", aside)
    assert (taken.ack.conflict, taken.ack.held, taken.ack.held_chain) == (True, 2, chain)
    assert [(one.sequence, one.chain == chain) for one in await seals_of(house)] == [
        (2, True),
        (3, False),
    ]


def test_a_full_batch_of_full_records_fits_into_one_message_with_its_seal():
    assert JOURNAL_BATCH_RECORDS_MAX * (4096 + 3) + 2048 < 4 * 1024 * 1024
