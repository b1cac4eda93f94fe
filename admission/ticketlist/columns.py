"""A sorted column of identifiers inside a buffer, searched where it lies.

What the snapshot, the overlay of segments and the index of sealed records have in common. Parses
and copies nothing but what it looks at.
"""

from bisect import bisect_left
from itertools import pairwise
from typing import Final, Protocol

from admission.limits import IDENTIFIER_BYTES

_SPREAD_BYTES: Final = 8  # enough to tell places in any list apart
_SPREAD: Final = 1 << 8 * _SPREAD_BYTES
_LOOKS_MAX: Final = 8
_NEAR: Final = 4


class Buffer(Protocol):
    """Bytes that are somewhere: a mapped file, or plain bytes."""

    def __len__(self) -> int:
        """Give the number of bytes."""
        ...

    def __getitem__(self, key: slice, /) -> bytes:
        """Give some of them, copied."""
        ...


class IdentifierColumn:
    """Identifiers in ascending order.

    Args:
        buffer: holds them.
        start: where the column begins.
        count: how many there are.
    """

    __slots__ = ("_buffer", "_count", "_start")

    def __init__(self, buffer: Buffer, start: int, count: int) -> None:
        self._buffer = buffer
        self._start = start
        self._count = count

    def __len__(self) -> int:
        """Give the number of identifiers."""
        return self._count

    def __getitem__(self, place: int) -> bytes:
        """Give the identifier at a place."""
        start = self._start + place * IDENTIFIER_BYTES
        return self._buffer[start : start + IDENTIFIER_BYTES]

    def place_of(self, identifier: bytes) -> int | None:
        """Find an identifier near the place where chance would put it; None where it is not.

        Keyed identifiers are evenly spread: each look at the place where one should be halves the
        digits of what is still unknown. What is left is bisected, whatever the spread.
        """
        low, high = self._between(identifier)
        place = bisect_left(self, identifier, low, high)
        if place == self._count or self[place] != identifier:
            return None
        return place

    def _between(self, identifier: bytes) -> tuple[int, int]:
        """Give bounds of the place of an identifier, a few apart where they are evenly spread."""
        low, high = 0, self._count
        wanted = int.from_bytes(identifier[:_SPREAD_BYTES], "big")
        least, most = 0, _SPREAD
        for _ in range(_LOOKS_MAX):
            if high - low <= _NEAR:
                break
            guess = low + (wanted - least) * (high - low - 1) // (most - least)
            found = self[guess]
            value = int.from_bytes(found[:_SPREAD_BYTES], "big")
            if found < identifier:
                low, least = guess + 1, value
            else:
                high, most = guess, value + 1
            if not least <= wanted < most:
                break
        return low, high

    def is_ascending(self) -> bool:
        """Tell whether they are sorted and none occurs twice; looks at every one."""
        end = self._start + self._count * IDENTIFIER_BYTES
        column = self._buffer[self._start : end]
        step = IDENTIFIER_BYTES
        pieces = [column[at : at + step] for at in range(0, len(column), step)]
        return all(one < next_one for one, next_one in pairwise(pieces))
