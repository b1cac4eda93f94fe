"""Shelves of bundles, in memory and on a disk: the same whoever keeps them."""

import hashlib
import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from appliance.errors import StorageError
from appliance.storage import bundle_shelf
from appliance.storage.bundle_shelf import FolderShelf, RequestFile
from appliance.update_ports import UpdateRequest
from fetching_stand_ins import MemoryShelf

DATA = b"hsqs" + bytes(1000)
SHA256 = hashlib.sha256(DATA).hexdigest()
OTHERS = ["0" * 64, "1" * 64, "2" * 64]


@pytest.fixture(params=["memory", "folder"])
def shelf(request, tmp_path):
    return MemoryShelf() if request.param == "memory" else FolderShelf(tmp_path / "bundles")


@pytest.fixture
def folder(tmp_path):
    return FolderShelf(tmp_path / "bundles")


async def test_a_bundle_grows_part_by_part_until_it_is_whole(shelf):
    assert await shelf.have(SHA256) == 0
    await shelf.append(SHA256, 0, DATA[:100])
    await shelf.append(SHA256, 100, DATA[100:])
    assert await shelf.have(SHA256) == len(DATA)
    path = await shelf.finish(SHA256, "0.2.0")
    assert path.endswith(f"/0.2.0-{SHA256}.raucb")
    assert await shelf.have(SHA256) == len(DATA)
    assert await shelf.finish(SHA256, "0.2.0") == path


async def test_what_is_not_what_its_digest_says_is_gone(shelf):
    await shelf.append(SHA256, 0, DATA[:-1] + b"?")
    assert await shelf.finish(SHA256, "0.2.0") == ""
    assert await shelf.have(SHA256) == 0


# --- on a disk --------------------------------------------------------------------------------


async def test_another_start_finds_what_was_there_before(folder, tmp_path):
    await folder.append(SHA256, 0, DATA[:500])
    again = FolderShelf(tmp_path / "bundles")
    assert await again.have(SHA256) == 500
    await again.append(SHA256, 500, DATA[500:])
    path = Path(await again.finish(SHA256, "0.2.0"))
    assert path.read_bytes() == DATA
    assert await FolderShelf(tmp_path / "bundles").have(SHA256) == len(DATA)


async def test_bytes_are_on_the_disk_when_append_returns(folder, monkeypatch):
    synced = []
    fsync = os.fsync

    def noting(handle):
        synced.append(os.fstat(handle).st_size)
        fsync(handle)

    monkeypatch.setattr(bundle_shelf.os, "fsync", noting)
    await folder.append(SHA256, 0, DATA[:500])
    assert synced[0] == 500


async def test_two_bundles_at_the_most_and_the_oldest_goes_first(folder, tmp_path):
    for age, sha256 in enumerate(OTHERS):
        await folder.append(sha256, 0, DATA)
        os.utime(tmp_path / "bundles" / f"{sha256}.part", (age, age))
    await folder.append(SHA256, 0, DATA)
    assert await folder.make_room(SHA256, 0)
    left = {path.stem for path in (tmp_path / "bundles").iterdir()}
    assert left == {SHA256, OTHERS[-1]}


async def test_where_room_is_short_the_others_go_and_never_the_one_that_is_wanted(
    folder, tmp_path, monkeypatch
):
    usage = namedtuple("usage", "free")
    for sha256 in (SHA256, OTHERS[0]):
        await folder.append(sha256, 0, DATA)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(50))
    assert not await folder.make_room(SHA256, 51)
    assert await folder.make_room(SHA256, 50)
    assert [path.stem for path in (tmp_path / "bundles").iterdir()] == [SHA256]


async def test_a_link_in_a_bundles_place_is_not_followed(folder, tmp_path):
    (tmp_path / "bundles").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "bundles" / f"{SHA256}.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        await folder.append(SHA256, 0, DATA)
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"


async def test_a_folder_that_takes_nothing_is_told(tmp_path):
    (tmp_path / "bundles").write_bytes(b"no folder")
    shelf = FolderShelf(tmp_path / "bundles")
    with pytest.raises(StorageError, match="cannot be written"):
        await shelf.append(SHA256, 0, DATA)
    with pytest.raises(StorageError, match="room"):
        await shelf.make_room(SHA256, 0)


# --- the caretaker's ear ----------------------------------------------------------------------

REQUEST = UpdateRequest("/b/x.raucb", "0.2.0", 1004, SHA256)


async def test_what_is_asked_for_is_written_as_the_caretaker_reads_it(tmp_path):
    desk, file = RequestFile(tmp_path), tmp_path / "update-request.json"
    await desk.ask(REQUEST)
    assert json.loads(file.read_text()) == {
        "format": 1,
        "path": "/b/x.raucb",
        "version": "0.2.0",
        "size": 1004,
        "sha256": SHA256,
        "by": "server",
    }
    before = file.stat().st_ino
    await desk.ask(REQUEST)
    assert file.stat().st_ino == before  # nobody is woken twice
    await desk.ask(UpdateRequest("/b/y.raucb", "0.3.0", 1, SHA256))
    assert json.loads(file.read_text())["version"] == "0.3.0"
    await desk.take_back()
    assert list(tmp_path.iterdir()) == []
    await desk.take_back()


@pytest.mark.parametrize("present", ['{"by": "usb"}', "{", "[]"])
async def test_what_somebody_else_asked_for_is_not_taken_back(tmp_path, present):
    (tmp_path / "update-request.json").write_text(present)
    await RequestFile(tmp_path).take_back()
    assert (tmp_path / "update-request.json").read_text() == present


async def test_a_request_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(StorageError, match=r"update-request\.json: cannot be written"):
        await RequestFile(tmp_path / "nowhere").ask(REQUEST)
