"""A power cut at every step of the journal's writing: the gate's own code, recorded and cut.

A real process writes; then the disk is made anew as it would be after a cut at each step, with what
was not synced kept, dropped or torn, and opened by the real code again. Everything promised is
there, once, without a gap, and the file is whole.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.errors import StorageError
from disk_log import Disk, Recording, record
from opened_journal import head_of
from storage_mutants import MUTANTS

HOWS = ("kept", "dropped", "torn")


@dataclass
class Found:
    """What the cuts of one recording showed."""

    cuts: int = 0
    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)


async def sweep(recording: Recording, folder: Path, every: int = 1) -> Found:
    """Cut at every step, or at each so many; open what is left."""
    found, disk = Found(), Disk()
    seen: dict[bytes, int] = {}
    for place, step in enumerate(recording.steps):
        disk.happen(step)
        if place % every and step.what not in ("acked", "opened", "sync"):
            continue
        for how in HOWS if disk.pending else HOWS[:1]:
            image = disk.cut(how, place)
            where = f"after step {place} ({step.what} {step.file}), {how}"
            found.cuts += 1
            digest = hashlib.sha256(repr(sorted(image.items())).encode()).digest()
            try:
                if digest not in seen:
                    seen[digest] = await head_of(image, folder)
            except (StorageError, AssertionError) as exc:
                found.corrupt.append(f"{where}: {exc}")
                continue
            if seen[digest] < max(disk.acked, disk.opened):
                found.lost.append(
                    f"{where}: {seen[digest]} of {disk.acked} acked, {disk.opened} opened"
                )
    return found


async def test_no_promised_record_is_lost_by_a_power_cut(tmp_path: Path):
    recording = await asyncio.to_thread(record, tmp_path / "run", 9, checkpoint=8)
    assert (recording.status, recording.promised) == (0, 12), recording.errors
    found = await sweep(recording, tmp_path / "cut", every=4)
    assert (found.lost, found.corrupt) == ([], [])
    assert found.cuts > 100


@pytest.mark.slow
async def test_no_promised_record_is_lost_by_a_power_cut_at_any_step_of_a_long_night(
    tmp_path: Path,
):
    recording = await asyncio.to_thread(record, tmp_path / "run", 150, checkpoint=20)
    assert (recording.status, recording.promised) == (0, 200), recording.errors
    found = await sweep(recording, tmp_path / "cut")
    assert (found.lost, found.corrupt) == ([], [])
    assert found.cuts > 3_000


async def test_a_power_cut_after_a_failed_sync_loses_nothing_either(tmp_path: Path):
    """What a kernel forgets after a sync that failed is written anew before it is promised."""
    recording = await asyncio.to_thread(
        record, tmp_path / "run", 6, inject="fdatasync:error=EIO:when=17"
    )
    assert (recording.status, recording.promised) == (0, 8), recording.errors
    assert any(step.what == "lost" for step in recording.steps)
    found = await sweep(recording, tmp_path / "cut", every=4)
    assert (found.lost, found.corrupt) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("when", range(13, 50))
async def test_a_power_cut_after_any_failed_sync_loses_nothing(tmp_path: Path, when: int):
    recording = await asyncio.to_thread(
        record, tmp_path / "run", 12, checkpoint=8, inject=f"fdatasync:error=EIO:when={when}"
    )
    assert (recording.status, recording.promised) == (0, 16), recording.errors
    found = await sweep(recording, tmp_path / "cut", every=3)
    assert (found.lost, found.corrupt) == ([], [])


# --- the sweep can see the difference -------------------------------------------------------------

# by which fault each is found: none, or a sync that fails
INJECTED = {"ignore_the_failed_sync": "fdatasync:error=EIO:when=17"}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_every_deliberate_fault_is_found(tmp_path: Path, mutant: str):
    inject = INJECTED.get(mutant, "")
    recording = await asyncio.to_thread(record, tmp_path / "run", 6, mutant=mutant, inject=inject)
    found = await sweep(recording, tmp_path / "cut", every=4)
    assert recording.status or found.lost or found.corrupt, f"{mutant} was not found"
