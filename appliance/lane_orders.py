"""What is ordered beside tickets: the alarm, the staff's inputs, free passage and its end.

Called by the lane keeper, which does one thing at a time. Free passage is written down when it
begins and when it ends, so that a restart does not end it. An alarm is told to the lane before it
is written: its own wire has freed the arm already, and nobody waits for a disk.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from admission.journal import Kind
from admission.lane import Lane
from admission.lane_events import EndFree, FireAlarm, FireOver, HoldOpen, LaneInput
from admission.scan import Direction
from appliance.fault_codes import FIRE_FAULT
from appliance.health import Health
from appliance.lane_records import LaneRecords
from appliance.ports import LaneEvent
from appliance.recording import Recorder

log = logging.getLogger(__name__)

STAFF: Final = "staff switch"
STAFF_BUTTON: Final = "staff button"
FIRE: Final = "fire alarm"
BEGUN, OVER = "begun", "over"
Feed = Callable[[LaneInput], Awaitable[None]]
OpenOnce = Callable[[Direction, str], Awaitable[None]]


class LaneOrders:
    """The alarm, the staff's switches, and who holds the passage free.

    Attributes:
        free_why: what the free passage began with, "" while there is none.
    """

    def __init__(
        self,
        *,
        feed: Feed,
        lane: Callable[[], Lane],
        open_once: OpenOnce,
        records: LaneRecords,
        recorder: Recorder,
        health: Health,
    ) -> None:
        """Take what orders are carried out by.

        Args:
            feed: gives the lane an event and does what it says.
            lane: gives the lane as it is.
            open_once: lets one person through by somebody's word, if the lane can.
            records: what is written.
            recorder: the journal's pen; its journal is asked at the start.
            health: told of alarm, lock and free passage.
        """
        self._feed = feed
        self._lane = lane
        self._open_once = open_once
        self._records = records
        self._recorder = recorder
        self._health = health
        self.free_why = ""

    async def restore(self) -> None:
        """Go on with a free passage that nobody has ended.

        Raises:
            StorageError: if the journal cannot be read.
        """
        last = await self._recorder.journal.last_of(Kind.FREE_PASSAGE)
        if last is not None and last.detail.get("phase") == BEGUN:
            log.warning("free passage goes on")
            self.free_why = str(last.detail.get("why", "")) or FIRE
            await self._feed(HoldOpen())
            self._tell()

    async def take(self, event: LaneEvent) -> None:
        """Carry out what an input says; what is no order is none of ours."""
        match event:
            case LaneEvent.FIRE:
                await self._alarm()
            case LaneEvent.FIRE_OVER:
                await self._feed(FireOver())
                self._health.mended(FIRE_FAULT)
                await self._records.note(Kind.ALARM, {"phase": OVER})
            case LaneEvent.OPEN_ENTRY | LaneEvent.OPEN_EXIT:
                await self._open_once(event.direction or Direction.ENTRY, STAFF_BUTTON)
            case LaneEvent.HOLD:
                await self.begin_free(STAFF)
            case LaneEvent.HOLD_OVER:
                if self.free_why == STAFF:  # what an alarm began is not ended by turning a key back
                    await self.end_free(STAFF)
            case LaneEvent.LOCK:
                self._health.staff_locked(is_locked=True)
                await self.end_free(STAFF)
            case LaneEvent.LOCK_OVER:
                self._health.staff_locked(is_locked=False)
            case _:
                pass

    async def begin_free(self, why: str) -> bool:
        """Free the passage by the word of somebody in charge; tell whether it was not free."""
        if self._lane().is_free:
            return False
        log.warning("free passage", extra={"why": why})
        self.free_why = why
        await self._records.note(Kind.FREE_PASSAGE, {"phase": BEGUN, "why": why})
        await self._feed(HoldOpen())
        self._tell()
        return True

    async def end_free(self, why: str) -> bool:
        """End free passage by the word of somebody in charge; tell whether it has ended.

        It does not while there is an alarm.
        """
        if not self._lane().is_free:
            return False
        if self._lane().is_fire:
            log.warning("free passage goes on: there is an alarm", extra={"why": why})
            return False
        log.warning("free passage is over", extra={"why": why})
        self.free_why = ""
        await self._records.note(Kind.FREE_PASSAGE, {"phase": OVER, "why": why})
        await self._feed(EndFree())
        self._tell()
        return True

    async def _alarm(self) -> None:
        is_known = self.free_why == FIRE  # it goes on from before a restart, or rings again
        await self._feed(FireAlarm())
        self.free_why = FIRE
        self._health.noted(FIRE_FAULT)
        self._tell()
        await self._records.note(Kind.ALARM, {"phase": BEGUN})
        if not is_known:
            await self._records.note(Kind.FREE_PASSAGE, {"phase": BEGUN, "why": FIRE})

    def _tell(self) -> None:
        self._health.free_passage(is_free=self._lane().is_free)
