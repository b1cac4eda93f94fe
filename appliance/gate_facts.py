"""What a gate's own set-up is: its configuration without names, libraries, levels of its contacts.

Called by `portillon selftest --hardware-report`, with the daemon stopped. Claims inputs alone, but
for `move_arm`, which a person has to ask for.
"""

import subprocess
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

from admission.scan import Direction
from appliance.config import Config
from appliance.drivers import Drivers
from appliance.errors import ApplianceError
from appliance.kernel_files import TEXT_MAX, Facts, told
from appliance.page_config import PageConfig
from appliance.ports import Clock

PROGRAM_S_MAX: Final = 10.0
OPEN_S_MAX: Final = 5.0  # an arm that opens by level is let go after so long
LOCKED_S: Final = 1.0  # in which the arm locks again by its own timer, before it is let go
NONE: Final = "none"
# Whose version is told, by the name that it is installed under.
_LIBRARIES: Final = (
    "gpiozero", "lgpio", "gpiod", "luma.oled", "pyserial", "evdev", "zxing-cpp", "pyzbar",
    "picamera2",
)  # fmt: skip
_OF_THE_SYSTEM: Final = ("libcamera", "spidev")  # Debian's own, whose version is not told
_PROGRAMS: Final = {
    "took": ("systemd-analyze", "time"),
    "state": ("systemctl", "is-system-running"),
}


def read_set_up(config: Config) -> dict[str, Facts]:
    """Tell how the gate is set up: kinds and pins, never what a person named something.

    Raises nothing: contacts that cannot be had are told as that.
    """
    return {"set-up": _set_up(config), "contacts": _contacts(config)}


def read_libraries() -> dict[str, Facts]:
    """Tell which libraries of devices are installed, and how the system started."""
    found = {name: _version(name) for name in _LIBRARIES}
    found |= {name: "there" if find_spec(name) else NONE for name in _OF_THE_SYSTEM}
    started = {name: run_program(words) for name, words in _PROGRAMS.items()}
    return {"libraries": found, "start": told(**started)}


async def move_arm(config: Config, clock: Clock) -> None:
    """Release the arm for an entry, once, as a grant would; then leave it at rest.

    Raises:
        ApplianceError: if it cannot be had, or does not move.
    """
    arm = config.turnstile
    open_s = arm.pulse_s if arm.drive == "pulse" else arm.passage_timeout_s
    async with AsyncExitStack() as stack:
        drivers = Drivers(replace(config, page=PageConfig()), clock, stack)
        turnstile = drivers.open_turnstile()
        try:
            await turnstile.hold(False)
            await turnstile.release(Direction.ENTRY)
            await clock.sleep(min(open_s, OPEN_S_MAX) + LOCKED_S)
        finally:
            turnstile.rest()


def run_program(words: tuple[str, ...]) -> str:
    """Give the first line that a program of the system prints; "" where it cannot be had."""
    try:
        ended = subprocess.run(  # noqa: S603 (fixed words of this module)
            words, capture_output=True, text=True, timeout=PROGRAM_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    first = ended.stdout.partition("\n")[0][:TEXT_MAX]
    return "".join(c if c.isprintable() else " " for c in first).strip()


def _set_up(config: Config) -> Facts:
    arm, display = config.turnstile, config.display
    readers = Counter(
        f"{one.kind} {one.serial.engine}" if one.serial else one.kind for one in config.readers
    )
    pins = [f"{key.partition('.')[2]} {pin}" for _, key, pin in arm.pins() if pin is not None]
    relay = f"{arm.drive}, fail {arm.fail}, active {'high' if arm.active_high else 'low'}"
    oled = f"{display.chip} on {display.wire} {display.bus}" if display.kind == "oled" else ""
    return told(
        profile=config.profile,
        turnstile=arm.kind,
        pin_factory=arm.pin_factory if arm.is_on_pins else NONE,
        pins=", ".join(pins) or NONE,
        relay=relay if arm.is_on_pins else NONE,
        readers=", ".join(f"{count} {kind}" for kind, count in sorted(readers.items())),
        display=f"{display.kind} {oled}".strip(),
        signals=config.signals.kind,
        battery_clock=config.clock.battery,
    )


def _contacts(config: Config) -> Facts:
    arm = config.turnstile
    own = {
        "sensor_pin": (arm.sensor_pin, arm.sensor_pull_up),
        "exit_sensor_pin": (arm.exit_sensor_pin, arm.sensor_pull_up),
        "turning_pin": (arm.turning_pin, arm.sensor_pull_up),
    }
    beside = {
        name: (getattr(arm, name), True)
        for name in ("fire_pin", "staff_open_pin", "staff_hold_pin", "staff_lock_pin")
    }
    of_pins = {**(own if arm.is_on_pins else {}), **beside}
    contacts = {name: (pin, up) for name, (pin, up) in of_pins.items() if pin is not None}
    if not contacts:
        return {}
    from appliance.turnstiles.levels import read_levels
    from appliance.turnstiles.pins import PinLibrary, open_pins

    try:
        library = PinLibrary("mock" if arm.kind == "simulated" else arm.pin_factory)
        with open_pins(library) as pins:
            return read_levels(contacts, pins)
    except ApplianceError as exc:
        return {"contacts": f"cannot be read: {exc}"}


def _version(name: str) -> str:
    for installed in (name, f"{name}-binary"):
        try:
            return version(installed)
        except PackageNotFoundError:
            continue
    return NONE
