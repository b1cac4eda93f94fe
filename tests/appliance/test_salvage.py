"""A damaged database: evidence is kept, what is proven goes on, nobody enters twice."""

from pathlib import Path

import pytest

from admission import journal
from admission.journal import Flag, Kind, Record
from admission.sync.gate_side import Row
from appliance.errors import StorageError
from appliance.fault_codes import JOURNAL_FAULT
from appliance.storage import salvage as module
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.storage.salvage import EVIDENCE_MAX, UNKNOWN, finish, salvage
from appliance.storage.trust_store import SqliteTrust
from written_night import draft, write_night

PAGE = 4096


def opening(previous: str, last: Row) -> Record:
    return draft(Kind.JOURNAL_NEW, detail={"previous": previous, "at": last.sequence})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


def damage(file: Path, page: int) -> None:
    """Overwrite one page, as a card does that lost a block."""
    with file.open("r+b") as raw:
        raw.seek((page - 1) * PAGE)
        raw.write(b"\xa5" * PAGE)


async def leaf_page(file: Path, sequence: int) -> int:
    """Give the page that a record of the journal lies on, found by its bytes."""
    async with open_database(file) as database:
        store = await SqliteJournal.open(database, "x")
        (row,) = await store.rows(sequence - 1, 1)
    raw = file.read_bytes()
    return raw.index(row.blob[:60]) // PAGE + 1


async def test_a_broken_page_costs_what_lay_on_it_and_nothing_else(file: Path):
    written = await write_night(file)
    damage(file, await leaf_page(file, 100))
    async with open_database(file) as database:
        with pytest.raises(StorageError) as caught:
            await database.require_whole()
    assert caught.value.fault == JOURNAL_FAULT
    salvaged = salvage(file, "journal-b", opening)
    assert salvaged.previous == "journal-a"
    assert 80 < salvaged.kept < 100
    async with open_database(file) as database:
        await database.require_whole()
        store = await SqliteJournal.open(database, "another")
        await store.check()
        assert (store.id, store.head) == ("journal-b", 1)
        (former,) = store.former
        assert (former.id, former.head, former.why) == ("journal-a", salvaged.kept, "damaged")
        rows = await former.rows(0, 1_000)
        assert [journal.decode(row.blob) for row in rows] == written[: salvaged.kept]
        assert former.acknowledged.sequence == 5
        (first,) = [journal.decode(row.blob) for row in await store.rows(0, 10)]
        assert first.detail == {"previous": "journal-a", "at": salvaged.kept}
        known = {record.identifier for _, record in await store.all_facts()}
        lost = {one.identifier for one in written if one.kind == Kind.PASSED} - known
        assert len(lost) <= 4  # what fits on a page
        memory = SqliteMemory(database, file.parent / "lists")
        assert await memory.assignment() == b"assignment"
        assert await SqliteTrust(database).status_version() == 7
        assert len(await memory.feed_items("show")) == 1
    assert salvaged.lost == ()


async def test_a_record_that_was_altered_ends_what_is_proven_but_not_what_is_known(file: Path):
    written = await write_night(file, passages=10, filler=1)
    async with open_database(file) as database:
        await database.execute_fetchall("UPDATE journal SET chain = x'00' WHERE sequence = 8")
        store = await SqliteJournal.open(database, "x")
        with pytest.raises(StorageError, match="record 8 was altered") as caught:
            await store.check()
    assert caught.value.fault == JOURNAL_FAULT
    salvaged = salvage(file, "journal-b", opening)
    assert salvaged.kept == 7
    async with open_database(file) as database:
        facts = await (await SqliteJournal.open(database, "x")).all_facts()
    passed = [one for one in written if one.kind == Kind.PASSED]
    assert sorted(record.sequence for _, record in facts) == [one.sequence for one in passed]
    assert {name for name, _ in facts} == {"journal-a"}


async def test_a_grant_whose_end_cannot_be_read_counts_as_a_passage(file: Path):
    await write_night(file, passages=3, filler=1)
    async with open_database(file) as database:
        await database.execute_fetchall("UPDATE journal SET blob = x'c1' WHERE sequence = 7")
    salvage(file, "journal-b", opening)
    async with open_database(file) as database:
        facts = await (await SqliteJournal.open(database, "x")).all_facts()
    last = facts[-1][1]
    assert (last.kind, last.identifier, last.refers_to) == (Kind.PASSED, b"\x03" * 16, 6)
    assert last.flags & Flag.UNRESOLVED


@pytest.mark.parametrize("what", [b"", b"this is a letter, not a database; " * 500])
async def test_where_nothing_can_be_read_the_gate_begins_anew_and_keeps_the_file(
    file: Path, what: bytes
):
    await write_night(file, passages=2)
    file.write_bytes(b"\xff" * 100 + what)
    salvaged = salvage(file, "journal-b", opening)
    assert (salvaged.previous, salvaged.kept, salvaged.strays) == (UNKNOWN, 0, 0)
    assert "roots" in salvaged.lost
    assert (file.parent / "damaged" / "0001-journal.sqlite").read_bytes() == b"\xff" * 100 + what
    async with open_database(file) as database:
        store = await SqliteJournal.open(database, "another")
        assert (store.id, store.head, store.former) == ("journal-b", 1, [])
        await store.append(draft(Kind.BOOT))
        await store.check()


async def test_only_the_last_few_damaged_files_are_kept(file: Path):
    await write_night(file, passages=1)
    for number in range(EVIDENCE_MAX + 2):
        salvage(file, f"journal-{number}", opening)
    kept = sorted(one.name for one in (file.parent / "damaged").iterdir())
    assert kept == [f"{number:04d}-journal.sqlite" for number in (3, 4, 5)]
    async with open_database(file) as database:
        store = await SqliteJournal.open(database, "x")
        assert [one.id for one in store.former] == [
            "journal-a",
            *(f"journal-{n}" for n in range(4)),
        ]


@pytest.mark.parametrize("cut", range(4))  # the new file named, the log, the old file, the new
async def test_a_power_cut_while_the_files_are_swapped_loses_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, cut: int
):
    await write_night(file, passages=4)
    steps = iter(range(100))
    replace = Path.replace

    def cut_off(self: Path, target: Path) -> Path:
        if next(steps) == cut:
            raise OSError(5, "power cut")
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(module.Path, "replace", cut_off)
        with pytest.raises(StorageError, match="power cut"):
            salvage(file, "journal-b", opening)
    finish(file)
    async with open_database(file) as database:
        store = await SqliteJournal.open(database, "x")
        names = {store.id, *(one.id for one in store.former)}
        assert len(await store.all_facts()) == 4
    assert "journal-a" in names
