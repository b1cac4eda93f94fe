"""What the server needs of whoever started it: to be told how it is, and to see that it is alive.

Bound by the command line to systemd; `UNWATCHED` stands there where nobody watches.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Final, Protocol

Asked = Callable[[], Awaitable[object]]  # returns once the part asked has moved since

# The merge of a large import holds the one writer; whoever writes meanwhile waits, and so may this.
WRITER_S_MAX: Final = 600.0


class Watch(Protocol):
    """Whoever watches over the daemon, and starts it again if a part of it hangs."""

    def ready(self) -> None:
        """Say that the start is over."""
        ...

    def status(self, text: str) -> None:
        """Say in one line how the daemon is."""
        ...

    def stopping(self) -> None:
        """Say that the daemon is about to end."""
        ...

    def over(self, name: str, ask: Asked, patience_s: float) -> AbstractContextManager[None]:
        """Have a part watched over for as long as the context lasts.

        Args:
            name: of the part, for the log.
            ask: asks it to move; returns once it has.
            patience_s: how long that may take before the part counts as hanging.
        """
        ...

    async def run(self) -> None:
        """Ask every part again and again, and tell whoever watches, until cancelled."""
        ...


class Unwatched:
    """The port `Watch` where nobody watches."""

    def ready(self) -> None:
        """Tell nobody."""

    def status(self, text: str) -> None:
        """Tell nobody."""

    def stopping(self) -> None:
        """Tell nobody."""

    def over(self, name: str, ask: Asked, patience_s: float) -> AbstractContextManager[None]:
        """Watch over nothing."""
        del name, ask, patience_s
        return nullcontext()

    async def run(self) -> None:
        """Have nothing to do."""


UNWATCHED: Final = Unwatched()


@asynccontextmanager
async def watched(watch: Watch, address: str) -> AsyncIterator[None]:
    """Have the daemon watched over while it serves at an address."""
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch.run())
        watch.status(f"serving at {address}")
        watch.ready()
        try:
            yield
        finally:
            watch.stopping()
            watching.cancel()
