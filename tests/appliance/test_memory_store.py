"""What the gate remembers: its duty, the feed, and who it is."""

from pathlib import Path

import pytest

from admission.sync.messages import FeedItem
from appliance.errors import StorageError
from appliance.storage import lasting_file
from appliance.storage.database import open_database
from appliance.storage.identity_file import Identity, read_identity, write_identity
from appliance.storage.memory_store import SqliteMemory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


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
        assert (await memory.feed_cursors()).by_numbering == {"": {"show": 3, "matinee": 1}}
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
        assert (await memory.feed_cursors()).by_numbering == {"": {"show": 1}}
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        assert (await memory.feed_cursors()).by_numbering == {"": {"show": 1}}
        await memory.remember_feed("show", [item(2, "gate-c")])
        assert (await memory.feed_cursors()).by_numbering == {"": {"show": 2}}
        gates = [one.gate for one in await memory.feed_items("show")]
        assert gates == ["gate-b"] * 3 + ["gate-c"] * 2


async def test_the_cursors_of_several_servers_are_kept_beside_each_other(
    tmp_path: Path, file: Path
):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        assert (await memory.feed_cursors()).last == ""
        await memory.remember_feed("show", [item(1)])  # from before servers said who they are
        await memory.remember_feed("show", [item(1), item(2)], "central")
        await memory.remember_feed("show", [item(1, "gate-c")], "site")
        await memory.remember_feed("show", [item(3)], "central")
        await memory.remember_numbering("site")
        await memory.remember_numbering("central")
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        cursors = await memory.feed_cursors()
        assert cursors.by_numbering == {
            "": {"show": 1},
            "central": {"show": 3},
            "site": {"show": 1},
        }
        assert (cursors.last, cursors.streams) == ("central", ["show"])
        await memory.remember_feed("show", [item(2, "gate-c")], "site")
        assert (await memory.feed_cursors()).by_numbering["site"] == {"show": 2}
        last_heard = [item(number) for number in (1, 2, 3)]  # corrects what was said before
        assert (await memory.feed_items("show"))[-3:] == last_heard
        assert len(await memory.feed_items("show")) == 6


async def test_a_server_that_went_back_is_kept_apart_from_what_it_said_before(
    tmp_path: Path, file: Path
):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        await memory.remember_feed("show", [item(1), item(2)], "central")
        await memory.remember_feed("show", [item(1)], "site")
        memory.renumber_feed("show", "central")
        await memory.remember_feed("show", [item(1, "gate-c")], "central")
        expected = {"central": {"show": 1}, "site": {"show": 1}}
        assert (await memory.feed_cursors()).by_numbering == expected
        assert len(await memory.feed_items("show")) == 4


async def unchecked(execute) -> None:
    """Find nothing wrong."""


async def test_a_page_of_the_feed_is_one_commit_or_nothing(tmp_path: Path, file: Path):
    async with open_database(file) as connection:
        memory = SqliteMemory(connection, tmp_path / "lists")
        ((pages,),) = await connection.execute_fetchall("PRAGMA page_count")
        await connection.execute_fetchall(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="disk is full"):
            await memory.remember_feed("show", [item(n) for n in range(1, 1_001)])
        await connection.reopen(unchecked)
        assert (await memory.feed_cursors()).by_numbering == {}


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
    root=b"{}",
    root_digest="0" * 64,
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

    monkeypatch.setattr(lasting_file.os, "fsync", no_space)
    with pytest.raises(StorageError, match="cannot be written: No space left"):
        write_identity(path, IDENTITY)
    assert read_identity(path) == IDENTITY
    assert list(tmp_path.iterdir()) == [path]
