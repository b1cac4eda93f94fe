"""What a board is, read from the kernel's files: model, firmware, card, buses, clocks, cameras.

Called by the hardware report. Reads small files of /proc, /sys, /dev and /etc and nothing else.
What a machine does not tell is said to be not told, what cannot be read says why. Serial numbers
and addresses are not read: a report is handed on.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appliance import device_facts
from appliance.kernel_files import (
    LONG_MAX,
    Facts,
    read_cell,
    read_line,
    read_pairs,
    read_text,
    told,
)
from appliance.machine_report import read_machine_report
from appliance.machine_state import read_machine, throttled_word

_TREE: Final = "proc/device-tree"
_CHOSEN: Final = f"{_TREE}/chosen/bootloader"
_GIB: Final = 1 << 30
_SECTOR: Final = 512
# What a report may tell of how something is mounted: other options name places and people.
_OPTIONS: Final = frozenset(
    {"ro", "rw", "noatime", "relatime", "nodiratime", "lazytime", "sync", "async", "discard"}
    | {"nodev", "nosuid", "noexec"}
)
_OPTIONS_WITH_VALUE: Final = frozenset({"commit", "data", "errors", "barrier"})
# Bits of the firmware's word on supply and heat: now, and sixteen further up since the start.
_BITS: Final = ("under-voltage", "capped", "throttled", "warm")
_SINCE: Final = 16


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
        "clocks": device_facts.clocks,
        "watchdogs": device_facts.watchdogs,
        "pins": device_facts.pins,
        "buses": device_facts.buses,
        "scanners": device_facts.scanners,
        "cameras": device_facts.cameras,
        "network": device_facts.network,
    }
    return {name: read(root) for name, read in sections.items()}


def _board(root: Path) -> Facts:
    cpu = read_pairs(root / "proc/cpuinfo", ":")
    state = read_machine(root)
    free = f", {state.memory_free_mb} MB free" if state.memory_free_mb else ""
    return told(
        model=read_line(root / _TREE / "model")
        or read_line(root / "sys/class/dmi/id/product_name"),
        compatible=read_line(root / _TREE / "compatible"),
        revision=_revision(root) or cpu.get("Revision", ""),
        processor=cpu.get("Model", "") or cpu.get("model name", ""),
        memory=f"{state.memory_mb} MB{free}" if state.memory_mb else "",
    )


def _revision(root: Path) -> str:
    """Read it as the board's own: its maker's lists have it in hexadecimal."""
    cell = read_cell(root / _TREE / "system/linux,revision")
    return f"{int(cell):x}" if cell.isdecimal() else cell


def _firmware(root: Path) -> Facts:
    """Read what the boot loader tells: its date decides whether `tryboot` can be relied on."""
    folder = root / _CHOSEN
    tried = {"0": "no", "1": "yes"}
    tryboot = read_cell(folder / "tryboot")
    return told(
        built=_day(read_cell(folder / "build-timestamp")),
        updated=_day(read_cell(folder / "update-timestamp")),
        version=read_line(folder / "version"),
        boot_mode=read_cell(folder / "boot-mode"),
        partition=read_cell(folder / "partition"),
        tryboot=tried.get(tryboot, tryboot),
        reset_by=read_cell(folder / "rsts"),
    )


def _day(seconds: str) -> str:
    """Give the day of a firmware's date; 0 is never."""
    if not seconds.isdecimal():
        return seconds
    return datetime.fromtimestamp(int(seconds), UTC).date().isoformat() if int(seconds) else "never"


def _system(root: Path) -> Facts:
    release = read_pairs(root / "etc/os-release", "=")
    image = read_pairs(root / "etc/portillon-release", "=")
    return told(
        debian=release.get("PRETTY_NAME", ""),
        image=release.get("IMAGE_VERSION", ""),
        flavour=image.get("PORTILLON_FLAVOUR", ""),
        experimental=image.get("PORTILLON_EXPERIMENTAL", ""),
        architecture=read_line(root / "proc/sys/kernel/arch"),
        kernel=read_line(root / "proc/sys/kernel/osrelease"),
        up_s=read_line(root / "proc/uptime").partition(".")[0],
    )


def _slots(root: Path) -> Facts:
    mounts = [line.split() for line in read_text(root / "proc/mounts", LONG_MAX).splitlines()]
    kept = {row[1]: _mounted(row[2], row[3]) for row in mounts if len(row) > 3}
    said = read_machine_report(root=root)
    return told(
        version="" if said is None else said.version,
        slot="" if said is None else said.slot,
        update="" if said is None else " ".join((said.update, said.update_version)).strip(),
        root=kept.get("/", ""),
        data=kept.get("/data", ""),
        boot=kept.get("/boot/cfg", ""),
    )


def _mounted(kind: str, options: str) -> str:
    told_of = [option for option in options.split(",") if _may_be_told(option)]
    return f"{kind} {','.join(told_of)}".strip()


def _may_be_told(option: str) -> bool:
    name, sign, value = option.partition("=")
    if sign:
        return name in _OPTIONS_WITH_VALUE and value.replace("-", "").isalnum()
    return option in _OPTIONS


def _supply(root: Path) -> Facts:
    state = read_machine(root)
    says: Mapping[bool | None, str] = {None: "", True: "yes", False: "no"}
    warm = state.temperature_c
    return told(
        temperature="" if warm is None else f"{warm:.1f} °C",
        under_voltage_now=says[state.is_under_voltage],
        under_voltage_since_start=says[state.was_under_voltage],
        throttled=says[state.is_throttled],
        firmware_word=_word(throttled_word(root)),
    )


def _word(word: int | None) -> str:
    """Give the firmware's word on supply and heat, and what its bits mean."""
    if word is None:
        return ""
    now = [f"{name} now" for place, name in enumerate(_BITS) if word >> place & 1]
    since = [f"{name} since start" for at, name in enumerate(_BITS) if word >> _SINCE + at & 1]
    return f"0x{word & 0xFFFFFFFF:x}: {', '.join([*now, *since]) or 'nothing'}"


def _card(root: Path) -> Facts:
    facts: Facts = {}
    for disk in sorted(root.glob("sys/block/*"))[: device_facts.LISTED_MAX]:
        if disk.name.startswith(("loop", "ram", "dm-", "zram")):
            continue
        sectors = read_line(disk / "size")
        size = f"{int(sectors) * _SECTOR / _GIB:.1f} GiB" if _is_number(sectors) else ""
        names = ("type", "name", "manfid", "oemid", "date", "hwrev", "fwrev")
        wear = ("life_time", "pre_eol_info")
        said = [
            f"{name} {words}"
            for name in (*names, *wear)
            if (words := read_line(disk / "device" / name))
        ]
        facts[disk.name] = ", ".join(filter(None, (size, read_line(disk / "device/model"), *said)))
    return facts


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 20  # of 64 bits
