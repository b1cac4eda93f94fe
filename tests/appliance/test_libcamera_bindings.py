"""Cameras through libcamera's own bindings, with a stand-in for the library.

The library itself, on its virtual camera, is proved in the emulated machine (`make test-vm`).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from appliance.errors import ConfigError, ReaderLostError
from appliance.readers.camera_settings import CameraSettings
from appliance.readers.libcamera_bindings import LibcameraFrames, RunningCamera
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.ticket_pictures import draw_code
from appliance.simulator.virtual_clock import VirtualClock, settle

PADDING = 24
OFFSET = 4096  # of the grey levels in the second camera's buffers


@dataclass
class FakeBuffer:
    fd: int
    offset: int
    planes: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.planes = [SimpleNamespace(fd=self.fd, offset=self.offset, length=0)]


class FakeRequest:
    def __init__(self, cookie: int) -> None:
        self.cookie, self.status, self.buffers = cookie, "Complete", {}
        self.is_fresh = True

    def add_buffer(self, stream: object, buffer: FakeBuffer) -> None:
        self.buffers[stream] = buffer

    def reuse(self) -> None:
        self.is_fresh = True


class FakeCamera:
    """A camera of the library; a test plays its sensor by `take`."""

    def __init__(self, manager: "FakeManager", offset: int = 0) -> None:
        self.manager, self.offset = manager, offset
        self.queued: list[FakeRequest] = []
        self.calls: list[str] = []
        self.started: dict[str, Any] = {}
        self.fds: list[int] = []
        self.gives = "NV12"
        self.refuses = ""
        self.lacks: frozenset[str] = frozenset()
        self.has: frozenset[str] = frozenset()

    @property
    def controls(self) -> dict[Any, object]:
        names = {"FrameDurationLimits", "ExposureTime", "AnalogueGain", "AeMeteringMode"}
        return {Control(name): None for name in (names | self.has) - self.lacks}

    def acquire(self) -> None:
        self.calls.append("acquire")

    def generate_configuration(self, roles: list[str]) -> "FakeConfiguration":
        assert roles == ["VideoRecording"]
        return FakeConfiguration(self)

    def configure(self, configuration: "FakeConfiguration") -> None:
        self.stream = configuration.at(0)

    def create_request(self, cookie: int) -> FakeRequest:
        return FakeRequest(cookie)

    def start(self, controls: dict["Control", Any]) -> None:
        if self.refuses == "start":
            raise RuntimeError("cannot start")
        self.started = {control.name: value for control, value in controls.items()}
        self.calls.append("start")

    def queue_request(self, request: FakeRequest) -> None:
        if self.refuses == "queue":
            raise OSError(19, "No such device")
        assert request.is_fresh
        request.is_fresh = False
        self.queued.append(request)

    def take(self, picture: np.ndarray) -> None:
        """Expose one picture into the oldest queued buffer, as the sensor does."""
        request = self.queued.pop(0)
        height, width = picture.shape
        rows = np.full((height, width + PADDING), 255, np.uint8)
        rows[:, :width] = picture
        (buffer,) = request.buffers.values()
        os.pwrite(buffer.fd, rows.tobytes(), buffer.offset)
        self.manager.finish(request)

    def stop(self) -> None:
        if self.refuses == "stop":
            raise OSError(19, "No such device")
        self.calls.append("stop")
        for request in self.queued:
            request.status = "Cancelled"
            self.manager.finish(request)
        self.queued.clear()

    def release(self) -> None:
        self.calls.append("release")


@dataclass(frozen=True)
class Control:
    name: str


class FakeConfiguration:
    def __init__(self, camera: FakeCamera) -> None:
        self.camera = camera
        self.stream = SimpleNamespace(stream=object())

    def at(self, index: int) -> SimpleNamespace:
        assert index == 0
        return self.stream

    def validate(self) -> str:
        self.camera.wanted = vars(self.stream).copy()
        self.stream.pixel_format = self.camera.gives
        self.stream.stride = self.stream.size.width + PADDING
        return "Invalid" if self.camera.refuses == "size" else "Adjusted"


class FakeAllocator:
    def __init__(self, camera: FakeCamera) -> None:
        self.camera = camera

    def allocate(self, stream: object) -> int:
        return int(self.camera.stream.buffer_count)

    def buffers(self, stream: object) -> list[FakeBuffer]:
        form, offset = self.camera.stream, self.camera.offset
        for _ in range(form.buffer_count):
            fd = os.memfd_create("picture")
            os.ftruncate(fd, offset + form.stride * form.size.height * 3 // 2)
            self.camera.fds.append(fd)
        return [FakeBuffer(fd, offset) for fd in self.camera.fds]


class FakeManager:
    def __init__(self) -> None:
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.cameras = [FakeCamera(self), FakeCamera(self, OFFSET)]
        self.finished: list[FakeRequest] = []

    def finish(self, request: FakeRequest) -> None:
        self.finished.append(request)
        os.eventfd_write(self.event_fd, 1)

    def get_ready_requests(self) -> list[FakeRequest]:
        os.eventfd_read(self.event_fd)
        finished, self.finished = self.finished, []
        return finished


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Any:
    manager = FakeManager()
    library = ModuleType("libcamera")
    vars(library).update(
        CameraManager=SimpleNamespace(singleton=lambda: manager),
        StreamRole=SimpleNamespace(VideoRecording="VideoRecording"),
        Size=lambda width, height: SimpleNamespace(width=width, height=height),
        PixelFormat=str,
        CameraConfiguration=SimpleNamespace(Status=SimpleNamespace(Invalid="Invalid")),
        FrameBufferAllocator=FakeAllocator,
        Request=SimpleNamespace(Status=SimpleNamespace(Complete="Complete")),
    )
    monkeypatch.setitem(sys.modules, "libcamera", library)
    yield manager
    os.close(manager.event_fd)
    for fd in (fd for camera in manager.cameras for fd in camera.fds):
        os.close(fd)


@pytest.fixture(autouse=True)
def synced(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The flags of each synchronisation; the memory here is not the camera's, and cannot be."""
    flags: list[bytes] = []
    monkeypatch.setattr(
        "appliance.readers.libcamera_bindings.fcntl.ioctl",
        lambda fd, number, flag: flags.append(flag),
    )
    return flags


