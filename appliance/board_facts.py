"""What a board is, read from the kernel's files: model, firmware, card, buses, clocks, cameras.

Called by the hardware report. Reads small files of /proc, /sys, /dev and /etc and nothing else;
whatever a machine does not tell is left out. Serial numbers and addresses are not read: a report is
handed on.
"""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from appliance.machine_report import read_machine_report
from appliance.machine_state import read_machine

_TREE: Final = "proc/device-tree"
_CHOSEN: Final = f"{_TREE}/chosen/bootloader"
_CELL_BYTES: Final = 4  # a cell of the device tree: big-endian, 32 bits
_TEXT_MAX: Final = 200
_LISTED_MAX: Final = 32
_GIB: Final = 1 << 30
_SECTOR: Final = 512

Facts = dict[str, str]


def read_board(root: Path = Path("/")) -> dict[str, Facts]:
    """Tell all there is, in sections: name of a fact to what it is.

    Args:
        root: where `proc`, `sys`, `dev` and `etc` are.
    """
    sections: dict[str, Callable[[Path], Facts]] = {
        "board": _board,
        "firmware": _firmware,
        "system": _system,
        "slots": _slots,
        "supply and heat": _supply,
        "card": _card,
        "clocks": _clocks,
        "watchdogs": _watchdogs,
        "pins": _pins,
        "buses": _buses,
        "scanners": _scanners,
        "cameras": _cameras,
    }
    return {name: read(root) for name, read in sections.items()}


def _board(root: Path) -> Facts:
    cpu = _pairs(root / "proc/cpuinfo", ":")
    memory = read_machine(root).memory_mb
    return _told(
        model=_text(root / _TREE / "model") or _text(root / "sys/class/dmi/id/product_name"),
        compatible=_text(root / _TREE / "compatible").replace("\0", " "),
        revision=cpu.get("Revision", ""),
        processor=cpu.get("Model", "") or cpu.get("model name", ""),
        memory=f"{memory} MB" if memory else "",
    )


def _firmware(root: Path) -> Facts:
    """Read what the boot loader tells: its date decides whether `tryboot` can be relied on."""
    folder = root / _CHOSEN
    return _told(
        built=_cell(folder / "build-timestamp"),
        updated=_cell(folder / "update-timestamp"),
        version=_text(folder / "version"),
        partition=_cell(folder / "partition"),
        tryboot=_cell(folder / "tryboot"),
        reset_by=_cell(folder / "rsts"),
    )


def _system(root: Path) -> Facts:
    release = _pairs(root / "etc/os-release", "=")
    image = _pairs(root / "etc/portillon-release", "=")
    return _told(
        debian=release.get("PRETTY_NAME", ""),
        image=release.get("IMAGE_VERSION", ""),
        flavour=image.get("PORTILLON_FLAVOUR", ""),
        experimental=image.get("PORTILLON_EXPERIMENTAL", ""),
        kernel=_text(root / "proc/sys/kernel/osrelease"),
        up_s=_text(root / "proc/uptime").partition(".")[0],
    )


def _slots(root: Path) -> Facts:
    mounts = [line.split() for line in _text(root / "proc/mounts", 1 << 16).splitlines()]
    kept = {row[1]: f"{row[2]} {row[3]}" for row in mounts if len(row) > 3}
    said = read_machine_report(root=root)
    return _told(
        version="" if said is None else said.version,
        slot="" if said is None else said.slot,
        root=kept.get("/", ""),
        data=kept.get("/data", ""),
        boot=kept.get("/boot/cfg", ""),
    )


def _supply(root: Path) -> Facts:
    state = read_machine(root)
    says: Mapping[bool | None, str] = {None: "", True: "yes", False: "no"}
    warm = state.temperature_c
    return _told(
        temperature="" if warm is None else f"{warm:.1f} °C",
        under_voltage_now=says[state.is_under_voltage],
        under_voltage_since_start=says[state.was_under_voltage],
        throttled=says[state.is_throttled],
    )


