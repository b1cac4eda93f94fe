"""USB cameras: V4L2's calls against a kernel of our own, pictures of every kind, and unplugging.

The numbers of the calls are held against the kernel's own header where the machine has one.
"""

import asyncio
import errno
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from admission.scan import Direction
from appliance.errors import ReaderLostError
from appliance.ports import Payload
from appliance.readers import v4l2
from appliance.readers.camera import HEARTBEAT_S, REOPEN_S, CameraReader
from appliance.readers.chain import open_decoder
from appliance.readers.decoding import Decoding
from appliance.readers.webcam import Webcam, WebcamFrames
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.ticket_pictures import draw_code
from appliance.simulator.virtual_clock import VirtualClock, settle
from imagined_webcam import ImaginedWebcam

WIDTH, HEIGHT = 320, 240
DEVICE = "/dev/v4l/by-id/usb-camera"


def picture(data: bytes = b"") -> np.ndarray:
    pixels = np.full((HEIGHT, WIDTH), 200, np.uint8)
    if data:
        code = np.asarray(draw_code(data))
        pixels[10 : 10 + code.shape[0], 20 : 20 + code.shape[1]] = code[: HEIGHT - 10, : WIDTH - 20]
    return pixels


def as_sent(pixels: np.ndarray, fourcc: str, padding: int = 0) -> bytes:
    if fourcc == "MJPG":
        file = io.BytesIO()
        Image.fromarray(pixels).convert("RGB").save(file, "JPEG", quality=95)
        return file.getvalue()
    if fourcc == "YUYV":
        pixels = np.dstack([pixels, np.full_like(pixels, 99)]).reshape(HEIGHT, -1)
    rows = np.pad(pixels, ((0, 0), (0, padding)), constant_values=7)
    colours = b"" if fourcc in ("GREY", "YUYV") else bytes(rows.size // 2)
    return rows.tobytes() + colours


def frames_of(camera: ImaginedWebcam, clock: VirtualClock) -> WebcamFrames:
    webcam = Webcam(DEVICE, WIDTH, HEIGHT)
    return WebcamFrames(webcam, InlineWorker(), clock, camera)


@pytest.mark.parametrize("fourcc", ["GREY", "NV12", "YU12", "YUYV", "MJPG"])
@pytest.mark.parametrize("padding", [0, 64])
async def test_the_grey_levels_of_every_kind_of_picture_come_through(fourcc: str, padding: int):
    camera, pixels = ImaginedWebcam((fourcc,), padding), picture(b"T1")
    async with frames_of(camera, VirtualClock()).open() as source:
        assert (camera.fourcc, camera.size) == (fourcc, (WIDTH, HEIGHT))
        camera.take(as_sent(pixels, fourcc, padding))
        frame = await source.newest(2.0)
    difference = np.abs(frame.pixels.astype(int) - pixels)
    assert difference.max() <= (40 if fourcc == "MJPG" else 0)
    assert not camera.is_open


async def test_pictures_are_asked_for_in_the_kind_that_costs_least():
    camera = ImaginedWebcam(("MJPG", "YUYV", "NV12"))
    async with frames_of(camera, VirtualClock()).open():
        assert camera.fourcc == "NV12"
    packed = ImaginedWebcam(("YUYV", "MJPG"))
    large = WebcamFrames(Webcam(DEVICE, 1280, 720), InlineWorker(), VirtualClock(), packed)
    async with large.open():
        assert packed.fourcc == "MJPG"
    async with frames_of(packed, VirtualClock()).open():
        assert packed.fourcc == "YUYV"


async def test_the_newest_picture_wins_and_buffers_are_handed_back():
    camera, clock = ImaginedWebcam(("GREY",)), VirtualClock()
    async with frames_of(camera, clock).open() as source:
        for level in range(40):
            camera.take(bytes([level]) * (WIDTH * HEIGHT))
            await settle()
            await asyncio.sleep(0.001)
        frame = await source.newest(2.0)
    assert frame.pixels[0, 0] == 39


async def test_damaged_and_cut_pictures_are_passed_over():
    camera, clock = ImaginedWebcam(("GREY",)), VirtualClock()
    whole = as_sent(picture(), "GREY")
    async with frames_of(camera, clock).open() as source, asyncio.TaskGroup() as group:
        waiting = group.create_task(source.newest(2.0))
        for sent, damaged in ((whole, True), (whole[:100], False), (b"", False)):
            camera.take(sent, damaged=damaged)
            for _ in range(3):
                await settle()
                await asyncio.sleep(0.001)
        assert not waiting.done()
        camera.take(whole)
    assert waiting.result().pixels.shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ({"is_there": False}, "No such file"),
        ({"device_caps": 0x0420_0002}, "is no camera that streams"),
        ({"formats": ("H264",)}, "gives H264 pictures only"),
        ({"refuses": {v4l2.STREAMON: errno.ENOSPC}}, "No space left"),
        ({"refuses": {v4l2.S_FMT: errno.EBUSY}}, "Device or resource busy"),
    ],
)
async def test_what_is_no_camera_to_use_is_told_and_let_go(spoil: dict[str, object], told: str):
    camera = ImaginedWebcam()
    for name, value in spoil.items():
        setattr(camera, name, value)
    with pytest.raises(ReaderLostError, match=f"^{DEVICE}.*{told}"):
        async with frames_of(camera, VirtualClock()).open():
            raise AssertionError("must not open")
    assert not camera.is_open


