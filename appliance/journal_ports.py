"""What the gate may never forget, as a protocol. Implemented in `storage`."""

from collections.abc import Callable, Sequence
from typing import Protocol

from admission.journal import Kind, Record
from admission.sync.gate_side import Row


class WrittenJournal(Protocol):
    """A journal of this gate to read and to have acknowledged: its present one or a former one.

    It stays the same one, also when another has taken its place.
    """

    @property
    def id(self) -> str:
        """The journal's id."""
        ...

    @property
    def head(self) -> int | None:
        """Greatest sequence of a former journal; None for the one that is still written."""
        ...

    @property
    def why(self) -> str:
        """For what reason another followed: `fork` or another word; "" while none has."""
        ...

    @property
    def acknowledged(self) -> Row:
        """How far the server has it; the blob is left empty."""
        ...

    async def rows(self, after: int, count_max: int) -> list[Row]:
        """Give the records that follow a sequence, in order."""
        ...

    async def chain_at(self, sequence: int) -> bytes | None:
        """Give the chain value after a record, None if the journal does not reach it."""
        ...

    async def acknowledge(self, sequence: int, chain: bytes) -> None:
        """Remember how far the server has it."""
        ...


class Journal(Protocol):
    """What the gate may never forget. Implemented in `storage`."""

    @property
    def id(self) -> str:
        """The journal's id; a journal begun anew has another."""
        ...

    @property
    def current(self) -> WrittenJournal:
        """The journal that is written now, to be read."""
        ...

    @property
    def former(self) -> Sequence[WrittenJournal]:
        """The journals before it, the first first."""
        ...

    def is_own(self, journal_id: str) -> bool:
        """Tell whether this gate wrote a journal, now or before."""
        ...

    @property
    def head(self) -> int:
        """Greatest sequence written."""
        ...

    @property
    def acknowledged(self) -> Row:
        """How far the server has it; the blob is left empty."""
        ...

    async def append(self, *drafts: Record) -> tuple[Record, ...]:
        """Write records in one commit; they are on the disk when this returns.

        Args:
            drafts: records whose `sequence` and `hlc` are still 0.

        Raises:
            StorageError: if they could not be written; then none was.

        An append that failed may be on the disk all the same; the same drafts given again are then
        not written twice.

        Cancel: the records may or may not have been written; the journal knows at the next call.
        """
        ...

    async def last_of(self, kind: Kind) -> Record | None:
        """Give the newest record of a kind, from the journals before this one, too.

        Raises:
            StorageError: if the disk cannot be read.
        """
        ...

    async def found(self) -> list[Record]:
        """Give the records that are on the disk though their append failed; each once.

        Raises:
            StorageError: if the disk cannot be read.
        """
        ...

    async def begin_anew(self, new_id: str, why: str, opening: Callable[[Row], Record]) -> Record:
        """Begin another journal: from now on all is written there, and this one is a former one.

        Args:
            new_id: the other's id.
            why: the reason, `fork` or another word.
            opening: makes the draft of its first record, of kind JOURNAL_NEW, from the last row
                of this one.

        Raises:
            StorageError: if it could not be begun; then this one is still written.

        Cancel: it may or may not have been begun; the journal knows at the next call.
        """
        ...

    async def rows(self, after: int, count_max: int) -> list[Row]:
        """Give the records that follow a sequence, in order."""
        ...

    async def chain_at(self, sequence: int) -> bytes | None:
        """Give the chain value after a record, None if the journal does not reach it."""
        ...

    async def acknowledge(self, sequence: int, chain: bytes) -> None:
        """Remember how far the server has the journal."""
        ...
