"""The pieces of lists on disk: there whole or not, after a power cut too, checked and set aside."""

from pathlib import Path

import pytest

from admission.errors import DigestError
from appliance.errors import StorageError
from appliance.list_store import ListStore
from appliance.ports import StoredList
from appliance.simulator.box_office import BoxOffice
from appliance.storage import list_files
from appliance.storage.database import open_database
from appliance.storage.memory_store import SqliteMemory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


OFFICE = BoxOffice()


class Cut(BaseException):
    """The power goes."""


def stored(signed) -> StoredList:
    manifest = signed.manifest
    return StoredList(manifest.performance, manifest.version, manifest.chain, signed.envelope)


async def install(memory: SqliteMemory, signed) -> None:
    """Go the way that the list keeper goes."""
    missing = await memory.files.missing([signed.manifest.snapshot, *signed.manifest.segments])
    downloads = {}
    for sha256 in sorted(missing):
        downloads[sha256] = memory.files.new_download()
        downloads[sha256].write_bytes(signed.piece(sha256))
    await ListStore(memory).open(signed.manifest, signed.list_key, None, downloads)
    await memory.install(stored(signed), downloads)


OLD = OFFICE.draw_up("show", ["T1"], version=1)
NEW = OFFICE.draw_up("show", ["T1", "T2"], version=2)
MORE = OFFICE.update(OLD, ["T2"])
VERSIONS = {"another snapshot": NEW, "a segment more": MORE}


async def held(memory: SqliteMemory):
    """Give which list is installed, and prove that it can be opened."""
    (row,) = await memory.lists()
    signed = next(one for one in (OLD, NEW, MORE) if one.envelope == row.manifest)
    assert row == stored(signed)
    opened = await ListStore(memory).open(signed.manifest, signed.list_key)
    assert len(opened.entries) == (1 if signed is OLD else 2)
    return signed


def names(folder: Path, suffix: str) -> set[str]:
    return {path.stem for path in folder.glob(f"*{suffix}")}


async def test_a_list_that_was_installed_is_there_after_a_restart(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        await install(SqliteMemory(connection, tmp_path / "lists"), MORE)
    async with open_database(file) as connection:
        assert await held(SqliteMemory(connection, tmp_path / "lists")) is MORE


STEPS = ["download", "open", "sync", "rename", "folder sync", "row", "nothing"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("what", VERSIONS)
async def test_a_power_cut_at_any_step_leaves_the_old_list_or_the_new_one(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, step: str, what: str
):
    new = VERSIONS[what]
    left = new if step == "nothing" else OLD
    folder = tmp_path / "lists"
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, folder)
        await install(memory, OLD)
        cut_at(step, memory, monkeypatch)
        try:
            await install(memory, new)
        except Cut:
            assert step != "nothing"
        monkeypatch.undo()
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, folder)
        assert await held(memory) is left
        assert names(folder, ".part") == set()
        await ListStore(memory).sweep([left.manifest])
        refs = [left.manifest.snapshot, *left.manifest.segments]
        assert {path.stem for path in folder.iterdir()} == {ref.sha256 for ref in refs}
        await install(memory, new)
        assert await held(memory) is new


def cut_at(step: str, memory: SqliteMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the power go just after a step."""
    real_replace = Path.replace
    real_fsync = list_files.os.fsync
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
            monkeypatch.setattr(list_files, "_map_checked", cut)
        case "open":
            monkeypatch.setattr(memory.files, "_keep", cut)
        case "rename":
            monkeypatch.setattr(Path, "replace", replace_and_cut)
        case "sync" | "folder sync":
            monkeypatch.setattr(list_files.os, "fsync", sync_and_cut)
        case "row":
            monkeypatch.setattr(memory, "_run", no_row)
        case "nothing":
            pass


async def test_a_piece_that_is_not_what_was_signed_is_not_opened(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        files = SqliteMemory(connection, tmp_path / "lists").files
        for raw in (b"", NEW.snapshot[:-1], NEW.snapshot + b"\0", OLD.snapshot, b"<html>" * 9):
            download = files.new_download()
            download.write_bytes(raw)
            with pytest.raises(DigestError):
                await files.open("snapshot", NEW.manifest.snapshot, download)


async def test_a_file_that_changed_on_the_card_is_not_opened_and_found_when_read_again(
    tmp_path: Path, file: Path
):
    ref = OLD.manifest.snapshot
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await install(memory, OLD)
        await memory.files.check("snapshot", ref)
        (path,) = (tmp_path / "lists").glob("*.tgl")
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
        with pytest.raises(DigestError, match="its digest differs"):
            await memory.files.open("snapshot", ref)
        with pytest.raises(DigestError, match="has changed since it was verified"):
            await memory.files.check("snapshot", ref)
        path.write_bytes(raw[:-1])
        with pytest.raises(DigestError, match="82 bytes now, the manifest says 83"):
            await memory.files.check("snapshot", ref)
        path.unlink()
        for look in (memory.files.open, memory.files.check):
            with pytest.raises(StorageError, match="cannot be opened: No such file"):
                await look("snapshot", ref)


async def test_what_is_set_aside_is_kept_as_it_is_but_only_the_last_two(tmp_path: Path, file: Path):
    folder = tmp_path / "lists"
    async with open_database(file) as connection:
        files = SqliteMemory(connection, folder).files
        for name in "abc":
            (folder / f"{name * 64}.tgl").write_bytes(name.encode())
            await files.set_aside(name * 64)
        await files.set_aside("d" * 64)  # is not there
        await files.sweep([])
        assert names(folder, ".tgl") == set()
        assert names(folder, ".aside") == {"b" * 64, "c" * 64}
        assert (folder / f"{'c' * 64}.aside").read_bytes() == b"c"


async def test_a_piece_of_which_a_part_is_there_is_missing(tmp_path: Path, file: Path):
    ref = OLD.manifest.snapshot
    async with open_database(file) as connection:
        files = SqliteMemory(connection, tmp_path / "lists").files
        assert await files.missing([ref]) == {ref.sha256}
        path = tmp_path / "lists" / f"{ref.sha256}.tgl"
        path.write_bytes(OLD.snapshot[:-1])
        assert await files.missing([ref]) == {ref.sha256}
        path.write_bytes(OLD.snapshot)
        assert await files.missing([ref]) == set()


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
        mapped = await memory.files.open("snapshot", OLD.manifest.snapshot)
        await install(memory, NEW)
        await memory.files.sweep([NEW.manifest.snapshot.sha256])
        assert names(tmp_path / "lists", ".tgl") == {NEW.manifest.snapshot.sha256}
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
            memory.files.new_download()
        with pytest.raises(StorageError, match="list cannot be stored: No such file"):
            await memory.files.keep({"a" * 64: tmp_path / "lists" / "a.part"})
