"""The typeface of the screens, and what it can show. Called by the layouts and `screens`.

DejaVu Sans: it comes as one Debian package, the same since 2016, and has Latin, Greek, Cyrillic,
Hebrew and Arabic. Text is laid out letter by letter, which is the same on every machine; only
text from right to left goes through the shaping library, where there is one.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Final, Literal

from PIL import ImageFont, features

from appliance.errors import ConfigError

FOLDER: Final = Path("/usr/share/fonts/truetype/dejavu")
_PACKAGE: Final = "fonts-dejavu-core"
_FONTS_KEPT: Final = 96  # every size that fitting tries for a handful of screens
_LINES_KEPT: Final = 4096  # measures of words at sizes tried: the same few screens come again
_GLYPHS_KEPT: Final = 4096
CODE_POINTS_MAX: Final = 160  # a text that fits no screen anyway; bounds the work of fitting
_PROBE_PX: Final = 16
_SMOOTH_FROM_PX: Final = 13
_LEADING: Final = 1.16  # DejaVu's own line
_NO_GLYPH: Final = "￿"  # a code point that no font may have: draws the sign for "missing"
_STAND_IN: Final = "▯"
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_NEUTRAL: Final = frozenset({"WS", "ON", "NSM", "CS", "ES", "ET"})


@unique
class Face(StrEnum):
    """The two weights in use."""

    BOLD = "DejaVuSans-Bold.ttf"
    BOOK = "DejaVuSans.ttf"


@dataclass(frozen=True, slots=True)
class Type:
    """A face at a size.

    Attributes:
        face: the weight.
        px: the size in pixels, about from the highest ascender to the lowest descender.
        is_mono: whether it is for a panel of one bit.
    """

    face: Face
    px: int
    is_mono: bool = False

    @property
    def mode(self) -> Literal["1", "L"]:
        """How letters are drawn: with pixels on or off where they are very small on one bit.

        Larger letters of one bit are drawn smooth and cut at half, which keeps bold bold; below
        this size that would tear them.
        """
        return "1" if self.is_mono and self.px < _SMOOTH_FROM_PX else "L"

    @property
    def ascent(self) -> int:
        """From the top of a line to its baseline, pixels."""
        return font(self.face, self.px).getmetrics()[0]

    @property
    def line_height(self) -> int:
        """From one line to the next, pixels: accents on capitals and descenders included."""
        return max(ceil(self.px * _LEADING), sum(font(self.face, self.px).getmetrics()))

    def width(self, text: str) -> int:
        """Give a line's width, pixels: its advance or its ink, whichever is wider."""
        return _measure(self, text)[1]

    def overhang(self, text: str) -> int:
        """Give how far a line's ink begins to the left of its pen, pixels."""
        return _measure(self, text)[0]


@lru_cache(maxsize=_FONTS_KEPT)
def font(face: Face, px: int, *, shaped: bool = False) -> ImageFont.FreeTypeFont:
    """Load a face at a size.

    Args:
        face: which weight.
        px: the size.
        shaped: whether the shaping library lays the text out, for text from right to left.

    Raises:
        ConfigError: if the typeface is not installed; its package is named.
    """
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    path = FOLDER / face
    if not path.is_file():  # Pillow would go and look for one of the same name elsewhere
        raise ConfigError(f"the typeface {path} is missing; install the Debian package {_PACKAGE}")
    return ImageFont.truetype(str(path), px, layout_engine=engine)


@lru_cache(maxsize=_LINES_KEPT)
def _measure(type_: Type, text: str) -> tuple[int, int]:
    """Give a line's overhang to the left, and its width with it."""
    shaped = is_shaped(text)
    face = font(type_.face, type_.px, shaped=shaped)
    direction = direction_of(text) if shaped else None
    left, _, right, _ = face.getbbox(text, type_.mode, direction=direction, anchor="ls")
    overhang = max(0, ceil(-left))
    advance = face.getlength(text, type_.mode, direction=direction)
    return overhang, overhang + max(ceil(advance), ceil(right))


def showable(text: str) -> str:
    """Make a text one line that the typeface can show.

    White space and controls become single spaces, marks of direction vanish, pictures (emoji)
    vanish, letters that the typeface lacks become one "▯" per run; over 160 code points it is cut.
    """
    cut = unicodedata.normalize("NFC", text[:CODE_POINTS_MAX])
    signs: list[str] = []
    for sign in cut:
        shown = _shown(sign)
        if not (shown == _STAND_IN and signs and signs[-1] == _STAND_IN):
            signs.append(shown)
    line = " ".join("".join(signs).split(" ")).strip(" ")
    while "  " in line:
        line = line.replace("  ", " ")
    return line + "…" if len(text) > CODE_POINTS_MAX else line


def direction_of(text: str) -> Literal["rtl", "ltr"]:
    """Tell which way a text runs: the first letter with a direction decides."""
    for sign in text:
        direction = unicodedata.bidirectional(sign)
        if direction in _RIGHT_TO_LEFT:
            return "rtl"
        if direction == "L":
            return "ltr"
    return "ltr"


def runs_backwards(text: str) -> bool:
    """Tell whether any letter is of a script from right to left."""
    return any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in text)


def is_shaped(text: str) -> bool:
    """Tell whether the shaping library is needed for a text, and there."""
    return runs_backwards(text) and can_shape()


def in_sight_order(text: str) -> str:
    """Put a text into the order in which it is seen, for a layout that goes from left to right.

    What is used where the shaping library is missing: words read right, Arabic letters stay apart.
    """
    is_backwards = direction_of(text) == "rtl"
    runs: list[tuple[bool, str]] = []
    for sign, backwards in zip(text, _ways(text, is_backwards=is_backwards), strict=True):
        if runs and runs[-1][0] == backwards:
            runs[-1] = (backwards, runs[-1][1] + sign)
        else:
            runs.append((backwards, sign))
    ordered = reversed(runs) if is_backwards else iter(runs)
    return "".join(run[::-1] if backwards else run for backwards, run in ordered)


def _ways(text: str, *, is_backwards: bool) -> list[bool]:
    """Tell for each sign whether it runs backwards; spaces and the like go with both neighbours."""
    strong = [
        None
        if unicodedata.bidirectional(sign) in _NEUTRAL
        else unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT
        for sign in text
    ]
    ways = []
    for place, way in enumerate(strong):
        before = next((w for w in reversed(strong[:place]) if w is not None), is_backwards)
        after = next((w for w in strong[place:] if w is not None), is_backwards)
        ways.append(way if way is not None else before if before == after else is_backwards)
    return ways


@lru_cache(maxsize=1)
def can_shape() -> bool:
    """Tell whether Pillow finds its shaping library (raqm, which needs Debian's libfribidi0)."""
    return bool(features.check("raqm"))


def _shown(sign: str) -> str:
    """Give what stands for one code point: itself, a space, nothing, or the stand-in."""
    category = unicodedata.category(sign)
    if category in ("Zs", "Zl", "Zp", "Cc"):
        return sign if sign in "\u00a0\u202f" else " "
    if category in ("Cf", "Co", "Cs", "Cn") or "︀" <= sign <= "️":
        return ""
    if _has_glyph(sign):
        return sign
    return _STAND_IN if category[0] in "LN" else ""


@lru_cache(maxsize=_GLYPHS_KEPT)
def _has_glyph(sign: str) -> bool:
    return _ink(sign) != _ink(_NO_GLYPH)


def _ink(sign: str) -> tuple[tuple[int, int], bytes]:
    mask = font(Face.BOLD, _PROBE_PX).getmask(sign)
    return mask.size, bytes(mask)
