"""What hangs on a board, read from the kernel's files: clocks, watchdogs, pins, buses, scanners.

Called by `board_facts`. No bus is scanned, since an address that answers may be somebody's, and no
serial number, network address or name of an interface is read.
"""

from pathlib import Path
from typing import Final

from appliance.kernel_files import Facts, read_line, told

LISTED_MAX: Final = 32
_KINDS: Final = {  # of USB interfaces, by class
    "01": "audio",
    "02": "serial",
    "03": "types (HID)",
    "08": "storage",
    "09": "hub",
    "0e": "camera",
    "e0": "radio",
}


def clocks(root: Path) -> Facts:
    """List clocks with a battery, and what the kernel counts time by."""
    found = {}
    for clock in _some(root, "sys/class/rtc/rtc*"):
        has_set = read_line(clock / "hctosys") == "1"
        found[clock.name] = _with(read_line(clock / "name"), "set the time" if has_set else "")
    source = root / "sys/devices/system/clocksource/clocksource0/current_clocksource"
    return found | told(counted_by=read_line(source))


def watchdogs(root: Path) -> Facts:
    """List what starts the board anew when nobody ticks it."""
    found = {}
    for dog in _some(root, "sys/class/watchdog/watchdog*"):
        bites = read_line(dog / "timeout")
        after = f"bites after {bites} s" if bites else ""
        found[dog.name] = _with(read_line(dog / "identity"), after, read_line(dog / "state"))
    return found


def pins(root: Path) -> Facts:
    """List chips with pins, each with its driver and what it is compatible with."""
    found = {}
    for chip in _some(root, "sys/bus/gpio/devices/gpiochip*"):
        behind = chip.resolve().parent
        driver = (behind / "driver").resolve().name if (behind / "driver").is_symlink() else ""
        found[chip.name] = _with(driver, read_line(behind / "of_node/compatible"))
    devices = {path.name: "" for path in _some(root, "dev/gpiochip*")}
    return devices | found


def buses(root: Path) -> Facts:
    """List I2C and SPI, and what the kernel drives there; a display is not among them."""
    found = {path.name: "" for kind in ("i2c-*", "spidev*") for path in _some(root, f"dev/{kind}")}
    for bus in _some(root, "sys/bus/i2c/devices/*"):
        found[bus.name] = read_line(bus / "name")
    return found


def scanners(root: Path) -> Facts:
    """List serial ports and what is plugged into USB, by maker and kind; no serial numbers."""
    facts: Facts = {}
    for device in _some(root, "sys/bus/usb/devices/*"):
        vendor, product = read_line(device / "idVendor"), read_line(device / "idProduct")
        if vendor and product:
            names = " ".join(
                filter(None, (read_line(device / "manufacturer"), read_line(device / "product")))
            )
            kinds = {
                read_line(one / "bInterfaceClass")
                for one in _some(root, f"sys/bus/usb/devices/{device.name}:*")
            }
            words = ", ".join(sorted(_KINDS[kind] for kind in kinds & _KINDS.keys()))
            facts[f"usb {device.name} {vendor}:{product}"] = _with(names, words)
    for pattern in ("ttyACM*", "ttyUSB*", "ttyAMA*"):
        facts |= {port.name: "" for port in _some(root, f"dev/{pattern}")}
    return facts


def cameras(root: Path) -> Facts:
    """List what the kernel shows as a video device."""
    return {
        one.name: read_line(one / "name") for one in _some(root, "sys/class/video4linux/video*")
    }


def network(root: Path) -> Facts:
    """Count interfaces with a device behind them: their names may hold their addresses."""
    real = [one for one in root.glob("sys/class/net/*") if (one / "device").is_dir()]
    radios = [one for one in real if (one / "wireless").is_dir()]
    linked = [one for one in real if read_line(one / "carrier") == "1"]
    return told(
        wired=str(len(real) - len(radios)), wireless=str(len(radios)), with_a_link=str(len(linked))
    )


def _some(root: Path, pattern: str) -> list[Path]:
    return sorted(root.glob(pattern))[:LISTED_MAX]


def _with(*words: str) -> str:
    """Put what was read of one thing into one line; any of it may be missing."""
    return ", ".join(filter(None, words))
