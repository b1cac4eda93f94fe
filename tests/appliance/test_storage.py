"""The gate's disk: the journal over a real SQLite file, also when it is full or damaged."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from admission import journal
from admission.journal import PREVIOUS, Kind, Record
from admission.sync.gate_side import Row
from appliance.errors import StorageError
from appliance.simulator.virtual_clock import settle
from appliance.storage import database
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal

BOOT = bytes(16)


def draft(kind: Kind = Kind.BOOT, wall_ms: int = 1_000, refers_to: int = 0, **fields) -> Record:
    return Record(
        kind=int(kind),
        sequence=0,
        wall_ms=wall_ms,
        boot_ms=5,
        boot_id=BOOT,
        refers_to=refers_to,
        **fields,
    )


def grant(number: int = 1) -> Record:
    return draft(Kind.GRANTED, identifier=bytes([number]) * 16, direction=1, checkpoint="door")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@asynccontextmanager
async def opened(file: Path, new_id: str = "journal-a"):
    async with open_database(file) as connection:
        yield await SqliteJournal.open(connection, new_id)


async def pragma(store: SqliteJournal, text: str) -> int:
    rows = await store._database.execute_fetchall(f"PRAGMA {text}")
    return rows[0][0]


# --- the journal ----------------------------------------------------------------------------------


async def test_records_are_numbered_without_gaps_and_chained_from_the_journals_name(file: Path):
    async with opened(file) as store:
        first, *_ = await store.append(draft())
        second, third = await store.append(draft(), draft())
        assert [first.sequence, second.sequence, third.sequence] == [1, 2, 3]
        rows = await store.rows(0, 10)
        value = journal.genesis("journal-a")
        for row in rows:
            value = journal.chain(value, row.blob)
            assert row.chain == value
        assert [journal.decode(row.blob) for row in rows] == [first, second, third]
        assert store.head == 3


async def test_the_hybrid_clock_goes_on_when_the_wall_clock_goes_back(file: Path):
    async with opened(file) as store:
        (first,) = await store.append(draft(wall_ms=2_000))
        (second,) = await store.append(draft(wall_ms=1_000))
        assert second.hlc == first.hlc + 1


async def test_rows_are_given_in_order_after_a_place_and_no_more_than_asked_for(file: Path):
    async with opened(file) as store:
        await store.append(*(draft() for _ in range(5)))
        assert [row.sequence for row in await store.rows(2, 2)] == [3, 4]
        assert await store.rows(5, 2) == []


async def test_the_chain_is_known_wherever_the_journal_reaches(file: Path):
    async with opened(file) as store:
        await store.append(draft())
        assert await store.chain_at(0) == journal.genesis("journal-a")
        assert await store.chain_at(1) == (await store.rows(0, 1))[0].chain
        assert await store.chain_at(2) is None


async def test_several_records_are_one_commit(file: Path):
    async with opened(file) as store:
        statements = []
        await store._database.connection.set_trace_callback(statements.append)
        await store.append(grant(), draft(Kind.PASSED, refers_to=PREVIOUS))
        assert len([text for text in statements if text.startswith("INSERT")]) == 1
        assert not store._database.connection.in_transaction


async def test_a_record_may_refer_to_the_one_before_it_in_its_commit(file: Path):
    async with opened(file) as store:
        await store.append(draft())
        granted, passed = await store.append(grant(), draft(Kind.PASSED, refers_to=PREVIOUS))
        assert passed.refers_to == granted.sequence == 2
        assert await store.open_grants() == []


async def test_commits_are_flushed_to_the_medium(file: Path):
    async with opened(file) as store:
        assert await pragma(store, "synchronous") == 2  # FULL
        assert await pragma(store, "journal_mode") == "wal"


async def test_a_journal_that_is_opened_again_goes_on_where_it_was(file: Path):
    async with opened(file) as store:
        await store.append(draft(wall_ms=9_000), draft(wall_ms=9_000))
        before = await store.rows(0, 10)
        await store.acknowledge(1, before[0].chain)
    async with opened(file, "another id") as store:
        assert (store.id, store.head) == ("journal-a", 2)
        assert store.acknowledged == Row(1, before[0].chain, b"")
        (third,) = await store.append(draft(wall_ms=1))
        assert third.sequence == 3
        assert third.hlc > journal.decode(before[1].blob).hlc
        assert (await store.rows(2, 1))[0].chain == journal.chain(
            before[1].chain, (await store.rows(2, 1))[0].blob
        )


async def test_a_new_journal_is_acknowledged_up_to_nothing(file: Path):
    async with opened(file) as store:
        assert store.acknowledged == Row(0, journal.genesis("journal-a"), b"")
        assert await store.rows(0, 1) == []


async def test_an_acknowledgement_may_go_back_with_the_server(file: Path):
    async with opened(file) as store:
        await store.append(draft(), draft())
        for sequence in (2, 1):
            await store.acknowledge(sequence, await store.chain_at(sequence))
        assert store.acknowledged.sequence == 1


async def test_grants_without_an_end_are_found_again_after_a_crash(file: Path):
    async with opened(file) as store:
        used, turned_back, cut_off = [(await store.append(grant(n)))[0] for n in (1, 2, 3)]
        await store.append(journal.ending(used, Kind.PASSED, used.sequence))
        await store.append(journal.ending(turned_back, Kind.NOT_PASSED, turned_back.sequence))
        await store.append(draft(Kind.TAILGATED, detail={"grant": cut_off.sequence}))
    async with opened(file) as store:
        assert await store.open_grants() == [cut_off]


async def test_only_records_that_state_facts_are_facts(file: Path):
    async with opened(file) as store:
        (granted,) = await store.append(grant())
        await store.append(draft(Kind.DENIED), draft(Kind.FORCED))
        (passed,) = await store.append(journal.ending(granted, Kind.PASSED, 1))
        (reset,) = await store.append(draft(Kind.RESET, identifier=bytes(16)))
        (free,) = await store.append(draft(Kind.FREE, direction=2))
        assert await store.facts() == [passed, reset, free]


async def test_appends_at_one_time_follow_each_other(file: Path):
    async with opened(file) as store:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(store.append(draft(wall_ms=n))) for n in range(20)]
        sequences = [task.result()[0].sequence for task in tasks]
        assert sorted(sequences) == list(range(1, 21))
        value = journal.genesis("journal-a")
        for row in await store.rows(0, 100):
            value = journal.chain(value, row.blob)
            assert row.chain == value


@pytest.mark.parametrize("rounds", range(6))
async def test_an_append_that_is_cancelled_leaves_no_gap(file: Path, rounds: int):
    """Whether it was written or not: what follows it is chained to what is on the disk."""
    async with opened(file) as store:
        await store.append(draft())
        task = asyncio.ensure_future(store.append(draft(wall_ms=77)))
        for _ in range(rounds):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        (last,) = await store.append(draft(wall_ms=88))
        rows = await store.rows(0, 10)
        assert [row.sequence for row in rows] == list(range(1, last.sequence + 1))
        value = journal.genesis("journal-a")
        for row in rows:
            value = journal.chain(value, row.blob)
            assert row.chain == value


async def test_a_record_that_is_too_large_is_refused_and_nothing_is_lost(file: Path):
    async with opened(file) as store:
        await store.append(draft())
        with pytest.raises(ValueError, match="over 4096"):
            await store.append(draft(), draft(detail={"text": "x" * 5_000}))
        (second,) = await store.append(draft())
        assert second.sequence == 2


# --- a full disk ----------------------------------------------------------------------------------


async def fill(store: SqliteJournal) -> tuple[list[Record], str]:
    """Append until SQLite has no room; give what was written, and what was said then."""
    await pragma(store, f"max_page_count = {await pragma(store, 'page_count') + 2}")
    written: list[Record] = []
    while True:
        try:
            written += await store.append(draft(detail={"text": "x" * 500}))
        except StorageError as exc:
            return written, str(exc)


async def test_on_a_full_disk_nothing_is_lost_and_all_before_is_readable(file: Path):
    async with opened(file) as store:
        written, said = await fill(store)
        assert said.startswith("journal cannot be written: ")
        assert said.endswith("full: the disk is full; make room")
        assert len(written) > 3
        await store._database.reopen(store.check)
        assert [journal.decode(row.blob) for row in await store.rows(0, 100)] == written
        assert store.head == len(written)
    async with opened(file) as store:
        assert [journal.decode(row.blob) for row in await store.rows(0, 100)] == written


async def test_a_commit_of_several_that_does_not_fit_leaves_none_of_them(file: Path):
    async with opened(file) as store:
        await pragma(store, f"max_page_count = {await pragma(store, 'page_count') + 1}")
        large = draft(detail={"text": "x" * 1_500})
        with pytest.raises(StorageError, match="full"):
            await store.append(large, large, large, large, large, large)
        await store._database.reopen(store.check)
        assert await store.rows(0, 10) == []
        assert store.head == 0


async def test_as_soon_as_there_is_room_the_journal_goes_on_without_a_gap(file: Path):
    async with opened(file) as store:
        written, _ = await fill(store)
        with pytest.raises(StorageError, match=r"not used before it is checked \(GT-FUL\)"):
            await store.append(draft(detail={"text": "x" * 500}))
        await store._database.reopen(store.check)
        (next_one,) = await store.append(draft(detail={"text": "x" * 500}))
        assert next_one.sequence == len(written) + 1
        value = journal.genesis("journal-a")
        for row in await store.rows(0, 100):
            value = journal.chain(value, row.blob)
            assert row.chain == value


async def test_a_new_database_on_a_full_disk_is_refused_in_plain_words(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "_PRAGMAS", database._PRAGMAS + "PRAGMA max_page_count = 3;")
    with pytest.raises(StorageError, match=r"journal\.sqlite: cannot be used.*disk is full"):
        async with open_database(file):
            pass


# --- the file -------------------------------------------------------------------------------------


async def test_two_daemons_never_share_a_journal(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "BUSY_S_MAX", 0.01)
    async with opened(file) as store:
        await store.append(draft())
        with pytest.raises(StorageError, match=r"in use; is another gate running on it\?"):
            async with open_database(file):
                pass
        await store.append(draft())
    async with opened(file) as store:
        assert store.head == 2


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(file: Path):
    file.write_bytes(b"this is a letter, not a database; " * 200)
    before = file.read_bytes()
    with pytest.raises(StorageError, match=r"journal\.sqlite: cannot be used.*it is no database"):
        async with open_database(file):
            pass
    assert file.read_bytes() == before


async def test_the_database_of_another_program_is_refused_and_left_as_it_is(file: Path):
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(StorageError, match="is the database of another program"):
        async with open_database(file):
            pass
    assert file.read_bytes() == before


async def test_a_database_that_a_newer_program_wrote_is_refused(file: Path):
    async with open_database(file) as connection:
        await connection.execute_fetchall("PRAGMA user_version = 99")
    with pytest.raises(StorageError, match=r"has schema 99, .*up to 3; install the newer program"):
        async with open_database(file):
            pass


async def test_a_damaged_page_is_told_and_not_gone_on_with(file: Path):
    async with opened(file) as store:
        await store.append(*(draft(detail={"text": "x" * 500}) for _ in range(50)))
    raw = bytearray(file.read_bytes())
    raw[8192:] = b"\xff" * (len(raw) - 8192)
    file.write_bytes(raw)
    with pytest.raises(StorageError, match="damaged"):
        async with opened(file) as store:
            await store.rows(0, 100)


async def test_a_record_that_cannot_be_read_any_more_is_told(file: Path):
    async with opened(file) as store:
        await store.append(grant())
        await store._database.execute_fetchall("UPDATE journal SET blob = x'ff00'")
        with pytest.raises(StorageError, match="journal is damaged: not a journal record"):
            await store.open_grants()


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(StorageError, match=r"No such file or directory; check the data folder"):
        async with open_database(tmp_path / "nowhere" / "journal.sqlite"):
            pass


async def test_a_start_that_was_broken_off_leaves_a_file_that_can_be_opened(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as broken:
        script = database.scripts()[1].replace("CREATE TABLE feed", "CREATE TABLE feed feed")
        broken.setattr(database, "scripts", lambda: {1: script})
        with pytest.raises(StorageError, match="syntax error"):
            async with open_database(file):
                pass
    async with opened(file) as store:
        await store.append(draft())


async def test_a_start_reads_the_card_and_not_what_the_kernel_remembers_of_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    async with opened(file) as store:
        await store.append(draft())
    told = []
    connect = database.connect

    def forget(descriptor: int, offset: int, length: int, advice: int) -> None:
        told.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, advice))

    async def connects(path: Path):
        told.append("opened")
        return await connect(path)

    monkeypatch.setattr(database.os, "posix_fadvise", forget)
    async with open_database(file, connects):
        assert told[0] == (file.name, database.os.POSIX_FADV_DONTNEED)
        assert told[-1] == "opened"


async def test_nothing_of_the_databases_thread_is_left_behind(file: Path):
    async with opened(file) as store:
        thread = store._database.connection._thread
        await settle()
    thread.join(1)
    assert not thread.is_alive()
