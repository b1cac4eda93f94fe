"""Which frames deserve a hard look: a small state machine before the decoders. Pure.

Called by the decoding chain with every frame. A gate mostly looks at the same empty hall. A frame
that differs from the last empty one is looked at; one that does not, only until the scene has been
looked at thoroughly, and from then on every n-th. So a code that is held still is met again after
`every` frames at the latest, even one too faint to be noticed at a glance.
"""

from enum import Enum, unique
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.readers.decoding import Frame

EVERY: Final = 6  # frames: 0.2 s at 30 a second, which nobody who waits notices
THOROUGH: Final = 8  # looks at a scene before it counts as known: each strategy has had its turn
_STEP: Final = 8  # every eighth pixel in both directions
_BLOCK: Final = 4  # samples along a block's side: 32 pixels, as small as a code ever is
_SHADES_MIN: Final = 4.0  # a block's change that is not grain: grain of 10 levels averages to 2.5
_BLOCKS_MIN: Final = 2  # one block alone may be a blinking lamp or a dead corner

Sample = npt.NDArray[np.float32]


@unique
class Look(Enum):
    """What a frame deserves."""

    NONE = "none"  # nothing changed, and the scene is known
    AGAIN = "again"  # nothing changed, and the scene is not yet known
    CHECK = "check"  # nothing changed, and the scene is known, but its turn has come
    ANEW = "anew"  # something is different, or something was read


class Glance:
    """Decides frame by frame; tell it with `saw` what each look found.

    Args:
        every: of the frames of a known scene, how many there are to one look.
        thorough: how many looks make a scene known.

    Raises:
        ValueError: if one of them is less than 1.
    """

    def __init__(self, every: int = EVERY, thorough: int = THOROUGH) -> None:
        if every < 1 or thorough < 1:
            raise ValueError(f"every and thorough must be >= 1, got {every} and {thorough}")
        self._every = every
        self._thorough = thorough
        self._known: Sample | None = None
        self._looks = 0
        self._skipped = 0

    def at(self, frame: Frame) -> Look:
        """Say what the frame deserves."""
        sample = sampled(frame)
        if self._known is None or is_different(sample, self._known):
            self._known = sample
            self._looks = 1
            self._skipped = 0
            return Look.ANEW
        if self._looks < self._thorough:
            self._looks += 1
            return Look.AGAIN
        self._skipped = (self._skipped + 1) % self._every
        return Look.NONE if self._skipped else Look.CHECK

    def saw(self, something: bool) -> None:
        """Take in whether the look at the last frame found a code: then the next is looked at."""
        if something:
            self._known = None


def sampled(frame: Frame) -> Sample:
    """Give the mean shade of each block, from a few of its pixels."""
    points = frame.pixels[::_STEP, ::_STEP]
    high, wide = points.shape
    high, wide = max(1, high // _BLOCK), max(1, wide // _BLOCK)
    points = points[: high * _BLOCK, : wide * _BLOCK]
    return np.asarray(
        points.reshape(high, points.shape[0] // high, wide, points.shape[1] // wide).mean(
            axis=(1, 3), dtype=np.float32
        )
    )


def is_different(now: Sample, before: Sample) -> bool:
    """Tell whether blocks changed; what all have in common is a lamp's flicker, or a cloud."""
    if now.shape != before.shape:
        return True
    change = now - before
    change -= np.median(change)
    blocks_min = min(_BLOCKS_MIN, change.size)
    return int(np.count_nonzero(np.abs(change) > _SHADES_MIN)) >= blocks_min
