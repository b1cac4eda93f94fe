"""Which frames deserve a look: a still scene seldom, anything new at once."""

import numpy as np
import pytest

from appliance.readers.decoding import Frame
from appliance.readers.glance import EVERY, THOROUGH, Glance, Look
from appliance.simulator.lens import empty, grained

SIZE = (640, 480)


def wall(seed=1):
    return empty(SIZE, np.random.default_rng(seed), 0)


def looks(glance, pixels, count, seed=5):
    rng = np.random.default_rng(seed)
    return [glance.at(Frame(grained(pixels, rng), 0)) for _ in range(count)]


def test_a_still_scene_is_looked_at_thoroughly_and_then_each_nth_frame():
    seen = looks(Glance(), wall(), THOROUGH + 3 * EVERY)
    assert seen[:THOROUGH] == [Look.ANEW] + [Look.AGAIN] * (THOROUGH - 1)
    assert seen[THOROUGH:] == ([Look.NONE] * (EVERY - 1) + [Look.CHECK]) * 3


def test_whatever_comes_before_the_lens_is_looked_at_in_its_first_frame():
    glance = Glance()
    looks(glance, wall(), 40)
    shown = wall()
    shown[200:264, 300:364] = 20
    assert looks(glance, shown, 1) == [Look.ANEW]


def test_a_flicker_of_all_lamps_is_nothing_new():
    glance = Glance()
    looks(glance, wall(), THOROUGH)
    brighter = np.clip(wall().astype(int) + 12, 0, 255).astype(np.uint8)
    assert looks(glance, brighter, 1)[0] in {Look.NONE, Look.CHECK}


def test_while_something_is_read_every_frame_is_looked_at():
    glance = Glance()
    for _ in range(3 * THOROUGH):
        (look,) = looks(glance, wall(), 1)
        assert look is Look.ANEW
        glance.saw(something=True)


def test_a_frame_of_another_size_is_a_new_scene():
    glance = Glance()
    looks(glance, wall(), 40)
    assert glance.at(Frame(np.zeros((100, 100), np.uint8), 0)) is Look.ANEW


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (7, 9), (33, 40)])
def test_the_smallest_frames_are_frames_too(shape):
    glance = Glance()
    frame = Frame(np.zeros(shape, np.uint8), 0)
    assert [glance.at(frame) for _ in range(2)] == [Look.ANEW, Look.AGAIN]


def test_bounds_that_make_no_sense_are_refused():
    for bounds in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="must be >= 1"):
            Glance(*bounds)
