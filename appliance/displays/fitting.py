"""Making a text fit a box: shrink it, then wrap it, then cut it short. Called by `layout`.

The box is never left: what does not fit at the smallest size ends in an ellipsis.
"""

from dataclasses import dataclass
from typing import Final

from appliance.displays.fonts import Face, Type

ELLIPSIS: Final = "…"
_DOT: Final = "·"
_BETWEEN: Final = " · "
_UNBROKEN: Final = "\u00a0"
_PARTS_COST: Final = 1.35  # a text may be so much smaller for lines that end where its parts do
_MARGIN: Final = 112  # percent; hinting makes letters this much narrower at some sizes, no more
_STEP: Final = 24  # sizes tried are about 1/24 apart: finer than the eye, and quick


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text that fits.

    Attributes:
        lines: from top to bottom; none if there was no text.
        type: its face and size.
        is_cut: whether something had to be left out.
    """

    lines: tuple[str, ...]
    type: Type
    is_cut: bool = False

    @property
    def height(self) -> int:
        """All lines together, pixels."""
        return self.type.line_height * len(self.lines)

    @property
    def width(self) -> int:
        """The longest line, pixels."""
        return max((self.type.width(line) for line in self.lines), default=0)


@dataclass(frozen=True, slots=True)
class Limits:
    """How a text may be set.

    Attributes:
        px_max: the size to begin with.
        px_min: the smallest that can still be read.
        lines_max: most lines.
    """

    px_max: int
    px_min: int
    lines_max: int = 1


def fit(text: str, face: Face, room: tuple[int, int], limits: Limits, *, is_mono: bool) -> Fitted:
    """Set a text as large as it goes; its parts between dots stay whole if that costs little.

    Args:
        text: one line, as `fonts.showable` makes it.
        face: the weight.
        room: width and height that there are, pixels.
        limits: sizes and lines.
        is_mono: whether the panel has one bit per pixel.
    """
    fitted = _fit(text, face, room, limits, is_mono=is_mono)
    if _BETWEEN not in text:
        return fitted
    whole = _BETWEEN.join(part.replace(" ", _UNBROKEN) for part in text.split(_BETWEEN))
    kept = _fit(whole, face, room, limits, is_mono=is_mono)
    is_worth = not kept.is_cut and kept.type.px * _PARTS_COST >= fitted.type.px
    return kept if is_worth or kept.lines == fitted.lines else fitted


def _fit(text: str, face: Face, room: tuple[int, int], limits: Limits, *, is_mono: bool) -> Fitted:
    px = _px_start(text, face, room[0], limits, is_mono=is_mono)
    while text and px >= limits.px_min:
        type_ = Type(face, px, is_mono)
        lines = _wrap(text, type_, room[0])
        if lines is not None and _fits(lines, type_, room[1], limits):
            return Fitted(_balanced(text, type_, lines), type_)
        px -= max(1, px // _STEP)
    smallest = Type(face, limits.px_min, is_mono)
    return _cut(text, smallest, room, limits) if text else Fitted((), smallest)


def _px_start(text: str, face: Face, width: int, limits: Limits, *, is_mono: bool) -> int:
    """Skip the sizes at which the longest word is far too wide: widths grow with the size."""
    at_max = Type(face, limits.px_max, is_mono)
    widest = max(at_max.width(word) for word in text.split(" "))
    return min(limits.px_max, limits.px_max * width * _MARGIN // max(1, widest * 100))


def _fits(lines: list[str], type_: Type, height: int, limits: Limits) -> bool:
    return len(lines) <= limits.lines_max and len(lines) * type_.line_height <= height


def _wrap(text: str, type_: Type, width: int) -> list[str] | None:
    """Break at spaces; None if a single word is too wide."""
    lines: list[str] = []
    for word in text.split(" "):
        if type_.width(word) > width:
            return None
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and type_.width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_without_dot(line) for line in lines]


def _balanced(text: str, type_: Type, lines: list[str]) -> tuple[str, ...]:
    """Break as many lines so that the longest is as short as it can be: no word stands alone."""
    best = lines
    while True:
        narrower = max(type_.width(line) for line in best) - 1
        lines_next = _wrap(text, type_, narrower)
        if lines_next is None or len(lines_next) > len(best):
            return tuple(best)
        best = lines_next


def _without_dot(line: str) -> str:
    """Take off the dot that separated what now stands on two lines."""
    return line.removeprefix(_DOT + " ").removesuffix(" " + _DOT)


def _cut(text: str, type_: Type, room: tuple[int, int], limits: Limits) -> Fitted:
    """Fill the room at the smallest size, breaking words where it must, and end in an ellipsis."""
    lines_max = max(1, min(limits.lines_max, room[1] // type_.line_height))
    lines: list[str] = []
    rest = text
    while rest and len(lines) < lines_max:
        head = _longest_head(rest, type_, room[0])
        lines.append(head.rstrip(" "))
        rest = rest[len(head) :].lstrip(" ")
    if rest:
        lines[-1] = _with_ellipsis(lines[-1], type_, room[0])
    return Fitted(tuple(lines), type_, is_cut=bool(rest))


def _longest_head(text: str, type_: Type, width: int) -> str:
    """Give the longest beginning that fits, up to a space if there is one; never nothing."""
    if type_.width(text) <= width:
        return text
    end = 1
    while end < len(text) and type_.width(text[: end + 1]) <= width:
        end += 1
    space = text.rfind(" ", 0, end + 1)
    return text[:space] if space > 0 else text[:end]


def _with_ellipsis(line: str, type_: Type, width: int) -> str:
    while line and type_.width(line + ELLIPSIS) > width:
        line = line[:-1].rstrip(" ")
    return line + ELLIPSIS
