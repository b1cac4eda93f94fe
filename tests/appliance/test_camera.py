"""The camera reader: newest picture wins, silence reopens, one presentation is one scan."""

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from admission.scan import Direction
from appliance.errors import ConfigError, ReaderLostError
from appliance.ports import Payload
from appliance.readers.camera import HEARTBEAT_S, REOPEN_S, CameraReader
from appliance.readers.camera_settings import CameraSettings
from appliance.readers.chain import open_decoder
from appliance.readers.decoding import Decoding, Frame, Read, Symbology
from appliance.readers.frames import FrameSlot
from appliance.readers.picamera import PicameraFrames
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.ticket_pictures import draw_code
from appliance.simulator.virtual_clock import VirtualClock, settle


class FakeCamera:
    """A camera whose pictures are single pixels; the grey level says what is in view."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.slot = FrameSlot(clock)
        self.openings = 0
        self.closings = 0
        self.is_unplugged = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FrameSlot]:
        if self.is_unplugged:
            raise ReaderLostError("unplugged")
        self.openings += 1
        self.slot = FrameSlot(self.clock)
        try:
            yield self.slot
        finally:
            self.closings += 1

    async def show(self, level: int) -> None:
        pixels = np.full((1, 1), level, np.uint8)
        self.slot.put(Frame(pixels, self.clock.monotonic_ns()))
        await settle()


class Levels:
    """A decoder that reads the grey level as a code; level 0 is an empty view."""

    def __init__(self) -> None:
        self.decoded: list[int] = []
        self.unread: list[Read] = []

    def decode(self, frame: Frame) -> list[Read]:
        level = int(frame.pixels[0, 0])
        self.decoded.append(level)
        return [Read(Symbology.AZTEC, b"TICKET-%d" % level)] if level else []


class Bench:
    """A camera reader on a virtual clock, and what it has yielded."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.camera = FakeCamera(self.clock)
        self.decoder = Levels()
        self.reader = CameraReader(
            "cam", Direction.EXIT, self.camera.open, self.decoder, InlineWorker(), self.clock
        )
        self.got: list[Payload] = []

    async def collect(self) -> None:
        async for payload in self.reader.payloads():
            self.got.append(payload)

    @property
    def data(self) -> list[bytes]:
        """What was presented, each once."""
        return [payload.data for payload in self.got if payload.is_tentative]


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await settle()
        yield made
        task.cancel()


async def test_a_payload_says_what_was_read_by_whom_and_when():
    async with bench() as b:
        await b.clock.run(1.5)
        await b.camera.show(3)
        assert b.got == [
            Payload("cam", Direction.EXIT, b"TICKET-3", "Aztec", 1_500_000_000, is_tentative=True)
        ]


async def test_a_code_that_stays_in_view_is_one_scan_for_as_long_as_it_stays():
    async with bench() as b:
        for _ in range(100):
            await b.camera.show(3)
            await b.clock.run(0.1)
    assert b.data == [b"TICKET-3"]


async def test_another_code_and_then_the_first_again_are_three_scans():
    async with bench() as b:
        for level in (3, 3, 4, 4, 3):
            await b.camera.show(level)
            await b.clock.run(0.3)
    assert b.data == [b"TICKET-3", b"TICKET-4", b"TICKET-3"]


async def test_an_empty_view_for_long_enough_forgets_the_code():
    async with bench() as b:
        await b.camera.show(3)
        for _ in range(26):
            await b.clock.run(0.1)
            await b.camera.show(0)
        await b.camera.show(3)
    assert b.data == [b"TICKET-3", b"TICKET-3"]


async def test_a_film_of_codes_is_cut_to_twenty_a_second():
    async with bench() as b:
        for level in range(1, 61):
            await b.camera.show(level)
    assert len(b.got) == 20


async def test_a_code_that_the_bound_held_back_is_scanned_when_there_is_room():
    async with bench() as b:
        for level in range(1, 22):
            await b.camera.show(level)
        assert b"TICKET-21" not in b.data
        await b.clock.run(0.1)
        await b.camera.show(21)
    assert b.data[-1] == b"TICKET-21"


async def test_pictures_that_come_while_one_is_decoded_overtake_each_other():
    release, entered = threading.Event(), threading.Event()

    class Slow(Levels):
        def decode(self, frame: Frame) -> list[Read]:
            entered.set()
            assert release.wait(10)
            return super().decode(frame)

    b = Bench()
    slow = Slow()
    arrived = asyncio.Event()
    with ThreadPoolExecutor(max_workers=1) as worker:
        reader = CameraReader("cam", Direction.ENTRY, b.camera.open, slow, worker, b.clock)

        async def collect() -> None:
            async for payload in reader.payloads():
                b.got.append(payload)
                if payload.data == b"TICKET-5":
                    arrived.set()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(collect())
            await settle()
            await b.camera.show(2)
            assert await asyncio.to_thread(entered.wait, 10)
            for level in (3, 4, 5):
                await b.camera.show(level)
            release.set()
            await asyncio.wait_for(arrived.wait(), 10)
            task.cancel()
    assert slow.decoded == [2, 5]
    assert b.camera.slot.overtaken == 2


