"""A folder in place of a camera: order of names, stills, what is set aside, what is left alone."""

import asyncio
import io
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from admission.scan import Direction
from appliance.errors import ReaderLostError
from appliance.readers import folder as folder_module
from appliance.readers.camera import CameraReader
from appliance.readers.chain import open_decoder
from appliance.readers.decoding import Decoding
from appliance.readers.folder import Folder, FolderFrames, load_picture
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.ticket_pictures import beside, draw_code, save_picture
from appliance.simulator.virtual_clock import VirtualClock, settle

HOLD = 3
FRAME_S = 0.1


class Bench:
    def __init__(self, path: Path, *, keep: bool = False) -> None:
        self.path = path
        self.clock = VirtualClock()
        worker = InlineWorker()
        frames = FolderFrames(
            Folder(path, interval_s=FRAME_S, hold_frames=HOLD, keep=keep), worker, self.clock
        )
        self.reader = CameraReader(
            "folder", Direction.ENTRY, frames.open, open_decoder(Decoding()), worker, self.clock
        )
        self.data: list[bytes] = []

    def drop(self, name: str, data: bytes) -> None:
        save_picture(draw_code(data), self.path / name)

    async def collect(self) -> None:
        async for payload in self.reader.payloads():
            if payload.is_tentative:  # each code once, whatever confirms it
                self.data.append(payload.data)

    async def frames(self, count: int) -> None:
        await self.clock.run(count * FRAME_S + 0.001)


@asynccontextmanager
async def bench(path: Path, *, keep: bool = False) -> AsyncIterator[Bench]:
    made = Bench(path, keep=keep)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await settle()
        yield made
        task.cancel()


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


async def test_pictures_are_shown_in_the_order_of_their_names(tmp_path: Path):
    async with bench(tmp_path) as b:
        for name in ("0003", "0001", "0002"):
            b.drop(f"{name}.png", name.encode())
        await b.frames(3 * HOLD)
    assert b.data == [b"0001", b"0002", b"0003"]


async def test_a_picture_is_held_for_some_frames_before_the_next_is_shown(tmp_path: Path):
    async with bench(tmp_path) as b:
        b.drop("1.png", b"FIRST")
        b.drop("2.png", b"SECOND")
        await b.frames(HOLD)
        assert b.data == [b"FIRST"]
        await b.frames(1)
        assert b.data == [b"FIRST", b"SECOND"]


async def test_a_picture_that_appears_later_is_shown_then(tmp_path: Path):
    async with bench(tmp_path) as b:
        await b.frames(50)
        b.drop("1.png", b"LATE")
        await b.frames(2)
    assert b.data == [b"LATE"]


async def test_every_code_on_a_picture_is_a_scan(tmp_path: Path):
    async with bench(tmp_path) as b:
        sheet = beside(draw_code(b"FAMILY-1"), draw_code(b"FAMILY-2", "Aztec"))
        save_picture(sheet, tmp_path / "sheet.png")
        await b.frames(HOLD)
    assert sorted(b.data) == [b"FAMILY-1", b"FAMILY-2"]


async def test_frames_of_one_film_are_one_presentation(tmp_path: Path):
    async with bench(tmp_path) as b:
        for number in range(10):
            b.drop(f"frame{number:04}.png", b"FILMED")
        await b.frames(10 * HOLD)
    assert b.data == [b"FILMED"]


async def test_a_ticket_shown_again_after_a_while_is_scanned_again(tmp_path: Path):
    async with bench(tmp_path) as b:
        b.drop("1.png", b"AGAIN")
        await b.frames(HOLD + 27)
        b.drop("2.png", b"AGAIN")
        await b.frames(HOLD)
    assert b.data == [b"AGAIN", b"AGAIN"]


async def test_a_ticket_shown_again_after_another_is_scanned_again(tmp_path: Path):
    async with bench(tmp_path) as b:
        for name, data in (("1", b"A"), ("2", b"B"), ("3", b"A")):
            b.drop(f"{name}.png", data)
        await b.frames(3 * HOLD)
    assert b.data == [b"A", b"B", b"A"]


async def test_what_was_shown_is_moved_away(tmp_path: Path):
    async with bench(tmp_path) as b:
        b.drop("1.png", b"X")
        await b.frames(1)
    assert names(tmp_path) == {"done"}
    assert names(tmp_path / "done") == {"1.png"}


async def test_what_is_to_be_kept_stays_and_is_remembered(tmp_path: Path):
    async with bench(tmp_path, keep=True) as b:
        b.drop("1.png", b"X")
        await b.frames(200)
    assert b.data == [b"X"]
    assert names(tmp_path) == {"1.png"}


async def test_a_kept_picture_that_is_written_anew_is_shown_anew(tmp_path: Path):
    async with bench(tmp_path, keep=True) as b:
        b.drop("1.png", b"OLD")
        await b.frames(HOLD)
        b.drop("1.png", b"NEW, AND LONGER")
        await b.frames(HOLD)
    assert b.data == [b"OLD", b"NEW, AND LONGER"]


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "webp", "PNG"])
async def test_the_usual_kinds_of_picture_are_read(tmp_path: Path, ending: str):
    async with bench(tmp_path) as b:
        kind = {"jpg": "jpeg"}.get(ending.lower(), ending.lower())
        draw_code(ending.encode()).save(tmp_path / f"1.{ending}", format=kind)
        await b.frames(1)
    assert b.data == [ending.encode()]


