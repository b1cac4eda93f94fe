"""Ticket files: CSV as people's spreadsheets and ticketing systems write it. Pure.

Called by `importing`, through the `ReadTickets` port. A bad row is refused alone; a file that
cannot be trusted as a whole (cut off, rounded, not text) is refused whole.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO, TextIOWrapper
from itertools import islice
from operator import itemgetter
from typing import Final, NamedTuple

from admission.ticket import TicketClass, TicketState
from sync_server.errors import TicketFileError
from sync_server.sources.cells import (
    BadCell,
    read_canceled,
    read_class,
    read_number,
    read_state,
)
from sync_server.sources.encodings import encoding_of
from sync_server.sources.headers import check_unambiguous, find_attributes, find_fields
from sync_server.sources.sayings import Sayings
from sync_server.sources.survey import Survey
from sync_server.ticket_ports import FileNote, RowProblem, TicketRow

FILE_BYTES_MAX: Final = 64 * 1024 * 1024  # a million rows of 60 characters
ROWS_MAX: Final = 2_000_000
CLASSES_MAX: Final = 500  # more, and the category column is a column of names
HEADER_ROWS_MAX: Final = 20  # titles that exports put above the headers
DELIMITERS: Final = (";", ",", "\t", "|")


def read_tickets(data: bytes) -> Iterator[TicketRow | RowProblem | FileNote]:
    """Yield a file's rows in order, then its notes.

    Raises:
        TicketFileError: if the file as a whole is refused; also after rows were yielded.
    """
    if len(data) > FILE_BYTES_MAX:
        size = FILE_BYTES_MAX // (1024 * 1024)
        raise TicketFileError("too_large", f"the file is over {size} MiB; split it")
    encoding = encoding_of(data)
    layout = _find_layout(data, encoding)
    rows = _rows(_text(data, encoding), layout.delimiter)
    for _ in range(layout.header_rows):
        next(rows)
    yield from _Reading(layout).read(rows)


class _Layout(NamedTuple):
    delimiter: str
    header_rows: int  # rows down to the headers, them included
    fields: dict[str, int]
    columns: int
    sayings: Sayings


class _BadRow(NamedTuple):
    reason: str


def _text(data: bytes, encoding: str) -> TextIOWrapper:
    return TextIOWrapper(BytesIO(data), encoding=encoding, errors="strict", newline="")


def _rows(text: TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str] | _BadRow]]:
    """Yield (line, cells); a row whose quotes do not fit yields its fault."""
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    before = 0
    while True:
        try:
            for cells in reader:
                yield before + 1, cells
                before = reader.line_num
        except csv.Error as exc:
            yield before + 1, _fault_of(exc, before + 1)
            before = reader.line_num
        else:
            return


def _fault_of(exc: csv.Error, line: int) -> _BadRow:
    reason = str(exc)
    if "end of data" in reason or "field limit" in reason:
        raise TicketFileError(
            "cut_off",
            f"the quotation mark opened in the row at line {line} is never closed: the file is cut"
            " off or damaged; export it again",
            line,
        ) from exc
    return _BadRow(reason)


def _find_layout(data: bytes, encoding: str) -> _Layout:
    """Try each delimiter; the one under which most headers are known is the file's."""
    best: _Layout | None = None
    line = 0
    headers: Sequence[str] = ()
    for delimiter in DELIMITERS:
        start = islice(_rows(_text(data, encoding), delimiter), HEADER_ROWS_MAX)
        for place, (at, cells) in enumerate(start, start=1):
            if isinstance(cells, _BadRow):
                continue
            fields = find_fields(cells)
            if "number" not in fields:
                continue
            if best is None or len(fields) > len(best.fields):
                best = _Layout(
                    delimiter, place, fields, len(cells), Sayings(*find_attributes(cells))
                )
                line, headers = at, cells
            break
    if best is None:
        raise TicketFileError(
            "no_number_column",
            "no column is headed as the ticket number; name one of the headers “number”,"
            " “barcode” or “code-barres”",
        )
    check_unambiguous(headers, best.fields, line)
    return best


