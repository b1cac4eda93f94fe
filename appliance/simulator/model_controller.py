"""A model of a turnstile controller, as docs/operations/turnstile-frame.md has it, and of its line.

Bound by tests and trials. Keeps a history of its own, so that a test can hold what the gate
believes against it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from appliance.errors import TurnstileFaultError
from appliance.ports import Clock
from appliance.turnstiles.frame import ANSWER, Command, Deframer, Frame, State, Status, encode

OPEN_S: Final = 5.0  # how long it stays open for a person
WATCHDOG_S: Final = 2.0  # asked by nobody for so long it rests
_NS: Final = 1_000_000_000
_OPEN: Final = State.OPEN_ENTRY | State.OPEN_EXIT


class ModelController:
    """A controller: bytes in, bytes out.

    Attributes:
        openings: how often it opened for somebody.
        orders: how many orders to open it carried out; one that is open already stays so.
        deframer: what it makes of its line.
    """

    def __init__(self, clock: Clock, address: int = 1) -> None:
        self._clock = clock
        self._address = address
        self._boot = 0
        self.openings = self.orders = 0
        self.restart()

    def restart(self) -> None:
        """Lose everything, as by a cut of its power."""
        self._boot += 1
        self._state = State(0)
        self._entries = self._exits = 0
        self._done = 0
        self._open_until_ns = self._asked_ns = self._clock.monotonic_ns()
        self.deframer = Deframer()

    @property
    def is_open(self) -> bool:
        """Whether somebody could go through."""
        self._look()
        return bool(self._state & (_OPEN | State.FREE))

    def walk(self, *, is_exit: bool = False) -> None:
        """Have somebody go through; whether the arm lets them is not asked."""
        self._look()
        self._entries += not is_exit
        self._exits += is_exit
        self._state &= ~_OPEN

    def set_state(self, bit: State, *, is_set: bool) -> None:
        """Let a bit of the state come or go: fire, somebody in the arm, a contact that sticks."""
        self._state = self._state | bit if is_set else self._state & ~bit

    def receive(self, data: bytes) -> bytes:
        """Take bytes in; give what it sends."""
        return b"".join(
            self._answer(frame)
            for frame in self.deframer.feed(data)
            if frame.address == self._address and not frame.command & ANSWER
        )

    def _answer(self, frame: Frame) -> bytes:
        self._look()
        self._asked_ns = self._clock.monotonic_ns()
        is_new = 0 < (frame.sequence - self._done) % 256 < 128
        if frame.command == Command.HELLO or is_new:
            self._done = frame.sequence
            self._obey(frame.command)
        status = Status(self._boot, self._entries, self._exits, self._state, self._done)
        answer = Frame(self._address, frame.sequence, frame.command | ANSWER, status.pack())
        return encode(answer)

    def _obey(self, command: int) -> None:
        match command:
            case Command.OPEN_ENTRY | Command.OPEN_EXIT:
                bit = State.OPEN_ENTRY if command == Command.OPEN_ENTRY else State.OPEN_EXIT
                self.openings += not self._state & bit
                self.orders += 1
                self._state |= bit
                self._open_until_ns = self._clock.monotonic_ns() + round(OPEN_S * _NS)
            case Command.HELLO | Command.REST:
                self._state &= ~(_OPEN | State.FREE)
            case Command.FREE:
                self._state |= State.FREE
            case _:
                pass

    def _look(self) -> None:
        """Let its own times run out."""
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._open_until_ns:
            self._state &= ~_OPEN
        if now_ns - self._asked_ns >= WATCHDOG_S * _NS:
            self._state &= ~(_OPEN | State.FREE)


class ModelLine:
    """The port `Line` to a model, with whatever happens to bytes on their way.

    Args:
        model: the controller at its other end.
        there: gives what arrives there of a frame that is sent.
        back: likewise of an answer.
    """

    def __init__(
        self,
        model: ModelController,
        there: Callable[[bytes], bytes] = bytes,
        back: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.stirred = asyncio.Event()
        self.is_cut = False
        self._model = model
        self._there = there
        self._back = back
        self._received = bytearray()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._require()
        self._received += self._back(self._model.receive(self._there(data)))
        if self._received:
            self.stirred.set()

    def take(self) -> bytes:
        """Give what came in."""
        self._require()
        taken = bytes(self._received)
        self._received.clear()
        self.stirred.clear()
        return taken

    def close(self) -> None:
        """Do nothing: it is no device."""

    def _require(self) -> None:
        if self.is_cut:
            raise TurnstileFaultError("the line is cut")
