"""The whole gate on a real kernel: enrolled at a real server outside, serving a lane inside."""

import asyncio

import pytest

from gate_for_guest import enrolled_gate

pytestmark = [pytest.mark.slow, pytest.mark.vm]


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