class _Reading:
    """One pass over a file's rows. Cells that repeat are read once."""

    def __init__(self, layout: _Layout) -> None:
        fields = layout.fields
        self._columns = layout.columns
        self._needed = max(fields.values()) + 1
        self._fields = fields
        self._sayings = layout.sayings
        self._number = fields["number"]
        places = [fields.get(name, -1) for name in _CLASS_FIELDS]
        self._class_cells: Callable[[Sequence[str]], tuple[str, ...]] = itemgetter(*places)
        self._state = fields.get("status", -1)
        self._canceled = fields.get("canceled", -1)
        self._classes: dict[tuple[str, ...], TicketClass | BadCell] = {}
        self._states: dict[tuple[str, str], TicketState | BadCell] = {}
        self._survey = Survey()

    def read(
        self, rows: Iterator[tuple[int, list[str] | _BadRow]]
    ) -> Iterator[TicketRow | RowProblem | FileNote]:
        count = 0
        for line, cells in rows:
            row = self._row(line, cells)
            if row is None:
                continue
            count += 1
            if count > ROWS_MAX:
                raise TicketFileError("too_many_rows", f"over {ROWS_MAX:,} rows; split the file")
            yield row
        if not count:
            raise TicketFileError("empty", "the file has headers, but not one ticket below them")
        yield from self._survey.notes()

    def _row(self, line: int, cells: list[str] | _BadRow) -> TicketRow | RowProblem | None:
        """Read a row; None where it is blank."""
        if isinstance(cells, _BadRow):
            message = f"the quotation marks of the row do not fit ({cells.reason})"
            return RowProblem(line, 0, "", "bad_quotes", message, None)
        if not self._needed <= len(cells) <= self._columns and not _fits(cells, self._columns):
            return None if _is_blank(cells) else self._misfit(line, cells)
        number = read_number(cells[self._number])
        if isinstance(number, BadCell):
            return None if _is_blank(cells) else self._problem(line, number, None)
        cells.append("")  # where the fields that the file does not have are read
        ticket_class = self._class(self._class_cells(cells))
        if isinstance(ticket_class, BadCell):
            return self._problem(line, ticket_class, number)
        state = self._state_of(cells[self._state], cells[self._canceled])
        if isinstance(state, BadCell):
            return self._problem(line, state, number)
        self._survey.add(number)
        return TicketRow(line, number, ticket_class, state, self._sayings.read(cells))

    def _class(self, cells: tuple[str, ...]) -> TicketClass | BadCell:
        known = self._classes.get(cells)
        if known is None:
            if len(self._classes) >= CLASSES_MAX:
                raise TicketFileError(
                    "too_many_categories",
                    f"over {CLASSES_MAX} different categories: is that column the category?",
                )
            known = self._classes[cells] = read_class(*cells)
        return known

    def _state_of(self, status: str, canceled: str) -> TicketState | BadCell:
        known = self._states.get((status, canceled))
        if known is None:
            known = read_state(status)
            if known is TicketState.VALID:
                known = read_canceled(canceled)
            if len(self._states) < CLASSES_MAX:
                self._states[status, canceled] = known
        return known

    def _problem(self, line: int, bad: BadCell, number: str | None) -> RowProblem:
        column = self._fields.get(bad.field, -1) + 1
        return RowProblem(line, column, bad.field, bad.code, bad.message, number, bad.detail)

    def _misfit(self, line: int, cells: list[str]) -> RowProblem:
        number = None
        if self._number < len(cells):
            read = read_number(cells[self._number])
            if isinstance(read, BadCell):
                if read.code == "total_row":
                    return self._problem(line, read, None)
            elif len(cells) < self._needed:
                number = read
        if len(cells) < self._needed:
            message = f"the row has {len(cells)} of {self._columns} cells: it is cut off"
            return RowProblem(line, 0, "", "row_short", message, number)
        message = (
            f"the row has {len(cells)} cells under {self._columns} headers: put quotation marks"
            " around the cell that holds the separator"
        )
        return RowProblem(line, 0, "", "row_long", message, None)


_CLASS_FIELDS: Final = ("category", "rule", "total_passes", "daily_passes")


def _is_blank(cells: list[str]) -> bool:
    return not "".join(cells).strip()


def _fits(cells: list[str], columns: int) -> bool:
    """Tell whether a row is only longer by empty cells; cuts them off."""
    if len(cells) > columns and not any(cells[columns:]):
        del cells[columns:]
        return True
    return False
