"""The fetcher of updates is put together where there is a caretaker, and the server is told."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from admission.sync.machine_messages import Fetching
from appliance import fetch_opening, machine_report
from appliance.fetch_opening import open_fetching
from fetching_stand_ins import BUNDLE, GATE, KIND, SHA256, TRUSTED, BelievedClock, BundleServer


@dataclass
class Named:
    gate: str = GATE
    data: Path = Path()


@dataclass
class Parts:
    data: Path
    clock: BelievedClock = field(default_factory=BelievedClock)

    @property
    def config(self):
        return Named(data=self.data)

    vault = Named()


class Trust:
    def signers_in_force(self, role):
        assert role.value == "status"
        return TRUSTED


class Uplink:
    live = True
    machine = None


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What the caretaker says, below a root of the test's own."""
    file = tmp_path / "run/portillon-care/machine.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"format": 1, "version": "0.1.0", "slot": "a", "compatible": KIND}))
    read = machine_report.read_machine_report
    monkeypatch.setattr(
        fetch_opening, "read_machine_report", lambda *fetching: read(*fetching, root=tmp_path)
    )
    return file


async def test_without_a_caretaker_nothing_is_fetched_and_the_server_is_told_all_the_same(
    said, tmp_path
):
    uplink = Uplink()
    opened = open_fetching(
        Parts(tmp_path), None, BundleServer(BelievedClock()), Trust(), uplink, int
    )
    assert opened == []
    assert (uplink.machine().version, uplink.machine().fetching) == ("0.1.0", Fetching())


async def test_with_one_it_fetches_into_the_gates_folder_and_tells_how_far_it_is(
    said, tmp_path, settle_fetching
):
    parts, uplink, runtime = Parts(tmp_path / "data"), Uplink(), tmp_path / "run/portillon-gate"
    parts.data.mkdir()
    runtime.mkdir()
    server = BundleServer(parts.clock)
    (task,) = open_fetching(parts, runtime, server, Trust(), uplink, lambda: None)
    await settle_fetching(task, parts.clock, lambda: (runtime / "update-request.json").exists())
    asked = json.loads((runtime / "update-request.json").read_text())
    assert Path(asked["path"]) == parts.data / "bundles" / f"0.2.0-{SHA256}.raucb"
    assert Path(asked["path"]).read_bytes() == BUNDLE
    assert uplink.machine().fetching == Fetching("0.2.0", "asked", len(BUNDLE), len(BUNDLE))


@pytest.fixture
def settle_fetching():
    """Run a task on a virtual clock, with real files in real threads, until something is so."""

    async def run(task, clock, is_so):
        async with asyncio.TaskGroup() as group:
            running = group.create_task(task)
            for _ in range(5000):
                await clock.run(10)
                await asyncio.sleep(0.001)
                if is_so():
                    break
            running.cancel()
        assert is_so()

    return run
