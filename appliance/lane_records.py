"""What a lane owes its journal: ends of grants and turns of the arm, in order, sooner or later.

Called by the lane keeper. What the disk does not take is owed: it is written as soon as there is
room again, and what a grant counted as until then stays counted.
"""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from admission import journal
from admission.journal import Kind, Record
from admission.passage import History, Passage
from admission.scan import Direction
from appliance.errors import StorageError
from appliance.health import Health
from appliance.hinting import Hinting
from appliance.ports import Clock
from appliance.recording import Recorder

log = logging.getLogger(__name__)

DISK_RETRY_S: Final = 5.0
OWED_MAX: Final = 1000  # beyond, turns of the arm without a grant are no longer kept
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Owed:
    """A record that is still to be written.

    Attributes:
        draft: the record to be.
        pending: what counts in its place until it is written, or None.
    """

    draft: Record
    pending: Passage | None = None


class LaneRecords:
    """What is still to be written of a lane."""

    def __init__(
        self, recorder: Recorder, history: History, health: Health, hinting: Hinting, clock: Clock
    ) -> None:
        """Take the pen and whoever is told of what was written."""
        self._recorder = recorder
        self._history = history
        self._health = health
        self._hinting = hinting
        self._clock = clock
        self._owed: deque[_Owed] = deque()
        self._is_in_doubt = False
        self._retry_ns = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is owed."""
        return not self._owed

    @property
    def due_ns(self) -> int | None:
        """When `pay` is to be called, or None while nothing is owed."""
        return self._retry_ns if self._owed or self._is_in_doubt else None

    def retry(self) -> None:
        """Have what is owed written now: the card works again."""
        self._retry_ns, self._is_in_doubt = 0, True

    async def note(
        self,
        kind: Kind,
        detail: Mapping[str, str | int],
        direction: Direction | None = None,
    ) -> None:
        """Write down something that is no end of a grant; it happens now."""
        if len(self._owed) >= OWED_MAX:
            log.error("a turn of the arm is not kept", extra={"kind": kind.name})
            return
        checkpoint = self._health.checkpoint
        where = "" if checkpoint is None else checkpoint.id
        draft = self._recorder.event(kind, checkpoint=where, detail=detail, direction=direction)
        await self.write(draft)

    async def write(self, draft: Record, pending: Passage | None = None) -> None:
        """Write a record, or owe it.

        Args:
            draft: the record to be.
            pending: what counts in its place until it is written.
        """
        self._owed.append(_Owed(draft, pending))
        await self.pay()

    async def pay(self) -> None:
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
            self.remember(record)
            self._hinting.ended(record)
        if self._is_in_doubt:
            await self._take_found()

    def remember(self, record: Record) -> None:
        """Let a fact that was written count."""
        fact = journal.fact_of(self._recorder.journal.id, record)
        if fact is not None:
            self._history.add(fact)

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
            self.remember(record)
            if record.kind == Kind.GRANTED and record.sequence not in ended:
                await self.write(journal.ending(record, Kind.NOT_PASSED, record.sequence))
