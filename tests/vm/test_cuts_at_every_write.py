"""The power fails at any write: what was promised is there, and everything opens.

A guest writes on a disk whose every write is logged; here disks are made of that log as cuts at
some hundred moments leave them, also with a part of what was not flushed lost and the rest in
another order. Each is mounted, and opened by the code that opens it in a gate.
"""

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from admission import journal
from appliance.config import load_config
from appliance.page_ports import PageRole
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.pin_file import PinFile
from caretaker import update_file
from caretaker.clock_saving import SAVED_FILE, saved_in
from caretaker.places import Places
from caretaker.provisioning import ENROL_FILE, Provisioning
from portillon.care_provision import GateFiles
from powercut_content import (
    CARD,
    CHOICE_WAYS,
    CHOICES,
    JOURNAL,
    SECRETS,
    choice_file,
    choices_of,
    draft,
    kept_of,
    saved_of,
)
from write_log import SECTOR, Cut, CutDisk, make_disk, put_part, read_log

pytestmark = [pytest.mark.slow, pytest.mark.powercut]

MARKS_MB, FAT_MB, DATA_MB = 1, 16, 40
AT_FLUSHES, BETWEEN, ON_FAT, FIRST_STARTS = 100, 120, 80, 40  # cuts
SEED: Final = 20261201
PACKAGES: Final = {
    "mkfs.ext4": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mtype": "mtools",
}


@dataclass
class Written:
    """What the guest wrote.

    Attributes:
        disk: makes the disk as cuts leave it.
        fat, data: sectors of its parts.
        folder: for disks that are looked at.
    """

    disk: CutDisk
    fat: range
    data: range
    folder: Path


_written: list[Written] = []  # by the one run of the guest that all tests here look at


@pytest.fixture
def written(guest, tmp_path_factory) -> Written:
    """What the guest wrote, once for all tests of this file."""
    if not _written:
        folder = tmp_path_factory.mktemp("disk")
        _written.append(_write(guest, folder))
    return _written[0]


def _write(guest: Any, folder: Path) -> Written:
    disk, before, log = folder / "disk", folder / "before", folder / "log"
    marks, fat, data = make_disk(disk, [(MARKS_MB, "da"), (FAT_MB, "0e"), (DATA_MB, "83")])
    part = folder / "part"
    _made(part, FAT_MB, tool("mkfs.vfat"), "-n", "BOOTCFG")
    put_part(disk, fat, part)
    _made(part, DATA_MB, tool("mkfs.ext4"), "-q", "-L", "data")
    put_part(disk, data, part)
    shutil.copyfile(disk, before)
    log.touch()
    for name, file in (("disk", disk), ("log", log)):
        guest.devices += ["-blockdev", f"driver=file,node-name={name},filename={file}"]
    filtered = "driver=blklogwrites,node-name=logged,file=disk,log=log,log-sector-size=512"
    guest.devices += ["-blockdev", filtered, "-device", "virtio-blk-pci,drive=logged"]
    guest.run("powercut_proof.py")
    return Written(CutDisk(before, read_log(log), marks), fat, data, folder)


def _made(part: Path, megabytes: int, *command: str) -> None:
    part.unlink(missing_ok=True)
    with part.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run([*command, str(part)], check=True, capture_output=True)


