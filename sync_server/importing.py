"""Takes ticket files in: rows to tickets, in one transaction, with a report that says everything.

Called by web. The file is read and its identifiers are computed off the event loop; nothing of a
file is applied unless all of it could be read.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Protocol

from admission.ticket import TicketClass, TicketState
from admission.ticketlist.attributes import encode_attributes
from admission.ticketlist.guessability import Guessability, guessability
from admission.ticketlist.identifiers import identifier_maker
from sync_server.account_ports import User
from sync_server.branches import find_performance
from sync_server.entities import Import, ImportMode, JsonValue, Performance, Source
from sync_server.errors import ConflictError, InvalidError
from sync_server.ledger import Ledger
from sync_server.ports import News, Staging, Store, Transaction
from sync_server.ticket_ports import (
    FileNote,
    IncomingTicket,
    LineList,
    MergeResult,
    ReadTickets,
    RowProblem,
    TicketRow,
)

BATCH_ROWS: Final = 20_000  # read at once: some tens of milliseconds of a thread
PROBLEMS_KEPT: Final = 500  # of each kind; a person reads no more, the counts are exact
NAME_CHARACTERS_MAX: Final = 200
SOURCE_KIND: Final = "file"


@dataclass(frozen=True, slots=True)
class Problem:
    """One row that was not applied as it stands.

    Attributes:
        line: where it begins, counted from 1.
        column: which cell, counted from 1; 0 for the row as a whole.
        field: the field's name, or "".
        code: stable word for programs and for the message catalogues.
        message: English, with the remedy; never holds the number.
        detail: what a person needs to know besides the code, such as a character's name.
    """

    line: int
    column: int
    field: str
    code: str
    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import came to.

    Attributes:
        rows: rows of the file, blank ones left out.
        added: new tickets.
        changed: known tickets whose class or state is another now.
        canceled: tickets canceled because the file leaves them out (mode `replace`).
        conflicts: rows not applied because another row, source or passage stands against it.
        refused: rows that could not be read.
        problems: the first of both, by line.
        notes: what a person should look at.
        guessability: of all the performance's numbers, as they are now.
    """

    id: str
    source: str
    rows: int
    added: int
    changed: int
    canceled: int
    conflicts: int
    refused: int
    problems: tuple[Problem, ...]
    notes: tuple[FileNote, ...]
    guessability: Guessability | None = None


class Refold(Protocol):
    """Judges again what facts there are of some tickets, after the list has changed."""

    async def __call__(
        self, transaction: Transaction, performance_id: str, identifiers: Sequence[bytes]
    ) -> None:
        """Do it, within the transaction that changes the list."""
        ...


_WORDS: Final = {state: state.value for state in TicketState}  # plain text binds faster
Progress = Callable[[int], None]


