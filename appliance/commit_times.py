"""How long the card takes to keep what is written: measured at every commit.

Made by the recorder, watched by the card keeper. Knows no card and no display.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

REMEMBERED: Final = 512  # commits: the last half hour of a busy lane
SLOW_MS: Final = 250
_NS_PER_MS: Final = 1_000_000


class CommitTimes:
    """The commits that are under way, and how long the last ones took.

    Attributes:
        begun: set whenever a commit begins; the keeper clears and awaits it.
        slow_ns: a commit that took as long is told to `on_slow`.
        on_slow: told how many nanoseconds it took.
    """

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        """Take the clock that durations are measured by."""
        self.begun = asyncio.Event()
        self.slow_ns = SLOW_MS * _NS_PER_MS
        self.on_slow: Callable[[int], None] = lambda _: None
        self._monotonic_ns = monotonic_ns
        self._under_way: dict[object, tuple[int, bool]] = {}
        self._last: deque[int] = deque(maxlen=REMEMBERED)

    def begin(self, *, is_awaited: bool) -> object:
        """Note that a commit begins; give what to end it with.

        Args:
            is_awaited: whether somebody stands at the gate and waits for it.
        """
        commit = object()
        self._under_way[commit] = self._monotonic_ns(), is_awaited
        self.begun.set()
        return commit

    def end(self, commit: object) -> int:
        """Note that it has ended, well or not; give how long it took."""
        begun_ns, _ = self._under_way.pop(commit)
        took_ns = self._monotonic_ns() - begun_ns
        self._last.append(took_ns)
        if took_ns >= self.slow_ns:
            self.on_slow(took_ns)
        return took_ns

    @property
    def waiting_ns(self) -> int | None:
        """How long the oldest commit has been under way; None if none is."""
        begun_ns = min((begun for begun, _ in self._under_way.values()), default=None)
        return None if begun_ns is None else self._monotonic_ns() - begun_ns

    @property
    def is_somebody_waiting(self) -> bool:
        """Whether somebody stands at the gate and waits for a commit."""
        return any(is_awaited for _, is_awaited in self._under_way.values())

    def quantile_ms(self, share: float) -> int:
        """Give a quantile of the last commits in milliseconds, rounded up; 0 before the first."""
        if not self._last:
            return 0
        ordered = sorted(self._last)
        took_ns = ordered[min(len(ordered) - 1, int(len(ordered) * share))]
        return -(-took_ns // _NS_PER_MS)
