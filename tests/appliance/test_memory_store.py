"""What the gate remembers: lists that are there whole or not, the feed, and who it is."""

import hashlib
from pathlib import Path

import pytest

from admission.errors import DigestError, ListFormatError
from admission.sync.messages import FeedItem
from appliance.errors import StorageError
from appliance.ports import StoredList
from appliance.simulator.box_office import BoxOffice
from appliance.storage import memory_store
from appliance.storage.database import open_database
from appliance.storage.identity_file import Identity, read_identity, write_identity
from appliance.storage.memory_store import SqliteMemory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


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
