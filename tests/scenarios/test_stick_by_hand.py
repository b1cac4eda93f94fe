"""A stick carries a list to a gate that never sees the network, and its journal back."""

import asyncio

from portillon.demo.processes import run_once
from portillon.demo.stage import build_venue, enrol_gates, open_stage


async def test_a_gate_without_a_network_is_served_by_a_stick(tmp_path):
    folder, usb = tmp_path / "stage", tmp_path / "usb"
    usb.mkdir()
    data = str(folder / "server")
    async with asyncio.timeout(120), open_stage(folder, 0) as stage:
        await build_venue(stage)
        await stage.operator.post(f"performances/{stage.tonight}/publish")
        await enrol_gates(stage, ("gate A", "gate B"))
        said = await run_once("stick", "export", "--data", data, "--to", str(usb))
        assert "gate A: 1 list(s)" in said
        await stage.server.stop()
        gate = stage.gates[0]
        config = str(gate.config)
        said = await run_once("gate", "stick", "--config", config, "--from", str(usb))
        assert "Every list that it brings for this gate is installed." in said

        await gate.daemon.start(stage.tasks)
        await gate.daemon.wait_for("gate ready", lambda event: event["event"] == "gate ready")
        for number in stage.cast.single[:2]:  # the second once the first has gone through
            assert (await gate.show(number.encode(), "entry"))["answer"] == "granted"
        await gate.daemon.stop()
        said = await run_once("gate", "stick", "--config", config, "--from", str(usb))
        for _ in range(2):  # the stick may come again: nothing is counted twice
            said = await run_once("stick", "import", "--data", data, "--from", str(usb))
            assert "gate A" in said
            assert "taken" in said
        await stage.start_server()
        report = await stage.operator.get("report")
        assert report["attendance"][stage.tonight] in (1, 2)
        assert report["anomalies"] == []
