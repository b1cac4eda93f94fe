"""The file of sealed records beside a list: the presented ticket opens its own, and no other.

Layout, big-endian: magic `TGA1`, format u16, identifier length u16, flags u32, count u64, SHA-256
of the performance's id, 12 bytes of zeros (64 in all); then `count` identifiers, ascending;
`count` + 1 places in the file, u64, where each record begins and the last one ends; the records.
A later file of the same kind says what has changed since: its record stands for that ticket then.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from admission.errors import ForeignListError, ListFormatError, SignatureError
from admission.limits import IDENTIFIER_BYTES, SNAPSHOT_ENTRIES_MAX
from admission.ticketlist.attributes import NOTHING, RECORD_SIZES, Attributes, read_record
from admission.ticketlist.columns import Buffer, IdentifierColumn
from admission.ticketlist.packed import performance_digest
from admission.trust.sealing import RECORD_OVERHEAD_BYTES, open_record

MAGIC: Final = b"TGA1"
_HEADER: Final = struct.Struct(">4sHHIQ32s12x")
SEALED_HEADER_BYTES: Final = _HEADER.size
_PLACE_BYTES: Final = 8
_SIZES: Final = frozenset(size + RECORD_OVERHEAD_BYTES for size in RECORD_SIZES)


def pack_sealed(performance: str, records: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write a file of records.

    Args:
        performance: its id.
        records: identifier and sealed record of each ticket, in any order.

    Raises:
        ValueError: if an identifier is doubled or of another length, or a record of no size.
    """
    ordered = sorted(records)
    previous = b""
    for identifier, record in ordered:
        if len(identifier) != IDENTIFIER_BYTES or identifier == previous:
            raise ValueError("an identifier is doubled, or of another length")
        if len(record) not in _SIZES:
            raise ValueError(f"no sealed record has {len(record)} bytes")
        previous = identifier
    at = least_bytes(len(ordered))
    places = [at]
    for _, record in ordered:
        at += len(record)
        places.append(at)
    header = _HEADER.pack(
        MAGIC, 1, IDENTIFIER_BYTES, 0, len(ordered), performance_digest(performance)
    )
    return b"".join(
        (
            header,
            *(identifier for identifier, _ in ordered),
            struct.pack(f">{len(places)}Q", *places),
            *(record for _, record in ordered),
        )
    )


def least_bytes(count: int) -> int:
    """Give the bytes of a file of so many tickets without its records."""
    return SEALED_HEADER_BYTES + count * (IDENTIFIER_BYTES + _PLACE_BYTES) + _PLACE_BYTES


class SealedFile:
    """A file opened for looking up; holds nothing but the buffer."""

    def __init__(self, buffer: Buffer, performance: str) -> None:
        """Open a file whose digest was checked before.

        Args:
            buffer: its bytes.
            performance: id of the performance it must belong to.

        Raises:
            ListFormatError: if the bytes are no such file, or cut off.
            ForeignListError: if it belongs to another performance.
        """
        if len(buffer) < SEALED_HEADER_BYTES:
            raise ListFormatError(f"{len(buffer)} bytes are too few for sealed records")
        magic, version, id_bytes, flags, count, owner = _HEADER.unpack(buffer[:SEALED_HEADER_BYTES])
        if (magic, version, id_bytes, flags) != (MAGIC, 1, IDENTIFIER_BYTES, 0):
            raise ListFormatError("not sealed records of format 1")
        if count > SNAPSHOT_ENTRIES_MAX or len(buffer) < least_bytes(count):
            raise ListFormatError(f"{len(buffer)} bytes do not hold {count} sealed records")
        if owner != performance_digest(performance):
            raise ForeignListError(f"the records are not those of performance {performance}")
        self._buffer = buffer
        self._identifiers = IdentifierColumn(buffer, SEALED_HEADER_BYTES, count)
        self._places = SEALED_HEADER_BYTES + count * IDENTIFIER_BYTES

    def __len__(self) -> int:
        """Give the number of records."""
        return len(self._identifiers)

    def find(self, identifier: bytes) -> bytes | None:
        """Give a ticket's sealed record, None where this file says nothing of it.

        Raises:
            ListFormatError: if the record is not where the file says.
        """
        place = self._identifiers.place_of(identifier)
        return None if place is None else self._record(place)

    def _record(self, place: int) -> bytes:
        at = self._places + _PLACE_BYTES * place
        begin, end = struct.unpack(">2Q", self._buffer[at : at + 2 * _PLACE_BYTES])
        if not least_bytes(len(self)) <= begin < end <= len(self._buffer):
            raise ListFormatError("a sealed record is not within its file")
        if end - begin not in _SIZES:
            raise ListFormatError(f"no sealed record has {end - begin} bytes")
        return self._buffer[begin:end]

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Go over all records, by identifier."""
        return ((self._identifiers[place], self._record(place)) for place in range(len(self)))


def find_record(files: Sequence[SealedFile], identifier: bytes) -> bytes | None:
    """Give a ticket's sealed record: that of the last file which says something of it."""
    for file in reversed(files):
        if (record := file.find(identifier)) is not None:
            return record
    return None


def open_attributes(
    files: Sequence[SealedFile], identifier: bytes, list_key: bytes, number: str
) -> Attributes:
    """Give what a presented ticket says, NOTHING where that is nothing or cannot be opened.

    Args:
        files: of the list, in order.
        identifier: the ticket's.
        list_key: the performance's.
        number: what was presented.
    """
    try:
        sealed = find_record(files, identifier)
        return NOTHING if sealed is None else read_record(open_record(sealed, list_key, number))
    except (ListFormatError, SignatureError):
        return NOTHING  # the files are as they were signed: what is in them is the signer's word
