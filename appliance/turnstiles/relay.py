"""The turnstile behind relays: one contact per direction opens it, one contact tells of passages.

Bound by `main`. The relay closes for a moment only; how long the arm stays free for one person is
the turnstile's own affair.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import gpiozero  # type: ignore[import-untyped]

from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.errors import TurnstileFaultError
from appliance.ports import Clock, LaneEvent
from appliance.turnstiles.contact import PassageContact
from appliance.turnstiles.pins import Pins
from appliance.turnstiles.pulse import PULSE_S, After, PulsedRelay, after_in_thread

PULSE_INTERVAL_NS: Final = 300_000_000  # a person is slower; a program gone wild is not
_EDGES_MAX: Final = 1024  # a storm on the line; what it pushes out is noise too
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RelayPin:
    """One relay.

    Attributes:
        pin: its GPIO number.
        active_high: whether a high pin switches it on. Boards that want a low one blink for
            microseconds when the pin is claimed; prefer the other kind.
    """

    pin: int
    active_high: bool = True


@dataclass(frozen=True, slots=True)
class SensorPin:
    """The contact that tells of a passage.

    Attributes:
        pin: its GPIO number.
        pull_up: whether the contact pulls the pin to ground; else it pulls it up.
        normally_closed: whether it opens for a passage, instead of closing.
    """

    pin: int
    pull_up: bool = True
    normally_closed: bool = False


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the turnstile is connected.

    Attributes:
        relays: for each direction that can be opened, its relay.
        sensor: the passage contact, or None where none is wired.
        pulse_s: seconds that a relay closes.

    Raises:
        ValueError: if there is no relay, or a pin is used twice.
    """

    relays: Mapping[Direction, RelayPin]
    sensor: SensorPin | None = None
    pulse_s: float = PULSE_S

    def __post_init__(self) -> None:
        if not self.relays:
            raise ValueError("a turnstile needs a relay for at least one direction")
        used = [relay.pin for relay in self.relays.values()]
        used += [self.sensor.pin] if self.sensor else []
        if len(set(used)) < len(used):
            raise ValueError(f"each pin can be used once, got {used}")


class RelayTurnstile:
    """The port `Turnstile` over open pins; made by `open_relay_turnstile`.

    Args:
        relays: for each direction that can be opened, its relay.
        sensor: gpiozero's input device of the passage contact, or None.
        normally_closed: whether that contact opens for a passage.
        clock: counts the intervals and stamps the edges.
    """

    def __init__(
        self,
        relays: Mapping[Direction, PulsedRelay],
        sensor: Any,
        normally_closed: bool,
        clock: Clock,
    ) -> None:
        self._relays = relays
        self._sensor = sensor
        self._normally_closed = normally_closed
        self._clock = clock
        self._free_at_ns = clock.monotonic_ns()
        self._edges: deque[tuple[bool, int]] = deque(maxlen=_EDGES_MAX)
        self._stirred = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if sensor is not None:
            sensor.when_activated = self._on_activated
            sensor.when_deactivated = self._on_deactivated
            self._contact = PassageContact(self._is_active(bool(sensor.is_active)))

    @property
    def has_sensor(self) -> bool:
        """Whether a passage contact is wired."""
        return self._sensor is not None

    async def release(self, direction: Direction) -> None:
        """Start one relay pulse; does nothing while one of the same relay is running.

        Waits a moment, at most 0.3 s, where pulses would follow each other too fast.

        Raises:
            TurnstileFaultError: if there is no relay for this direction, or it cannot be switched.

        Cancel: while it waits, no pulse is started.
        """
        relay = self._relays.get(direction)
        if relay is None:
            raise TurnstileFaultError(f"no relay is wired for the direction {direction}")
        if relay.is_on:
            return
        while (wait_ns := self._free_at_ns - self._clock.monotonic_ns()) > 0:
            await self._clock.sleep(wait_ns / _NS_PER_S)
        self._free_at_ns = self._clock.monotonic_ns() + PULSE_INTERVAL_NS
        relay.pulse()

    def close(self) -> None:
        """Do nothing: the turnstile itself closes behind each person."""

    async def hold(self, is_open: bool) -> None:
        """Do nothing: no output of it can hold the arm."""

    async def events(self) -> AsyncIterator[LaneEvent]:
        """Yield each passage once its contact has settled; for one consumer."""
        while True:
            if await self._next_settled():
                yield LaneEvent.PASSED

    def rest(self) -> None:
        """Switch every relay off, now.

        Raises:
            TurnstileFaultError: if one of them cannot be switched off; all were tried.
        """
        with ExitStack() as stack:
            for relay in self._relays.values():
                stack.callback(relay.rest)

    async def _next_settled(self) -> bool:
        """Wait for an edge or for a level to settle; tell whether that was a passage."""
        if self._sensor is None:
            await asyncio.Event().wait()
        settles_at_ns = self._contact.settles_at_ns
        if self._edges:
            pass
        elif settles_at_ns is None:
            await self._stirred.wait()
        else:
            left_s = (settles_at_ns - self._clock.monotonic_ns()) / _NS_PER_S
            await wait_set(self._stirred, self._clock, max(0.0, left_s))
        self._stirred.clear()
        if self._edges:
            return self._contact.edge(*self._edges.popleft())
        return self._contact.tick(self._clock.monotonic_ns())

    def _is_active(self, pin_is_active: bool) -> bool:
        return pin_is_active != self._normally_closed

    def _on_activated(self) -> None:  # this and the next run in the pin library's thread
        self._on_edge(True)

    def _on_deactivated(self) -> None:
        self._on_edge(False)

    def _on_edge(self, pin_is_active: bool) -> None:
        self._edges.append((self._is_active(pin_is_active), self._clock.monotonic_ns()))
        self._loop.call_soon_threadsafe(self._stirred.set)


@contextmanager
def open_relay_turnstile(
    wiring: Wiring, pins: Pins, clock: Clock, after: After = after_in_thread
) -> Iterator[RelayTurnstile]:
    """Claim the pins, every relay at rest, for as long as the context lasts; from a running loop.

    Args:
        wiring: how the turnstile is connected.
        pins: the open pin library.
        clock: counts the intervals and stamps the edges.
        after: makes the call that ends a pulse.

    Raises:
        TurnstileFaultError: if the pins cannot be claimed.
    """
    with ExitStack() as stack:
        try:
            relays = {
                direction: PulsedRelay(
                    _output(relay, pins, stack), wiring.pulse_s, pins.errors, after
                )
                for direction, relay in wiring.relays.items()
            }
            sensor = _input(wiring.sensor, pins, stack) if wiring.sensor else None
        except pins.errors as exc:
            raise TurnstileFaultError(f"a pin cannot be claimed: {exc}") from exc
        normally_closed = wiring.sensor is not None and wiring.sensor.normally_closed
        turnstile = RelayTurnstile(relays, sensor, normally_closed, clock)
        stack.callback(turnstile.rest)
        yield turnstile


def _output(relay: RelayPin, pins: Pins, stack: ExitStack) -> Any:
    return stack.enter_context(
        gpiozero.OutputDevice(
            relay.pin, active_high=relay.active_high, initial_value=False, pin_factory=pins.factory
        )
    )


def _input(sensor: SensorPin, pins: Pins, stack: ExitStack) -> Any:
    return stack.enter_context(
        gpiozero.DigitalInputDevice(sensor.pin, pull_up=sensor.pull_up, pin_factory=pins.factory)
    )