def tool(name: str) -> str:
    """Find a tool of the system's; without it the test fails."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        pytest.fail(f"`{name}` (package {PACKAGES[name]}) is missing; run: tools/setup powercut")
    return found


# --- the data partition ---------------------------------------------------------------------------


def cuts_of(disk: CutDisk) -> list[Cut]:
    """Choose moments: at flushes, and between two with losses."""
    chance = random.Random(SEED)
    flushes = disk.flushes
    at_flushes = [Cut(place) for place in flushes[:: max(1, len(flushes) // AT_FLUSHES)]]
    first, last = flushes[0], len(disk.writes) - 1
    between = [Cut(chance.randint(first, last), seed) for seed in range(BETWEEN)]
    return sorted([*at_flushes, *between], key=lambda cut: cut.at)


@contextmanager
def data_of(written: Written, cut: Cut) -> Iterator[Path]:
    """Give the data partition's files as a machine finds them after a cut, its journal played.

    By the kernel where this process may mount; else by e2fsck and debugfs.
    """
    disk, folder = written.folder / "cut", written.folder / "mounted"
    written.disk.build(cut, disk)
    offset = written.data.start * SECTOR
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        options = f"loop,noatime,offset={offset},sizelimit={len(written.data) * SECTOR}"
        subprocess.run(["mount", "-t", "ext4", "-o", options, disk, folder], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)
        return
    part = written.folder / "cut-part"
    with disk.open("rb") as whole:
        whole.seek(offset)
        part.write_bytes(whole.read(len(written.data) * SECTOR))
    checked = subprocess.run([tool("e2fsck"), "-fp", part], check=False, capture_output=True)
    assert checked.returncode < 4, checked.stdout  # what it could not mend by the journal alone
    subprocess.run([tool("debugfs"), "-R", f"rdump / {folder}", part], check=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def test_whenever_the_power_fails_everything_opens_and_nothing_promised_is_lost(
    written: Written, record_property: Callable[[str, object], None]
):
    began, cuts = time.monotonic(), cuts_of(written.disk)
    unsure = Counter[str]()
    kept: dict[str, int] = {}
    for cut in cuts:
        promised = written.disk.promised(cut)
        with data_of(written, cut) as data:
            found = asyncio.run(_look_at_journal(data, promised))
            found |= _look_at_files(data, promised)
            unsure[_look_at_unsure(data, promised)] += 1
        if cut.seed is None:  # what once lasted lasts
            assert all(found[name] >= last for name, last in kept.items()), cut
            kept = found
    told = f"{len(cuts)} cuts looked at in {time.monotonic() - began:.0f} s"
    record_property("vm", f"{told}; the control: {dict(unsure)}")
    assert len(cuts) >= AT_FLUSHES + BETWEEN
    assert kept["journal"] == written.disk.promised(cuts[-1])["journal"]
    assert unsure["lost"] >= 3  # what is promised without a sync is lost, and it is seen here


async def _look_at_journal(data: Path, promised: dict[str, Any]) -> dict[str, int]:
    path = Places(data).state / JOURNAL
    if not path.exists():
        assert "journal" not in promised
        return {"journal": 0}
    async with open_database(path) as database:
        await database.require_whole()
        store = await SqliteJournal.open(database, "journal-b")
        await store.check()
        rows = await store.rows(0, 10_000)
        acknowledged = store.acknowledged.sequence
        if rows:
            assert store.id == "journal-a"
    chain = journal.genesis("journal-a")
    for sequence, row in enumerate(rows, 1):
        chain = journal.chain(chain, row.blob)
        assert (row.sequence, row.chain) == (sequence, chain)
        record = journal.decode(row.blob)
        assert (record.identifier, record.detail) == (
            draft(sequence).identifier,
            draft(sequence).detail,
        )
    assert len(rows) >= promised.get("journal", 0)
    assert acknowledged >= promised.get("acknowledged", 0)
    return {"journal": len(rows)}


def _look_at_files(data: Path, promised: dict[str, Any]) -> dict[str, int]:
    found = {}
    for name, path in {
        "kept": Places(data).state / "kept",
        "whole": Places(data).care / "whole",
    }.items():
        content = path.read_bytes() if path.exists() else b""
        found[name] = int(content[:6] or 0)
        assert content == (kept_of(found[name]) if found[name] else b""), name
        assert found[name] >= promised.get(name, 0), name
    update = update_file.load(Places(data))  # never damaged, and all of it of one moment
    found["update"] = number = update.since_ms
    if number:
        assert (update.update.version, update.update.boot) == (f"1.0.{number}", f"boot-{number}")
    assert number >= promised.get("update", 0)
    saved = saved_in(Places(data).care / SAVED_FILE)
    found["clock"] = (saved.wall_ms - saved_of(0)) // 60_000 if saved else 0
    assert found["clock"] >= promised.get("clock", 0)
    return found


def _look_at_unsure(data: Path, promised: dict[str, Any]) -> str:
    """Tell whether rows that were promised without a sync are there."""
    path = data / "unsure.sqlite"
    count = 0
    if path.exists():
        database = sqlite3.connect(path)
        try:
            (count,) = database.execute("SELECT count(*) FROM scan").fetchone()
        except sqlite3.DatabaseError:
            count = 0
        finally:
            database.close()
    return "kept" if count >= promised.get("unsure", 0) else "lost"


# --- the first start ------------------------------------------------------------------------------


def test_a_first_start_that_is_cut_anywhere_is_done_by_the_next(
    written: Written, record_property: Callable[[str, object], None]
):
    begun, done = [
        place for place, (kind, _) in written.disk.marks() if kind == "provision"
    ]  # and nothing was refused: see the last assertion
    chance = random.Random(SEED)
    cuts = [Cut(place) for place in range(begun, done + 1, max(1, (done - begun) // FIRST_STARTS))]
    cuts += [Cut(chance.randint(begun, done), seed) for seed in range(FIRST_STARTS)]
    outcomes = Counter[str]()
    for cut in cuts:
        with data_of(written, cut) as data:
            outcomes[_start_again(written, data)] += 1
    record_property("vm", f"{len(cuts)} first starts cut; the next one had to: {dict(outcomes)}")
    assert written.disk.promised(Cut(done))["provision"] == "applied"
    assert outcomes["applied"]
    assert outcomes["none"]


def _start_again(written: Written, data: Path) -> str:
    """Start with what a cut left; give what the start had to do, which ends in one state only."""
    places = Places(data)
    card = places.boot_partition / "gate.toml"
    places.boot_partition.mkdir(parents=True, exist_ok=True)
    card.write_bytes(_typed(written.folder / "cut", written.fat, "gate.toml") or b"")
    places.care_run.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    again = Provisioning(places, GateFiles(), lambda: saved_of(1), names.append)
    outcome = again.run().outcome
    assert load_config(places.config).data.parts[-3:] == places.state.parts[-3:]
    assert names == ["porte-1"]
    assert (places.state / ENROL_FILE).read_bytes().endswith(b"ABCD-EFGH-JKMN-PQRS")
    assert asyncio.run(PinFile(places.state).is_right(PageRole.SUPERVISOR, "730519"))
    left = card.read_bytes()
    assert len(left) == len(CARD)
    assert not [secret for secret in SECRETS if secret in left]
    assert again.run().outcome == "none"
    return str(outcome)


# --- the boot partition ---------------------------------------------------------------------------


@dataclass
class Way:
    """What cuts make of one way to replace a file on FAT."""

    cuts: int = 0
    whole: int = 0
    backwards: int = 0  # whole, but what had been promised was not there yet


def test_on_fat_only_writing_over_a_file_where_it_lies_leaves_one_of_the_two(
    written: Written, record_property: Callable[[str, object], None]
):
    ways = {way: Way() for way in CHOICE_WAYS}
    for way, file, promised in _cut_after_each_sector(written):
        _judge(ways, way, file, promised)
    table = [f"{name} {way.whole}/{way.cuts}" for name, way in ways.items()]
    record_property("vm", f"whole after a cut at any sector: {', '.join(table)}")
    for name in ("inplace", "commit"):
        assert ways[name].cuts >= CHOICES
        assert ways[name].whole == ways[name].cuts
        assert ways[name].backwards == 0
    # the control: the other ways leave names without content, and it is seen here
    assert ways["truncate"].whole < ways["truncate"].cuts
    assert ways["rename"].whole < ways["rename"].cuts


@pytest.mark.parametrize("name", ["inplace", "commit"])
def test_on_fat_writing_over_a_file_stands_losses_and_another_order(written: Written, name: str):
    first = next(place for place, mark in written.disk.marks() if mark == (name, 0))
    last = next(place for place, mark in written.disk.marks() if mark == ("done", name))
    chance, ways = random.Random(SEED), {name: Way()}
    for seed in range(ON_FAT):
        cut = Cut(chance.randint(first, last), seed)
        disk = written.folder / "cut"
        written.disk.build(cut, disk)
        promised = written.disk.promised(cut)[name]
        _judge(ways, name, _typed(disk, written.fat, choice_file(name)), promised)
    assert (ways[name].whole, ways[name].backwards) == (ON_FAT, 0)


def test_on_fat_what_a_commit_says_it_did_is_on_the_disk(written: Written):
    disk, looked_at = written.folder / "cut", 0
    for place, (name, number) in written.disk.marks():
        if name in ("inplace", "commit"):
            written.disk.build(Cut(place, SEED), disk)  # whatever was not flushed may be lost
            file = _typed(disk, written.fat, choice_file(name))
            assert file == choices_of(name)[number], (name, number)
            looked_at += 1
    assert looked_at == 2 * (CHOICES + 1)


def _cut_after_each_sector(written: Written) -> Iterator[tuple[str, bytes | None, int]]:
    """Cut the power after each sector of the boot partition; give the way, its file, its mark."""
    disk = written.folder / "cut"
    written.disk.build(Cut(-1), disk)
    way, promised = "", 0
    marks = dict(written.disk.marks())
    with disk.open("r+b", buffering=0) as running:
        for place, write in enumerate(written.disk.writes):
            if place in marks:
                kind, value = marks[place]
                if kind == "done" or kind in CHOICE_WAYS:
                    way, promised = ("", 0) if kind == "done" else (kind, value)
            for number in range(len(write.data) // SECTOR):
                running.seek((write.sector + number) * SECTOR)
                running.write(write.data[number * SECTOR : (number + 1) * SECTOR])
                if way and write.sector in written.fat:
                    yield way, _typed(disk, written.fat, choice_file(way)), promised


def _typed(disk: Path, fat: range, name: str) -> bytes | None:
    """Read a file of the boot partition as a boot loader would, without mending anything."""
    image = f"{disk}@@{fat.start * SECTOR}"
    read = subprocess.run(
        [tool("mtype"), "-i", image, f"::{name}"], check=False, capture_output=True
    )
    return None if read.returncode else read.stdout


def _judge(ways: dict[str, Way], name: str, file: bytes | None, promised: int) -> None:
    way = ways[name]
    way.cuts += 1
    contents = choices_of(name)
    if file in contents:
        way.whole += 1
        way.backwards += file not in contents[promised : promised + 2]
