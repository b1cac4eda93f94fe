"""What stands where on a screen: the values between the layouts, which place, and `screens`.

Plain and comparable; tests look at these rather than at pixels.
"""

from dataclasses import dataclass, replace
from enum import StrEnum, unique

from admission.scan import Direction
from appliance.displays.appearance import Shape
from appliance.displays.fitting import Fitted, Limits, fit
from appliance.displays.fonts import Face
from appliance.displays.palette import Colour, Tone
from appliance.displays.qr_code import Modules
from appliance.displays.words import Words


@dataclass(frozen=True, slots=True)
class Sheet:
    """What there is to place.

    Attributes:
        shape: the screen's own.
        direction: which way people go here.
        words: every text, showable.
        tone: the colours.
        width: of the screen, pixels.
        height: likewise.
        is_mono: whether the panel has one bit per pixel.
        code: a QR code to show; None is none.
    """

    shape: Shape
    direction: Direction
    words: Words
    tone: Tone
    width: int
    height: int
    is_mono: bool
    code: Modules | None = None

    def fit(self, text: str, face: Face, room: tuple[int, int], limits: Limits) -> Fitted:
        """Set a text as large as it goes into a room of so many pixels across and down."""
        return fit(text, face, room, limits, is_mono=self.is_mono)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; the right and lower edges are outside it."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column to the right of it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    def inset(self, across: int, down: int) -> "Box":
        """Give the box within, smaller by so much on each side; never less than nothing."""
        return Box(
            self.left + across,
            self.top + down,
            max(0, self.width - 2 * across),
            max(0, self.height - 2 * down),
        )

    def holds(self, other: "Box") -> bool:
        """Tell whether another box lies within this one."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


@unique
class Align(StrEnum):
    """Where lines begin."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Surface:
    """A filled rectangle."""

    box: Box
    colour: Colour
    round_by: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A shape in a square box."""

    shape: Shape
    box: Box
    ink: Colour
    ground: Colour


@dataclass(frozen=True, slots=True)
class Text:
    """Lines in a box, from its top."""

    fitted: Fitted
    box: Box
    ink: Colour
    ground: Colour
    align: Align


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code, dark on light whatever the screen's colours, in the middle of a light box."""

    modules: Modules
    module_px: int
    box: Box


Item = Surface | Mark | Text | Code


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole screen.

    Attributes:
        width: pixels.
        height: pixels.
        ground: behind everything.
        items: painted in this order.
    """

    width: int
    height: int
    ground: Colour
    items: tuple[Item, ...]


def one_line(fitted: Fitted, box: Box, ink: Colour, ground: Colour, align: Align) -> Text:
    """Stand a text of one line in the middle of a box's height."""
    height = fitted.type.line_height
    top = box.top + (box.height - height) // 2
    return Text(fitted, Box(box.left, top, box.width, height), ink, ground, align)


def without_code(sheet: Sheet) -> Sheet:
    """Give a sheet whose code cannot be shown: the link is told as text if nothing shorter is."""
    words = sheet.words
    return replace(sheet, code=None, words=replace(words, detail=words.detail or words.link))
