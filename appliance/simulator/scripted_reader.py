"""A reader that reads what it is told to, when it is told to. Bound by tests and demonstrations."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterable
from typing import Final

from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.beat import Beat
from appliance.ports import Clock, Payload

_NS_PER_S: Final = 1_000_000_000


class ScriptedReader:
    """The port `Reader` over a script.

    Args:
        name: the reader's name.
        direction: the way it lets people go.
        clock: tells when a line of the script is due.
        script: pairs of seconds from now and the code's bytes; more may be presented later.
    """

    def __init__(
        self,
        name: str,
        direction: Direction,
        clock: Clock,
        script: Iterable[tuple[float, bytes]] = (),
    ) -> None:
        self._name = name
        self._direction = direction
        self._clock = clock
        self._due: list[tuple[int, int, bytes, str, bool]] = []
        self._presented = 0
        self._stirred = asyncio.Event()
        self._is_alive = False
        self.beat = Beat(self._stirred.set)
        for after_s, data in script:
            self.present(data, after_s=after_s)

    def present(
        self,
        data: bytes,
        *,
        after_s: float = 0.0,
        symbology: str = "",
        is_tentative: bool = False,
    ) -> None:
        """Hold a code before the reader, now or in some seconds; or let a camera look once."""
        at_ns = self._clock.monotonic_ns() + round(after_s * _NS_PER_S)
        self._presented += 1
        heapq.heappush(self._due, (at_ns, self._presented, data, symbology, is_tentative))
        self._stirred.set()

    def is_alive(self) -> bool:
        """Tell whether somebody reads the payloads."""
        return self._is_alive

    @property
    def trouble(self) -> str:
        """Nothing is ever wrong with a script."""
        return ""

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield each code when it is due, for ever.

        Cancel: leaves what is not due yet for the next call.
        """
        self._is_alive = True
        try:
            while True:
                yield await self._next()
        finally:
            self._is_alive = False
            self.beat.away()

    async def _next(self) -> Payload:
        while True:
            self._stirred.clear()
            self.beat.round()
            if not self._due:
                await self._stirred.wait()
                continue
            at_ns = self._due[0][0]
            wait_ns = at_ns - self._clock.monotonic_ns()
            if wait_ns > 0:
                await wait_set(self._stirred, self._clock, wait_ns / _NS_PER_S)
                continue
            at_ns, _, data, symbology, is_tentative = heapq.heappop(self._due)
            return Payload(self._name, self._direction, data, symbology, at_ns, is_tentative)
