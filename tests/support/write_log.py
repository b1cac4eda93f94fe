"""A disk as a power cut would leave it, out of a log of every write that a machine made.

The log is that of QEMU's `blklogwrites`, whose form is the kernel's dm-log-writes: a header, then
an entry for each write, with its data, and for each flush. A device may have written what was not
flushed, or not, and in any order; what was flushed stays. The machine notes what it has promised
by marks: blocks on a part of the disk that belongs to nothing else.
"""

import json
import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SECTOR: Final = 512
_MAGIC: Final = 0x6A736677736872
_HEAD: Final = struct.Struct("<QQQI")  # magic, version, entries, bytes of a sector
_ENTRY: Final = struct.Struct("<QQQQ")  # sector, sectors, flags, bytes of data that has none
_FLUSH, _FUA, _DISCARD = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Write:
    """One entry.

    Attributes:
        sector: where it begins on the disk.
        data: what is written; empty for a mere flush.
        is_flush: whether all before it lasts from then on.
        is_lasting: whether it lasts by itself.
    """

    sector: int
    data: bytes
    is_flush: bool = False
    is_lasting: bool = False


def read_log(path: Path) -> list[Write]:
    """Give all entries in order.

    Raises:
        ValueError: if it is no such log, or says of a discard: then nobody knows what is there.
    """
    raw = path.read_bytes()
    magic, version, count, sector = _HEAD.unpack_from(raw)
    if (magic, version, sector) != (_MAGIC, 1, SECTOR):
        raise ValueError(f"{path}: is no log of writes by {SECTOR} bytes")
    entries, at = [], SECTOR
    for _ in range(count):
        start, sectors, flags, _ = _ENTRY.unpack_from(raw, at)
        if flags & _DISCARD:
            raise ValueError(f"{path}: a discard at sector {start}; mount without")
        at += SECTOR
        data = raw[at : at + sectors * SECTOR]
        at += len(data)
        entries.append(Write(start, data, bool(flags & _FLUSH), bool(flags & _FUA)))
    return entries


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment at which the power fails.

    Attributes:
        at: entries up to this one had been made.
        seed: chooses which of those since the last flush are lost, and their order; None loses
            nothing.
    """

    at: int
    seed: int | None = None


class CutDisk:
    """Makes disks out of a log.

    Args:
        before: the disk as it was when the log began.
        writes: the log.
        marks: first and last sector of the part for marks.
    """

    def __init__(self, before: Path, writes: list[Write], marks: range) -> None:
        self._before = before.read_bytes()
        self.writes = writes
        self._marks = marks

    @property
    def flushes(self) -> list[int]:
        """Give the places of the flushes."""
        return [place for place, write in enumerate(self.writes) if write.is_flush]

    def promised(self, cut: Cut) -> dict[str, Any]:
        """Give what the machine had marked last before a cut, of each kind."""
        return dict(mark for place, mark in self.marks() if place <= cut.at)

    def marks(self) -> Iterator[tuple[int, tuple[str, Any]]]:
        """Give every mark with its place in the log: what it is of, and what it says."""
        for place, write in enumerate(self.writes):
            if write.data and write.sector in self._marks:
                kind, value = json.loads(write.data.rstrip(b"\0"))
                yield place, (kind, value)

    def build(self, cut: Cut, path: Path) -> None:
        """Write the disk as it is after a cut, as a new file.

        The one before may still be mounted in a namespace that somebody copied meanwhile.
        """
        path.unlink(missing_ok=True)
        path.write_bytes(self._before)
        with path.open("r+b") as disk:
            for write in self._made(cut):
                disk.seek(write.sector * SECTOR)
                disk.write(write.data)

    def _made(self, cut: Cut) -> Iterator[Write]:
        since = max((f for f in self.flushes if f <= cut.at), default=-1) + 1
        sure, doubtful = self.writes[:since], self.writes[since : cut.at + 1]
        yield from sure
        if cut.seed is None:
            yield from doubtful
            return
        chance = random.Random(cut.seed)
        kept = [write for write in doubtful if write.is_lasting or chance.random() < 0.5]
        chance.shuffle(kept)
        for write in kept:
            yield write if write.is_lasting else _torn(write, chance)


def _torn(write: Write, chance: random.Random) -> Write:
    """Give a quarter of the writes of several sectors in part only."""
    sectors = len(write.data) // SECTOR
    if sectors < 2 or chance.random() < 0.75:
        return write
    return Write(write.sector, write.data[: chance.randrange(1, sectors) * SECTOR])


def make_disk(path: Path, parts: list[tuple[int, str]]) -> list[range]:
    """Make a disk of parts, and give the sectors of each.

    Args:
        path: of the file.
        parts: megabytes, and the type of each as `sfdisk` calls it.
    """
    per_mb = (1 << 20) // SECTOR
    starts, at = [], per_mb
    for megabytes, _ in parts:
        starts.append(range(at, at + megabytes * per_mb))
        at += megabytes * per_mb
    with path.open("wb") as disk:
        disk.truncate((at + per_mb) * SECTOR)
        disk.write(_partition_table(starts, [kind for _, kind in parts]))
    return starts


def put_part(disk: Path, part: range, content: Path) -> None:
    """Copy a filesystem to its place."""
    with disk.open("r+b") as whole:
        whole.seek(part.start * SECTOR)
        whole.write(content.read_bytes())


def _partition_table(parts: list[range], kinds: list[str]) -> bytes:
    table = bytearray(SECTOR)
    for number, (part, kind) in enumerate(zip(parts, kinds, strict=True)):
        entry = struct.pack(
            "<B3sB3sII", 0, b"\0\0\0", int(kind, 16), b"\0\0\0", part.start, len(part)
        )
        table[446 + 16 * number : 462 + 16 * number] = entry
    table[510:] = b"\x55\xaa"
    return bytes(table)


class Marks:
    """The machine's half: notes promises on the part for marks, past every cache.

    Args:
        device: of that part.
    """

    def __init__(self, device: str) -> None:
        import mmap

        self._handle = os.open(device, os.O_WRONLY | os.O_DIRECT)
        self._block = mmap.mmap(-1, SECTOR)  # at a page's start, as direct writes want it

    def mark(self, kind: str, value: Any) -> None:
        """Note that something is promised from now on."""
        self._block[:] = json.dumps([kind, value]).encode("ascii").ljust(SECTOR, b"\0")
        os.pwrite(self._handle, self._block, 0)
