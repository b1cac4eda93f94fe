"""A keyboard as a scanner is one: which keys it presses for a text, and a device that tells so.

The device stands in for python-evdev's `InputDevice` where there is no kernel to type through: the
same calls, the same errors, a descriptor that wakes whoever waits.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from appliance.readers.keyboard import EV_KEY, EV_SYN
from appliance.readers.keyboard_layouts import ALT_GR, ENTER, LAYOUTS, SPACE, Layout, compose

SHIFT = 42
_LEFT_OUT = frozenset({98, 55, 74, 78, 83})  # the key-pad's signs, which its digits go with


class Event(NamedTuple):
    """One event, as the kernel numbers it."""

    type: int
    code: int
    value: int


def pressed(key: int, *held: int) -> list[Event]:
    """A key pressed and let go, with others held meanwhile, each told with its SYN_REPORT."""
    order = [(one, 1) for one in held] + [(key, 1), (key, 0)]
    order += [(one, 0) for one in reversed(held)]
    return [event for one, value in order for event in (Event(EV_KEY, one, value), SYN)]


SYN = Event(EV_SYN, 0, 0)


def presses_for(layout: Layout) -> dict[str, list[Event]]:
    """What a scanner presses for each sign of a layout, accents and accented letters included."""
    plain: dict[str, list[Event]] = {}
    accents: dict[str, list[Event]] = {}
    for (key, shift, alt_gr), sign in layout.typed.items():
        if key in _LEFT_OUT or (key > 70 and key != 86):
            continue
        held = [SHIFT] * shift + [ALT_GR] * alt_gr
        if (key, shift, alt_gr) in layout.dead:
            accents[sign] = pressed(key, *held)
        else:
            plain.setdefault(sign, pressed(key, *held))
    made = dict(plain)
    for accent, presses in accents.items():
        made.setdefault(accent, presses + pressed(SPACE))
        for letter, then in plain.items():
            both = compose(accent, letter)
            if len(both) == 1 and letter != " ":
                made.setdefault(both, presses + then)
    return made


PRESSES = {name: presses_for(layout) for name, layout in LAYOUTS.items()}


def typed_as(text: str, layout: str = "us", end: int | None = ENTER) -> list[Event]:
    """What a scanner of this layout presses for a text, and then for its end."""
    events = [event for sign in text for event in PRESSES[layout][sign]]
    return events + (pressed(end) if end is not None else [])


class FakeDevice:
    """One event device, plugged in."""

    def __init__(self, bus: "FakeBus", path: str) -> None:
        self._bus, self._path = bus, path
        self.fd, self._bell = os.pipe2(os.O_NONBLOCK)
        self._events: list[Event] = []
        self.is_gone = False
        self.is_grabbed = False

    def type(self, events: Iterable[Event]) -> None:
        """Somebody holds a code before the scanner."""
        self._events += events
        os.write(self._bell, b"!")

    def go(self) -> None:
        """Somebody pulls the plug."""
        self.is_gone = True
        os.close(self._bell)

    def capabilities(self) -> dict[int, list[int]]:
        return {EV_SYN: [0], EV_KEY: self._bus.keys}

    def grab(self) -> None:
        if self._path in self._bus.grabbed_by_others or self.is_grabbed:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.is_grabbed = True

    def read(self) -> Iterator[Event]:
        if self.is_gone:
            raise OSError(errno.ENODEV, "No such device")
        with suppress(BlockingIOError):
            os.read(self.fd, 4096)
        if not self._events:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        events, self._events = self._events, []
        return iter(events)

    def close(self) -> None:
        os.close(self.fd)
        if not self.is_gone:
            os.close(self._bell)
        self._bus.closed(self)


class FakeBus:
    """Where event devices are plugged in, under paths; `open` stands in for `InputDevice`."""

    def __init__(self, *paths: str) -> None:
        self.plugged = set(paths)
        self.grabbed_by_others: set[str] = set()
        self.keys = list(range(1, 120))
        self.open_devices: list[FakeDevice] = []

    def open(self, path: str) -> FakeDevice:
        if path not in self.plugged:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        device = FakeDevice(self, path)
        self.open_devices.append(device)
        return device

    def type(self, events: Iterable[Event]) -> None:
        """Somebody holds a code before the one scanner that is open."""
        (device,) = self.open_devices
        device.type(events)

    def unplug(self, path: str) -> None:
        self.plugged.remove(path)
        for device in self.open_devices:
            device.go()

    def closed(self, device: FakeDevice) -> None:
        self.open_devices.remove(device)
