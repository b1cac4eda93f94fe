"""When somebody is told to hold still: a code is seen for a while and cannot be read. Pure.

Called by camera readers with every look. A hand on its way to the reader shows a blurred code for
a moment, and a sheet that was just read lies half before the lens: neither is told. What stays in
view for ever is no hand: a poster, or a pattern that only looks like a code. And a decoder takes
much for the beginnings of a code: the grain of a bare wall is told from one by its few shades.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from appliance.readers.decoding import Frame, Read, Symbology

_NS: Final = 1_000_000_000
SEEN_S: Final = 1.5  # unread for as long before anything is told
GONE_S: Final = 1.0  # out of sight for as long, it has been taken away
READ_S: Final = 2.5  # after a read: what else is in view lies on the sheet that is taken away
GIVE_UP_S: Final = 30.0  # nobody holds a ticket as long; told again once it was gone

# Shades between the tenth darkest and the tenth lightest pixels of a code. Finder patterns are
# hardly made by chance, so that even a dark screen's count; two edges that meet are everywhere.
_SHADES_MIN: Final = {Symbology.QR_CODE: 14, Symbology.AZTEC: 14, Symbology.PDF417: 14}
_SHADES_MIN_OF_EDGES: Final = 64
_SIDE_MIN: Final = 16  # pixels


def distinct(unread: Iterable[Read], frame: Frame) -> list[Read]:
    """Take out what only resembles a code that cannot be read.

    Args:
        unread: what a decoder found the place of and could not read.
        frame: where.
    """
    return [code for code in unread if _is_distinct(code, frame)]


def _is_distinct(code: Read, frame: Frame) -> bool:
    if not code.position:
        return False
    xs, ys = [x for x, _ in code.position], [y for _, y in code.position]
    if max(max(xs) - min(xs), max(ys) - min(ys)) < _SIDE_MIN:
        return False
    part = frame.pixels[max(0, min(ys)) : max(ys) + 1, max(0, min(xs)) : max(xs) + 1]
    if not part.size:
        return False
    dark, light = np.percentile(part[::2, ::2], (10, 90))
    return bool(light - dark >= _SHADES_MIN.get(code.symbology, _SHADES_MIN_OF_EDGES))


class UnreadWatch:
    """Tells, look by look, whether to say that a code cannot be read."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._seen_ns = 0
        self._free_from_ns: int | None = None

    def see(self, *, has_read: bool, has_unread: bool, now_ns: int) -> bool:
        """Take in what a look found; give whether its holder is told to hold still.

        Args:
            has_read: whether a code was read.
            has_unread: whether one was seen that could not be read.
            now_ns: of the picture, on a clock that never steps.
        """
        if has_read:
            self._since_ns = None
            self._free_from_ns = now_ns + round(READ_S * _NS)
            return False
        if self._since_ns is not None and now_ns - self._seen_ns >= GONE_S * _NS:
            self._since_ns = None
        if not has_unread or (self._free_from_ns is not None and now_ns < self._free_from_ns):
            return False
        self._seen_ns = now_ns
        if self._since_ns is None:
            self._since_ns = now_ns
        return SEEN_S * _NS <= now_ns - self._since_ns < GIVE_UP_S * _NS
