"""The packed list: an immutable file of sorted identifiers, searched where it lies.

Layout, big-endian: magic `TGL1`, format u16, identifier length u16, flags u32, count u64,
SHA-256 of the performance's id, 12 bytes of zeros (64 bytes in all); then the columns: `count`
identifiers, ascending; `count` classes, u16, pointing into the manifest's table; `count` states,
u8. 19 bytes a ticket. Opening it parses nothing: whoever opens it has checked its digest.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from admission.errors import ForeignListError, ListFormatError
from admission.limits import CLASSES_MAX, IDENTIFIER_BYTES, SNAPSHOT_ENTRIES_MAX
from admission.ticket import TicketState
from admission.ticketlist.columns import Buffer, IdentifierColumn

MAGIC: Final = b"TGL1"
_HEADER: Final = struct.Struct(">4sHHIQ32s12x")
HEADER_BYTES: Final = _HEADER.size
ENTRY_BYTES: Final = IDENTIFIER_BYTES + 3
STATES: Final = tuple(TicketState)  # a state's place here is its number in the file: append only
STATE_NUMBERS: Final = {state: number for number, state in enumerate(STATES)}


class Entry(NamedTuple):
    """One ticket of a packed list.

    Attributes:
        identifier: keyed, `limits.IDENTIFIER_BYTES` long.
        class_index: place of its class in the manifest's table.
        state: its state.
    """

    identifier: bytes
    class_index: int
    state: TicketState


def performance_digest(performance: str) -> bytes:
    """Give what names the performance inside the file."""
    return hashlib.sha256(performance.encode()).digest()


def pack(performance: str, entries: Iterable[Entry]) -> bytes:
    """Write a list.

    Args:
        performance: id of the performance.
        entries: in any order.

    Raises:
        ValueError: if an identifier is doubled or of another length, or a class index is out of
            range.
    """
    ordered = sorted(entries)
    _check(ordered)
    header = _HEADER.pack(
        MAGIC, 1, IDENTIFIER_BYTES, 0, len(ordered), performance_digest(performance)
    )
    return b"".join(
        (
            header,
            b"".join([entry[0] for entry in ordered]),
            struct.pack(f">{len(ordered)}H", *[entry[1] for entry in ordered]),
            bytes([STATE_NUMBERS[entry[2]] for entry in ordered]),
        )
    )


def _check(ordered: list[Entry]) -> None:
    previous = b""
    for identifier, class_index, _ in ordered:
        if len(identifier) != IDENTIFIER_BYTES:
            raise ValueError(f"identifiers have {IDENTIFIER_BYTES} bytes, got {len(identifier)}")
        if identifier == previous:
            raise ValueError(f"identifier {identifier.hex()[:8]}… occurs twice")
        if not 0 <= class_index < CLASSES_MAX:
            raise ValueError(f"class index must be in 0..{CLASSES_MAX - 1}, got {class_index}")
        previous = identifier


class PackedList:
    """A list opened for looking up; holds nothing but the buffer."""

    def __init__(self, buffer: Buffer, performance: str) -> None:
        """Open a list whose digest was checked before.

        Args:
            buffer: the file's bytes.
            performance: id of the performance it must belong to.

        Raises:
            ListFormatError: if the bytes are no packed list, or cut off.
            ForeignListError: if it belongs to another performance.
        """
        self._buffer = buffer
        if len(buffer) < HEADER_BYTES:
            raise ListFormatError(f"{len(buffer)} bytes are too few for a packed list")
        magic, version, id_bytes, flags, count, owner = _HEADER.unpack(buffer[:HEADER_BYTES])
        if (magic, version, id_bytes, flags) != (MAGIC, 1, IDENTIFIER_BYTES, 0):
            raise ListFormatError("not a packed list of format 1")
        if count > SNAPSHOT_ENTRIES_MAX or len(buffer) != HEADER_BYTES + count * ENTRY_BYTES:
            raise ListFormatError(f"{len(buffer)} bytes do not hold {count} tickets")
        if owner != performance_digest(performance):
            raise ForeignListError(f"the list is not one of performance {performance}")
        self._count: int = count
        self._classes = HEADER_BYTES + count * IDENTIFIER_BYTES
        self._states = self._classes + 2 * count
        self._identifiers = IdentifierColumn(buffer, HEADER_BYTES, count)

    def __len__(self) -> int:
        """Give the number of tickets."""
        return self._count

    def __getitem__(self, place: int) -> bytes:
        """Give the identifier at a place of the sorted column."""
        return self._identifiers[place]

    def find(self, identifier: bytes) -> Entry | None:
        """Look a ticket up.

        Raises:
            ListFormatError: if its state is none that this program knows.
        """
        place = self._identifiers.place_of(identifier)
        return None if place is None else self._entry(place, identifier)

    def __iter__(self) -> Iterator[Entry]:
        """Go over all tickets, by identifier."""
        return (self._entry(place, self[place]) for place in range(self._count))

    def check_columns(self, class_count: int) -> None:
        """Make sure that every ticket can be looked up: one pass over all of them.

        Args:
            class_count: rows of the manifest's class table.

        Raises:
            ListFormatError: if a ticket points beyond that table, or its state is none.
        """
        classes = struct.iter_unpack(">H", self._buffer[self._classes : self._states])
        highest = max(classes, default=(0,))[0]
        if self._count and highest >= class_count:
            raise ListFormatError(f"a ticket is of class {highest}, there are {class_count}")
        state = max(self._buffer[self._states : self._states + self._count], default=0)
        if state >= len(STATES):
            raise ListFormatError(f"unknown ticket state {state}")

    def _entry(self, place: int, identifier: bytes) -> Entry:
        at = self._classes + 2 * place
        number = self._buffer[self._states + place : self._states + place + 1][0]
        if number >= len(STATES):
            raise ListFormatError(f"unknown ticket state {number}")
        index = int.from_bytes(self._buffer[at : at + 2], "big")
        return Entry(identifier, index, STATES[number])
