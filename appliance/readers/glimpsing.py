"""The picture of a camera for the gate's page: small, now and then, and with no code left in it.

Called by camera readers. Keeps the newest frame and what was found on it; draws only when asked.
"""

import asyncio
import io
from collections import deque
from collections.abc import Collection
from itertools import pairwise
from typing import Final

import numpy as np
from PIL import Image

from appliance.page_ports import Glimpse, SeenCode
from appliance.ports import Clock
from appliance.readers.decoding import Frame, Pixels, Point, Read

WIDTH_MAX: Final = 640
AGE_NS_MIN: Final = 200_000_000  # asked for more often, the same picture is given again
_AGE_NS_MAX: Final = 5_000_000_000  # an older one is no picture of now
_HIDDEN_NS: Final = 1_000_000_000  # a code that this frame alone did not give is hidden, too
_QUALITY: Final = 70
_GRAINS: Final = 6  # what is left of each side of a code: far less than the smallest code has


class Glimpsing:
    """The last thing that a camera saw.

    Args:
        clock: tells how old it is.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._frame: Frame | None = None
        self._reads: tuple[Read, ...] = ()
        self._given: Glimpse | None = None
        self._places: deque[tuple[int, tuple[Point, ...]]] = deque()
        self._drawing = asyncio.Lock()

    def see(self, frame: Frame, reads: tuple[Read, ...]) -> None:
        """Keep the newest frame, and what was found on it; costs nothing."""
        self._frame, self._reads = frame, reads
        while self._places and frame.received_ns - self._places[0][0] > _HIDDEN_NS:
            self._places.popleft()
        self._places.extend((frame.received_ns, read.position) for read in reads if read.position)

    def forget(self) -> None:
        """Keep nothing of a camera that is closed."""
        self._frame, self._reads, self._given = None, (), None
        self._places.clear()

    async def glimpse(self) -> Glimpse | None:
        """Give the picture of now, drawn beside the event loop; None while there is none."""
        async with self._drawing:
            frame, reads = self._frame, self._reads
            if frame is None or self._clock.monotonic_ns() - frame.received_ns > _AGE_NS_MAX:
                return None
            given, places = self._given, [place for _, place in self._places]
            if given is None or frame.received_ns - given.taken_ns >= AGE_NS_MIN:
                given = self._given = await asyncio.to_thread(draw, frame, reads, places)
            return given


def draw(frame: Frame, reads: tuple[Read, ...], places: Collection[tuple[Point, ...]]) -> Glimpse:
    """Draw a frame small, with a few grains only wherever a code was found.

    Args:
        frame: what to draw.
        reads: the codes on it, to be told of.
        places: where codes are and were a moment ago, to be hidden.
    """
    pixels = frame.pixels.copy() if places else frame.pixels
    for corners in places:
        _coarsen(pixels, corners)
    shrink = max(1, -(-frame.width // WIDTH_MAX))
    image = Image.fromarray(np.ascontiguousarray(pixels)).reduce(shrink)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return Glimpse(
        picture=file.getvalue(),
        content_type="image/jpeg",
        width=image.width,
        height=image.height,
        seen=tuple(_seen(read, shrink) for read in reads),
        taken_ns=frame.received_ns,
    )


def _seen(read: Read, shrink: int) -> SeenCode:
    outline = tuple((x // shrink, y // shrink) for x, y in read.position)
    return SeenCode(read.symbology.value, outline, len(read.data))


def _coarsen(pixels: Pixels, corners: tuple[Point, ...]) -> None:
    """Average what is in a code's bounds over large grains, so that nobody can read it again."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    left, right = max(0, min(xs)), min(pixels.shape[1], max(xs) + 1)
    top, bottom = max(0, min(ys)), min(pixels.shape[0], max(ys) + 1)
    for row in _grains(top, bottom):
        for column in _grains(left, right):
            part = pixels[row, column]
            part[:] = round(float(part.mean()))


def _grains(begin: int, end: int) -> list[slice]:
    edges = [begin + (end - begin) * number // _GRAINS for number in range(_GRAINS + 1)]
    return [slice(one, other) for one, other in pairwise(edges) if other > one]
