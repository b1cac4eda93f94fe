"""The link to the sync server, as the services see it. Implemented in `transport`."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from admission.sync.messages import (
    Ack,
    Batch,
    Carried,
    Enrol,
    Enrolled,
    Feed,
    Heads,
    Hint,
    Live,
    Renew,
    Renewed,
)


class HintLane(Protocol):
    """A way for hints out of the gate: to the server, or over the local network."""

    def offer(self, hint: Hint) -> None:
        """Send a hint as soon as can be, or drop it; never waits, never raises."""
        ...


class LiveConnection(Protocol):
    """The standing connection to the server."""

    async def send(self, message: Live) -> None:
        """Send a message.

        Raises:
            LinkError: if the connection is gone.
        """
        ...

    async def receive(self) -> Live:
        """Wait for the next message.

        Raises:
            LinkError: if the connection is gone, silent for too long, or talks nonsense.
        """
        ...


class ServerLink(Protocol):
    """Requests to the sync server, each bounded in time and size. Implemented in `transport`.

    Every call raises LinkError when the server cannot be reached in time or answers with what is
    no answer, LinkAnswerError when it answers this one request with an error, and
    LinkRefusedError when it refuses this gate.
    """

    async def enrol(self, request: Enrol) -> Enrolled:
        """Enrol with a one-time code."""
        ...

    async def renew(self, request: Renew) -> Renewed:
        """Have keys certified."""
        ...

    def take_pins(self, pins: tuple[bytes, ...]) -> None:
        """Take other certificates for the server's from the next connection on."""
        ...

    async def root(self, version: int) -> bytes | None:
        """Fetch one root document; None if there is none of that version yet."""
        ...

    async def status(self, nonce: str) -> bytes:
        """Ask what is the newest now."""
        ...

    async def assignment(self) -> bytes | None:
        """Fetch the assignment; None if it has not changed since the last answer."""
        ...

    async def manifest(self, performance: str) -> bytes | None:
        """Fetch a manifest; None if it has not changed since the last answer."""
        ...

    def forget(self, performance: str) -> None:
        """Fetch a manifest in full next time: what came could not be installed."""
        ...

    def forget_assignment(self) -> None:
        """Fetch the assignment in full next time: what came could not be taken."""
        ...

    async def list_key(self, performance: str) -> bytes:
        """Fetch a list key, sealed for this gate."""
        ...

    async def download(self, performance: str, sha256: str, size: int, to: Path) -> None:
        """Fetch a piece of a list into a file; never writes more than `size` bytes."""
        ...

    async def upload(self, batch: Batch) -> Ack:
        """Hand records over."""
        ...

    async def carry(self, carried: Carried) -> Ack:
        """Hand another gate's records over, which that gate has sealed.

        An answer of `held` 0 means that the server does not know what comes before them.
        """
        ...

    async def heads(self, journals: Sequence[str]) -> Heads:
        """Ask how far the server has some journals; those that it has not are left out.

        Args:
            journals: ids, at most JOURNALS_ASKED_MAX.
        """
        ...

    async def feed(self, stream: str, after: int) -> Feed:
        """Fetch what follows a cursor."""
        ...

    def live(self) -> AbstractAsyncContextManager[LiveConnection]:
        """Open the live connection."""
        ...
