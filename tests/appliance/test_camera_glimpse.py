"""What the gate's page is shown of a camera: its newest picture, with no code left in it."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from PIL import Image

from admission.scan import Direction
from appliance.page_ports import Glimpse, Glimpses
from appliance.readers.camera import CameraReader
from appliance.readers.chain import open_decoder
from appliance.readers.decoding import Decoding, Frame
from appliance.readers.frames import FrameSlot
from appliance.readers.glimpsing import AGE_NS_MIN, WIDTH_MAX, Glimpsing, draw
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.ticket_pictures import draw_code
from appliance.simulator.virtual_clock import VirtualClock, settle

DECODER = open_decoder(Decoding())


def page_with(data: bytes, kind: str, width: int = 1280, height: int = 720) -> Frame:
    code = np.asarray(draw_code(data, kind))
    pixels = np.full((height, width), 180, np.uint8)
    top, left = (height - code.shape[0]) // 2, (width - code.shape[1]) // 2
    pixels[top : top + code.shape[0], left : left + code.shape[1]] = code
    return Frame(pixels, 0)


def drawn(frame: Frame) -> Glimpse:
    reads = tuple(DECODER.decode(frame))
    return draw(frame, reads, [read.position for read in reads])


def pixels_of(glimpse: Glimpse) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(glimpse.picture)))


@pytest.mark.parametrize("kind", ["QRCode", "Aztec", "DataMatrix", "PDF417"])
@pytest.mark.parametrize("width", [640, 1280])
def test_no_decoder_reads_a_code_out_of_the_picture_that_the_page_gets(kind: str, width: int):
    frame = page_with(b"T0123456789", kind, width, width * 9 // 16)
    assert [read.data for read in DECODER.decode(frame)] == [b"T0123456789"]
    glimpse = drawn(frame)
    assert DECODER.decode(Frame(pixels_of(glimpse), 0)) == []
    (seen,) = glimpse.seen
    assert (seen.symbology, seen.length) == (kind, 11)


def test_the_picture_is_small_and_the_outlines_are_its_own_pixels():
    frame = page_with(b"T0123456789", "QRCode")
    glimpse = drawn(frame)
    assert (glimpse.width, glimpse.height) == (WIDTH_MAX, 360)
    assert pixels_of(glimpse).shape == (360, WIDTH_MAX)
    outline = np.array(glimpse.seen[0].outline)
    assert abs(outline.mean(axis=0) - (320, 180)).max() < 4
    assert glimpse.content_type == "image/jpeg"


def test_the_frame_itself_is_left_as_it_is():
    frame = page_with(b"T0123456789", "QRCode")
    before = frame.pixels.copy()
    drawn(frame)
    assert np.array_equal(frame.pixels, before)


async def test_a_code_that_the_newest_picture_did_not_give_is_hidden_for_a_second():
    glimpsing, frame = Glimpsing(VirtualClock()), page_with(b"T0123456789", "QRCode")
    glimpsing.see(frame, tuple(DECODER.decode(frame)))
    glimpsing.see(Frame(frame.pixels, 1), ())
    glimpse = await glimpsing.glimpse()
    assert glimpse is not None
    assert glimpse.seen == ()
    assert DECODER.decode(Frame(pixels_of(glimpse), 0)) == []


class Lens:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.slot = FrameSlot(self.clock)
        self.reader = CameraReader(
            "cam", Direction.ENTRY, self.open, DECODER, InlineWorker(), self.clock
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FrameSlot]:
        yield self.slot

    async def show(self, frame: Frame) -> None:
        self.slot.put(Frame(frame.pixels, self.clock.monotonic_ns()))
        await settle()


@asynccontextmanager
async def lens() -> AsyncIterator[Lens]:
    made = Lens()

    async def read() -> None:
        async for _ in made.reader.payloads():
            pass

    async with asyncio.TaskGroup() as group:
        task = group.create_task(read())
        await settle()
        yield made
        task.cancel()


async def test_a_camera_reader_gives_glimpses_of_its_newest_picture_and_none_without_one():
    async with lens() as one:
        assert isinstance(one.reader, Glimpses)
        assert await one.reader.glimpse() is None
        await one.clock.run(1)
        await one.show(page_with(b"T1", "QRCode"))
        glimpse = await one.reader.glimpse()
        assert glimpse is not None
        assert (glimpse.taken_ns, len(glimpse.seen)) == (1_000_000_000, 1)
    assert await one.reader.glimpse() is None


async def test_pictures_asked_for_quickly_are_drawn_once():
    empty = page_with(b"T1", "QRCode")
    async with lens() as one:
        await one.show(empty)
        first = await one.reader.glimpse()
        await one.clock.run(AGE_NS_MIN / 1e9 - 0.01)
        await one.show(empty)
        assert await one.reader.glimpse() is first
        await one.clock.run(0.01)
        await one.show(empty)
        assert await one.reader.glimpse() is not first


async def test_a_camera_that_is_silent_shows_nothing_old():
    async with lens() as one:
        await one.show(page_with(b"T1", "QRCode"))
        one.clock.advance(6)
        assert await one.reader.glimpse() is None
