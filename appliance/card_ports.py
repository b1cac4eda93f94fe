"""The card under journal and memory, as the services see it. Implemented in `storage`."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CardReport:
    """What the server is told.

    Attributes:
        commit_ms: the 99th percentile of the last commits.
        free_mb: room left; -1 where it is not known.
    """

    commit_ms: int = 0
    free_mb: int = -1


class Card(Protocol):
    """A memory card, or whatever else the data folder lies on."""

    @property
    def fault(self) -> str:
        """What the database failed by, "" for nothing; it is refused until `mend` was there."""
        ...

    def free_bytes(self) -> int:
        """Give the room that is left, what is held in reserve not counted.

        Raises:
            StorageError: if the file system does not answer.
        """
        ...

    @property
    def has_reserve(self) -> bool:
        """Whether the reserve is there."""
        ...

    @property
    def reserve_bytes(self) -> int:
        """How large the reserve is to be."""
        ...

    async def make_reserve(self) -> None:
        """Hold room in reserve; without effect if it is there.

        Raises:
            StorageError: if there is not as much.
        """
        ...

    def free_reserve(self) -> None:
        """Give the reserve up, for what has to be written now.

        Raises:
            StorageError: if it cannot be removed.
        """
        ...

    async def probe(self) -> None:
        """Commit something that says nothing.

        Raises:
            StorageError: if it cannot be.
        """
        ...

    async def mend(self) -> None:
        """Open the database anew, check it and write to it; then it is in use again.

        Raises:
            StorageError: if the card is not good yet; nothing is in use. With the fault of a
                damaged journal no further try will help.
        """
        ...
