"""The journal record: its layout, its bytes, its chain. Final from format 1 on.

A record is one msgpack array, encoded once by the gate that wrote it, then stored, chained and
forwarded as it is. Later formats append fields; a reader ignores what it does not know. Format 2
appended `trusted_ms`.

chain(0) = SHA-256("portillon-journal-1" | NUL | journal id);
chain(n) = SHA-256(chain(n-1) | blob(n)).
"""

import hashlib
from datetime import UTC, datetime, timedelta
from enum import IntEnum, IntFlag, unique
from typing import Annotated, Final

import msgspec

from admission.errors import JournalError
from admission.limits import INTEGER_MAX, JOURNAL_RECORD_BYTES_MAX, NAME_CHARACTERS_MAX
from admission.passage import Fact, FreeCrossing, Passage, Reset
from admission.scan import Direction
from admission.ticket import EntryExit, Multi, PassRule, Single, TicketClass

FORMAT: Final = 2
_GENESIS: Final = b"portillon-journal-1\0"
PREVIOUS: Final = -1  # in a draft's `refers_to`: the record just before it in the same commit
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# a year off the calendar's ends, so that every instant has a day in every time zone
_FIRST_INSTANT: Final = datetime(2, 1, 1, tzinfo=UTC)
_LAST_INSTANT: Final = datetime(9998, 12, 31, tzinfo=UTC)

# a record that was read fits every database and every message that its content travels on in
Name = Annotated[str, msgspec.Meta(max_length=NAME_CHARACTERS_MAX)]
Whole = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
Integer = Annotated[int, msgspec.Meta(le=INTEGER_MAX)]


@unique
class Kind(IntEnum):
    """What happened. Numbers are never used again for anything else."""

    JOURNAL_NEW = 1  # the first record of every journal; detail: gate, previous journal
    BOOT = 2  # the daemon started; detail: software
    DENIED = 10  # an answer other than granted
    GRANTED = 11  # durable before the arm moves
    PASSED = 12  # a person went through: the passage
    NOT_PASSED = 13  # nobody did in time: the grant uses nothing up
    FORCED = 14  # the arm turned without a grant
    TAILGATED = 15  # it turned again on one grant
    FREE = 16  # a crossing while the lane stood free
    RESET = 17  # an operator forgot a ticket's passages
    LIST_ACTIVATED = 20
    LIST_REFUSED = 21
    CLOCK_STEP = 30  # the wall clock was set, or a signed time took trusted time back
    ALARM = 31  # the fire loop opened or closed
    FAULT = 32  # a device fault began or ended
    COMMAND = 33  # an operator's signed command: obeyed (who, what, why), or refused
    FREE_PASSAGE = 34  # began or ended; detail: phase, and by what or whom


@unique
class Flag(IntFlag):
    """Circumstances of a record."""

    STALE = 1  # the list was past its `refresh_by`
    DEGRADED = 2  # the gate worked without the server
    CLOCK_SUSPECT = 4  # no trusted time: rules with a time in them followed the gate's policy
    OVERRIDE = 8  # a steward's decision
    UNRESOLVED = 16  # a grant whose end nobody knows
    NO_SENSOR = 32  # the lane cannot tell whether somebody went through
    EXIT_POLICY = 64  # refused, but the exit opened all the same
    PROVEN = 128  # no list held the ticket: its own signature proved its class
    HINTED = 256  # refused by what another gate, or the server, said before any journal did
    KEYED = 512  # the number was typed by hand


