"""What importing, publishing and reconciling need of the tickets' store. Implemented by storage."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from admission.keyed import Alphabet
from admission.reconcile import ListedTicket
from admission.ticket import TicketClass, TicketState
from admission.ticketlist.attributes import Attributes
from admission.ticketlist.packed import Entry
from sync_server.entities import Import, ImportMode, Source


class TicketRow(NamedTuple):
    """One good row of a ticket file.

    Attributes:
        line: where it begins, counted from 1.
        number: the ticket number.
        ticket_class: its category and rule.
        state: what the file says of it.
        said: what the ticket says besides; None where the file says nothing of any ticket.
    """

    line: int
    number: str
    ticket_class: TicketClass
    state: TicketState
    said: Attributes | None = None


class RowProblem(NamedTuple):
    """One refused row; the others are not affected.

    Attributes:
        line: where it begins, counted from 1.
        column: which cell, counted from 1; 0 for the row as a whole.
        field: the field's name, "" for the row as a whole.
        code: stable word for programs and for the message catalogues.
        message: one English sentence with the remedy; never holds the number.
        number: the ticket number where it could be read: it is still in the file.
        detail: what a person needs to know besides the code; "" is nothing.
    """

    line: int
    column: int
    field: str
    code: str
    message: str
    number: str | None
    detail: str = ""


class FileNote(NamedTuple):
    """Something about the whole file that a person should look at.

    Attributes:
        code: stable word for programs and for the message catalogues.
        message: one English sentence.
    """

    code: str
    message: str


class ReadTickets(Protocol):
    """Reads a ticket file."""

    def __call__(self, data: bytes) -> Iterator[TicketRow | RowProblem | FileNote]:
        """Yield the file's rows in order, then its notes.

        Raises:
            TicketFileError: if the file as a whole is refused; also after rows were yielded.
        """
        ...


# One row of a ticket file, looked up: its line, number and identifier, the place of its class and
# the word of its state; both None for a refused row, which only says that the number is still
# there; at last what it says besides, as `encode_attributes` writes it, None where the file says
# nothing. A plain tuple: there are a million of them.
IncomingTicket = tuple[int, str, bytes, int | None, str | None, bytes | None]


class SaidTicket(NamedTuple):
    """What one ticket says, on its way to the gates.

    Attributes:
        identifier: the ticket's.
        number: what it is sealed under.
        said: as `encode_attributes` writes it; b"" is nothing.
    """

    identifier: bytes
    number: str
    said: bytes


@dataclass(frozen=True, slots=True)
class LineList:
    """Some lines of a file.

    Attributes:
        count: how many there are.
        first: the first of them.
    """

    count: int
    first: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What an import came to.

    Attributes:
        added: new tickets.
        changed: known tickets whose class or state is another now.
        canceled: tickets canceled because the file leaves them out.
        duplicates: lines whose number an earlier line has; the first counts.
        foreign: lines whose number another source owns; not applied.
        frozen: lines with another class for a ticket that has passed; the class stays.
        touched: changed or added identifiers that facts speak of: to be folded again.
    """

    added: int
    changed: int
    canceled: int
    duplicates: LineList
    foreign: LineList
    frozen: LineList
    touched: tuple[bytes, ...]


class Tickets(Protocol):
    """Tickets, their sources, classes and states."""

    async def source(self, performance_id: str, name: str) -> Source | None:
        """Give a performance's source by name, or None."""
        ...

    async def add_source(self, performance_id: str, kind: str, name: str) -> Source:
        """Keep a new one."""
        ...

    async def sources(self, performance_id: str) -> list[Source]:
        """Give a performance's sources, by name."""
        ...

    async def add_import(self, run: Import) -> None:
        """Keep the record of one run."""
        ...

    async def imports(self, performance_id: str, limit: int) -> list[Import]:
        """Give the newest runs of a performance's sources, newest first."""
        ...

    async def class_keys(self, performance_id: str, wanted: Sequence[TicketClass]) -> Sequence[int]:
        """Give the key of each class, keeping those first that are new."""
        ...

    async def classes(self, performance_id: str) -> Mapping[int, TicketClass]:
        """Give all of a performance's classes by key, oldest first."""
        ...

    async def merge(
        self,
        source: Source,
        classes: Sequence[int],
        *,
        mode: ImportMode,
        now_us: int,
        lines_max: int,
    ) -> MergeResult:
        """Apply the rows that were staged for this transaction to a source's performance.

        Args:
            source: the one that brings them.
            classes: key of the class that each place of the rows stands for.
            mode: whether tickets of the source that are left out are canceled.
            now_us: from when changes of known tickets count.
            lines_max: most lines to name of each kind.
        """
        ...

    async def known(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Mapping[bytes, ListedTicket]:
        """Give those of some tickets that are listed, with their histories, by identifier."""
        ...

    async def set_state(
        self, performance_id: str, identifier: bytes, state: TicketState, now_us: int
    ) -> bool:
        """Add an operator's word to a listed ticket's history; False where nothing changes."""
        ...

    def listed(self, performance_id: str) -> AsyncIterator[Sequence[Entry]]:
        """Yield all tickets of a performance as they stand now, in batches, by identifier.

        An entry's class index is the key that `classes` gives.
        """
        ...

    async def listed_among(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Sequence[Entry]:
        """Give those of some tickets that are listed, as they stand now; as `listed` does."""
        ...

    async def alphabet(
        self, performance_id: str, identifiers: Sequence[bytes] | None = None
    ) -> Alphabet:
        """Give what a performance's ticket numbers hold between them, or those of some tickets."""
        ...

    async def says_anything(self, performance_id: str) -> bool:
        """Tell whether any ticket of a performance says something besides its class."""
        ...

    def said(self, performance_id: str) -> AsyncIterator[Sequence[SaidTicket]]:
        """Yield what all tickets of a performance say that say something, in batches."""
        ...

    async def said_among(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Sequence[SaidTicket]:
        """Give what some tickets of a performance say, be it nothing."""
        ...

    async def collisions(self, performance_ids: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """Give pairs of performances that hold one same number."""
        ...

    async def number_sample(self, performance_id: str) -> tuple[Sequence[str], Mapping[int, int]]:
        """Give some numbers of each length, chosen by their identifiers, and how many there are.

        `admission.ticketlist.guessability` says how many are worth having.
        """
        ...

    async def count(self, performance_id: str) -> int:
        """Give how many tickets a performance lists."""
        ...
