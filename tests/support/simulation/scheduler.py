"""The heart of the simulation: one heap, one seed, and coroutines that wait on nothing else.

No asyncio, no wall clock, no thread. Two runs of one plan are the same run, event for event; the
trace's digest says so. The gate's and the server's own coroutines run here as they are: where they
await the network they yield a `Start`, everything else they await is done at once.
"""

import hashlib
import heapq
import random
import types
from collections.abc import Callable, Coroutine, Generator
from itertools import count
from typing import Any, Final

BEGIN_MS: Final = 1_784_030_400_000  # true time at the start of every run: 2026-07-14, noon UTC

Start = Callable[["Task"], None]


class BrokenError(AssertionError):
    """An invariant does not hold."""

    def __init__(self, number: str, text: str) -> None:
        super().__init__(f"{number}: {text}")
        self.number = number


class Cut(BaseException):
    """The machine has lost its power, or its daemon was killed, at just this step."""


@types.coroutine
def wait_for(start: Start) -> Generator[Start, Any, Any]:
    """Wait until somebody resumes the task; `start` is told which task that is."""
    return (yield start)


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits on nothing but the disk, which is there at once."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("it waits for the network, where nothing may")


class Task:
    """A coroutine under way; `ended` is called with its error, or None."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        ended: Callable[["Task", BaseException | None], None],
    ) -> None:
        self._coroutine = coroutine
        self._ended = ended
        self.is_over = False
        self._waits = 0

    def begin(self) -> None:
        """Run to the first wait."""
        self._step(lambda: self._coroutine.send(None))

    @property
    def ticket(self) -> int:
        """Names the present wait: a resumption of an earlier one comes too late."""
        return self._waits

    def resume(self, ticket: int, value: Any = None, error: Exception | None = None) -> None:
        """Go on with what was waited for, unless the task has gone on since."""
        if self.is_over or ticket != self._waits:
            return
        if error is not None:
            self._step(lambda: self._coroutine.throw(error))
        else:
            self._step(lambda: self._coroutine.send(value))

    def cancel(self) -> None:
        """End it where it waits; it is told to nobody."""
        if not self.is_over:
            self.is_over = True
            self._coroutine.close()

    def _step(self, go: Callable[[], Start]) -> None:
        self._waits += 1
        try:
            start = go()
        except StopIteration:
            self.is_over = True
            self._ended(self, None)
        except (Exception, Cut) as exc:  # noqa: BLE001 (handed on to whoever began it)
            self.is_over = True
            self._ended(self, exc)
        else:
            start(self)


class Scheduler:
    """Time, chance and what happens next."""

    def __init__(self, seed: str, *, keep_trace: bool = False) -> None:
        self.now_ms = 0
        self.events = 0
        self.trace: list[str] = []
        self._seed = seed
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._ordinal = count()
        self._digest = hashlib.sha256()
        self._keeps_trace = keep_trace

    def chance(self, what: str) -> random.Random:
        """Give a source of chance of its own, so that one part's draws move no other's."""
        return random.Random(f"{self._seed}/{what}")

    def at(self, after_ms: int, call: Callable[..., None], *arguments: Any) -> None:
        """Have something happen later."""
        entry = (self.now_ms + max(0, after_ms), next(self._ordinal), call, arguments)
        heapq.heappush(self._heap, entry)

    def run(self, until_ms: int) -> None:
        """Let everything happen up to an instant."""
        heap = self._heap
        while heap and heap[0][0] <= until_ms:
            self.now_ms, _, call, arguments = heapq.heappop(heap)
            self.events += 1
            call(*arguments)
        self.now_ms = until_ms

    def note(self, *words: object) -> None:
        """Add a line to the trace."""
        line = " ".join((str(self.now_ms), *map(str, words)))
        self._digest.update(line.encode() + b"\n")
        if self._keeps_trace:
            self.trace.append(line)

    @property
    def digest(self) -> str:
        """Stands for the whole trace."""
        return self._digest.hexdigest()[:16]


class Bell:
    """An event that whoever waits for it is woken by, on the heap."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False
        self._waiting: list[tuple[Task, int]] = []

    def set(self) -> None:
        """Ring."""
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for task, ticket in waiting:
            self._scheduler.at(0, task.resume, ticket)

    def clear(self) -> None:
        """Be silent again."""
        self._is_set = False

    def is_set(self) -> bool:
        """Tell whether it has rung."""
        return self._is_set

    async def wait(self) -> None:
        """Wait until it rings."""
        if not self._is_set:
            await wait_for(lambda task: self._waiting.append((task, task.ticket)))
