"""What publishing needs to know of the lists published before. Implemented by storage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sync_server.entities import ListFile


@dataclass(frozen=True, slots=True)
class TicketChanges:
    """Which tickets may be others than in the list published last.

    Attributes:
        mark: what is noted up to here is in this; what is noted later is not.
        identifiers: of those tickets, each once.
        is_complete: whether these are all.
    """

    mark: int
    identifiers: Sequence[bytes]
    is_complete: bool


class Pieces(Protocol):
    """The files of published lists, and what has changed since."""

    async def begin_log(self, performance_id: str) -> None:
        """Have every change of a performance's tickets noted from now on; asked again, no news."""
        ...

    async def is_logged(self, performance_id: str) -> bool:
        """Tell whether changes are noted."""
        ...

    async def changes(self, performance_id: str, most: int) -> TicketChanges:
        """Give the tickets noted, no more of them than `most`."""
        ...

    async def forget_changes(self, performance_id: str, mark: int) -> None:
        """Forget what was noted up to a mark: a list that has it is published."""
        ...

    async def listed(self, performance_id: str) -> int:
        """Give how many tickets a performance lists, as counted import by import."""
        ...

    async def add_file(self, file: ListFile) -> None:
        """Keep the record of a file that is published."""
        ...

    async def newest_files(self, performance_id: str) -> list[ListFile]:
        """Give the newest snapshot and the segments after it, in order."""
        ...

    async def attribute_files(self, performance_id: str) -> list[ListFile]:
        """Give the newest whole file of attributes and those after it, in order."""
        ...

    async def is_file_of(self, performance_id: str, sha256: bytes) -> bool:
        """Tell whether a file of that digest was ever published for a performance."""
        ...
