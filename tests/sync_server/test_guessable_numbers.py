"""What an import says of how guessable numbers are, and what may then be done with the list key."""

import random

import pytest

from admission.ticketlist.acceptance import accept_manifest
from admission.ticketlist.guessability import Reason, Strength, sample_size
from admission.ticketlist.key_storage import KeyStorage
from admission.trust.root import Role as TrustRole
from admission.trust.root import signers
from sync_server.entities import ImportMode
from sync_server.errors import ConflictError, InvalidError
from sync_server.importing import Importing
from sync_server.planning import KeyStorageChoice, PerformanceChange, Planning
from sync_server.publishing import Publishing
from sync_server.sources.file import read_tickets
from sync_server.storage.snapshot_files import Folder

_DICE = random.Random(3)


def _strong(count):
    return ["".join(_DICE.choices("abcdefghjkmnpqrstuvwxyz23456789", k=32)) for _ in range(count)]


def _in_sequence(count, first=1):
    return [f"2026-{number:05d}" for number in range(first, first + count)]


async def _no_refold(transaction, performance_id, identifiers):
    pass


@pytest.fixture
def bring(venue, clock, ledger, news, master):
    importing = Importing(venue, read_tickets, _no_refold, ledger, news)

    async def bring(numbers, source="box office", performance="p0"):
        clock.advance(1)
        return await importing.import_file(
            master,
            performance,
            "\n".join(["number", *numbers]).encode(),
            source_name=source,
            filename="a.csv",
            mode=ImportMode.ADD,
        )

    return bring


@pytest.fixture
def planning(venue, ledger, news):
    return Planning(venue, ledger, news)


@pytest.fixture
def publish(venue, tmp_path, ledger, news, master, trust):
    publishing = Publishing(venue, Folder(tmp_path / "lists"), ledger, news, trust)

    async def publish(performance="p0"):
        await publishing.publish(master, performance)
        async with venue.read() as transaction:
            newest = await transaction.performances.newest_list(performance)
        return accept_manifest(
            newest.manifest,
            performance=performance,
            trusted=signers(trust.root, TrustRole.LIST),
            installed=None,
            now=None,
        )

    return publish


async def _performance(store, performance_id="p0"):
    async with store.read() as transaction:
        return await transaction.performances.performance(performance_id)


async def test_an_import_is_measured_and_the_measure_kept_with_it_and_its_performance(venue, bring):
    report = await bring(_in_sequence(300))
    assert report.guessability.strength is Strength.OPEN
    assert Reason.CLOSE_TOGETHER in report.guessability.reasons
    assert (await _performance(venue)).guessability == report.guessability
    assert (await _performance(venue, "p1")).guessability is None
    async with venue.read() as transaction:
        (run,) = await transaction.tickets.imports("p0", 5)
    assert run.guessability == report.guessability


async def test_all_numbers_of_the_performance_are_measured_not_only_the_files(venue, bring):
    assert (await bring(_strong(200))).guessability.strength is Strength.STRONG
    await bring(_in_sequence(50), performance="p1")
    second = (await bring(_in_sequence(40, first=700), source="guests")).guessability
    assert second.strength is Strength.OPEN
    assert (second.easiest, second.numbers) == (40, 240)
    third = (await bring(_strong(100))).guessability
    assert (third.strength, third.numbers) == (Strength.OPEN, 340)
    assert (await _performance(venue)).guessability == third


async def test_of_a_long_list_a_sample_is_looked_at_that_is_the_same_every_time(venue, bring):
    count = sample_size(8) + 2_000
    report = await bring([f"{number:08d}" for number in range(count)] + ["GUEST"])
    async with venue.read() as transaction:
        sample, listed = await transaction.tickets.number_sample("p0")
        again, _ = await transaction.tickets.number_sample("p0")
    assert listed == {8: count, 5: 1}
    assert sample == again
    assert "GUEST" in sample
    assert sample_size(8) * 0.9 < len(sample) <= sample_size(8) + 1
    assert min(sample) < "00000200" < "00011800" < max(one for one in sample if len(one) == 8)
    assert report.guessability.numbers == count + 1


async def test_without_tickets_there_is_no_measure(venue, bring):
    report = await bring(["A\x01"])
    assert (report.refused, report.guessability) == (1, None)


async def test_gates_seal_the_key_unless_told_otherwise(venue, bring, publish):
    await bring(_in_sequence(20))
    assert (await publish()).key_storage is KeyStorage.SEALED


