"""The HID reader: a scanner that types what it reads, through the kernel's event device.

Bound by `main`. Grabs the device, so that no ticket is typed into a console, wakes on its
descriptor without a thread, and opens again whatever was unplugged. What the keys mean is decided
by `keyboard`.
"""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.beat import Beat
from appliance.errors import ConfigError, ReaderLostError
from appliance.ports import Clock, Payload
from appliance.readers.keyboard import EV_KEY, Typed, Typing
from appliance.readers.keyboard_layouts import ENTER, LAYOUTS, ROW_DIGITS
from appliance.readers.new_scans import NewScans
from appliance.readers.presence import Presence
from appliance.readers.usb_names import UsbName, find_event_files

log = logging.getLogger(__name__)

REOPEN_S: Final = 0.5
_NS_PER_S: Final = 1_000_000_000
_KEYS_OF_A_SCANNER: Final = frozenset({ENTER, *ROW_DIGITS})
_REMEDIES: Final = {
    errno.EBUSY: "another program has grabbed it; end that program",
    errno.ENOENT: "it is not plugged in, or it has another name",
    errno.EACCES: "this user may not read it; add the user to the group input",
}


@dataclass(frozen=True, slots=True)
class HidKeyboard:
    """Which device, and how the scanner behind it is set up.

    Attributes:
        port: its event device; best one of `/dev/input/by-id/`, which ends in `-event-kbd`.
        usb: the scanner by what it says of itself, in place of `port`.
        layout: one of LAYOUTS: the keyboard that the scanner is set up to be.
        duplicates_s: seconds within which a scanner's repeating of a code is not a new scan.

    Raises:
        ValueError: if it is not said which device, or the layout is unknown.
    """

    port: str = ""
    usb: UsbName | None = None
    layout: str = "us"
    duplicates_s: float = 1.0

    def __post_init__(self) -> None:
        if bool(self.port) == (self.usb is not None):
            raise ValueError("a scanner is named by its port or by its USB name, by one of the two")
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, got {self.layout!r}")


class KeyEvent(Protocol):
    """What the kernel tells of one key; evdev's `InputEvent`."""

    type: int
    code: int
    value: int


