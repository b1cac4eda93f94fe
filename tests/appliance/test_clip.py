"""A recorded clip through the camera's path: really encoded here, and really decoded."""

import asyncio
import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from admission.scan import Direction
from appliance.errors import ReaderLostError
from appliance.readers.camera import CameraReader
from appliance.readers.chain import open_decoder
from appliance.readers.clip import Clip, ClipFrames
from appliance.readers.decoding import Decoding
from appliance.readers.jpeg import grey_of, pictures_in
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.ticket_pictures import draw_code
from appliance.simulator.virtual_clock import VirtualClock, settle

FPS = 10


def jpeg(image: Image.Image, **how: object) -> bytes:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", **how)
    return file.getvalue()


def ticket(data: bytes) -> Image.Image:
    return draw_code(data)


EMPTY = Image.new("L", (64, 64), 200)


def write_clip(path: Path, *pictures: bytes) -> Path:
    path.write_bytes(b"".join(pictures))
    return path


async def played(path: Path, seconds: float) -> list[tuple[float, bytes]]:
    clock, worker, got = VirtualClock(), InlineWorker(), []
    frames = ClipFrames(Clip(path, FPS), worker, clock)
    decoder = open_decoder(Decoding())
    reader = CameraReader("clip", Direction.ENTRY, frames.open, decoder, worker, clock)

    async def collect() -> None:
        async for payload in reader.payloads():
            if not payload.is_tentative:
                got.append((payload.received_ns / 1e9, payload.data))  # noqa: PERF401

    async with asyncio.TaskGroup() as group:
        task = group.create_task(collect())
        await settle()
        await clock.run(seconds)
        task.cancel()
    return got


async def test_the_tickets_of_a_clip_are_read_at_their_time(tmp_path: Path):
    shown = [EMPTY] * 5 + [ticket(b"T1")] * 4 + [EMPTY] * 5 + [ticket(b"T2")] * 4
    path = write_clip(tmp_path / "clip.mjpeg", *(jpeg(picture) for picture in shown))
    assert await played(path, 1.75) == [(0.6, b"T1"), (1.5, b"T2")]


async def test_a_clip_plays_over_again(tmp_path: Path):
    shown = [ticket(b"T1")] * 3 + [EMPTY] * 37
    path = write_clip(tmp_path / "clip.mjpeg", *(jpeg(picture) for picture in shown))
    assert [data for _, data in await played(path, 8.5)] == [b"T1"] * 3


async def test_damaged_pictures_are_passed_over(tmp_path: Path):
    whole = jpeg(ticket(b"T1"))
    path = write_clip(tmp_path / "clip.mjpeg", whole, whole[: len(whole) // 2], whole, whole)
    assert (b"T1" in [data for _, data in await played(path, 1)]) is True


@pytest.mark.parametrize("content", [b"", b"no clip at all", b"\xff\xd8\xff", jpeg(EMPTY)[:-2]])
async def test_a_file_without_a_picture_is_told_with_the_remedy(tmp_path: Path, content: bytes):
    path = write_clip(tmp_path / "clip.mjpeg", content)
    with pytest.raises(ReaderLostError, match="no picture in it; convert it to Motion JPEG"):
        async with ClipFrames(Clip(path), InlineWorker(), VirtualClock()).open():
            raise AssertionError("must not open")


async def test_a_clip_that_is_not_there_is_a_lost_reader(tmp_path: Path):
    with pytest.raises(ReaderLostError, match="No such file"):
        async with ClipFrames(Clip(tmp_path / "none"), InlineWorker(), VirtualClock()).open():
            raise AssertionError("must not open")


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_pictures_are_found_whatever_their_kind_and_whatever_lies_between(how: dict[str, object]):
    noise = np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8)
    one, other = jpeg(Image.fromarray(noise), **how), jpeg(EMPTY, **how)
    clip = b"RIFF\xff\xd8header" + one + b"00dc\x00\x01" + other + one[:50]
    found = [clip[begin:end] for begin, end in pictures_in(clip)]
    assert found == [one, other]


def test_what_is_inside_a_picture_is_no_picture():
    thumbnail = jpeg(EMPTY)
    exif = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = jpeg(ticket(b"T1"))
    picture = whole[:2] + exif + whole[2:]
    assert list(pictures_in(picture)) == [(0, len(picture))]


def test_altered_clips_end_every_search():
    chance = random.Random(7)
    clip = bytearray(jpeg(EMPTY) * 3)
    for _ in range(500):
        for _ in range(chance.randrange(1, 6)):
            clip[chance.randrange(len(clip))] = chance.choice((0, 0xFF, 0xD8, 0xD9, 0xDA, 1))
        for begin, end in pictures_in(bytes(clip)):
            assert 0 <= begin < end <= len(clip)


def test_a_picture_without_its_own_tables_is_decoded_as_webcams_send_it():
    whole = jpeg(ticket(b"T1"))
    bare, place = bytearray(whole[:2]), 2
    while whole[place + 1] != 0xDA:
        length = int.from_bytes(whole[place + 2 : place + 4], "big") + 2
        if whole[place + 1] != 0xC4:  # the Huffman tables
            bare += whole[place : place + length]
        place += length
    bare += whole[place:]
    assert np.array_equal(grey_of(bytes(bare)), grey_of(whole))


@pytest.mark.parametrize("raw", [b"", b"\x89PNG", jpeg(EMPTY)[:200]])
def test_what_is_no_picture_is_a_value_error(raw: bytes):
    with pytest.raises(ValueError, match="no JPEG"):
        grey_of(raw)
