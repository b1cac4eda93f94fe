"""A journal that is begun anew on the real disk: all of it or nothing, whenever it ends."""

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from admission import journal
from admission.journal import PREVIOUS, Kind, Record
from admission.sync.gate_side import Row
from appliance.errors import StorageError
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal


def draft(kind: Kind = Kind.BOOT, **fields) -> Record:
    values = {"sequence": 0, "wall_ms": 1_000, "boot_ms": 5, "boot_id": bytes(16)}
    return Record(kind=int(kind), **values | fields)


def grant() -> Record:
    return draft(Kind.GRANTED, identifier=b"t" * 16, direction=1, checkpoint="door")


def passed(refers_to: int) -> Record:
    return journal.ending(grant(), Kind.PASSED, refers_to)


def opening(last: Row) -> Record:
    return draft(Kind.JOURNAL_NEW, detail={"at": last.sequence, "chain": last.chain.hex()})


@asynccontextmanager
async def opened(folder: Path):
    async with open_database(folder / "journal.sqlite") as database:
        yield await SqliteJournal.open(database, "first")


async def everything(store: SqliteJournal):
    """Read every journal, and make sure that each is whole."""
    found = {}
    for one in (*store.former, store.current):
        rows = await one.rows(0, 100)
        value = journal.genesis(one.id)
        for place, row in enumerate(rows, start=1):
            value = journal.chain(value, row.blob)
            assert (row.sequence, row.chain) == (place, value)
            assert journal.decode(row.blob).sequence == place
        found[one.id] = len(rows)
    return found


async def test_what_follows_goes_into_the_new_journal_and_the_old_one_is_kept(tmp_path: Path):
    async with opened(tmp_path) as store:
        await store.append(draft(), draft(), draft())
        chain = await store.chain_at(2)
        await store.acknowledge(2, chain)
        last = await store.chain_at(3)
        record = await store.begin_anew("second", "fork", opening)
        assert record.detail == {"at": 3, "chain": last.hex()}
        assert (store.id, store.head, store.acknowledged.sequence) == ("second", 1, 0)
        await store.append(draft())
    async with opened(tmp_path) as store:
        (old,) = store.former
        assert (old.id, old.head, old.why) == ("first", 3, "fork")
        assert (old.acknowledged.sequence, old.acknowledged.chain) == (2, chain)
        assert (store.id, store.head) == ("second", 2)
        assert await everything(store) == {"first": 3, "second": 2}
        assert await old.chain_at(4) is None


async def test_a_third_journal_and_a_fourth_are_begun_alike(tmp_path: Path):
    async with opened(tmp_path) as store:
        await store.append(draft())
        for name in ("second", "third", "fourth"):
            await store.begin_anew(name, "fork", opening)
        assert await everything(store) == {"first": 1, "second": 1, "third": 1, "fourth": 1}
        assert [store.is_own(name) for name in ("first", "third", "fourth", "fifth")] == [
            *[True] * 3,
            False,
        ]


async def test_the_hybrid_clock_rises_from_one_journal_to_the_next(tmp_path: Path):
    async with opened(tmp_path) as store:
        (before,) = await store.append(draft(wall_ms=5_000))
        assert (await store.begin_anew("second", "fork", opening)).hlc == before.hlc + 1


async def test_grants_without_an_end_are_those_of_the_present_journal(tmp_path: Path):
    async with opened(tmp_path) as store:
        await store.append(draft(), grant())
        await store.append(passed(2))
        await store.begin_anew("second", "fork", opening)
        (open_one,) = await store.append(grant())  # number 2 again, as in the journal before
        assert await store.open_grants() == [open_one]
        await store.append(passed(2))
        assert await store.open_grants() == []
        both = await store.append(grant(), passed(PREVIOUS))
        assert both[1].refers_to == both[0].sequence
        assert await store.open_grants() == []


async def test_the_facts_of_every_journal_are_remembered_under_its_name(tmp_path: Path):
    async with opened(tmp_path) as store:
        await store.append(grant(), passed(PREVIOUS))
        await store.begin_anew("second", "fork", opening)
        await store.append(grant(), passed(PREVIOUS))
        facts = [(name, record.sequence) for name, record in await store.all_facts()]
        assert facts == [("first", 2), ("second", 3)]


async def test_what_is_acknowledged_late_is_noted_of_the_journal_that_it_is_of(tmp_path: Path):
    async with opened(tmp_path) as store:
        await store.append(draft(), draft())
        before = store.current
        await store.begin_anew("second", "fork", opening)
        await before.acknowledge(2, await before.chain_at(2))
        assert store.acknowledged.sequence == 0
    async with opened(tmp_path) as store:
        assert (store.acknowledged.sequence, store.former[0].acknowledged.sequence) == (0, 2)


@pytest.mark.parametrize(
    "step",
    [
        "BEFORE INSERT ON former_journals",
        "AFTER INSERT ON former_journals",
        "AFTER UPDATE ON identity",
        "AFTER DELETE ON acknowledged",
        "AFTER INSERT ON journal",
    ],
)
async def test_at_whatever_step_the_disk_fails_nothing_has_changed(tmp_path: Path, step: str):
    async with opened(tmp_path) as store:
        await store.append(draft(), draft())
        await store.acknowledge(1, await store.chain_at(1))
        fail = f"CREATE TEMP TRIGGER fails {step} BEGIN SELECT RAISE(ABORT, 'full'); END"
        await store._database.execute_fetchall(fail)
        with pytest.raises(StorageError, match="no journal can be begun"):
            await store.begin_anew("second", "fork", opening)
        await store._database.execute_fetchall("DROP TRIGGER fails")
        await store.append(draft())
        assert (store.id, store.head, store.former) == ("first", 3, [])
        assert store.acknowledged.sequence == 1
        await store.begin_anew("second", "fork", opening)
    async with opened(tmp_path) as store:
        assert await everything(store) == {"first": 3, "second": 1}


@pytest.mark.parametrize("hops", range(6))
async def test_however_early_it_is_cancelled_the_journal_knows_at_the_next_call(
    tmp_path: Path, hops: int
):
    async with opened(tmp_path) as store:
        await store.append(draft(), draft())
        task = asyncio.ensure_future(store.begin_anew("second", "fork", opening))
        for _ in range(hops):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        (record,) = await store.append(draft())
        began = store.id == "second"
        assert record.sequence == (2 if began else 3)
        assert await everything(store) == ({"first": 2, "second": 2} if began else {"first": 3})
    async with opened(tmp_path) as store:
        assert store.id == ("second" if began else "first")