def _card(root: Path) -> Facts:
    facts: Facts = {}
    for disk in sorted(root.glob("sys/block/*"))[:_LISTED_MAX]:
        if disk.name.startswith(("loop", "ram", "dm-", "zram")):
            continue
        sectors = _text(disk / "size")
        size = f"{int(sectors) * _SECTOR / _GIB:.1f} GiB" if sectors.isdecimal() else ""
        names = ("name", "manfid", "oemid", "date", "fwrev", "life_time", "pre_eol_info")
        told = [f"{name} {said}" for name in names if (said := _text(disk / "device" / name))]
        facts[disk.name] = ", ".join(filter(None, (size, _text(disk / "device/model"), *told)))
    return facts


def _clocks(root: Path) -> Facts:
    return {
        clock.name: _text(clock / "name")
        for clock in sorted(root.glob("sys/class/rtc/rtc*"))[:_LISTED_MAX]
    }


def _watchdogs(root: Path) -> Facts:
    return {
        dog.name: _with(_text(dog / "identity"), "bites after {} s", _text(dog / "timeout"))
        for dog in sorted(root.glob("sys/class/watchdog/watchdog*"))[:_LISTED_MAX]
    }


def _pins(root: Path) -> Facts:
    """List the chips: older kernels tell of their lines, newer ones have the devices alone."""
    chips = sorted(root.glob("sys/class/gpio/gpiochip*"))[:_LISTED_MAX]
    told = {
        chip.name: _with(_text(chip / "label"), "{} lines", _text(chip / "ngpio")) for chip in chips
    }
    return told | {path.name: "" for path in sorted(root.glob("dev/gpiochip*"))[:_LISTED_MAX]}


def _buses(root: Path) -> Facts:
    names = ("dev/i2c-*", "dev/spidev*")
    return {path.name: "" for pattern in names for path in sorted(root.glob(pattern))[:_LISTED_MAX]}


def _scanners(root: Path) -> Facts:
    """List serial ports and what is plugged into USB, by maker and kind; no serial numbers."""
    facts: Facts = {}
    for device in sorted(root.glob("sys/bus/usb/devices/*"))[:_LISTED_MAX]:
        vendor, product = _text(device / "idVendor"), _text(device / "idProduct")
        if vendor and product:
            names = (_text(device / "manufacturer"), _text(device / "product"))
            facts[f"usb {device.name} {vendor}:{product}"] = " ".join(filter(None, names))
    for pattern in ("ttyACM*", "ttyUSB*", "ttyAMA*"):
        for port in sorted(root.glob(f"dev/{pattern}"))[:_LISTED_MAX]:
            facts[port.name] = ""
    return facts


def _cameras(root: Path) -> Facts:
    return {
        device.name: _text(device / "name")
        for device in sorted(root.glob("sys/class/video4linux/video*"))[:_LISTED_MAX]
    }


def _with(name: str, words: str, figure: str) -> str:
    """Put a name and what was read of it into one line; either may be missing."""
    return ", ".join(filter(None, (name, words.format(figure) if figure else "")))


def _told(**facts: str) -> Facts:
    """Keep what was told at all."""
    return {name.replace("_", " "): said for name, said in facts.items() if said}


def _pairs(path: Path, mark: str) -> Facts:
    """Read a file of names and values; of a name that comes more than once, the last value."""
    found = {}
    for line in _text(path, 1 << 16).splitlines():
        name, between, value = line.partition(mark)
        if between:
            found[name.strip()] = value.strip().strip('"')[:_TEXT_MAX]
    return found


def _cell(path: Path) -> str:
    """Read a number of the device tree; "" where there is none."""
    raw = _bytes(path, _CELL_BYTES + 1)
    return str(struct.unpack(">I", raw)[0]) if len(raw) == _CELL_BYTES else ""


def _text(path: Path, bytes_max: int = _TEXT_MAX) -> str:
    """Read a file of the kernel, without what would not print; "" where it does not answer."""
    said = _bytes(path, bytes_max).decode("utf-8", "replace").rstrip("\0\n ")
    return "".join(c if c.isprintable() or c in "\n\0\t" else " " for c in said).strip()


def _bytes(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(bytes_max)
    except OSError:
        return b""
