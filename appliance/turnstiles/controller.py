"""The turnstile behind a controller on a serial line: asked again and again, never trusted blindly.

Bound by `main`. What is said stands in docs/operations/turnstile-frame.md. The controller counts
who goes through, so that a lost answer loses nobody; it rests by itself when it is asked no more,
so that a dead gate leaves no open arm. What the line is made of is its own affair: `serial_line`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.errors import TurnstileFaultError, TurnstileUnsureError
from appliance.ports import Clock, LaneEvent
from appliance.turnstiles.frame import (
    ANSWER,
    Command,
    Deframer,
    Frame,
    FrameError,
    State,
    Status,
    encode,
    unpack_status,
)

log = logging.getLogger(__name__)

POLL_S: Final = 0.1  # how often it is asked; a passage is known as late as that
ANSWER_S: Final = 0.06  # a frame and its answer last 30 ms at 9600 baud
TRIES: Final = 3
LOST_S: Final = 1.0  # silent for so long it is lost; its own watchdog rests it after two
REOPEN_S: Final = 0.5
_SEQUENCES: Final = 256
_COUNTS: Final = 65_536
_NS: Final = 1_000_000_000
_OPENS: Final = {Direction.ENTRY: Command.OPEN_ENTRY, Direction.EXIT: Command.OPEN_EXIT}
_IS_OPEN: Final = {Direction.ENTRY: State.OPEN_ENTRY, Direction.EXIT: State.OPEN_EXIT}
# what a bit's coming and going mean
_TURNS: Final = (
    (State.TURNING, LaneEvent.TURNING, LaneEvent.TURNED_BACK),
    (State.FIRE, LaneEvent.FIRE, LaneEvent.FIRE_OVER),
    (State.STUCK, LaneEvent.SENSOR_STUCK, LaneEvent.SENSOR_FREE),
)


class Line(Protocol):
    """Bytes to a device and back; also what a driver of OSDP would stand on.

    Attributes:
        stirred: set while there is something to take, or the line is lost.
    """

    stirred: asyncio.Event

    def send(self, data: bytes) -> None:
        """Send bytes, at once.

        Raises:
            TurnstileFaultError: if the line is lost.
        """
        ...

    def take(self) -> bytes:
        """Give what came in since the last time, and clear `stirred`.

        Raises:
            TurnstileFaultError: if the line is lost.
        """
        ...

    def close(self) -> None:
        """Give the line back."""
        ...


class ControllerTurnstile:
    """The port `Turnstile` over a controller; made by `open_controller`.

    Args:
        open_line: opens the line; raises TurnstileFaultError if it is not there.
        address: of the controller on it.
        clock: counts answers and polls.
    """

    def __init__(self, open_line: Callable[[], Line], address: int, clock: Clock) -> None:
        self._open_line = open_line
        self._address = address
        self._clock = clock
        self._line: Line | None = None
        self._deframer = Deframer()
        self._asking = asyncio.Lock()
        self._sequence = 0
        self._known: Status | None = None
        self._heard_ns = clock.monotonic_ns()
        self._is_lost = False
        self._is_greeted = False
        self._is_held = False
        self._wants_rest = False
        self._awaits: Direction | None = None
        self._said: deque[LaneEvent] = deque()

    @property
    def has_sensor(self) -> bool:
        """Always: the controller counts."""
        return True

    async def release(self, direction: Direction) -> None:
        """Let one person through; returns once the controller has said that it does.

        Raises:
            TurnstileUnsureError: if it was asked and no answer came back.
            TurnstileFaultError: if it is lost, and so was not asked.
        """
        if self._is_lost or not await self._greet():
            raise TurnstileFaultError("the turnstile's controller does not answer")
        self._wants_rest = False
        try:
            status = await self._ask(_OPENS[direction])
        except TurnstileFaultError as exc:
            self._lose()
            raise TurnstileUnsureError(f"told to open, and then: {exc}") from exc
        if status.done != self._sequence:  # it was started anew, and counts from elsewhere
            self._take(status)
            raise TurnstileFaultError("the turnstile's controller was started anew")
        self._awaits = direction
        self._take(status)

    def close(self) -> None:
        """Have the controller rest with the next poll, where the grant has ended without it."""
        self._wants_rest = self._awaits is not None
        self._awaits = None

    async def hold(self, is_open: bool) -> None:
        """Have the way held free, or no longer; said again to a controller that was started anew.

        Raises:
            TurnstileFaultError: if it does not answer; it is told with the next poll.
        """
        self._is_held, self._awaits, self._wants_rest = is_open, None, not is_open
        self._take(await self._ask(Command.FREE if is_open else Command.REST))
        self._wants_rest = False

    async def events(self) -> AsyncIterator[LaneEvent]:
        """Poll, and yield what the controller says, until cancelled; for one consumer."""
        while True:
            await self._poll()
            while self._said:
                yield self._said.popleft()
            await self._clock.sleep(POLL_S if self._line is not None else REOPEN_S)

    def rest(self) -> None:
        """Tell the controller to rest, now, and wait for no answer: its watchdog sees to it."""
        self._is_held, self._awaits = False, None
        if self._line is not None:
            try:
                self._line.send(self._request(Command.REST, self._next_sequence()))
            except TurnstileFaultError as exc:
                log.warning("controller not told to rest", extra={"reason": str(exc)})
                self.give_back()

    def give_back(self) -> None:
        """Close the line; it is opened anew when it is wanted."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    async def _poll(self) -> None:
        if not await self._greet():
            return
        command = self._due()
        try:
            self._take(await self._ask(command))
        except TurnstileFaultError:
            if self._clock.monotonic_ns() - self._heard_ns >= LOST_S * _NS:
                self._lose()
        else:
            self._wants_rest &= command is not Command.REST

    def _due(self) -> Command:
        """What is to be said next, if nobody is let through."""
        is_free = self._known is not None and bool(self._known.state & State.FREE)
        if self._is_held and not is_free:
            return Command.FREE
        return Command.REST if self._wants_rest and not self._is_held else Command.POLL

    async def _greet(self) -> bool:
        """Agree with the controller on sequences; tell whether that is done."""
        if self._is_greeted:
            return True
        try:
            status = await self._ask(Command.HELLO)
        except TurnstileFaultError:
            if self._clock.monotonic_ns() - self._heard_ns >= LOST_S * _NS:
                self._lose()
            return False
        self._is_greeted = True
        self._take(status)
        return True

    async def _ask(self, command: Command) -> Status:
        """Send a request until it is answered; repeated, it is the same to the controller.

        Raises:
            TurnstileFaultError: if no answer came.
        """
        async with self._asking:
            sequence = self._next_sequence()
            if self._line is None:
                self._line = self._open_line()
                self._deframer = Deframer()
            try:
                for _ in range(TRIES):
                    self._line.send(self._request(command, sequence))
                    status = await self._answer(self._line, command, sequence)
                    if status is not None:
                        self._heard_ns = self._clock.monotonic_ns()
                        return status
            except TurnstileFaultError:
                self.give_back()  # the line is gone
                raise
        raise TurnstileFaultError(f"controller {self._address} does not answer")

    async def _answer(self, line: Line, command: Command, sequence: int) -> Status | None:
        until_ns = self._clock.monotonic_ns() + round(ANSWER_S * _NS)
        while True:
            for frame in self._deframer.feed(line.take()):
                is_mine = (frame.address, frame.sequence) == (self._address, sequence)
                if is_mine and frame.command == command | ANSWER:
                    try:
                        return unpack_status(frame.data)
                    except FrameError:
                        continue  # another kind of device answers to its address
            left_s = (until_ns - self._clock.monotonic_ns()) / _NS
            if left_s <= 0 or not await wait_set(line.stirred, self._clock, left_s):
                return None

    def _request(self, command: Command, sequence: int) -> bytes:
        return encode(Frame(self._address, sequence, command))

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) % _SEQUENCES
        return self._sequence

    def _lose(self) -> None:
        self._is_greeted = False
        self._awaits = None
        if not self._is_lost:
            log.error("turnstile controller lost", extra={"address": self._address})
            self._is_lost = True
            self._said.append(LaneEvent.DEVICE_LOST)

    def _take(self, status: Status) -> None:
        """Work out what has happened since the status before."""
        before, self._known = self._known, status
        if before is None:
            entries = exits = 0  # who went before anybody asked is nobody's
        elif before.boot != status.boot:
            self._lose()  # what became of a grant, only the controller that was knew
            entries, exits = status.entries, status.exits
        else:
            entries = (status.entries - before.entries) % _COUNTS
            exits = (status.exits - before.exits) % _COUNTS
        self._said.extend([LaneEvent.PASSED_ENTRY] * entries + [LaneEvent.PASSED_EXIT] * exits)
        self._tell_turns(State(0) if before is None else before.state, status.state)
        self._tell_closed(status, has_passed=bool(entries or exits))
        if self._is_lost:
            log.info("turnstile controller is back", extra={"address": self._address})
            self._is_lost = False
            self._said.append(LaneEvent.DEVICE_BACK)

    def _tell_turns(self, before: State, now: State) -> None:
        for bit, begun, over in _TURNS:
            if (before ^ now) & bit:
                self._said.append(begun if now & bit else over)

    def _tell_closed(self, status: Status, *, has_passed: bool) -> None:
        """Tell whether the arm closed behind nobody."""
        if self._awaits is None or status.state & (_IS_OPEN[self._awaits] | State.TURNING):
            return
        self._awaits = None
        if not has_passed:
            self._said.append(LaneEvent.NOT_PASSED)


@contextmanager
def open_controller(
    open_line: Callable[[], Line], address: int, clock: Clock
) -> Iterator[ControllerTurnstile]:
    """Give a turnstile behind a controller, at rest on every way out; its line may come later.

    Args:
        open_line: opens the line.
        address: of the controller.
        clock: counts answers and polls.
    """
    turnstile = ControllerTurnstile(open_line, address, clock)
    try:
        yield turnstile
    finally:
        turnstile.rest()
        turnstile.give_back()
