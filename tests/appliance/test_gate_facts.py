"""What a report says of a gate's own set-up, whose names it leaves out, and when its arm moves."""

import json
from itertools import groupby

import msgspec
import pytest

from admission.trust.keys import key_id, public_key
from appliance import gate_facts
from appliance.clock import SystemClock
from appliance.config import load_config
from appliance.device_bench import Effort
from appliance.errors import TurnstileFaultError
from appliance.gate_facts import move_arm, read_libraries, read_set_up, run_program
from appliance.hardware_report import checked
from appliance.storage.identity_file import IDENTITY_FILE, Identity
from appliance.turnstiles.levels import read_levels
from appliance.turnstiles.pins import PinLibrary, open_pins
from portillon import hardware_report as command
from portillon import selftest
from portillon.__main__ import main
from portillon.hardware_report import may_move

KEY = bytes(range(32))
NAMES = ("Porte d'Anna", "annas-scanner", "tickets.example.org")
MOCK = 'kind = "relay"\npin_factory = "mock"\n'


@pytest.fixture
def gate(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "EFFORT", Effort(frames=1, commits=2, tickets=10))
    (tmp_path / "data").mkdir()
    (tmp_path / "pictures").mkdir()

    def write(turnstile=f"{MOCK}sensor_pin = 22\nfire_pin = 16"):
        file = tmp_path / "gate.toml"
        file.write_text(
            f'data = "{tmp_path}/data"\nserver = "https://{NAMES[2]}"\n[[readers]]\n'
            f'kind = "folder"\nname = "{NAMES[1]}"\nfolder = "{tmp_path}/pictures"\n'
            f'decoder = "thread"\n[turnstile]\n{turnstile}\n'
        )
        return file

    return write


def enrol(tmp_path):
    identity = Identity(
        gate="gate-7",
        gate_name=NAMES[0],
        server=f"https://{NAMES[2]}",
        private_key=KEY,
        agreement_key=bytes(32),
        root=b"{}",
        root_digest="0" * 64,
    )
    (tmp_path / "data" / IDENTITY_FILE).write_bytes(msgspec.json.encode(identity))


# --- how it is set up -----------------------------------------------------------------------------


def test_the_set_up_is_told_by_kinds_and_pins(gate):
    facts = read_set_up(load_config(gate()))
    assert facts["set-up"]["pin factory"] == "mock"
    assert facts["set-up"]["relay"] == "pulse, fail secure, active high"
    assert facts["set-up"]["readers"] == "1 folder"
    assert facts["set-up"]["pins"] == "entry_pin 17, sensor_pin 22, fire_pin 16"
    assert facts["contacts"] == {"sensor_pin": "high", "fire_pin": "high"}


def test_a_gate_without_pins_has_none(gate):
    facts = read_set_up(load_config(gate('kind = "none"')))
    assert facts["contacts"] == {}
    assert facts["set-up"]["relay"] == facts["set-up"]["pins"] == "none"


def test_contacts_that_cannot_be_had_are_told_as_that(gate, monkeypatch):
    def taken(contacts, pins):
        raise TurnstileFaultError("a pin cannot be read: GPIO busy")

    monkeypatch.setattr("appliance.turnstiles.levels.read_levels", taken)
    contacts = read_set_up(load_config(gate()))["contacts"]
    assert contacts == {"contacts": "cannot be read: a pin cannot be read: GPIO busy"}


def test_contacts_are_read_with_their_pull_resistors():
    with open_pins(PinLibrary.MOCK) as pins:
        assert read_levels({"a": (7, False), "b": (8, True)}, pins) == {"a": "low", "b": "high"}
        with pytest.raises(TurnstileFaultError):
            read_levels({"none": (99, True)}, pins)


def test_libraries_are_told_with_their_versions_and_the_start_where_systemd_is(monkeypatch):
    monkeypatch.setattr(gate_facts, "run_program", lambda words: words[0])
    facts = read_libraries()
    assert facts["libraries"]["gpiozero"].startswith("2.")
    assert facts["libraries"]["picamera2"]
    assert facts["start"] == {"took": "systemd-analyze", "state": "systemctl"}


def test_a_program_that_is_not_there_or_hangs_says_nothing(monkeypatch):
    assert run_program(("portillon-no-such-program",)) == ""
    assert run_program(("printf", "a\\033[31mb\nc")) == "a [31mb"
    monkeypatch.setattr(gate_facts, "PROGRAM_S_MAX", 0.01)
    assert run_program(("sleep", "5")) == ""


# --- the arm --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "times_on"),
    [
        ("pulse_s = 0.1", 1),
        ('drive = "level"\npassage_timeout_s = 0.1', 1),
        # power locks this one: on, off for the person, on again; and off, as a stopped gate is
        ('drive = "level"\nfail = "safe"\npassage_timeout_s = 0.1', 2),
    ],
    ids=["pulse", "level", "power"],
)
async def test_the_arm_is_released_once_and_left_at_rest(gate, monkeypatch, more, times_on):
    config = load_config(gate(MOCK + more))
    with open_pins(PinLibrary.MOCK) as pins:
        monkeypatch.setattr(gate_facts.Drivers, "pins", lambda self, library: pins)
        relay = pins.pin(17)
        await move_arm(config, SystemClock(has_battery=True))
        levels = [level for level, _ in groupby(state.state for state in relay.states)]
    assert (levels[0], levels[-1]) == (False, False)
    assert levels.count(True) == times_on


