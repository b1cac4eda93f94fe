"""A lane without an arm whose steward says who went through. Bound by `main`.

On a handheld nothing opens and nothing is sensed. Where a ticket may not count as used before its
holder has really gone, the steward's tap is the sensor: `passed` or `not_passed`, one for each
person who was let through. A tap for nobody changes nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from admission.scan import Direction
from appliance.ports import LaneEvent

_PASSED = {Direction.ENTRY: LaneEvent.PASSED_ENTRY, Direction.EXIT: LaneEvent.PASSED_EXIT}


class ConfirmedPassage:
    """The ports `Turnstile` and `Confirming` over a steward's taps; for one running loop."""

    def __init__(self) -> None:
        self._awaits: Direction | None = None
        self._said: deque[LaneEvent] = deque()
        self._stirred = asyncio.Event()

    @property
    def has_sensor(self) -> bool:
        """Always: the steward is the sensor."""
        return True

    @property
    def awaits(self) -> Direction | None:
        """Which way somebody was let through whose going is to be confirmed; None for nobody."""
        return self._awaits

    async def release(self, direction: Direction) -> None:
        """Await a tap; the way is open."""
        self._awaits = direction

    def close(self) -> None:
        """Await nobody any more: the grant has ended."""
        self._awaits = None

    async def hold(self, is_open: bool) -> None:
        """Await nobody any more: who goes in free passage is not confirmed."""
        self._awaits = None

    def passed(self) -> bool:
        """Say that the person went; tell whether anybody was awaited."""
        return self._say(None if self._awaits is None else _PASSED[self._awaits])

    def not_passed(self) -> bool:
        """Say that the person did not go; tell whether anybody was awaited."""
        return self._say(None if self._awaits is None else LaneEvent.NOT_PASSED)

    async def events(self) -> AsyncIterator[LaneEvent]:
        """Yield what the steward says, until cancelled; for one consumer."""
        while True:
            self._stirred.clear()
            while self._said:
                yield self._said.popleft()
            await self._stirred.wait()

    def rest(self) -> None:
        """Await nobody; there is no output."""
        self._awaits = None

    def _say(self, event: LaneEvent | None) -> bool:
        if event is None:
            return False
        self._awaits = None
        self._said.append(event)
        self._stirred.set()
        return True
