"""Tickets of pretix's signature scheme 1, `pretix_sig1`, read as pretix writes them.

The text is base 64, written backwards, of: version 1, length of the payload u16, length of the
signature u16, payload, signature. The payload is a protocol buffer message (1 seed, 2 item,
3 variation, 4 subevent, 5 valid from, 6 valid until; seconds since 1970, 0 is none), signed with
the event's Ed25519 key. pretix itself reads several texts as one ticket, since base 64 has spare
bits and bytes behind the signature are passed over; here only the text that it writes is a ticket.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from admission.proof.protobuf import int64, read_fields

_HEAD: Final = struct.Struct(">BHH")
_VERSION: Final = 1
_SIGNATURE_BYTES: Final = 64
_PAYLOAD_BYTES_MAX: Final = 200  # pretix writes some 15 to 60
ENDING: Final = "QA"  # the version, backwards
_CHARACTERS_MIN: Final = 4 * -(-(_HEAD.size + _SIGNATURE_BYTES) // 3)
_CHARACTERS_MAX: Final = 4 * -(-(_HEAD.size + _PAYLOAD_BYTES_MAX + _SIGNATURE_BYTES) // 3)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PretixTicket:
    """What such a ticket says.

    Attributes:
        item: pretix's id of the product.
        variation: of the product's variation, 0 for none.
        subevent: of the date of a series, 0 for none.
        valid_from: aware; None is no bound.
        valid_until: aware, first instant at which it is over; None is no bound.
    """

    item: int
    variation: int
    subevent: int
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class PretixText:
    """A well-formed text whose signature nobody has looked at yet."""

    payload: bytes
    signature: bytes


def read_text(text: str) -> PretixText | None:
    """Take a text apart; None for any that pretix would not have written. Verifies nothing."""
    if not text.endswith(ENDING) or not _CHARACTERS_MIN <= len(text) <= _CHARACTERS_MAX:
        return None
    forwards = text[::-1]
    try:
        raw = base64.b64decode(forwards, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) < _HEAD.size or base64.b64encode(raw).decode() != forwards:
        return None
    version, payload_bytes, signature_bytes = _HEAD.unpack_from(raw)
    if version != _VERSION or signature_bytes != _SIGNATURE_BYTES:
        return None
    if len(raw) != _HEAD.size + payload_bytes + signature_bytes:
        return None
    return PretixText(raw[_HEAD.size : -_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:])


def read_payload(payload: bytes) -> PretixTicket | None:
    """Read what was signed; None where it is no ticket."""
    fields = read_fields(payload)
    if fields is None:
        return None
    item, variation, subevent = int64(fields, 2), int64(fields, 3), int64(fields, 4)
    since, until = int64(fields, 5), int64(fields, 6)
    if item is None or variation is None or subevent is None or since is None or until is None:
        return None
    try:
        return PretixTicket(item, variation, subevent, _instant(since), _instant(until))
    except OverflowError:
        return None


def _instant(seconds: int) -> datetime | None:
    return _EPOCH + timedelta(seconds=seconds) if seconds > 0 else None
