"""Facts as feed items and back. The server writes them, gates read them."""

from datetime import datetime

from admission import journal
from admission.errors import JournalError, RemoteProtocolError
from admission.journal import Flag, Record
from admission.passage import Fact
from admission.sync.messages import FeedItem


def item_of(number: int, gate: str, record: Record, at: datetime) -> FeedItem:
    """Make the feed item of a record that states a fact.

    Args:
        number: its place in the stream.
        gate: id of the journal that holds it.
        record: the record.
        at: its corrected instant.
    """
    kept = Flag.OVERRIDE | Flag.UNRESOLVED | Flag.PROVEN
    return FeedItem(
        number=number,
        kind=record.kind,
        gate=gate,
        sequence=record.sequence,
        at_us=journal.microseconds(at),
        checkpoint=record.checkpoint,
        performance=record.performance,
        identifier=record.identifier,
        direction=record.direction,
        flags=record.flags & kept,
        ticket_class=record.ticket_class,
        refers_to=record.refers_to,
    )


def fact_of_item(item: FeedItem) -> Fact:
    """Give the fact that an item states.

    Raises:
        RemoteProtocolError: if it states none.
    """
    record = Record(
        kind=item.kind,
        sequence=item.sequence,
        wall_ms=0,
        boot_ms=0,
        boot_id=b"",
        flags=item.flags,
        checkpoint=item.checkpoint,
        performance=item.performance,
        identifier=item.identifier,
        direction=item.direction,
        ticket_class=item.ticket_class,
    )
    try:
        fact = journal.fact_of(item.gate, record, journal.at_microseconds(item.at_us))
    except JournalError as exc:
        raise RemoteProtocolError(f"feed item {item.number}: {exc}") from exc
    if fact is None:
        raise RemoteProtocolError(f"feed item {item.number} states no fact (kind {item.kind})")
    return fact
