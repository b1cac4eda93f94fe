"""The turnstile behind relays: one contact per direction opens it, its contacts tell of passages.

Bound by `main`. In drive `pulse` a relay closes for a moment only, and how long the arm stays free
for one person is the turnstile's own affair; in drive `level` the relay keeps it open until
somebody goes through, and never longer than a person is given.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

import gpiozero  # type: ignore[import-untyped]

from admission.scan import Direction
from appliance.errors import TurnstileFaultError
from appliance.ports import Clock, LaneEvent
from appliance.turnstiles.inputs import InputPin, Inputs, open_inputs
from appliance.turnstiles.pins import Pins
from appliance.turnstiles.pulse import PULSE_S, After, PulsedRelay, after_in_thread

PULSE_INTERVAL_NS: Final = 300_000_000  # a person is slower; a program gone wild is not
STUCK_S: Final = 20.0  # nobody stands in an arm for so long
_NS_PER_S: Final = 1_000_000_000


@unique
class Drive(StrEnum):
    """How long a relay opens."""

    PULSE = "pulse"  # for a moment; the turnstile does the rest
    LEVEL = "level"  # until somebody goes through


@unique
class Fail(StrEnum):
    """What the relay at rest does to the arm."""

    SECURE = "secure"  # locks it
    SAFE = "safe"  # frees it: it is locked by power


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
    """A contact that tells of passages.

    Attributes:
        pin: its GPIO number.
        pull_up: whether the contact pulls the pin to ground; else it pulls it up.
        normally_closed: whether it opens for a passage, instead of closing.
        way: which way it tells of; None for both.
    """

    pin: int
    pull_up: bool = True
    normally_closed: bool = False
    way: Direction | None = None

    def meaning(self, stuck_s: float) -> InputPin:
        """Give what it means, and when it is stuck."""
        events = {
            None: LaneEvent.PASSED,
            Direction.ENTRY: LaneEvent.PASSED_ENTRY,
            Direction.EXIT: LaneEvent.PASSED_EXIT,
        }
        return InputPin(
            self.pin,
            events[self.way],
            pull_up=self.pull_up,
            normally_closed=self.normally_closed,
            stuck_ns=round(stuck_s * _NS_PER_S),
        )


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the turnstile is connected.

    Attributes:
        relays: for each direction that can be opened, its relay.
        sensors: the passage contacts; () where none is wired.
        turning: the contact that is active while the arm is not home, or None.
        free: the relay that keeps the turnstile free for as long as it is on, or None.
        open_s: seconds that a relay opens: of a pulse, or at the most.
        drive: which of the two.
        fail: what the relays at rest do to the arm.
        stuck_s: a passage contact that is active for so long is stuck.

    Raises:
        ValueError: if there is no relay, or a pin is used twice.
    """

    relays: Mapping[Direction, RelayPin]
    sensors: tuple[SensorPin, ...] = ()
    turning: SensorPin | None = None
    free: RelayPin | None = None
    open_s: float = PULSE_S
    drive: Drive = Drive.PULSE
    fail: Fail = Fail.SECURE
    stuck_s: float = STUCK_S

    def __post_init__(self) -> None:
        if not self.relays:
            raise ValueError("a turnstile needs a relay for at least one direction")
        used = [relay.pin for relay in (*self.relays.values(), self.free) if relay]
        used += [sensor.pin for sensor in (*self.sensors, self.turning) if sensor]
        if len(set(used)) < len(used):
            raise ValueError(f"each pin can be used once, got {used}")
        if self.fail is Fail.SAFE and self.drive is Drive.PULSE:
            raise ValueError("an arm that is locked by power is opened by level, not by pulses")

    def contacts(self) -> list[InputPin]:
        """Give every contact with what it means."""
        contacts = [sensor.meaning(self.stuck_s) for sensor in self.sensors]
        if self.turning is not None:
            contacts.append(
                InputPin(
                    self.turning.pin,
                    LaneEvent.TURNING,
                    LaneEvent.TURNED_BACK,
                    pull_up=self.turning.pull_up,
                )
            )
        return contacts


