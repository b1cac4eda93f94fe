"""Pictures from a folder in place of a camera: a demonstration, a test bench, a scanning queue.

Opened by the camera reader through `main`. Pictures appear in the order of their names, each is
held still for some frames and is then gone. What cannot be read is set aside and never stops the
reader. Loading runs in the worker thread that also decodes.
"""

import asyncio
import logging
import struct
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from appliance.errors import ReaderLostError
from appliance.ports import Clock
from appliance.readers.decoding import Frame, Pixels

log = logging.getLogger(__name__)

_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_PIXELS_MAX: Final = 50_000_000  # the largest phone pictures; more would be felt in memory
_PATIENCE_NS: Final = 1_000_000_000  # a picture that does not change this long is not being written
_DONE: Final = "done"
_UNREADABLE: Final = "unreadable"
_NOTHING: Final = np.full((64, 64), 255, dtype=np.uint8)  # what the lens sees between pictures
BROKEN: Final = (  # all that Pillow raises on a picture that is not one
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

_Version = tuple[str, int, int]  # a name, when it was written, and how long it is


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the pictures are, and how they are shown.

    Attributes:
        path: the folder; names beginning with a dot and names ending in `.tmp` are left alone.
        interval_s: seconds from one frame to the next.
        hold_frames: how many frames a picture is held.
        keep: leave pictures where they are and remember them, instead of moving those that were
            shown to `done/` and those that cannot be read to `unreadable/`.

    Raises:
        ValueError: if the times make no sense.
    """

    path: Path
    interval_s: float = 0.05
    hold_frames: int = 6
    keep: bool = False

    def __post_init__(self) -> None:
        if not 0.01 <= self.interval_s <= 1:
            raise ValueError(f"interval_s must be 0.01 to 1, got {self.interval_s}")
        if self.hold_frames < 1:
            raise ValueError(f"hold_frames must be >= 1, got {self.hold_frames}")


class FolderFrames:
    """The protocol `FrameSource` over a folder.

    Args:
        folder: where, and how.
        worker: loads pictures; the executor that also decodes.
        clock: counts the frames' interval.
    """

    def __init__(self, folder: Folder, worker: Executor, clock: Clock) -> None:
        self._folder = folder
        self._worker = worker
        self._clock = clock
        self._seen: set[_Version] = set()
        self._doubted_since_ns: dict[_Version, int] = {}
        self._shown = _NOTHING
        self._frames_left = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["FolderFrames"]:
        """Show the folder; what was shown before is remembered from one opening to the next."""
        self._frames_left = 0
        yield self

    async def newest(self, wait_s_max: float) -> Frame:
        """Wait for the next frame's time and return it; an empty folder gives empty frames.

        Raises:
            ReaderLostError: if the folder cannot be listed.
        """
        await self._clock.sleep(min(self._folder.interval_s, wait_s_max))
        if self._frames_left == 0:
            await self._show_next()
        self._frames_left = max(0, self._frames_left - 1)
        return Frame(self._shown, self._clock.monotonic_ns())

    async def _show_next(self) -> None:
        loop = asyncio.get_running_loop()
        pixels = await loop.run_in_executor(self._worker, self._take_next)
        self._shown = _NOTHING if pixels is None else pixels
        self._frames_left = 1 if pixels is None else self._folder.hold_frames

    def _take_next(self) -> Pixels | None:
        """Load the first new picture and put its file away; None if there is none."""
        for version in self._unseen():
            path = self._folder.path / version[0]
            try:
                pixels = load_picture(path)
            except BROKEN as exc:
                self._doubt(path, version, exc)
                continue
            self._put_away(path, version, _DONE)
            return pixels
        return None

    def _unseen(self) -> list[_Version]:
        try:
            versions = [_version_of(path) for path in self._folder.path.iterdir() if _is_ours(path)]
        except OSError as exc:
            raise ReaderLostError(f"cannot list {self._folder.path}: {exc.strerror}") from exc
        present = {version for version in versions if version is not None}
        self._seen &= present  # what is gone needs no remembering
        for gone in self._doubted_since_ns.keys() - present:
            del self._doubted_since_ns[gone]
        return sorted(present - self._seen)

    def _doubt(self, path: Path, version: _Version, exc: Exception) -> None:
        """Set a broken picture aside, but not at once: it may still be being written."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._doubted_since_ns.setdefault(version, now_ns) < _PATIENCE_NS:
            return
        self._put_away(path, version, _UNREADABLE)
        log.warning("picture set aside", extra={"file": path.name, "why": type(exc).__name__})

    def _put_away(self, path: Path, version: _Version, subfolder: str) -> None:
        self._seen.add(version)
        if self._folder.keep:
            return
        place = self._folder.path / subfolder
        try:
            place.mkdir(exist_ok=True)
            path.replace(place / path.name)
        except OSError as exc:  # a read-only folder: remembering, as above, does as well
            log.warning("picture stays", extra={"file": path.name, "why": exc.strerror})


def load_picture(path: Path) -> Pixels:
    """Load a picture as rows of grey; what is transparent is white, as paper is.

    Raises:
        OSError, ValueError, SyntaxError, EOFError: and more of Pillow's, if it is no picture.
    """
    with Image.open(path, formats=_FORMATS) as image:
        if image.width * image.height > _PIXELS_MAX:
            raise ValueError(f"{image.width} x {image.height} pixels are too many")
        if image.has_transparency_data:
            paper = Image.new("RGBA", image.size, "white")
            return np.asarray(Image.alpha_composite(paper, image.convert("RGBA")).convert("L"))
        return np.asarray(image.convert("L"))


def _is_ours(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file()


def _version_of(path: Path) -> _Version | None:
    try:
        status = path.stat()
    except FileNotFoundError:  # moved away since the folder was listed
        return None
    return path.name, status.st_mtime_ns, status.st_size
