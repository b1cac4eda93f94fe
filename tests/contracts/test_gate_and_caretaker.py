"""Where gate and caretaker meet: each reads what the other writes, by the other's own code."""

import hashlib
import json

import pytest

from admission.sync.machine_messages import Machine
from appliance.machine_report import UPDATE_STATES, read_machine_report
from appliance.storage.bundle_shelf import FolderShelf, RequestFile
from appliance.update_ports import UpdateRequest
from caretaker.bundle_intake import BUNDLES, read_request, take
from caretaker.machine_file import tell
from caretaker.places import Places
from caretaker.update_machine import Phase

DATA = b"hsqs" + bytes(5000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def places(tmp_path):
    """A machine's folders, below a root of the test's own."""
    made = Places(tmp_path)
    for folder in (made.care, made.state, made.gate_run):
        folder.mkdir(parents=True)
    return made


def test_the_gate_knows_every_state_that_an_update_may_be_in():
    assert {phase.value for phase in Phase} == UPDATE_STATES


@pytest.mark.parametrize("phase", list(Phase))
def test_what_the_caretaker_tells_is_what_the_server_hears(places, phase):
    update = {"state": phase.value, "version": "0.2.0+5", "reason": "why", "since_ms": 7}
    tell(places, version="0.1.0", slot="a", compatible="gate-x", update=update, blocked=["0.1.5"])
    assert read_machine_report(root=places.root) == Machine(
        "0.1.0", "a", "gate-x", phase.value, "0.2.0+5", "why", 7, ["0.1.5"]
    )


async def test_what_the_gate_asks_for_is_what_the_caretaker_takes(places):
    shelf = FolderShelf(places.state / BUNDLES)
    await shelf.append(SHA256, 0, DATA)
    path = await shelf.finish(SHA256, "0.2.0+5")
    await RequestFile(places.gate_run).ask(UpdateRequest(path, "0.2.0+5", len(DATA), SHA256))
    request = read_request(places)
    assert (str(request.path), request.version, request.size, request.sha256, request.by) == (
        path, "0.2.0+5", len(DATA), SHA256, "server",
    )  # fmt: skip
    copy = places.care / "bundle.raucb"
    take(request, places, copy)
    assert copy.read_bytes() == DATA


async def test_what_is_taken_back_is_asked_for_no_more(places):
    desk = RequestFile(places.gate_run)
    await desk.ask(UpdateRequest("/x.raucb", "0.2.0", 1, SHA256))
    await desk.take_back()
    assert read_request(places) is None


def test_parts_that_the_other_house_adds_disturb_nobody(places):
    tell(places, version="0.1.0", provision={"outcome": "none"}, something={"new": [1, 2]})
    assert json.loads((places.care_run / "machine.json").read_text())["something"]
    assert read_machine_report(root=places.root) == Machine(version="0.1.0")
