"""Cameras through libcamera's own Python bindings, for systems that have no picamera2 (Debian).

Opened by the camera reader through `main`; the library is imported here and only when asked for.
Pictures are announced on a descriptor that the event loop watches. The newest one is held and
copied when it is asked for, beside the loop; the others' buffers go back at once.
"""

import asyncio
import fcntl
import logging
import mmap
import struct
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from itertools import count
from typing import Any, Final

from appliance.alarm import wait_set
from appliance.errors import ConfigError, ReaderLostError
from appliance.ports import Clock
from appliance.readers.camera_settings import CameraSettings, split_by_offer
from appliance.readers.decoding import Frame

log = logging.getLogger(__name__)

_LUMINANCE_FIRST: Final = ("YUV420", "NV12", "R8")  # grey levels lie together, before any colour
_MANUAL: Final = 1  # of ExposureTimeMode and AnalogueGainMode, which newer libraries have
_ERRORS: Final = (OSError, RuntimeError, ValueError)

# linux/dma-buf.h: the processor's caches are made to agree with what the camera wrote
_DMA_BUF_IOCTL_SYNC: Final = 0x40086200
_READ_BEGINS, _READ_ENDS = struct.pack("=Q", 1), struct.pack("=Q", 1 | 4)


class LibcameraFrames:
    """Opens the camera for a camera reader.

    Args:
        settings: how it is set up.
        worker: opens and closes the camera and copies its pictures; the executor that also finds
            codes.
        clock: stamps the pictures and counts heartbeats.

    Raises:
        ConfigError: if the bindings are not installed.
    """

    def __init__(self, settings: CameraSettings, worker: Executor, clock: Clock) -> None:
        try:
            import libcamera
        except ImportError as exc:
            raise ConfigError(
                "a camera reader needs libcamera: apt install python3-libcamera, and let the"
                " virtual environment see the system's packages"
            ) from exc
        self._library = libcamera
        self._settings = settings
        self._worker = worker
        self._clock = clock

    @asynccontextmanager
    async def open(self) -> AsyncIterator["RunningCamera"]:
        """Run the camera.

        Raises:
            ReaderLostError: if there is no such camera, or it cannot be started.
        """
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(self._worker, self._start)
        try:
            camera = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_close_when_started)
            raise
        except _ERRORS as exc:
            raise ReaderLostError(f"camera {self._settings.number}: {exc}") from exc
        try:
            with _finished_pictures().told_to(camera, self._library):
                yield camera
        finally:
            await loop.run_in_executor(self._worker, camera.close)

    def _start(self) -> "RunningCamera":
        wanted = self._settings
        cameras = self._library.CameraManager.singleton().cameras
        if wanted.number >= len(cameras):
            raise OSError(f"libcamera lists {len(cameras)} of them")
        camera = cameras[wanted.number]
        camera.acquire()
        try:
            return RunningCamera(self._library, camera, wanted, self._worker, self._clock)
        except _ERRORS:
            camera.release()
            raise


