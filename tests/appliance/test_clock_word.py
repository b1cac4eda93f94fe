"""What the gate makes of the caretaker's word on the clock: its own start's, whole, or nothing."""

import json
from pathlib import Path

import pytest

from admission.trust.trusted_time import TimeQuality
from appliance import clock
from appliance.clock import ClockWord, SystemClock, boot_id, read_word
from caretaker.clock_restoring import restore_clock
from caretaker.clock_saving import MachineClock
from caretaker.places import Places

BOOT = bytes(range(16))
GOOD = {"format": 1, "boot_id": BOOT.hex(), "quality": "rtc", "error_ms": 62_000}


def word(folder: Path, said: object) -> ClockWord | None:
    path = folder / "clock.json"
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    return read_word(path, BOOT)


def test_quality_and_error_are_taken(tmp_path: Path):
    assert word(tmp_path, GOOD) == ClockWord(TimeQuality.RTC, 62_000)
    later = GOOD | {"format": 2, "quality": "saved", "error_ms": None, "more": [1]}
    assert word(tmp_path, later) == ClockWord(TimeQuality.SAVED)


@pytest.mark.parametrize(
    "said",
    [
        GOOD | {"boot_id": "00" * 16},
        GOOD | {"boot_id": 7},
        GOOD | {"quality": "signed"},
        GOOD | {"quality": "synced"},
        GOOD | {"quality": "best"},
        {},
        [],
        "",
        "{",
        "[" * 5000,
    ],
)
def test_a_word_of_another_start_or_none_at_all_says_nothing(tmp_path: Path, said: object):
    assert word(tmp_path, said) is None


def test_there_need_be_no_word(tmp_path: Path):
    assert read_word(tmp_path / "clock.json", BOOT) is None


@pytest.mark.parametrize("error_ms", [-1, True, "5", 10**30, 1.5])
def test_an_error_that_is_none_is_unknown(tmp_path: Path, error_ms: object):
    read = word(tmp_path, GOOD | {"error_ms": error_ms})
    assert read is not None
    assert read.error_ms is None


def test_the_gate_reads_what_the_caretaker_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    places = Places(tmp_path)
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text(f"{boot_id().hex()}\n")
    (tmp_path / "sys/class/rtc/rtc0").mkdir(parents=True)
    (tmp_path / "sys/class/rtc/rtc0/since_epoch").write_text("1780000000")
    restore_clock(places, MachineClock(lambda: 0, lambda _: None))
    monkeypatch.setattr(clock, "_CARETAKERS_WORD", places.care_run / "clock.json")
    monkeypatch.setattr(clock, "_is_synchronised", lambda: False)
    machine = SystemClock()
    assert machine.wall_quality() is TimeQuality.RTC
    assert machine.start_error_ms() == 62_000
    told = SystemClock(has_battery=False)
    assert (told.wall_quality(), told.start_error_ms()) == (TimeQuality.SAVED, None)
