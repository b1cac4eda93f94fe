"""What the machine tells of its own: heat, supply, memory, network. Reads files of the kernel only.

Called by the health watch and the self-test. Whatever a machine does not tell is None: a Raspberry
Pi tells the most.
"""

from pathlib import Path
from typing import Final

from appliance.page_ports import MachineState

_THROTTLED: Final = "sys/devices/platform/soc/soc:firmware/get_throttled"
_UNDER_VOLTAGE_NOW: Final = 1 << 0  # bits of the firmware's word, as vcgencmd shows them
_CAPPED_NOW: Final = 1 << 1
_THROTTLED_NOW: Final = 1 << 2
_SOFT_LIMIT_NOW: Final = 1 << 3
_UNDER_VOLTAGE_SINCE: Final = 1 << 16
_DIGITS_MAX: Final = 20  # of 64 bits and a sign; Python refuses very long ones with an error
_TEMPERATURE_C_MAX: Final = 150.0  # a sensor that says more is broken


def read_machine(root: Path = Path("/")) -> MachineState:
    """Read what there is; a few small files, none on a disk.

    Args:
        root: where `sys` and `proc` are.
    """
    word = throttled_word(root)
    memory = _memory(root)
    low = _low_supply(root)
    return MachineState(
        temperature_c=_temperature(root),
        is_under_voltage=low if word is None else bool(word & _UNDER_VOLTAGE_NOW),
        was_under_voltage=low if word is None else bool(word & _UNDER_VOLTAGE_SINCE),
        is_throttled=(
            None if word is None else bool(word & (_CAPPED_NOW | _THROTTLED_NOW | _SOFT_LIMIT_NOW))
        ),
        memory_free_mb=memory.get("MemAvailable"),
        memory_mb=memory.get("MemTotal"),
        networks=_networks(root),
    )


def _temperature(root: Path) -> float | None:
    """Give the warmest zone: on a Pi there is one, the processor's."""
    found = []
    for file in sorted(root.glob("sys/class/thermal/thermal_zone*/temp")):
        value = _whole(_text(file))
        if value is not None and 0 < value / 1000 < _TEMPERATURE_C_MAX:
            found.append(value / 1000)
    return max(found, default=None)


def throttled_word(root: Path) -> int | None:
    """Give the firmware's word on supply and heat; the kernel writes it in hexadecimal."""
    try:
        return int(_text(root / _THROTTLED), 16)
    except ValueError:
        return None


def _low_supply(root: Path) -> bool | None:
    """Ask the supply's own sensor, which newer kernels have in place of the firmware's word."""
    for name in sorted(root.glob("sys/class/hwmon/hwmon*/name")):
        if _text(name) == "rpi_volt":
            value = _whole(_text(name.parent / "in0_lcrit_alarm"))
            return None if value is None else bool(value)
    return None


def _memory(root: Path) -> dict[str, int]:
    found = {}
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        value = _whole(rest.strip().removesuffix(" kB"))
        if value is not None:
            found[name] = value // 1024
    return found


def _networks(root: Path) -> tuple[str, ...] | None:
    """Give the interfaces whose cable or radio has a link; one that is down has none to read."""
    interfaces = [folder for folder in sorted(root.glob("sys/class/net/*")) if folder.name != "lo"]
    if not interfaces:
        return None
    return tuple(one.name for one in interfaces if _text(one / "carrier") == "1")


def _whole(text: str) -> int | None:
    is_number = text.removeprefix("-").isdecimal() and len(text) <= _DIGITS_MAX
    return int(text) if is_number else None


def _text(file: Path) -> str:
    """Read a file of the kernel; "" where there is none or it does not answer."""
    try:
        return file.read_text("ascii", errors="replace").strip()
    except OSError:
        return ""
