"""Contacts on pins, and what each of them means: passages, the alarm's loop, the staff's switches.

Used by the relay turnstile for its sensors, and bound by `main` for what hangs beside any arm.
Edges are taken with their times in the pin library's thread, and settled here.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import gpiozero  # type: ignore[import-untyped]

from appliance.alarm import wait_set
from appliance.errors import TurnstileFaultError
from appliance.ports import Clock, LaneEvent
from appliance.turnstiles.contact import STABLE_NS, SettledContact
from appliance.turnstiles.pins import Pins

LOOP_STABLE_NS: Final = 100_000_000  # a relay of the alarm panel that chatters is one alarm
HAND_STABLE_NS: Final = 50_000_000  # buttons and key switches
_EDGES_MAX: Final = 256  # a storm on the line; what it pushes out is older, and noise of the same
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class InputPin:
    """One contact and what it means.

    Attributes:
        pin: its GPIO number.
        begun: what its becoming active means, or None.
        over: likewise its coming to rest.
        pull_up: whether the contact pulls the pin to ground; else it pulls it up.
        normally_closed: whether it is closed at rest, and opens to be active.
        stable_ns: how long a level stays before it counts.
        tells_at_start: whether one that is active from the start says so; a switch, not a button.
        stuck_ns: active for so long it is a fault; None is never.
    """

    pin: int
    begun: LaneEvent | None
    over: LaneEvent | None = None
    pull_up: bool = True
    normally_closed: bool = False
    stable_ns: int = STABLE_NS
    tells_at_start: bool = False
    stuck_ns: int | None = None


def fire_loop(pin: int) -> InputPin:
    """Describe the alarm's loop, from the pin to ground: whatever opens it is an alarm."""
    return InputPin(
        pin,
        LaneEvent.FIRE,
        LaneEvent.FIRE_OVER,
        normally_closed=True,
        stable_ns=LOOP_STABLE_NS,
        tells_at_start=True,
    )


def button(pin: int, event: LaneEvent) -> InputPin:
    """Describe a staff button, closed to ground while it is pressed."""
    return InputPin(pin, event, stable_ns=HAND_STABLE_NS)


def switch(pin: int, begun: LaneEvent, over: LaneEvent) -> InputPin:
    """Describe a staff switch, closed to ground while it is on."""
    return InputPin(pin, begun, over, stable_ns=HAND_STABLE_NS, tells_at_start=True)


class _Line:
    """One contact: its edges come in another thread, what they mean goes out here."""

    def __init__(self, spec: InputPin, device: Any, inputs: "Inputs", now_ns: int) -> None:
        self.spec = spec
        self._device = device
        self._inputs = inputs
        self.contact = SettledContact(self._is_active(bool(device.is_active)), spec.stable_ns)
        self._active_since_ns = now_ns
        self.is_stuck = False
        self.edges: deque[tuple[int, bool]] = deque(maxlen=_EDGES_MAX)
        self._is_untold = spec.tells_at_start and self.contact.is_active
        device.when_activated = self._on_activated
        device.when_deactivated = self._on_deactivated

    @property
    def due_ns(self) -> int | None:
        """When it may have something to say without an edge."""
        times = [self.contact.settles_at_ns, self._stuck_at_ns, 0 if self._is_untold else None]
        return min((time for time in times if time is not None), default=None)

    @property
    def _stuck_at_ns(self) -> int | None:
        if self.spec.stuck_ns is None or self.is_stuck or not self.contact.is_active:
            return None
        return self._active_since_ns + self.spec.stuck_ns

    def edge(self, is_active: bool, at_ns: int) -> LaneEvent | None:
        """Take in an edge."""
        return self._said(self.contact.edge(is_active, at_ns), at_ns)

    def tick(self, now_ns: int) -> LaneEvent | None:
        """Take in the time."""
        if self._is_untold:
            self._is_untold = False
            return self.spec.begun
        return self._said(self.contact.tick(now_ns), now_ns)

    def look_stuck(self, now_ns: int) -> None:
        """Note whether it has been active for too long, or is no more."""
        stuck_at_ns = self._stuck_at_ns
        if not self.contact.is_active:
            self.is_stuck = False
        elif stuck_at_ns is not None and now_ns >= stuck_at_ns:
            self.is_stuck = True

    def _said(self, settled: bool | None, at_ns: int) -> LaneEvent | None:
        if settled is None:
            return None
        if settled:
            self._active_since_ns = at_ns
        return self.spec.begun if settled else self.spec.over

    def _is_active(self, pin_is_active: bool) -> bool:
        return pin_is_active != self.spec.normally_closed

    def _on_activated(self) -> None:  # this and the next run in the pin library's thread
        self._inputs.on_edge(self, self._is_active(True))

    def _on_deactivated(self) -> None:
        self._inputs.on_edge(self, self._is_active(False))


