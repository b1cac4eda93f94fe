"""Who does not tell colours apart, does not see, does not hear, or stands far off is told the same.

Colour vision is simulated as Machado, Oliveira and Fernandes (2009) give it for the loss of one
kind of cone, on linear light; the fourth is a world in grey.
"""

from itertools import combinations
from math import radians, tan

import pytest
from PIL import Image, ImageChops

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.appearance import ANSWERS, LOOKS, appearance_of
from appliance.displays.layout import compose
from appliance.displays.palette import CONTRAST_MIN, TONES, Hue, contrast, luminance
from appliance.displays.scene import Mark, Text
from appliance.displays.screens import draw
from appliance.displays.signals import Pattern, pattern_of
from appliance.displays.words import LANGUAGES
from appliance.ports import Look, Screen

REFUSALS = [answer for answer in Answer if answer is not Answer.GRANTED]
VISIONS = {
    "without red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "without green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "without blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
    "without colour": ((0.2126, 0.7152, 0.0722),) * 3,
}
MARK_CONTRAST_MIN = 3.0  # WCAG 2.2, success criterion 1.4.11
SIZE = (480, 320)


def linear(channel: int) -> float:
    part = channel / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def coded(part: float) -> int:
    part = min(1.0, max(0.0, part))
    return round(255 * (part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055))


def seen(colour, vision: str):
    """Give a colour as somebody sees it."""
    light = [linear(channel) for channel in colour]
    return tuple(
        coded(sum(share * part for share, part in zip(row, light, strict=True)))
        for row in VISIONS[vision]
    )


def every_screen() -> list[Screen]:
    looks = [Screen(look) for look in Look if look is not Look.DENIED]
    return [
        *looks,
        Screen(Look.GRANTED, Direction.EXIT),
        Screen(Look.GRANTED, attention=("!",)),
        Screen(Look.GRANTED, Direction.EXIT, Answer.NOT_INSIDE),
        *(Screen(Look.DENIED, answer=answer) for answer in REFUSALS),
    ]


# --- who does not tell colours apart ----------------------------------------------------------


def test_the_simulation_takes_the_colours_away_that_it_should():
    red, green = TONES[Hue.RED].ground, TONES[Hue.GREEN].ground
    for vision in ("without red", "without green"):
        pure = [seen((255, 0, 0), vision), seen((0, 255, 0), vision)]
        assert max(abs(one[2] - other[2]) for one, other in combinations(pure, 2)) < 80
    grey = seen(red, "without colour")
    assert len(set(grey)) == 1
    assert seen((255, 255, 255), "without green") == (255, 255, 255)
    assert seen(green, "without blue") != green


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("hue", Hue)
def test_every_text_is_read_by_everybody(vision, hue):
    tone = TONES[hue]
    pairs = ((tone.ink, tone.ground), (tone.ink, tone.band), (tone.banner_ink, tone.banner))
    for ink, ground in pairs:
        assert contrast(seen(ink, vision), seen(ground, vision)) >= CONTRAST_MIN


def mark_of(screen: Screen, vision: str) -> Image.Image:
    """Give the mark that somebody makes out on a screen, lit where ink is, at one size."""
    scene = compose(screen, "fr", SIZE, is_mono=False)
    shape = appearance_of(screen).shape
    mark = next(item for item in scene.items if isinstance(item, Mark) and item.shape is shape)
    box = mark.box
    corners = (box.left, box.top, box.right, box.bottom)
    drawn = draw(screen, "fr", SIZE, "RGB").crop(corners)
    picture = drawn.resize((60, 60), Image.Resampling.NEAREST)
    ink, ground = luminance(seen(mark.ink, vision)), luminance(seen(mark.ground, vision))
    middle = (ink + ground) / 2
    colours = {colour for _, colour in picture.getcolors(1 << 20)}
    lit = {c: (luminance(seen(c, vision)) > middle) == (ink > ground) for c in colours}
    bits = bytes(
        255 * lit[tuple(pixel)] for pixel in zip(*[iter(picture.tobytes())] * 3, strict=True)
    )
    return Image.frombytes("L", picture.size, bits)


@pytest.mark.parametrize("vision", VISIONS)
def test_answers_differ_by_their_marks_for_everybody(vision):
    """Every mark is made out on its ground, and no two of different meaning look alike."""
    marks = {appearance_of(screen).shape: mark_of(screen, vision) for screen in every_screen()}
    assert len(marks) == len(ANSWERS) + len(LOOKS) + 2  # an exit's, and that of attention
    for one, other in combinations(sorted(marks), 2):
        changed = ImageChops.difference(marks[one], marks[other]).histogram()[255]
        assert changed >= 60 * 60 / 20, f"{one} looks like {other} {vision}"


@pytest.mark.parametrize("vision", VISIONS)
def test_marks_stand_out_for_everybody(vision):
    for screen in every_screen():
        for item in compose(screen, "fr", SIZE, is_mono=False).items:
            if isinstance(item, Mark):
                shown = contrast(seen(item.ink, vision), seen(item.ground, vision))
                assert shown >= MARK_CONTRAST_MIN, (screen.look, screen.answer)


# --- who sees the lamp alone, or hears the buzzer alone ---------------------------------------

