"""What importing, publishing and reconciling need of the tickets' store. Implemented by storage."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from admission.reconcile import ListedTicket
from admission.ticket import TicketClass, TicketState
from admission.ticketlist.packed import Entry
from sync_server.entities import Import, ImportMode, Source


@dataclass(frozen=True, slots=True)
class IncomingTicket:
    """One good row of a ticket file, with its identifier and class looked up."""

    line: int
    number: str
    identifier: bytes
    class_id: int
    state: TicketState


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """What an import came to.

    Attributes:
        duplicates: lines whose number an earlier line of the file had, the first of them.
        foreign: lines whose number another source owns, the first of them.
        frozen: lines whose class differs from the kept one after passages exist, the first.
        touched: identifiers added or changed that already have facts: to be folded anew.
    """

    added: int
    changed: int
    canceled: int
    duplicate_count: int
    foreign_count: int
    frozen_count: int
    duplicates: tuple[int, ...]
    foreign: tuple[int, ...]
    frozen: tuple[int, ...]
    touched: tuple[bytes, ...]


class Tickets(Protocol):
    """Tickets, their sources, classes and states."""

    async def source(self, performance_id: str, name: str) -> Source | None:
        """Give a performance's source by name, or None."""
        ...

    async def add_source(self, source: Source) -> None:
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

    async def class_id(self, performance_id: str, ticket_class: TicketClass) -> int:
        """Give the key of a class, keeping it first if it is new."""
        ...

    async def classes(self, performance_id: str) -> dict[int, TicketClass]:
        """Give all of a performance's classes by key."""
        ...

    async def begin_incoming(self) -> None:
        """Make the empty staging table of one import, private to this transaction."""
        ...

    async def stage(self, rows: Sequence[IncomingTicket]) -> None:
        """Put rows into the staging table."""
        ...

    async def merge(self, source: Source, mode: ImportMode, now_us: int) -> MergeCounts:
        """Apply the staged rows to a source's performance, and drop the staging table."""
        ...

    async def known(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Mapping[bytes, ListedTicket]:
        """Give those of some tickets that are listed, with their histories, by identifier."""
        ...

    async def set_state(
        self, performance_id: str, identifier: bytes, state: TicketState, from_us: int
    ) -> bool:
        """Add to a ticket's history; False where it had that state already, or is not listed."""
        ...

    def listed(self, performance_id: str) -> AsyncIterator[Sequence[Entry]]:
        """Yield all tickets of a performance as they stand now, in batches, by identifier.

        An entry's class index is the key that `classes` gives.
        """
        ...

    async def count(self, performance_id: str) -> int:
        """Give how many tickets a performance lists."""
        ...
