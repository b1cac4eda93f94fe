"""What the services of updates need of the outside: their memory, and a place for bundles."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from sync_server.fleet_entities import Release, Rollout


class Fleet(Protocol):
    """Releases and rollouts. Implemented in `storage`."""

    async def add_release(self, release: Release) -> None:
        """Keep a new one."""
        ...

    async def release(self, release_id: str) -> Release | None:
        """Give one, or None."""
        ...

    async def releases(self) -> list[Release]:
        """Give all, those added last first."""
        ...

    async def withdraw_release(self, release_id: str, at_ms: int) -> None:
        """Note that one is offered to nobody any more."""
        ...

    async def add_rollout(self, rollout: Rollout) -> None:
        """Keep a new one."""
        ...

    async def save_rollout(self, rollout: Rollout) -> None:
        """Replace what is kept of how far one has come; its plan is never another."""
        ...

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """Give one, or None."""
        ...

    async def open_rollouts(self) -> list[Rollout]:
        """Give those that are not over, oldest first."""
        ...

    async def newest_rollouts(self, organization_ids: list[str], limit: int) -> list[Rollout]:
        """Give those of some organizations, newest first."""
        ...


class IncomingBundle(Protocol):
    """A bundle on its way in; gone when its context ends, unless it was kept."""

    async def write(self, chunk: bytes) -> None:
        """Add bytes.

        Raises:
            StorageError: if the disk does not take them.
        """
        ...

    async def keep(self) -> tuple[str, int]:
        """Have it survive a power cut, under its digest; give that, hexadecimal, and its size.

        Raises:
            StorageError: if the disk does not take it.
        """
        ...

    @property
    def head(self) -> bytes:
        """Its first bytes, up to sixteen."""
        ...

    @property
    def size(self) -> int:
        """How many bytes were written."""
        ...


class BundleFiles(Protocol):
    """The bundles on the server's disk, each named by its digest and never changed."""

    def receive(self) -> AbstractAsyncContextManager[IncomingBundle]:
        """Begin to take one in.

        Raises:
            StorageError: if the disk does not take it.
        """
        ...

    def path(self, sha256: str) -> Path:
        """Give where a bundle lies, whether or not it is there.

        Raises:
            ValueError: if the text is no digest.
        """
        ...

    async def remove(self, sha256: str) -> None:
        """Free the room of a bundle; one that is not there is none."""
        ...
