"""The whole gate on a real kernel: enrolled at a real server outside, serving a lane inside."""

import asyncio
import shutil

import pytest

from portillon.demo.stage import build_venue, enrol_gates, open_stage

pytestmark = [pytest.mark.slow, pytest.mark.vm]


async def enrolled_gate(folder, into):
    """Put the data of a gate that holds tonight's list into a folder; give two of its tickets."""
    async with asyncio.timeout(180), open_stage(folder, 0) as stage:
        await build_venue(stage)
        await stage.operator.post(f"performances/{stage.tonight}/publish")
        await enrol_gates(stage, ("gate A", "gate B"))
        gate = stage.gates[1]
        await gate.daemon.start(stage.tasks)
        await gate.wait_mode("connected")
        await gate.daemon.stop()
        shutil.copytree(gate.folder / "data", into / "data")
        shutil.copy(gate.folder / "data.secret", into)
        return stage.cast.single[:2]


async def test_a_gate_that_is_killed_with_the_relay_on_is_brought_to_rest_and_forgets_nobody(
    guest, tmp_path
):
    (guest.job / "gate").mkdir()
    tickets = await enrolled_gate(tmp_path / "stage", guest.job / "gate")
    proof = await asyncio.to_thread(guest.run, "gate_proof.py", *tickets)
    assert proof["passage"]["answer"] == "granted"
    assert proof["passage"]["again"] == "already_used"
    assert len(proof["passage"]["on_for_s"]) == 1
    assert 0.95 < proof["passage"]["on_for_s"][0] < 2
    assert proof["killed"]["is_on"] is True  # the kernel keeps the level
    assert "GPIO busy" in proof["killed"]["refused"]
    assert proof["rested"] == {"is_on": False, "refused": ""}
    assert proof["started_again"]["is_on"] is False
    assert proof["known"]["answer"] == "already_used"
    assert proof["known"]["on_for_s"][1] > 2
    assert all(on_for_s < 0.05 for on_for_s in proof["known"]["on_for_s"][2:])
    assert proof["alarm"]["code"] == "GT-FIR"
    assert proof["alarm"]["relay_edges"] == 0  # the alarm's own wire frees the arm, not the gate
    assert proof["journal"]["kinds"] == [
        "GRANTED",
        "PASSED",
        "DENIED",
        "GRANTED",
        "PASSED UNRESOLVED",
        "DENIED",
        "ALARM",
        "FREE",
    ]
