"""gpiozero's pins over libgpiod 2, for systems where lgpio has no package: Debian's own on a board.

Opened by `pins`. A pin is a line of one chip, claimed when it is first used: as an output at its
first level at once, so that a relay does not move. Lines are told apart by number alone, as a
Raspberry Pi counts its GPIOs; on another board they count from the chip's first line.
"""

import errno
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from types import MethodType
from typing import Any, Final
from weakref import WeakMethod, ref

import gpiod
import gpiozero  # type: ignore[import-untyped]
from gpiod.line import Bias, Direction, Edge, Value

from appliance.errors import TurnstileFaultError

log = logging.getLogger(__name__)

CONSUMER: Final = "portillon"
# What kernels call the chip behind a Raspberry Pi's header; further chips are the board's own.
HEADERS: Final = frozenset({"pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"})
_HEADER_LINES: Final = 28  # GPIO 0 to 27; beyond are the card's, the radio's, the board's own lines
_EVENTS_MAX: Final = 64  # that the kernel holds of a bouncing contact; of more it drops the oldest
_JOIN_S_MAX: Final = 5.0
_DIRECTIONS: Final = {"input": Direction.INPUT, "output": Direction.OUTPUT}
_BIASES: Final = {"floating": Bias.DISABLED, "up": Bias.PULL_UP, "down": Bias.PULL_DOWN}
_EDGES: Final = {"both": Edge.BOTH, "rising": Edge.RISING, "falling": Edge.FALLING}
_NS: Final = 1_000_000_000

Handler = Callable[[float, bool], None]  # when, in the factory's ticks, and the level then


