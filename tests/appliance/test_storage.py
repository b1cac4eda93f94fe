"""The gate's disk: the journal over a real SQLite file, and lists that are there whole or not."""

import asyncio
import hashlib
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from admission import journal
from admission.errors import DigestError, ListFormatError
from admission.journal import PREVIOUS, Kind, Record
from admission.sync.gate_side import Row
from admission.sync.messages import FeedItem
from appliance.errors import StorageError
from appliance.ports import StoredList
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.virtual_clock import settle
from appliance.storage import database, memory_store
from appliance.storage.database import open_database
from appliance.storage.identity_file import Identity, read_identity, write_identity
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory

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
    rows = await store._connection.execute_fetchall(f"PRAGMA {text}")
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
        await store._connection.set_trace_callback(statements.append)
        await store.append(grant(), draft(Kind.PASSED, refers_to=PREVIOUS))
        assert len([text for text in statements if text.startswith("INSERT")]) == 1
        assert not store._connection.in_transaction


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
        assert await store.rows(0, 10) == []
        assert store.head == 0


async def test_as_soon_as_there_is_room_the_journal_goes_on_without_a_gap(file: Path):
    async with opened(file) as store:
        written, _ = await fill(store)
        with pytest.raises(StorageError, match="full"):
            await store.append(draft(detail={"text": "x" * 500}))
        await pragma(store, "max_page_count = 1073741823")
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
    with pytest.raises(StorageError, match=r"has schema 99, .*up to 1; install the newer program"):
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
        await store._connection.execute_fetchall("UPDATE journal SET blob = x'ff00'")
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
        script = database._scripts()[1].replace("CREATE TABLE feed", "CREATE TABLE feed feed")
        broken.setattr(database, "_scripts", lambda: {1: script})
        with pytest.raises(StorageError, match="syntax error"):
            async with open_database(file):
                pass
    async with opened(file) as store:
        await store.append(draft())


# --- lists ----------------------------------------------------------------------------------------

OFFICE = BoxOffice()


class Cut(BaseException):
    """The power goes."""


def stored(signed) -> StoredList:
    manifest = signed.manifest
    return StoredList(
        manifest.performance, manifest.version, manifest.chain, signed.envelope, signed.list_key
    )


async def install(memory: SqliteMemory, signed) -> None:
    """Go the way that the list keeper goes."""
    download = memory.new_download()
    download.write_bytes(signed.snapshot)
    await memory.open_download(signed.manifest, download)
    await memory.install(stored(signed), signed.manifest, download)


OLD = OFFICE.draw_up("show", ["T1"], version=1)
NEW = OFFICE.draw_up("show", ["T1", "T2"], version=2)


async def held(memory: SqliteMemory):
    """Give which list is installed, and prove that it can be opened."""
    (row,) = await memory.lists()
    signed = {1: OLD, 2: NEW}[row.version]
    assert row == stored(signed)
    snapshot = await memory.open_snapshot(signed.manifest)
    assert snapshot[: len(signed.snapshot)] == signed.snapshot
    return signed


async def test_a_list_that_was_installed_is_there_after_a_restart(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        await install(SqliteMemory(connection, tmp_path / "lists"), OLD)
    async with open_database(file) as connection:
        assert await held(SqliteMemory(connection, tmp_path / "lists")) is OLD


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("download", OLD),
        ("map", OLD),
        ("sync", OLD),
        ("rename", OLD),
        ("folder sync", OLD),
        ("row", OLD),
        ("nothing", NEW),
    ],
)
async def test_a_power_cut_at_any_step_leaves_the_old_list_or_the_new_one(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, step: str, left
):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await install(memory, OLD)
        cut_at(step, memory, monkeypatch)
        try:
            await install(memory, NEW)
        except Cut:
            assert step != "nothing"
        monkeypatch.undo()
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        assert await held(memory) is left
        assert list((tmp_path / "lists").glob("*.part")) == []
        await memory.sweep([left.manifest])
        assert [path.stem for path in (tmp_path / "lists").iterdir()] == [
            left.manifest.snapshot.sha256
        ]
        await install(memory, NEW)
        assert await held(memory) is NEW


