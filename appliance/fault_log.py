"""Writes down when each fault begins and when it is over. Called by health; `run` is a task.

The moment of a record is that of the fault: one that says that the card failed is written when it
works again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Collection
from typing import Final

from admission.journal import Kind, Record
from appliance.errors import StorageError
from appliance.ports import Clock
from appliance.recording import Recorder

log = logging.getLogger(__name__)

OWED_MAX: Final = 200  # beyond, what begins and ends is in the log only
RETRY_S: Final = 5.0
BEGUN, OVER = "begun", "over"
# what finds these writes them down itself, with more about them; a lock is no fault
WRITTEN_ELSEWHERE: Final = frozenset({"GT-LCK", "GT-FORK", "GT-REV"})


class FaultLog:
    """The journal's lines about faults."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        """Take the journal's pen, and the clock that a further try is timed by."""
        self._recorder = recorder
        self._clock = clock
        self._known: frozenset[str] = frozenset()
        self.since_ns: dict[str, int] = {}  # of each fault there is now, on the steady clock
        self._owed: deque[Record] = deque()
        self._stirred = asyncio.Event()

    def take(self, faults: Collection[str]) -> None:
        """Note which faults there are now."""
        at_ns = self._clock.monotonic_ns()
        self.since_ns = {code: self.since_ns.get(code, at_ns) for code in faults}
        now = frozenset(faults) - WRITTEN_ELSEWHERE
        if now == self._known:
            return
        changes = [(code, BEGUN) for code in sorted(now - self._known)]
        changes += [(code, OVER) for code in sorted(self._known - now)]
        self._known = now
        for code, state in changes:
            if len(self._owed) < OWED_MAX:
                detail = {"code": code, "state": state}
                self._owed.append(self._recorder.event(Kind.FAULT, detail=detail))
        self._stirred.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._owed:
                try:
                    await self._recorder.write(self._owed[0])
                except StorageError:  # it is told where the card is kept
                    await self._clock.sleep(RETRY_S)
                else:
                    self._owed.popleft()
