"""Shows a display's screen again now and then: in the next language, or with its pixels moved.

Stands between the announcer and a display, whose driver then needs no task of its own. A display
that was lost is so tried again while nobody comes.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

from appliance.alarm import wait_set
from appliance.errors import DisplayLostError
from appliance.ports import Clock, Display, Look, Screen

VERDICT_S: Final = 1.5  # of one language, on what is shown for a few seconds only
_BRIEF: Final = frozenset({Look.GRANTED, Look.DENIED, Look.NOT_PASSED, Look.PLEASE_PASS})


class Refreshed:
    """The port `Display` over another; `run` shows its screen again."""

    def __init__(self, display: Display, clock: Clock, *, every_s: float, languages: int) -> None:
        """Take a display.

        Args:
            display: what shows.
            clock: counts.
            every_s: how long a resting screen stays as it is.
            languages: in how many it is told in turns.
        """
        self._display = display
        self._clock = clock
        self._every_s = every_s
        self._languages = languages
        self._screen: Screen | None = None
        self._showing = asyncio.Lock()
        self._shown = asyncio.Event()

    async def show(self, screen: Screen) -> None:
        """Show a screen, in the gate's own language first.

        Raises:
            DisplayLostError: as the display.
        """
        self._screen = screen
        self._shown.set()
        async with self._showing:
            await self._display.show(screen)

    async def run(self) -> None:
        """Show the screen again until cancelled; another one begins anew."""
        while True:
            self._shown.clear()
            screen = self._screen
            if screen is None:
                await self._shown.wait()
                continue
            is_brief = screen.look in _BRIEF and self._languages > 1
            wait_s = VERDICT_S if is_brief else self._every_s
            if not await wait_set(self._shown, self._clock, wait_s):
                await self._again(replace(screen, tongue=(screen.tongue + 1) % self._languages))

    async def _again(self, screen: Screen) -> None:
        async with self._showing:
            if self._shown.is_set():
                return  # another one came meanwhile
            self._screen = screen
            with suppress(DisplayLostError):  # the announcer's next screen tells of the loss
                await self._display.show(screen)


class Discreet:
    """The port `Display` over another that stands where everybody looks: names are not shown."""

    def __init__(self, display: Display) -> None:
        """Take a display."""
        self._display = display

    async def show(self, screen: Screen) -> None:
        """Show a screen without whose ticket it is.

        Raises:
            DisplayLostError: as the display.
        """
        await self._display.show(replace(screen, holder=""))
