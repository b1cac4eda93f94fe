"""The colours of the screens, and the arithmetic that proves them readable.

Called by `appearance`, `layout` and the tests. Knows no picture and no screen. Every pair of ink
and ground stands at least CONTRAST_MIN apart; colour is never the only carrier of a meaning, but
admission still differs from refusal in lightness for people who do not tell red from green.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

Colour = tuple[int, int, int]

CONTRAST_MIN: Final = 4.5  # WCAG 2.2, success criterion 1.4.3, level AA
_WHITE: Final[Colour] = (255, 255, 255)
_BLACK: Final[Colour] = (0, 0, 0)
_COAL: Final[Colour] = (20, 20, 22)


@unique
class Hue(StrEnum):
    """What a screen's colour says, in the words of the people who stand before it."""

    GREEN = "green"
    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"
    GREY = "grey"
    BLACK = "black"
    NIGHT = "night"


@dataclass(frozen=True, slots=True)
class Tone:
    """The colours of one screen.

    Attributes:
        ground: behind everything.
        ink: of the icon and of the texts.
        band: behind the header, a shade of the ground; `ink` is readable on it too.
        banner: behind the banner of degraded mode.
        banner_ink: on it.
    """

    ground: Colour
    ink: Colour
    band: Colour
    banner: Colour = _COAL
    banner_ink: Colour = (255, 203, 46)


TONES: Final[dict[Hue, Tone]] = {
    Hue.GREEN: Tone((0, 126, 90), _WHITE, (0, 102, 73)),
    Hue.BLUE: Tone((12, 88, 190), _WHITE, (8, 70, 154)),
    Hue.YELLOW: Tone((255, 209, 26), _COAL, (238, 188, 0)),
    Hue.ORANGE: Tone((255, 138, 31), _COAL, (236, 116, 6)),
    Hue.RED: Tone((182, 14, 36), _WHITE, (146, 10, 28)),
    Hue.GREY: Tone((72, 76, 88), _WHITE, (56, 60, 71)),
    Hue.BLACK: Tone((10, 11, 13), _WHITE, (34, 36, 41), (255, 203, 46), _COAL),
    Hue.NIGHT: Tone((17, 34, 64), _WHITE, (27, 49, 88)),
}
DARK_PANEL: Final = Tone(_BLACK, _WHITE, _BLACK, _WHITE, _BLACK)
LIT_PANEL: Final = Tone(_WHITE, _BLACK, _WHITE, _BLACK, _WHITE)


def luminance(colour: Colour) -> float:
    """Give the relative luminance of an sRGB colour, 0 (black) to 1 (white)."""
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """Give the contrast ratio of two colours as WCAG defines it, 1 (same) to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
