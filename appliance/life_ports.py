"""What the gate needs of whoever started it: to be told how it is, and to see that it is alive.

Bound by the command line to systemd; `Unwatched` stands there where nobody watches.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

Asked = Callable[[], Awaitable[object]]  # returns once the part asked has moved since

# How long a part may take to answer. Beyond the time after which a slow card is a fault of its own,
# which the gate tells and outlives (`journal.commit_s_max`): no restart makes a card faster.
PATIENCE_S: Final = 30.0
# From opening the card to serving: a large journal is gone through, devices are opened.
OPENING_S_MAX: Final = 180.0


class Watch(Protocol):
    """Whoever watches over the daemon, and starts it again if a part of it hangs."""

    def ready(self) -> None:
        """Say that the start is over: the gate serves, or tells people why it does not."""
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
            ask: asks it to move; returns once it has. Never raises for a fault that is told
                elsewhere.
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