def cut_at(step: str, memory: SqliteMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the power go just after a step."""
    real_replace = Path.replace
    real_fsync = memory_store.os.fsync
    syncs = []

    def cut(*_):
        raise Cut

    def replace_and_cut(source: Path, target: Path):
        real_replace(source, target)
        raise Cut

    def sync_and_cut(handle: int) -> None:
        real_fsync(handle)
        syncs.append(handle)
        if len(syncs) == {"sync": 1, "folder sync": 2}[step]:
            raise Cut

    async def no_row(*_):
        raise Cut

    match step:
        case "download":
            monkeypatch.setattr(memory_store, "_map_checked", cut)
        case "map":
            monkeypatch.setattr(memory_store, "_move_durably", cut)
        case "rename":
            monkeypatch.setattr(Path, "replace", replace_and_cut)
        case "sync" | "folder sync":
            monkeypatch.setattr(memory_store.os, "fsync", sync_and_cut)
        case "row":
            monkeypatch.setattr(memory, "_run", no_row)
        case "nothing":
            pass


async def test_a_snapshot_that_is_not_what_was_signed_is_not_opened(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        for raw in (b"", NEW.snapshot[:-1], NEW.snapshot + b"\0", OLD.snapshot, b"<html>" * 9):
            download = memory.new_download()
            download.write_bytes(raw)
            with pytest.raises(DigestError):
                await memory.open_download(NEW.manifest, download)


async def test_a_ticket_beyond_the_class_table_is_found_before_it_is_shown(
    tmp_path: Path, file: Path
):
    for place, reason in ((-2, "of class 255"), (-1, "unknown ticket state 9")):
        raw = bytearray(OLD.snapshot)
        raw[place] = 255 if place == -2 else 9
        digest = hashlib.sha256(raw).hexdigest()
        ref = type(OLD.manifest.snapshot)(version=1, size=len(raw), sha256=digest, count=1)
        signed = OFFICE.draw_up("show", ["T1"], snapshot=ref, chain=digest)
        async with open_database(file) as connection:
            memory = SqliteMemory(connection, tmp_path / "lists")
            download = memory.new_download()
            download.write_bytes(raw)
            with pytest.raises(ListFormatError, match=reason):
                await memory.open_download(signed.manifest, download)


async def test_a_list_file_that_changed_on_the_card_is_not_opened(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await install(memory, OLD)
        (path,) = (tmp_path / "lists").glob("*.tgl")
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
        with pytest.raises(DigestError, match="its digest differs"):
            await memory.open_snapshot(OLD.manifest)
        path.unlink()
        with pytest.raises(StorageError, match="cannot be opened: No such file"):
            await memory.open_snapshot(OLD.manifest)


async def test_an_older_list_never_takes_the_place_of_a_newer_one(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await install(memory, NEW)
        await install(memory, OLD)
        assert [row.version for row in await memory.lists()] == [2]


async def test_sweeping_leaves_what_is_named_and_mapped_files_stay_readable(
    tmp_path: Path, file: Path
):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await install(memory, OLD)
        mapped = await memory.open_snapshot(OLD.manifest)
        await install(memory, NEW)
        await memory.sweep([NEW.manifest])
        assert len(list((tmp_path / "lists").glob("*.tgl"))) == 1
        assert mapped[: len(OLD.snapshot)] == OLD.snapshot
        assert await held(memory) is NEW


async def test_a_folder_that_may_not_be_used_is_told(tmp_path: Path, file: Path):
    (tmp_path / "lists").write_text("a file in the way")
    async with open_database(file) as connection:
        with pytest.raises(StorageError, match=r"lists: cannot be used: File exists"):
            SqliteMemory(connection, tmp_path / "lists")


async def test_a_download_that_finds_no_place_is_a_fault_of_the_disk(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        (tmp_path / "lists").rmdir()
        with pytest.raises(StorageError, match="lists: cannot be written: No such file"):
            memory.new_download()


async def test_an_assignment_is_remembered_and_the_last_one_counts(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        assert await memory.assignment() is None
        await memory.remember_assignment(7, b"seven")
        await memory.remember_assignment(1, b"one, of another server")
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        assert await memory.assignment() == b"one, of another server"


# --- the feed -------------------------------------------------------------------------------------


def item(number: int, gate: str = "gate-b", sequence: int | None = None) -> FeedItem:
    return FeedItem(number, 12, gate, sequence or number, 0, "door", "show", bytes(16), 1, 0)


async def test_feed_items_are_remembered_once_and_their_greatest_number_is_the_cursor(
    tmp_path: Path, file: Path
):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await memory.remember_feed("show", [item(1), item(2)])
        await memory.remember_feed("show", [item(2, "gate-c"), item(3)])
        await memory.remember_feed("matinee", [])
        await memory.remember_feed("matinee", [item(1)])
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        assert await memory.feed_cursors() == {"show": 3, "matinee": 1}
        assert await memory.feed_items("show") == [item(1), item(2), item(3)]


async def test_a_feed_that_is_numbered_anew_keeps_what_it_brought_before(
    tmp_path: Path, file: Path
):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await memory.feed_cursors()
        await memory.remember_feed("show", [item(1), item(2), item(3)])
        memory.renumber_feed("show")
        await memory.remember_feed("show", [item(1, "gate-c")])
        assert await memory.feed_cursors() == {"show": 1}
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        assert await memory.feed_cursors() == {"show": 1}
        await memory.remember_feed("show", [item(2, "gate-c")])
        assert await memory.feed_cursors() == {"show": 2}
        gates = [one.gate for one in await memory.feed_items("show")]
        assert gates == ["gate-b"] * 3 + ["gate-c"] * 2


async def test_a_page_of_the_feed_is_one_commit_or_nothing(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        ((pages,),) = await connection.execute_fetchall("PRAGMA page_count")
        await connection.execute_fetchall(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="disk is full"):
            await memory.remember_feed("show", [item(n) for n in range(1, 1_001)])
        assert await memory.feed_cursors() == {}


async def test_a_feed_item_that_cannot_be_read_any_more_is_told(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await memory.remember_feed("show", [item(1)])
        await connection.execute_fetchall("UPDATE feed SET item = x'c1'")
        with pytest.raises(StorageError, match="feed show is damaged"):
            await memory.feed_items("show")


# --- who the gate is ------------------------------------------------------------------------------

IDENTITY = Identity(
    gate="gate-a",
    gate_name="Porte A",
    server="https://tickets.example.org",
    private_key=b"p" * 32,
    agreement_key=b"a" * 32,
    list_keys=(b"l" * 32,),
)


def test_the_identity_is_written_for_nobody_else_to_read(tmp_path: Path):
    path = tmp_path / "data" / "identity.json"
    write_identity(path, IDENTITY)
    assert read_identity(path) == IDENTITY
    assert path.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]


def test_a_gate_that_was_never_enrolled_has_no_identity(tmp_path: Path):
    assert read_identity(tmp_path / "identity.json") is None


@pytest.mark.parametrize("raw", [b"", b"{", b'{"gate": 1}', b"\xff", b'{"gate": "\xff"}'])
def test_an_identity_that_cannot_be_read_is_told_with_a_remedy(tmp_path: Path, raw: bytes):
    path = tmp_path / "identity.json"
    path.write_bytes(raw)
    with pytest.raises(StorageError, match=r"identity cannot be read: .*enrol the gate anew"):
        read_identity(path)


def test_an_identity_that_cannot_be_written_leaves_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "identity.json"
    write_identity(path, IDENTITY)

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory_store.os, "fsync", no_space)
    with pytest.raises(StorageError, match="cannot be written: No space left"):
        write_identity(path, IDENTITY)
    assert read_identity(path) == IDENTITY
    assert list(tmp_path.iterdir()) == [path]


async def test_nothing_of_the_databases_thread_is_left_behind(file: Path):
    async with opened(file) as store:
        thread = store._connection._thread
        await settle()
    thread.join(1)
    assert not thread.is_alive()
