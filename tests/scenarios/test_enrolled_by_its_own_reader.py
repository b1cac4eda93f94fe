"""A new gate is started as it is, shown its server's code, and lets somebody in: real processes."""

import asyncio

from appliance.simulator.ticket_pictures import draw_code, save_picture
from portillon.demo.stage import build_venue, open_stage


async def code_for(stage, name):
    gate_id = await stage.operator.create(
        "gates", checkpoint_id=stage.checkpoint, name=name, direction="entry"
    )
    return str((await stage.operator.post(f"gates/{gate_id}/enrolment-code"))["link"])


async def test_a_new_gate_is_shown_a_code_and_serves_without_another_start(tmp_path):
    async with asyncio.timeout(120), open_stage(tmp_path / "stage", 0, tls=True) as stage:
        await build_venue(stage)
        await stage.operator.post(f"performances/{stage.tonight}/publish")
        gate = stage.gates[0]
        await gate.daemon.start(stage.tasks)
        await gate.daemon.wait_for("a link", lambda event: "waiting for a link" in event["event"])
        link = await code_for(stage, "gate A")
        save_picture(draw_code(link.encode(), "QRCode"), gate.frames["entry"] / "link.png")
        await gate.wait_mode("connected")
        event = await gate.show(stage.cast.single[0].encode(), "entry")
        assert event["answer"] == "granted"
        identity = (gate.folder / "data/identity.json").read_bytes()
        other = await code_for(stage, "somebody else's")
        place = gate.daemon.seen
        save_picture(draw_code(other.encode(), "QRCode"), gate.frames["entry"] / "other.png")
        event = await gate.daemon.wait_for(
            "the answer to a link", lambda event: event.get("event") == "scan", after=place
        )
        assert event["answer"] != "granted"
        assert (gate.folder / "data/identity.json").read_bytes() == identity
