"""Decoders on drawn codes: exact bytes, only what was asked for, one attempt a frame."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image, ImageOps

from appliance.errors import ConfigError
from appliance.readers.chain import Attempt, ChainDecoder, open_decoder
from appliance.readers.decoding import (
    LINEAR,
    MATRIX,
    Decoding,
    Frame,
    Read,
    Strategy,
    Symbology,
    is_believable,
    symbologies_named,
)
from appliance.readers.focus import View
from appliance.readers.remedies import halved, stretched
from appliance.readers.zbar import ZbarDecoder
from appliance.readers.zxing import ZxingDecoder
from appliance.simulator.ticket_pictures import beside, draw_code

TICKETS = {
    Symbology.QR_CODE: bytes(range(256)),
    Symbology.AZTEC: b"\xff\x00\x1d binary",
    Symbology.DATA_MATRIX: "caf\u00e9".encode("latin-1"),
    Symbology.PDF417: b"\x80\x81 TICKET",
    Symbology.CODE_128: b"TKT-0042-x",
    Symbology.CODE_39: b"TKT-0042",
    Symbology.CODE_93: b"TKT-0042",
    Symbology.CODABAR: b"A0042000B",
    Symbology.ITF: b"00420042",
    Symbology.EAN_13: b"4006381333931",
    Symbology.EAN_8: b"96385074",
}
EVERYTHING = Decoding(symbologies=frozenset(Symbology), itf_lengths=frozenset({8}))
QR_ONLY = Decoding(symbologies=frozenset({Symbology.QR_CODE}))


def seen(picture: Image.Image) -> Frame:
    return Frame(np.asarray(picture, dtype=np.uint8), received_ns=0)


def nothing() -> Frame:
    return Frame(np.full((240, 320), 200, np.uint8), received_ns=0)


def data_of(reads: list[Read]) -> list[bytes]:
    return [read.data for read in reads]


@pytest.mark.parametrize("symbology", list(Symbology))
def test_every_kind_of_code_gives_its_exact_bytes(symbology: Symbology):
    reads = ZxingDecoder(EVERYTHING).decode(seen(draw_code(TICKETS[symbology], symbology)))
    assert [(read.symbology, read.data) for read in reads] == [(symbology, TICKETS[symbology])]


@pytest.mark.parametrize("symbology", list(Symbology))
def test_a_kind_that_is_not_asked_for_is_not_read(symbology: Symbology):
    lengths = EVERYTHING.itf_lengths if symbology is not Symbology.ITF else frozenset()
    others = Decoding(symbologies=frozenset(Symbology) - {symbology}, itf_lengths=lengths)
    assert ZxingDecoder(others).decode(seen(draw_code(TICKETS[symbology], symbology))) == []


def test_by_default_the_matrix_codes_are_read_and_linear_codes_are_not():
    assert Decoding().symbologies == MATRIX
    assert not MATRIX & LINEAR


def test_a_familys_tickets_on_one_frame_are_all_read():
    tickets = [b"FAMILY-1", b"FAMILY-2", b"FAMILY-3", b"FAMILY-4"]
    reads = open_decoder(QR_ONLY).decode(seen(beside(*(draw_code(t) for t in tickets))))
    assert sorted(data_of(reads)) == tickets


@pytest.mark.parametrize("turn", [0, 33, 90, 180])
def test_a_code_is_read_however_it_is_held(turn: int):
    picture = draw_code(b"TURNED").rotate(turn, expand=True, fillcolor=255)
    assert data_of(ZxingDecoder(QR_ONLY).decode(seen(picture))) == [b"TURNED"]


def test_a_light_code_on_a_dark_wallet_is_read():
    picture = ImageOps.invert(draw_code(b"DARK MODE"))
    assert data_of(ZxingDecoder(QR_ONLY).decode(seen(picture))) == [b"DARK MODE"]


def test_the_position_is_where_the_code_is():
    (read,) = ZxingDecoder(QR_ONLY).decode(seen(draw_code(b"HERE")))
    (left, top), (right, _), _, _ = read.position
    assert (left, top) == pytest.approx((56, 56), abs=4)
    assert right > left + 60


def test_the_text_is_for_people_and_the_bytes_are_untouched():
    data = "Billet n° 7 é".encode()
    (read,) = ZxingDecoder(QR_ONLY).decode(seen(draw_code(data)))
    assert (read.data, read.text) == (data, "Billet n° 7 é")


def test_a_frame_with_nothing_on_it_gives_nothing():
    assert open_decoder(EVERYTHING).decode(nothing()) == []


def test_a_frame_of_one_pixel_gives_nothing():
    decoder = open_decoder(EVERYTHING)
    dot = Frame(np.zeros((1, 1), np.uint8), received_ns=0)
    assert [decoder.decode(dot) for _ in range(6)] == [[]] * 6


def test_a_picture_in_wider_rows_is_read_without_its_padding():
    picture = np.asarray(draw_code(b"PADDED"))
    height, width = picture.shape
    rows = np.zeros((height, width + 51), np.uint8)
    rows[:, :width] = picture
    frame = Frame(rows[:, :width], received_ns=0)
    assert (frame.width, frame.height, frame.stride) == (width, height, width + 51)
    assert data_of(ZxingDecoder(QR_ONLY).decode(frame)) == [b"PADDED"]


def test_a_copied_frame_outlives_its_buffer():
    picture = np.asarray(draw_code(b"COPIED"))
    height, width = picture.shape
    stride = width + 12
    buffer = np.zeros((height * 3 // 2, stride), np.uint8)  # as a camera's, with colour below
    buffer[:height, :width] = picture
    flat = buffer.reshape(-1)
    frame = Frame.copy_of(memoryview(flat), width, height, stride, received_ns=5)
    flat[:] = 0
    assert (frame.width, frame.height, frame.received_ns) == (width, height, 5)
    assert data_of(ZxingDecoder(QR_ONLY).decode(frame)) == [b"COPIED"]


def test_a_buffer_too_short_for_its_picture_is_refused():
    with pytest.raises(ValueError, match="buffer"):
        Frame.copy_of(memoryview(bytes(99)), 10, 10, 10, received_ns=0)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((0, 5), np.uint8), np.zeros((2, 2, 3), np.uint8), np.zeros((4, 4), np.uint16)],
)
def test_what_is_no_grey_picture_is_no_frame(pixels: np.ndarray):
    with pytest.raises(ValueError, match="rows of bytes"):
        Frame(pixels, received_ns=0)


def test_an_itf_code_of_another_length_is_not_believed():
    picture = seen(draw_code(b"004200", Symbology.ITF))
    assert ZxingDecoder(EVERYTHING).decode(picture) == []


@pytest.mark.parametrize("symbology", [Symbology.CODE_39, Symbology.CODABAR])
def test_a_short_code_without_a_check_digit_is_not_believed(symbology: Symbology):
    assert not is_believable(Read(symbology, b"123"), EVERYTHING)
    assert is_believable(Read(symbology, b"1234"), EVERYTHING)


@pytest.mark.parametrize("data", [b"", bytes(4097)])
def test_nothing_and_too_much_are_not_believed(data: bytes):
    assert not is_believable(Read(Symbology.QR_CODE, data), EVERYTHING)


def test_itf_and_its_lengths_go_together():
    with pytest.raises(ValueError, match="go together"):
        Decoding(symbologies=frozenset({Symbology.ITF}))
    with pytest.raises(ValueError, match="go together"):
        Decoding(itf_lengths=frozenset({14}))
    with pytest.raises(ValueError, match="even"):
        Decoding(symbologies=frozenset({Symbology.ITF}), itf_lengths=frozenset({7}))


def test_something_must_be_looked_for():
    with pytest.raises(ValueError, match="at least one"):
        Decoding(symbologies=frozenset())


def test_symbologies_are_named_as_people_write_them():
    named = symbologies_named(["qr", "Data-Matrix", "code_128", "EAN 13", "pdf417"])
    assert named == {
        Symbology.QR_CODE,
        Symbology.DATA_MATRIX,
        Symbology.CODE_128,
        Symbology.EAN_13,
        Symbology.PDF417,
    }


def test_an_unknown_symbology_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'barcode'.*QRCode.*EAN13"):
        symbologies_named(["barcode"])


# --- one attempt a frame, in rotation ----------------------------------------------------------


@dataclass
class Told:
    """A decoder that answers what it is told and remembers what it was shown."""

    answer: list[Read] = field(default_factory=list)
    shown: list[Frame] = field(default_factory=list)
    unread: list[Read] = field(default_factory=list)

    def decode(self, frame: Frame) -> list[Read]:
        self.shown.append(frame)
        return self.answer


def attempt(decoder: Told, *, helps: bool = True, scale: int = 1) -> Attempt:
    return Attempt(
        Strategy.STRETCH, lambda frame: View(frame, scale=scale) if helps else None, decoder
    )


def test_a_frame_that_gave_a_code_is_not_tried_again():
    hit, extra = Told([Read(Symbology.QR_CODE, b"HIT")]), Told()
    assert data_of(ChainDecoder(hit, (attempt(extra),)).decode(nothing())) == [b"HIT"]
    assert extra.shown == []


def test_each_frame_without_a_code_is_tried_once_more_in_rotation():
    extras = [Told(), Told(), Told()]
    chain = ChainDecoder(Told(), tuple(attempt(extra) for extra in extras))
    shown = []
    for _ in range(4):
        chain.decode(nothing())
        shown.append([len(extra.shown) for extra in extras])
    assert shown == [[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1]]


def test_an_attempt_that_cannot_help_gives_its_turn_to_the_next():
    helpless, helpful = Told(), Told([Read(Symbology.QR_CODE, b"SAVED")])
    chain = ChainDecoder(Told(), (attempt(helpless, helps=False), attempt(helpful)))
    assert [data_of(chain.decode(nothing())) for _ in range(2)] == [[b"SAVED"], [b"SAVED"]]
    assert helpless.shown == []


def test_a_chain_without_attempts_gives_what_the_main_decoder_gives():
    assert ChainDecoder(Told(), ()).decode(nothing()) == []


def test_positions_found_on_a_smaller_picture_are_given_in_the_frames_pixels():
    found = Told([Read(Symbology.QR_CODE, b"X", position=((3, 4), (5, 4)))])
    (read,) = ChainDecoder(Told(), (attempt(found, scale=2),)).decode(nothing())
    assert read.position == ((6, 8), (10, 8))


def test_a_linear_code_is_found_at_once_beside_matrix_codes():
    wanted = Decoding(
        symbologies=MATRIX | {Symbology.CODE_128}, strategies=(Strategy.GLOBAL_HISTOGRAM,)
    )
    frame = seen(draw_code(b"LINEAR-1", Symbology.CODE_128))
    assert data_of(open_decoder(wanted).decode(frame)) == [b"LINEAR-1"]


def test_linear_codes_alone_are_looked_for_on_every_frame():
    wanted = Decoding(symbologies=frozenset({Symbology.CODE_128}), strategies=())
    frame = seen(draw_code(b"LINEAR-2", Symbology.CODE_128))
    assert data_of(open_decoder(wanted).decode(frame)) == [b"LINEAR-2"]


def dark_and_grainy(picture: Image.Image) -> Frame:
    """A dim screen in a dark hall: few grey levels, and grain a third as strong."""
    levels = np.asarray(picture, dtype=np.float64) / 255 * 22 + 12
    grain = np.random.default_rng(7).normal(0, 7, levels.shape)
    return Frame(np.clip(levels + grain, 0, 255).astype(np.uint8), received_ns=0)


def test_a_dark_and_grainy_screen_is_read_by_stretching_its_contrast():
    frame = dark_and_grainy(draw_code(b"IN THE DARK"))
    assert ZxingDecoder(QR_ONLY).decode(frame) == []
    stretching = Decoding(symbologies=QR_ONLY.symbologies, strategies=(Strategy.STRETCH,))
    assert data_of(open_decoder(stretching).decode(frame)) == [b"IN THE DARK"]


def test_stretching_uses_the_whole_range_of_greys():
    ramp = np.tile(np.linspace(40, 90, 256).astype(np.uint8), (64, 1))
    frame = stretched(Frame(ramp, received_ns=3))
    assert frame is not None
    assert frame.pixels.min() < 5
    assert frame.pixels.max() > 250
    assert (frame.pixels.shape, frame.received_ns) == (ramp.shape, 3)


def test_a_frame_of_full_contrast_is_not_stretched():
    assert stretched(seen(draw_code(b"BRIGHT"))) is None


def test_a_covered_lens_is_not_stretched():
    assert stretched(nothing()) is None


def test_halving_averages_four_pixels_into_one():
    pixels = np.array([[0, 100, 9], [100, 200, 9], [7, 7, 9]], np.uint8)
    frame = halved(Frame(pixels, received_ns=4))
    assert frame is not None
    assert frame.pixels.tolist() == [[100]]
    assert frame.received_ns == 4


# --- the second opinion ------------------------------------------------------------------------

ZBAR_READS = sorted(LINEAR - {Symbology.CODABAR, Symbology.ITF})


@pytest.mark.parametrize("symbology", ZBAR_READS)
def test_the_second_opinion_reads_linear_codes(symbology: Symbology):
    reads = ZbarDecoder(EVERYTHING).decode(seen(draw_code(TICKETS[symbology], symbology)))
    assert [(read.symbology, read.data) for read in reads] == [(symbology, TICKETS[symbology])]


def test_the_second_opinion_is_never_asked_for_a_matrix_code():
    assert ZbarDecoder(EVERYTHING).decode(seen(draw_code(b"MATRIX"))) == []
    with pytest.raises(ConfigError, match="linear"):
        ZbarDecoder(QR_ONLY)


def test_the_second_opinion_is_off_unless_it_is_configured():
    assert Strategy.SECOND_OPINION not in Decoding().strategies
    wanted = Decoding(
        symbologies=frozenset({Symbology.EAN_13}), strategies=(Strategy.SECOND_OPINION,)
    )
    assert open_decoder(wanted).decode(nothing()) == []
