"""One picture of the most telling screens, in both languages and on both kinds of panel.

Called by `portillon.pictures` for the documentation. Nothing here runs on a gate.
"""

from typing import Final

from PIL import Image, ImageDraw

from admission.operating_mode import Cause
from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.fonts import Face, font
from appliance.displays.screens import draw
from appliance.ports import Look, Screen

_LARGE: Final = (480, 320)
_SMALL: Final = (128, 64)
_WIDE: Final = (256, 64)
_SMALL_ZOOM: Final = 3
_COLUMNS: Final = 4
_GAP: Final = 28
_LABEL_PX: Final = 26
_ROUND_BY: Final = 18
_PAPER: Final = (233, 236, 241)
_PENCIL: Final = (58, 64, 74)
_BEZEL: Final = (16, 17, 20)
_COLOURS: Final = 256  # flat colours and their soft edges; a third of the file

_LINK: Final = "https://10.0.0.5:8080/s#482913"
_FRENCH: Final = (
    Screen(
        Look.IDLE,
        title="Le Bourgeois gentilhomme",
        detail="Porte B",
        doors="19:00",
        occupancy=1203,
    ),
    Screen(Look.GRANTED, detail="Plein tarif", seat="Parterre · F · 12", occupancy=1204),
    Screen(Look.GRANTED, detail="Réduit", seat="Balcon", attention=("Carte étudiant",)),
    Screen(Look.PLEASE_PASS, occupancy=1204),
    Screen(Look.DENIED, answer=Answer.ALREADY_USED, detail="19:02", gate="Porte C", occupancy=1204),
    Screen(Look.DENIED, answer=Answer.WRONG_PERFORMANCE, detail="Le Cid, salle Richelieu"),
    Screen(Look.DENIED, answer=Answer.NOT_YET_VALID, detail="19:00"),
    Screen(Look.DENIED, answer=Answer.UNKNOWN_TICKET, degraded=True),
    Screen(Look.HOLD_STILL, occupancy=1204),
    Screen(Look.GRANTED, Direction.EXIT, occupancy=1203),
    Screen(Look.OUT_OF_SERVICE, fault="GT-CAM"),
    Screen(Look.FREE_PASSAGE, Direction.EXIT),
)
_ENGLISH: Final = (
    Screen(Look.ENROLLING, title="482 913", detail=_LINK),
    Screen(Look.IDLE, title="La Traviata", degraded=True, degraded_by=Cause.LINK, degraded_min=12),
    Screen(Look.DENIED, answer=Answer.ALREADY_INSIDE, detail="19:02", gate="", occupancy=87),
    Screen(Look.DENIED, answer=Answer.WRONG_CHECKPOINT, detail="Gate C"),
    Screen(Look.DENIED, answer=Answer.CANCELED),
    Screen(Look.DENIED, answer=Answer.UNPAID, occupancy=87),
    Screen(Look.DENIED, answer=Answer.INCOMPLETE, detail="date of birth"),
    Screen(Look.DENIED, answer=Answer.FULL, occupancy=500),
    Screen(Look.DENIED, answer=Answer.GATE_LOCKED, detail="Gate B"),
    Screen(Look.NOT_PASSED),
    Screen(Look.PASSED, occupancy=88),
    Screen(Look.LOCKED_DOWN),
)
_ON_OLED: Final = (
    (_FRENCH[0], "fr"),
    (_FRENCH[2], "fr"),
    (_FRENCH[4], "fr"),
    (_FRENCH[5], "fr"),
    (_ENGLISH[0], "en"),
    (_ENGLISH[1], "en"),
    (_ENGLISH[3], "en"),
    (_FRENCH[11], "en"),
)
_ON_GREY: Final = ((_FRENCH[1], "fr"), (_FRENCH[4], "fr"))


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
        _grid([_small(screen, language) for screen, language in _ON_OLED]),
        _label("OLED · 256 × 64"),
        _grid([_wide(screen, language) for screen, language in _ON_GREY], columns=2),
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


def _grid(pictures: list[Image.Image], columns: int = _COLUMNS) -> Image.Image:
    """Set pictures of one size side by side, row below row, each row with a gap below it."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    size = (columns * (width + _GAP) - _GAP, rows * (height + _GAP))
    grid = Image.new("RGB", size, _PAPER)
    for number, picture in enumerate(pictures):
        at = (number % columns * (width + _GAP), number // columns * (height + _GAP))
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
    return _framed(draw(screen, language, _SMALL, "1"), _LARGE[0])


def _wide(screen: Screen, language: str) -> Image.Image:
    """An OLED of sixteen levels in its bezel, as wide as two large screens."""
    panel = draw(screen, language, _WIDE, "L").point(lambda level: level // 16 * 17)
    return _framed(panel, 2 * _LARGE[0] + _GAP)


def _framed(panel: Image.Image, width: int) -> Image.Image:
    size = (panel.width * _SMALL_ZOOM, panel.height * _SMALL_ZOOM)
    lit = panel.convert("RGB").resize(size, Image.Resampling.NEAREST)
    side = (width - lit.width) // 2
    edge = (_LARGE[0] - _SMALL[0] * _SMALL_ZOOM) // 2
    framed = Image.new("RGB", (width, lit.height + edge), _BEZEL)
    framed.paste(lit, (side, edge // 2))
    return framed
