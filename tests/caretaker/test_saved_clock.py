"""What time a machine without a network starts with, and what it writes down for the next start."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caretaker.clock_restoring import restore_clock
from caretaker.clock_saving import MachineClock, save_clock
from caretaker.errors import MachineError
from caretaker.machine_settings import Provisioned, Settings, keep
from caretaker.places import Places
from caretaker.saved_clock import (
    AHEAD_MS_MAX,
    BEHIND_MS_MAX,
    SAVED_BYTES,
    Restored,
    Saved,
    Source,
    read_saved,
    restore,
    to_save,
    write_saved,
)

BUILT = 1_780_000_000_000  # 2026-05-28
DAY = 86_400_000
YEAR = 365 * DAY
SAVED = Saved(BUILT + 30 * DAY)
SYNCED = Saved(BUILT + 30 * DAY, BUILT + 20 * DAY)
NOW = BUILT + 31 * DAY
DRIFT = 11 * DAY // 10_000  # since it was synced


@pytest.mark.parametrize(
    ("wall", "saved", "battery", "restored"),
    [
        pytest.param(0, None, None, Restored(BUILT, Source.FLOOR, None), id="1970, nothing known"),
        pytest.param(BUILT, None, None, Restored(BUILT, Source.FLOOR, None), id="at the floor"),
        pytest.param(0, SAVED, None, Restored(SAVED.wall_ms, Source.SAVED, None), id="1970, saved"),
        pytest.param(
            NOW, SAVED, None, Restored(NOW, Source.SAVED, None), id="forwards, never back"
        ),
        pytest.param(0, SAVED, NOW, Restored(NOW, Source.RTC, 62_000), id="battery never compared"),
        pytest.param(
            0, SYNCED, NOW, Restored(NOW, Source.RTC, 2_000 + DRIFT), id="battery, drift since"
        ),
        pytest.param(
            0, SAVED, 0, Restored(SAVED.wall_ms, Source.SAVED, None), id="battery at 1970"
        ),
        pytest.param(
            0,
            SAVED,
            SAVED.wall_ms - 60_000,
            Restored(SAVED.wall_ms, Source.RTC, 122_000),
            id="saved a minute ahead of the battery",
        ),
        pytest.param(
            0,
            SAVED,
            SAVED.wall_ms - BEHIND_MS_MAX - 1,
            Restored(SAVED.wall_ms, Source.SAVED, None),
            id="saved far ahead of the battery",
        ),
        pytest.param(
            0,
            SAVED,
            NOW + 10 * YEAR,
            Restored(SAVED.wall_ms, Source.SAVED, None),
            id="battery ten years ahead",
        ),
        pytest.param(
            NOW + 10 * YEAR,
            SAVED,
            NOW + 10 * YEAR,
            Restored(NOW + 10 * YEAR, Source.FLOOR, None),
            id="the kernel took it from there: nobody vouches for it",
        ),
        pytest.param(
            NOW + DAY,
            SAVED,
            NOW,
            Restored(NOW + DAY, Source.SAVED, None),
            id="the clock is ahead of the battery: not by its word",
        ),
        pytest.param(
            0,
            Saved(BUILT + 30 * YEAR),
            None,
            Restored(BUILT, Source.FLOOR, None),
            id="saved thirty years ahead",
        ),
        pytest.param(
            0,
            Saved(BUILT - DAY),
            None,
            Restored(BUILT, Source.FLOOR, None),
            id="saved by the version before, which is older than this one",
        ),
    ],
)
def test_a_start_without_a_network(
    wall: int, saved: Saved | None, battery: int | None, restored: Restored
):
    assert restore(wall, BUILT, saved, battery) == restored


TIMES = st.integers(0, BUILT + 40 * YEAR)


@given(TIMES, st.none() | st.builds(Saved, TIMES, TIMES), st.none() | TIMES)
def test_no_clock_is_set_back_nor_to_before_the_floor(
    wall: int, saved: Saved | None, battery: int | None
):
    restored = restore(wall, BUILT, saved, battery)
    assert restored.wall_ms >= max(wall, BUILT)
    if restored.source is Source.RTC:
        assert battery is not None
        assert restored.error_ms is not None
        assert abs(restored.wall_ms - battery) <= max(restored.error_ms, BEHIND_MS_MAX)


@given(TIMES, st.none() | st.builds(Saved, TIMES, TIMES), st.booleans())
def test_what_is_saved_can_be_read_and_goes_back_for_a_time_server_alone(
    wall: int, before: Saved | None, is_synced: bool
):
    saved = to_save(wall, BUILT, before, is_synced=is_synced)
    if saved is None:
        return
    raw = write_saved(saved)
    assert len(raw) == SAVED_BYTES
    assert read_saved(raw) == saved
    if not is_synced and before is not None and before.wall_ms - BUILT <= 10 * AHEAD_MS_MAX:
        assert before.wall_ms <= saved.wall_ms <= max(before.wall_ms, BUILT) + AHEAD_MS_MAX


def test_a_clock_that_ran_ahead_is_saved_right_once_a_time_server_has_set_it():
    ahead = to_save(NOW + YEAR, BUILT, SAVED, is_synced=False)
    assert ahead == Saved(NOW + YEAR)
    assert to_save(NOW, BUILT, ahead, is_synced=False) is None
    assert to_save(NOW, BUILT, ahead, is_synced=True) == Saved(NOW, NOW)


def test_a_clock_ten_years_ahead_is_not_saved_and_one_at_1970_neither():
    assert to_save(NOW + 10 * YEAR, BUILT, SAVED, is_synced=False) is None
    assert to_save(0, BUILT, SAVED, is_synced=False) is None


@given(st.binary(max_size=80) | st.integers(0, 63).map(lambda at: _altered(at)))
def test_damaged_bytes_are_no_time(raw: bytes):
    assert read_saved(raw) is None


def _altered(at: int) -> bytes:
    raw = bytearray(write_saved(SYNCED))
    raw[at] ^= 0x11
    return bytes(raw)


# --- over files ------------------------------------------------------------------------------


@dataclass
class Hands:
    """The machine's clock in a test's hands."""

    ms: int

    def set(self, ms: int) -> None:
        self.ms = ms

    def clock(self, wait: Callable[[float], None] = lambda _: None) -> MachineClock:
        return MachineClock(lambda: self.ms, self.set, wait)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("usr/lib", "var/lib/portillon-care", "run", "proc/sys/kernel/random"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("b-1\n")
    mark = tmp_path / "usr/lib/clock-epoch"
    mark.touch()
    os.utime(mark, ns=(0, BUILT * 1_000_000))
    return Places(tmp_path)


def battery(places: Places, name: str, ms: int) -> None:
    device = places.root / "sys/class/rtc/rtc0"
    device.mkdir(parents=True)
    (device / "since_epoch").write_text(f"{ms // 1000}\n")
    (device / "name").write_text(f"{name}\n")


def test_the_time_is_found_again_after_the_supply_was_cut(places: Places):
    hands = Hands(NOW)
    assert save_clock(places, hands.clock())
    inode = (places.care / "clock").stat().st_ino
    hands.ms = NOW + 300_000
    assert save_clock(places, hands.clock())
    assert (places.care / "clock").stat().st_ino == inode  # in place
    hands.ms = 0
    report = restore_clock(places, hands.clock())
    assert hands.ms == NOW + 300_000
    assert json.loads((places.care_run / "clock.json").read_text()) == report
    assert (report["quality"], report["error_ms"], report["boot_id"]) == ("saved", None, "b-1")
    assert report["set_by_ms"] == NOW + 300_000


def test_a_battery_tells_the_time_and_how_far_off_it_may_be(places: Places):
    save_clock(places, Hands(NOW - DAY).clock())
    battery(places, "rtc-rp1", NOW)
    hands = Hands(0)
    report = restore_clock(places, hands.clock())
    assert (hands.ms, report["quality"], report["error_ms"]) == (NOW, "rtc", 62_000)


def test_where_the_file_says_that_there_is_no_battery_none_is_asked(places: Places):
    keep(places, Provisioned(Settings(rtc="none")))
    battery(places, "rtc-rp1", NOW)
    hands = Hands(0)
    assert restore_clock(places, hands.clock())["quality"] == "floor"
    assert hands.ms == BUILT


def test_a_chip_on_the_bus_is_made_known_to_the_kernel_and_waited_for_two_seconds(places: Places):
    keep(places, Provisioned(Settings(rtc="ds3231")))
    bus = places.root / "sys/class/i2c-adapter/i2c-1"
    bus.mkdir(parents=True)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            battery(places, "rtc-ds1307 1-0068 ds3231", NOW)

    hands = Hands(0)
    assert restore_clock(places, hands.clock(wait))["quality"] == "rtc"
    assert (bus / "new_device").read_text() == "ds3231 0x68"
    assert len(waited) == 3


def test_a_chip_that_is_not_there_keeps_nobody_waiting_for_long(places: Places):
    keep(places, Provisioned(Settings(rtc="ds3231")))
    waited: list[float] = []
    hands = Hands(0)
    assert restore_clock(places, hands.clock(waited.append))["quality"] == "floor"
    assert sum(waited) == pytest.approx(2.0)


@pytest.mark.parametrize("raw", [b"", b"x" * 64, b"\0" * 64, b"y" * 5000])
def test_a_damaged_file_is_as_good_as_none_and_is_written_anew(places: Places, raw: bytes):
    (places.care / "clock").write_bytes(raw)
    hands = Hands(0)
    assert restore_clock(places, hands.clock())["quality"] == "floor"
    hands.ms = NOW
    assert save_clock(places, hands.clock())
    assert read_saved((places.care / "clock").read_bytes()) == Saved(NOW)


def test_a_link_in_place_of_the_file_is_not_followed(places: Places, tmp_path: Path):
    other = tmp_path / "other"
    other.write_bytes(b"x" * 64)
    (places.care / "clock").symlink_to(other)
    save_clock(places, Hands(NOW).clock())
    assert other.read_bytes() == b"x" * 64
    assert not (places.care / "clock").is_symlink()


def test_a_clock_that_may_not_be_set_is_told(places: Places):
    def refused(_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    clock = MachineClock(lambda: 0, refused, lambda _: None)
    with pytest.raises(MachineError, match="CAP_SYS_TIME"):
        restore_clock(places, clock)
