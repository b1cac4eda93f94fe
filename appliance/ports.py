"""What the gate needs of the outside, as protocols. Drivers implement them; `main` binds them.

Knows no driver and no outside library. The same contract tests run on every implementation,
the simulator's and the hardware's alike (tests/contracts).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Protocol

from admission.scan import Direction
from admission.verdict import Answer


@dataclass(frozen=True, slots=True)
class Payload:
    """What a reader yields: the code's exact bytes, its own framing taken off.

    Attributes:
        reader: the reader's configured name.
        direction: the way this reader lets people go.
        data: the code's bytes, at most `limits.SCAN_PAYLOAD_BYTES_MAX`.
        symbology: the name of the code's kind (`QRCode`), or "" where the reader cannot tell.
        received_ns: `Clock.monotonic_ns` when its last byte or its frame arrived.
    """

    reader: str
    direction: Direction
    data: bytes
    symbology: str
    received_ns: int


class Clock(Protocol):
    """The only source of time. `main` binds the machine's, tests a virtual one."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        ...

    def boot_ms(self) -> int:
        """Milliseconds since the machine started, sleep included."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that never steps, for durations only."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling ends the wait at once."""
        ...


class Reader(Protocol):
    """Something that reads codes."""

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads as they are read, for as long as the device lives.

        A device that goes away is waited for and opened again by the driver itself; each change
        is reported through `alive`.

        Cancel: closes the device.
        """
        ...

    def is_alive(self) -> bool:
        """Tell whether the device is there and yields data or heartbeats."""
        ...


@unique
class LaneEvent(StrEnum):
    """What a turnstile's own sensors say."""

    PASSED = "passed"  # the arm turned once (rising edge of the passage contact, debounced)


class Turnstile(Protocol):
    """The arm."""

    @property
    def has_sensor(self) -> bool:
        """Whether passages are sensed; without it a grant counts as a passage at once."""
        ...

    async def release(self, direction: Direction) -> None:
        """Let one person through: start one bounded relay pulse and return.

        Never waits for the person. A pulse that is still running is not prolonged.

        Raises:
            TurnstileFaultError: if the relay cannot be driven.
        """
        ...

    def events(self) -> AsyncIterator[LaneEvent]:
        """Yield what the sensors say, debounced, until cancelled."""
        ...

    def rest(self) -> None:
        """Bring every output to rest, now, synchronously; called on every way out."""
        ...


@unique
class Look(StrEnum):
    """What kind of screen is shown; each has its picture, light and sound."""

    STARTING = "starting"
    WAITING_LIST = "waiting_list"
    IDLE = "idle"
    READING = "reading"
    GRANTED = "granted"
    DENIED = "denied"
    NOT_PASSED = "not_passed"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class Screen:
    """All that a display needs to know; a pure value, drawn by `displays.screens`.

    Attributes:
        look: which screen.
        direction: of the lane or of the scan.
        answer: for GRANTED and DENIED, the verdict's code.
        degraded: whether the gate works without the server; a banner on every look.
        title: the performance's or event's name, for IDLE; "" is none.
        detail: a second line for people: where to go instead, when first used; "" is none.
        fault: for OUT_OF_SERVICE, the code `GT-…`.
        occupancy: people inside the checkpoint now, or None if unknown.
    """

    look: Look
    direction: Direction = Direction.ENTRY
    answer: Answer | None = None
    degraded: bool = False
    title: str = ""
    detail: str = ""
    fault: str = ""
    occupancy: int | None = None


class Display(Protocol):
    """Where people read the answer."""

    async def show(self, screen: Screen) -> None:
        """Show a screen; returns when it is visible.

        Raises:
            DisplayLostError: if the device does not answer; the gate goes on without it.
        """
        ...


class Signals(Protocol):
    """Light and sound."""

    async def signal(self, screen: Screen) -> None:
        """Play the light and sound that belong to a screen; returns once they are started."""
        ...

    def rest(self) -> None:
        """Everything dark and silent, now, synchronously."""
        ...
