"""What every reader keeps to: the scripted one, a folder's pictures, a serial line, typed keys."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from admission.scan import Direction
from appliance.ports import Payload, Reader
from appliance.readers.camera import CameraReader
from appliance.readers.chain import open_decoder
from appliance.readers.decoder_process import ProcessDecoder
from appliance.readers.decoding import Decoder, Decoding
from appliance.readers.folder import Folder, FolderFrames
from appliance.readers.hid import HidKeyboard, HidReader
from appliance.readers.serial_line import SerialPort
from appliance.readers.serial_port import SerialReader
from appliance.readers.webcam import Webcam, WebcamFrames
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.scripted_reader import ScriptedReader
from appliance.simulator.ticket_pictures import draw_code, save_picture
from appliance.simulator.virtual_clock import VirtualClock, settle
from imagined_webcam import ImaginedWebcam
from typed_keys import FakeBus, typed_as

NAME = "a reader"
WEBCAM_SIDE = 512


@dataclass
class Desk:
    """A reader, and somebody who holds codes before it."""

    clock: VirtualClock
    reader: Reader
    present: Callable[[bytes], None]


@asynccontextmanager
async def scripted(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = VirtualClock()
    reader = ScriptedReader(NAME, Direction.EXIT, clock)
    yield Desk(clock, reader, reader.present)


def folder_desk(tmp_path: Path, clock: VirtualClock, decoder: Decoder) -> Desk:
    worker = InlineWorker()
    frames = FolderFrames(Folder(tmp_path, hold_frames=1), worker, clock)
    reader = CameraReader(NAME, Direction.EXIT, frames.open, decoder, worker, clock)

    def present(data: bytes) -> None:
        number = len(list(tmp_path.rglob("*.png")))
        save_picture(draw_code(data), tmp_path / f"{number:04}.png")

    return Desk(clock, reader, present)


@asynccontextmanager
async def folder(tmp_path: Path) -> AsyncIterator[Desk]:
    yield folder_desk(tmp_path, VirtualClock(), open_decoder(Decoding()))


@asynccontextmanager
async def folder_decoded_apart(tmp_path: Path) -> AsyncIterator[Desk]:
    """Yield the same with the decoder in a real process of its own."""
    clock = VirtualClock()
    decoder = ProcessDecoder(Decoding(), clock)
    try:
        yield folder_desk(tmp_path, clock, decoder)
    finally:
        await asyncio.to_thread(decoder.close)


@asynccontextmanager
async def webcam(tmp_path: Path) -> AsyncIterator[Desk]:
    """Yield a camera that takes two pictures a second, each code on one of them."""
    clock, camera, waiting = VirtualClock(), ImaginedWebcam(("GREY",)), list[bytes]()
    decoder, worker = open_decoder(Decoding()), InlineWorker()
    frames = WebcamFrames(Webcam("/dev/video0", WEBCAM_SIDE, WEBCAM_SIDE), worker, clock, camera)
    reader = CameraReader(NAME, Direction.EXIT, frames.open, decoder, worker, clock)

    def take() -> None:
        picture = np.full((WEBCAM_SIDE, WEBCAM_SIDE), 200, np.uint8)
        if waiting and camera.is_streaming:
            code = np.asarray(draw_code(waiting.pop(0)))
            picture[: code.shape[0], : code.shape[1]] = code
        camera.take(picture.tobytes())
        clock.after(0.5, take)

    take()
    yield Desk(clock, reader, waiting.append)
    assert not camera.is_open


@asynccontextmanager
async def serial_line(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = VirtualClock()
    scanner, port = os.openpty()
    tty.setraw(port)
    serial_port = SerialPort(os.ttyname(port))
    reader = SerialReader(NAME, Direction.EXIT, serial_port, clock, InlineWorker())

    def present(data: bytes) -> None:
        os.write(scanner, data + b"\r")

    try:
        yield Desk(clock, reader, present)
    finally:
        os.close(scanner)
        os.close(port)


@asynccontextmanager
async def typed_keys(tmp_path: Path) -> AsyncIterator[Desk]:
    clock, bus = VirtualClock(), FakeBus("/dev/input/event3")
    keyboard = HidKeyboard("/dev/input/event3", layout="fr")
    reader = HidReader(NAME, Direction.EXIT, keyboard, clock, bus.open)
    yield Desk(clock, reader, lambda data: bus.type(typed_as(data.decode(), "fr")))
    assert bus.open_devices == []


OpensDesk = Callable[[Path], AbstractAsyncContextManager[Desk]]
EVERY: list[OpensDesk] = [
    scripted,
    folder,
    folder_decoded_apart,
    webcam,
    serial_line,
    typed_keys,
]
OF_BYTES = [
    scripted,
    folder,
    folder_decoded_apart,
    webcam,
    serial_line,
]  # a keyboard types characters


@dataclass
class Reading:
    desk: Desk
    got: list[Payload]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let time go by, the kernel's and the virtual one, until something holds."""
        for _ in range(10_000):
            await settle()
            if holds():
                return
            await self.desk.clock.run(0.01)
            await asyncio.sleep(0.0005)
        raise AssertionError("it never came to hold")

    async def read(self, data: bytes) -> None:
        count = len(self.got)
        self.desk.present(data)
        await self.until(lambda: len(self.got) > count)


