"""What a gate keeps, written for real on a disk whose every write is logged, promise by promise.

The disk has a part for marks, a FAT as the card's boot partition is one, and ext4 as the data
partition is. A mark is made as soon as what it is of has been promised. The host cuts the power
afterwards, wherever it likes (tests/vm/test_cuts_at_every_write.py).
"""

import asyncio
import os
import sqlite3
import subprocess
from functools import partial
from pathlib import Path
from typing import Final

from steps import load, prove, step, wait_until

from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.lasting_file import write_lasting
from caretaker import autoboot, update_file
from caretaker.clock_saving import SAVED_FILE, MachineClock, save_clock
from caretaker.kept_files import write_in_place, write_whole
from caretaker.places import Places
from caretaker.provisioning import Provisioning
from caretaker.update_machine import Phase, Update
from portillon.care_provision import GateFiles
from powercut_content import (
    CARD,
    CHOICE_WAYS,
    CHOICES,
    JOURNAL,
    choice_file,
    choices_of,
    draft,
    kept_of,
    saved_of,
)
from write_log import Marks

DISK: Final = "/dev/vda"
DATA: Final = Path("/tmp/data")
PLACES: Final = Places(DATA)
FAT: Final = PLACES.boot_partition
SINGLES, FAMILIES, ROUNDS, UNSURE = 60, 12, 24, 60


async def powercut_proof() -> None:
    """Write it all."""
    load("virtio_blk", "ext4", "vfat", "nls_cp437", "nls_ascii")
    step("disk", there_s=await wait_until(Path(DISK + "3").exists, "the disk's parts"))
    marks = Marks(DISK + "1")
    _mount("ext4", DISK + "3", DATA, "noatime,commit=5,errors=remount-ro")
    for folder in (PLACES.state, PLACES.care, PLACES.config.parent, DATA / "run"):
        folder.mkdir(parents=True)
    _mount("vfat", DISK + "2", FAT)
    _mount("tmpfs", "tmpfs", DATA / "run")
    PLACES.care_run.mkdir(parents=True)
    os.sync()
    _choices(marks)
    _unsure(marks)
    await _journal(marks)
    _files(marks)
    await asyncio.to_thread(_provision, marks)
    step("written")


def _mount(kind: str, device: str, folder: Path, options: str = "noatime") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", kind, "-o", options, device, folder], check=True)


def _choices(marks: Marks) -> None:
    """Replace a file of one sector on FAT, in each of the ways that one may think of."""
    for way in CHOICE_WAYS:
        path = FAT / choice_file(way)
        contents = choices_of(way)
        path.write_bytes(contents[0])
        _sync(path)
        os.sync()
        marks.mark(way, 0)
        for number in range(1, CHOICES + 1):
            _replace(way, path, contents[number])
            marks.mark(way, number)
        os.sync()  # what one way left undone is not held against the next
        marks.mark("done", way)


def _replace(way: str, path: Path, content: bytes) -> None:
    match way:
        case "truncate":
            path.write_bytes(content)
            _sync(path)
        case "rename":
            write_whole(path, content)
        case "rename2":
            write_whole(path, content)
            _sync(path)
        case "inplace":
            write_in_place(path, content)
        case "commit":
            autoboot.commit(path.parent, autoboot.primary_slot(content))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _unsure(marks: Marks) -> None:
    """Promise what is not synced: the control, whose losses the host has to see."""
    database = sqlite3.connect(DATA / "unsure.sqlite", isolation_level=None)
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")
    database.execute("CREATE TABLE scan (number INTEGER)")
    for number in range(1, UNSURE + 1):
        database.execute("INSERT INTO scan VALUES (?)", (number,))
        marks.mark("unsure", number)
        if number % 20 == 0:
            os.sync()
    database.close()


async def _journal(marks: Marks) -> None:
    """Write a night as the gate does: a record a commit, and a family's in one."""
    async with open_database(PLACES.state / JOURNAL) as database:
        store = await SqliteJournal.open(database, "journal-a")
        for _ in range(SINGLES):
            await store.append(draft(store.head + 1))
            marks.mark("journal", store.head)
        for size in range(1, FAMILIES + 1):
            await store.append(*[draft(store.head + 1 + n) for n in range(size)])
            marks.mark("journal", store.head)
        row = (await store.rows(store.head // 2, 1))[0]
        await store.acknowledge(row.sequence, row.chain)
        marks.mark("acknowledged", row.sequence)


def _files(marks: Marks) -> None:
    """Write the small files of gate and caretaker, again and again."""
    for number in range(1, ROUNDS + 1):
        write_lasting(PLACES.state / "kept", kept_of(number))
        marks.mark("kept", number)
        write_whole(PLACES.care / "whole", kept_of(number))
        marks.mark("whole", number)
        update = Update(Phase.ARMED, f"1.0.{number}", "b", attempts=1, boot=f"boot-{number}")
        update_file.save(PLACES, update_file.Kept(update, since_ms=number))
        marks.mark("update", number)
        save_clock(PLACES, MachineClock(wall_ms=partial(saved_of, number)))
        assert (PLACES.care / SAVED_FILE).exists()
        marks.mark("clock", number)


def _provision(marks: Marks) -> None:
    """Make the machine what its card's file says, as its first start does."""
    (FAT / "gate.toml").write_bytes(CARD)
    _sync(FAT / "gate.toml")
    os.sync()
    marks.mark("provision", "begun")
    result = Provisioning(PLACES, GateFiles(), lambda: saved_of(0), lambda _: None).run()
    marks.mark("provision", result.outcome)


if __name__ == "__main__":
    prove(powercut_proof)