class RelayTurnstile:
    """The port `Turnstile` over open pins; made by `open_relay_turnstile`.

    Args:
        relays: for each direction that can be opened, its relay.
        inputs: the contacts.
        clock: counts the intervals.
        has_sensor: whether one of the contacts tells of passages.
        drive: how long the relays open.
        fail: what they do at rest.
        free: the relay that keeps the turnstile free, or None.
    """

    def __init__(
        self,
        relays: Mapping[Direction, PulsedRelay],
        inputs: Inputs,
        clock: Clock,
        *,
        has_sensor: bool = False,
        drive: Drive = Drive.PULSE,
        fail: Fail = Fail.SECURE,
        free: PulsedRelay | None = None,
    ) -> None:
        self._relays = relays
        self._inputs = inputs
        self._clock = clock
        self._has_sensor = has_sensor
        self._drive = drive
        self._fail = fail
        self._free = free
        self._free_at_ns = clock.monotonic_ns()

    @property
    def has_sensor(self) -> bool:
        """Whether a passage contact is wired."""
        return self._has_sensor

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
        """In drive `level`, close now; a pulse is left to its own length."""
        if self._drive is Drive.LEVEL:
            for relay in self._relays.values():
                relay.close()

    async def hold(self, is_open: bool) -> None:
        """Keep the way free, or no longer: by level, or by the turnstile's own input for it.

        Raises:
            TurnstileFaultError: if a relay cannot be switched; all were tried.
        """
        relays = list(self._relays.values()) if self._drive is Drive.LEVEL else []
        relays += [self._free] if self._free is not None else []
        with ExitStack() as stack:
            for relay in relays:
                stack.callback(relay.hold, is_open)

    def events(self) -> AsyncIterator[LaneEvent]:
        """Yield what the contacts mean once they have settled; for one consumer."""
        return self._inputs.events()

    def lock(self) -> None:
        """Begin to serve: lock an arm that is free at rest.

        Raises:
            TurnstileFaultError: if a relay cannot be switched.
        """
        if self._fail is Fail.SAFE:
            for relay in self._relays.values():
                relay.lock()

    def rest(self) -> None:
        """Switch every relay off, now.

        Raises:
            TurnstileFaultError: if one of them cannot be switched off; all were tried.
        """
        with ExitStack() as stack:
            for relay in (*self._relays.values(), self._free):
                if relay is not None:
                    stack.callback(relay.rest)


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
                    _output(relay, pins, stack),
                    wiring.open_s,
                    pins.errors,
                    after,
                    is_level=wiring.drive is Drive.LEVEL,
                    frees_at_rest=wiring.fail is Fail.SAFE,
                )
                for direction, relay in wiring.relays.items()
            }
            free = None
            if wiring.free is not None:
                free = PulsedRelay(_output(wiring.free, pins, stack), PULSE_S, pins.errors, after)
        except pins.errors as exc:
            raise TurnstileFaultError(f"a pin cannot be claimed: {exc}") from exc
        turnstile = RelayTurnstile(
            relays,
            stack.enter_context(open_inputs(wiring.contacts(), pins, clock)),
            clock,
            has_sensor=bool(wiring.sensors),
            drive=wiring.drive,
            fail=wiring.fail,
            free=free,
        )
        stack.callback(turnstile.rest)
        turnstile.lock()
        yield turnstile


def rest_relays(wiring: Wiring, pins: Pins) -> None:
    """Claim every relay's pin at rest and let go: what a killed daemon left on is off then.

    Raises:
        TurnstileFaultError: if a pin cannot be claimed, as while a daemon runs.
    """
    with ExitStack() as stack:
        try:
            for relay in (*wiring.relays.values(), wiring.free):
                if relay is not None:
                    _output(relay, pins, stack)
        except pins.errors as exc:
            raise TurnstileFaultError(f"a pin cannot be claimed: {exc}") from exc


def _output(relay: RelayPin, pins: Pins, stack: ExitStack) -> Any:
    return stack.enter_context(
        gpiozero.OutputDevice(
            relay.pin, active_high=relay.active_high, initial_value=False, pin_factory=pins.factory
        )
    )
