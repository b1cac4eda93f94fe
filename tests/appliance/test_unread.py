"""When somebody is told to hold still, look by look."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.readers.decoding import Frame, Read, Symbology
from appliance.readers.unread import GIVE_UP_S, GONE_S, READ_S, SEEN_S, UnreadWatch, distinct

LOOK_S = 0.2


class Hand:
    """Looks at what a hand holds, one every fifth of a second."""

    def __init__(self) -> None:
        self.watch = UnreadWatch()
        self.looks = 0

    @property
    def now_s(self) -> float:
        return self.looks * LOOK_S

    def holds(self, seconds: float, *, unread: bool = True, read: bool = False) -> list[float]:
        """Give the seconds, from its beginning, at which the hand was told to hold still."""
        told, begun_s = [], self.now_s
        for _ in range(round(seconds / LOOK_S)):
            self.looks += 1
            now_ns = round(self.now_s * 1e9)
            if self.watch.see(has_read=read, has_unread=unread, now_ns=now_ns):
                told.append(round(self.now_s - begun_s, 3))
        return told


def test_a_code_that_cannot_be_read_is_told_of_after_a_while_and_with_every_look_from_then_on():
    told = Hand().holds(3)
    assert told[0] == pytest.approx(SEEN_S + LOOK_S, abs=LOOK_S)
    assert len(told) == pytest.approx((3 - SEEN_S) / LOOK_S, abs=1)


def test_an_empty_scene_is_never_told_of():
    assert Hand().holds(120, unread=False) == []


def test_a_code_that_passes_by_is_not_told_of():
    hand = Hand()
    for _ in range(5):
        assert hand.holds(SEEN_S - LOOK_S) == []
        assert hand.holds(GONE_S + LOOK_S, unread=False) == []


def test_looks_that_miss_it_for_less_than_a_second_do_not_begin_anew():
    hand = Hand()
    assert hand.holds(1) == []
    assert hand.holds(GONE_S - 2 * LOOK_S, unread=False) == []
    assert hand.holds(LOOK_S) != []


def test_nothing_is_told_while_a_look_does_not_see_it():
    hand = Hand()
    assert hand.holds(2) != []
    assert hand.holds(GONE_S - LOOK_S, unread=False) == []


def test_a_read_ends_it_and_the_rest_of_the_sheet_is_not_told_of():
    hand = Hand()
    assert hand.holds(2) != []
    assert hand.holds(1, read=True) == []
    assert hand.holds(READ_S - LOOK_S) == []  # the next ticket of the sheet, half before the lens
    again = hand.holds(READ_S + SEEN_S)
    assert again[0] > SEEN_S - 2 * LOOK_S  # by then it is somebody's own


def test_what_stays_for_ever_is_no_hand_and_is_told_of_again_once_it_was_gone():
    hand = Hand()
    poster = hand.holds(300)
    assert poster[-1] <= GIVE_UP_S + LOOK_S
    hand.holds(GONE_S + LOOK_S, unread=False)
    assert hand.holds(2) != []


BOX = ((10, 10), (50, 10), (50, 50), (10, 50))


def code(symbology, position=BOX):
    return Read(symbology, b"", position)


def picture(dark, light):
    pixels = np.full((60, 60), light, np.uint8)
    pixels[::4] = dark
    pixels[1::4] = dark
    return Frame(pixels, 0)


@pytest.mark.parametrize(
    ("symbology", "shades", "is_one"),
    [
        (Symbology.QR_CODE, 20, True),  # on a dark screen
        (Symbology.QR_CODE, 6, False),
        (Symbology.DATA_MATRIX, 100, True),
        (Symbology.DATA_MATRIX, 50, False),  # a wall's grain, or its corner
        (Symbology.EAN_13, 50, False),
    ],
)
def test_what_has_too_few_shades_is_no_code(symbology, shades, is_one):
    frame = picture(100, 100 + shades)
    assert distinct([code(symbology)], frame) == ([code(symbology)] if is_one else [])


@pytest.mark.parametrize(
    "position",
    [(), ((5, 5),) * 4, ((70, 70), (99, 70), (99, 99), (70, 99))],
    ids=["none", "a point", "beside the frame"],
)
def test_what_has_no_place_on_the_frame_is_no_code(position):
    assert distinct([code(Symbology.QR_CODE, position)], picture(0, 255)) == []


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0.01, 3)), max_size=60))
def test_it_is_told_only_with_a_look_that_sees_it_and_never_soon_after_a_read(looks):
    watch, now_s, read_s, since_s, seen_s = UnreadWatch(), 0.0, None, None, None
    for has_read, has_unread, wait_s in looks:
        now_s += wait_s
        told = watch.see(has_read=has_read, has_unread=has_unread, now_ns=round(now_s * 1e9))
        if seen_s is not None and now_s - seen_s > GONE_S + 1e-6:
            since_s = None
        if has_read:
            read_s, since_s = now_s, None
        elif has_unread:
            seen_s, since_s = now_s, now_s if since_s is None else since_s
        if told:
            assert has_unread
            assert not has_read
            assert read_s is None or now_s - read_s >= READ_S - 1e-6
            assert since_s is not None
            assert now_s - since_s >= SEEN_S - 1e-6