async def test_what_is_still_being_written_is_left_alone(tmp_path: Path):
    async with bench(tmp_path) as b:
        for name in ("1.png.tmp", ".2.png", "3.txt"):
            draw_code(b"HIDDEN").save(tmp_path / name, format="png")
        (tmp_path / "4.png").mkdir()
        await b.frames(30)
    assert b.data == []
    assert names(tmp_path) == {"1.png.tmp", ".2.png", "3.txt", "4.png"}


async def test_a_picture_that_is_written_slowly_is_shown_once_it_is_whole(tmp_path: Path):
    buffer = io.BytesIO()
    draw_code(b"SLOW").save(buffer, format="png")
    whole = buffer.getvalue()
    async with bench(tmp_path) as b:
        with (tmp_path / "1.png").open("wb", buffering=0) as file:
            for begin in range(0, len(whole), 100):
                file.write(whole[begin : begin + 100])
                await b.frames(5)
        await b.frames(2)
    assert b.data == [b"SLOW"]
    assert names(tmp_path / "done") == {"1.png"}


async def test_what_is_no_picture_is_set_aside_and_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with bench(tmp_path) as b:
        (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture at all")
        b.drop("2.png", b"GOOD")
        await b.frames(40)
        assert b.reader.is_alive()
    assert b.data == [b"GOOD"]
    assert names(tmp_path / "unreadable") == {"1.png"}
    told = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert [r.getMessage() for r in told] == ["picture set aside"]


async def test_what_is_no_picture_is_remembered_where_nothing_is_moved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with bench(tmp_path, keep=True) as b:
        (tmp_path / "1.jpg").write_bytes(b"no picture at all")
        await b.frames(100)
    assert names(tmp_path) == {"1.jpg"}
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1


async def test_a_folder_that_cannot_be_written_to_does_not_stop_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    async with bench(tmp_path) as b:
        b.drop("1.png", b"A")
        b.drop("2.png", b"B")
        monkeypatch.setattr(Path, "mkdir", refuse)
        await b.frames(60)
    assert b.data == [b"A", b"B"]
    assert names(tmp_path) == {"1.png", "2.png"}


async def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path):
    path = tmp_path / "stick"
    async with bench(path) as b:
        await b.frames(100)
        assert not b.reader.is_alive()
        path.mkdir()
        b.drop("1.png", b"BACK")
        await b.frames(30)
        assert b.reader.is_alive()
    assert b.data == [b"BACK"]


async def test_an_empty_folder_is_no_lost_reader(tmp_path: Path):
    async with bench(tmp_path) as b:
        await b.frames(300)
        assert b.reader.is_alive()


async def test_a_missing_folder_is_a_lost_reader(tmp_path: Path):
    frames = FolderFrames(Folder(tmp_path / "none"), InlineWorker(), VirtualClock())
    with pytest.raises(ReaderLostError, match="cannot list"):
        frames._take_next()


def test_what_is_transparent_is_white_like_paper(tmp_path: Path):
    ink = draw_code(b"CLEAR")
    picture = Image.new("LA", ink.size, (0, 0))  # black, and all of it transparent
    picture.putalpha(Image.eval(ink, lambda level: 255 - level))
    picture.save(tmp_path / "1.png")
    assert np.array_equal(load_picture(tmp_path / "1.png"), np.asarray(ink))


def test_a_picture_too_large_for_the_memory_is_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    draw_code(b"HUGE").save(tmp_path / "1.png")
    monkeypatch.setattr(folder_module, "_PIXELS_MAX", 1000)
    with pytest.raises(ValueError, match="too many"):
        load_picture(tmp_path / "1.png")


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    draw_code(b"TO BE DAMAGED").save(buffer, format=kind)
    return buffer.getvalue()


WHOLE = {kind: encoded(kind) for kind in ("png", "jpeg", "webp")}


@given(
    kind=st.sampled_from(sorted(WHOLE)),
    at=st.floats(0, 1, exclude_max=True),
    cut=st.booleans(),
    put=st.binary(max_size=12),
)
def test_no_damage_to_a_picture_raises_what_the_reader_does_not_expect(
    tmp_path_factory: pytest.TempPathFactory, kind: str, at: float, cut: bool, put: bytes
):
    whole = WHOLE[kind]
    place = int(at * len(whole))
    damaged = whole[:place] + put + (b"" if cut else whole[place + len(put) :])
    path = tmp_path_factory.getbasetemp() / f"damaged-{os.getpid()}.{kind}"
    path.write_bytes(damaged)
    try:
        pixels = load_picture(path)
    except folder_module.BROKEN:
        return
    assert pixels.ndim == 2


@pytest.mark.parametrize("settings", [{"interval_s": 0.0}, {"hold_frames": 0}])
def test_times_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Folder(tmp_path, **settings)  # type: ignore[arg-type]
