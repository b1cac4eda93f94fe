"""A worker thread without a thread, so that a run is the same every time. Bound by tests."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InlineWorker(Executor):
    """An executor that does each piece of work at once, where it is asked."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do the work; the future that comes back is done.

        Raises:
            Exception: whatever the work raises, now and not by the future.
        """
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
