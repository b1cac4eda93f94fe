"""Whatever a ticket, a list or a gate is called: nothing overflows, nothing fails, nothing is lost.

Names in every script, emoji with their joiners, stacks of accents, marks of direction, controls.
"""

import unicodedata
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admission.operating_mode import Cause
from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.fonts import CODE_POINTS_MAX, showable
from appliance.displays.layout import SIZE_MIN, compose
from appliance.displays.scene import Box, Code, Mark, Scene, Surface, Text
from appliance.displays.screens import draw
from appliance.displays.words import LANGUAGES, spoken, words_of
from appliance.ports import Look, Screen

PANELS = [
    ((128, 64), "1"),
    ((128, 32), "1"),
    ((256, 64), "L"),
    (SIZE_MIN, "1"),
    ((480, 320), "RGB"),
    ((480, 800), "RGB"),
    ((1280, 720), "RGB"),
]
SCRIPTS = {
    "latin": "aéèœßŁ ẞ-'’ MmWwIi",
    "greek and cyrillic": "ΑΩλ ЖЩю",
    "right to left": "כרמן אולם كارمن ة\u0640 20",
    "combining": "e\u0301\u0316\u0334\u0330\u20dd a\u0308",
    "emoji": "🎭🎪👩\u200d👩\u200d👧🏽\ufe0f ❤️",
    "east asian": "東京公演 서울",
    "controls": "\x00\x07\t\n\r\x1b[31m\u202e\u2066\u2069\u200b\ufeff",
    "beyond": "\ud800\U000f0000\U0010ffff\u0378",
}
pieces = st.one_of(*(st.text(alphabet=alphabet, max_size=24) for alphabet in SCRIPTS.values()))
names = st.one_of(
    st.lists(pieces, max_size=5).map("".join),
    st.text(max_size=40),
    st.integers(100, 2000).map(lambda count: "Donaudampfschiff" * (count // 16)),
)
refusals = st.sampled_from([answer for answer in Answer if answer is not Answer.GRANTED])
looks = st.sampled_from([look for look in Look if look is not Look.DENIED])


@st.composite
def screens(drawing) -> Screen:
    """Any screen that a gate may show, with any texts."""
    look = drawing(st.one_of(looks, st.just(Look.DENIED)))
    is_granted = look is Look.GRANTED
    answer = drawing(refusals) if look is Look.DENIED else None
    return Screen(
        look,
        drawing(st.sampled_from(Direction)),
        answer,
        degraded=drawing(st.booleans()),
        degraded_by=drawing(st.one_of(st.none(), st.sampled_from(Cause))),
        degraded_min=drawing(st.integers(0, 10**6)),
        title=drawing(names),
        detail=drawing(names),
        fault=drawing(st.sampled_from(["", "GT-CAM", "GT-XYZ"])),
        occupancy=drawing(st.one_of(st.none(), st.integers(-(10**7), 10**7))),
        attention=tuple(drawing(st.lists(names, max_size=3))) if is_granted else (),
        seat=drawing(names),
        holder=drawing(names),
        gate=drawing(st.one_of(st.none(), names)),
    )


def assert_within(scene: Scene, size: tuple[int, int]) -> None:
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
        if isinstance(item, Mark | Code) or (isinstance(item, Text) and item.fitted.lines)
    ]
    for one, other in combinations(apart, 2):
        across = min(one.right, other.right) - max(one.left, other.left)
        down = min(one.bottom, other.bottom) - max(one.top, other.top)
        assert across <= 0 or down <= 0, f"{one} and {other} overlap"


@pytest.mark.parametrize(("size", "mode"), PANELS)
@given(screen=screens(), language=st.sampled_from(LANGUAGES))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_screen_is_drawn_within_its_bounds(size, mode, screen, language):
    scene = compose(screen, language, size, is_mono=mode == "1", is_grey=mode == "L")
    assert_within(scene, size)
    picture = draw(screen, language, size, mode)
    assert (picture.size, picture.mode) == (size, mode)


@given(screen=screens(), language=st.sampled_from(LANGUAGES))
@settings(max_examples=20, deadline=None)
def test_what_is_left_out_ends_in_an_ellipsis(screen, language):
    for item in compose(screen, language, (480, 320), is_mono=False).items:
        if isinstance(item, Text) and item.fitted.is_cut:
            assert item.fitted.lines[-1].endswith("…")


@given(screen=screens(), language=st.sampled_from(LANGUAGES))
@settings(max_examples=20, deadline=None)
def test_the_answer_itself_is_never_left_out(screen, language):
    """However long the names: the title of an answer is on the screen, whole."""
    if screen.look in (Look.IDLE, Look.ENROLLING):
        return
    title = words_of(screen, language).title
    scene = compose(screen, language, (480, 320), is_mono=False)
    shown = " ".join(
        line for item in scene.items if isinstance(item, Text) for line in item.fitted.lines
    )
    assert title.replace("\u00a0", " ") in shown.replace("\u00a0", " ")


@given(text=names)
@settings(max_examples=150, deadline=None)
def test_what_is_shown_of_a_name_is_one_line_without_anything_unseen(text):
    shown = showable(text)
    assert len(shown) <= 2 * CODE_POINTS_MAX
    assert shown == shown.strip(" ")
    assert "  " not in shown
    for sign in shown:
        assert unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@given(screen=screens(), language=st.sampled_from(LANGUAGES))
@settings(max_examples=40, deadline=None)
def test_a_screen_is_told_in_words_that_can_be_sent(screen, language):
    told = spoken(screen, language)
    told.encode("utf-8")
    if screen.look is not Look.GRANTED:
        return
    isolates = told.count("\u2068"), told.count("\u2069")
    assert isolates[0] == isolates[1]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("size", "mode"), [panel for panel in PANELS if panel[0] not in (SIZE_MIN, (128, 32))]
)
def test_every_message_of_every_language_fits_every_panel(size, mode, language):
    """With no name in it nothing is cut short anywhere, the banner's reasons included."""
    answers = [answer for answer in Answer if answer is not Answer.GRANTED]
    for screen in (
        *(Screen(look, title="Carmen") for look in Look if look is not Look.DENIED),
        *(Screen(Look.DENIED, answer=answer) for answer in answers),
        *(Screen(Look.IDLE, degraded=True, degraded_by=c, degraded_min=754) for c in Cause),
    ):
        scene = compose(screen, language, size, is_mono=mode == "1", is_grey=mode == "L")
        for item in scene.items:
            assert not isinstance(item, Text) or not item.fitted.is_cut, (screen, item)
        assert any(isinstance(item, Mark | Surface) for item in scene.items)
