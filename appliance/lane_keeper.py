"""The lane's shell: feeds sensors, orders and time to the state machine, and does what it says.

Called by the gate, which does one thing at a time. Writes every end of a grant down; keeps the
pending one counted while it is.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final, assert_never

from admission import journal
from admission.journal import PREVIOUS, Flag, Kind, Record
from admission.lane import Lane
from admission.lane_events import (
    Declined,
    Failed,
    Granted,
    LaneAction,
    LaneInput,
    LaneOutput,
    Lock,
    Mended,
    Part,
    Passed,
    Presented,
    PulseFailed,
    Settled,
    TimedOut,
    TurnedBack,
    Turning,
    TurnTimedOut,
    Unlock,
)
from admission.passage import History, Passage
from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.announcer import Announcer
from appliance.errors import StorageError, TurnstileFaultError, TurnstileUnsureError
from appliance.fault_codes import CONTROLLER_FAULT, RELAY_FAULT, SENSOR_FAULT
from appliance.health import Health
from appliance.hinting import Hinting
from appliance.lane_orders import FIRE, LaneOrders
from appliance.lane_records import LaneRecords
from appliance.ports import Clock, LaneEvent, LaneInputs, Look, Screen, Turnstile
from appliance.recording import Recorder

log = logging.getLogger(__name__)

SETTLE_S: Final = 1.0  # a second turn of the arm within it belongs to the same grant
TURN_S: Final = 10.0  # whoever stands in the arm when the grant's time is over has this long
WORD_S: Final = 0.05  # the sensor's word of what was in time takes so long to come here,
STOOD_STILL_S: Final = (
    0.2  # but where a time is noticed so late, the machine did nothing meanwhile,
)
LATE_WORD_S: Final = 0.5  # and the word of that while may take so long
_NS: Final = 1_000_000_000
COMMIT_S_MAX: Final = 5.0
_Timer = TimedOut | TurnTimedOut | Settled

# What a turnstile's own word is to the lane; passages and orders are heard elsewhere.
_WORDS: Final[dict[LaneEvent, LaneInput]] = {
    LaneEvent.NOT_PASSED: Declined(),
    LaneEvent.TURNING: Turning(),
    LaneEvent.TURNED_BACK: TurnedBack(),
    LaneEvent.SENSOR_STUCK: Failed(Part.SENSOR),
    LaneEvent.SENSOR_FREE: Mended(Part.SENSOR),
    LaneEvent.DEVICE_LOST: Failed(Part.DEVICE),
    LaneEvent.DEVICE_BACK: Mended(Part.DEVICE),
}
_CODES: Final = {
    Part.RELAY: RELAY_FAULT,
    Part.SENSOR: SENSOR_FAULT,
    Part.DEVICE: CONTROLLER_FAULT,
}
_PASSAGES: Final = (LaneEvent.PASSED, LaneEvent.PASSED_ENTRY, LaneEvent.PASSED_EXIT)


@dataclass(frozen=True, slots=True)
class _Deadline:
    """A time that runs out.

    Attributes:
        due_ns: when.
        event: what that means to the lane.
        is_put_off: whether the sensor was given the time to tell what happened before.
    """

    due_ns: int
    event: _Timer
    is_put_off: bool = False


class LaneKeeper:
    """One lane's arm, sensor and time.

    Attributes:
        stirred: set when there is something for the gate to look at.
        heard: told at once what arm, sensors and inputs say; a wiring test looks at it.
        orders: the alarm, the staff's inputs, free passage.
        records: what is still to be written.
    """

    def __init__(
        self,
        *,
        turnstile: Turnstile,
        recorder: Recorder,
        history: History,
        health: Health,
        announcer: Announcer,
        hinting: Hinting,
        clock: Clock,
        passage_timeout_s: float,
        commit_s_max: float = COMMIT_S_MAX,
        inputs: LaneInputs | None = None,
    ) -> None:
        """Take what the lane works with.

        Args:
            turnstile: the arm.
            recorder: the journal's pen.
            history: a pending grant counts in it as a passage.
            health: told of faults, and says whether anybody may enter.
            announcer: told when nobody went through.
            hinting: tells other gates, after the arm was told.
            clock: counts the time that a grant waits.
            passage_timeout_s: that time.
            commit_s_max: a grant that takes longer to be on the disk opens nothing any more: its
                person has gone, and another may stand there.
            inputs: what hangs beside the arm, or None.
        """
        self.stirred = asyncio.Event()
        self.heard: Callable[[LaneEvent], None] = lambda event: None
        self._turnstile = turnstile
        self._sources: list[Turnstile | LaneInputs] = [turnstile, *([inputs] if inputs else [])]
        self._recorder = recorder
        self._history = history
        self._health = health
        self._announcer = announcer
        self._hinting = hinting
        self._clock = clock
        self._passage_timeout_s = passage_timeout_s
        self._commit_ns_max = round(commit_s_max * _NS)
        self._is_late = False
        self._has_opened = False
        self._lane = Lane(turnstile.has_sensor)
        self._journal_id = recorder.journal.id
        self._sensed: deque[LaneEvent] = deque()
        self._deadlines: list[_Deadline] = []
        self._grant: Record | None = None
        self._pending: Passage | None = None
        self.records = LaneRecords(recorder, history, health, hinting, clock)
        self.orders = LaneOrders(
            feed=self._feed,
            lane=lambda: self._lane,
            open_once=self._open_once,
            records=self.records,
            recorder=recorder,
            health=health,
        )

    @property
    def lane(self) -> Lane:
        """Where the lane stands."""
        return self._lane

    @property
    def is_busy(self) -> bool:
        """Whether somebody may be going through on a grant."""
        return self._lane.is_busy

    @property
    def is_settled(self) -> bool:
        """Whether every grant that was given has its end in the journal."""
        return not self._lane.is_busy and self.records.is_settled

    @property
    def is_out_of_order(self) -> bool:
        """Whether nobody is let in because a part failed that no ticket tries anew."""
        return bool(self._lane.broken - {Part.RELAY})

    async def watch(self) -> None:
        """Listen to the arm's sensor and the staff's inputs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for source in self._sources:
                tasks.create_task(self._watch(source))

    async def _watch(self, source: Turnstile | LaneInputs) -> None:
        async for event in source.events():
            self._sensed.append(event)
            self.heard(event)
            self.stirred.set()

    async def wait(self) -> None:
        """Wait until something has happened or a time has run out."""
        due_ns = self.next_due_ns
        if due_ns is None:
            await self.stirred.wait()
        else:
            left_ns = due_ns - self._clock.monotonic_ns()
            if left_ns > 0:
                await wait_set(self.stirred, self._clock, left_ns / _NS)
        self.stirred.clear()

    @property
    def next_due_ns(self) -> int | None:
        """When a time runs out next, or None where none does."""
        times = [one.due_ns for one in self._deadlines]
        if self.records.due_ns is not None:
            times.append(self.records.due_ns)
        return min(times, default=None)

    async def settle(self) -> None:
        """Take in everything that the sensor and the clock have to say."""
        while self._sensed:
            await self._hear(self._sensed.popleft())
        now_ns = self._clock.monotonic_ns()
        due = [one for one in self._deadlines if one.due_ns <= now_ns]
        self._deadlines = [late for late in self._deadlines if late.due_ns > now_ns]
        for one in due:
            if one.is_put_off:
                await self._feed(one.event)
            else:  # what was in time is heard of first
                stood_still = now_ns - one.due_ns >= STOOD_STILL_S * _NS
                self._due(LATE_WORD_S if stood_still else WORD_S, one.event, is_put_off=True)
        if self.records.due_ns is not None and self.records.due_ns <= now_ns:
            await self.records.pay()

    def retry(self) -> None:
        """Write what is owed now: the card works again."""
        self.records.retry()
        self.stirred.set()

    def take_late(self) -> bool:
        """Tell whether the last grant was written too late to open; asked once."""
        is_late, self._is_late = self._is_late, False
        return is_late

    async def let_through(self, direction: Direction) -> None:
        """Open for whoever holds something before a reader while the passage is free."""
        await self._feed(Presented(direction))

    async def release(self, draft: Record) -> bool:
        """Write a grant down, then open for one person.

        Args:
            draft: the GRANTED record to be.

        Returns:
            Whether the arm was told to open; if not, the grant has ended unused.

        Raises:
            StorageError: if it could not be written; the arm has not moved.
        """
        begun_ns = self._clock.monotonic_ns()
        await self.records.pay()  # what is owed comes first, also in the journal
        if self._recorder.journal.id != self._journal_id:
            self._begin_anew()
        await self._take_orders()
        if Part.RELAY in self._lane.broken:  # it failed before: try it anew
            await self._feed(Mended(Part.RELAY))
        direction = journal.direction_of(draft.direction)
        is_override = bool(draft.flags & Flag.OVERRIDE)
        is_taken = self._lane.takes(direction, is_override=is_override)
        if self._lane.senses or not is_taken:
            (self._grant,) = await self._recorder.write(draft, is_awaited=True)
            self._pending = journal.pending_of(self._recorder.journal.id, self._grant)
            self._history.pend(self._pending)
        else:
            ending = journal.ending(draft, Kind.PASSED, PREVIOUS, Flag.NO_SENSOR)
            self._grant, passed = await self._recorder.write(draft, ending, is_awaited=True)
            self.records.remember(passed)
        if self._clock.monotonic_ns() - begun_ns >= self._commit_ns_max:
            log.error("grant written too late to open", extra={"grant": self._grant.sequence})
            self._is_late = True
            await self._end(Kind.NOT_PASSED)  # without a sensor it stays a passage: see ADR 15
            return False
        granted, self._has_opened = self._grant, False
        await self._feed(Granted(granted.sequence, direction, is_override))
        if self._has_opened:
            self._hinting.granted(granted)
        return self._has_opened

    def rest(self) -> None:
        """Bring the arm to rest, now.

        Raises:
            TurnstileFaultError: if it cannot be.
        """
        self._turnstile.rest()

    def _begin_anew(self) -> None:
        """Count grants as another journal does: from its beginning; late times are of the old."""
        self._journal_id = self._recorder.journal.id
        self._deadlines.clear()
        self._lane = self._lane.renumbered()

    async def _hear(self, event: LaneEvent) -> None:
        """Take in what the arm, its sensors or the staff's inputs say."""
        if event in _PASSAGES:
            if self._lane.has_sensor:
                await self._feed(Passed(event.direction))
            return
        word = _WORDS.get(event)
        if word is None:
            await self.orders.take(event)
            return
        await self._feed(word)
        if isinstance(word, Failed):
            self._health.broken(_CODES[word.part])
        elif isinstance(word, Mended):
            self._health.mended(_CODES[word.part])

    async def _take_orders(self) -> None:
        """Tell the lane whether anybody may enter."""
        is_locked = self._health.is_locked or self._health.is_ordered_locked
        if is_locked is not self._lane.is_ordered_locked:
            await self._feed(Lock() if is_locked else Unlock())

    async def _open_once(self, direction: Direction, why: str) -> None:
        """Let one person through by somebody's word, where the lane can now."""
        await self._take_orders()
        checkpoint = self._health.checkpoint
        is_closed = self._lane.is_ordered_locked or self.is_out_of_order or self._health.is_stopped
        if checkpoint is None or (is_closed and direction is Direction.ENTRY):
            log.warning("not opened", extra={"why": why, "direction": direction.value})
            return
        if self._lane.is_busy or self._lane.is_free:
            return  # somebody is going through, or everybody may
        draft = self._recorder.override(
            checkpoint=checkpoint.id,
            direction=direction,
            performance="",
            identifier=b"",
            ticket_class=None,
            list_version=0,
            detail={"why": why},
        )
        try:
            has_opened = await self.release(draft)
        except StorageError as exc:
            log.exception("not opened", extra={"why": why, "reason": str(exc)})
            self._health.broken(exc.fault)
            return
        if has_opened:
            self._announcer.post(Screen(Look.PLEASE_PASS, direction))

    async def _feed(self, event: LaneInput) -> None:
        self._lane, outputs = self._lane.step(event)
        for output in outputs:
            await self._do(output)

    async def _do(self, output: LaneOutput) -> None:
        grant, way = output.grant or 0, output.direction
        match output.action:
            case LaneAction.PULSE:
                await self._pulse(grant)
            case LaneAction.PULSE_FREE:
                await self._release_free(way or Direction.ENTRY)
            case LaneAction.HOLD:
                await self._hold(is_open=True)
            case LaneAction.RELOCK:
                await self._hold(is_open=False)
            case LaneAction.AWAIT_TURN:
                self._due(TURN_S, TurnTimedOut(grant))
            case LaneAction.RECORD_PASSED:
                if self._lane.senses:
                    await self._end(Kind.PASSED)
                    self._due(SETTLE_S, Settled(grant))
                    self._tell(Look.PASSED)
            case LaneAction.RECORD_UNRESOLVED:
                await self._end(Kind.PASSED, Flag.UNRESOLVED)
                self._announcer.done()
            case LaneAction.RECORD_NOT_PASSED:
                await self._end(Kind.NOT_PASSED)
            case LaneAction.RECORD_TAILGATING:
                await self.records.note(Kind.TAILGATED, {"grant": grant}, way)
            case LaneAction.RECORD_FORCED:
                await self.records.note(Kind.FORCED, {}, way)
            case LaneAction.RECORD_FREE:
                await self.records.note(Kind.FREE, {}, way or self._usual_way)
                self._health.changed()
            case _:
                assert_never(output.action)

    @property
    def _usual_way(self) -> Direction:
        """Which way people go in free passage where the sensor does not tell."""
        return Direction.EXIT if self.orders.free_why == FIRE else Direction.ENTRY

    async def _pulse(self, grant: int) -> None:
        if self._grant is None:
            return
        try:
            await self._turnstile.release(journal.direction_of(self._grant.direction))
        except TurnstileUnsureError as exc:  # it may have opened: nobody is to be let in twice
            log.exception("nobody knows whether the arm has opened", extra={"reason": str(exc)})
            self._health.broken(CONTROLLER_FAULT)
            await self._feed(Failed(Part.DEVICE))
            return
        except TurnstileFaultError as exc:
            log.exception("relay failed", extra={"reason": str(exc)})
            self._health.broken(RELAY_FAULT)
            await self._feed(PulseFailed(grant))
            return
        self._has_opened = True
        self._health.mended(RELAY_FAULT)
        if self._lane.senses:
            self._due(self._passage_timeout_s, TimedOut(grant))

    async def _release_free(self, direction: Direction) -> None:
        await self._try(lambda: self._turnstile.release(direction))

    async def _hold(self, *, is_open: bool) -> None:
        await self._try(lambda: self._turnstile.hold(is_open))

    async def _try(self, drive: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await drive()
        except TurnstileFaultError as exc:
            log.exception("relay failed", extra={"reason": str(exc)})
            self._health.broken(RELAY_FAULT)
        else:
            self._health.mended(RELAY_FAULT)

    async def _end(self, kind: Kind, flags: Flag | None = None) -> None:
        grant, pending = self._grant, self._pending
        if grant is None or pending is None:
            return
        self._pending = None
        self._turnstile.close()
        await self.records.write(journal.ending(grant, kind, grant.sequence, flags), pending)
        if kind is Kind.NOT_PASSED:
            self._tell(Look.NOT_PASSED)
        self._health.changed()

    def _tell(self, look: Look) -> None:
        """Show how the last grant ended."""
        if self._grant is not None:
            self._announcer.post(Screen(look, journal.direction_of(self._grant.direction)))

    def _due(self, after_s: float, event: _Timer, *, is_put_off: bool = False) -> None:
        due_ns = self._clock.monotonic_ns() + round(after_s * _NS)
        self._deadlines.append(_Deadline(due_ns, event, is_put_off))
