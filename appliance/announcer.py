"""Tells people: keeps the display, the light and the sound at what happened last.

Called by the gate, never waited for: a one-slot mailbox, the newest screen wins. A broken display
holds nobody up; it is tried again with the next screen.
"""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from appliance.alarm import wait_set
from appliance.errors import DeviceError
from appliance.ports import Clock, Display, Look, Screen, Signals

log = logging.getLogger(__name__)

HOLD_S: Final = {Look.GRANTED: 5.0, Look.DENIED: 2.5, Look.NOT_PASSED: 2.5}


class Announcer:
    """Shows one screen after the other; falls back to the resting one."""

    def __init__(self, displays: list[Display], signals: list[Signals], clock: Clock) -> None:
        """Take the devices.

        Args:
            displays: all show the same.
            signals: lights and sounds, likewise.
            clock: counts how long a screen is held.
        """
        self._displays = displays
        self._signals = signals
        self._clock = clock
        self._resting = Screen(Look.STARTING)
        self._next: Screen | None = None
        self._is_over = False  # what is shown has served its time
        self._posted = asyncio.Event()
        self._lost: set[str] = set()

    def rest_on(self, screen: Screen) -> None:
        """Set what is shown when nothing else is to be said; shown at once if nothing is."""
        if screen != self._resting:
            self._resting = screen
            self._posted.set()

    def post(self, screen: Screen) -> None:
        """Show a screen next; takes the place of one that was not shown yet."""
        self._next = screen
        self._posted.set()

    def done(self) -> None:
        """End what is shown now, and drop what is to be: it has served its time."""
        self._next, self._is_over = None, True
        self._posted.set()

    async def run(self) -> None:
        """Show what is posted until cancelled."""
        while True:
            self._posted.clear()
            self._is_over = False
            screen, self._next = self._next or self._resting, None
            resting = self._resting
            screen = replace(
                screen,
                degraded=resting.degraded,
                degraded_by=resting.degraded_by,
                degraded_min=resting.degraded_min,
            )
            await self._show(screen)
            hold_s = HOLD_S.get(screen.look)
            if hold_s is None:
                await self._posted.wait()
            else:
                await self._hold(hold_s)

    async def _hold(self, hold_s: float) -> None:
        """Keep the screen for its time; only another screen ends it, not a new resting one."""
        until_ns = self._clock.monotonic_ns() + round(hold_s * 1e9)
        while self._next is None and not self._is_over:
            left_s = (until_ns - self._clock.monotonic_ns()) / 1e9
            if left_s <= 0 or not await wait_set(self._posted, self._clock, left_s):
                return
            if self._next is None and not self._is_over:
                self._posted.clear()  # a new resting screen waits its turn

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
