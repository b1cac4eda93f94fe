"""Screens: every answer tells itself by colour, by shape and by words, and nothing overflows."""

from itertools import combinations

import pytest
import zxingcpp
from PIL import Image, ImageChops

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays import fonts, icons
from appliance.displays.appearance import (
    ANSWERS,
    LOOKS,
    WAYS,
    Shape,
    answer_of,
    appearance_of,
)
from appliance.displays.layout import SIZE_MIN, compose
from appliance.displays.palette import (
    CONTRAST_MIN,
    DARK_PANEL,
    LIT_PANEL,
    TONES,
    Hue,
    contrast,
    luminance,
)
from appliance.displays.scene import Box, Code, Mark, Surface, Text
from appliance.displays.screens import draw
from appliance.displays.words import LANGUAGES
from appliance.errors import ConfigError
from appliance.ports import Look, Screen

OLED = (128, 64)
TFT = (480, 320)
SIZES = [(OLED, True), (TFT, False), ((800, 480), False), ((480, 800), False), ((256, 64), True)]
SMALLEST = [((128, 32), True), ((96, 64), False), ((128, 128), False), (SIZE_MIN, True)]
GOING = (Look.GRANTED, Look.PLEASE_PASS, Look.FREE_PASSAGE)
WITH_ATTENTION = Screen(
    Look.GRANTED, attention=("Carte étudiant",), detail="Réduit", seat="Parterre · F · 12"
)
LINK = "https://10.0.0.5:8080/s#482913"
ENROLLING = Screen(Look.ENROLLING, title="482 913", detail=LINK)
REFUSALS = [answer for answer in Answer if answer is not Answer.GRANTED]
DETAIL = {
    Answer.ALREADY_USED: "19:02 · Porte B",
    Answer.WRONG_PERFORMANCE: "Le Cid, salle Richelieu",
    Answer.WRONG_CHECKPOINT: "Porte C",
    Answer.NOT_YET_VALID: "19:00",
    Answer.INCOMPLETE: "date de naissance",
    Answer.GATE_LOCKED: "Porte B",
}
LONG = "Le très long titre d'un spectacle dont personne ne retient le nom complet " * 5
DETAILS = [
    "",
    LONG,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "🎭🎪 Le Cirque 🤡 👩‍👩‍👧‍👦",
    "קרמן, אולם 3",
    "كارمن في الساعة 20:30",
    "H̷̛̹͋̈́͂e̵̢̛͎̿ C̸̖̈́̃o̴͚͑̽m̷̠̐e̶͇͝s̵̱̆ " * 4,
    "東京公演",
    "one\nline\ttwo\x00\x07",
]


def denied(answer: Answer, **more: object) -> Screen:
    is_exit = answer in (Answer.EXIT_NOT_ALLOWED, Answer.NOT_INSIDE)
    direction = Direction.EXIT if is_exit else Direction.ENTRY
    return Screen(Look.DENIED, direction, answer, **{"detail": DETAIL.get(answer, ""), **more})


def every_screen(**more: object) -> list[Screen]:
    looks = [
        Screen(look, direction, **more)
        for look in Look
        if look is not Look.DENIED
        for direction in Direction
    ]
    let_out = Screen(Look.GRANTED, Direction.EXIT, Answer.NOT_INSIDE, **more)
    with_attention = Screen(Look.GRANTED, attention=("!",), detail="Réduit", **more)
    return [*looks, let_out, with_attention, *(denied(answer, **more) for answer in REFUSALS)]


def texts(scene) -> list[str]:
    return [line for item in scene.items if isinstance(item, Text) for line in item.fitted.lines]


def said(scene) -> str:
    return " ".join(texts(scene))


# --- meaning ----------------------------------------------------------------------------------


def test_every_answer_and_every_look_has_an_appearance():
    assert set(ANSWERS) == set(Answer)
    assert set(LOOKS) | {Look.GRANTED, Look.DENIED} == set(Look)
    assert set(WAYS) == set(Direction)


