"""A recorded clip in place of a camera: to look again at what a gate saw, or to try a change on.

Opened by the camera reader through `main`. Plays Motion JPEG, which cameras record themselves, at
its own speed and over again.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import ReaderLostError
from appliance.ports import Clock
from appliance.readers.decoding import Frame, Pixels
from appliance.readers.jpeg import grey_of, pictures_in

BYTES_MAX: Final = 512 << 20  # ten minutes of large pictures; it is held in memory


@dataclass(frozen=True, slots=True)
class Clip:
    """Which clip, and how fast it plays.

    Attributes:
        path: of the file.
        frames_per_s: pictures a second, as it was recorded.
    """

    path: Path
    frames_per_s: int = 30


class ClipFrames:
    """Opens a clip for a camera reader.

    Args:
        clip: which, and how fast.
        worker: reads and decodes pictures; the executor that also finds codes.
        clock: sets the pace.
    """

    def __init__(self, clip: Clip, worker: Executor, clock: Clock) -> None:
        self._clip = clip
        self._worker = worker
        self._clock = clock

    @asynccontextmanager
    async def open(self) -> AsyncIterator["PlayedClip"]:
        """Play the clip from its beginning.

        Raises:
            ReaderLostError: if it cannot be read, or there is no picture in it.
        """
        loop = asyncio.get_running_loop()
        pictures = await loop.run_in_executor(self._worker, self._read)
        yield PlayedClip(pictures, self._clip.frames_per_s, self._worker, self._clock)

    def _read(self) -> list[bytes]:
        path = self._clip.path
        try:
            if path.stat().st_size > BYTES_MAX:
                raise ReaderLostError(f"{path}: over {BYTES_MAX >> 20} MB; cut it shorter")
            whole = path.read_bytes()
        except OSError as exc:
            raise ReaderLostError(f"{path}: {exc.strerror}") from exc
        pictures = [whole[begin:end] for begin, end in pictures_in(whole)]
        if not pictures:
            raise ReaderLostError(f"{path}: no picture in it; convert it to Motion JPEG")
        return pictures


class PlayedClip:
    """The protocol `FrameSource` over a clip's pictures: what time has passed over is left out."""

    def __init__(
        self, pictures: list[bytes], frames_per_s: int, worker: Executor, clock: Clock
    ) -> None:
        self._pictures = pictures
        self._frame_ns = 1_000_000_000 // frames_per_s
        self._worker = worker
        self._clock = clock
        self._begun_ns = clock.monotonic_ns()
        self._given = -1

    async def newest(self, wait_s_max: float) -> Frame:
        """Give the picture whose time it is; one that is damaged is passed over.

        Raises:
            ReaderLostError: if none can be decoded for `wait_s_max` seconds.
        """
        begun_ns = self._clock.monotonic_ns()
        loop = asyncio.get_running_loop()
        while self._clock.monotonic_ns() - begun_ns <= wait_s_max * 1e9:
            due = max(self._given + 1, self._place())
            due_ns = self._begun_ns + due * self._frame_ns
            await self._clock.sleep((due_ns - self._clock.monotonic_ns()) / 1e9)
            self._given = due
            picture = self._pictures[due % len(self._pictures)]
            pixels = await loop.run_in_executor(self._worker, _grey_or_none, picture)
            if pixels is not None:
                return Frame(pixels, self._clock.monotonic_ns())
        raise ReaderLostError(f"no whole picture for {wait_s_max} s")

    def _place(self) -> int:
        return (self._clock.monotonic_ns() - self._begun_ns) // self._frame_ns


def _grey_or_none(picture: bytes) -> Pixels | None:
    try:
        return grey_of(picture)
    except ValueError:
        return None
