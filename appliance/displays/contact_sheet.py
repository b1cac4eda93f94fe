"""One picture of the most telling screens, in both languages and on both kinds of panel.

Called by `portillon.pictures` for the documentation. Nothing here runs on a gate.
"""

from typing import Final

from PIL import Image, ImageDraw

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.fonts import Face, font
from appliance.displays.screens import draw
from appliance.ports import Look, Screen

_LARGE: Final = (480, 320)
_SMALL: Final = (128, 64)
_SMALL_ZOOM: Final = 3
_COLUMNS: Final = 4
_GAP: Final = 28
_LABEL_PX: Final = 26
_ROUND_BY: Final = 18
_PAPER: Final = (233, 236, 241)
_PENCIL: Final = (58, 64, 74)
_BEZEL: Final = (16, 17, 20)
_COLOURS: Final = 256  # flat colours and their soft edges; a third of the file

_FRENCH: Final = (
    Screen(Look.IDLE, title="Le Bourgeois gentilhomme", occupancy=1203),
    Screen(Look.GRANTED, occupancy=1204),
    Screen(Look.DENIED, answer=Answer.ALREADY_USED, detail="19:02 · Porte B", occupancy=1204),
    Screen(Look.DENIED, answer=Answer.WRONG_PERFORMANCE, detail="Le Cid, salle Richelieu"),
    Screen(Look.DENIED, answer=Answer.NOT_YET_VALID, detail="19:00"),
    Screen(Look.DENIED, answer=Answer.UNKNOWN_TICKET, degraded=True),
    Screen(Look.GRANTED, Direction.EXIT, occupancy=1203),
    Screen(Look.OUT_OF_SERVICE, fault="GT-CAM"),
)
_ENGLISH: Final = (
    Screen(Look.GRANTED, degraded=True, occupancy=87),
    Screen(Look.DENIED, answer=Answer.ALREADY_INSIDE, occupancy=87),
    Screen(Look.DENIED, answer=Answer.WRONG_CHECKPOINT, detail="Gate C"),
    Screen(Look.DENIED, answer=Answer.CANCELED),
    Screen(Look.DENIED, answer=Answer.UNPAID, occupancy=87),
    Screen(Look.DENIED, answer=Answer.INCOMPLETE, detail="date of birth"),
    Screen(Look.DENIED, answer=Answer.FULL, occupancy=500),
    Screen(Look.DENIED, answer=Answer.GATE_LOCKED, detail="Gate B"),
)


def draw_contact_sheet() -> Image.Image:
    """Draw the sheet.

    Raises:
        ConfigError: if the typeface is not installed.
    """
    strips = [
        _label("Français · 480 × 320"),
        _grid([_large(screen, "fr") for screen in _FRENCH]),
        _label("English · 480 × 320"),
        _grid([_large(screen, "en") for screen in _ENGLISH]),
        _label("OLED · 128 × 64"),
        _grid([_small(screen, "fr") for screen in _FRENCH[:4]]),
        _grid([_small(screen, "en") for screen in _ENGLISH[:4]]),
    ]
    width = max(strip.width for strip in strips) + 2 * _GAP
    height = sum(strip.height for strip in strips) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (_GAP, top))
        top += strip.height
    return sheet.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _label(text: str) -> Image.Image:
    strip = Image.new("RGB", (_LARGE[0], _LABEL_PX * 2 + _GAP // 2), _PAPER)
    type_ = font(Face.BOLD, _LABEL_PX)
    ImageDraw.Draw(strip).text((2, strip.height - _GAP // 2), text, _PENCIL, type_, anchor="ls")
    return strip


def _grid(pictures: list[Image.Image]) -> Image.Image:
    """Set pictures of one size side by side, row below row, each row with a gap below it."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // _COLUMNS)
    size = (_COLUMNS * (width + _GAP) - _GAP, rows * (height + _GAP))
    grid = Image.new("RGB", size, _PAPER)
    for number, picture in enumerate(pictures):
        at = (number % _COLUMNS * (width + _GAP), number // _COLUMNS * (height + _GAP))
        grid.paste(picture, at, _rounded(picture.size))
    return grid


def _rounded(size: tuple[int, int]) -> Image.Image:
    large = Image.new("L", (size[0] * 4, size[1] * 4), 0)
    box = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(box, radius=_ROUND_BY * 4, fill=255)
    return large.reduce(4)


def _large(screen: Screen, language: str) -> Image.Image:
    return draw(screen, language, _LARGE, "RGB")


def _small(screen: Screen, language: str) -> Image.Image:
    """An OLED in its bezel, as wide as a large screen."""
    panel = draw(screen, language, _SMALL, "1").convert("RGB")
    panel = panel.resize(
        (_SMALL[0] * _SMALL_ZOOM, _SMALL[1] * _SMALL_ZOOM), Image.Resampling.NEAREST
    )
    side = (_LARGE[0] - panel.width) // 2
    framed = Image.new("RGB", (_LARGE[0], panel.height + side), _BEZEL)
    framed.paste(panel, (side, side // 2))
    return framed
