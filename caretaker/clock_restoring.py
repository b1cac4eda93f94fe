"""`portillon care restore-clock`: what time it may be, before anything that dates is started.

It waits for no network, and a start goes on whatever becomes of it. How good the time is, is left
for the gate in `clock.json`; a time server or the sync server's signed word betters it later.
"""

import argparse
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from caretaker.clock_saving import SAVED_FILE, MachineClock, built_ms, saved_in
from caretaker.errors import MachineError
from caretaker.kept_files import write_whole
from caretaker.machine_settings import NO_RTC, kept_settings
from caretaker.places import Places
from caretaker.saved_clock import restore

REPORT_FILE: Final = "clock.json"
I2C_CLOCKS: Final = {  # as the kernel's drivers call them, at the one address that each has
    "ds1307": "ds1307 0x68",
    "ds3231": "ds3231 0x68",
    "pcf8523": "pcf8523 0x68",
    "pcf85063a": "pcf85063a 0x51",
    "rv3028": "rv3028 0x52",
}
_SET_FROM_MS: Final = 500  # a clock that is this near is left alone
_NEW_DEVICE: Final = "sys/class/i2c-adapter/i2c-1/new_device"
_I2C_WAIT_S: Final = 2.0
_LOOK_S: Final = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments: none."""
    parser.set_defaults(places=Places())


def run(arguments: argparse.Namespace) -> int:
    """Run the action."""
    restore_clock(arguments.places, MachineClock())
    return 0


def restore_clock(places: Places, clock: MachineClock) -> dict[str, object]:
    """Set the clock forwards where it has to be, and leave word of how good it is.

    Returns:
        What `clock.json` says.

    Raises:
        MachineError: if the clock has to be set and may not be.
        FileError: if the word cannot be left.
    """
    battery_ms = _battery(places, clock)
    before_ms = clock.wall_ms()
    restored = restore(before_ms, built_ms(places), saved_in(places.care / SAVED_FILE), battery_ms)
    is_set = restored.wall_ms - before_ms > _SET_FROM_MS
    if is_set:
        try:
            clock.set_ms(restored.wall_ms)
        except OSError as exc:
            raise MachineError(
                f"the clock cannot be set: {exc.strerror}; run this as root, with CAP_SYS_TIME"
            ) from exc
    report = {
        "format": 1,
        "boot_id": _text(places.root / "proc/sys/kernel/random/boot_id"),
        "quality": restored.source.value,
        "wall_ms": clock.wall_ms(),
        "boot_ms": time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
        "error_ms": restored.error_ms,
        "set_by_ms": restored.wall_ms - before_ms if is_set else 0,
    }
    places.care_run.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_whole(places.care_run / REPORT_FILE, json.dumps(report).encode(), mode=0o644)
    return report


def _battery(places: Places, clock: MachineClock) -> int | None:
    """Give what the battery's clock says; None where there is none, or it stands still."""
    kind = kept_settings(places).rtc
    if kind == NO_RTC:
        return None
    clocks = places.root / "sys/class/rtc"
    if kind in I2C_CLOCKS and not _has(clocks, kind):
        # named at run time: the firmware's overlay would have to stand in each slot's boot files
        with suppress(OSError):  # no bus, or it is there already: then it is read below, or not
            (places.root / _NEW_DEVICE).write_text(I2C_CLOCKS[kind], "ascii")
        for _ in range(int(_I2C_WAIT_S / _LOOK_S)):
            if _has(clocks, kind):
                break
            clock.wait(_LOOK_S)
    for device in sorted(clocks.glob("rtc*")):
        if kind in I2C_CLOCKS and not _is(device, kind):
            continue
        seconds = _text(device / "since_epoch")
        if seconds.isdecimal():
            return int(seconds) * 1000
    return None


def _has(clocks: Path, kind: str) -> bool:
    return any(_is(device, kind) for device in clocks.glob("rtc*"))


def _is(device: Path, kind: str) -> bool:
    return kind in _text(device / "device/name") or kind in _text(device / "name")


def _text(path: Path) -> str:
    """Read a file of the kernel; "" where there is none or it does not answer."""
    try:
        return path.read_text("ascii", errors="replace").strip()
    except OSError:
        return ""
