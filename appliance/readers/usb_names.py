"""Which device file a scanner on USB has just now, by what it says of itself. Called by readers.

Reads the kernel's own tree of devices and opens none of them: a device file may be another's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from appliance.errors import ReaderLostError

SYS: Final = Path("/sys")
_PARENTS_MAX: Final = 6  # from a serial line up to its USB device it is two to four


class UsbName(NamedTuple):
    """What a USB device says of itself.

    Attributes:
        vendor: four hexadecimal digits, small letters.
        product: likewise.
        serial: its serial number; "" is any.
    """

    vendor: str
    product: str
    serial: str = ""

    @classmethod
    def read(cls, text: str) -> "UsbName":
        """Read `VENDOR:PRODUCT` or `VENDOR:PRODUCT:SERIAL`."""
        return cls(*text.split(":", 2))

    def is_of(self, other: "UsbName") -> bool:
        """Tell whether it names a device that says `other` of itself."""
        same_kind = (self.vendor, self.product) == (other.vendor, other.product)
        return same_kind and self.serial in {"", other.serial}

    def __str__(self) -> str:
        return ":".join(part for part in self if part)


def find_serial_line(name: UsbName, sys: Path = SYS) -> str:
    """Give the device file of a scanner's serial line.

    Raises:
        ReaderLostError: if there is none, or if two devices answer to the name.
    """
    lines = [(device, file) for device, said, file in _serial_lines(sys) if name.is_of(said)]
    return _the_one(lines, name)


def find_event_files(name: UsbName, sys: Path = SYS) -> list[str]:
    """Give the event files of a scanner that types; it may have several.

    Raises:
        ReaderLostError: if there is none, or if two devices answer to the name.
    """
    files = [(device, file) for device, said, file in _event_files(sys) if name.is_of(said)]
    _the_one(files, name)
    return [file for _, file in files]


def _the_one(found: list[tuple[str, str]], name: UsbName) -> str:
    if not found:
        raise ReaderLostError(f"no device {name} is plugged in")
    if len({device for device, _ in found}) > 1:
        raise ReaderLostError(f"several devices are {name}; name this one by its path in port")
    return found[0][1]


def _serial_lines(sys: Path) -> Iterator[tuple[str, UsbName, str]]:
    """Give each serial line on USB: its device, what that says of itself, its file."""
    for entry in sorted((sys / "class" / "tty").glob("tty[A-Z]*")):
        place = (entry / "device").resolve()
        for parent in [place, *place.parents][:_PARENTS_MAX]:
            vendor = _text(parent / "idVendor")
            if vendor:
                said = UsbName(vendor, _text(parent / "idProduct"), _text(parent / "serial"))
                yield str(parent), said, f"/dev/{entry.name}"
                break


def _event_files(sys: Path) -> Iterator[tuple[str, UsbName, str]]:
    """Give each input device: which one it is, what it says of itself, its event file."""
    entries = (sys / "class" / "input").glob("event[0-9]*")
    for entry in sorted(entries, key=lambda path: int(path.name.removeprefix("event"))):
        device = entry / "device"
        said = UsbName(
            _text(device / "id" / "vendor"),
            _text(device / "id" / "product"),
            _text(device / "uniq"),
        )
        place = _text(device / "phys").partition("/input")[0] or entry.name
        yield place, said, f"/dev/input/{entry.name}"


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:  # it was unplugged meanwhile, or says nothing
        return ""
