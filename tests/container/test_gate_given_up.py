"""A gate whose starts fail: given up by systemd, and then tried again in a while."""

import json
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.container]
GATE, FAILED, TIMER = (
    "portillon-gate.service",
    "portillon-gate-failed.service",
    "portillon-gate-retry.timer",
)
BROKEN = f"/run/systemd/system/{GATE}.d/broken.conf"
NOTE = "/var/lib/portillon-care/reboots.json"


@pytest.fixture(scope="module")
def given_up(machine, venue):
    """The machine once the gate has failed too often; its restarts of the machine are used up."""
    venue.put_into(machine)
    now_ms = time.time_ns() // 1_000_000
    machine.write(NOTE, json.dumps({"format": 1, "reboots_ms": [now_ms - 1000] * 3}))
    reboots = "[Service]\nExecStart=\nExecStart=/usr/bin/portillon care gate-failed"
    machine.write(f"/run/systemd/system/{FAILED}.d/image.conf", f"{reboots} --reboots-an-hour 3\n")
    machine.write(
        BROKEN, "[Service]\nType=exec\nExecStart=\nExecStart=/usr/bin/false\nExecStopPost=\n"
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "--no-block", GATE)
    end = time.monotonic() + 60
    while "tried again in a while" not in machine.journal(FAILED):
        assert time.monotonic() < end, machine.journal(GATE) + machine.journal(FAILED)
        time.sleep(0.2)
    return machine


def test_each_failure_but_the_last_is_left_to_systemd(given_up):
    lines = [line for line in given_up.journal(FAILED).splitlines() if "the gate failed" in line]
    assert sum("tried again in a while" in line for line in lines) == 1
    assert all("systemd itself" in line for line in lines[:-1])
    assert given_up.shows(GATE, "ActiveState") == {"ActiveState": "failed"}
    assert given_up.shows(TIMER, "ActiveState") == {"ActiveState": "active"}


def test_the_machine_is_not_started_anew_once_that_was_done_three_times(given_up):
    assert "the machine is started anew" not in given_up.journal(FAILED)
    assert len(json.loads(given_up.run("cat", NOTE).stdout)["reboots_ms"]) == 3


def test_the_gate_alone_is_tried_again_and_serves_once_it_can(given_up):
    given_up.run("rm", BROKEN)
    given_up.run("systemctl", "daemon-reload")
    given_up.run("systemctl", "start", "portillon-gate-retry.service")  # as its timer does
    given_up.wait_active(GATE)
    assert [unit for unit in given_up.failed if "portillon" in unit] == []