async def test_the_loop_goes_on_while_a_picture_is_decoded():
    release = threading.Event()

    class Stuck(Levels):
        def decode(self, frame: Frame) -> list[Read]:
            assert release.wait(10)
            return []

    b = Bench()
    with ThreadPoolExecutor(max_workers=1) as worker:
        reader = CameraReader("cam", Direction.ENTRY, b.camera.open, Stuck(), worker, b.clock)

        async def collect() -> None:
            async for payload in reader.payloads():
                b.got.append(payload)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(collect())
            await settle()
            await b.camera.show(2)
            await asyncio.sleep(0)  # would never come back if the loop decoded
            release.set()
            task.cancel()
    assert b.got == []


async def test_a_camera_that_falls_silent_is_closed_and_opened_again():
    async with bench() as b:
        await b.camera.show(3)
        assert b.reader.is_alive()
        await b.clock.run(HEARTBEAT_S + 0.1)
        assert (b.camera.closings, b.reader.is_alive()) == (1, False)
        await b.clock.run(REOPEN_S)
        assert b.camera.openings == 2
        await b.camera.show(4)
        assert b.reader.is_alive()
    assert b.data == [b"TICKET-3", b"TICKET-4"]


async def test_a_camera_that_keeps_giving_pictures_is_left_alone():
    async with bench() as b:
        for _ in range(40):
            await b.clock.run(HEARTBEAT_S - 0.1)
            await b.camera.show(0)
        assert b.camera.openings == 1


async def test_a_camera_that_is_not_there_is_waited_for_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
):
    b = Bench()
    b.camera.is_unplugged = True
    async with asyncio.TaskGroup() as group:
        task = group.create_task(b.collect())
        await b.clock.run(3600)
        b.camera.is_unplugged = False
        await b.clock.run(REOPEN_S)
        await b.camera.show(3)
        task.cancel()
    assert b.data == [b"TICKET-3"]
    lost = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert [r.getMessage() for r in lost] == ["reader lost"]


async def test_cancelling_closes_the_camera():
    async with bench() as b:
        await b.camera.show(3)
    assert b.camera.closings == 1
    assert not b.reader.is_alive()


async def test_a_drawn_code_goes_through_the_real_decoder():
    b = Bench()
    decoder = open_decoder(Decoding())
    reader = CameraReader("cam", Direction.ENTRY, b.camera.open, decoder, InlineWorker(), b.clock)
    payloads = reader.payloads()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(anext(payloads))
        await settle()
        pixels = np.asarray(draw_code(b"\x00\xffbinary", "DataMatrix"))
        b.camera.slot.put(Frame(pixels, 0))
    await payloads.aclose()
    assert (first.result().data, first.result().symbology) == (b"\x00\xffbinary", "DataMatrix")


# --- picamera2, with a stand-in for the library ------------------------------------------------