async def test_a_camera_without_a_pace_of_its_choice_is_used_all_the_same():
    camera = ImaginedWebcam(("GREY",))
    camera.refuses = {v4l2.S_PARM: errno.ENOTTY}
    async with frames_of(camera, VirtualClock()).open():
        assert camera.is_streaming


async def test_a_file_that_is_no_device_is_told(tmp_path: Path):
    path = tmp_path / "video0"
    path.write_bytes(b"")
    frames = WebcamFrames(Webcam(str(path)), InlineWorker(), VirtualClock())
    with pytest.raises(ReaderLostError, match="Inappropriate ioctl"):
        async with frames.open():
            raise AssertionError("must not open")


# --- through the camera reader ------------------------------------------------------------------


class Bench:
    def __init__(self) -> None:
        self.clock, self.camera = VirtualClock(), ImaginedWebcam(("GREY",))
        self.reader = CameraReader(
            "webcam",
            Direction.ENTRY,
            frames_of(self.camera, self.clock).open,
            open_decoder(Decoding()),
            InlineWorker(),
            self.clock,
        )
        self.got: list[Payload] = []

    async def collect(self) -> None:
        async for payload in self.reader.payloads():
            self.got.append(payload)

    async def show(self, data: bytes) -> None:
        self.camera.take(as_sent(picture(data), "GREY"))
        for _ in range(5):
            await settle()
            await asyncio.sleep(0.001)  # the kernel's pipe


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await settle()
        yield made
        task.cancel()


async def test_a_ticket_before_a_webcam_is_looked_at_and_read_for_certain():
    async with bench() as b:
        await b.show(b"T1")
        await b.show(b"T1")
    assert [(p.data, p.is_tentative) for p in b.got] == [(b"T1", True), (b"T1", False)]
    assert not b.camera.is_open


async def test_an_unplugged_webcam_is_waited_for_for_ten_hours_and_reads_again():
    async with bench() as b:
        await b.show(b"T1")
        b.camera.unplug()
        for _ in range(5):
            await settle()
            await asyncio.sleep(0.001)
        assert not b.reader.is_alive()
        assert not b.camera.is_open
        for _ in range(10):
            b.clock.advance(3600)
            await settle()
        assert b.camera.openings == 1
        b.camera.is_there = True
        await b.clock.run(REOPEN_S)
        await b.show(b"T2")
        assert b.reader.is_alive()
    assert [p.data for p in b.got] == [b"T1", b"T2"]


async def test_a_webcam_that_falls_silent_is_opened_anew():
    async with bench() as b:
        await b.show(b"T1")
        await b.clock.run(HEARTBEAT_S + REOPEN_S + 0.1)
        assert b.camera.openings == 2
        await b.show(b"T1")
        assert b.reader.is_alive()


# --- the numbers --------------------------------------------------------------------------------


def test_the_calls_have_the_kernels_own_numbers():
    numbers = {
        "QUERYCAP": 0x8068_5600,
        "S_FMT": 0xC0D0_5605,
        "REQBUFS": 0xC014_5608,
        "QUERYBUF": 0xC058_5609,
        "QBUF": 0xC058_560F,
        "DQBUF": 0xC058_5611,
        "STREAMON": 0x4004_5612,
        "STREAMOFF": 0x4004_5613,
        "S_PARM": 0xC0CC_5616,
    }
    assert {name: getattr(v4l2, name) for name in numbers} == numbers
    header = Path("/usr/include/linux/videodev2.h")
    if header.exists():
        text = header.read_text("utf-8")
        for name, number in numbers.items():
            found = re.search(rf"VIDIOC_{name}\s+_IOW?R?\('V',\s*(\d+)", text)
            assert found
            assert int(found[1]) == number & 0xFF
