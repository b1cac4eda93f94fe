"""Which reads of linear codes are not to be believed, by what stands around them. Pure.

Called by the decoding chain. A linear code carries little that proves it: a part of an ITF code is
a shorter valid one, and a few rows of noise beside an EAN code may be another EAN code. What is
doubted is not read: a person who holds a ticket still is read a frame later, and a wrong number
would be told to somebody's face.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.readers.decoding import LINEAR, Frame, Read, Symbology

_THIN: Final = 60  # times as long as it is high: no longer a code, but a few rows of something
_THICKER: Final = 4  # of two reads across one code, one so much higher is the code
_ITF_MODULES: Final = 8  # narrow bars' widths to a digit, near enough for every printer's ratio
_ITF_FRAME: Final = 9  # and to the start and the stop
_QUIET_FROM: Final = 1.5  # modules beyond the last bar, for a corner found a little inside it
_QUIET_TO: Final = 6.0  # the norm wants ten; print and tilt take some
_LINES: Final = (0.3, 0.5, 0.7)  # where across the bars the surroundings are looked at
_STEPS: Final = 48
_SEEN_MIN: Final = 0.2  # of the quiet zone must be on the frame: bars may go on beyond its edge
_DARKER: Final = 0.45  # of the code's own contrast: more is a bar, where there should be paper

Line = npt.NDArray[np.float64]


def undoubted(reads: Sequence[Read], frame: Frame) -> list[Read]:
    """Take out the reads that contradict each other, are a few rows only, or are parts of codes."""
    sound = [read for read in reads if not _is_thin(read) and not _is_part(read, frame)]
    return [read for read in sound if not any(_outdoes(other, read) for other in sound)]


def _outdoes(other: Read, read: Read) -> bool:
    """Tell whether another linear read says something else across the same bars."""
    if other.data == read.data or not {other.symbology, read.symbology} <= LINEAR:
        return False
    if not _is_across(other, read):
        return False
    return _height(read) < _height(other) * _THICKER  # the much higher of two is believed


def _is_thin(read: Read) -> bool:
    if read.symbology not in LINEAR or len(read.position) != 4:
        return False
    return _height(read) * _THIN < _length(read)


def _is_part(read: Read, frame: Frame) -> bool:
    """Tell whether bars go on beyond an ITF code's ends."""
    if read.symbology is not Symbology.ITF or len(read.position) != 4:
        return False
    corners = np.array(read.position, np.float64)
    module = 1 / (len(read.data) * _ITF_MODULES + _ITF_FRAME)  # of the code's length
    inside = np.linspace(0, 1, 4 * _STEPS)
    beyond = np.linspace(_QUIET_FROM, _QUIET_TO, _STEPS) * module
    for share in _LINES:
        start = corners[0] + share * (corners[3] - corners[0])
        stop = corners[1] + share * (corners[2] - corners[1])
        shades = _along(frame, start, stop, inside)
        dark, light = np.percentile(shades, (5, 95))
        paper_min = light - _DARKER * (light - dark)
        for places in (-beyond, 1 + beyond):
            around = _along(frame, start, stop, places)
            if len(around) < _SEEN_MIN * _STEPS or np.percentile(around, 10) < paper_min:
                return True
    return False


def _along(frame: Frame, start: Line, stop: Line, places: Line) -> Line:
    """Give the shades at places on a line, 0 its start and 1 its stop, as far as the frame goes."""
    points = start + places[:, None] * (stop - start)
    columns, rows = np.rint(points).astype(int).T
    is_on = (columns >= 0) & (columns < frame.width) & (rows >= 0) & (rows < frame.height)
    return np.asarray(frame.pixels[rows[is_on], columns[is_on]], np.float64)


def _is_across(one: Read, other: Read) -> bool:
    """Tell whether the boxes about two codes meet."""
    if len(one.position) < 3 or len(other.position) < 3:
        return True  # unknown places: rather none than the wrong one
    first, second = np.array(one.position), np.array(other.position)
    return bool(
        np.all(first.min(axis=0) <= second.max(axis=0))
        and np.all(second.min(axis=0) <= first.max(axis=0))
    )


def _length(read: Read) -> float:
    """From the first bar to the last, in pixels."""
    top_left, top_right = np.array(read.position[0]), np.array(read.position[1])
    return float(np.hypot(*(top_right - top_left)))


def _height(read: Read) -> float:
    """Along the bars, in pixels; a single row is one."""
    if len(read.position) < 4:
        return 1.0
    top_left, bottom_left = np.array(read.position[0]), np.array(read.position[3])
    return float(np.hypot(*(bottom_left - top_left))) + 1
