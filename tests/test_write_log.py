"""Disks after a power cut: what was flushed stays, the rest may be lost or come in any order."""

import struct
from pathlib import Path

import pytest

from write_log import SECTOR, Cut, CutDisk, Write, make_disk, read_log


def entry(sector: int, data: bytes, flags: int = 0) -> bytes:
    head = struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0)
    return head.ljust(SECTOR, b"\0") + data


def log_of(path: Path, *entries: bytes, magic: int = 0x6A736677736872) -> Path:
    head = struct.pack("<QQQI", magic, 1, len(entries), SECTOR).ljust(SECTOR, b"\0")
    path.write_bytes(head + b"".join(entries))
    return path


def sector_of(letter: str) -> bytes:
    return letter.encode() * SECTOR


def disk_of(tmp_path: Path, writes: list[Write], sectors: int = 8) -> CutDisk:
    before = tmp_path / "before"
    before.write_bytes(sector_of(".") * sectors)
    return CutDisk(before, writes, range(7, 8))


def after(disk: CutDisk, cut: Cut, tmp_path: Path) -> str:
    disk.build(cut, tmp_path / "cut")
    raw = (tmp_path / "cut").read_bytes()
    return "".join(chr(raw[at]) for at in range(0, len(raw), SECTOR))


def test_a_log_is_read_entry_by_entry(tmp_path):
    log = log_of(tmp_path / "log", entry(3, sector_of("a") * 2), entry(0, b"", 1))
    assert read_log(log) == [Write(3, sector_of("a") * 2), Write(0, b"", is_flush=True)]
    with pytest.raises(ValueError, match="no log"):
        read_log(log_of(tmp_path / "other", magic=1))
    with pytest.raises(ValueError, match="discard at sector 5"):
        read_log(log_of(tmp_path / "discards", entry(5, b"", 4)))


def test_without_losses_a_cut_leaves_all_that_was_written_until_then(tmp_path):
    writes = [Write(0, sector_of("a")), Write(1, sector_of("b")), Write(0, sector_of("c"))]
    disk = disk_of(tmp_path, writes)
    found = [after(disk, Cut(at), tmp_path) for at in (-1, 0, 1, 2)]
    assert found == ["........", "a.......", "ab......", "cb......"]


def test_with_losses_what_was_flushed_stays_and_of_the_rest_anything_may_be_there(tmp_path):
    writes = [Write(0, sector_of("a")), Write(0, b"", is_flush=True)]
    writes += [Write(1, sector_of("b")), Write(1, sector_of("c")), Write(2, sector_of("d"))]
    disk = disk_of(tmp_path, writes)
    found = {after(disk, Cut(4, seed), tmp_path)[:3] for seed in range(200)}
    assert found == {f"a{one}{two}" for one in ".bc" for two in ".d"}
    assert after(disk, Cut(4, 9), tmp_path) == after(disk, Cut(4, 9), tmp_path)


def test_a_write_that_lasts_by_itself_is_never_lost_and_a_long_one_may_be_torn(tmp_path):
    long = sector_of("x") + sector_of("y") + sector_of("z")
    writes = [Write(0, sector_of("a"), is_lasting=True), Write(3, long)]
    disk = disk_of(tmp_path, writes)
    found = {after(disk, Cut(1, seed), tmp_path)[:6] for seed in range(300)}
    assert found == {"a.....", "a..xyz", "a..x..", "a..xy."}


def test_what_was_promised_is_what_had_been_marked_before_the_cut(tmp_path):
    def mark(text: str) -> Write:
        return Write(7, text.encode().ljust(SECTOR, b"\0"))

    disk = disk_of(tmp_path, [mark('["a", 1]'), Write(0, sector_of("x")), mark('["a", 2]')])
    assert [disk.promised(Cut(at)) for at in (-1, 0, 1, 2)] == [{}, {"a": 1}, {"a": 1}, {"a": 2}]


def test_a_disk_is_made_of_parts(tmp_path):
    parts = make_disk(tmp_path / "disk", [(1, "da"), (16, "0e")])
    assert parts == [range(2048, 4096), range(4096, 36864)]
    table = (tmp_path / "disk").read_bytes()[:SECTOR]
    assert table[450] == 0xDA
    assert struct.unpack_from("<II", table, 470) == (4096, 32768)
    assert (tmp_path / "disk").stat().st_size == (36864 + 2048) * SECTOR