@pytest.mark.parametrize("storage", KeyStorage)
async def test_for_strong_numbers_each_way_may_be_chosen(
    venue, bring, publish, planning, master, storage
):
    await bring(_strong(50))
    await planning.choose_key_storage(master, "p0", KeyStorageChoice(storage))
    assert (await publish()).key_storage is storage


async def test_for_guessable_numbers_a_file_is_refused_without_a_reason(
    venue, bring, publish, planning, master
):
    await bring(_in_sequence(50))
    for reason in ("", "   "):
        with pytest.raises(ConflictError) as refused:
            await planning.choose_key_storage(
                master, "p0", KeyStorageChoice(KeyStorage.FILE, reason)
            )
        assert refused.value.code == "key_storage_risky"
    assert (await _performance(venue)).key_storage is KeyStorage.SEALED
    await planning.choose_key_storage(master, "p0", KeyStorageChoice(KeyStorage.MEMORY))
    assert (await publish()).key_storage is KeyStorage.MEMORY


async def test_with_a_reason_it_is_allowed_and_kept_for_good(
    venue, bring, publish, planning, master
):
    await bring(_in_sequence(50))
    choice = KeyStorageChoice(KeyStorage.FILE, "gates have no other place")
    await planning.choose_key_storage(master, "p0", choice)
    assert (await publish()).key_storage is KeyStorage.FILE
    async with venue.read() as transaction:
        entries = await transaction.audit.newest(10)
    (entry,) = [entry for entry in entries if entry.what == "key_storage_chosen"]
    assert entry.user_id == master.id
    assert entry.detail == {
        "key_storage": "file",
        "strength": "open",
        "reason": "gates have no other place",
    }


async def test_a_reason_is_one_short_line(bring, planning, master):
    await bring(_in_sequence(50))
    for reason in ("x" * 201, "two\nlines", "turned \u202e round"):
        with pytest.raises(InvalidError):
            await planning.choose_key_storage(
                master, "p0", KeyStorageChoice(KeyStorage.FILE, reason)
            )


async def test_a_file_chosen_for_strong_numbers_does_not_hold_for_guessable_ones_that_follow(
    venue, bring, publish, planning, master
):
    await bring(_strong(50))
    await planning.choose_key_storage(master, "p0", KeyStorageChoice(KeyStorage.FILE))
    assert (await publish()).key_storage is KeyStorage.FILE
    await bring(_in_sequence(5), source="guests")
    assert (await publish()).key_storage is KeyStorage.SEALED
    assert (await _performance(venue)).key_storage is KeyStorage.FILE  # what was chosen is told
    choice = KeyStorageChoice(KeyStorage.FILE, "agreed with the director")
    await planning.choose_key_storage(master, "p0", choice)
    assert (await publish()).key_storage is KeyStorage.FILE


async def test_other_changes_of_a_performance_leave_the_choice(venue, bring, planning, master):
    await bring(_strong(20))
    await planning.choose_key_storage(master, "p0", KeyStorageChoice(KeyStorage.MEMORY))
    await planning.change_performance(master, "p0", PerformanceChange(name="Other"))
    known = await _performance(venue)
    assert (known.name, known.key_storage) == ("Other", KeyStorage.MEMORY)
    assert known.guessability is not None


async def test_programs_are_told_the_same(operator):
    venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    event = await operator.made("events", venue_id=venue, name="Show")
    performance = await operator.made("performances", event_id=event, name="Tonight")
    data = "\n".join(["number", *_in_sequence(30)]).encode()
    status, report, _ = await operator.call(
        "POST", f"performances/{performance}/imports?filename=a.csv", data=data
    )
    assert status == 200
    assert report["guessability"]["strength"] == "open"
    assert "close_together" in report["guessability"]["reasons"]
    path = f"performances/{performance}/key-storage"
    status, refused, _ = await operator.call("POST", path, json={"key_storage": "file"})
    assert (status, refused["error"]["code"]) == (409, "key_storage_risky")
    body = {"key_storage": "file", "reason": "no network at the gate"}
    status, changed, _ = await operator.call("POST", path, json=body)
    assert (status, changed["key_storage"], changed["key_storage_in_force"]) == (
        200,
        "file",
        "file",
    )
    status, (listed,), _ = await operator.call("GET", "performances")
    assert listed["guessability"] == report["guessability"]
    status, wrong, _ = await operator.call("POST", path, json={"key_storage": "paper"})
    assert (status, wrong["error"]["field"]) == (422, "key_storage")