def test_no_two_answers_share_a_shape():
    shapes = [appearance.shape for appearance in (*ANSWERS.values(), *LOOKS.values())]
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("side", [24, 36, 120])
def test_shapes_are_told_apart_without_their_colour(side):
    """They differ in a twentieth of the square at least, on one bit, down to the smallest icons."""
    used = {appearance.shape for appearance in (*ANSWERS.values(), *LOOKS.values())}
    used.add(Shape.LEAVING_ARROW)
    bits = {shape: icons.mask(shape, side).point(lambda v: 255 * (v >= 128)) for shape in used}
    for one, other in combinations(sorted(used), 2):
        difference = ImageChops.difference(bits[one], bits[other]).histogram()[255]
        assert difference >= side * side / 20, f"{one} looks like {other}"


def test_every_shape_can_be_drawn_at_any_size_and_leaves_nobody_with_a_blank():
    for shape in Shape:
        for side in (1, 9, 11, 200):
            mask = icons.mask(shape, side)
            assert mask.size == (side, side)
            assert mask.getextrema()[1] > 60, f"{shape} vanishes at {side} pixels"


def test_the_colours_are_those_of_the_table():
    hues = {hue: {answer for answer in Answer if ANSWERS[answer].hue is hue} for hue in Hue}
    assert hues[Hue.GREEN] == {Answer.GRANTED}
    assert hues[Hue.BLUE] == {Answer.INCOMPLETE, Answer.LIST_EXPIRED, Answer.LIST_UNTRUSTED}
    assert hues[Hue.BLACK] == {Answer.GATE_LOCKED}
    assert hues[Hue.ORANGE] == {
        Answer.WRONG_PERFORMANCE,
        Answer.WRONG_CHECKPOINT,
        Answer.NOT_YET_VALID,
        Answer.NO_LONGER_VALID,
        Answer.FULL,
    }
    assert hues[Hue.YELLOW] == {
        Answer.ALREADY_USED,
        Answer.ALREADY_INSIDE,
        Answer.NOT_INSIDE,
        Answer.NO_PASSES_LEFT,
        Answer.DAILY_LIMIT_REACHED,
        Answer.EXIT_NOT_ALLOWED,
    }
    assert appearance_of(Screen(Look.NOT_PASSED)).hue is Hue.GREY


def test_a_granted_exit_shows_an_arrow_that_leaves():
    exit_granted = Screen(Look.GRANTED, Direction.EXIT)
    assert appearance_of(exit_granted) == (Hue.GREEN, Shape.LEAVING_ARROW)


def test_an_admission_with_attention_goes_and_says_what_to_look_at():
    assert appearance_of(WITH_ATTENTION) == (Hue.BLUE, Shape.TICK_ALARM)
    title, *rest = texts(compose(WITH_ATTENTION, "fr", TFT, is_mono=False))[1:]
    assert title == "Valide"
    assert " ".join(rest).replace("\u00a0", " ").startswith("Vérifiez : Carte étudiant")
    assert "Réduit" in " ".join(rest)
    plain = Screen(Look.GRANTED, detail="Réduit")
    assert appearance_of(plain) == (Hue.GREEN, Shape.TICK)


def test_whoever_went_through_leaves_no_green_to_the_next():
    assert appearance_of(Screen(Look.PASSED)).hue is Hue.NIGHT


@pytest.mark.parametrize(
    ("size", "is_mono"), [(OLED, True), ((256, 64), True), (TFT, False), ((480, 800), False)]
)
def test_the_link_of_an_enrolment_is_a_code_that_is_read_back(size, is_mono):
    picture = draw(ENROLLING, "fr", size, "1" if is_mono else "RGB").convert("L")
    zoomed = picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST)
    (read,) = zxingcpp.read_barcodes(zoomed)
    assert read.text == LINK
    assert "482 913" in said(compose(ENROLLING, "fr", size, is_mono=is_mono)).replace("\u00a0", " ")


@pytest.mark.parametrize("link", ["x" * 300, "x" * 8000], ids=["too fine", "too long"])
def test_a_link_that_a_small_panel_cannot_show_is_told_as_text(link):
    told = compose(Screen(Look.ENROLLING, title="482 913", detail=link), "fr", OLED, is_mono=True)
    assert not any(isinstance(item, Code) for item in told.items)
    assert "482\u00a0913" in texts(told)
    bare = compose(Screen(Look.ENROLLING, detail=link), "fr", OLED, is_mono=True)
    assert "xxx" in said(bare)


def test_a_refusal_without_a_reason_is_a_fault_of_the_caller():
    for answer in (None, Answer.GRANTED):
        with pytest.raises(ValueError, match="needs the reason"):
            answer_of(Screen(Look.DENIED, answer=answer))


