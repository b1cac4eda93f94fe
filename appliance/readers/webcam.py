"""A USB camera, or any other that the kernel shows as a video device.

Opened by the camera reader through `main`. Wakes on the device's descriptor, without a thread of
its own, so that a camera that falls silent holds nothing up. Grey levels are taken as they come;
only where a camera sends JPEG a picture is decoded, and only the one that is wanted.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from appliance.alarm import wait_set
from appliance.errors import ReaderLostError
from appliance.ports import Clock
from appliance.readers.decoding import Frame, Pixels
from appliance.readers.jpeg import grey_of
from appliance.readers.v4l2 import Device, Format, Kernel, MachineKernel

_PLANAR: Final = ("GREY", "NV12", "YU12")  # grey levels lie together, before any colour
_JPEG, _PAIRED = "MJPG", "YUYV"  # in pairs each grey level has a colour's behind it
_SMALL_PIXELS: Final = 640 * 480  # USB 2 carries no more than this unpacked at 30 pictures a second
_BUFFERS: Final = 4


@dataclass(frozen=True, slots=True)
class Webcam:
    """Which camera, and what is asked of it; it may give another size or pace.

    Attributes:
        device: best one of `/dev/v4l/by-id/`, which stays the same when replugged.
        width, height: pixels.
        frames_per_s: pictures a second.
    """

    device: str
    width: int = 1280
    height: int = 720
    frames_per_s: int = 30


class WebcamFrames:
    """Opens the camera for a camera reader.

    Args:
        webcam: which, and what is asked of it.
        worker: opens the device and decodes JPEG; the executor that also finds codes.
        clock: stamps the pictures and counts heartbeats.
        kernel: the machine's own if left out.
    """

    def __init__(
        self, webcam: Webcam, worker: Executor, clock: Clock, kernel: Kernel | None = None
    ) -> None:
        self._webcam = webcam
        self._worker = worker
        self._clock = clock
        self._kernel = kernel or MachineKernel()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["StreamingWebcam"]:
        """Run the camera.

        Raises:
            ReaderLostError: if it is not there, is none, or does not start.
        """
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(self._worker, self._start)
        try:
            device, form = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_close_when_started)
            raise
        streaming = StreamingWebcam(device, form, self._worker, self._clock)
        loop.add_reader(device.descriptor, streaming.on_picture)
        try:
            yield streaming
        finally:
            loop.remove_reader(device.descriptor)
            device.close()

    def _start(self) -> tuple[Device, Format]:
        wanted = self._webcam
        try:
            device = Device(self._kernel, wanted.device)
        except OSError as exc:
            raise self._lost(exc) from exc
        try:
            form = _choose(device, wanted.width, wanted.height)
            with suppress(OSError):  # one that has a single pace does not let it be set
                device.pace(wanted.frames_per_s)
            device.stream(_BUFFERS)
        except OSError as exc:
            device.close()
            raise self._lost(exc) from exc
        return device, form

    def _lost(self, exc: OSError) -> ReaderLostError:
        return ReaderLostError(f"{self._webcam.device}: {exc.strerror or exc}")


class StreamingWebcam:
    """The protocol `FrameSource` over a device that streams."""

    def __init__(self, device: Device, form: Format, worker: Executor, clock: Clock) -> None:
        self._device = device
        self._form = form
        self._worker = worker
        self._clock = clock
        self._picture: tuple[bytes, int] | None = None
        self._lost = ""
        self._stirred = asyncio.Event()

    def on_picture(self) -> None:
        """Take what the device has; called by the loop when it has something."""
        try:
            with self._device.taken() as picture:
                if picture is not None:
                    self._picture = (bytes(picture), self._clock.monotonic_ns())
                    self._stirred.set()
        except BlockingIOError:
            return  # woken for nothing
        except OSError as exc:
            asyncio.get_running_loop().remove_reader(self._device.descriptor)
            self._lost = exc.strerror or str(exc)
            self._stirred.set()

    async def newest(self, wait_s_max: float) -> Frame:
        """Return the newest picture; one that is damaged is passed over.

        Raises:
            ReaderLostError: if none comes in time, or the device is gone.
        """
        begun_ns = self._clock.monotonic_ns()
        while (left_s := wait_s_max - (self._clock.monotonic_ns() - begun_ns) / 1e9) > 0:
            await wait_set(self._stirred, self._clock, left_s)
            self._stirred.clear()
            if self._lost:
                raise ReaderLostError(self._lost)
            picture, self._picture = self._picture, None
            if picture is None:
                continue
            loop = asyncio.get_running_loop()
            pixels = await loop.run_in_executor(self._worker, grey_in, picture[0], self._form)
            if pixels is not None:
                return Frame(pixels, picture[1])
        raise ReaderLostError(f"no picture for {wait_s_max} s")


def grey_in(picture: bytes, form: Format) -> Pixels | None:
    """Give a picture's grey levels; None if it is cut short or damaged."""
    if form.fourcc == _JPEG:
        try:
            return grey_of(picture)
        except ValueError:
            return None
    if len(picture) < form.stride * form.height:
        return None
    rows = np.frombuffer(picture, np.uint8, form.stride * form.height)
    plane = rows.reshape(form.height, form.stride)
    return plane[:, : 2 * form.width : 2] if form.fourcc == _PAIRED else plane[:, : form.width]


def _choose(device: Device, width: int, height: int) -> Format:
    if not device.is_camera():
        raise OSError("is no camera that streams")
    packed = (_PAIRED, _JPEG) if width * height <= _SMALL_PIXELS else (_JPEG, _PAIRED)
    for fourcc in (*_PLANAR, *packed):
        form = device.choose(fourcc, width, height)
        if form.fourcc == fourcc:
            return form
    raise OSError(f"gives {form.fourcc} pictures only, which nobody here can read")


def _close_when_started(starting: "asyncio.Future[tuple[Device, Format]]") -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result()[0].close()
