"""Tells people: keeps the display, the light and the sound at what happened last.

Called by the gate, never waited for: a one-slot mailbox, the newest screen wins. A broken display
holds nobody up; it is tried again with the next screen.
"""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.errors import DeviceError
from appliance.ports import Clock, Display, Look, Screen, Signals

log = logging.getLogger(__name__)

_NS: Final = 1_000_000_000
_UNTIL_DONE_S: Final = 86_400.0
HOLD_S: Final = {
    Look.HOLD_STILL: 1.0,  # whoever sees the code says so again
    Look.GRANTED: 5.0,
    Look.PLEASE_PASS: 60.0,  # longer than any lane waits: it says itself how it ends
    Look.PASSED: 1.0,
    Look.DENIED: 2.5,
    Look.NOT_PASSED: 2.5,
}
VERDICT_S: Final = 2.0  # of an admission that is followed by "please pass"
ATTENTION_S: Final = 4.0  # likewise, where a steward has to read what to look at
LANGUAGE_S: Final = 1.5  # as long as a verdict is at least told in each of several languages
# Nothing takes the place of a refusal before its person saw it, but an emergency, and an admission:
# the light has to go with the arm.
STANDS_S: Final = {Look.DENIED: 1.0}
EMERGENCIES: Final = frozenset({Look.FREE_PASSAGE, Look.LOCKED_DOWN})


class Announcer:
    """Shows one screen after the other; falls back to the resting one."""

    def __init__(
        self, displays: list[Display], signals: list[Signals], clock: Clock, languages: int = 1
    ) -> None:
        """Take the devices.

        Args:
            displays: all show the same.
            signals: lights and sounds, likewise.
            clock: counts how long a screen is held.
            languages: in how many the displays tell a verdict, one after the other.
        """
        self._displays = displays
        self._signals = signals
        self._clock = clock
        self._languages = languages
        self._resting = Screen(Look.STARTING)
        self._shown = self._resting
        self._is_alarm_told = False  # the emergency on which the gate rests has been shown
        self._next: Screen | None = None
        self._then: Screen | None = None  # what follows the next one when that had its time
        self._after: Screen | None = None  # what follows the one that is shown
        self._is_over = False  # what is shown has served its time
        self._posted = asyncio.Event()
        self._lost: set[str] = set()

    @property
    def lost(self) -> frozenset[str]:
        """Devices that did not do what was asked of them last: `display 0`, `signals 0`."""
        return frozenset(self._lost)

    def rest_on(self, screen: Screen) -> None:
        """Set what is shown when nothing else is to be said; shown at once if nothing is.

        An emergency is shown at once whatever is to be said; in a free passage nothing else is.
        """
        if screen != self._resting:
            if screen.look is not self._resting.look:
                self._is_alarm_told = False
            self._resting = screen
            self._posted.set()

    def post(self, screen: Screen, then: Screen | None = None) -> None:
        """Show a screen next; takes the place of one that was not shown yet.

        That a code cannot be read is told only where nothing else is.

        Args:
            screen: what to show.
            then: what follows it when it had its time, in the place of the resting screen.
        """
        if screen.look is Look.HOLD_STILL and not self._is_at_rest():
            return
        self._next, self._then = screen, then
        self._posted.set()

    def unread(self, direction: Direction) -> None:
        """Say that a code is seen which cannot be read; said again for as long as it is so.

        Told only where people are asked to show their tickets: a gate that is closed, out of
        service or free to all asks nobody to hold anything.
        """
        if self._resting.look is Look.IDLE:
            self.post(Screen(Look.HOLD_STILL, direction, occupancy=self._resting.occupancy))

    def done(self) -> None:
        """End what is shown now, and drop what is to be: it has served its time."""
        self._next = self._then = self._after = None
        self._is_over = True
        self._posted.set()

    async def run(self) -> None:
        """Show what is posted until cancelled."""
        told: Screen | None = None
        while True:
            self._posted.clear()
            screen = self._shown = self._take()
            self._is_over = False
            resting = self._resting
            screen = replace(
                screen,
                degraded=resting.degraded,
                degraded_by=resting.degraded_by,
                degraded_min=resting.degraded_min,
            )
            begun_ns = self._clock.monotonic_ns()
            if screen != told or screen.look is not Look.HOLD_STILL:  # else its light would stutter
                await self._show(screen)
            told = screen
            if self._shown is resting:
                self._is_alarm_told = True
                await self._posted.wait()
            else:
                await self._hold(begun_ns)

    def _take(self) -> Screen:
        """Give what is to be shown now."""
        if self._is_alarm_new():
            self._next = self._then = self._after = None
        if self._resting.look is Look.FREE_PASSAGE:  # nobody is answered: everybody goes
            self._next = self._then = self._after = None
            return self._resting
        if self._next is not None:
            screen, self._after = self._next, self._then
            self._next = self._then = None
            return screen
        if self._after is not None:
            screen, self._after = self._after, None
            return screen
        return self._resting

    def _is_at_rest(self) -> bool:
        shown = self._next or self._shown
        return shown is self._resting or shown.look is Look.HOLD_STILL

    async def _hold(self, begun_ns: int) -> None:
        """Keep the screen for its time; another one ends it, not a new resting one."""
        hold_s = self._hold_s()
        while not self._is_alarm_new():
            passed_s = (self._clock.monotonic_ns() - begun_ns) / _NS
            stands_s = self._stands_s()
            if self._is_over or (self._next is not None and passed_s >= stands_s):
                return
            wait_s = (hold_s if self._next is None else stands_s) - passed_s
            if wait_s <= 0:
                return
            self._posted.clear()  # a new resting screen waits its turn
            await wait_set(self._posted, self._clock, wait_s)

    def _is_alarm_new(self) -> bool:
        """Tell whether an emergency has begun that was not shown yet."""
        return self._resting.look in EMERGENCIES and not self._is_alarm_told

    def _stands_s(self) -> float:
        goes = self._next is not None and self._next.look is Look.GRANTED
        return 0.0 if goes else STANDS_S.get(self._shown.look, 0.0)

    def _hold_s(self) -> float:
        look = self._shown.look
        if look is Look.GRANTED and self._after is not None:
            hold_s = ATTENTION_S if self._shown.attention else VERDICT_S
        else:
            hold_s = HOLD_S.get(look, _UNTIL_DONE_S)
        if look in (Look.GRANTED, Look.DENIED) and self._languages > 1:
            return max(hold_s, LANGUAGE_S * self._languages)
        return hold_s

    async def _show(self, screen: Screen) -> None:
        for place, signals in enumerate(self._signals):
            await self._try(f"signals {place}", signals.signal(screen))
        for place, display in enumerate(self._displays):
            await self._try(f"display {place}", display.show(screen))

    async def _try(self, device: str, telling: Awaitable[None]) -> None:
        try:
            await telling
        except DeviceError as exc:
            if device not in self._lost:
                log.warning("device lost", extra={"device": device, "reason": str(exc)})
            self._lost.add(device)
        else:
            if device in self._lost:
                log.info("device is back", extra={"device": device})
            self._lost.discard(device)

    def rest(self) -> None:
        """Everything dark and silent, now; called on every way out."""
        for signals in self._signals:
            signals.rest()
