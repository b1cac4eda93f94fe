"""Identifiers of things (gates, performances, journals, scans): UUID version 7 as text.

Called by whoever creates a thing. Time-ordered, so that site servers can create things apart and
merge them. Knows no clock and no randomness: both are arguments.
"""

import re
from typing import Final, NewType

GateId = NewType("GateId", str)
JournalId = NewType("JournalId", str)
PerformanceId = NewType("PerformanceId", str)
CheckpointId = NewType("CheckpointId", str)
OrganizationId = NewType("OrganizationId", str)
ScanId = NewType("ScanId", str)

ID_ENTROPY_BYTES: Final = 10
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id(now_ms: int, entropy: bytes) -> str:
    """Make an identifier in the layout of RFC 9562, section 5.7.

    Args:
        now_ms: wall-clock milliseconds since 1970, the caller's clock.
        entropy: ID_ENTROPY_BYTES random bytes.

    Raises:
        ValueError: if the entropy has another length or the time does not fit 48 bits.
    """
    if len(entropy) != ID_ENTROPY_BYTES:
        raise ValueError(f"entropy must be {ID_ENTROPY_BYTES} bytes, got {len(entropy)}")
    if not 0 <= now_ms < 1 << 48:
        raise ValueError(f"now_ms must fit 48 bits, got {now_ms}")
    raw = bytearray(now_ms.to_bytes(6, "big") + entropy)
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: str) -> bool:
    """Tell whether a text is an identifier as `new_id` makes them."""
    return _ID.fullmatch(text) is not None
