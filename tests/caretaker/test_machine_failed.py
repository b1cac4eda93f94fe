"""What follows when the machine itself could not start: it is told, and starts anew in a while."""

import json
from pathlib import Path

from caretaker.errors import MachineError
from caretaker.machine_failed import LATER_S, SOON_S, tell_and_wait
from portillon.__main__ import main

NOW_MS = 1_780_000_000_000
AN_HOUR = 3


def listed(arguments) -> str:
    assert arguments[:2] == ["list-units", "--failed"]
    return "data.mount loaded failed failed /data\nboot-cfg.mount loaded failed failed /boot/cfg\n"


def waited_s(note: Path | None, command=listed, an_hour: int = AN_HOUR) -> float:
    waits: list[float] = []
    assert tell_and_wait(note, an_hour, NOW_MS, command, waits.append) == 0
    (wait,) = waits
    return wait


def test_three_times_an_hour_the_machine_starts_anew_soon_and_then_later(tmp_path):
    note = tmp_path / "reboots.json"
    assert [waited_s(note) for _ in range(5)] == [SOON_S] * 3 + [LATER_S] * 2
    assert json.loads(note.read_text())["reboots_ms"] == [NOW_MS] * 3


def test_restarts_for_the_gate_and_for_the_machine_are_counted_together(tmp_path):
    note = tmp_path / "reboots.json"
    note.write_text(json.dumps({"format": 1, "reboots_ms": [NOW_MS - n for n in (3, 2, 1)]}))
    assert waited_s(note) == LATER_S


def test_what_cannot_be_counted_does_not_come_soon(tmp_path, capsys):
    assert waited_s(None) == LATER_S
    assert waited_s(tmp_path / "none/reboots.json") == LATER_S
    assert "cannot be written to" in capsys.readouterr().out


def test_it_says_what_failed_and_when_the_machine_starts_anew(tmp_path, capsys):
    waited_s(tmp_path / "reboots.json")
    said = capsys.readouterr().out
    assert "data.mount, boot-cfg.mount" in said
    assert f"{SOON_S} s" in said


def test_a_systemd_that_does_not_answer_keeps_nobody_waiting(tmp_path, capsys):
    def silent(arguments) -> str:
        raise MachineError("systemctl: no answer")

    assert waited_s(tmp_path / "reboots.json", silent) == SOON_S
    assert "no answer" in capsys.readouterr().out


def test_the_command_takes_a_folder_that_is_no_partition_for_one_that_does_not_last(
    tmp_path, monkeypatch, capsys
):
    waits: list[float] = []
    monkeypatch.setattr("caretaker.machine_failed.systemctl", listed)
    monkeypatch.setattr("caretaker.machine_failed.time.sleep", waits.append)
    (tmp_path / "var/lib/portillon-care").mkdir(parents=True)
    words = ["care", "machine-failed", "--root", str(tmp_path), "--reboots-an-hour", "3"]
    assert (main(words), waits) == (0, [LATER_S])
    assert "data.mount" in capsys.readouterr().out
