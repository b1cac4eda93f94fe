"""The battery's gauge as Linux tells of it, under /sys/class/power_supply. Bound by `main`.

Every gauge chip that the kernel has a driver for looks the same there: a folder for each supply,
with its `type`, and `capacity` or what it follows from. A charger is a supply of another type.
"""

import asyncio
from pathlib import Path
from typing import Final

from appliance.errors import DeviceError
from appliance.handheld_ports import BatteryReading

POWER_SUPPLIES: Final = Path("/sys/class/power_supply")
_CHARGERS: Final = frozenset({"Mains", "USB", "Wireless"})
_FED: Final = frozenset({"Charging", "Full", "Not charging"})  # power comes in from outside
_AMOUNTS: Final = (("energy_now", "energy_full"), ("charge_now", "charge_full"))
_VALUE_BYTES_MAX: Final = 64


class PowerSupply:
    """The port `Battery` over the kernel's files."""

    def __init__(self, name: str = "", root: Path = POWER_SUPPLIES) -> None:
        """Take which battery.

        Args:
            name: of its folder; "" is the first one by name that feeds this machine.
            root: where the kernel tells of supplies.
        """
        self._name = name
        self._root = root

    async def read(self) -> BatteryReading:
        """Read it.

        Raises:
            DeviceError: if there is no battery, or it does not answer.
        """
        return await asyncio.to_thread(self._read)  # a gauge on a slow bus takes its time

    def _read(self) -> BatteryReading:
        try:
            supplies = sorted(self._root.iterdir())
        except OSError as exc:
            raise DeviceError(f"{self._root} cannot be read: {exc.strerror}") from exc
        battery = next((one for one in supplies if self._is_ours(one)), None)
        if battery is None:
            named = f"no battery {self._name!r}" if self._name else "no battery"
            raise DeviceError(f"{named} under {self._root}")
        if _value(battery / "present") == "0":
            raise DeviceError(f"{battery.name}: the battery is out")
        is_fed = _value(battery / "status") in _FED
        is_online = any(
            _value(one / "type") in _CHARGERS and _value(one / "online") == "1" for one in supplies
        )
        return BatteryReading(_percent(battery), is_plugged=is_fed or is_online)

    def _is_ours(self, supply: Path) -> bool:
        if self._name:
            return supply.name == self._name
        # the battery of a mouse or a headset beside it says scope=Device
        return _value(supply / "type") == "Battery" and _value(supply / "scope") != "Device"


def _percent(battery: Path) -> int | None:
    capacity = _number(battery / "capacity")
    if capacity is None:
        for now_name, full_name in _AMOUNTS:
            now, full = _number(battery / now_name), _number(battery / full_name)
            if now is not None and full:
                capacity = round(100 * now / full)
                break
    return None if capacity is None else min(100, max(0, capacity))


def _number(file: Path) -> int | None:
    text = _value(file)
    return int(text) if text.isascii() and text.isdecimal() else None


def _value(file: Path) -> str:
    """Give what a file says; "" where it is not there, or its chip does not answer just now."""
    try:
        with file.open("rb") as opened:
            return opened.read(_VALUE_BYTES_MAX).decode("ascii", "replace").strip()
    except OSError:  # gauges answer ENODEV or EAGAIN now and then; nothing said is nothing known
        return ""