class RunningCamera:
    """The protocol `FrameSource` over a camera that runs.

    Args:
        library: the bindings.
        camera: one of theirs, acquired.
        settings: how it is set up.
        worker: copies pictures.
        clock: stamps them.

    Attributes:
        cookie: marks its requests among those of all cameras.

    Raises:
        OSError, RuntimeError, ValueError: if it does not start.
    """

    _cookies = count(1)  # never again the one of a camera that was closed

    def __init__(
        self, library: Any, camera: Any, settings: CameraSettings, worker: Executor, clock: Clock
    ) -> None:
        self.cookie = next(self._cookies)
        self._library = library
        self._camera = camera
        self._worker = worker
        self._clock = clock
        self._back_after_ns = 500_000_000 // settings.frames_per_s
        self._given_back_ns = 0
        self._newest: tuple[Any, int] | None = None
        self._overtaken: list[Any] = []
        self._stirred = asyncio.Event()
        self._lost = ""
        self._maps: dict[int, mmap.mmap] = {}
        stream = self._configure(settings)
        self._stream = stream.stream
        self._width, self._height = stream.size.width, stream.size.height
        self._stride = stream.stride
        self._allocator = library.FrameBufferAllocator(camera)
        self._allocator.allocate(self._stream)
        self._requests = [self._request(buffer) for buffer in self._buffers()]
        try:
            camera.start(self._controls(settings))
            for request in self._requests:
                camera.queue_request(request)
        except _ERRORS:
            self._unmap()
            raise

    def _configure(self, settings: CameraSettings) -> Any:
        configuration = self._camera.generate_configuration(
            [self._library.StreamRole.VideoRecording]
        )
        stream = configuration.at(0)
        stream.size = self._library.Size(settings.width, settings.height)
        stream.pixel_format = self._library.PixelFormat(_LUMINANCE_FIRST[0])
        stream.buffer_count = settings.buffers
        if configuration.validate() == self._library.CameraConfiguration.Status.Invalid:
            raise RuntimeError(f"cannot give {settings.width}x{settings.height} pictures")
        if str(stream.pixel_format) not in _LUMINANCE_FIRST:
            raise RuntimeError(f"gives {stream.pixel_format} pictures, which nobody here can read")
        self._camera.configure(configuration)
        return stream

    def _buffers(self) -> list[Any]:
        buffers: list[Any] = self._allocator.buffers(self._stream)
        for buffer in buffers:
            plane = buffer.planes[0]  # of grey levels, whatever the format
            length = plane.offset + self._stride * self._height
            self._maps[plane.fd] = mmap.mmap(plane.fd, length, mmap.MAP_SHARED, mmap.PROT_READ)
        return buffers

    def _request(self, buffer: Any) -> Any:
        request = self._camera.create_request(self.cookie)
        request.add_buffer(self._stream, buffer)
        return request

    def _controls(self, settings: CameraSettings) -> dict[Any, Any]:
        offered = {control.name: control for control in self._camera.controls}
        has, missing = split_by_offer(settings.controls(), offered)
        if missing:
            log.info("camera lacks controls", extra={"controls": missing})
        for value, mode in (
            ("ExposureTime", "ExposureTimeMode"),
            ("AnalogueGain", "AnalogueGainMode"),
        ):
            if value in has and mode in offered:
                has[mode] = _MANUAL
        return {offered[name]: value for name, value in has.items()}

    def on_finished(self, request: Any) -> None:
        """Take a request that the camera is done with; called by the loop."""
        if request.status != self._library.Request.Status.Complete:
            return  # the camera stops
        now_ns = self._clock.monotonic_ns()
        if self._newest is not None:
            self._overtaken.append(self._newest[0])
        self._newest = (request, now_ns)
        self._stirred.set()
        # One that gives pictures faster than it was asked to (libcamera's virtual camera) waits for
        # its buffers until the next picture is fetched, and so does not keep the loop busy.
        if now_ns - self._given_back_ns >= self._back_after_ns:
            self._give_back()

    async def newest(self, wait_s_max: float) -> Frame:
        """Return the newest picture that was not returned before, waiting for one if need be.

        Raises:
            ReaderLostError: if there is none in time, or the camera is gone.
        """
        await wait_set(self._stirred, self._clock, wait_s_max)
        self._stirred.clear()
        newest, self._newest = self._newest, None
        if self._lost or newest is None:
            raise ReaderLostError(self._lost or f"no picture for {wait_s_max} s")
        request, received_ns = newest
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._worker, self._copy, request, received_ns)
        except _ERRORS as exc:
            raise ReaderLostError(f"a picture cannot be read: {exc}") from exc
        finally:
            self._overtaken.append(request)
            self._give_back()

    def _copy(self, request: Any, received_ns: int) -> Frame:
        plane = request.buffers[self._stream].planes[0]
        mapped = self._maps[plane.fd]
        fcntl.ioctl(plane.fd, _DMA_BUF_IOCTL_SYNC, _READ_BEGINS)
        try:
            with memoryview(mapped) as whole, whole[plane.offset :] as picture:
                return Frame.copy_of(picture, self._width, self._height, self._stride, received_ns)
        finally:
            fcntl.ioctl(plane.fd, _DMA_BUF_IOCTL_SYNC, _READ_ENDS)

    def _give_back(self) -> None:
        self._given_back_ns = self._clock.monotonic_ns()
        try:
            while self._overtaken:
                request = self._overtaken.pop()
                request.reuse()
                self._camera.queue_request(request)
        except _ERRORS as exc:
            self._lost = f"takes no more buffers: {exc}"
            self._stirred.set()

    def close(self) -> None:
        """Stop the camera and let go of it; waits for the library."""
        try:
            self._camera.stop()
            self._camera.release()
        except _ERRORS as exc:  # one that is gone cannot be stopped, and is none the less let go of
            log.warning("camera does not stop", extra={"error": str(exc)})
        self._unmap()

    def _unmap(self) -> None:
        for mapped in self._maps.values():
            mapped.close()
        self._maps.clear()


class _FinishedPictures:
    """Tells each running camera of its own; libcamera has one manager and descriptor for all."""

    def __init__(self) -> None:
        self._running: dict[int, RunningCamera] = {}

    @contextmanager
    def told_to(self, camera: RunningCamera, library: Any) -> Iterator[None]:
        """Tell a camera of its pictures; from the loop's own thread."""
        loop = asyncio.get_running_loop()
        manager = library.CameraManager.singleton()
        if not self._running:
            loop.add_reader(manager.event_fd, self._tell, manager)
        self._running[camera.cookie] = camera
        try:
            yield
        finally:
            del self._running[camera.cookie]
            if not self._running:
                loop.remove_reader(manager.event_fd)

    def _tell(self, manager: Any) -> None:
        for request in manager.get_ready_requests():
            camera = self._running.get(request.cookie)  # None: it was closed meanwhile
            if camera is not None:
                camera.on_finished(request)


@cache
def _finished_pictures() -> _FinishedPictures:
    return _FinishedPictures()  # one for the process, as the library's manager is


def _close_when_started(starting: "asyncio.Future[RunningCamera]") -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().close()
