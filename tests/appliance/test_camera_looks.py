"""Two equal reads: what a camera says at first sight, what it says for certain, and what never."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from admission.scan import Direction
from appliance.errors import DecoderLostError
from appliance.ports import Payload
from appliance.readers.camera import CameraReader, Looking
from appliance.readers.confirming import Confirming
from appliance.readers.debounce import WINDOW_NS
from appliance.readers.decoding import Frame, Read, Symbology
from appliance.readers.frames import FrameSlot
from appliance.readers.idling import IDLE_AFTER_NS, Idling
from appliance.readers.region import Region
from appliance.readers.unread import SEEN_S
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.virtual_clock import VirtualClock, settle

FRAME_S = 0.033
LEFT, RIGHT = ((0, 0), (10, 0), (10, 10), (0, 10)), ((20, 0), (30, 0), (30, 10), (20, 10))


class Scene:
    """A camera whose pictures say nothing, and a decoder that sees what the test puts there."""

    def __init__(self, looking: Looking | None = None) -> None:
        self.clock = VirtualClock()
        self.slot = FrameSlot(self.clock)
        self.in_view: list[Read] = []
        self.unread: list[Read] = []
        self.told: list[tuple[int, Direction]] = []
        self.seen: list[Frame] = []
        self.trouble: Exception | None = None
        self.openings = 0
        self.got: list[Payload] = []
        self.reader = CameraReader(
            "cam",
            Direction.ENTRY,
            self.open,
            self,
            InlineWorker(),
            self.clock,
            looking,
            lambda way: self.told.append((self.clock.monotonic_ns(), way)),
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FrameSlot]:
        self.openings += 1
        yield self.slot

    def decode(self, frame: Frame) -> list[Read]:
        if self.trouble is not None:
            raise self.trouble
        self.seen.append(frame)
        return self.in_view

    async def look(self, *in_view: Read, level: int = 0, wait_s: float = FRAME_S) -> None:
        self.in_view = list(in_view)
        pixels = np.full((40, 40), level, np.uint8)
        self.slot.put(Frame(pixels, self.clock.monotonic_ns()))
        await self.clock.run(wait_s)

    @property
    def said(self) -> list[tuple[bytes, bool]]:
        return [(payload.data, payload.is_tentative) for payload in self.got]


@asynccontextmanager
async def scene(looking: Looking | None = None) -> AsyncIterator[Scene]:
    made = Scene(looking)

    async def collect() -> None:
        async for payload in made.reader.payloads():
            made.got.append(payload)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(collect())
        await settle()
        yield made
        task.cancel()


def code(data: bytes, place: tuple[tuple[int, int], ...] = LEFT) -> Read:
    return Read(Symbology.QR_CODE, data, place)


A, B, C, D = (code(b"A"), code(b"B"), code(b"C", RIGHT), code(b"D", RIGHT))


# --- looks and certainty ------------------------------------------------------------------------


async def test_the_first_sight_is_a_look_and_the_second_equal_read_is_certain():
    async with scene() as s:
        await s.look(A)
        assert s.said == [(b"A", True)]
        await s.look(A)
        assert s.said == [(b"A", True), (b"A", False)]
        assert s.got[1].received_ns == round(FRAME_S * 1e9)


async def test_a_code_is_certain_once_for_as_long_as_it_is_held():
    async with scene() as s:
        for _ in range(100):
            await s.look(A)
    assert s.said == [(b"A", True), (b"A", False)]


async def test_what_was_read_once_only_is_never_certain():
    async with scene() as s:
        await s.look(A)
        for _ in range(200):
            await s.look()
    assert s.said == [(b"A", True)]


async def test_a_misread_and_then_the_right_code_leave_the_misread_uncertain():
    async with scene() as s:
        for read in (A, B, B, B, B):
            await s.look(read)
    assert s.said == [(b"A", True), (b"B", True), (b"B", False)]


async def test_a_misread_that_comes_back_in_turns_with_the_right_code_stays_uncertain():
    async with scene() as s:
        for read in (A, B, A, B, A, B):
            await s.look(read)
    assert (b"A", False) not in s.said


async def test_pictures_on_which_nothing_was_read_do_not_undo_a_look():
    async with scene() as s:
        await s.look(A)
        for _ in range(30):
            await s.look()
        await s.look(A)
    assert s.said == [(b"A", True), (b"A", False)]


async def test_a_code_that_went_away_for_longer_than_the_hold_is_a_new_look():
    async with scene() as s:
        await s.look(A)
        while s.clock.monotonic_ns() < WINDOW_NS + 1e8:
            await s.look()
        await s.look(A)
    assert s.said == [(b"A", True), (b"A", True)]


async def test_a_familys_four_tickets_on_one_page_are_four_looks_and_four_certainties():
    page = [code(b"T%d" % n, tuple((x + 40 * n, y) for x, y in LEFT)) for n in range(4)]
    async with scene() as s:
        for _ in range(10):
            await s.look(*page)
    assert sorted(s.said) == sorted(
        [(b"T%d" % n, tentative) for n in range(4) for tentative in (True, False)]
    )


async def test_tickets_side_by_side_that_are_read_in_turns_are_certain_all_the_same():
    async with scene() as s:
        for read in (A, C, A, C):
            await s.look(read)
    assert s.said == [(b"A", True), (b"C", True), (b"A", False), (b"C", False)]


async def test_how_many_reads_a_refusal_takes_is_configured():
    async with scene(Looking(confirm_reads=3)) as s:
        await s.look(A)
        await s.look(A)
        assert s.said == [(b"A", True)]
        await s.look(A)
        assert s.said == [(b"A", True), (b"A", False)]


async def test_where_one_read_is_enough_no_look_comes_before_it():
    async with scene(Looking(confirm_reads=1)) as s:
        await s.look(A)
        await s.look(A)
    assert s.said == [(b"A", False)]


def test_fewer_than_one_read_make_no_sense():
    with pytest.raises(ValueError, match="reads must be >= 1"):
        Confirming(0)


# --- a decoder that is lost ---------------------------------------------------------------------


async def test_a_lost_decoder_is_told_while_the_camera_stays_open_and_it_may_come_back():
    async with scene() as s:
        await s.look()
        s.trouble = DecoderLostError("it hangs")
        for _ in range(5):
            await s.look()
        assert not s.reader.is_alive()
        s.trouble = None
        await s.look(A)
        assert s.reader.is_alive()
        assert s.openings == 1
    assert s.said == [(b"A", True)]


# --- the region ---------------------------------------------------------------------------------


async def test_only_the_region_is_decoded_and_what_is_read_there_is_placed_on_the_picture():
    async with scene(Looking(Region(25, 50, 50, 50))) as s:
        await s.look(A)
    assert s.seen[0].pixels.shape == (20, 20)
    placed = Region(25, 50, 50, 50).placed(Frame(np.zeros((40, 40), np.uint8), 0), [A])
    assert placed[0].position == ((10, 20), (20, 20), (20, 30), (10, 30))


async def test_codes_too_small_for_a_ticket_in_a_hand_do_not_count():
    async with scene(Looking(Region(code_percent_min=30))) as s:
        await s.look(A, code(b"LARGE", ((0, 0), (20, 0), (20, 4), (0, 4))), code(b"NOWHERE", ()))
    assert [data for data, _ in s.said] == [b"LARGE", b"NOWHERE"]


@pytest.mark.parametrize("box", [(0, 0, 101, 100), (60, 0, 50, 100), (0, 0, 0, 100), (-1, 0, 5, 5)])
def test_a_region_lies_within_the_picture(box: tuple[int, int, int, int]):
    with pytest.raises(ValueError, match="a region lies within"):
        Region(*box)


def test_a_region_of_a_tiny_picture_is_not_empty():
    frame = Frame(np.zeros((1, 1), np.uint8), 0)
    assert Region(0, 0, 10, 10).of(frame).pixels.shape == (1, 1)


# --- nobody is there ----------------------------------------------------------------------------


async def test_pictures_are_looked_at_less_often_once_nothing_has_changed_for_a_minute():
    async with scene(Looking(idle_frames_per_s=10)) as s:
        while s.clock.monotonic_ns() < IDLE_AFTER_NS:
            await s.look()
        s.seen.clear()
        for _ in range(300):
            await s.look()
        assert 90 <= len(s.seen) <= 101
        await s.look(level=200, wait_s=0.2)  # somebody comes
        s.seen.clear()
        for _ in range(30):
            await s.look(level=200)
        assert len(s.seen) == 30


def test_a_code_in_view_counts_as_a_change_and_noise_does_not():
    idling, random = Idling(10), np.random.default_rng(1)
    grain = random.normal(120, 12, (720, 1280)).clip(0, 255).astype(np.uint8)
    other = random.normal(120, 12, (720, 1280)).clip(0, 255).astype(np.uint8)
    assert idling.pause_s(Frame(grain, 0), has_codes=False) == 0
    assert idling.pause_s(Frame(other, IDLE_AFTER_NS), has_codes=False) == 0.1
    assert idling.pause_s(Frame(other, IDLE_AFTER_NS), has_codes=True) == 0
    assert idling.pause_s(Frame(grain, IDLE_AFTER_NS + 1), has_codes=False) == 0


def test_a_phone_in_a_corner_is_a_change():
    idling, still = Idling(10), np.full((720, 1280), 120, np.uint8)
    idling.pause_s(Frame(still, 0), has_codes=False)
    with_phone = still.copy()
    with_phone[:150, :90] = 230
    assert idling.pause_s(Frame(with_phone, IDLE_AFTER_NS), has_codes=False) == 0


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (65, 64), (721, 1283)])
def test_pictures_of_any_size_can_be_compared(shape: tuple[int, int]):
    idling = Idling(10)
    frame = Frame(np.zeros(shape, np.uint8), 0)
    assert idling.pause_s(frame, has_codes=False) == 0
    assert idling.pause_s(Frame(frame.pixels, IDLE_AFTER_NS), has_codes=False) == 0.1


# --- codes that are seen and not read -------------------------------------------------------------


def blurred(place: tuple[tuple[int, int], ...] = LEFT) -> Read:
    return Read(Symbology.QR_CODE, b"", place)


async def test_a_code_that_cannot_be_read_is_told_of_after_a_second_and_a_half_and_yields_nothing():
    async with scene() as s:
        s.unread = [blurred()]
        for _ in range(round(SEEN_S / FRAME_S)):
            await s.look()
        assert s.told == []
        for _ in range(3):
            await s.look()
        assert {way for _, way in s.told} == {Direction.ENTRY}
        assert SEEN_S - 0.01 <= s.told[0][0] / 1e9 <= SEEN_S + 2 * FRAME_S
        assert s.got == []


async def test_once_it_is_read_it_is_a_scan_and_nobody_is_told_any_more():
    async with scene() as s:
        s.unread = [blurred()]
        for _ in range(60):
            await s.look()
        s.unread, told = [], len(s.told)
        for _ in range(60):
            await s.look(A)
        assert told
        assert len(s.told) == told
        assert s.said == [(b"A", True), (b"A", False)]


async def test_a_poster_that_is_too_small_for_a_ticket_in_a_hand_is_not_told_of():
    async with scene(Looking(Region(code_percent_min=50))) as s:
        s.unread = [blurred()]
        for _ in range(90):
            await s.look()
        assert s.told == []
        s.unread = [blurred(((0, 0), (20, 0), (20, 20), (0, 20)))]
        for _ in range(90):
            await s.look()
        assert s.told != []


async def test_a_decoder_that_is_lost_tells_of_nothing():
    async with scene() as s:
        s.unread, s.trouble = [blurred()], DecoderLostError("hangs")
        for _ in range(90):
            await s.look()
        assert s.told == []
