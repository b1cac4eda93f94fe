"""Gate and server as systemd runs them: ready, watched over, at rest when they end, offline."""

import json
import time

import pytest

from gate_in_container import GATE, SERVER, said, show, wait_said
from tests.container.conftest import SHORT_WATCHDOG

pytestmark = [pytest.mark.slow, pytest.mark.container]
HELD_S = 3.0  # shown again sooner it is the same showing
NOTHING_TO_REST = "nothing can be left on"


@pytest.fixture(scope="module")
def serving(machine, venue):
    """The machine with both daemons up."""
    venue.put_into(machine)
    machine.write(f"/run/systemd/system/{GATE}.d/short.conf", SHORT_WATCHDOG)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", SERVER, GATE, timeout_s=120)
    machine.wait_active(SERVER)
    machine.wait_active(GATE)
    return machine


def test_both_are_ready_and_nothing_failed(serving):
    for unit in (GATE, SERVER):
        shown = serving.shows(unit, "ActiveState", "SubState", "Type", "NRestarts", "StatusText")
        assert (shown["ActiveState"], shown["SubState"], shown["Type"]) == (
            "active",
            "running",
            "notify",
        )
        assert shown["NRestarts"] == "0"
    assert serving.failed == []
    assert "ordering cycle" not in serving.run("journalctl", "--no-pager").stdout


def test_a_ticket_is_admitted_and_then_refused(serving, venue, tmp_path):
    wait_said(serving, "mode='connected'")
    show(serving, tmp_path, venue.tickets[0], 1)
    wait_said(serving, "answer='granted'")
    time.sleep(HELD_S)
    show(serving, tmp_path, venue.tickets[0], 2)
    wait_said(serving, "answer='already_used'")


def test_what_the_caretaker_reads_is_there_for_it(serving):
    status = json.loads(serving.run("cat", "/run/portillon-gate/status.json").stdout)
    assert (status["format"], status["ready"]) == (1, True)
    assert status["tickets"] > 0


def test_a_daemon_that_hangs_is_started_anew(serving):
    before = int(serving.shows(GATE, "NRestarts")["NRestarts"])
    began = time.monotonic()
    serving.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", GATE)
    while int(serving.shows(GATE, "NRestarts")["NRestarts"]) == before:
        assert time.monotonic() - began < 20, serving.journal(GATE)
        time.sleep(0.05)
    serving.wait_active(GATE)
    assert "Watchdog timeout" in serving.journal(GATE)


def test_a_daemon_that_is_killed_has_its_relays_brought_to_rest_and_comes_back(serving):
    before = int(serving.shows(GATE, "NRestarts")["NRestarts"])
    rested = len(said(serving, NOTHING_TO_REST))
    serving.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", GATE)
    began = time.monotonic()
    while int(serving.shows(GATE, "NRestarts")["NRestarts"]) == before:
        assert time.monotonic() - began < 20, serving.journal(GATE)
        time.sleep(0.05)
    serving.wait_active(GATE)
    assert len(said(serving, NOTHING_TO_REST)) == rested + 1  # it was asked; here are no relays


def test_the_gate_goes_on_and_starts_without_its_server(serving, venue, tmp_path):
    serving.run("systemctl", "stop", SERVER)
    serving.run("systemctl", "restart", GATE, timeout_s=60)
    serving.wait_active(GATE)
    granted = len(said(serving, "answer='granted'"))
    show(serving, tmp_path, venue.tickets[1], 3)
    wait_said(serving, "answer='granted'", granted + 1)


def test_a_configuration_that_cannot_be_is_not_tried_again_and_again(serving):
    text = serving.run("cat", "/etc/portillon/gate.toml").stdout
    serving.write("/etc/portillon/gate.toml", text + "\n[nonsense]\n")
    serving.run("systemctl", "restart", GATE, check=False)
    shown = serving.shows(GATE, "ActiveState", "ExecMainStatus")
    assert shown == {"ActiveState": "failed", "ExecMainStatus": "78"}
    assert "nonsense" in serving.journal(GATE)
