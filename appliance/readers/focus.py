"""Where on a frame a code may be, and a closer view of that part. Pure.

Called by the decoding chain where the whole frame gave nothing. What helps a hard picture
(sharpening, enlarging) is dear on a whole frame and cheap on the part that matters.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.readers.decoding import Frame, Pixels, Read

_CELL: Final = 16  # pixels along the side of the squares whose liveliness is compared
_SQUARES: Final = (7, 10, 14, 20, 28, 40)  # cells along the side of what is looked for
_MARGIN: Final = 2  # cells kept around it: a code wants a quiet zone
_SPREAD: Final = 0.6  # below 1 a large lively square is preferred to a livelier small one
_QUIET: Final = 1.2  # times the median liveliness is still the wall's
_WHOLE_MAX: Final = 400  # a frame no larger than this in both directions is its own part
_SHADES_MIN: Final = 4  # between the percentiles; less is a covered lens


@dataclass(frozen=True, slots=True)
class View:
    """A part of a frame, or all of it, made ready to be decoded.

    Attributes:
        frame: the pixels to decode.
        left: where its first column is on the frame.
        top: where its first row is on the frame.
        scale: pixels of the frame that one pixel of the view stands for.
    """

    frame: Frame
    left: int = 0
    top: int = 0
    scale: float = 1.0

    def on_frame(self, read: Read) -> Read:
        """Give the read with its corners in the frame's own pixels."""
        if self.scale == 1 and not self.left and not self.top:
            return read
        corners = tuple(
            (round(x * self.scale) + self.left, round(y * self.scale) + self.top)
            for x, y in read.position
        )
        return replace(read, position=corners)


def liveliest(frame: Frame) -> View:
    """Cut out the square of the frame in which most happens, with some room around it."""
    is_strip = min(frame.width, frame.height) < _SQUARES[0] * _CELL  # no square fits into it
    if is_strip or max(frame.width, frame.height) <= _WHOLE_MAX:
        return View(frame)
    lively = _liveliness(frame.pixels)
    top, left, side = _best_square(lively)
    first_row, first_column = max(0, top - _MARGIN) * _CELL, max(0, left - _MARGIN) * _CELL
    last_row, last_column = (top + side + _MARGIN) * _CELL, (left + side + _MARGIN) * _CELL
    part = frame.pixels[first_row:last_row, first_column:last_column]
    return View(Frame(part, frame.received_ns), first_column, first_row)


def evened(view: View) -> View | None:
    """Spread the part's own shades over the whole range; None if there is nothing to spread."""
    pixels = view.frame.pixels
    low, high = np.percentile(pixels[::4, ::4], (1, 99))
    if high - low < _SHADES_MIN:
        return None
    if low <= 10 and high >= 245:
        return view
    table = np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return replace(view, frame=Frame(table[pixels], view.frame.received_ns))


def _liveliness(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Sum the differences between neighbours in each cell; every other pixel tells enough."""
    high, wide = pixels.shape[0] // _CELL, pixels.shape[1] // _CELL
    half = pixels[: high * _CELL : 2, : wide * _CELL : 2].astype(np.int16)
    steps = np.zeros_like(half)
    steps[:, :-1] += np.abs(half[:, 1:] - half[:, :-1])
    steps[:-1] += np.abs(half[1:] - half[:-1])
    side = _CELL // 2
    cells = steps.reshape(high, side, wide, side).sum(axis=(1, 3), dtype=np.int32)
    lively = cells.astype(np.float32)
    lively = np.maximum(lively - _QUIET * np.median(lively), 0)
    most = max(float(np.percentile(lively, 97)), 1.0)
    return np.asarray(np.minimum(lively, most), np.float32)


def _best_square(lively: npt.NDArray[np.float32]) -> tuple[int, int, int]:
    """Give the top, left and side, in cells, of the square with the best score."""
    total = np.zeros((lively.shape[0] + 1, lively.shape[1] + 1), np.float64)
    total[1:, 1:] = lively.cumsum(0).cumsum(1)
    best = (-1.0, 0, 0, min(lively.shape))
    for side in _SQUARES:
        if side > min(lively.shape):
            break
        sums = (
            total[side:, side:]
            - total[:-side, side:]
            - total[side:, :-side]
            + total[:-side, :-side]
        )
        place = int(sums.argmax())
        top, left = divmod(place, sums.shape[1])
        score = float(sums[top, left]) / side**_SPREAD
        if score > best[0]:
            best = (score, top, left, side)
    return best[1:]
