"""Our own signed ticket: 79 bytes as 122 characters, made to fit a small QR code.

Text: `PT1`, then in base 45: flags u8 (1: valid from, 2: valid until), hint u16, class u16,
number 80 bits, the instants that the flags name as u32 seconds since 1970, Ed25519 signature. The
signature covers a label, the performance and all bytes before it, so that a ticket counts for one
performance only though it names none. The hint spares trying keys that did not sign it; it is
never trusted. One ticket has one text: whatever else decodes to it is no ticket.
"""

import base64
import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from admission.proof import base45
from admission.trust.keys import public_key, sign

PREFIX: Final = "PT1"
NUMBER_BYTES: Final = 10
CLASS_CODE_MAX: Final = 0xFFFF
_LABEL: Final = b"portillon-ticket-1\0"
_HINT_LABEL: Final = b"portillon-ticket-hint-1\0"
_HEAD: Final = struct.Struct(f">B2sH{NUMBER_BYTES}s")
_INSTANT_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
_FROM: Final = 1
_UNTIL: Final = 2
_INSTANTS: Final = {0: 0, _FROM: 1, _UNTIL: 1, _FROM | _UNTIL: 2}
_LENGTHS: Final = frozenset(
    len(PREFIX) + len(base45.encode(bytes(_HEAD.size + _INSTANT_BYTES * count + _SIGNATURE_BYTES)))
    for count in _INSTANTS.values()
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_MAX: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class CompactTicket:
    """What such a ticket says.

    Attributes:
        number: 16 characters of base 32, which lists and people may hold as well.
        class_code: which class, in the issuer's own numbering.
        valid_from: aware, to the second; None is no bound.
        valid_until: aware, first instant at which it is over; None is no bound.
    """

    number: str
    class_code: int
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CompactText:
    """A well-formed text whose signature nobody has looked at yet.

    Attributes:
        ticket: what it claims.
        hint: of the key that it claims.
        body: the bytes that are signed.
        signature: Ed25519.
    """

    ticket: CompactTicket
    hint: bytes
    body: bytes
    signature: bytes


def number_of(random: bytes) -> str:
    """Give the number that NUMBER_BYTES random bytes are."""
    return base64.b32encode(random).decode()


def hint_of(public: bytes, performance: str) -> bytes:
    """Give what tickets of a key for a performance carry, to be recognised by."""
    return hashlib.sha256(_HINT_LABEL + public + _digest(performance)).digest()[:2]


def message_of(performance: str, body: bytes) -> bytes:
    """Give the bytes that are signed for a performance."""
    return _LABEL + _digest(performance) + body


def write_ticket(private_key: bytes, performance: str, ticket: CompactTicket) -> str:
    """Issue a ticket.

    Args:
        private_key: Ed25519, the issuer's.
        performance: id of the performance that it is for.
        ticket: what it says.

    Raises:
        ValueError: if the number is not of `number_of`, or a field does not fit.
    """
    random = _random(ticket.number)
    if not 0 <= ticket.class_code <= CLASS_CODE_MAX:
        raise ValueError(f"class_code must be 0 to {CLASS_CODE_MAX}, got {ticket.class_code}")
    bounds = ((_FROM, ticket.valid_from), (_UNTIL, ticket.valid_until))
    flags = sum(flag for flag, at in bounds if at is not None)
    hint = hint_of(public_key(private_key), performance)
    instants = b"".join(_seconds(at) for _, at in bounds if at is not None)
    body = _HEAD.pack(flags, hint, ticket.class_code, random) + instants
    return PREFIX + base45.encode(body + sign(private_key, message_of(performance, body)))


def read_ticket(text: str) -> CompactText | None:
    """Read a text that `write_ticket` might have written; None for any other. Verifies nothing."""
    if not text.startswith(PREFIX) or len(text) not in _LENGTHS:
        return None
    raw = base45.decode(text[len(PREFIX) :])
    if raw is None:
        return None
    body, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    flags, hint, class_code, random = _HEAD.unpack_from(body)
    if flags not in _INSTANTS or len(body) != _HEAD.size + _INSTANT_BYTES * _INSTANTS[flags]:
        return None
    valid_from = _instant(body[_HEAD.size :][:_INSTANT_BYTES]) if flags & _FROM else None
    valid_until = _instant(body[-_INSTANT_BYTES:]) if flags & _UNTIL else None
    ticket = CompactTicket(number_of(random), class_code, valid_from, valid_until)
    is_canonical = PREFIX + base45.encode(raw) == text
    return CompactText(ticket, hint, body, signature) if is_canonical else None


def ticket_number(text: str) -> str:
    """Give the number that lists and journals know a text by; any other text is its own number."""
    read = read_ticket(text)
    return text if read is None else read.ticket.number


def _random(number: str) -> bytes:
    try:
        random = base64.b32decode(number)
    except ValueError:
        random = b""
    if len(random) != NUMBER_BYTES:
        raise ValueError(f"a number of {8 * NUMBER_BYTES} bits in base 32 is needed")
    return random


def _digest(performance: str) -> bytes:
    return hashlib.sha256(performance.encode()).digest()


def _seconds(at: datetime) -> bytes:
    seconds = (at - _EPOCH) // timedelta(seconds=1)
    if not 0 <= seconds <= _SECONDS_MAX:
        raise ValueError(f"an instant from 1970 to 2106 is needed, got {at.isoformat()}")
    return seconds.to_bytes(_INSTANT_BYTES, "big")


def _instant(seconds: bytes) -> datetime:
    return _EPOCH + timedelta(seconds=int.from_bytes(seconds, "big"))