GO = [Screen(Look.GRANTED), Screen(Look.GRANTED, Direction.EXIT)]
ATTENTION = [
    Screen(Look.GRANTED, attention=("!",)),
    Screen(Look.GRANTED, Direction.EXIT, Answer.NOT_INSIDE),
]
NO = [Screen(Look.DENIED, answer=answer) for answer in REFUSALS]
UNUSED = [Screen(Look.NOT_PASSED)]
FAMILIES = {"go": GO, "attention": ATTENTION, "no": NO, "unused": UNUSED}


def rhythm(pattern: Pattern) -> tuple[tuple[bool, int], ...]:
    """What a buzzer with one pitch plays: sounding or not, in hundredths of a second."""
    runs: list[tuple[bool, int]] = []
    for tone in pattern.sound:
        is_on, hundredths = tone.hz > 0, round(tone.seconds * 100)
        if runs and runs[-1][0] == is_on:
            runs[-1] = (is_on, runs[-1][1] + hundredths)
        else:
            runs.append((is_on, hundredths))
    return tuple(runs)


def test_by_sound_alone_go_attention_and_no_are_told_apart():
    heard = {name: {rhythm(pattern_of(s)) for s in some} for name, some in FAMILIES.items()}
    assert all(all(rhythms) for rhythms in heard.values())  # none of them is silent
    for one, other in combinations(heard, 2):
        assert heard[one].isdisjoint(heard[other]), (one, other)


def test_rhythms_that_mean_otherwise_differ_by_more_than_a_machines_haste():
    """Another number of sounds, or one that is longer by a tenth of a second at least."""
    told = {name: {rhythm(pattern_of(s)) for s in some} for name, some in FAMILIES.items()}
    for one, other in combinations(told, 2):
        for this in told[one]:
            for that in told[other]:
                sounds = [[length for is_on, length in r if is_on] for r in (this, that)]
                is_longer = len(sounds[0]) == len(sounds[1]) and any(
                    abs(a - b) >= 10 for a, b in zip(*sounds, strict=True)
                )
                assert len(sounds[0]) != len(sounds[1]) or is_longer, (one, other)


def test_who_may_go_hears_it_high_and_who_may_not_hears_it_low():
    for screen in (*GO, *ATTENTION):
        assert min(tone.hz for tone in pattern_of(screen).sound if tone.hz) > 750
    for screen in (*NO, *UNUSED):
        assert max(tone.hz for tone in pattern_of(screen).sound if tone.hz) < 600


def on_and_off(pattern: Pattern) -> tuple[tuple[bool, float], ...]:
    """What a lamp without colours does: bright or not, and for how long."""
    if len(pattern.light) == 1:
        return ((max(pattern.light[0].colour) > 0.5, 0.0),)
    return tuple((max(flash.colour) > 0.5, flash.seconds) for flash in pattern.light)


def test_a_full_light_that_stays_is_go_and_nothing_else():
    for screen in every_screen():
        is_go = screen in GO or screen.look is Look.PLEASE_PASS
        assert all(is_on for is_on, _ in on_and_off(pattern_of(screen))) == is_go, screen


def test_the_kinds_of_refusal_go_on_and_off_each_in_its_way():
    kinds = {appearance_of(screen).hue: pattern_of(screen) for screen in NO}
    rhythms = {on_and_off(pattern) for pattern in kinds.values()}
    assert len(rhythms) == len(kinds)


# --- who stands far off -----------------------------------------------------------------------

CAPITAL = 0.729  # of DejaVu's size
ARC_MINUTES = 16  # the least height of letters that ISO 9241-303 allows for reading
PANELS = {
    "7 inches": ((800, 480), 0.190, 1.2),
    "10 inches": ((1280, 720), 0.174, 1.6),
    "24 inches": ((1920, 1080), 0.277, 3.0),
    "24 inches, upright": ((1080, 1920), 0.277, 3.0),
}


def reads_at_m(capital_mm: float) -> float:
    """Give from how far letters of a height are still read."""
    return capital_mm / 1000 / tan(radians(ARC_MINUTES / 60))


def title_mm(screen: Screen, language: str, size, mm_per_px: float) -> float:
    """Give the height of the capitals of what is set largest."""
    items = compose(screen, language, size, is_mono=False).items
    px = max(item.fitted.type.px for item in items if isinstance(item, Text) and item.fitted.lines)
    return px * CAPITAL * mm_per_px


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_is_read_from_where_people_stand(panel, language):
    """At a small panel people stand before it; one of 24 inches is read over heads, at 3 m."""
    size, mm_per_px, distance_m = PANELS[panel]
    for screen in every_screen():
        assert reads_at_m(title_mm(screen, language, size, mm_per_px)) >= distance_m, screen


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_word_that_lets_people_go_is_read_at_3_m_from_a_7_inch_panel(language):
    size, mm_per_px, _ = PANELS["7 inches"]
    for screen in (Screen(Look.GRANTED), Screen(Look.GRANTED, attention=("!",))):
        assert reads_at_m(title_mm(screen, language, size, mm_per_px)) >= 3.0


@pytest.mark.parametrize("panel", PANELS)
def test_every_mark_is_made_out_at_3_m(panel):
    """A square of 16 minutes for each of the five strokes that the finest marks are made of."""
    size, mm_per_px, _ = PANELS[panel]
    for screen in every_screen():
        shape = appearance_of(screen).shape
        items = compose(screen, "fr", size, is_mono=False).items
        mark = next(item for item in items if isinstance(item, Mark) and item.shape is shape)
        assert reads_at_m(mark.box.width * mm_per_px / 2) >= 3.0, screen
