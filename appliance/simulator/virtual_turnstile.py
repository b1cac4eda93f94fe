"""A turnstile without hardware, and the people who go through it. Bound by tests and simulations.

Keeps a history of what happened at the arm, apart from what the gate believes, so that a test can
hold the journal against it.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import Enum, unique
from itertools import chain, repeat
from typing import Final

from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.errors import TurnstileFaultError
from appliance.ports import Clock, LaneEvent

_PASSAGES: Final = frozenset({LaneEvent.PASSED, LaneEvent.PASSED_ENTRY, LaneEvent.PASSED_EXIT})
RELOCK_S: Final = 5.0  # a turnstile in pulse mode stays free for one person this long
_PULSE_NS: Final = 200_000_000
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Person:
    """How somebody behaves who is let through.

    Attributes:
        passes_after_s: seconds from the release to the passage, or None for one who turns back;
            whoever is slower than the arm finds it closed again.
        followed_after_s: seconds from that passage to the one of a companion without a ticket, or
            None.
    """

    passes_after_s: float | None = 1.0
    followed_after_s: float | None = None


@unique
class Motion(Enum):
    """What happens at an arm."""

    RELEASED = "released"
    PASSED = "passed"  # somebody went through, ticket or not
    RESTED = "rested"
    HELD = "held"  # kept open for everybody
    HELD_NO_MORE = "held_no_more"


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the history.

    Attributes:
        at_ns: `Clock.monotonic_ns`.
        motion: what happened.
        direction: of a release, else None.
    """

    at_ns: int
    motion: Motion
    direction: Direction | None = None


class VirtualTurnstile:
    """The port `Turnstile` over imagined people.

    Args:
        clock: moves the people.
        people: how those behave who are let through, one after the other; when they are used up,
            everybody passes after a second.
        has_sensor: whether passages are sensed; they happen all the same.
    """

    def __init__(
        self, clock: Clock, people: Iterable[Person] = (), *, has_sensor: bool = True
    ) -> None:
        self._clock = clock
        self._people = chain(people, repeat(Person()))
        self._has_sensor = has_sensor
        self._due_ns: list[tuple[int, LaneEvent]] = []
        self._unsensed: deque[LaneEvent] = deque()
        self._history: list[Happening] = []
        self._stirred = asyncio.Event()
        self._pulse_ends_ns: dict[Direction, int] = {}
        self._is_broken = False

    @property
    def has_sensor(self) -> bool:
        """Whether passages are sensed."""
        return self._has_sensor

    @property
    def history(self) -> tuple[Happening, ...]:
        """All that has happened by now, in order."""
        self._catch_up()
        return tuple(self._history)

    def count(self, motion: Motion) -> int:
        """How often something has happened by now."""
        return sum(happening.motion is motion for happening in self.history)

    def walk(self, after_s: float = 0.0, way: LaneEvent = LaneEvent.PASSED) -> None:
        """Send somebody through whom nobody let in, now or in some seconds.

        Args:
            after_s: seconds until then.
            way: what the sensor says of it.
        """
        due_ns = self._clock.monotonic_ns() + round(after_s * _NS_PER_S)
        heapq.heappush(self._due_ns, (due_ns, way))
        self._stirred.set()

    def say(self, event: LaneEvent) -> None:
        """Tell of something that is no passage: an input, a fault."""
        self._unsensed.append(event)
        self._stirred.set()

    def break_down(self) -> None:
        """Let every release fail from now on."""
        self._is_broken = True

    def repair(self) -> None:
        """Let releases work again."""
        self._is_broken = False

    async def release(self, direction: Direction) -> None:
        """Let one person through; does nothing while a pulse of this direction is running.

        Raises:
            TurnstileFaultError: while it is broken down.
        """
        if self._is_broken:
            raise TurnstileFaultError("the virtual turnstile is broken down")
        self._catch_up()
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._pulse_ends_ns.get(direction, 0):
            return
        self._pulse_ends_ns[direction] = now_ns + _PULSE_NS
        self._history.append(Happening(now_ns, Motion.RELEASED, direction))
        self._send(next(self._people))

    def close(self) -> None:
        """Do nothing: it closes behind each person by itself."""

    async def hold(self, is_open: bool) -> None:
        """Keep the way free, or no longer.

        Raises:
            TurnstileFaultError: while it is broken down.
        """
        if self._is_broken:
            raise TurnstileFaultError("the virtual turnstile is broken down")
        self._catch_up()
        motion = Motion.HELD if is_open else Motion.HELD_NO_MORE
        self._history.append(Happening(self._clock.monotonic_ns(), motion))

    async def events(self) -> AsyncIterator[LaneEvent]:
        """Yield what is said, and each passage as it happens if they are sensed."""
        while True:
            event = await self._next_event()
            if self._has_sensor or event not in _PASSAGES:
                yield event

    def rest(self) -> None:
        """End every pulse, now."""
        self._catch_up()
        self._pulse_ends_ns.clear()
        self._history.append(Happening(self._clock.monotonic_ns(), Motion.RESTED))

    def _send(self, person: Person) -> None:
        if person.passes_after_s is None or person.passes_after_s > RELOCK_S:
            return
        self.walk(person.passes_after_s)
        if person.followed_after_s is not None:
            self.walk(person.passes_after_s + person.followed_after_s)

    async def _next_event(self) -> LaneEvent:
        while True:
            self._stirred.clear()
            self._catch_up()
            if self._unsensed:
                return self._unsensed.popleft()
            if self._due_ns:
                left_s = (self._due_ns[0][0] - self._clock.monotonic_ns()) / _NS_PER_S
                await wait_set(self._stirred, self._clock, left_s)
            else:
                await self._stirred.wait()

    def _catch_up(self) -> None:
        """Let those pass who are due."""
        while self._due_ns and self._due_ns[0][0] <= self._clock.monotonic_ns():
            at_ns, way = heapq.heappop(self._due_ns)
            self._history.append(Happening(at_ns, Motion.PASSED))
            self._unsensed.append(way)
