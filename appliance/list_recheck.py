"""Reads the lists in use again, every hour: a byte that changed on the card is found. One task.

What it finds is acted on by the list keeper. Nobody waits for it: it reads in a thread, in chunks.
"""

import logging
from collections.abc import Callable
from typing import Final

from appliance.errors import StorageError
from appliance.lists import ListKeeper
from appliance.ports import Clock

log = logging.getLogger(__name__)

RECHECK_S: Final = 3600.0  # a list of a million takes a slow card some seconds


class ListRecheck:
    """Has the list keeper check what is in use, time and again.

    Args:
        keeper: the lists.
        clock: counts the time between.
        found: called when a list was found damaged: others are in use now, and it is to be fetched.
    """

    def __init__(self, keeper: ListKeeper, clock: Clock, found: Callable[[], None]) -> None:
        self._keeper = keeper
        self._clock = clock
        self._found = found

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self._clock.sleep(RECHECK_S)
            await self.check()

    async def check(self) -> None:
        """Check once."""
        try:
            is_good = await self._keeper.check_again()
        except StorageError as exc:  # the list is out of use all the same; the journal is not ours
            log.error("damaged list not written down", extra={"reason": str(exc)})  # noqa: TRY400
            is_good = False
        if not is_good:
            self._found()
