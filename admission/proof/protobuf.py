"""The few rules of protocol buffers that a ticket needs: numbered fields, whole numbers, bytes.

A field that comes twice counts as its last, an unknown one is passed over, as the format has it.
Input is bounded by the caller; every step consumes some of it.
"""

from typing import Final

Fields = dict[int, int | bytes]

_VARINT_BYTES_MAX: Final = 10
_VARINT_MAX: Final = (1 << 64) - 1
_FIXED: Final = {1: 8, 5: 4}  # wire type: bytes
_VARINT: Final = 0
_LENGTH_DELIMITED: Final = 2


def read_fields(message: bytes) -> Fields | None:
    """Read a message's fields by number; None where it is no message."""
    fields: Fields = {}
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if tag < 0 or number == 0:
            return None
        if wire == _VARINT:
            value, place = _varint(message, place)
            if value < 0:
                return None
            fields[number] = value
            continue
        size = _FIXED.get(wire, -1)
        if wire == _LENGTH_DELIMITED:
            size, place = _varint(message, place)
        if size < 0 or size > len(message) - place:
            return None
        fields[number] = message[place : place + size]
        place += size
    return fields


def int64(fields: Fields, number: int) -> int | None:
    """Give a field of type int64: 0 where it is absent, None where it is of another type."""
    value = fields.get(number, 0)
    if isinstance(value, bytes):
        return None
    return value - (1 << 64) if value >> 63 else value


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Give a number and the place after it; -1 where there is none."""
    value = 0
    for count, byte in enumerate(message[place : place + _VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return (value if value <= _VARINT_MAX else -1), place + count + 1
    return -1, len(message)
