"""What a gate keeps of others' journals: whole pieces, and never its own journal's room."""

import pytest

from admission import journal
from admission.journal import Kind, Record
from admission.sync.gate_side import Row
from admission.sync.messages import Seal
from admission.sync.peer import Held, Taken
from appliance.errors import StorageError
from appliance.storage.carried_store import open_carried


def piece(first, last, *, chain=None, name="j", gate="g", kind=Kind.PASSED, blob=None):
    value = chain or journal.genesis(name)
    rows = []
    for sequence in range(first, last + 1):
        record = Record(kind=int(kind), sequence=sequence, wall_ms=0, boot_ms=0, boot_id=b"")
        raw = blob or journal.encode(record)
        value = journal.chain(value, raw)
        rows.append(Row(sequence, value, raw))
    return Taken(name, tuple(rows), Seal(gate, name, last, value, bytes(64)), None, b"certificate")


@pytest.fixture
async def store(tmp_path):
    async with open_carried(tmp_path / "carried.sqlite", free_bytes_min=0) as opened:
        yield opened


async def test_a_piece_is_given_as_it_was_kept(store):
    taken = piece(1, 5)
    await store.keep(taken)
    found = await store.following("j", 0, 1000)
    assert (tuple(found.rows), found.seal, found.envelope) == (
        taken.rows,
        taken.seal,
        taken.envelope,
    )
    assert await store.held() == [Held("j", "g", 5, taken.seal.chain)]
    assert await store.chain_at("j", 3) == taken.rows[2].chain
    assert await store.chain_at("j", 0) == journal.genesis("j")
    assert await store.chain_at("j", 6) is None
    assert await store.chain_at("another", 1) is None


async def test_what_follows_ends_with_a_record_that_is_sealed(store):
    first = piece(1, 3)
    await store.keep(first)
    await store.keep(piece(4, 6, chain=first.seal.chain))
    assert [row.sequence for row in (await store.following("j", 0, 1000)).rows] == list(range(1, 7))
    assert [row.sequence for row in (await store.following("j", 0, 5)).rows] == [1, 2, 3]
    assert [row.sequence for row in (await store.following("j", 1, 5)).rows] == [2, 3, 4, 5, 6]
    assert [row.sequence for row in (await store.following("j", 5, 5)).rows] == [6]
    assert await store.following("j", 6, 5) is None
    assert await store.following("another", 0, 5) is None


@pytest.mark.parametrize(("first", "last"), [(3, 4), (1, 2), (2, 2)])
async def test_a_piece_that_does_not_continue_what_is_held_is_not_kept(store, first, last):
    await store.keep(piece(1, 1)) if first == 3 else await store.keep(piece(1, 2))
    held = await store.held()
    with pytest.raises(StorageError):
        await store.keep(piece(first, last))
    assert await store.held() == held


async def test_records_that_nobody_can_read_are_carried_all_the_same(store):
    await store.keep(piece(1, 2, blob=b"nonsense"))
    assert [one.head for one in await store.held()] == [2]
    assert [found async for found in store.facts()] == []


async def test_facts_come_journal_by_journal_and_some_at_a_time(store):
    await store.keep(piece(1, 1200))
    await store.keep(piece(1, 3, name="k", kind=Kind.DENIED))
    counted = [(name, len(blobs)) async for name, blobs in store.facts()]
    assert counted == [("j", 500), ("j", 500), ("j", 200)]


async def test_what_is_kept_is_there_after_a_restart(tmp_path):
    path = tmp_path / "carried.sqlite"
    async with open_carried(path, free_bytes_min=0) as store:
        await store.keep(piece(1, 2))
        await store.keep_revoked({"b", "a"})
    async with open_carried(path, free_bytes_min=0) as store:
        assert [one.head for one in await store.held()] == [2]
        assert await store.revoked() == ["a", "b"]
        await store.keep_revoked(["c"])
        assert await store.revoked() == ["c"]


async def test_a_damaged_file_is_moved_aside_and_begun_anew(tmp_path):
    path = tmp_path / "carried.sqlite"
    path.write_bytes(b"no database at all" * 100)
    async with open_carried(path, free_bytes_min=0) as store:
        assert await store.held() == []
        await store.keep(piece(1, 2))
    assert (tmp_path / "carried.damaged").exists()


async def test_a_place_that_cannot_be_opened_is_told(tmp_path):
    with pytest.raises(StorageError, match="cannot be opened"):
        async with open_carried(tmp_path / "missing" / "carried.sqlite"):
            pass


async def test_carrying_stops_before_it_takes_the_room_of_the_own_journal(tmp_path):
    async with open_carried(tmp_path / "a.sqlite", free_bytes_min=0) as store:
        assert await store.has_room()
    async with open_carried(tmp_path / "b.sqlite", free_bytes_min=1 << 60) as store:
        assert not await store.has_room()
    async with open_carried(tmp_path / "c.sqlite", bytes_max=100, free_bytes_min=0) as store:
        assert not await store.has_room()


async def test_a_full_disk_keeps_nothing_of_a_piece(store):
    await store.keep(piece(1, 1))
    connection = store._connection
    pages = await store._run(lambda: connection.execute("PRAGMA page_count").fetchone()[0])
    await store._run(lambda: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    with pytest.raises(StorageError, match="disk is full"):
        await store.keep(piece(2, 500, chain=(await store.held())[0].chain))
    assert [one.head for one in await store.held()] == [1]
    await store.keep_revoked([])  # and no transaction is left open