def test_whom_the_arm_lets_out_in_spite_of_a_refusal_is_told_both():
    scene = compose(
        Screen(Look.GRANTED, Direction.EXIT, Answer.NOT_INSIDE), "en", TFT, is_mono=False
    )
    assert "Not checked in" in said(scene)
    assert "You may go through" in said(scene)
    assert scene.ground == TONES[Hue.YELLOW].ground


# --- what is always there ---------------------------------------------------------------------


@pytest.mark.parametrize(("size", "is_mono"), SIZES + SMALLEST)
def test_the_direction_is_on_every_screen(size, is_mono):
    for screen in every_screen(degraded=True, occupancy=12_345):
        marks = [
            item.shape
            for item in compose(screen, "fr", size, is_mono=is_mono).items
            if isinstance(item, Mark)
        ]
        assert WAYS[screen.direction] in marks
        assert appearance_of(screen).shape in marks


@pytest.mark.parametrize(("size", "is_mono"), SIZES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_degraded_mode_is_a_banner_on_every_screen(size, is_mono, language):
    word = {"fr": "dégradé", "en": "Degraded"}[language]
    for screen in every_screen(occupancy=12_345):
        assert word not in said(compose(screen, language, size, is_mono=is_mono))
    for screen in every_screen(degraded=True, occupancy=12_345):
        scene = compose(screen, language, size, is_mono=is_mono)
        assert word.lower() in said(scene).lower()
        banner = next(
            item for item in scene.items if isinstance(item, Text) and word.lower() in said_by(item)
        )
        assert (banner.ink, banner.ground) != (scene.ground, scene.ground)
        assert any(
            isinstance(item, Surface)
            and item.colour == banner.ground
            and item.box.holds(banner.box.inset(0, 2))
            for item in scene.items
        )


def said_by(item: Text) -> str:
    return " ".join(item.fitted.lines).lower()


@pytest.mark.parametrize(("size", "is_mono"), SIZES)
def test_the_counter_shows_who_is_inside(size, is_mono):
    idle = Screen(Look.IDLE, title="Carmen", occupancy=12_345)
    assert "12\u202f345" in texts(compose(idle, "fr", size, is_mono=is_mono))
    assert "12,345" in texts(compose(idle, "en", size, is_mono=is_mono))
    unknown = compose(Screen(Look.IDLE, title="Carmen"), "fr", size, is_mono=is_mono)
    assert Shape.PERSON not in [item.shape for item in unknown.items if isinstance(item, Mark)]


@pytest.mark.parametrize(("size", "is_mono"), [(OLED, True), (TFT, False), ((480, 800), False)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_titles_and_details_are_shown_whole(size, is_mono, language):
    for screen in every_screen(degraded=True, occupancy=812):
        for item in compose(screen, language, size, is_mono=is_mono).items:
            assert not isinstance(item, Text) or not item.fitted.is_cut, item


# --- nothing overflows ------------------------------------------------------------------------


def assert_all_within(screen: Screen, language: str, size: tuple[int, int], is_mono: bool) -> None:
    scene = compose(screen, language, size, is_mono=is_mono)
    canvas = Box(0, 0, *size)
    for item in scene.items:
        assert canvas.holds(item.box), item
        if isinstance(item, Text):
            assert item.fitted.height <= item.box.height, item
            for line in item.fitted.lines:
                assert item.fitted.type.width(line) <= item.box.width, (item, line)
    apart = [
        item.box
        for item in scene.items
        if isinstance(item, Mark) or (isinstance(item, Text) and item.fitted.lines)
    ]
    for one, other in combinations(apart, 2):
        across = min(one.right, other.right) - max(one.left, other.left)
        down = min(one.bottom, other.bottom) - max(one.top, other.top)
        assert across <= 0 or down <= 0, f"{one} and {other} overlap"


@pytest.mark.parametrize(("size", "is_mono"), SIZES + SMALLEST)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_screen_stays_within_its_bounds(size, is_mono, language):
    for screen in every_screen(degraded=True, occupancy=12_345):
        assert_all_within(screen, language, size, is_mono)


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize(("size", "is_mono"), [(OLED, True), (TFT, False), ((96, 64), False)])
def test_whatever_the_detail_and_the_title_nothing_overflows(detail, size, is_mono):
    for screen in (
        Screen(Look.IDLE, title=detail, detail=detail, degraded=True, occupancy=-3),
        denied(Answer.WRONG_PERFORMANCE, detail=detail),
        denied(Answer.NOT_YET_VALID, detail=detail, degraded=True),
        Screen(Look.OUT_OF_SERVICE, fault=detail[:40]),
        Screen(Look.GRANTED, detail=detail),
    ):
        assert_all_within(screen, "fr", size, is_mono)
        draw(screen, "fr", size, "1" if is_mono else "RGB")


@pytest.mark.parametrize("detail", [detail for detail in DETAILS if detail])
def test_ink_stays_off_the_edges(detail):
    """Pixels, not boxes: whatever is written, the body's own margin stays bare."""
    screen = denied(Answer.WRONG_PERFORMANCE, detail=detail)
    picture = draw(screen, "fr", TFT, "RGB")
    right_margin = picture.crop((TFT[0] - 10, 60, TFT[0], TFT[1]))
    assert right_margin.getcolors() == [(10 * (TFT[1] - 60), TONES[Hue.ORANGE].ground)]


def test_a_text_is_shrunk_then_wrapped_then_cut():
    def title_of(title: str):
        items = compose(Screen(Look.IDLE, title=title), "fr", TFT, is_mono=False).items
        return next(
            item.fitted
            for item in items
            if isinstance(item, Text) and item.fitted.lines[0][:2] == title[:2]
        )

    short, wrapped, cut = title_of("Carmen"), title_of("Carmen et les autres"), title_of(LONG)
    assert len(short.lines) == 1
    assert short.type.px > wrapped.type.px > cut.type.px
    assert 1 < len(wrapped.lines) <= 3
    assert not wrapped.is_cut
    assert cut.is_cut
    assert cut.lines[-1].endswith("…")


def test_what_the_typeface_cannot_show_is_left_out():
    assert fonts.showable("🎭🎪 Le Cirque 🤡 👩‍👩‍👧‍👦") == "Le Cirque"
    assert fonts.showable("東京 Ballet") == "▯ Ballet"
    assert fonts.showable("a\tb\r\nc\x00d\u202e") == "a b c d"
    assert fonts.showable("Déjà vu œ € №") == "Déjà vu œ € №"
    assert len(fonts.showable("x" * 10_000)) == fonts.CODE_POINTS_MAX + 1


def test_text_from_right_to_left_begins_at_the_right():
    """In its own script's order, with the shaping library or without it."""
    screen = Screen(Look.IDLE, title="כרמן")
    body = draw(screen, "fr", TFT, "RGB").crop((190, 60, 480, 190))
    ground = Image.new("RGB", body.size, TONES[Hue.NIGHT].ground)
    ink = ImageChops.difference(body, ground).getbbox()
    assert body.width - ink[2] < ink[0]


@pytest.mark.parametrize(
    ("logical", "seen"),
    [
        ("קרמן", "ןמרק"),
        ("קרמן 3", "3 ןמרק"),
        ("אולם 12 קרמן", "ןמרק 12 םלוא"),
        ("Salle קרמן 3", "Salle ןמרק 3"),
    ],
)
def test_without_a_shaping_library_words_are_put_in_the_order_they_are_seen(logical, seen):
    assert fonts.in_sight_order(logical) == seen


@pytest.mark.parametrize("shapes", [True, False])
def test_hebrew_and_arabic_are_drawn_with_and_without_a_shaping_library(shapes, monkeypatch):
    if shapes and not fonts.can_shape():
        shapes = False  # this machine has none: both runs prove the other way
    fonts.can_shape.cache_clear()
    monkeypatch.setattr(fonts.features, "check", lambda _: shapes)
    try:
        for title in ("קרמן, אולם 3", "كارمن 20:30"):
            for size, mode in ((OLED, "1"), (TFT, "RGB")):
                draw(Screen(Look.IDLE, title=title), "fr", size, mode)
                assert_all_within(Screen(Look.IDLE, title=title), "fr", size, mode == "1")
    finally:
        monkeypatch.undo()
        fonts.can_shape.cache_clear()


@pytest.mark.parametrize("size", [(95, 64), (128, 31), (0, 0)])
def test_a_size_on_which_nothing_can_be_read_is_refused(size):
    with pytest.raises(ValueError, match="a screen needs 96x32"):
        draw(Screen(Look.IDLE), "fr", size, "1")


def test_a_missing_typeface_names_its_package(monkeypatch, tmp_path):
    monkeypatch.setattr(fonts, "FOLDER", tmp_path)
    fonts.font.cache_clear()
    try:
        with pytest.raises(ConfigError, match="install the Debian package fonts-dejavu-core"):
            draw(Screen(Look.IDLE), "fr", OLED, "1")
    finally:
        fonts.font.cache_clear()


# --- readable ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tone", [*TONES.values(), DARK_PANEL, LIT_PANEL])
def test_every_ink_stands_out_from_its_ground(tone):
    for ink, ground in (
        (tone.ink, tone.ground),
        (tone.ink, tone.band),
        (tone.banner_ink, tone.banner),
    ):
        assert contrast(ink, ground) >= CONTRAST_MIN


def test_contrast_is_what_wcag_defines():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    assert luminance((255, 0, 0)) == pytest.approx(0.2126)


@pytest.mark.parametrize(("size", "is_mono"), SIZES + SMALLEST)
def test_what_is_placed_is_readable_on_what_lies_under_it(size, is_mono):
    """The ground that a text or mark claims is the one that is painted there."""
    for screen in every_screen(degraded=True, occupancy=812):
        scene = compose(screen, "fr", size, is_mono=is_mono)
        for number, item in enumerate(scene.items):
            if isinstance(item, Surface):
                continue
            under = scene.ground
            x, y = item.box.left + item.box.width // 2, item.box.top + item.box.height // 2
            for below in scene.items[:number]:
                if isinstance(below, Surface) and below.box.holds(Box(x, y, 1, 1)):
                    under = below.colour
            assert item.ground == under
            assert contrast(item.ink, under) >= CONTRAST_MIN


def linear(colour):
    return [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in colour]


# What is left of linear red, green and blue without the long or the middle cones (Viénot, Brettel
# and Mollon 1999), and the way from there to CIE Lab.
BLINDNESS = {
    "protanopia": ((0.112, 0.888, 0), (0.112, 0.888, 0), (0.004, -0.004, 1)),
    "deuteranopia": ((0.293, 0.707, 0), (0.293, 0.707, 0), (-0.022, 0.022, 1)),
}
XYZ = ((0.4339, 0.3762, 0.1899), (0.2126, 0.7152, 0.0722), (0.0177, 0.1095, 0.8729))


def lab(linear_rgb):
    def root(t):
        return t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116

    x, y, z = (root(sum(a * b for a, b in zip(row, linear_rgb, strict=True))) for row in XYZ)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("hue", [hue for hue in Hue if hue is not Hue.GREEN])
def test_green_differs_from_every_other_ground_for_the_colour_blind(kind, hue):
    def seen(colour):
        mixed = (
            sum(a * b for a, b in zip(row, linear(colour), strict=True)) for row in BLINDNESS[kind]
        )
        return lab([min(1.0, max(0.0, value)) for value in mixed])

    one, other = seen(TONES[Hue.GREEN].ground), seen(TONES[hue].ground)
    distance = sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5
    assert distance >= 20  # about ten times what is just noticed side by side


def test_on_one_bit_only_who_may_go_is_lit():
    for screen in every_screen():
        picture = draw(screen, "fr", OLED, "1")
        lit = picture.convert("L").histogram()[255] / (OLED[0] * OLED[1])
        assert (lit > 0.6) == (screen.look in GOING), (screen, lit)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_is_large_enough_to_be_read_from_afar(language):
    """On a 7-inch panel the smallest title has capitals of 7 mm, the icon has 50 mm or more."""
    mm_per_px = 0.19
    for screen in every_screen(degraded=True):
        items = compose(screen, language, (800, 480), is_mono=False).items
        body = [
            item
            for item in items
            if isinstance(item, Text) and item.ground == TONES[appearance_of(screen).hue].ground
        ]
        title = max(item.fitted.type.px for item in body)
        icon = next(
            item
            for item in items
            if isinstance(item, Mark) and item.shape is appearance_of(screen).shape
        )
        assert title * 0.729 * mm_per_px >= 7, screen
        assert icon.box.width * mm_per_px >= 30, screen


def test_the_same_screen_is_drawn_the_same_each_time():
    screen = denied(Answer.ALREADY_USED, degraded=True, occupancy=5)
    assert draw(screen, "fr", TFT, "RGB").tobytes() == draw(screen, "fr", TFT, "RGB").tobytes()
