"""A segment: what is different in a list since the piece before it, as one small immutable file.

Layout, big-endian: magic `TGS1`, format u16, identifier length u16, flags u32, count u64, SHA-256
of the performance's id, version u64 of the piece before, its chain value (32 bytes), 4 bytes of
zeros (96 in all); then columns as in the packed list: identifiers, ascending; classes, u16; states,
u8. A ticket that is gone has the state REMOVED and class 0: one that a segment leaves out is as it
was. Segments are small: they are read whole, and every byte of them is looked at.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from admission.errors import ForeignListError, ListFormatError
from admission.limits import CLASSES_MAX, IDENTIFIER_BYTES, SEGMENT_ENTRIES_MAX
from admission.ticket import TicketState
from admission.ticketlist.columns import IdentifierColumn
from admission.ticketlist.packed import (
    ENTRY_BYTES,
    STATE_NUMBERS,
    STATES,
    performance_digest,
)

MAGIC: Final = b"TGS1"
_HEADER: Final = struct.Struct(">4sHHIQ32sQ32s4x")
SEGMENT_HEADER_BYTES: Final = _HEADER.size
REMOVED: Final = 255  # in the column of states; no state of a ticket is ever numbered so


class Change(NamedTuple):
    """One ticket as it is from this segment on.

    Attributes:
        identifier: keyed, `limits.IDENTIFIER_BYTES` long.
        class_index: place of its class in the manifest's table; 0 where it is gone.
        state: its state; None: it is on the list no more.
    """

    identifier: bytes
    class_index: int
    state: TicketState | None


@dataclass(frozen=True, slots=True)
class Base:
    """The piece that a segment follows.

    Attributes:
        version: of the list that the piece brought.
        chain: chain value up to it, 32 bytes.
    """

    version: int
    chain: bytes


def pack_segment(performance: str, base: Base, changes: Iterable[Change]) -> bytes:
    """Write a segment.

    Args:
        performance: id of the performance.
        base: the piece that it follows.
        changes: in any order.

    Raises:
        ValueError: if there are none or too many, an identifier is doubled or of another length,
            or a class index is out of range.
    """
    ordered = sorted(changes, key=lambda change: change.identifier)
    _check(ordered)
    return b"".join(
        (
            _HEADER.pack(
                MAGIC,
                1,
                IDENTIFIER_BYTES,
                0,
                len(ordered),
                performance_digest(performance),
                base.version,
                base.chain,
            ),
            b"".join([change.identifier for change in ordered]),
            struct.pack(f">{len(ordered)}H", *[change.class_index for change in ordered]),
            bytes([_number(change.state) for change in ordered]),
        )
    )


def _number(state: TicketState | None) -> int:
    return REMOVED if state is None else STATE_NUMBERS[state]


def _check(ordered: list[Change]) -> None:
    if not 0 < len(ordered) <= SEGMENT_ENTRIES_MAX:
        raise ValueError(f"a segment has 1 to {SEGMENT_ENTRIES_MAX} tickets, got {len(ordered)}")
    previous = b""
    for identifier, class_index, state in ordered:
        if len(identifier) != IDENTIFIER_BYTES:
            raise ValueError(f"identifiers have {IDENTIFIER_BYTES} bytes, got {len(identifier)}")
        if identifier == previous:
            raise ValueError(f"identifier {identifier.hex()[:8]}… occurs twice")
        if not 0 <= class_index < CLASSES_MAX or (state is None and class_index):
            raise ValueError(f"class index must be in 0..{CLASSES_MAX - 1}, got {class_index}")
        previous = identifier


@dataclass(frozen=True, slots=True)
class Columns:
    """What a segment brings, column by column.

    Attributes:
        identifiers: ascending, one after the other.
        classes: two bytes each.
        states: one byte each, REMOVED among them.
    """

    identifiers: bytes
    classes: bytes
    states: bytes

    def __len__(self) -> int:
        """Give the number of tickets."""
        return len(self.states)


def read_segment(raw: bytes, performance: str, base: Base) -> Columns:
    """Read a segment whose digest was checked before.

    Args:
        raw: the file.
        performance: id of the performance it must belong to.
        base: the piece that it must follow.

    Raises:
        ListFormatError: if the bytes are no segment, cut off, not in order, hold what a ticket
            cannot be, or follow another piece.
        ForeignListError: if it belongs to another performance.
    """
    if len(raw) < SEGMENT_HEADER_BYTES:
        raise ListFormatError(f"{len(raw)} bytes are too few for a segment")
    magic, form, id_bytes, flags, count, owner, version, chain = _HEADER.unpack_from(raw)
    if (magic, form, id_bytes, flags) != (MAGIC, 1, IDENTIFIER_BYTES, 0):
        raise ListFormatError("not a segment of format 1")
    if not 0 < count <= SEGMENT_ENTRIES_MAX or len(raw) != segment_bytes(count):
        raise ListFormatError(f"{len(raw)} bytes do not hold a segment of {count} tickets")
    if owner != performance_digest(performance):
        raise ForeignListError(f"the segment is not one of performance {performance}")
    if (version, chain) != (base.version, base.chain):
        raise ListFormatError(
            f"the segment follows version {version}, not the piece before it ({base.version})"
        )
    classes = SEGMENT_HEADER_BYTES + count * IDENTIFIER_BYTES
    states = classes + 2 * count
    columns = Columns(raw[SEGMENT_HEADER_BYTES:classes], raw[classes:states], raw[states:])
    _check_columns(columns)
    return columns


def _check_columns(columns: Columns) -> None:
    if not IdentifierColumn(columns.identifiers, 0, len(columns)).is_ascending():
        raise ListFormatError("the segment's tickets are not in order")
    worst = max((state for state in columns.states if state != REMOVED), default=0)
    if worst >= len(STATES):
        raise ListFormatError(f"unknown ticket state {worst}")


def segment_bytes(count: int) -> int:
    """Give the size of a segment of so many tickets."""
    return SEGMENT_HEADER_BYTES + count * ENTRY_BYTES