class EventDevice(Protocol):
    """As much of evdev's `InputDevice` as is used here."""

    @property
    def fd(self) -> int:
        """Its descriptor, which does not block."""
        ...

    def capabilities(self) -> Any:
        """Give the keys it has, by kind of event."""
        ...

    def grab(self) -> None:
        """Have it for this program alone, or raise OSError."""
        ...

    def read(self) -> Iterable[KeyEvent]:
        """Give what came in, or raise OSError: BlockingIOError is nothing yet."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


OpensDevice = Callable[[str], EventDevice]


def evdev_devices() -> OpensDevice:
    """Give what opens the kernel's event devices.

    Raises:
        ConfigError: if python-evdev is not there.
    """
    try:
        from evdev import InputDevice
    except ImportError as exc:
        raise ConfigError(
            "a reader of kind hid needs python-evdev, which is not there; install it"
            " (apt install python3-evdev, in an environment that sees the system's packages)"
        ) from exc
    opens: OpensDevice = InputDevice  # without its package, as where types are checked, it is Any
    return opens


class HidReader:
    """The port `Reader` over a scanner that types.

    Args:
        name: the reader's configured name.
        direction: the way it lets people go.
        keyboard: which device, and how its scanner is set up.
        clock: counts silences and pauses.
        open_device: opens an event device; see `evdev_devices`.
    """

    def __init__(
        self,
        name: str,
        direction: Direction,
        keyboard: HidKeyboard,
        clock: Clock,
        open_device: OpensDevice,
    ) -> None:
        self._name = name
        self._keyboard = keyboard
        self._clock = clock
        self._open_device = open_device
        self._new = NewScans(name, direction, keyboard.duplicates_s)
        self._typing = Typing(LAYOUTS[keyboard.layout])
        self._presence = Presence(name)
        self._stirred = asyncio.Event()
        self.beat = Beat(self._stirred.set)
        self._events = 0
        self._is_strange = False

    @property
    def counts(self) -> dict[str, int]:
        """What came in so far, and what of it went wrong, for the status page."""
        return {"events": self._events, "aborted": self._typing.aborted, **self._new.counts}

    @property
    def trouble(self) -> str:
        """See `Reader.trouble`."""
        if self._presence.why:
            return self._presence.why
        if self._is_strange:
            layout = self._keyboard.layout
            return f"it types keys that layout {layout} has not; set layout as the scanner has it"
        return ""

    def is_alive(self) -> bool:
        """Tell whether the device is grabbed; a scanner that types nothing is no less alive."""
        return self._presence.is_here

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield each code as it is typed; waits for a device that is not there.

        Cancel: lets go of the device.
        """
        try:
            while True:
                self.beat.away()
                try:
                    with self._open() as device:
                        self._presence.here()
                        while True:
                            self.beat.round()
                            for payload in await self._next_scans(device):
                                yield payload
                except ReaderLostError as exc:
                    self._presence.lost(str(exc), REOPEN_S)
                self._typing.reset()  # the rest of a code that was cut off is never coming
                await self._clock.sleep(REOPEN_S)
        finally:
            self.beat.away()
            self._presence.closed()

    @contextmanager
    def _open(self) -> Iterator[EventDevice]:
        if self._keyboard.usb is None:
            paths = [self._keyboard.port]
        else:
            paths = find_event_files(self._keyboard.usb)
        for path in paths:
            with _opened(path, self._open_device) as device:
                if _is_keyboard(device):
                    _grab(device, path)
                    yield device
                    return
        raise ReaderLostError(f"{paths[0]} is no keyboard; name the one that ends in -event-kbd")

    async def _next_scans(self, device: EventDevice) -> list[Payload]:
        await self._wait(device.fd)
        aborted_before = self._typing.aborted
        typed = self._read(device)
        typed += self._typing.tick(self._clock.monotonic_ns())
        self._see_strange_keys(self._typing.aborted > aborted_before, bool(typed))
        scans = [self._new.take(code.data, "", code.received_ns) for code in typed]
        return [scan for scan in scans if scan is not None]

    def _see_strange_keys(self, has_aborted: bool, has_read: bool) -> None:
        """Note a code with keys that the layout has not, or one without; tell of the first."""
        if has_aborted and not self._is_strange:
            log.warning(
                "reader typed keys that its layout has not: probably another layout",
                extra={"reader": self._name, "layout": self._keyboard.layout},
            )
        if has_aborted or has_read:
            self._is_strange = has_aborted

    async def _wait(self, fd: int) -> None:
        """Wait for events, or for the silence that ends a code."""
        stirred, loop = self._stirred, asyncio.get_running_loop()
        stirred.clear()
        loop.add_reader(fd, stirred.set)
        try:
            silence_at_ns = self._typing.silence_at_ns
            if silence_at_ns is None:
                await stirred.wait()
            else:
                left_s = (silence_at_ns - self._clock.monotonic_ns()) / _NS_PER_S
                await wait_set(stirred, self._clock, max(0.0, left_s))
        finally:
            loop.remove_reader(fd)  # what nobody takes waits in the kernel, which bounds it

    def _read(self, device: EventDevice) -> list[Typed]:
        typed: list[Typed] = []
        with suppress(BlockingIOError):  # it was the silence that woke us
            try:
                for event in device.read():
                    self._events += 1
                    now_ns = self._clock.monotonic_ns()
                    typed += self._typing.feed(event.type, event.code, event.value, now_ns)
            except BlockingIOError:
                raise
            except OSError as exc:
                raise ReaderLostError(f"unplugged ({exc.strerror}); plug it in again") from exc
        return typed


@contextmanager
def _opened(path: str, open_device: OpensDevice) -> Iterator[EventDevice]:
    try:
        device = open_device(path)
    except OSError as exc:
        raise _lost(path, exc) from exc
    try:
        yield device
    finally:
        with suppress(OSError):  # of a device that is gone
            device.close()


def _grab(device: EventDevice, path: str) -> None:
    try:
        device.grab()
    except OSError as exc:
        raise _lost(path, exc) from exc


def _is_keyboard(device: EventDevice) -> bool:
    try:
        return set(device.capabilities().get(EV_KEY, ())) >= _KEYS_OF_A_SCANNER
    except OSError:
        return False


def _lost(path: str, exc: OSError) -> ReaderLostError:
    return ReaderLostError(f"{path}: {_REMEDIES.get(exc.errno or 0, exc.strerror or exc)}")
