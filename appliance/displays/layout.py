"""Where everything stands on a screen. Called by `screens`; arithmetic only, paints nothing."""

from dataclasses import replace
from typing import Final

from appliance.displays.appearance import appearance_of
from appliance.displays.fonts import showable
from appliance.displays.large_layout import place_large
from appliance.displays.palette import DARK_PANEL, LIT_PANEL, TONES, Hue, Tone
from appliance.displays.qr_code import modules_of
from appliance.displays.scene import Scene, Sheet
from appliance.displays.small_layout import place_small
from appliance.displays.words import Words, words_of
from appliance.ports import Look, Screen

SIZE_MIN: Final = (96, 32)  # below this not even the shortest answer can be read
_LARGE_FROM_PX: Final = 160  # a shorter side below this is a small panel


def compose(
    screen: Screen,
    language: str,
    size: tuple[int, int],
    *,
    is_mono: bool,
    is_grey: bool = False,
) -> Scene:
    """Place everything of a screen.

    Args:
        screen: what to show.
        language: of the texts.
        size: width and height, pixels.
        is_mono: whether the panel has one bit per pixel.
        is_grey: whether it has levels of one colour.

    Raises:
        ValueError: if the size is below SIZE_MIN, or as `words.words_of`.
    """
    if size[0] < SIZE_MIN[0] or size[1] < SIZE_MIN[1]:
        raise ValueError(f"a screen needs {SIZE_MIN[0]}x{SIZE_MIN[1]}, got {size[0]}x{size[1]}")
    words = words_of(screen, language)
    sheet = Sheet(
        shape=appearance_of(screen).shape,
        direction=screen.direction,
        words=_showable(words),
        tone=_tone(screen, is_coloured=not (is_mono or is_grey)),
        width=size[0],
        height=size[1],
        is_mono=is_mono,
        code=modules_of(words.link) if words.link else None,
    )
    items = place_large(sheet) if min(size) >= _LARGE_FROM_PX else place_small(sheet)
    return Scene(size[0], size[1], sheet.tone.ground, tuple(items))


def _tone(screen: Screen, *, is_coloured: bool) -> Tone:
    hue = appearance_of(screen).hue
    if is_coloured:
        return TONES[hue]
    is_lit = hue is Hue.GREEN or screen.look is Look.GRANTED
    return LIT_PANEL if is_lit else DARK_PANEL


def _showable(words: Words) -> Words:
    """Make the texts that come from outside showable; the catalogues' own are tested to be so."""
    return replace(
        words,
        title=showable(words.title),
        detail=showable(words.detail),
        line=showable(words.line),
        link=showable(words.link),
    )
