"""A CP2112, the USB bridge with eight pins, spoken by a process through /dev/uhid.

The kernel's stock driver `hid-cp2112` takes it for the chip and makes a real /dev/gpiochip of it,
which lgpio and gpiozero then use as they use a board's. Run it in a process of its own: lgpio holds
Python's lock while it is in the kernel, and the kernel waits for this process.
"""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LINES: Final = 8
_CREATE, _SET_REPORT, _SET_REPORT_REPLY = 11, 13, 14  # of linux/uhid.h, as are the layouts below
_GET_REPORT, _GET_REPORT_REPLY = 9, 10
_EVENT_BYTES: Final = 8192
_DATA_BYTES: Final = 4096
_USB: Final = 3
_SILABS, _CP2112 = 0x10C4, 0xEA90
_EIO: Final = 5
# The chip's reports: their numbers, how many bytes, and whether of feature, output or input.
_FEATURE, _OUTPUT, _INPUT = 0xB1, 0x91, 0x81
_REPORTS: Final = (
    *((0x02, 4, _FEATURE), (0x03, 1, _FEATURE), (0x04, 2, _FEATURE), (0x05, 2, _FEATURE)),
    *((0x06, 13, _FEATURE), (0x10, 3, _OUTPUT), (0x11, 20, _OUTPUT), (0x12, 2, _OUTPUT)),
    *((0x13, 63, _INPUT), (0x14, 63, _OUTPUT), (0x15, 1, _OUTPUT), (0x16, 6, _INPUT)),
    *((0x17, 1, _OUTPUT), (0x20, 1, _FEATURE), (0x21, 9, _FEATURE)),
)
_PIN_SETUP, _PIN_LEVELS, _PIN_SET, _VERSION, _BUS_SETUP = 2, 3, 4, 5, 6
_LOCKS, _USB_SETUP = 0x20, 0x21


@dataclass(frozen=True, slots=True)
class Pin:
    """What the machine makes of a pin.

    Attributes:
        is_output: whether the machine drives it.
        level: as it is to be seen at the pin.
    """

    is_output: bool
    level: bool


class Cp2112:
    """The chip, from the moment it is plugged in until this process ends.

    Args:
        on_change: called with each pin whose direction or level the machine changed.
    """

    def __init__(self, on_change: Callable[[int, Pin], None]) -> None:
        self._on_change = on_change
        self._outputs = 0  # a bit for each pin that the machine drives
        self._driven = 0  # and how
        self._outside = 0xFF  # what the wires do; a pin without one is pulled up
        self._fd = os.open("/dev/uhid", os.O_RDWR)
        os.write(self._fd, _plug_event())

    def pin(self, number: int) -> Pin:
        """Tell how a pin stands."""
        level = self._driven if self._outputs >> number & 1 else self._outside
        return Pin(bool(self._outputs >> number & 1), bool(level >> number & 1))

    def pull(self, number: int, level: bool) -> None:
        """Have the wire at a pin pull it up or down."""
        self._outside = _with_bit(self._outside, number, level)

    def fileno(self) -> int:
        """Give what becomes readable when the machine wants something."""
        return self._fd

    def serve(self) -> None:
        """Do the next thing that the machine wants; waits for it."""
        event = os.read(self._fd, _EVENT_BYTES)
        (kind,) = struct.unpack_from("<I", event)
        if kind == _GET_REPORT:
            request, report = struct.unpack_from("<IB", event, 4)
            self._answer(request, self._report(report))
        elif kind == _SET_REPORT:
            request, report, _, size = struct.unpack_from("<IBBH", event, 4)
            before = [self.pin(number) for number in range(LINES)]
            self._take(report, event[12 : 12 + size])
            os.write(self._fd, struct.pack("<IIH", _SET_REPORT_REPLY, request, 0))
            for number, was in enumerate(before):
                if self.pin(number) != was:
                    self._on_change(number, self.pin(number))

    def _report(self, number: int) -> bytes:
        levels = sum(self.pin(line).level << line for line in range(LINES))
        known = {
            _PIN_SETUP: bytes([self._outputs, 0xFF, 0, 0]),
            _PIN_LEVELS: bytes([levels]),
            _VERSION: bytes([0x0C, 2]),
            _BUS_SETUP: bytes(13),
            _LOCKS: bytes([0xFF]),
            _USB_SETUP: bytes(9),
        }
        return bytes([number]) + known[number] if number in known else b""

    def _answer(self, request: int, data: bytes) -> None:
        head = struct.pack("<IIHH", _GET_REPORT_REPLY, request, 0 if data else _EIO, len(data))
        os.write(self._fd, head + data.ljust(_DATA_BYTES, b"\0"))

    def _take(self, report: int, data: bytes) -> None:
        if report == _PIN_SETUP:
            self._outputs = data[1]
        elif report == _PIN_SET:
            levels, mask = data[1], data[2]
            self._driven = self._driven & ~mask | levels & mask


def _with_bit(bits: int, number: int, is_set: bool) -> int:
    return bits & ~(1 << number) | is_set << number


def _plug_event() -> bytes:
    descriptor = bytes.fromhex("0600ff0901a101150026ff007508")
    for number, size, kind in _REPORTS:
        descriptor += bytes([0x85, number, 0x95, size, 0x09, 0x01, kind, 0x02])
    descriptor += b"\xc0"
    names = struct.pack("<128s64s64s", b"CP2112", b"emulated", b"1")
    ids = struct.pack("<HHIIII", len(descriptor), _USB, _SILABS, _CP2112, 0x100, 0)
    return struct.pack("<I", _CREATE) + names + ids + descriptor.ljust(_DATA_BYTES, b"\0")
