"""Shows that a loop still goes round: whoever asks is answered by its next round.

Owned by the loops of readers and lane, asked by the watch over the daemon (`life_ports`). Knows no
clock: how long an answer may take is the asker's business.
"""

import asyncio
from collections.abc import Callable


class Beat:
    """One loop's sign of life.

    Args:
        stir: wakes the loop, so that one with nothing to do goes round, too.
    """

    def __init__(self, stir: Callable[[], None] = lambda: None) -> None:
        self._stir = stir
        self._asked: asyncio.Event | None = None
        self._is_away = True  # until somebody runs the loop

    async def next(self) -> None:
        """Wait until the loop has gone round; at once while it is away.

        Cancel: nobody waits any more; the loop does not notice.
        """
        if self._is_away:
            return
        self._asked = asked = self._asked or asyncio.Event()
        self._stir()
        await asked.wait()

    def round(self) -> None:
        """Note that the loop has gone round, and is there. Called by the loop."""
        self._is_away = False
        self._answer()

    def away(self) -> None:
        """Note that the loop waits for what is outside, as for a device: that is no hang."""
        self._is_away = True
        self._answer()

    def _answer(self) -> None:
        if self._asked is not None:
            self._asked.set()
            self._asked = None
