"""`portillon selftest`: each check over a real folder and the gate's own drivers; each fails."""

import errno
import json

import pytest

from appliance import self_test_main
from appliance.clock import SystemClock
from appliance.config import load_config
from appliance.errors import TurnstileFaultError
from appliance.page_ports import CheckLine, CheckOutcome, MachineState
from appliance.self_test_main import Trial, admits, try_all
from appliance.storage.identity_file import IDENTITY_FILE
from portillon.__main__ import main
from portillon.selftest import as_json, as_table

WELL = MachineState(50.0, False, False, False, 1000, 2000, ("eth0",))


@pytest.fixture
def trial(tmp_path):
    def make(more: str = "") -> Trial:
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "pictures").mkdir(exist_ok=True)
        file = tmp_path / "gate.toml"
        file.write_text(
            f'data = "{tmp_path}/data"\nserver = "http://127.0.0.1:1"\n[[readers]]\nkind = "folder"'
            f'\nname = "pictures"\nfolder = "{tmp_path}/pictures"\ndecoder = "thread"\n{more}\n'
        )
        config = load_config(file)
        data = config.data
        clock = SystemClock(has_battery=True)
        return Trial(config, clock, data / "journal.sqlite", data / "lists", lambda: WELL)

    return make


async def lines_of(trial: Trial) -> dict[str, CheckLine]:
    return {line.name: line for line in await try_all(trial)}


async def test_a_gate_that_was_never_enrolled_cannot_admit_and_says_what_to_do(trial):
    lines = await lines_of(trial())
    assert lines["identity"] == CheckLine(
        "identity", "GT-IDN", CheckOutcome.FAULT, "portillon gate enrol"
    )
    assert not admits(tuple(lines.values()))
    assert lines["card"].outcome is CheckOutcome.GOOD
    assert lines["journal"].outcome is CheckOutcome.ABSENT
    assert lines["clock"].outcome is CheckOutcome.GOOD
    assert [lines[name].outcome for name in ("turnstile", "display", "signals")] == [
        CheckOutcome.ABSENT
    ] * 3


async def test_an_identity_that_cannot_be_read_is_a_fault(trial):
    made = trial()
    (made.config.data / IDENTITY_FILE).write_text("{")
    line = (await lines_of(made))["identity"]
    assert line.outcome is CheckOutcome.FAULT


async def test_every_device_is_opened_by_its_own_driver(trial):
    made = trial(
        '[turnstile]\nkind = "relay"\npin_factory = "mock"\nsensor_pin = 22\n'
        '[display]\nkind = "picture"\nwidth = 128\nheight = 64\n'
        "[page]\nport = 1"
    )
    lines = await lines_of(made)
    names = ("turnstile", "reader:pictures", "display")
    assert {name: lines[name].outcome for name in names} == dict.fromkeys(names, CheckOutcome.GOOD)


async def test_a_light_whose_pins_cannot_be_dimmed_is_noted(trial):
    made = trial('[signals]\nkind = "gpio"\npin_factory = "mock"')
    line = (await lines_of(made))["signals"]
    assert (line.code, line.outcome) == ("GT-SIG", CheckOutcome.NOTE)


async def test_a_relay_that_cannot_be_had_is_a_fault(trial, monkeypatch):
    def taken(drivers):
        raise TurnstileFaultError("pin 17 is in use")

    monkeypatch.setattr(self_test_main.Drivers, "open_turnstile", taken)
    made = trial('[turnstile]\nkind = "relay"\npin_factory = "mock"')
    line = (await lines_of(made))["turnstile"]
    assert (line.code, line.outcome) == ("GT-RLY", CheckOutcome.FAULT)


async def test_a_reader_that_does_not_come_up_is_noted_in_time(trial, monkeypatch):
    monkeypatch.setattr(self_test_main, "READER_S_MAX", 0.0)
    made = trial('[[readers]]\nkind = "serial"\nname = "gone"\nport = "/dev/no-such-port"')
    line = (await lines_of(made))["reader:gone"]
    assert (line.code, line.outcome) == ("GT-RDR", CheckOutcome.NOTE)


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EROFS, "GT-RO"), (errno.ENOSPC, "GT-FUL"), (errno.EIO, "GT-DSK")],
)
async def test_a_card_that_takes_nothing_is_told_by_what_is_wrong_with_it(
    trial, monkeypatch, number, code
):
    def failing(handle):
        raise OSError(number, "imagined")

    monkeypatch.setattr(self_test_main.os, "fsync", failing)
    line = (await lines_of(trial()))["card"]
    assert (line.code, line.outcome) == (code, CheckOutcome.FAULT)


async def test_too_little_room_is_a_fault(trial):
    line = (await lines_of(trial("[journal]\nfree_mb_min = 1000000")))["room"]
    assert (line.code, line.outcome) == ("GT-FUL", CheckOutcome.FAULT)


async def test_a_slow_card_is_noted(trial, monkeypatch):
    ticks = iter(range(0, 10_000_000_000, 400_000_000))
    monkeypatch.setattr(self_test_main.time, "monotonic_ns", lambda: next(ticks))
    line = (await lines_of(trial()))["card"]
    assert (line.outcome, line.figure) == (CheckOutcome.NOTE, "GT-SLW 400 ms")


async def test_a_damaged_journal_is_a_fault(trial):
    made = trial()
    made.database.write_bytes(b"no database at all" * 1000)
    assert (await lines_of(made))["journal"].outcome is CheckOutcome.FAULT


def test_the_table_and_the_json_say_the_same():
    lines = (
        CheckLine("card", "GT-DSK", CheckOutcome.GOOD, "9 ms"),
        CheckLine("reader:outside", "GT-RDR", CheckOutcome.NOTE),
        CheckLine("turnstile", "GT-RLY", CheckOutcome.FAULT),
    )
    table = as_table(lines)
    assert "GT-DSK" not in table
    assert "turnstile                FAILS      GT-RLY" in table
    assert "cannot admit" in table
    told = json.loads(as_json(lines))
    assert told["admits"] is False
    assert [one["code"] for one in told["checks"]] == ["", "GT-RDR", "GT-RLY"]
    assert json.loads(as_json(lines[:2]))["admits"] is True


def test_the_command_prints_and_its_status_tells(trial, capsys):
    path = trial().config.path
    assert main(["selftest", "--json", "--config", str(path)]) == 1
    told = json.loads(capsys.readouterr().out)
    names = [one["check"] for one in told["checks"]]
    assert names[:5] == ["identity", "card", "room", "journal", "lists"]
    assert main(["selftest", "--config", str(path.with_name("none.toml"))]) == 1
    assert "cannot be read" in capsys.readouterr().err
