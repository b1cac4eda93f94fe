"""The Raspberry Pi's camera, through picamera2, which is imported here and only when asked for.

Opened by the camera reader through `main`. Takes the luminance plane of each picture, copies it
once and gives the buffer back at once, because the camera has only a few.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from appliance.errors import ConfigError, ReaderLostError
from appliance.ports import Clock
from appliance.readers.decoding import Frame
from appliance.readers.frames import FrameSlot

log = logging.getLogger(__name__)

_STREAM: Final = "main"
_MIDDLE: Final = 0  # of AeMeteringMode: the middle of the picture counts most
_MANUAL_FOCUS: Final = 0
_ERRORS: Final = (OSError, RuntimeError, IndexError)  # IndexError: no camera of that number


@dataclass(frozen=True, slots=True)
class Picamera:
    """How the camera is set up.

    Attributes:
        number: which camera.
        width: pixels; a code wants three for each of its modules.
        height: pixels.
        frames_per_s: pictures a second.
        exposure_us: shutter time in microseconds, short for screens in moving hands; 0 leaves it to
            the camera.
        gain: of the sensor; 0 leaves it to the camera, which measures in the middle.
        lens_position: dioptres for a lens with a motor, or None to leave the lens alone.
        buffers: pictures that the driver holds memory for; the library's own six waste what small
            boards need elsewhere.
    """

    number: int = 0
    width: int = 1280
    height: int = 720
    frames_per_s: int = 30
    exposure_us: int = 4000
    gain: float = 0.0
    lens_position: float | None = None
    buffers: int = 4


class PicameraFrames:
    """Opens the camera for a camera reader.

    Args:
        picamera: how it is set up.
        clock: stamps the pictures and counts heartbeats.

    Raises:
        ConfigError: if picamera2 is not installed.
    """

    def __init__(self, picamera: Picamera, clock: Clock) -> None:
        try:
            import picamera2
        except ImportError as exc:
            raise ConfigError(
                "a camera reader needs picamera2: apt install python3-picamera2, and let the"
                " virtual environment see the system's packages"
            ) from exc
        self._library = picamera2
        self._picamera = picamera
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
            raise ReaderLostError(f"camera {self._picamera.number}: {exc}") from exc
        try:
            yield slot
        finally:
            await loop.run_in_executor(None, _close, camera)

    def _start(self, hand_over: Callable[[Frame], None]) -> Any:
        wanted = self._picamera
        camera = self._library.Picamera2(wanted.number)
        try:
            camera.configure(
                camera.create_video_configuration(
                    main={"size": (wanted.width, wanted.height), "format": "YUV420"},
                    buffer_count=wanted.buffers,
                    controls=_offered(camera, _controls(wanted)),
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


def _controls(wanted: Picamera) -> dict[str, float]:
    controls: dict[str, float] = {
        "FrameRate": wanted.frames_per_s,
        "AeMeteringMode": _MIDDLE,
    }
    if wanted.exposure_us:
        controls["ExposureTime"] = wanted.exposure_us
    if wanted.gain:
        controls["AnalogueGain"] = wanted.gain
    if wanted.lens_position is not None:
        controls |= {"AfMode": _MANUAL_FOCUS, "LensPosition": wanted.lens_position}
    return controls


def _offered(camera: Any, controls: dict[str, float]) -> dict[str, float]:
    """Leave out what this camera has not: the library would refuse the whole set-up for it."""
    offered = set(camera.camera_controls)
    if "FrameDurationLimits" in offered:
        offered.add("FrameRate")  # the library's own name for it
    missing = sorted(controls.keys() - offered)
    if missing:
        log.info("camera lacks controls", extra={"controls": missing})
    return {name: value for name, value in controls.items() if name in offered}


def _close(camera: Any) -> None:
    camera.post_callback = None
    camera.stop()
    camera.close()


def _close_when_started(starting: "asyncio.Future[Any]") -> None:
    if not starting.cancelled() and starting.exception() is None:
        _close(starting.result())