class Bench:
    """A clock, and cameras opened on it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.stack = AsyncExitStack()
        self.worker = self.stack.enter_context(ThreadPoolExecutor(1))

    async def open(self, **settings: Any) -> RunningCamera:
        frames = LibcameraFrames(CameraSettings(**settings), self.worker, self.clock)
        return await self.stack.enter_async_context(frames.open())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    async with bench.stack:
        yield bench


def grey(level: int) -> np.ndarray:
    return np.full((64, 64), level, np.uint8)


@pytest.mark.parametrize("number", [0, 1])
async def test_the_grey_levels_are_copied_without_padding_and_the_buffer_given_back(
    manager: FakeManager, bench: Bench, synced: list[bytes], number: int
):
    picture = np.asarray(draw_code(b"FROM A SENSOR"))
    height, width = picture.shape
    source = await bench.open(number=number, width=width, height=height)
    camera = manager.cameras[number]
    camera.take(picture)
    frame = await source.newest(2.0)
    assert np.array_equal(frame.pixels, picture)
    assert len(camera.queued) == 4
    assert [int.from_bytes(flags, sys.byteorder) for flags in synced] == [1, 5]


async def test_the_newest_picture_wins_and_the_others_go_back_at_once(
    manager: FakeManager, bench: Bench
):
    source = await bench.open(width=64, height=64)
    (camera, _) = manager.cameras
    for level in (10, 20, 30):
        bench.clock.advance(1 / 30)
        camera.take(grey(level))
        await settle()
    assert len(camera.queued) == 3  # all but the one that waits
    frame = await source.newest(2.0)
    assert frame.pixels[0, 0] == 30
    assert frame.received_ns == bench.clock.monotonic_ns()


async def test_a_camera_without_a_pace_waits_for_its_buffers(manager: FakeManager, bench: Bench):
    source = await bench.open(width=64, height=64)
    (camera, _) = manager.cameras
    bench.clock.advance(1.0)
    for level in (10, 20, 30, 40, 50):
        if camera.queued:
            camera.take(grey(level))
            await settle()
    assert not camera.queued
    assert (await source.newest(2.0)).pixels[0, 0] == 40
    assert len(camera.queued) == 4


async def test_two_cameras_are_each_told_of_their_own_pictures(manager: FakeManager, bench: Bench):
    sources = [await bench.open(number=number, width=64, height=64) for number in (0, 1)]
    for camera, level in zip(manager.cameras, (10, 20), strict=True):
        camera.take(grey(level))
    levels = [(await source.newest(2.0)).pixels[0, 0] for source in sources]
    assert levels == [10, 20]


async def test_what_a_closed_camera_left_behind_is_nobodys_picture(
    manager: FakeManager, bench: Bench
):
    async with LibcameraFrames(CameraSettings(), bench.worker, bench.clock).open():
        pass
    source = await bench.open(width=64, height=64)  # the cancelled requests are told now
    manager.cameras[0].take(grey(10))
    assert (await source.newest(2.0)).pixels[0, 0] == 10
    assert manager.cameras[0].calls == ["acquire", "start", "stop", "release", "acquire", "start"]


async def test_a_silent_camera_is_lost(manager: FakeManager, bench: Bench):
    source = await bench.open(width=64, height=64)

    async def let_time_pass() -> None:
        await settle()
        bench.clock.advance(2.0)

    async with asyncio.TaskGroup() as group:
        group.create_task(let_time_pass())
        with pytest.raises(ReaderLostError, match=r"no picture for 2\.0 s"):
            await source.newest(2.0)


async def test_the_camera_is_set_up_for_screens_in_moving_hands(manager: FakeManager, bench: Bench):
    (camera, _) = manager.cameras
    camera.has = frozenset({"AfMode", "LensPosition"})
    await bench.open(exposure_us=2000, frames_per_s=15, gain=4.0, lens_position=8.0, buffers=3)
    assert camera.wanted["pixel_format"] == "YUV420"
    assert vars(camera.wanted["size"]) == {"width": 1280, "height": 720}
    assert camera.wanted["buffer_count"] == len(camera.queued) == 3
    assert camera.started == {
        "FrameDurationLimits": (66_666, 66_666),
        "AeMeteringMode": 0,
        "ExposureTime": 2000,
        "AnalogueGain": 4.0,
        "AfMode": 0,
        "LensPosition": 8.0,
    }


async def test_a_fixed_shutter_is_told_to_libraries_that_want_to_be_told_so(
    manager: FakeManager, bench: Bench
):
    (camera, _) = manager.cameras
    camera.has = frozenset({"ExposureTimeMode", "AnalogueGainMode"})
    camera.lacks = frozenset({"AeMeteringMode"})
    await bench.open()
    assert camera.started == {
        "FrameDurationLimits": (33_333, 33_333),
        "ExposureTime": 4000,
        "ExposureTimeMode": 1,
    }


@pytest.mark.parametrize(
    ("refuses", "gives", "words"),
    [
        ("size", "NV12", "cannot give 1280x720"),
        ("start", "NV12", "cannot start"),
        ("", "RGB888", "gives RGB888 pictures"),
    ],
)
async def test_a_camera_that_cannot_be_as_it_is_wanted_is_let_go_of(
    manager: FakeManager, bench: Bench, refuses: str, gives: str, words: str
):
    (camera, _) = manager.cameras
    camera.refuses, camera.gives = refuses, gives
    with pytest.raises(ReaderLostError, match=words):
        await bench.open()
    assert camera.calls == ["acquire", "release"]


async def test_a_camera_that_is_not_there_is_lost(manager: FakeManager, bench: Bench):
    with pytest.raises(ReaderLostError, match="camera 3: libcamera lists 2 of them"):
        await bench.open(number=3)


async def test_a_camera_that_is_pulled_out_is_lost_and_let_go_of(
    manager: FakeManager, bench: Bench
):
    source = await bench.open(width=64, height=64)
    (camera, _) = manager.cameras
    camera.take(grey(10))
    await settle()
    camera.refuses = "queue"
    await source.newest(2.0)
    with pytest.raises(ReaderLostError, match=r"takes no more buffers: .*No such device"):
        await source.newest(2.0)
    camera.refuses = "stop"
    await bench.stack.aclose()


def test_missing_bindings_are_named_with_the_package_that_brings_them(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "libcamera", None)
    with pytest.raises(ConfigError, match="apt install python3-libcamera"):
        LibcameraFrames(CameraSettings(), InlineWorker(), VirtualClock())
