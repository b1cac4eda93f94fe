"""What a ticket says besides its class (place, names, a word of attention), and its bytes.

Made by the importer, shown at the gate to whoever presents the ticket, and nowhere written down.
The bytes are padded to a few sizes: how long a record is tells next to nothing of what is in it.
"""

from typing import Annotated, Final

import msgspec

from admission.errors import ListFormatError
from admission.limits import ATTRIBUTE_CHARACTERS_MAX, EXTRAS_MAX

RECORD_SIZES: Final = (32, 64, 128, 256, 512, 1024)
_LENGTH_BYTES: Final = 2

Text = Annotated[str, msgspec.Meta(max_length=ATTRIBUTE_CHARACTERS_MAX)]


class Attributes(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What a ticket says. A later program appends fields.

    Attributes:
        zone: part of the venue.
        row: of the seat.
        seat: its number.
        entrance: where to go in.
        attention: what the steward should look at; "!" where nothing more is said.
        holder_last: family name.
        holder_first: given name.
        company: of the holder.
        note: for the steward.
        extra: further texts by name.
    """

    zone: Text = ""
    row: Text = ""
    seat: Text = ""
    entrance: Text = ""
    attention: Text = ""
    holder_last: Text = ""
    holder_first: Text = ""
    company: Text = ""
    note: Text = ""
    extra: Annotated[dict[Text, Text], msgspec.Meta(max_length=EXTRAS_MAX)] = {}


NOTHING: Final = Attributes()
FIELDS: Final = Attributes.__struct_fields__
TRAVELLING: Final = ("zone", "row", "seat", "entrance", "attention")  # unless told otherwise
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Attributes)


def limited(attributes: Attributes, fields: frozenset[str]) -> Attributes:
    """Give attributes without those that may not travel."""
    return Attributes(**{name: getattr(attributes, name) for name in FIELDS if name in fields})


def encode_attributes(attributes: Attributes) -> bytes:
    """Write attributes as they are kept; NOTHING is no byte at all."""
    return b"" if attributes == NOTHING else _encoder.encode(_trimmed(attributes))


def decode_attributes(body: bytes) -> Attributes:
    """Read attributes as they are kept.

    Raises:
        ListFormatError: if the bytes are none.
    """
    if not body:
        return NOTHING
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ListFormatError("attributes: not in the format") from exc


def pack_record(attributes: Attributes) -> bytes:
    """Write a record, padded. Where it is over the largest size, notes and extras stay behind.

    Raises:
        ValueError: if it is over the largest size even so.
    """
    body = _encoder.encode(_trimmed(attributes))
    if len(body) > RECORD_SIZES[-1] - _LENGTH_BYTES:
        body = _encoder.encode(_trimmed(limited(attributes, frozenset(FIELDS[:-2]))))
    for size in RECORD_SIZES:
        if len(body) <= size - _LENGTH_BYTES:
            return (len(body).to_bytes(_LENGTH_BYTES, "big") + body).ljust(size, b"\0")
    raise ValueError(f"a record of {len(body)} bytes is over {RECORD_SIZES[-1]}")


def _trimmed(attributes: Attributes) -> list[object]:
    """Give the fields down to the last that says something."""
    values = [getattr(attributes, name) for name in FIELDS]
    while values and not values[-1]:
        values.pop()
    return values


def read_record(raw: bytes) -> Attributes:
    """Read a record that was opened.

    Raises:
        ListFormatError: if it is none.
    """
    size = int.from_bytes(raw[:_LENGTH_BYTES], "big")
    return decode_attributes(raw[_LENGTH_BYTES : _LENGTH_BYTES + size])