class FakePicamera2:
    """What the driver needs of picamera2; a test plays the camera's own thread."""

    made: "list[FakePicamera2]"
    stride_extra = 51
    lacks: frozenset[str] = frozenset()

    def __init__(self, number: int) -> None:
        self.post_callback: Callable[[Any], None] | None = None
        self.is_running = self.is_closed = False
        if number > 0:
            raise IndexError("list index out of range")
        self.made.append(self)

    @property
    def camera_controls(self) -> dict[str, tuple[int, int, int]]:
        names = {"FrameDurationLimits", "ExposureTime", "AnalogueGain", "AeMeteringMode"}
        return dict.fromkeys((names | {"AfMode", "LensPosition"}) - self.lacks, (0, 1, 0))

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        return wanted

    def configure(self, wanted: dict[str, Any]) -> None:
        self.wanted = wanted

    def stream_configuration(self, name: str) -> dict[str, Any]:
        size = self.wanted[name]["size"]
        return {"size": size, "stride": size[0] + self.stride_extra}

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False

    def close(self) -> None:
        self.is_closed = True

    def take(self, picture: np.ndarray) -> None:
        """Play the camera's thread: complete one request, then reuse its buffer."""
        width, height = self.wanted["main"]["size"]
        rows = np.zeros((height * 3 // 2, width + self.stride_extra), np.uint8)
        rows[:height, :width] = picture
        buffer = rows.reshape(-1)
        assert self.post_callback is not None
        self.post_callback(buffer)
        buffer[:] = 0


class FakeMappedArray:
    def __init__(self, request: np.ndarray, name: str, *, reshape: bool, write: bool) -> None:
        assert (name, reshape, write) == ("main", False, False)
        self.array = request

    def __enter__(self) -> "FakeMappedArray":
        return self

    def __exit__(self, *exc: object) -> None:
        self.array = np.zeros(0, np.uint8)


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    library = ModuleType("picamera2")
    FakePicamera2.made = []
    library.Picamera2 = FakePicamera2  # type: ignore[attr-defined]
    library.MappedArray = FakeMappedArray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", library)
    return FakePicamera2


async def test_the_luminance_is_copied_without_padding_and_the_buffer_given_back(
    picamera2: type[FakePicamera2],
):
    picture = np.asarray(draw_code(b"FROM THE PI"))
    height, width = picture.shape
    clock = VirtualClock()
    async with PicameraFrames(CameraSettings(width=width, height=height), clock).open() as source:
        (camera,) = picamera2.made
        await asyncio.to_thread(camera.take, picture)
        frame = await source.newest(2.0)
    assert np.array_equal(frame.pixels, picture)
    assert not camera.is_running
    assert camera.is_closed


async def test_the_camera_is_set_up_for_screens_in_moving_hands(picamera2: type[FakePicamera2]):
    wanted = CameraSettings(
        exposure_us=2000, frames_per_s=15, gain=4.0, lens_position=8.0, buffers=3
    )
    async with PicameraFrames(wanted, VirtualClock()).open():
        (camera,) = picamera2.made
    assert camera.wanted["main"] == {"size": (1280, 720), "format": "YUV420"}
    assert camera.wanted["controls"] == {
        "FrameDurationLimits": (66_666, 66_666),
        "AeMeteringMode": 0,
        "ExposureTime": 2000,
        "AnalogueGain": 4.0,
        "AfMode": 0,
        "LensPosition": 8.0,
    }


async def test_what_a_camera_has_no_control_of_is_not_asked_of_it(
    picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch
):
    lacks = frozenset({"AfMode", "LensPosition", "AeMeteringMode", "FrameDurationLimits"})
    monkeypatch.setattr(FakePicamera2, "lacks", lacks)
    async with PicameraFrames(CameraSettings(lens_position=8.0), VirtualClock()).open():
        (camera,) = picamera2.made
    assert camera.wanted["controls"] == {"ExposureTime": 4000}
    assert camera.wanted["buffer_count"] == 4


async def test_exposure_and_gain_may_be_left_to_the_camera(picamera2: type[FakePicamera2]):
    async with PicameraFrames(CameraSettings(exposure_us=0), VirtualClock()).open():
        (camera,) = picamera2.made
    assert camera.wanted["controls"] == {
        "FrameDurationLimits": (33_333, 33_333),
        "AeMeteringMode": 0,
    }


async def test_a_camera_number_that_is_not_there_is_a_lost_reader(
    picamera2: type[FakePicamera2],
):
    frames = PicameraFrames(CameraSettings(number=1), VirtualClock())
    with pytest.raises(ReaderLostError, match="camera 1"):
        async with frames.open():
            raise AssertionError("must not open")


async def test_a_camera_that_cannot_be_configured_is_closed_again(
    picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch
):
    def refuse(self: FakePicamera2, wanted: dict[str, Any]) -> None:
        raise RuntimeError("cannot allocate memory")

    monkeypatch.setattr(FakePicamera2, "configure", refuse)
    with pytest.raises(ReaderLostError, match="allocate"):
        async with PicameraFrames(CameraSettings(), VirtualClock()).open():
            raise AssertionError("must not open")
    assert picamera2.made[0].is_closed


async def test_a_camera_whose_opening_is_cancelled_is_closed_once_it_is_open(
    picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch
):
    starting, may_start, closed = threading.Event(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def start(self: FakePicamera2) -> None:
        starting.set()
        assert may_start.wait(10)

    def close(self: FakePicamera2) -> None:
        loop.call_soon_threadsafe(closed.set)

    monkeypatch.setattr(FakePicamera2, "start", start)
    monkeypatch.setattr(FakePicamera2, "close", close)

    async def open_it() -> None:
        async with PicameraFrames(CameraSettings(), VirtualClock()).open():
            raise AssertionError("must not open")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(open_it())
        assert await asyncio.to_thread(starting.wait, 10)
        task.cancel()
        await settle()
        may_start.set()
        await asyncio.wait_for(closed.wait(), 10)
    assert task.cancelled()


def test_a_missing_library_is_named_with_the_package_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(ConfigError, match="apt install python3-picamera2"):
        PicameraFrames(CameraSettings(), VirtualClock())
