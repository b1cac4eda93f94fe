"""Files that are written whole or not at all."""

import os
import stat

import pytest

from appliance.storage import lasting_file
from appliance.storage.lasting_file import write_lasting


def test_a_file_takes_the_place_of_the_one_before_with_the_mode_that_was_asked_for(tmp_path):
    path = tmp_path / "secret"
    before = os.umask(0o277)
    try:
        for content in (b"one", b"another"):
            write_lasting(path, content, 0o640)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"another"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_one_and_no_copy(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    write_lasting(path, b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lasting_file.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_lasting(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_all_of_it_is_on_the_disk_before_it_has_its_name_and_the_name_after(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(lasting_file.os, "fsync", lambda at: done.append("sync") or sync(at))
    monkeypatch.setattr(
        lasting_file.Path, "replace", lambda a, b: done.append("name") or replace(a, b)
    )
    write_lasting(tmp_path / "file", b"content")
    assert done == ["sync", "name", "sync"]


def test_what_a_power_cut_left_behind_is_in_nobodys_way(tmp_path):
    (tmp_path / "file.part").write_bytes(b"half")
    write_lasting(tmp_path / "file", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
