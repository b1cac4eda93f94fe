"""The lane's shell: feeds sensor and time to the state machine, and does what it says.

Called by the gate. Writes every end of a grant down; keeps the pending one counted while it is.
What the disk does not take is owed: it is written, in order, as soon as there is room again.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Final, assert_never

from admission import journal
from admission.journal import PREVIOUS, Flag, Kind, Record
from admission.lane import (
    Granted,
    Lane,
    LaneAction,
    LaneInput,
    LaneOutput,
    LaneState,
    Passed,
    PulseFailed,
    Repaired,
    Settled,
    TimedOut,
    Unlock,
)
from admission.passage import History, Passage
from appliance.alarm import wait_set
from appliance.announcer import Announcer
from appliance.errors import StorageError, TurnstileFaultError
from appliance.health import Health
from appliance.hinting import Hinting
from appliance.ports import Clock, LaneEvent, Look, Screen, Turnstile
from appliance.recording import Recorder

log = logging.getLogger(__name__)

SETTLE_S: Final = 1.0  # a second turn of the arm within it belongs to the same grant
WORD_S: Final = 0.05  # the sensor's word of what was in time takes so long to come here,
STOOD_STILL_S: Final = (
    0.2  # but where a time is noticed so late, the machine did nothing meanwhile,
)
LATE_WORD_S: Final = 0.5  # and the word of that while may take so long
DISK_RETRY_S: Final = 5.0
OWED_MAX: Final = 1000  # beyond, turns of the arm without a grant are no longer kept
_NS: Final = 1_000_000_000
COMMIT_S_MAX: Final = 5.0
RELAY_FAULT: Final = "GT-RLY"
_PASSAGES: Final = (LaneEvent.PASSED, LaneEvent.PASSED_ENTRY, LaneEvent.PASSED_EXIT)


@dataclass(frozen=True, slots=True)
class _Owed:
    """A record that is still to be written.

    Attributes:
        draft: the record to be.
        pending: what counts in its place until it is written, or None.
    """

    draft: Record
    pending: Passage | None = None


@dataclass(frozen=True, slots=True)
class _Deadline:
    """A time that runs out.

    Attributes:
        due_ns: when.
        event: what that means to the lane.
        is_put_off: whether the sensor was given the time to tell what happened before.
    """

    due_ns: int
    event: TimedOut | Settled
    is_put_off: bool = False


class LaneKeeper:
    """One lane's arm, sensor and time.

    Attributes:
        stirred: set when there is something for the gate to look at.
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
    ) -> None:
        """Take what the lane works with.

        Args:
            turnstile: the arm.
            recorder: the journal's pen.
            history: a pending grant counts in it as a passage.
            health: told of faults.
            announcer: told when nobody went through.
            hinting: tells other gates, after the arm was told.
            clock: counts the time that a grant waits.
            passage_timeout_s: that time.
            commit_s_max: a grant that takes longer to be on the disk opens nothing any more: its
                person has gone, and another may stand there.
        """
        self.stirred = asyncio.Event()
        self._turnstile = turnstile
        self._recorder = recorder
        self._history = history
        self._health = health
        self._announcer = announcer
        self._hinting = hinting
        self._clock = clock
        self._passage_timeout_s = passage_timeout_s
        self._commit_ns_max = round(commit_s_max * _NS)
        self._is_late = False
        self._is_in_doubt = False
        self._lane, _ = Lane(turnstile.has_sensor).step(Unlock())
        self._journal_id = recorder.journal.id
        self._sensed: deque[LaneInput] = deque()
        self._deadlines: list[_Deadline] = []
        self._owed: deque[_Owed] = deque()
        self._retry_ns = 0
        self._grant: Record | None = None
        self._pending: Passage | None = None

    @property
    def is_busy(self) -> bool:
        """Whether somebody may be going through on a grant."""
        return self._lane.is_busy

    @property
    def is_settled(self) -> bool:
        """Whether every grant that was given has its end in the journal."""
        return not self._lane.is_busy and not self._owed

    async def watch(self) -> None:
        """Listen to the arm's sensor until cancelled."""
        async for event in self._turnstile.events():
            if event in _PASSAGES:
                self._sensed.append(Passed())
            elif event is LaneEvent.NOT_PASSED and self._lane.pending is not None:
                self._sensed.append(TimedOut(self._lane.pending))
            self.stirred.set()

    async def wait(self) -> None:
        """Wait until something has happened or a time has run out."""
        is_due = self._owed or self._is_in_doubt
        times = [one.due_ns for one in self._deadlines] + ([self._retry_ns] if is_due else [])
        if not times:
            await self.stirred.wait()
        else:
            left_ns = min(times) - self._clock.monotonic_ns()
            if left_ns > 0:
                await wait_set(self.stirred, self._clock, left_ns / _NS)
        self.stirred.clear()

    async def settle(self) -> None:
        """Take in everything that the sensor and the clock have to say."""
        while self._sensed:
            await self._feed(self._sensed.popleft())
        now_ns = self._clock.monotonic_ns()
        due = [one for one in self._deadlines if one.due_ns <= now_ns]
        self._deadlines = [late for late in self._deadlines if late.due_ns > now_ns]
        for one in due:
            if one.is_put_off:
                await self._feed(one.event)
            else:  # what was in time is heard of first
                stood_still = now_ns - one.due_ns >= STOOD_STILL_S * _NS
                self._due(LATE_WORD_S if stood_still else WORD_S, one.event, is_put_off=True)
        if (self._owed or self._is_in_doubt) and self._retry_ns <= now_ns:
            await self._pay()

    def retry(self) -> None:
        """Write what is owed now: the card works again."""
        self._retry_ns, self._is_in_doubt = 0, True
        self.stirred.set()

    def take_late(self) -> bool:
        """Tell whether the last grant was written too late to open; asked once."""
        is_late, self._is_late = self._is_late, False
        return is_late

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
        await self._pay()  # what is owed comes first, also in the journal
        if self._recorder.journal.id != self._journal_id:
            self._begin_anew()
        if not self._lane.takes_grants:  # the relay failed before: try it anew
            await self._feed(Repaired())
            await self._feed(Unlock())
        if self._lane.has_sensor:
            (self._grant,) = await self._recorder.write(draft, is_awaited=True)
            self._pending = journal.pending_of(self._recorder.journal.id, self._grant)
            self._history.pend(self._pending)
        else:
            ending = journal.ending(draft, Kind.PASSED, PREVIOUS, Flag.NO_SENSOR)
            self._grant, passed = await self._recorder.write(draft, ending, is_awaited=True)
            self._remember(passed)
        if self._clock.monotonic_ns() - begun_ns >= self._commit_ns_max:
            log.error("grant written too late to open", extra={"grant": self._grant.sequence})
            self._is_late = True
            await self._end(Kind.NOT_PASSED)  # without a sensor it stays a passage: see ADR 15
            return False
        granted = self._grant
        await self._feed(Granted(granted.sequence))
        if self._lane.state is LaneState.FAULT:
            return False
        self._hinting.granted(granted)
        return True

    def _begin_anew(self) -> None:
        """Count grants as another journal does: from its beginning; late times are of the old."""
        self._journal_id = self._recorder.journal.id
        self._deadlines.clear()
        self._lane = self._lane.renumbered()

    def rest(self) -> None:
        """Bring the arm to rest, now.

        Raises:
            TurnstileFaultError: if it cannot be.
        """
        self._turnstile.rest()

    async def _feed(self, event: LaneInput) -> None:
        self._lane, outputs = self._lane.step(event)
        for output in outputs:
            await self._do(output)

    async def _do(self, output: LaneOutput) -> None:
        grant = output.grant or 0
        match output.action:
            case LaneAction.PULSE:
                await self._pulse(grant)
            case LaneAction.RECORD_PASSED:
                if self._lane.has_sensor:
                    await self._end(Kind.PASSED)
                    self._due(SETTLE_S, Settled(grant))
                    self._tell(Look.PASSED)
            case LaneAction.RECORD_UNRESOLVED:
                await self._end(Kind.PASSED, Flag.UNRESOLVED)
            case LaneAction.RECORD_NOT_PASSED:
                await self._end(Kind.NOT_PASSED)
            case LaneAction.RECORD_TAILGATING:
                await self._note(Kind.TAILGATED, {"grant": grant})
            case LaneAction.RECORD_FORCED:
                await self._note(Kind.FORCED, {})
            case _:
                assert_never(output.action)

    async def _pulse(self, grant: int) -> None:
        if self._grant is None:
            return
        try:
            await self._turnstile.release(journal.direction_of(self._grant.direction))
        except TurnstileFaultError as exc:
            log.exception("relay failed", extra={"reason": str(exc)})
            self._health.broken(RELAY_FAULT)
            await self._feed(PulseFailed(grant))
            return
        self._health.mended(RELAY_FAULT)
        if self._lane.has_sensor:
            self._due(self._passage_timeout_s, TimedOut(grant))

    async def _end(self, kind: Kind, flags: Flag | None = None) -> None:
        grant, pending = self._grant, self._pending
        if grant is None or pending is None:
            return
        self._pending = None
        self._turnstile.close()
        draft = journal.ending(grant, kind, grant.sequence, flags)
        await self._write(_Owed(draft, pending))
        if kind is Kind.NOT_PASSED:
            self._tell(Look.NOT_PASSED)
        self._health.changed()

    def _tell(self, look: Look) -> None:
        """Show how the last grant ended."""
        if self._grant is not None:
            self._announcer.post(Screen(look, journal.direction_of(self._grant.direction)))

    async def _note(self, kind: Kind, detail: dict[str, str | int]) -> None:
        if len(self._owed) >= OWED_MAX:
            log.error("a turn of the arm is not kept", extra={"kind": kind.name})
            return
        checkpoint = self._health.checkpoint
        where = "" if checkpoint is None else checkpoint.id
        await self._write(_Owed(self._recorder.event(kind, checkpoint=where, detail=detail)))

    async def _write(self, owed: _Owed) -> None:
        self._owed.append(owed)
        await self._pay()

    async def _pay(self) -> None:
        """Write what is owed; what the disk still does not take is tried again later.

        A grant whose end is owed stays open in the journal and counts as a passage, which a
        restart would make of it, too.
        """
        while self._owed:
            owed = self._owed[0]
            try:
                (record,) = await self._recorder.write(owed.draft)
            except StorageError as exc:
                self._put_off(exc)
                return
            self._owed.popleft()
            if owed.pending is not None:
                self._history.take_back(owed.pending)
            self._remember(record)
            self._hinting.ended(record)
        if self._is_in_doubt:
            await self._take_found()

    def _put_off(self, exc: StorageError) -> None:
        if not self._health.is_stopped:
            log.error("record not written yet", extra={"reason": str(exc)})
        self._retry_ns = self._clock.monotonic_ns() + round(DISK_RETRY_S * _NS)
        self._health.broken(exc.fault)

    async def _take_found(self) -> None:
        """Account for what is in the journal though the card said that it was not written.

        Its grant opened nothing. Where the passage was written with it, it counts: nobody may be
        let in twice.
        """
        try:
            found = await self._recorder.journal.found()
        except StorageError as exc:
            self._put_off(exc)
            return
        self._is_in_doubt = False
        ended = {record.refers_to for record in found}
        for record in found:
            self._remember(record)
            if record.kind == Kind.GRANTED and record.sequence not in ended:
                ending = journal.ending(record, Kind.NOT_PASSED, record.sequence)
                await self._write(_Owed(ending))

    def _remember(self, record: Record) -> None:
        fact = journal.fact_of(self._recorder.journal.id, record)
        if fact is not None:
            self._history.add(fact)

    def _due(self, after_s: float, event: TimedOut | Settled, *, is_put_off: bool = False) -> None:
        due_ns = self._clock.monotonic_ns() + round(after_s * _NS)
        self._deadlines.append(_Deadline(due_ns, event, is_put_off))
