"""A signed command as a text that any reader reads: shown as a QR code, held before a gate.

`PORTILLON:CMD:` and, in base 45, the number of signatures (one byte), the signatures (64 bytes
each) and the document. Nothing is believed here; the text is as good as the envelope it stands for.
"""

from typing import Final

from admission.errors import ListFormatError
from admission.limits import ENVELOPE_SIGNATURES_MAX
from admission.proof import base45
from admission.trust.envelope import COMMAND_TYPE, put_together, take_apart

PREFIX: Final = "PORTILLON:CMD:"  # of the characters that a QR code packs tightest
_SIGNATURE_BYTES: Final = 64


def write_code(raw: bytes) -> str:
    """Write a command's envelope as a text.

    Raises:
        ListFormatError: if it is no command's.
    """
    body, signatures = take_apart(raw, COMMAND_TYPE)
    return PREFIX + base45.encode(bytes([len(signatures)]) + b"".join(signatures) + body)


def is_code(payload: bytes) -> bool:
    """Tell whether what a reader yielded is to be read as a command, by its first bytes alone."""
    return payload.lstrip(b" \t\r\n").startswith(PREFIX.encode())


def read_code(payload: bytes) -> bytes:
    """Give the envelope that a text stands for.

    Args:
        payload: what a reader yielded, of no more bytes than it may.

    Raises:
        ListFormatError: if it stands for none.
    """
    text = payload.decode("ascii", "replace").strip(" \t\r\n")
    packed = base45.decode(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else None
    count = packed[0] if packed else 0
    if packed is None or not 0 < count <= ENVELOPE_SIGNATURES_MAX:
        raise ListFormatError("not a command's code")
    end = 1 + count * _SIGNATURE_BYTES
    signatures = [packed[at : at + _SIGNATURE_BYTES] for at in range(1, end, _SIGNATURE_BYTES)]
    return put_together(COMMAND_TYPE, packed[end:], signatures)
