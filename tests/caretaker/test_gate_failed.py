"""What follows when the gate does not start: a few restarts of the machine, then patience."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caretaker import gate_failed
from caretaker.errors import CareError
from caretaker.gate_failed import EX_CONFIG, Course, Failure, course_after, follow
from caretaker.reboots import HOUR_MS
from portillon.__main__ import main

LIMIT_HIT = Failure("failed", "failed", "start-limit-hit", 1)
NOW_MS = 1_780_000_000_000


def no_wait(seconds: float) -> None:
    """Let no time pass."""
    raise AssertionError("there is nothing to wait for")


def course(*ago_ms: int, failure: Failure = LIMIT_HIT, an_hour: int = 3) -> Course:
    return course_after(failure, [NOW_MS - ago for ago in ago_ms], NOW_MS, an_hour)


def test_the_machine_is_started_anew_three_times_an_hour_and_then_no_more():
    assert course() is Course.REBOOT
    assert course(60_000, 120_000) is Course.REBOOT
    assert course(60_000, 120_000, 180_000) is Course.RETRY
    assert course(60_000, 120_000, HOUR_MS) is Course.REBOOT


def test_where_it_may_not_be_started_anew_it_never_is():
    assert course(an_hour=0) is Course.RETRY


def test_a_configuration_that_cannot_be_is_no_reason_to_start_the_machine_anew():
    assert course(failure=Failure("failed", "failed", "exit-code", EX_CONFIG)) is Course.RETRY


@pytest.mark.parametrize("state", ["activating", "active", ""])
def test_a_gate_that_systemd_starts_again_itself_needs_nothing(state):
    assert course(failure=Failure(state, "", "watchdog", 9)) is Course.NOTHING


@given(st.lists(st.integers(0, 2 * NOW_MS), min_size=3))
def test_a_clock_that_started_over_makes_no_endless_restarts(reboots_ms):
    """Without a battery the clock may begin at the same time at each start."""
    assert course_after(LIMIT_HIT, reboots_ms, min(reboots_ms), 3) is Course.RETRY


class Systemctl:
    """Remembers what it was asked to do."""

    def __init__(self, shown: str) -> None:
        self.shown, self.asked = shown, []

    def __call__(self, arguments) -> str:
        self.asked.append(arguments[0])
        return self.shown if arguments[0] == "show" else ""


def test_it_waits_until_systemd_has_started_the_gate_again_or_found_that_it_may_not(tmp_path):
    systemctl, waited = Systemctl("ActiveState=activating\nSubState=auto-restart\n"), []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            systemctl.shown = "ActiveState=failed\nSubState=failed\nResult=exit-code\n"

    follow(tmp_path / "reboots.json", 0, NOW_MS, systemctl, wait)
    assert systemctl.asked == ["start", "show", "show", "show", "show", "start"]


def test_it_does_not_wait_for_ever(tmp_path):
    systemctl, waited = Systemctl("ActiveState=activating\nSubState=auto-restart\n"), []
    follow(tmp_path / "reboots.json", 3, NOW_MS, systemctl, waited.append)
    assert sum(waited) == 20
    assert "reboot" not in systemctl.asked


def test_each_restart_is_written_down_before_it_happens(tmp_path):
    note = tmp_path / "reboots.json"
    systemctl = Systemctl(
        "ActiveState=failed\nSubState=failed\nResult=start-limit-hit\nExecMainStatus=1\n"
    )
    for number in range(5):
        assert follow(note, 3, NOW_MS + number * 60_000, systemctl, no_wait) == 0
    acts = [act for act in systemctl.asked if act != "show"]
    assert acts == [*["start", "reboot"] * 3, *["start", "start"] * 2]
    assert len(json.loads(note.read_text())["reboots_ms"]) == 3


def test_what_cannot_be_written_down_does_not_happen(tmp_path):
    systemctl = Systemctl(
        "ActiveState=failed\nSubState=failed\nResult=start-limit-hit\nExecMainStatus=1\n"
    )
    with pytest.raises(CareError, match="cannot be written to"):
        follow(tmp_path / "no folder" / "reboots.json", 3, NOW_MS, systemctl, no_wait)
    assert "reboot" not in systemctl.asked


@pytest.mark.parametrize("noted", ["", "{", "[]", '{"format":1,"reboots_ms":["x",1.5,true]}'])
def test_a_note_that_cannot_be_read_counts_as_none(tmp_path, noted):
    note = tmp_path / "reboots.json"
    note.write_text(noted)
    systemctl = Systemctl(
        "ActiveState=failed\nSubState=failed\nResult=start-limit-hit\nExecMainStatus=1\n"
    )
    follow(note, 1, NOW_MS, systemctl, no_wait)
    assert systemctl.asked == ["start", "show", "reboot"]


def test_the_action_runs_by_its_name_and_says_what_it_does(tmp_path, monkeypatch, capsys):
    systemctl = Systemctl(
        f"ActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus={EX_CONFIG}\n"
    )
    monkeypatch.setattr(gate_failed, "systemctl", systemctl)
    words = ["care", "gate-failed", "--root", str(tmp_path), "--reboots-an-hour", "3"]
    assert main(words) == 0
    assert systemctl.asked == ["start", "show", "start"]
    assert "status 78): the gate is tried again" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, "systemctl", stderr="no such unit\n"),
        subprocess.TimeoutExpired("systemctl", 30),
        FileNotFoundError(2, "No such file"),
    ],
)
def test_a_systemd_that_does_not_obey_is_told(monkeypatch, error):
    def run(*_arguments, **_options):
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(CareError, match="systemctl start x: "):
        gate_failed.systemctl(["start", "x"])
