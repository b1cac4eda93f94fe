"""The wiring test: somebody at the gate's page pulses the arm and looks at lights and readers.

Called by the gate's page. Only while the lane is closed to the public by the tester; the display
then says so (GT-TST), nothing that is read is judged, and beginning, end and every deed are in the
journal. A test that is forgotten ends by itself.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from admission.journal import Kind
from admission.scan import Direction
from admission.verdict import Answer
from appliance.announcer import Announcer
from appliance.errors import TurnstileFaultError
from appliance.fault_codes import TEST_CODE
from appliance.health import Health
from appliance.lane_keeper import LaneKeeper
from appliance.page_ports import Heard, ReadBack, TrialRefusal, TrialScreen
from appliance.ports import Clock, LaneEvent, Look, Payload, Screen, Turnstile
from appliance.recording import Recorder

log = logging.getLogger(__name__)

TEST_S_MAX: Final = 600.0
LOOK_S: Final = 5.0
KEPT: Final = 8
SCREENS: Final = {
    TrialScreen.GRANTED: Screen(Look.GRANTED, answer=Answer.GRANTED),
    TrialScreen.ATTENTION: Screen(Look.GRANTED, answer=Answer.GRANTED, attention=("!",)),
    TrialScreen.REPEATED: Screen(Look.DENIED, answer=Answer.ALREADY_USED),
    TrialScreen.REFUSED: Screen(Look.DENIED, answer=Answer.UNKNOWN_TICKET),
    TrialScreen.ELSEWHERE: Screen(Look.DENIED, answer=Answer.WRONG_CHECKPOINT),
    TrialScreen.NOT_PASSED: Screen(Look.NOT_PASSED),
}
_NS: Final = 1_000_000_000


class WiringTest:
    """Implements `page_ports.Wiring` over one lane."""

    def __init__(
        self,
        *,
        turnstile: Turnstile,
        lane: LaneKeeper,
        health: Health,
        recorder: Recorder,
        announcer: Announcer,
        clock: Clock,
        ways: frozenset[Direction],
    ) -> None:
        """Take what is tested, and who has to know.

        Args:
            turnstile: the arm.
            lane: says whether somebody is going through.
            health: told that the gate is being tested.
            recorder: the journal's pen.
            announcer: shows the patterns.
            clock: counts how long a test lasts.
            ways: that the arm has a relay for.
        """
        self.ways = ways
        self._turnstile = turnstile
        self._lane = lane
        self._health = health
        self._recorder = recorder
        self._announcer = announcer
        self._clock = clock
        self._until_ns: int | None = None
        self._heard: deque[tuple[str, int]] = deque(maxlen=KEPT)
        self._read: deque[tuple[str, str, int, int]] = deque(maxlen=KEPT)
        lane.heard = self._hear

    @property
    def left_s(self) -> float | None:
        """For how long the test still lasts; None where there is none."""
        if self._until_ns is None:
            return None
        return max(0.0, (self._until_ns - self._clock.monotonic_ns()) / _NS)

    @property
    def heard(self) -> tuple[Heard, ...]:
        """What arm, sensors and inputs said since the test began, the newest first."""
        return tuple(Heard(word, self._ago_s(at_ns)) for word, at_ns in reversed(self._heard))

    @property
    def reads(self) -> tuple[ReadBack, ...]:
        """What readers read, the newest first: kind and length, never what it said."""
        return tuple(
            ReadBack(reader, symbology, length, self._ago_s(at_ns))
            for reader, symbology, length, at_ns in reversed(self._read)
        )

    async def begin(self, who: str) -> TrialRefusal | None:
        """Close the lane to the public and begin.

        Raises:
            StorageError: if it cannot be written down; then nothing has begun.
        """
        if self._until_ns is not None:
            return None
        if self._lane.is_busy:
            return TrialRefusal.BUSY
        if self._lane.lane.is_free:
            return TrialRefusal.FREE
        await self._note("begun", who)
        self._until_ns = self._clock.monotonic_ns() + round(TEST_S_MAX * _NS)
        self._heard.clear()
        self._read.clear()
        self._health.broken(TEST_CODE)
        return None

    async def end(self, who: str) -> None:
        """Open the lane to the public again, and write that down.

        Raises:
            StorageError: if it cannot be written down; the lane is open all the same.
        """
        if self._until_ns is None:
            return
        self._until_ns = None
        self._health.mended(TEST_CODE)
        self._announcer.done()
        await self._note("over", who)

    async def pulse(self, direction: Direction, who: str) -> TrialRefusal | None:
        """Release the arm once, as a grant would; nobody is counted.

        Raises:
            StorageError: if it cannot be written down; then the arm has not moved.
        """
        if self._until_ns is None:
            return TrialRefusal.NOT_BEGUN
        if direction not in self.ways:
            return TrialRefusal.NO_RELAY
        if self._lane.is_busy:
            return TrialRefusal.BUSY
        await self._note(f"pulse {direction.value}", who)
        try:
            await self._turnstile.release(direction)
        except TurnstileFaultError as exc:
            log.warning("relay failed in a test", extra={"reason": str(exc)})
            return TrialRefusal.RELAY_FAILED
        return None

    def show(self, screen: TrialScreen) -> TrialRefusal | None:
        """Show one pattern, with its light and its sound."""
        if self._until_ns is None:
            return TrialRefusal.NOT_BEGUN
        self._announcer.post(SCREENS[screen])
        return None

    def taken(
        self, before: Callable[[Payload], Payload | None], payload: Payload
    ) -> Payload | None:
        """Take a payload away while the test lasts; leave it to whoever came before otherwise."""
        if self._until_ns is None:
            return before(payload)
        at_ns = self._clock.monotonic_ns()
        self._read.append((payload.reader, payload.symbology, len(payload.data), at_ns))
        return None

    async def run(self) -> None:
        """End a test that was forgotten, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            if self.left_s == 0.0:
                await self.end("time")

    def _hear(self, event: LaneEvent) -> None:
        if self._until_ns is not None:
            self._heard.append((event.value, self._clock.monotonic_ns()))

    def _ago_s(self, at_ns: int) -> float:
        return (self._clock.monotonic_ns() - at_ns) / _NS

    async def _note(self, what: str, who: str) -> None:
        checkpoint = self._health.checkpoint
        await self._recorder.note(
            Kind.COMMAND,
            checkpoint="" if checkpoint is None else checkpoint.id,
            detail={"action": "wiring_test", "test": what, "operator": who},
        )
        log.warning("wiring test", extra={"what": what})
