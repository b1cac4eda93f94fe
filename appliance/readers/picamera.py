"""The Raspberry Pi's camera, through picamera2, which is imported here and only when asked for.

Opened by the camera reader through `main`. Takes the luminance plane of each picture, copies it
once and gives the buffer back at once, because the camera has only a few.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from appliance.errors import ConfigError, ReaderLostError
from appliance.ports import Clock
from appliance.readers.camera_settings import CameraSettings, Control, split_by_offer
from appliance.readers.decoding import Frame
from appliance.readers.frames import FrameSlot

log = logging.getLogger(__name__)

_STREAM: Final = "main"
_ERRORS: Final = (OSError, RuntimeError, IndexError)  # IndexError: no camera of that number


class PicameraFrames:
    """Opens the camera for a camera reader.

    Args:
        settings: how it is set up.
        clock: stamps the pictures and counts heartbeats.

    Raises:
        ConfigError: if picamera2 is not installed.
    """

    def __init__(self, settings: CameraSettings, clock: Clock) -> None:
        try:
            import picamera2
        except ImportError as exc:
            raise ConfigError(
                "a camera reader needs picamera2: apt install python3-picamera2 (on a system"
                " without it python3-libcamera), and let the virtual environment see the"
                " system's packages"
            ) from exc
        self._library = picamera2
        self._settings = settings
        self._clock = clock

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FrameSlot]:
        """Run the camera; its pictures wait in the slot.

        Raises:
            ReaderLostError: if there is no such camera, or it cannot be started.
        """
        slot = FrameSlot(self._clock)
        loop = asyncio.get_running_loop()

        def hand_over(frame: Frame) -> None:
            loop.call_soon_threadsafe(slot.put, frame)

        starting = loop.run_in_executor(None, self._start, hand_over)
        try:
            camera = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_close_when_started)
            raise
        except _ERRORS as exc:
            raise ReaderLostError(f"camera {self._settings.number}: {exc}") from exc
        try:
            yield slot
        finally:
            await loop.run_in_executor(None, _close, camera)

    def _start(self, hand_over: Callable[[Frame], None]) -> Any:
        wanted = self._settings
        camera = self._library.Picamera2(wanted.number)
        try:
            camera.configure(
                camera.create_video_configuration(
                    main={"size": (wanted.width, wanted.height), "format": "YUV420"},
                    buffer_count=wanted.buffers,
                    controls=_offered(camera, wanted.controls()),
                )
            )
            camera.post_callback = self._copier(camera, hand_over)
            camera.start()
        except _ERRORS:
            camera.close()
            raise
        return camera

    def _copier(self, camera: Any, hand_over: Callable[[Frame], None]) -> Callable[[Any], None]:
        stream = camera.stream_configuration(_STREAM)
        (width, height), stride = stream["size"], stream["stride"]

        def copy(request: Any) -> None:  # in the camera's thread, which holds the library's lock
            with self._library.MappedArray(request, _STREAM, reshape=False, write=False) as mapped:
                now_ns = self._clock.monotonic_ns()
                frame = Frame.copy_of(mapped.array, width, height, stride, now_ns)
            hand_over(frame)

        return copy


def _offered(camera: Any, controls: dict[str, Control]) -> dict[str, Control]:
    has, missing = split_by_offer(controls, camera.camera_controls)
    if missing:
        log.info("camera lacks controls", extra={"controls": missing})
    return has


def _close(camera: Any) -> None:
    camera.post_callback = None
    camera.stop()
    camera.close()


def _close_when_started(starting: "asyncio.Future[Any]") -> None:
    if not starting.cancelled() and starting.exception() is None:
        _close(starting.result())
