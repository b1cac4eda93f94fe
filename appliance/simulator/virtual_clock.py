"""A Clock that moves only when it is told to. Bound by tests and by simulations.

Nothing here waits for real time. Sleepers wake in the order of their deadlines, those with the
same deadline in the order in which they lay down, so that a run is the same every time.
"""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from admission.trust.trusted_time import TimeQuality

_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_SETTLE_ROUNDS: Final = 20  # a woken task hands on to the next through a few loop rounds at most
_START: Final = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)


@dataclass(order=True)
class Due:
    """Something that happens when the clock gets there.

    Attributes:
        at_ns: when.
        number: which of those due at one time comes first.
        act: what happens.
        is_cancelled: whether it does not happen after all.
    """

    at_ns: int
    number: int
    act: Callable[[], None] = field(compare=False)
    is_cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Take it back; without effect once it has happened."""
        self.is_cancelled = True


class VirtualClock:
    """The port `Clock` over a time that stands still between `advance`, `run` and `step_wall`.

    Args:
        now: aware wall-clock time to begin with.
        boot_ms: milliseconds since the imagined machine started.

    Attributes:
        quality: how the imagined wall clock came by its time.
    """

    def __init__(self, now: datetime = _START, boot_ms: int = 60_000) -> None:
        self.quality = TimeQuality.RTC
        if now.tzinfo is None:
            raise ValueError("now must be aware, got a naive datetime")
        self._wall_at_start = now
        self._boot_ms_at_start = boot_ms
        self._elapsed_ns = 0
        self._due: list[Due] = []
        self._numbers = count()

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        moved = timedelta(microseconds=self._elapsed_ns // 1000)
        return (self._wall_at_start + moved).astimezone(UTC)

    def boot_ms(self) -> int:
        """Milliseconds since the imagined machine started."""
        return self._boot_ms_at_start + self._elapsed_ns // _NS_PER_MS

    def monotonic_ns(self) -> int:
        """Nanoseconds that have been advanced so far."""
        return self._elapsed_ns

    def wall_quality(self) -> TimeQuality:
        """Tell how the imagined wall clock came by its time."""
        return self.quality

    @property
    def sleepers(self) -> int:
        """How many calls of `sleep` and `after` are waiting now."""
        return sum(not due.is_cancelled for due in self._due)

    @property
    def next_due_ns(self) -> int | None:
        """When the next of them is due, or None if there is none."""
        while self._due and self._due[0].is_cancelled:
            heapq.heappop(self._due)
        return self._due[0].at_ns if self._due else None

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved this far; zero and less only lets others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        due = self.after(seconds, woken.set)
        try:
            await woken.wait()
        finally:
            due.cancel()

    def after(self, seconds: float, act: Callable[[], None]) -> Due:
        """Let something happen when the clock has been moved this far, in place of a thread."""
        at_ns = self._elapsed_ns + round(seconds * _NS_PER_S)
        due = Due(at_ns, next(self._numbers), act)
        heapq.heappush(self._due, due)
        return due

    def advance(self, seconds: float) -> None:
        """Jump ahead at once and wake whoever is due; they all see the time at the end.

        Raises:
            ValueError: if the time would run backwards.
        """
        self._move_to(self._target(seconds))

    async def run(self, seconds: float) -> None:
        """Go ahead from deadline to deadline, letting everybody act at their own time.

        Raises:
            ValueError: if the time would run backwards.
        """
        target_ns = self._target(seconds)
        await settle()
        while (due_ns := self.next_due_ns) is not None and due_ns <= target_ns:
            self._move_to(max(due_ns, self._elapsed_ns))
            await settle()
        self._elapsed_ns = target_ns

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as a time server does; durations do not notice."""
        self._wall_at_start += timedelta(seconds=seconds)

    def _target(self, seconds: float) -> int:
        if seconds < 0:
            raise ValueError(f"time runs forward only, got {seconds} s")
        return self._elapsed_ns + round(seconds * _NS_PER_S)

    def _move_to(self, target_ns: int) -> None:
        self._elapsed_ns = target_ns
        while self._due and self._due[0].at_ns <= target_ns:
            due = heapq.heappop(self._due)
            if not due.is_cancelled:
                due.act()


async def settle() -> None:
    """Let every task that can run do so until it waits again."""
    for _ in range(_SETTLE_ROUNDS):
        await asyncio.sleep(0)
