"""What the fetcher of updates needs of the outside: server, folder, and the caretaker's ear."""

from dataclasses import dataclass
from typing import Protocol


class UpdateLink(Protocol):
    """Requests to the server about updates. Implemented in `transport`; raise LinkError."""

    async def update_offer(self) -> bytes | None:
        """Ask for the signed offer of another version; None where the gate is offered nothing."""
        ...

    async def bundle_part(self, sha256: str, start: int, length: int, size: int) -> bytes:
        """Fetch a part of the bundle that is offered; fewer bytes where the answer breaks off."""
        ...


class BundleShelf(Protocol):
    """The gate's own folder of bundles. Implemented in `storage`; raises StorageError."""

    async def have(self, sha256: str) -> int:
        """Tell how many bytes of a bundle are here, be it whole or not."""
        ...

    async def append(self, sha256: str, start: int, data: bytes) -> None:
        """Add bytes to a bundle, from a place on; they survive a power cut when this returns."""
        ...

    async def finish(self, sha256: str, version: str) -> str:
        """Check a bundle that has all its bytes.

        Returns:
            Its path, where it is whole; "" where it was not what its digest says, and is gone.
        """
        ...

    async def make_room(self, sha256: str, bytes_more: int) -> bool:
        """Keep one other bundle beside this one at the most, and none where room is short.

        Returns:
            Whether there is room for so many bytes more.
        """
        ...


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """What the caretaker is asked to install.

    Attributes:
        path: of a bundle that was fetched whole.
        version: of what is in it.
        size: bytes.
        sha256: of all its bytes, hexadecimal.
    """

    path: str
    version: str
    size: int
    sha256: str


class UpdateDesk(Protocol):
    """Where the caretaker looks for what is asked of it. Implemented in `storage`."""

    async def ask(self, request: UpdateRequest) -> None:
        """Ask for an update, in place of what was asked for before; the same again is no news.

        Raises:
            StorageError: if that cannot be written.
        """
        ...

    async def take_back(self) -> None:
        """Ask for nothing any more, as far as the server was who asked.

        Raises:
            StorageError: if that cannot be written.
        """
        ...