class Record(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One journal record.

    Attributes:
        format: of the layout.
        kind: a `Kind`.
        sequence: 1, 2, 3 … without gaps within a journal.
        wall_ms: wall-clock milliseconds since 1970 of the fact's moment; for everything that
            follows from a scan, the moment of the scan.
        boot_ms: milliseconds since the machine started, same moment.
        boot_id: names that start of the machine, 16 bytes.
        hlc: hybrid logical clock (48 bits of milliseconds, 16 of count); hints only.
        flags: a `Flag` set.
        checkpoint: where, or "".
        performance: which, or "".
        identifier: the ticket, or b"".
        direction: 0 none, 1 entry, 2 exit.
        answer: the verdict's code for DENIED and GRANTED, and for a PASSED that was refused.
        list_version: version of the performance's list that was judged by, 0 if none.
        ticket_class: [category, mode, total, per_day] of the ticket, or None.
        refers_to: sequence of the grant that a PASSED or NOT_PASSED ends, else 0.
        reader: configured name of the reader, or "".
        detail: further fields of the kind, short texts and numbers.
        trusted_ms: the same moment in the gate's trusted time, by which it judged; 0 where it
            kept none.
    """

    format: int = FORMAT
    kind: Whole
    sequence: Whole
    wall_ms: Integer
    boot_ms: Integer
    boot_id: Annotated[bytes, msgspec.Meta(max_length=16)]
    hlc: Whole = 0
    flags: Whole = 0
    checkpoint: Name = ""
    performance: Name = ""
    identifier: Annotated[bytes, msgspec.Meta(max_length=64)] = b""
    direction: int = 0
    answer: str = ""
    list_version: Whole = 0
    ticket_class: tuple[Name, Name, Integer | None, Integer | None] | None = None
    refers_to: Integer = 0
    reader: str = ""
    detail: dict[str, str | int] = {}
    trusted_ms: Whole = 0


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """Write a record as its blob.

    Raises:
        ValueError: if the blob would be over JOURNAL_RECORD_BYTES_MAX.
    """
    blob = _encoder.encode(record)
    if len(blob) > JOURNAL_RECORD_BYTES_MAX:
        raise ValueError(f"record of {len(blob)} bytes is over {JOURNAL_RECORD_BYTES_MAX}")
    return blob


def decode(blob: bytes) -> Record:
    """Read a blob.

    Raises:
        JournalError: if it is over JOURNAL_RECORD_BYTES_MAX or no record.
    """
    if len(blob) > JOURNAL_RECORD_BYTES_MAX:
        raise JournalError(f"record of {len(blob)} bytes is over {JOURNAL_RECORD_BYTES_MAX}")
    try:
        return _decoder.decode(blob)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise JournalError(f"not a journal record: {exc}") from exc


def genesis(journal: str) -> bytes:
    """Give the chain value before a journal's first record."""
    return hashlib.sha256(_GENESIS + journal.encode()).digest()


def chain(previous: bytes, blob: bytes) -> bytes:
    """Give the chain value after a record."""
    return hashlib.sha256(previous + blob).digest()


def placed(draft: Record, sequence: int, hlc: int) -> Record:
    """Give a draft its place in the journal; PREVIOUS becomes the record just before it."""
    refers_to = sequence - 1 if draft.refers_to == PREVIOUS else draft.refers_to
    return msgspec.structs.replace(draft, sequence=sequence, hlc=hlc, refers_to=refers_to)


def ending(grant: Record, kind: Kind, refers_to: int, flags: Flag | None = None) -> Record:
    """Make the draft that ends a grant: PASSED or NOT_PASSED, with the moment of the scan.

    Args:
        grant: the GRANTED record, or its draft.
        kind: PASSED or NOT_PASSED.
        refers_to: the grant's sequence, or PREVIOUS where both are written in one commit.
        flags: added to the grant's own.
    """
    return msgspec.structs.replace(
        grant,
        kind=int(kind),
        sequence=0,
        flags=grant.flags | int(flags or 0),
        refers_to=refers_to,
    )


def answering(event: Record, answer: str, direction: Direction, flags: Flag) -> Record:
    """Make an event's draft one of somebody who was answered; flags are added to its own."""
    return msgspec.structs.replace(
        event,
        flags=event.flags | int(flags),
        direction=direction_code(direction),
        answer=answer,
    )


def about_ticket(
    event: Record,
    identifier: bytes,
    ticket_class: tuple[str, str, int | None, int | None] | None,
) -> Record:
    """Make an event's draft one about a ticket of its performance.

    Args:
        event: the draft.
        identifier: the ticket's; b"" for none.
        ticket_class: as `class_code` has it, or None where it is not known.
    """
    return msgspec.structs.replace(event, identifier=identifier, ticket_class=ticket_class)


def next_hlc(previous: int, wall_ms: int) -> int:
    """Give the hybrid clock's next value: never less than one more than the one before."""
    return max(previous + 1, wall_ms << 16)


_DIRECTIONS: Final = {Direction.ENTRY: 1, Direction.EXIT: 2}
_DIRECTIONS_BACK: Final = {code: direction for direction, code in _DIRECTIONS.items()}
_MODES: Final[dict[str, PassRule]] = {"single": Single(), "entry_exit": EntryExit()}


def direction_code(direction: Direction) -> int:
    """Write a direction as its number."""
    return _DIRECTIONS[direction]


def direction_of(code: int) -> Direction:
    """Read a direction.

    Raises:
        JournalError: if the number is none.
    """
    try:
        return _DIRECTIONS_BACK[code]
    except KeyError:
        raise JournalError(f"no direction: {code}") from None


def class_code(ticket_class: TicketClass) -> tuple[str, str, int | None, int | None]:
    """Write a ticket class as its four fields."""
    rule = ticket_class.rule
    match rule:
        case Multi():
            return (ticket_class.category, "multi", rule.total, rule.per_day)
        case Single():
            return (ticket_class.category, "single", None, None)
        case EntryExit():
            return (ticket_class.category, "entry_exit", None, None)


def class_of(code: tuple[str, str, int | None, int | None]) -> TicketClass:
    """Read a ticket class.

    Raises:
        JournalError: if its mode is none, or a limit is below zero.
    """
    category, mode, total, per_day = code
    try:
        rule: PassRule = Multi(total, per_day) if mode == "multi" else _MODES[mode]
    except (KeyError, ValueError):
        raise JournalError(f"no ticket class: mode {mode!r}, {total}, {per_day}") from None
    return TicketClass(category, rule)


def instant(wall_ms: int) -> datetime:
    """Give the aware UTC instant of wall-clock milliseconds.

    Raises:
        JournalError: if no calendar date has it.
    """
    return _dated(wall_ms, timedelta(milliseconds=1))


def own_instant(record: Record) -> datetime:
    """Give a record's moment by the gate that wrote it: trusted time, which nobody sets back.

    Raises:
        JournalError: if no calendar date has it.
    """
    return instant(record.trusted_ms or record.wall_ms)


def wall_ms(at: datetime) -> int:
    """Give the wall-clock milliseconds of an aware instant, finer digits cut off."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def microseconds(at: datetime) -> int:
    """Give the microseconds since 1970 of an aware instant."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def at_microseconds(at_us: int) -> datetime:
    """Give the aware UTC instant of microseconds since 1970.

    Raises:
        JournalError: if no calendar date has it.
    """
    return _dated(at_us, timedelta(microseconds=1))


def _dated(count: int, unit: timedelta) -> datetime:
    try:
        at = _EPOCH + count * unit
    except OverflowError:
        at = None
    if at is None or not _FIRST_INSTANT <= at < _LAST_INSTANT:
        raise JournalError(f"no date: {count} x {unit}")
    return at


def fact_of(journal: str, record: Record, at: datetime | None = None) -> Fact | None:
    """Give the fact that a record states, or None where it states none.

    Args:
        journal: id of the journal that holds it.
        record: the record.
        at: its corrected instant; None takes the gate's own.

    Raises:
        JournalError: if the record contradicts itself.
    """
    when = own_instant(record) if at is None else at
    match record.kind:
        case Kind.PASSED:
            return _passage(journal, record, when)
        case Kind.RESET:
            return Reset(
                journal,
                record.sequence,
                when,
                record.checkpoint,
                record.performance,
                record.identifier,
            )
        case Kind.FREE:
            return FreeCrossing(
                journal, record.sequence, when, record.checkpoint, direction_of(record.direction)
            )
        case _:
            return None


def pending_of(journal: str, record: Record) -> Passage:
    """Give the passage that a grant becomes if nobody contradicts: it counts while pending."""
    return _passage(journal, record, own_instant(record))


def _passage(journal: str, record: Record, at: datetime) -> Passage:
    return Passage(
        gate=journal,
        sequence=record.sequence,
        at=at,
        checkpoint=record.checkpoint,
        performance=record.performance or None,
        identifier=record.identifier,
        direction=direction_of(record.direction),
        override=bool(record.flags & Flag.OVERRIDE),
        unresolved=bool(record.flags & Flag.UNRESOLVED),
        ticket_class=None if record.ticket_class is None else class_of(record.ticket_class),
        proven=bool(record.flags & Flag.PROVEN),
    )