class Importing:
    """The service."""

    def __init__(
        self,
        store: Store,
        read_tickets: ReadTickets,
        refold: Refold,
        ledger: Ledger,
        news: News,
    ) -> None:
        self._store = store
        self._read_tickets = read_tickets
        self._refold = refold
        self._ledger = ledger
        self._news = news

    async def import_file(
        self,
        user: User,
        performance_id: str,
        data: bytes,
        *,
        source_name: str,
        filename: str,
        mode: ImportMode,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Take a file in.

        Args:
            user: who asks.
            performance_id: whose tickets they are.
            data: the file.
            source_name: who brings them; made if the performance does not know it.
            filename: for people.
            mode: whether tickets of the source that are left out are canceled.
            progress: told the rows read so far, between batches.

        Raises:
            TicketFileError: if the file as a whole is refused.
            ConflictError: if a checkpoint would then hold one number in two performances.
            InvalidError: if a name is empty or too long.
            NotFoundError: if the performance is out of reach.
        """
        _check_name("source", source_name)
        _check_name("filename", filename)
        async with self._store.read() as transaction:
            performance = await find_performance(transaction, user, performance_id)
        async with self._store.staging() as staging:
            tally = await self._stage(staging, performance, data, progress)
            withheld = mode is ImportMode.REPLACE and tally.unreadable > 0
            async with staging.write() as transaction:
                source = await self._source(transaction, performance_id, source_name)
                merged = await transaction.tickets.merge(
                    source,
                    await transaction.tickets.class_keys(performance_id, list(tally.classes)),
                    mode=ImportMode.ADD if withheld else mode,
                    now_us=self._ledger.now_us(),
                    lines_max=PROBLEMS_KEPT,
                )
                await self._check_collisions(transaction, performance)
                await self._refold(transaction, performance_id, merged.touched)
                measured = await _measure(transaction, performance_id)
                report = replace(
                    self._report(source, tally, merged, withheld), guessability=measured
                )
                await self._record(transaction, report, source, filename, mode, user)
        self._news.report_changed()
        return report

    async def _source(self, transaction: Transaction, performance_id: str, name: str) -> Source:
        source = await transaction.tickets.source(performance_id, name)
        if source is None:
            source = await transaction.tickets.add_source(performance_id, SOURCE_KIND, name)
        return source

    async def _stage(
        self,
        staging: Staging,
        performance: Performance,
        data: bytes,
        progress: Progress | None,
    ) -> "_Tally":
        """Read the whole file into the staging room, batch by batch."""
        tally = _Tally()
        items = self._read_tickets(data)
        while batch := await asyncio.to_thread(_take, items, BATCH_ROWS):
            tally.take(batch)
            rows = await asyncio.to_thread(_incoming, batch, tally.classes, performance.list_key)
            await staging.stage(rows)
            if progress is not None:
                progress(tally.rows)
        return tally

    async def _check_collisions(self, transaction: Transaction, performance: Performance) -> None:
        organization = await transaction.performances.organization_of_performance(performance.id)
        for checkpoint in await transaction.checkpoints.checkpoints([organization or ""]):
            if performance.id not in checkpoint.performances:
                continue
            await check_collisions(transaction, checkpoint.name, checkpoint.performances)

    def _report(
        self, source: Source, tally: "_Tally", merged: MergeResult, withheld: bool
    ) -> ImportReport:
        conflicts = [
            Problem(line, 0, "number", code, message)
            for lines, code, message in _conflicts(merged)
            for line in lines.first
        ]
        notes = tally.notes
        if withheld:
            notes.append(
                FileNote(
                    "cancellations_withheld",
                    f"{tally.unreadable} rows have no readable number: no ticket was canceled for"
                    " being left out",
                )
            )
        return ImportReport(
            id=self._ledger.new_id(),
            source=source.name,
            rows=tally.rows,
            added=merged.added,
            changed=merged.changed,
            canceled=merged.canceled,
            conflicts=sum(lines.count for lines, _, _ in _conflicts(merged)),
            refused=tally.refused,
            problems=tuple(sorted(tally.problems + conflicts, key=lambda one: one.line)),
            notes=tuple(notes),
        )

    async def _record(
        self,
        transaction: Transaction,
        report: ImportReport,
        source: Source,
        filename: str,
        mode: ImportMode,
        user: User,
    ) -> None:
        problems = tuple(_kept(one) for one in report.problems)
        counts: dict[str, JsonValue] = {
            "rows": report.rows,
            "added": report.added,
            "changed": report.changed,
            "canceled": report.canceled,
            "conflicts": report.conflicts,
            "refused": report.refused,
        }
        await transaction.tickets.add_import(
            Import(
                id=report.id,
                source_id=source.id,
                user_id=user.id,
                at_ms=self._ledger.now_ms(),
                filename=filename,
                mode=mode,
                rows=report.rows,
                added=report.added,
                changed=report.changed,
                canceled=report.canceled,
                conflicts=report.conflicts,
                refused=report.refused,
                problems=problems,
                guessability=report.guessability,
            )
        )
        await self._ledger.note(
            transaction, user.id, "tickets_imported", source.performance_id, **counts
        )


async def _measure(transaction: Transaction, performance_id: str) -> Guessability | None:
    """Measure how guessable a performance's numbers are, whoever brought them, and note it."""
    sample, listed = await transaction.tickets.number_sample(performance_id)
    measured = await asyncio.to_thread(guessability, sample, listed)
    await transaction.performances.note_guessability(performance_id, measured)
    return measured


async def check_collisions(
    transaction: Transaction, checkpoint: str, performance_ids: Sequence[str]
) -> None:
    """Refuse a checkpoint whose performances hold one same number.

    Args:
        transaction: to look in.
        checkpoint: its name, for the message.
        performance_ids: what it controls.

    Raises:
        ConflictError: if two do; both are named.
    """
    found = await transaction.tickets.collisions(performance_ids, 1)
    if found:
        names = await transaction.performances.performances_by_id(found[0])
        one, other = (names[performance_id].name for performance_id in found[0])
        raise ConflictError(
            "numbers_collide",
            f"checkpoint “{checkpoint}” controls “{one}” and “{other}”, and both would hold one"
            " same ticket number; let it control one of them only, or correct the file",
        )


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    refused: int = 0
    unreadable: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[FileNote] = field(default_factory=list)
    classes: dict[TicketClass, int] = field(default_factory=dict)  # each with its place

    def take(self, batch: Sequence[TicketRow | RowProblem | FileNote]) -> None:
        """Count a batch, and give each class that is new in it a place."""
        last = None
        for item in batch:
            if isinstance(item, TicketRow):
                self.rows += 1
                if item.ticket_class is not last:
                    last = item.ticket_class
                    self.classes.setdefault(last, len(self.classes))
            elif isinstance(item, RowProblem):
                self.rows += 1
                self.refused += 1
                self.unreadable += item.number is None and item.code != "total_row"
                if len(self.problems) < PROBLEMS_KEPT:
                    self.problems.append(
                        Problem(
                            item.line,
                            item.column,
                            item.field,
                            item.code,
                            item.message,
                            item.detail,
                        )
                    )
            else:
                self.notes.append(item)


def _kept(problem: Problem) -> Mapping[str, JsonValue]:
    kept: dict[str, JsonValue] = {
        "line": problem.line,
        "column": problem.column,
        "field": problem.field,
        "code": problem.code,
    }
    return kept | {"detail": problem.detail} if problem.detail else kept


def _take(
    items: Iterator[TicketRow | RowProblem | FileNote], count: int
) -> list[TicketRow | RowProblem | FileNote]:
    return list(islice(items, count))


def _incoming(
    batch: Sequence[TicketRow | RowProblem | FileNote],
    classes: Mapping[TicketClass, int],
    list_key: bytes,
) -> list[IncomingTicket]:
    identify = identifier_maker(list_key)
    rows: list[IncomingTicket] = []
    last, place = None, 0  # rows of one class come one after the other: hash it once
    for item in batch:
        if isinstance(item, TicketRow):
            line, number, ticket_class, state, said = item
            if ticket_class is not last:
                last, place = ticket_class, classes[ticket_class]
            kept = None if said is None else encode_attributes(said)
            rows.append((line, number, identify(number), place, _WORDS[state], kept))
        elif isinstance(item, RowProblem) and item.number is not None:
            rows.append((item.line, item.number, identify(item.number), None, None, None))
    return rows


def _conflicts(merged: MergeResult) -> Iterator[tuple[LineList, str, str]]:
    yield (
        merged.duplicates,
        "number_repeated",
        "the ticket number stands in an earlier row too; the first row counts",
    )
    yield (
        merged.foreign,
        "number_of_other_source",
        "another source brought this ticket number first; that source counts",
    )
    yield (
        merged.frozen,
        "class_frozen",
        "somebody has passed with this ticket; its category and rule stay as they were",
    )


def _check_name(name: str, value: str) -> None:
    if not value.strip() or len(value) > NAME_CHARACTERS_MAX or not value.isprintable():
        raise InvalidError(name, f"{name} needs 1 to {NAME_CHARACTERS_MAX} printable characters")
