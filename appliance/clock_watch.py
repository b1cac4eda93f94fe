"""Looks at the clocks while nobody is at the gate, and writes down when one was set. A task."""

import logging
from collections.abc import Callable
from typing import Final

from admission.journal import Kind
from appliance.errors import StorageError
from appliance.recording import Recorder
from appliance.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

WATCH_S: Final = 5.0


class ClockWatch:
    """Keeps an eye on the trusted clock."""

    def __init__(
        self, clock: TrustedClock, recorder: Recorder, changed: Callable[[], None]
    ) -> None:
        """Take what is watched, and who wants to know.

        Args:
            clock: trusted time.
            recorder: the journal's pen.
            changed: called when the time came by another word, or none, than before.
        """
        self._clock = clock
        self._recorder = recorder
        self._changed = changed

    async def run(self) -> None:
        """Go on until cancelled."""
        known = self._clock.look().quality
        while True:
            await self.write_steps()
            await self._clock.sleep(WATCH_S)
            quality = self._clock.look().quality
            if quality is not known:
                log.warning("time is known otherwise", extra={"quality": quality.value})
                known = quality
                self._changed()

    async def write_steps(self) -> None:
        """Write down each step that was noticed, once; what the disk does not take stays."""
        steps = self._clock.steps
        for sort in list(steps):
            step = steps.pop(sort)
            try:
                await self._recorder.note(Kind.CLOCK_STEP, detail=step.detail)
            except StorageError as exc:
                self._clock.owe(sort, step)  # for the next look
                log.warning("step of the clock not written yet", extra={"reason": str(exc)})
