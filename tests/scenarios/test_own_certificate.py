"""A server with its own certificate and a gate enrolled by link: real processes, one person in."""

import asyncio

import pytest

from admission.sync.enrolment_link import read_link
from appliance.errors import LinkError
from appliance.storage.device_secrets import device_secrets
from appliance.storage.identity_file import IDENTITY_FILE
from appliance.storage.identity_vault import open_vault
from appliance.transport.client import open_link
from portillon.demo.processes import DaemonError, run_once
from portillon.demo.stage import build_venue, enrol_gates, open_stage
from sync_server.tls import read_pins


async def identity_of(gate):
    data = gate.folder / "data"
    return (await open_vault(data / IDENTITY_FILE, device_secrets(data, None))).identity


async def test_a_gate_enrolled_by_link_pins_its_server_and_lets_somebody_in(tmp_path):
    async with asyncio.timeout(120), open_stage(tmp_path / "stage", 0, tls=True) as stage:
        folder = tmp_path / "stage"
        await build_venue(stage)
        await stage.operator.post(f"performances/{stage.tonight}/publish")
        said = await enrol_gates(stage, ("gate A", "gate B"))
        assert all("Check string: " in one for one in said)
        gate = stage.gates[0]
        identity = await identity_of(gate)
        assert identity.server.startswith("https://")
        assert identity.pins == read_pins(folder / "server").all
        shown = {line["check_string"] for line in (await stage.operator.get("gates"))["items"]}
        assert {one.partition("Check string: ")[2][:6] for one in said} == shown
        await gate.daemon.start(stage.tasks)
        await gate.wait_mode("connected")
        event = await gate.show(stage.cast.single[0].encode(), "entry")
        assert event["answer"] == "granted"


async def test_the_page_that_is_not_the_pinned_one_enrols_nobody(tmp_path):
    async with asyncio.timeout(120), open_stage(tmp_path / "stage", 0, tls=True) as stage:
        await build_venue(stage)
        gate_id = await stage.operator.create(
            "gates", checkpoint_id=stage.checkpoint, name="gate A", direction="entry"
        )
        made = await stage.operator.post(f"gates/{gate_id}/enrolment-code")
        link = read_link(made["link"])
        pin = link.pins[0].hex()
        wrong = ("0" if pin[0] != "0" else "1") + pin[1:]
        config = str(stage.gates[0].config)
        with pytest.raises(DaemonError, match="not the one that was pinned"):
            await run_once("gate", "enrol", "--config", config, "--code", link.code, "--pin", wrong)
        # the code was not spent: nobody else has seen it
        done = await run_once(
            "gate", "enrol", "--config", config, "--code", link.code, "--pin", pin
        )
        assert "This is now gate 'gate A'" in done
        identity = await identity_of(stage.gates[0])
        clear = stage.address.replace("https:", "http:")
        with pytest.raises(LinkError, match="write https://"):
            async with open_link(clear, identity.gate, identity.signer, identity.pins):
                pass


async def restart(stage):
    await stage.server.stop()
    await stage.start_server()


async def test_a_server_changes_its_certificate_under_gates_that_were_told(tmp_path):
    data = str(tmp_path / "stage" / "server")
    async with asyncio.timeout(180), open_stage(tmp_path / "stage", 0, tls=True) as stage:
        await build_venue(stage)
        await enrol_gates(stage, ("gate A", "gate B"))
        await run_once("server", "renew-tls", "--data", data)
        with pytest.raises(DaemonError, match=r"gate A, gate B: not told of the next certificate"):
            await run_once("server", "renew-tls", "--data", data, "--switch")
        await restart(stage)
        old, new = read_pins(tmp_path / "stage" / "server").all
        for gate in stage.gates:
            await gate.daemon.start(stage.tasks)
        for gate in stage.gates:
            await gate.daemon.wait_for("pins", lambda event: "pins taken" in event["event"])
            assert (await identity_of(gate)).pins == (old, new)
        async with asyncio.timeout(60):
            while True:
                try:
                    await run_once("server", "renew-tls", "--data", data, "--switch")
                    break
                except DaemonError:  # a gate's next status is not here yet
                    await asyncio.sleep(0.5)
        places = [gate.daemon.seen for gate in stage.gates]
        await restart(stage)
        for gate, place in zip(stage.gates, places, strict=True):
            await gate.wait_mode("connected", after=place)
            await gate.daemon.wait_for(
                "the old pin to be dropped",
                lambda event: "pins taken" in event["event"] and event["pins"] == 1,
            )
            assert (await identity_of(gate)).pins == (new,)


async def test_a_revoked_gate_learns_it_signed_locks_and_hands_its_journal_in(tmp_path):
    async with asyncio.timeout(120), open_stage(tmp_path / "stage", 0, tls=True) as stage:
        await build_venue(stage)
        await stage.operator.post(f"performances/{stage.tonight}/publish")
        await enrol_gates(stage, ("gate A", "gate B"))
        gate = stage.gates[1]
        identity = await identity_of(gate)
        await gate.daemon.start(stage.tasks)
        await gate.wait_mode("connected")
        assert (await gate.show(stage.cast.single[0].encode(), "entry"))["answer"] == "granted"
        await stage.operator.post(f"gates/{identity.gate}/revoke")
        await gate.daemon.wait_for("GT-REV", lambda event: event.get("code") == "GT-REV")
        scans = len(gate.daemon.events("scan"))
        gate.present(stage.cast.single[1].encode(), "entry")
        async with asyncio.timeout(60):
            held = []
            while not held or not (await identity_of(gate)).revoked:
                held = (await stage.operator.get("quarantine"))["items"]
                await asyncio.sleep(0.2)
        assert [line["gate_id"] for line in held] == [identity.gate]
        assert len(gate.daemon.events("scan")) == scans
