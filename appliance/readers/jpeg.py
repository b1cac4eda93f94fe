"""Pictures that come as JPEG: from USB cameras, and one after another in a recorded clip.

Called by sources of frames, in their worker thread. Takes the grey levels only, which costs half.
"""

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image

from appliance.readers.decoding import Pixels

_PIXELS_MAX: Final = 50_000_000
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length


def grey_of(jpeg: bytes) -> Pixels:
    """Decode a picture's grey levels.

    Raises:
        ValueError: if it is no picture, cut short, or too large.
    """
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
            if image.width * image.height > _PIXELS_MAX:
                raise ValueError(f"{image.width} x {image.height} pixels are too many")
            image.draft("L", image.size)
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as exc:
        raise ValueError(f"no JPEG: {exc}") from exc


def pictures_in(whole: bytes) -> Iterator[tuple[int, int]]:
    """Find the pictures that lie one after another in a clip (Motion JPEG, bare or in a container).

    Yields:
        Where each begins and ends; one that is cut off at the end is left out.
    """
    place = 0
    while (begin := whole.find(b"\xff\xd8\xff", place)) >= 0:
        end = _end_of(whole, begin + 2)
        if end is None:
            place = begin + 2  # these bytes only looked like a beginning
            continue
        yield begin, end
        place = end


def _end_of(clip: bytes, place: int) -> int | None:
    """Walk a picture's segments to its end marker."""
    while place + 2 <= len(clip) and clip[place] == 0xFF:
        marker = clip[place + 1]
        if marker == _END:
            return place + 2
        if marker == 0xFF:  # padding before a marker
            place += 1
            continue
        if marker in _ALONE:
            place += 2
            continue
        if marker == _START or place + 4 > len(clip):
            return None
        place += 2 + int.from_bytes(clip[place + 2 : place + 4], "big")
        if marker == _SCAN:
            place = _end_of_scan(clip, place)
    return None


def _end_of_scan(clip: bytes, place: int) -> int:
    """Find the marker behind a scan's data, in which 0xFF is doubled by 0 or begins a restart."""
    while (place := clip.find(b"\xff", place)) >= 0 and place + 1 < len(clip):
        if clip[place + 1] != 0 and clip[place + 1] not in _ALONE:
            return place
        place += 2
    return len(clip)