@asynccontextmanager
async def reading(desk: Desk) -> AsyncIterator[Reading]:
    made = Reading(desk, [])

    async def collect() -> None:
        async for payload in desk.reader.payloads():
            made.got.append(payload)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(collect())
        await made.until(desk.reader.is_alive)
        yield made
        task.cancel()


@pytest.mark.parametrize("open_desk", EVERY)
async def test_a_payload_names_its_reader_its_direction_and_its_bytes(
    open_desk: OpensDesk, tmp_path: Path
):
    async with open_desk(tmp_path) as desk, reading(desk) as r:
        await r.read(b"TICKET-1")
    (payload,) = r.got
    assert (payload.reader, payload.direction) == (NAME, Direction.EXIT)
    assert payload.data == b"TICKET-1"


@pytest.mark.parametrize("open_desk", OF_BYTES)
async def test_bytes_that_are_no_text_come_through_unchanged(open_desk: OpensDesk, tmp_path: Path):
    data = bytes(byte for byte in range(256) if byte not in b"\r\n")
    async with open_desk(tmp_path) as desk, reading(desk) as r:
        await r.read(data)
    assert [payload.data for payload in r.got] == [data]


@pytest.mark.parametrize("open_desk", EVERY)
async def test_codes_come_in_the_order_in_which_they_were_presented(
    open_desk: OpensDesk, tmp_path: Path
):
    sent = [b"TICKET-%d" % n for n in range(10)]
    async with open_desk(tmp_path) as desk, reading(desk) as r:
        for data in sent:
            desk.present(data)
        await r.until(lambda: len(r.got) == len(sent))
    assert [payload.data for payload in r.got] == sent


@pytest.mark.parametrize("open_desk", EVERY)
async def test_the_time_of_a_payload_is_when_it_came(open_desk: OpensDesk, tmp_path: Path):
    async with open_desk(tmp_path) as desk, reading(desk) as r:
        await desk.clock.run(10)
        before_ns = desk.clock.monotonic_ns()
        await r.read(b"TICKET-1")
        assert before_ns <= r.got[0].received_ns <= desk.clock.monotonic_ns()


@pytest.mark.parametrize("open_desk", EVERY)
async def test_it_is_alive_while_it_is_read_and_not_before_or_after(
    open_desk: OpensDesk, tmp_path: Path
):
    async with open_desk(tmp_path) as desk:
        assert not desk.reader.is_alive()
        async with reading(desk):
            assert desk.reader.is_alive()
            await desk.clock.run(20)
            assert desk.reader.is_alive()
        assert not desk.reader.is_alive()


@pytest.mark.parametrize("open_desk", EVERY)
async def test_its_loop_goes_round_when_it_is_asked_to_whether_anything_is_read_or_not(
    open_desk: OpensDesk, tmp_path: Path
):
    async with open_desk(tmp_path) as desk:
        await asyncio.wait_for(desk.reader.beat.next(), 0.1)  # nobody reads: nothing hangs
        async with reading(desk) as r, asyncio.TaskGroup() as group:
            for number in range(3):
                asked = group.create_task(desk.reader.beat.next())
                await r.until(asked.done)
                await r.read(b"TICKET-%d" % number)
        await asyncio.wait_for(desk.reader.beat.next(), 0.1)


@pytest.mark.parametrize("open_desk", EVERY)
async def test_reading_can_be_ended_and_begun_again(open_desk: OpensDesk, tmp_path: Path):
    async with open_desk(tmp_path) as desk:
        async with reading(desk) as first:
            await first.read(b"TICKET-1")
        async with reading(desk) as second:
            await second.read(b"TICKET-2")
    assert [payload.data for payload in second.got] == [b"TICKET-2"]


@pytest.mark.parametrize("open_desk", EVERY)
async def test_closing_the_generator_ends_the_reading(open_desk: OpensDesk, tmp_path: Path):
    async with open_desk(tmp_path) as desk:
        payloads = desk.reader.payloads()

        async def read_one() -> Payload:
            return await anext(payloads)

        async with asyncio.TaskGroup() as group:
            first = group.create_task(read_one())
            await settle()
            desk.present(b"TICKET-1")
            await Reading(desk, []).until(first.done)
        await payloads.aclose()  # type: ignore[attr-defined]
        assert not desk.reader.is_alive()


# --- the script --------------------------------------------------------------------------------


async def test_a_script_is_read_at_its_times_whatever_its_order():
    clock = VirtualClock()
    reader = ScriptedReader(NAME, Direction.ENTRY, clock, [(2.0, b"LATER"), (0.5, b"SOON")])
    async with reading(Desk(clock, reader, reader.present)) as r:
        reader.present(b"BETWEEN", after_s=1.0, symbology="Aztec")
        await clock.run(5)
    assert [(p.received_ns, p.data, p.symbology) for p in r.got] == [
        (500_000_000, b"SOON", ""),
        (1_000_000_000, b"BETWEEN", "Aztec"),
        (2_000_000_000, b"LATER", ""),
    ]
