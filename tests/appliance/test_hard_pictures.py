"""What the gate's decoding makes of hard pictures: it reads more, costs little, and never lies."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from appliance.readers.chain import attempts_for, open_decoder
from appliance.readers.decoding import (
    ITF_LENGTHS_ANY,
    Decoding,
    Frame,
    Read,
    Strategy,
    Symbology,
)
from appliance.readers.doubts import undoubted
from appliance.readers.focus import View, liveliest
from appliance.readers.glance import EVERY
from appliance.readers.remedies import deblurred, doubled, halved, sharpened, smoothed, stretched
from appliance.readers.zxing import ZxingDecoder
from appliance.simulator.lens import Condition, empty, grained, scene
from appliance.simulator.ticket_pictures import draw_code

DATA = b"HARD-TO-READ-0123456"
SIZE = (640, 480)


def held(condition, seed, symbology="QRCode", data=DATA, share=0.5):
    return scene(data, symbology, condition, SIZE, share, np.random.default_rng(seed)).pixels


def frames_of(pixels, seed=9):
    rng = np.random.default_rng(seed)
    return (Frame(grained(pixels, rng, 1.5), place) for place in count())


@pytest.mark.parametrize("condition", [Condition.DARK, Condition.MOIRE])
def test_the_rotation_reads_what_one_look_does_not(condition):
    alone = together = 0
    for seed in range(6):
        pixels = held(condition, seed)
        alone += bool(ZxingDecoder(Decoding()).decode(Frame(pixels, 0)))
        decoder, frames = open_decoder(Decoding()), frames_of(pixels)
        together += any(
            read.data == DATA for _ in range(8) for read in decoder.decode(next(frames))
        )
    assert together > alone


@pytest.mark.parametrize("condition", Condition)
def test_nothing_is_read_that_is_not_there(condition):
    for seed in range(2):
        decoder, frames = open_decoder(Decoding()), frames_of(held(condition, seed))
        found = {read.data for _ in range(8) for read in decoder.decode(next(frames))}
        assert found <= {DATA}


def test_a_code_that_comes_into_a_known_scene_and_is_held_is_read_within_n_frames():
    wall = empty(SIZE, np.random.default_rng(3), 0)
    decoder, frames = open_decoder(Decoding()), frames_of(wall)
    assert not any(decoder.decode(next(frames)) for _ in range(30))
    code = np.asarray(draw_code(DATA).resize((60, 60)))
    faint = wall.astype(float)
    faint[200:260, 300:360] += (code.astype(float) - 200) / 100  # too faint to be noticed
    shown = frames_of(np.clip(faint, 0, 255).astype(np.uint8))
    asked = []
    decoder._main.decode = lambda frame: asked.append(frame) or []
    for _ in range(2 * EVERY):
        decoder.decode(next(shown))
    assert asked
    plain = wall.copy()
    plain[100:260, 300:460] = np.asarray(draw_code(DATA).resize((160, 160)))
    decoder = open_decoder(Decoding())
    for _ in range(30):
        decoder.decode(next(frames))
    assert decoder.decode(Frame(plain, 0))[0].data == DATA


def test_an_empty_known_scene_costs_few_looks():
    looks = []
    decoder, frames = open_decoder(Decoding()), frames_of(empty(SIZE, np.random.default_rng(3), 0))
    main = decoder._main.decode
    decoder._main.decode = lambda frame: looks.append(1) or main(frame)
    for _ in range(20):
        decoder.decode(next(frames))
    looks.clear()
    for _ in range(10 * EVERY):
        decoder.decode(next(frames))
    assert len(looks) == 5  # each second turn of ten is another strategy's


def test_what_helped_once_is_asked_next_so_that_a_second_equal_read_comes_at_once():
    pixels = held(Condition.DARK, 1)
    decoder, frames = open_decoder(Decoding()), frames_of(pixels)
    reads = [bool(decoder.decode(next(frames))) for _ in range(12)]
    first = reads.index(True)
    assert all(reads[first : first + 3])


@pytest.mark.parametrize("strategy", [Strategy.HALF_SIZE, Strategy.SMOOTH])
def test_corners_are_told_in_the_frames_own_pixels(strategy):
    rng = np.random.default_rng(2)
    made = scene(DATA, "QRCode", Condition.CLEAN, (1280, 720), 0.4, rng)
    (attempt,) = attempts_for(Decoding(strategies=(strategy,)))
    (read,) = attempt.look(Frame(made.pixels, 0))
    assert read.data == DATA
    assert np.hypot(*(np.mean(read.position, axis=0) - made.middle)) < 8


# --- codes that are seen and not read -----------------------------------------------------------


def looks_at(pixels, looks=12):
    """Give what is read and how many looks see a code that they cannot read."""
    decoder, frames = open_decoder(Decoding()), frames_of(pixels)
    reads, unread = set(), 0
    for _ in range(looks):
        reads |= {read.data for read in decoder.decode(next(frames))}
        unread += bool(decoder.unread)
    return reads, unread


@pytest.mark.parametrize(("condition", "seed"), [(Condition.GLARE, 5), (Condition.MOTION, 0)])
def test_a_code_that_is_held_badly_is_seen_and_not_read(condition, seed):
    reads, unread = looks_at(held(condition, seed, data=DATA * 6, share=0.6))
    assert not reads
    assert unread == 12


def test_what_is_seen_has_its_place_on_the_frame_and_no_content():
    made = scene(DATA * 6, "QRCode", Condition.GLARE, SIZE, 0.6, np.random.default_rng(5))
    decoder = open_decoder(Decoding())
    assert decoder.decode(Frame(made.pixels, 0)) == []
    assert {(code.data, code.text) for code in decoder.unread} == {(b"", "")}
    middles = [np.mean(code.position, axis=0) for code in decoder.unread]
    assert min(np.hypot(*(middle - made.middle)) for middle in middles) < 60


@pytest.mark.parametrize("size", [(640, 480), (1280, 720)], ids=str)
def test_nothing_is_seen_on_an_empty_scene(size):
    for seed in range(3):
        wall = empty(size, np.random.default_rng(seed), 0)
        assert looks_at(wall, 3) == (set(), 0)


def test_where_something_is_read_nothing_counts_as_unread():
    wide = np.hstack([held(Condition.CLEAN, 1), held(Condition.DEFOCUS, 1, data=DATA * 6)])
    reads, unread = looks_at(wide, 3)
    assert reads == {DATA}
    assert unread == 0


@pytest.mark.parametrize("shape", [(518, 8), (8, 518), (1, 640), (60, 1280)], ids=str)
def test_a_strip_of_a_picture_is_looked_at_whole(shape):
    pixels = np.random.default_rng(3).integers(0, 255, shape, np.uint8)
    decoder = open_decoder(Decoding())
    for place in range(12):
        assert decoder.decode(Frame(pixels, place)) == []


# --- doubts ---------------------------------------------------------------------------------------


def itf(digits=b"12345678901231"):
    picture = np.asarray(draw_code(digits, "ITF"))
    return np.pad(picture, 40, constant_values=255)


def test_a_whole_itf_code_is_read_and_a_part_of_one_never():
    decoding = Decoding(frozenset({Symbology.ITF}), ITF_LENGTHS_ANY)
    whole = itf()
    decoder = ZxingDecoder(decoding)
    (read,) = undoubted(decoder.decode(Frame(whole, 0)), Frame(whole, 0))
    assert read.data == b"12345678901231"
    read_at_all = 0
    for cut in range(60, whole.shape[1] - 60, 5):
        for part in (whole[:, :cut], whole[:, cut:]):
            frame = Frame(np.ascontiguousarray(part), 0)
            found = undoubted(decoder.decode(frame), frame)
            assert {one.data for one in found} <= {b"12345678901231"}
            read_at_all += bool(found)
    assert read_at_all  # where only paper is cut off


def linear(data, top, height, symbology=Symbology.EAN_13):
    corners = ((10, top), (210, top), (210, top + height), (10, top + height))
    return Read(symbology, data, corners, data.decode())


PAPER = Frame(np.full((200, 300), 255, np.uint8), 0)


def test_two_linear_texts_across_the_same_bars_are_both_doubted():
    one, other = linear(b"4006381333931", 20, 60), linear(b"4006381333948", 40, 50)
    assert undoubted([one, other], PAPER) == []
    assert undoubted([one, one], PAPER) == [one, one]


def test_of_a_code_and_a_few_rows_across_it_the_code_is_believed():
    code, rows = linear(b"4006381333931", 20, 100), linear(b"4006381333948", 40, 5)
    assert undoubted([code, rows], PAPER) == [code]
    apart = replace(rows, position=((10, 150), (210, 150), (210, 156), (10, 156)))
    assert undoubted([code, apart], PAPER) == [code, apart]


def test_a_read_of_a_few_rows_only_is_doubted():
    assert undoubted([linear(b"4006381333931", 20, 1)], PAPER) == []


def test_matrix_codes_prove_themselves():
    one = linear(b"A", 20, 1, Symbology.QR_CODE)
    assert undoubted([one, linear(b"B", 20, 60, Symbology.AZTEC)], PAPER) == [
        one,
        linear(b"B", 20, 60, Symbology.AZTEC),
    ]


# --- remedies and views ---------------------------------------------------------------------------

NOISE = np.random.default_rng(4).integers(0, 256, (61, 83), np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3), (61, 83)])
def test_remedies_stand_every_shape(shape):
    pixels = np.resize(NOISE, shape)
    assert smoothed(pixels).shape == shape
    assert sharpened(pixels, 4, 3).shape == shape
    assert doubled(pixels).shape == (2 * shape[0], 2 * shape[1])
    assert deblurred(pixels, 3.2, 0.003).shape == shape
    half = halved(Frame(pixels, 0))
    assert half is None or half.pixels.shape == (shape[0] // 2, shape[1] // 2)
    stretched(Frame(pixels, 0))
    assert liveliest(Frame(pixels, 0)).frame.pixels.shape == shape


@pytest.mark.parametrize("shade", [0, 7, 128, 255])
def test_remedies_leave_an_even_grey_as_it_is(shade):
    even = np.full((40, 50), shade, np.uint8)
    for made in (smoothed(even), sharpened(even, 4, 3), doubled(even)):
        assert set(made.flatten()) == {shade}
    assert np.abs(deblurred(even, 3.2, 0.003).astype(int) - shade).max() <= 1
    assert stretched(Frame(even, 0)) is None


def test_a_smoothed_pixel_is_the_mean_of_nine():
    spot = np.zeros((5, 5), np.uint8)
    spot[2, 2] = 90
    assert smoothed(spot)[1:4, 1:4].tolist() == [[10] * 3] * 3


def test_deblurring_undoes_a_blur():
    made = np.asarray(draw_code(DATA), np.float64)
    kernel = np.exp(-0.5 * (np.arange(-9, 10) / 3.0) ** 2)
    kernel /= kernel.sum()
    soft = np.apply_along_axis(lambda row: np.convolve(row, kernel, "same"), 0, made)
    soft = np.apply_along_axis(lambda row: np.convolve(row, kernel, "same"), 1, soft)
    before = np.abs(soft - made)[20:-20, 20:-20].mean()
    sharp = deblurred(soft.astype(np.uint8), 3.0, 0.003).astype(float)
    assert np.abs(sharp - made)[20:-20, 20:-20].mean() < before * 0.7


def test_the_liveliest_part_holds_the_code_and_knows_where_it_is():
    pixels = np.full((720, 1280), 120, np.uint8)
    code = np.asarray(draw_code(DATA))
    pixels[400 : 400 + code.shape[0], 900 : 900 + code.shape[1]] = code
    view = liveliest(Frame(pixels, 0))
    assert view.frame.pixels.size < pixels.size / 4
    (read,) = ZxingDecoder(Decoding()).decode(view.frame)
    (whole,) = ZxingDecoder(Decoding()).decode(Frame(pixels, 0))
    placed = np.array(view.on_frame(read).position)
    assert np.abs(placed - np.array(whole.position)).max() <= 3


def test_a_view_scales_corners_back():
    read = Read(Symbology.QR_CODE, b"x", ((1, 2), (3, 2), (3, 4), (1, 4)))
    view = View(PAPER, left=100, top=50, scale=0.5)
    assert view.on_frame(read).position == ((100, 51), (102, 51), (102, 52), (100, 52))
