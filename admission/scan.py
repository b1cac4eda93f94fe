"""From what a reader yields to a ticket number.

Called for every reader's payload and for keyed codes. Never quotes a number in an error.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from admission.errors import PayloadError
from admission.limits import NUMBER_CODE_POINTS_MAX, SCAN_PAYLOAD_BYTES_MAX

_STRIPPED: Final = " \t\r\n"  # docs/rules.md: these four, nothing else
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_MASK_KEEPS: Final = 3
KEYED_READER: Final = "keyed"  # in the place of a reader's name, for numbers typed by hand


@unique
class Direction(StrEnum):
    """Which way a reader lets people go: `entry` is outside to inside."""

    ENTRY = "entry"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Scan:
    """One read of one code, ready to be judged.

    Attributes:
        id: names the scan in logs, where the number must not appear.
        number: the normalised ticket number; "" where the payload was no text (it is malformed).
        direction: of the reader.
        at: aware UTC instant of the read, in the gate's trusted time.
        boot_ms: milliseconds since the machine started, at the same moment.
        reader: the reader's configured name.
        wall_ms: the wall clock, at the same moment.
    """

    id: str
    number: str
    direction: Direction
    at: datetime
    boot_ms: int
    reader: str
    wall_ms: int


def normalise(payload: bytes) -> str:
    """Turn a payload into a ticket number: strict UTF-8, then RULES' strip, nothing else.

    Args:
        payload: what the reader yielded, its own framing already taken off.

    Raises:
        PayloadError: if the payload is over SCAN_PAYLOAD_BYTES_MAX or not UTF-8; the message
            never quotes it.
    """
    if len(payload) > SCAN_PAYLOAD_BYTES_MAX:
        raise PayloadError(
            f"payload of {len(payload)} bytes is over the limit of {SCAN_PAYLOAD_BYTES_MAX}"
        )
    try:
        return strip(payload.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise PayloadError(f"payload is not UTF-8 at byte {exc.start} of {len(payload)}") from None


def strip(text: str) -> str:
    """Take U+0020, U+0009, U+000D and U+000A off both ends, and nothing else."""
    return text.strip(_STRIPPED)


def is_well_formed(number: str) -> bool:
    """Tell whether a stripped number may be looked up at all (docs/rules.md, line 1)."""
    return 0 < len(number) <= NUMBER_CODE_POINTS_MAX and _CONTROL.search(number) is None


def mask(number: str) -> str:
    """Make a number fit to be shown to people: its last characters only."""
    printable = "".join(c if c.isprintable() else "·" for c in number[-_MASK_KEEPS:])
    return "•••" + printable if len(number) > 2 * _MASK_KEEPS else "•••"
