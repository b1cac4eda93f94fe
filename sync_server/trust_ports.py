"""What the service of trust needs of the outside: the chain of roots, and private keys.

Storage implements the first, `keys` the second.
"""

from collections.abc import Sequence
from typing import Protocol


class Roots(Protocol):
    """The chain of root documents, and what must rise over every start of the server."""

    async def add_root(self, version: int, envelope: bytes, installed_ms: int) -> None:
        """Keep the next root; none is ever changed or removed."""
        ...

    async def root(self, version: int) -> bytes | None:
        """Give the envelope of one version, or None."""
        ...

    async def newest_version(self) -> int:
        """Give the version of the newest root, 0 before the first."""
        ...

    async def begin_epoch(self, at_least: int) -> int:
        """Begin a new epoch of status versions: greater than every one before, and than a bound."""
        ...


class Keyring(Protocol):
    """Private keys that this server may sign with, whatever their roles."""

    def private_keys(self) -> Sequence[bytes]:
        """Give all of them, as they are on the disk now.

        Raises:
            ConfigError: if one cannot be read, or may be read by others.
        """
        ...
