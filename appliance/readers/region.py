"""What part of a picture is looked at, and how large a code must be. Called by camera readers.

A smaller part costs less time, and a code that is too small for a ticket in a hand is somebody
else's: on a poster, or on the phone of the next in line.
"""

from dataclasses import dataclass, replace

from appliance.readers.decoding import Frame, Read

_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Region:
    """A part of every picture, in hundredths of it.

    Attributes:
        left, top: where it begins.
        width, height: how large it is.
        code_percent_min: codes whose longer side is less of the picture's height do not count.

    Raises:
        ValueError: if it is empty or not within the picture.
    """

    left: int = 0
    top: int = 0
    width: int = _WHOLE
    height: int = _WHOLE
    code_percent_min: int = 0

    def __post_init__(self) -> None:
        if not (
            0 <= self.left < self.left + self.width <= _WHOLE
            and 0 <= self.top < self.top + self.height <= _WHOLE
        ):
            box = (self.left, self.top, self.width, self.height)
            raise ValueError(f"a region lies within 0 to 100 and is not empty, got {box}")
        if not 0 <= self.code_percent_min <= _WHOLE:
            raise ValueError(f"code_percent_min must be 0 to 100, got {self.code_percent_min}")

    def of(self, frame: Frame) -> Frame:
        """Give the part of a frame, as a view: nothing is copied."""
        if (self.width, self.height) == (_WHOLE, _WHOLE):
            return frame
        left, top = self._corner(frame)
        right = max(left + 1, frame.width * (self.left + self.width) // _WHOLE)
        bottom = max(top + 1, frame.height * (self.top + self.height) // _WHOLE)
        return Frame(frame.pixels[top:bottom, left:right], frame.received_ns)

    def placed(self, frame: Frame, reads: list[Read]) -> list[Read]:
        """Give what was read on the part of a frame, with its places on the whole frame.

        What is too small is left out; what has no place is kept.
        """
        left, top = self._corner(frame)
        least = frame.height * self.code_percent_min / _WHOLE
        kept = [read for read in reads if not read.position or _longer_side(read) >= least]
        if not left and not top:
            return kept
        return [
            replace(read, position=tuple((x + left, y + top) for x, y in read.position))
            for read in kept
        ]

    def _corner(self, frame: Frame) -> tuple[int, int]:
        return frame.width * self.left // _WHOLE, frame.height * self.top // _WHOLE


def _longer_side(read: Read) -> int:
    xs, ys = [x for x, _ in read.position], [y for _, y in read.position]
    return max(max(xs) - min(xs), max(ys) - min(ys))
