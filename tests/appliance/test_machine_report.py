"""What the gate makes of the caretaker's file: all, part of it, and whatever else lies there."""

import json
import os

import pytest

from admission.sync import codec
from admission.sync.machine_messages import BLOCKED_MAX, Machine
from admission.sync.messages import Moment, Status
from appliance.machine_report import FILE_BYTES_MAX, MACHINE_FILE, SYSTEM_FILE, read_machine_report

WHOLE = {
    "format": 1,
    "version": "0.2.0+5",
    "slot": "b",
    "compatible": "portillon-gate-debian-arm64",
    "update": {
        "state": "committed",
        "version": "0.2.0+5",
        "reason": "healthy for 300 s",
        "since_ms": 1_784_030_400_000,
    },
    "blocked": ["0.1.9+4"],
    "provision": {"outcome": "refused", "lines": ["line 3: odd", "more"], "at_ms": 7},
    "firmware_s": 1_700_000_000,
}
SEEN = Machine(
    version="0.2.0+5",
    slot="b",
    compatible="portillon-gate-debian-arm64",
    update="committed",
    update_version="0.2.0+5",
    update_reason="healthy for 300 s",
    update_since_ms=1_784_030_400_000,
    blocked=["0.1.9+4"],
    provision="refused",
    provision_reason="line 3: odd",
    firmware_s=1_700_000_000,
)


@pytest.fixture
def machine(tmp_path):
    (tmp_path / MACHINE_FILE).parent.mkdir(parents=True)
    (tmp_path / SYSTEM_FILE).parent.mkdir(parents=True)
    return tmp_path


def write(root, said):
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    (root / MACHINE_FILE).write_bytes(raw)


def test_all_that_a_caretaker_says_is_read(machine):
    write(machine, WHOLE)
    assert read_machine_report(root=machine) == SEEN


def test_without_a_caretaker_nothing_is_said(tmp_path):
    assert read_machine_report(root=tmp_path) is None


def test_every_key_may_be_missing(machine):
    write(machine, {"format": 1})
    assert read_machine_report(root=machine) == Machine()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b"\xff\xfe",
        b'{"format": 2, "version": "9.9.9"}',
        b'{"version": "9.9.9"}',
        b"[" * 60_000,
        b'{"format": 1, "version": "9.9.9", "x": "' + b"x" * FILE_BYTES_MAX + b'"}',
    ],
)
def test_a_file_that_is_none_of_its_format_says_nothing(machine, raw):
    write(machine, raw)
    assert read_machine_report(root=machine) is None


def test_a_folder_in_its_place_says_nothing(machine):
    (machine / MACHINE_FILE).mkdir()
    assert read_machine_report(root=machine) is None


def test_values_of_the_wrong_kind_are_left_out_and_the_others_kept(machine):
    wrong = {
        "format": 1,
        "version": 7,
        "slot": "a",
        "compatible": None,
        "update": {"state": "melting", "version": [], "reason": True, "since_ms": -1},
        "blocked": ["0.1.9", 3, ""],
    }
    write(machine, wrong)
    assert read_machine_report(root=machine) == Machine(slot="a", blocked=["0.1.9"])
    write(machine, wrong | {"update": "no", "blocked": "no"})
    assert read_machine_report(root=machine) == Machine(slot="a")
    write(machine, wrong | {"update": {"since_ms": True}})
    assert read_machine_report(root=machine).update_since_ms == 0


@pytest.mark.parametrize(
    ("provision", "outcome"),
    [
        ({"outcome": "applied", "lines": ["Name: door-1"]}, "applied"),
        ({"outcome": "refused", "lines": "odd"}, "refused"),
        ({"outcome": "refused", "lines": [7]}, "refused"),
        ({"outcome": "none"}, ""),
        ({"outcome": ["refused"]}, ""),
        ("odd", ""),
    ],
)
def test_only_a_file_that_was_refused_is_told_with_what_is_wrong(machine, provision, outcome):
    write(machine, {"format": 1, "provision": provision})
    assert read_machine_report(root=machine) == Machine(provision=outcome)


def test_whatever_it_says_fits_into_a_message_and_prints(machine):
    long = {
        "format": 1,
        "version": "v" * 500,
        "slot": "\x1b[31ma\n",
        "compatible": "c" * 500,
        "update": {"state": "refused", "version": "9" * 500, "reason": "r\u202er" * 500},
        "blocked": [f"0.{n}.0" for n in range(200)],
    }
    long["update"]["since_ms"] = 1 << 70
    write(machine, long)
    read = read_machine_report(root=machine)
    assert len(read.blocked) == BLOCKED_MAX
    assert read.slot.isprintable()
    assert read.update_reason.isprintable()
    assert read.update_since_ms == 0
    status = Status("connected", [], 0, {}, Moment(0, 0, b""), machine=read)
    assert codec.decode_live(codec.encode(status)) == status


def test_which_bundles_fit_may_stand_in_the_updaters_settings(machine):
    write(machine, WHOLE | {"compatible": ""})
    settings = "[other]\ncompatible=no\n[system]\n# compatible=no\ncompatible = portillon-gate-x\n"
    (machine / SYSTEM_FILE).write_text(settings + "[keyring]\ncompatible=no\n")
    assert read_machine_report(root=machine).compatible == "portillon-gate-x"
    os.truncate(machine / SYSTEM_FILE, 8)
    assert read_machine_report(root=machine).compatible == ""
