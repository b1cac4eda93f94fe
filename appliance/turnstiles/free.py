"""A lane without an arm: handhelds, an open door with a steward. Bound by `main`."""

import asyncio
from collections.abc import AsyncIterator

from admission.scan import Direction
from appliance.ports import LaneEvent


class FreePassage:
    """The port `Turnstile` where there is nothing to open and nothing is sensed."""

    @property
    def has_sensor(self) -> bool:
        """Never: a grant is a passage here."""
        return False

    async def release(self, direction: Direction) -> None:
        """Do nothing: the way is open."""

    def close(self) -> None:
        """Do nothing: the way stays open."""

    async def hold(self, is_open: bool) -> None:
        """Do nothing: the way is open."""

    async def events(self) -> AsyncIterator[LaneEvent]:
        """Never yield; waits to be cancelled."""
        nobody: tuple[LaneEvent, ...] = ()
        await asyncio.Event().wait()
        for event in nobody:
            yield event

    def rest(self) -> None:
        """Do nothing: there is no output."""
