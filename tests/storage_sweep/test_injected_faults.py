"""Every sync and every write of a real process fails in turn, or is the last thing that it does.

What was promised is in the journal, once; the process goes on by itself after an error, and a new
one opens what a kill left.
"""

import asyncio
from pathlib import Path

import pytest

from disk_log import record
from opened_journal import head_in

COMMITS, PROMISED = 9, 12
ERRORS = ("fdatasync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=ENOSPC")
KILLS = ("fdatasync:signal=SIGKILL", "pwrite64:signal=SIGKILL")


async def run(folder: Path, inject: str):
    recording = await asyncio.to_thread(record, folder, COMMITS, checkpoint=8, inject=inject)
    return recording, await head_in(folder)


@pytest.mark.parametrize("when", [15, 40])
@pytest.mark.parametrize("fault", [*ERRORS, *KILLS])
async def test_a_fault_in_the_middle_costs_nothing_that_was_promised(
    tmp_path: Path, fault: str, when: int
):
    recording, head = await run(tmp_path / "run", f"{fault}:when={when}")
    assert head >= recording.promised
    if fault in ERRORS and recording.status == 0:
        assert head == recording.promised == PROMISED


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*ERRORS, *KILLS])
async def test_a_fault_at_any_sync_or_write_costs_nothing_that_was_promised(
    tmp_path: Path, fault: str
):
    """From the first to the last; those before the first promise may end the start."""
    bitten = 0
    for when in range(1, 220):
        recording, head = await run(tmp_path / str(when), f"{fault}:when={when}")
        assert head >= recording.promised, f"{fault} at {when}"
        if fault in ERRORS and recording.promised:
            assert recording.status == 0, f"{fault} at {when}: {recording.errors}"
            assert head == PROMISED, f"{fault} at {when}"
        is_over = recording.status == 0 and recording.promised == PROMISED
        bitten += not is_over or any(step.what == "lost" for step in recording.steps)
        if fault in KILLS and is_over:
            break
        if "fdatasync" in fault and when > 60:
            break
    assert bitten > 10