def header_chip(folder: Path = Path("/dev")) -> Path:
    """Find the chip whose lines stand on the board's header.

    Raises:
        TurnstileFaultError: if there is none, or it cannot be told among several.
        OSError: if a chip cannot be opened.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("gpiochip*")):
        if gpiod.is_gpiochip_device(str(path)):
            with gpiod.Chip(str(path)) as chip:
                found.setdefault(chip.get_info().label, path)
    for label, path in found.items():
        if label in HEADERS:
            return path
    if not found:
        raise TurnstileFaultError(
            "this machine has no chip with pins; load its kernel's driver, or use no pins"
        )
    if len(found) > 1:
        raise TurnstileFaultError(
            f"this machine has several chips with pins, none a Raspberry Pi's: {', '.join(found)};"
            " unplug all but one"
        )
    (path,) = found.values()
    return path


class GpiodFactory(gpiozero.Factory):  # type: ignore[misc]
    """gpiozero's pin factory over one chip.

    Args:
        chip: open; closed with the factory.
    """

    def __init__(self, chip: gpiod.Chip) -> None:
        super().__init__()
        self.chip = chip
        self.watcher = _Watcher()
        info = chip.get_info()
        is_header = info.label in HEADERS
        self._lines = min(_HEADER_LINES, info.num_lines) if is_header else info.num_lines
        self._pins: dict[int, GpiodPin] = {}

    def pin(self, name: int | str) -> "GpiodPin":
        """Give the pin of a number, the same object each time.

        Raises:
            gpiozero.PinInvalidPin: if the chip has no such line.
        """
        number = self._number(name)
        if number not in self._pins:
            self._pins[number] = GpiodPin(self, number)
        return self._pins[number]

    def reserve_pins(self, requester: Any, *names: int | str) -> None:
        """Keep pins for a device; each belongs to one alone.

        Raises:
            gpiozero.GPIOPinInUse: if another device has one of them.
        """
        with self._res_lock:
            for number in map(self._number, names):
                holders = [held() for held in self._reservations[number]]
                for holder in holders:
                    if holder is not None and requester._conflicts_with(holder):  # noqa: SLF001
                        raise gpiozero.GPIOPinInUse(f"GPIO{number} is already used by {holder!r}")
                self._reservations[number].append(ref(requester))

    def release_pins(self, reserver: Any, *names: int | str) -> None:
        """Give pins back that a device kept."""
        with self._res_lock:
            for number in map(self._number, names):
                kept = [r for r in self._reservations[number] if r() not in (reserver, None)]
                self._reservations[number] = kept

    def release_all(self, reserver: Any) -> None:
        """Give every pin back that a device kept."""
        self.release_pins(reserver, *list(self._reservations))

    def close(self) -> None:
        """Let go of every pin, each as an input, and of the chip."""
        try:
            for pin in self._pins.values():
                pin.close()
        finally:
            self._pins.clear()
            self.watcher.close()
            self.chip.close()

    def ticks(self) -> float:
        """Seconds on the clock that edges are stamped with."""
        return time.monotonic()

    def ticks_diff(self, later: float, earlier: float) -> float:
        """Seconds between two ticks."""
        return later - earlier

    def _number(self, name: int | str) -> int:
        text = str(name).upper().removeprefix("GPIO").removeprefix("BCM")
        if not text.isdecimal() or int(text) >= self._lines:
            raise gpiozero.PinInvalidPin(
                f"{name!r} is no pin of {self.chip.get_info().label}: it has 0 to {self._lines - 1}"
            )
        return int(text)


class GpiodPin(gpiozero.Pin):  # type: ignore[misc]
    """One line of the chip. Used from several threads, one at a time."""

    def __init__(self, factory: GpiodFactory, number: int) -> None:
        super().__init__()
        self._factory = factory
        self._number = number
        self._lock = threading.RLock()
        self._request: gpiod.LineRequest | None = None
        self._at_rest()

    def __repr__(self) -> str:
        return f"GPIO{self._number}"

    def output_with_state(self, state: bool) -> None:
        """Drive the line, at this level from the first moment on."""
        with self._lock:
            self._direction, self._level, self._pull_to = "output", bool(state), "floating"
            self._apply()

    def input_with_pull(self, pull: str) -> None:
        """Read the line, pulled this way from the first moment on."""
        with self._lock:
            self._direction, self._pull_to = "input", _known(_BIASES, pull, gpiozero.PinInvalidPull)
            self._apply()

    def close(self) -> None:
        """Let go of the line: an input that nothing pulls, as it was before it was used."""
        with self._lock:
            request, self._request = self._request, None
            if request is None:
                return
            if self._is_watching:
                self._factory.watcher.forget(request.fd)
            self._at_rest()
            try:
                request.reconfigure_lines(self._wanted())
            finally:
                request.release()

    def take_events(self) -> None:
        """Hand on the edges that the kernel has noted; called by the watcher's thread."""
        with self._lock:
            handler = self._handler()
            if self._request is None or not self._request.wait_edge_events(0):
                return
            events = self._request.read_edge_events(_EVENTS_MAX)
        if handler is not None:
            for event in events:
                is_high = event.event_type is event.Type.RISING_EDGE
                handler(event.timestamp_ns / _NS, is_high)

    def _at_rest(self) -> None:
        self._direction, self._level, self._pull_to = "input", False, "floating"
        self._bounce_s: float | None = None
        self._edges_of = "both"
        self._is_watching = False
        self._handler: Callable[[], Handler | None] = lambda: None

    def _settings(self) -> gpiod.LineSettings:
        is_input = self._direction == "input"
        watched = is_input and self._is_watching
        return gpiod.LineSettings(
            direction=_DIRECTIONS[self._direction],
            output_value=Value.ACTIVE if self._level else Value.INACTIVE,
            bias=_BIASES[self._pull_to] if is_input else Bias.AS_IS,
            edge_detection=_EDGES[self._edges_of] if watched else Edge.NONE,
            debounce_period=timedelta(seconds=(self._bounce_s or 0) if is_input else 0),
        )

    def _wanted(self) -> dict[Iterable[int | str] | int | str, gpiod.LineSettings | None]:
        return {self._number: self._settings()}

    def _apply(self) -> gpiod.LineRequest:
        """Claim the line as it is to be, or change it to that."""
        if self._request is not None:
            self._request.reconfigure_lines(self._wanted())
            return self._request
        try:
            self._request = self._factory.chip.request_lines(
                self._wanted(), consumer=CONSUMER, event_buffer_size=_EVENTS_MAX
            )
        except OSError as exc:
            if exc.errno != errno.EBUSY:
                raise
            holder = self._factory.chip.get_line_info(self._number).consumer
            raise gpiozero.GPIOPinInUse(
                f"GPIO busy: {self!r} is held by {holder!r}; end that program"
            ) from exc
        return self._request

    # --- what gpiozero asks of a pin, by these names --------------------------------------------

    def _get_info(self) -> gpiozero.PinInfo:
        name = f"GPIO{self._number}"
        names = frozenset({name, self._number, str(self._number)})
        return gpiozero.PinInfo(self._number, name, names, "", 0, 0, frozenset({"gpio"}))

    def _get_function(self) -> str:
        return self._direction

    def _set_function(self, value: str) -> None:
        with self._lock:
            self._direction = _known(_DIRECTIONS, value, gpiozero.PinInvalidFunction)
            self._pull_to = "floating"
            self._apply()

    def _get_state(self) -> int:
        with self._lock:
            request = self._request or self._apply()
            return int(bool(request.get_value(self._number)))

    def _set_state(self, value: float) -> None:
        if value not in (0, 1):
            raise gpiozero.PinInvalidState(f"{self!r} is on or off, never {value}: it dims nothing")
        with self._lock:
            if self._direction != "output":
                raise gpiozero.PinSetInput(f"cannot set the state of {self!r}: it is an input")
            self._level = bool(value)
            request = self._request or self._apply()
            request.set_value(self._number, Value.ACTIVE if value else Value.INACTIVE)

    def _get_pull(self) -> str:
        return self._pull_to

    def _set_pull(self, value: str) -> None:
        if self._direction != "input":
            raise gpiozero.PinFixedPull(f"cannot pull {self!r}: it is an output")
        self.input_with_pull(value)

    def _get_bounce(self) -> float | None:
        return self._bounce_s

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise gpiozero.PinInvalidBounce(f"bounce must be 0 or more, got {value}")
        with self._lock:
            self._bounce_s = value
            self._apply()

    def _get_edges(self) -> str:
        return self._edges_of

    def _set_edges(self, value: str) -> None:
        with self._lock:
            self._edges_of = _known(_EDGES, value, gpiozero.PinInvalidEdges)
            self._apply()

    def _get_when_changed(self) -> Handler | None:
        return self._handler()

    def _set_when_changed(self, value: Handler | None) -> None:
        with self._lock:
            if value is None:
                self._stop_watching()
                return
            # as gpiozero's own pins: a device that nobody holds any more is not kept by its pin
            self._handler = WeakMethod(value) if isinstance(value, MethodType) else lambda: value
            if not self._is_watching:
                self._is_watching = True
                self._factory.watcher.watch(self._apply().fd, self)

    def _stop_watching(self) -> None:
        self._handler = lambda: None
        if self._is_watching and self._request is not None:
            self._is_watching = False
            self._factory.watcher.forget(self._request.fd)
            self._apply()


class _Watcher:
    """The thread that waits for edges of all lines; runs from the first that is watched."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None

    def watch(self, descriptor: int, pin: GpiodPin) -> None:
        """Hand a line's edges on from now on."""
        self._selector.register(descriptor, selectors.EVENT_READ, pin)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="pins", daemon=True)
            self._thread.start()

    def forget(self, descriptor: int) -> None:
        """Hand on nothing of a line any more."""
        if descriptor in self._selector.get_map():  # else it was lost meanwhile
            self._selector.unregister(descriptor)

    def close(self) -> None:
        """End the thread."""
        os.write(self._wake_write, b"\0")
        if self._thread is not None:
            self._thread.join(_JOIN_S_MAX)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                try:
                    key.data.take_events()
                except OSError as exc:  # the chip is gone: whoever drives or reads a line is told
                    log.warning("pin lost", extra={"pin": repr(key.data), "reason": str(exc)})
                    self._selector.unregister(key.fd)


def _known(table: dict[str, Any], value: str, error: type[Exception]) -> str:
    if value not in table:
        raise error(f"{value!r} is none of {', '.join(table)}")
    return value
