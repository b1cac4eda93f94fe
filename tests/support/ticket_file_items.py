"""What a ticket file yields, sorted by kind. For the tests of the ticket file source."""

import pytest

from sync_server.errors import TicketFileError
from sync_server.sources.file import read_tickets
from sync_server.ticket_ports import FileNote, RowProblem, TicketRow


def items_of(data):
    return list(read_tickets(data.encode() if isinstance(data, str) else data))


def rows_of(data):
    items = items_of(data)
    assert all(isinstance(item, TicketRow) for item in items), items
    return items


def numbers_of(data):
    return [item.number for item in items_of(data) if isinstance(item, TicketRow)]


def problems_of(data):
    return [item for item in items_of(data) if isinstance(item, RowProblem)]


def notes_of(data):
    return {item.code: item.message for item in items_of(data) if isinstance(item, FileNote)}


def refusal_of(data):
    with pytest.raises(TicketFileError) as caught:
        items_of(data)
    return caught.value
