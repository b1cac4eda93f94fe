"""A site server's link to its upstream, as the services see it. Implemented in `upstream`."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from admission.sync.messages import Ack, Carried, Claim, Claimed, Feed
from admission.sync.site_messages import Roster, SiteLive


class UpstreamConnection(Protocol):
    """The standing connection to upstream."""

    async def send(self, message: SiteLive) -> None:
        """Send a message; UpstreamError if the connection is gone."""
        ...

    async def receive(self) -> SiteLive:
        """Wait for the next message; UpstreamError if the connection is gone or silent."""
        ...


class Upstream(Protocol):
    """Requests to upstream, each signed by the site and bounded in time and size.

    Every call raises UpstreamError where upstream is not reached in time or answers with an error.
    """

    async def roster(self) -> Roster:
        """Ask whom this site serves."""
        ...

    async def root(self, version: int) -> bytes:
        """Fetch one root document."""
        ...

    async def status(self, gate: str, nonce: str) -> bytes:
        """Fetch what is the newest now for a gate; without a nonce, to be carried."""
        ...

    async def assignment(self, gate: str) -> bytes:
        """Fetch a gate's assignment."""
        ...

    async def manifest(self, gate: str, performance: str) -> bytes:
        """Fetch a manifest."""
        ...

    async def list_key(self, gate: str, performance: str) -> bytes:
        """Fetch a list key, sealed for a gate."""
        ...

    async def download(self, gate: str, performance: str, sha256: str, to: Path) -> None:
        """Fetch a piece of a list into a file; one of another digest is an error."""
        ...

    async def certify(self, gate: str, word: str, raw: bytes) -> bytes:
        """Hand a gate's request for a certificate on, with the signature that it came with."""
        ...

    async def carry(self, carried: Carried) -> Ack:
        """Hand a gate's records on, which that gate has sealed."""
        ...

    async def claim(self, gate: str, claim: Claim) -> Claimed | None:
        """Ask whether a ticket is free; None says nothing."""
        ...

    async def feed(self, stream: str, after: int) -> Feed:
        """Fetch what follows a cursor."""
        ...

    def live(self) -> AbstractAsyncContextManager[UpstreamConnection]:
        """Open the live connection."""
        ...

    def take_pins(self, pins: tuple[bytes, ...]) -> None:
        """Take other certificates for upstream's from the next connection on."""
        ...
