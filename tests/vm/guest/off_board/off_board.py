"""What picamera2 takes from a Raspberry Pi and libcamera's virtual camera does not have.

Besides two empty modules (`pykms`, `pidng`), four things: a raw mode; memory from the board's own
heap; the bytes used of a picture, which that camera leaves at zero; and a pace, which it does not
keep. All else is picamera2 as it comes, and the gate's driver as it runs on a board.
"""

import mmap
import time
from contextlib import suppress
from types import ModuleType
from typing import Any

RAW_MODES = [{"format": "SRGGB8", "size": (1280, 720)}]
FRAME_S = 1 / 30


class _WholePlanes:
    """A picture's memory, as long as its planes are."""

    def __init__(self, allocator: object, buffer: Any, write: bool) -> None:
        self._planes = buffer.planes

    def __enter__(self) -> mmap.mmap:
        length = sum(plane.length for plane in self._planes)
        self._mapped = mmap.mmap(self._planes[0].fd, length)
        return self._mapped

    def __exit__(self, *exc: object) -> None:
        with suppress(BufferError):  # an array of it is still there, and closes it when it goes
            self._mapped.close()


def adapt(library: ModuleType) -> None:
    """Have the library run off the board."""
    from picamera2 import picamera2 as inner
    from picamera2.allocators import LibcameraAllocator

    class Allocator(LibcameraAllocator):
        def __init__(self, camera: object) -> None:
            super().__init__(camera)
            self.sync = _WholePlanes

    class Picamera2(library.Picamera2):
        def __init__(self, number: int) -> None:
            super().__init__(number, allocator=object())
            self.allocator = Allocator(self.camera)

        def _get_raw_modes(self) -> list[dict[str, Any]]:
            return RAW_MODES

    handle_request = inner.CameraManager.handle_request

    def handle_request_at_pace(self: Any, flushid: object = None) -> None:
        time.sleep(FRAME_S)
        handle_request(self, flushid)

    inner.CameraManager.handle_request = handle_request_at_pace
    inner.DmaAllocator = lambda: None  # what a closed camera is left with
    library.Picamera2 = Picamera2