class Inputs:
    """The port `LaneInputs` over open pins; made by `open_inputs`, in a running loop.

    Args:
        devices: gpiozero's input device of each contact.
        clock: stamps the edges.
    """

    def __init__(self, devices: Sequence[tuple[InputPin, Any]], clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._stirred = asyncio.Event()
        self._said: deque[LaneEvent] = deque()
        self._is_stuck = False
        now_ns = clock.monotonic_ns()
        self._lines = [_Line(spec, device, self, now_ns) for spec, device in devices]

    def on_edge(self, line: _Line, is_active: bool) -> None:
        """Take in an edge, in the pin library's thread."""
        line.edges.append((self._clock.monotonic_ns(), is_active))
        self._loop.call_soon_threadsafe(self._stirred.set)

    async def events(self) -> AsyncIterator[LaneEvent]:
        """Yield what the contacts mean once they have settled; for one consumer."""
        while True:
            while self._said:
                yield self._said.popleft()
            await self._wait()
            self._take_in()

    async def _wait(self) -> None:
        due_ns = min((ns for line in self._lines if (ns := line.due_ns) is not None), default=None)
        if any(line.edges for line in self._lines):
            return
        if due_ns is None:
            await self._stirred.wait()
            return
        left_s = (due_ns - self._clock.monotonic_ns()) / _NS_PER_S
        if left_s > 0:
            await wait_set(self._stirred, self._clock, left_s)

    def _take_in(self) -> None:
        self._stirred.clear()
        waiting = [
            (*line.edges.popleft(), line) for line in self._lines for _ in range(len(line.edges))
        ]
        for at_ns, is_active, line in sorted(waiting, key=lambda edge: edge[0]):
            self._note(line.edge(is_active, at_ns))
        now_ns = self._clock.monotonic_ns()
        for line in self._lines:
            self._note(line.tick(now_ns))
            line.look_stuck(now_ns)
        is_stuck = any(line.is_stuck for line in self._lines)
        if is_stuck is not self._is_stuck:
            self._is_stuck = is_stuck
            self._note(LaneEvent.SENSOR_STUCK if is_stuck else LaneEvent.SENSOR_FREE)

    def _note(self, event: LaneEvent | None) -> None:
        if event is not None:
            self._said.append(event)


@contextmanager
def open_inputs(specs: Sequence[InputPin], pins: Pins, clock: Clock) -> Iterator[Inputs]:
    """Claim the pins of contacts for as long as the context lasts; from a running loop.

    Raises:
        TurnstileFaultError: if a pin cannot be claimed.
    """
    with ExitStack() as stack:
        try:
            devices = [(spec, _input(spec, pins, stack)) for spec in specs]
        except pins.errors as exc:
            raise TurnstileFaultError(f"a pin cannot be claimed: {exc}") from exc
        yield Inputs(devices, clock)


def _input(spec: InputPin, pins: Pins, stack: ExitStack) -> Any:
    return stack.enter_context(
        gpiozero.DigitalInputDevice(spec.pin, pull_up=spec.pull_up, pin_factory=pins.factory)
    )