def test_only_the_whole_word_moves_it():
    def ends(_):
        raise EOFError

    assert may_move(lambda _: "move")
    assert not any(may_move(lambda _, said=said: said) for said in ("", "y", "yes", "mov"))
    assert not may_move(ends)


# --- the command ----------------------------------------------------------------------------------


def run(tmp_path, *words) -> int:
    return main(["selftest", "--hardware-report", "--out", str(tmp_path), *map(str, words)])


def report_in(folder, suffix=".json"):
    (path,) = folder.glob(f"portillon-report-*Z{suffix}")
    return checked(path.read_bytes())


def answer_by(monkeypatch, *lines):
    left = iter(lines)
    monkeypatch.setattr("builtins.input", lambda _: next(left, "s"))
    monkeypatch.setattr(selftest.sys.stdin, "isatty", lambda: True, raising=False)


def test_an_enrolled_gates_report_is_signed_and_holds_no_name(tmp_path, gate):
    enrol(tmp_path)
    assert run(tmp_path, "--config", gate(), "--no-questions") == 0
    document, signer = report_in(tmp_path, ".signed.json")
    assert signer == key_id(public_key(KEY))
    assert document["board"]["set-up"]["turnstile"] == "relay"
    assert document["board"]["arm"] == {"released by this run": "not asked to"}
    said = json.dumps(document, ensure_ascii=False)
    assert [word for word in (*NAMES, str(tmp_path), KEY.hex()) if word in said] == []


def test_a_gate_that_cannot_read_its_keys_has_a_report_without_a_signature(tmp_path, gate, capsys):
    file = gate()
    (tmp_path / "data" / IDENTITY_FILE).write_text("{")
    assert run(tmp_path, "--config", file, "--no-questions") == 1
    assert "not signed" in capsys.readouterr().err
    assert report_in(tmp_path)[1] == ""
    assert list(tmp_path.glob("*.signed.json")) == []


def test_a_machine_without_a_configuration_is_looked_at_all_the_same(tmp_path, gate, capsys):
    assert run(tmp_path, "--config", tmp_path / "none.toml", "--no-questions") == 0
    assert "only the machine" in capsys.readouterr().err
    document, _ = report_in(tmp_path)
    assert document["checks"] == []
    assert "set-up" not in document["board"]
    assert document["board"]["system"]["kernel"]


def test_a_card_whose_commits_cannot_be_measured_leaves_the_other_figures(
    tmp_path, gate, monkeypatch
):
    async def failing(effort, folder):
        raise OSError(30, "Read-only file system", str(folder))

    monkeypatch.setattr(command, "commit_table", failing)
    run(tmp_path, "--config", gate(), "--no-questions")
    titles = [table["title"] for table in report_in(tmp_path)[0]["figures"]]
    assert titles[-1] == "commits could not be measured: Read-only file system"
    assert len(titles) == 3


@pytest.mark.parametrize(
    ("word", "said"), [("move", "yes"), ("yes", "not confirmed"), ("", "not confirmed")]
)
def test_the_arm_moves_only_when_it_is_asked_for_and_confirmed(
    tmp_path, gate, monkeypatch, word, said
):
    released = []

    async def release(config, clock):
        released.append(config)

    monkeypatch.setattr(selftest, "move_arm", release)
    answer_by(monkeypatch, word)
    run(tmp_path, "--config", gate(), "--move-the-arm")
    assert report_in(tmp_path)[0]["board"]["arm"] == {"released by this run": said}
    assert len(released) == (said == "yes")


def test_an_arm_that_does_not_move_is_in_the_report(tmp_path, gate, monkeypatch):
    async def release(config, clock):
        raise TurnstileFaultError("GPIO busy")

    monkeypatch.setattr(selftest, "move_arm", release)
    answer_by(monkeypatch, "move")
    run(tmp_path, "--config", gate(), "--move-the-arm")
    arm = report_in(tmp_path)[0]["board"]["arm"]
    assert arm == {"released by this run": "failed: GPIO busy"}


def test_without_the_word_for_it_no_relay_is_switched_on(tmp_path, gate, monkeypatch):
    with open_pins(PinLibrary.MOCK) as pins:
        monkeypatch.setattr("appliance.drivers.Drivers.pins", lambda self, library: pins)
        relay = pins.pin(17)
        run(tmp_path, "--config", gate(), "--no-questions")
        assert True not in [state.state for state in relay.states]
    checks = {one["check"]: one["outcome"] for one in report_in(tmp_path)[0]["checks"]}
    assert checks["turnstile"] == "good"  # it was claimed, at rest


def test_nobody_to_ask_and_an_arm_to_move_are_refused_together(tmp_path, gate, capsys):
    assert run(tmp_path, "--config", gate(), "--move-the-arm", "--no-questions") == 2
    assert "needs somebody" in capsys.readouterr().err
    assert list(tmp_path.glob("portillon-report-*")) == []
