"""The live connections of site servers at this process, beside those of gates in `LiveRoom`."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from admission.sync.messages import Hint

HINTS_MAX: Final = 128


@dataclass(eq=False, slots=True)
class SiteConnection:
    """One site's live connection: what is to be done next, and the wake-up for it.

    Attributes:
        site: its id.
        behind: ids of the gates that are connected to it now.
        grown: feeds that have grown.
        orders: commands that go out next, each with its gate.
        streams: feeds that it may follow; hints of these performances are for it.
        hints: those that go out first; where too many wait, the oldest are void anyway.
        roster_due: whether roster, lists or roots may be others now.
        ended: whether the connection is to end.
        due: set where something is to be done.
    """

    site: str
    behind: set[str] = field(default_factory=set)
    grown: set[str] = field(default_factory=set)
    orders: deque[tuple[str, bytes]] = field(default_factory=deque)
    streams: frozenset[str] = frozenset()
    hints: deque[Hint] = field(default_factory=lambda: deque(maxlen=HINTS_MAX))
    roster_due: bool = True
    ended: bool = False
    due: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, streams: set[str]) -> None:
        """Note that some feeds have grown."""
        self.grown |= streams
        self.due.set()

    def order(self, gate: str, envelope: bytes) -> None:
        """Have a command go out to a gate."""
        self.orders.append((gate, envelope))
        self.due.set()

    def hint(self, hint: Hint) -> None:
        """Have a hint go out ahead of all else."""
        self.hints.append(hint)
        self.due.set()

    def look(self) -> None:
        """Have the site look at roster and lists."""
        self.roster_due = True
        self.due.set()

    def end(self) -> None:
        """End the connection."""
        self.ended = True
        self.due.set()


class SiteRoom:
    """The sites that are connected; told what has changed by whoever changed it; never waits."""

    def __init__(self) -> None:
        """Begin with nobody there."""
        self._connections: dict[SiteConnection, None] = {}  # told in the order they came

    def streams_grew(self, streams: Iterable[str]) -> None:
        """Wake every site."""
        grown = set(streams)
        for connection in self._connections:
            connection.wake(grown)

    def lists_changed(self) -> None:
        """Have every site look whether its roster or its gates' lists are new."""
        for connection in self._connections:
            connection.look()

    def order(self, gates: Iterable[str], envelope: bytes) -> int:
        """Send a command to those of some gates that are behind a site; tell how many."""
        reached = set()
        for connection in self._connections:
            for gate in sorted(connection.behind & set(gates)):
                connection.order(gate, envelope)
                reached.add(gate)
        return len(reached)

    def hint(self, hint: Hint, but: SiteConnection | None = None) -> None:
        """Hand a hint on to every site that may follow its performance, but for its own."""
        for connection in self._connections:
            if connection is not but and hint.performance in connection.streams:
                connection.hint(hint)

    def close(self) -> None:
        """End every connection: the server stops."""
        for connection in self._connections:
            connection.end()

    @asynccontextmanager
    async def join(self, connection: SiteConnection) -> AsyncIterator[None]:
        """Keep a connection in the room while the context lasts."""
        self._connections[connection] = None
        try:
            yield
        finally:
            self._connections.pop(connection, None)
