"""From a screen to its picture: `draw` is all that a display needs. Pure; no device, no clock.

Called by `oled`, the simulator's picture display and the contact sheet. A screen says its answer
three times: by colour, by shape and by words; on a panel of one bit an admission is lit all over
and everything else is dark.
"""

from typing import Final, Literal, assert_never

from PIL import Image, ImageDraw

from appliance.displays import icons
from appliance.displays.appearance import appearance_of
from appliance.displays.care import wandering_place
from appliance.displays.fonts import (
    Type,
    direction_of,
    font,
    in_sight_order,
    is_shaped,
    runs_backwards,
)
from appliance.displays.layout import compose
from appliance.displays.scene import Align, Box, Code, Mark, Scene, Surface, Text
from appliance.ports import Screen

Mode = Literal["1", "L", "RGB"]
_WANDERING_PERCENT: Final = 60  # of the panel's shorter side
_LIGHT: Final = (255, 255, 255)
_DARK: Final = (0, 0, 0)
_HALF = 120  # a little below the middle: thin strokes on one bit stay whole


def draw(screen: Screen, language: str, size: tuple[int, int], mode: Mode) -> Image.Image:
    """Draw a screen.

    Args:
        screen: what to show.
        language: `fr` or `en`, or a tag that begins so.
        size: width and height in pixels; `layout.SIZE_MIN` at least.
        mode: "1" for a panel of one bit, "L" for levels of one colour, "RGB" for colour.

    Raises:
        ValueError: if the size is too small, the language unknown, or the screen is a refusal
            without a reason.
        ConfigError: if the typeface is not installed.
    """
    scene = compose(screen, language, size, is_mono=mode == "1", is_grey=mode == "L")
    return paint(scene, mode)


def draw_wandering(screen: Screen, size: tuple[int, int], mode: Mode, step: int) -> Image.Image:
    """Draw only the mark of a screen, where it stands at a step of its way over the panel.

    Args:
        screen: what is told.
        size: width and height in pixels.
        mode: as for `draw`.
        step: as `care.Treatment.wanders`.
    """
    side = min(size) * _WANDERING_PERCENT // 100
    picture = Image.new("RGB", size, _DARK)
    place = wandering_place(step, size, side)
    mark = Mark(appearance_of(screen).shape, Box(*place, side, side), _LIGHT, _DARK)
    _paint_mark(picture, mark, mode)
    return picture if mode == "RGB" else picture.convert(mode, dither=Image.Dither.NONE)


def paint(scene: Scene, mode: Mode) -> Image.Image:
    """Paint what was composed.

    Args:
        scene: composed for this mode.
        mode: as for `draw`.
    """
    picture = Image.new("RGB", (scene.width, scene.height), scene.ground)
    for item in scene.items:
        match item:
            case Surface():
                _paint_surface(picture, item)
            case Mark():
                _paint_mark(picture, item, mode)
            case Text():
                _paint_text(picture, item)
            case Code():
                _paint_code(picture, item)
            case _:
                assert_never(item)
    return picture if mode == "RGB" else picture.convert(mode, dither=Image.Dither.NONE)


def _paint_surface(picture: Image.Image, surface: Surface) -> None:
    box = surface.box
    if box.width > 0 and box.height > 0:
        ImageDraw.Draw(picture).rounded_rectangle(
            (box.left, box.top, box.right - 1, box.bottom - 1),
            radius=surface.round_by,
            fill=surface.colour,
        )


def _paint_mark(picture: Image.Image, mark: Mark, mode: Mode) -> None:
    mask = icons.mask(mark.shape, mark.box.width)
    if mode == "1":
        mask = mask.point(_off_or_on)
    picture.paste(mark.ink, (mark.box.left, mark.box.top), mask)


def _paint_text(picture: Image.Image, text: Text) -> None:
    """Paint lines onto a tile of the box's size, so that no stack of accents leaves the box."""
    type_ = text.fitted.type
    tile = Image.new(type_.mode, (text.box.width, text.box.height), 0)
    pen = ImageDraw.Draw(tile)
    for row, line in enumerate(text.fitted.lines):
        left = _left_of(line, text) + type_.overhang(line)
        baseline = row * type_.line_height + type_.ascent
        _write(pen, (left, baseline), line, type_)
    if type_.is_mono:
        tile = tile.convert("L").point(_off_or_on)
    picture.paste(text.ink, (text.box.left, text.box.top), tile)


def _paint_code(picture: Image.Image, code: Code) -> None:
    pen, box, px = ImageDraw.Draw(picture), code.box, code.module_px
    pen.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), fill=_LIGHT)
    side = len(code.modules) * px
    left, top = box.left + (box.width - side) // 2, box.top + (box.height - side) // 2
    for row, modules in enumerate(code.modules):
        for column, is_dark in enumerate(modules):
            if is_dark:
                x, y = left + column * px, top + row * px
                pen.rectangle((x, y, x + px - 1, y + px - 1), fill=_DARK)


def _off_or_on(level: int) -> int:
    return 255 if level >= _HALF else 0


def _left_of(line: str, text: Text) -> int:
    spare = text.box.width - text.fitted.type.width(line)
    align = text.align
    if align is Align.LEFT and direction_of(line) == "rtl":
        align = Align.RIGHT
    return {Align.LEFT: 0, Align.CENTRE: spare // 2, Align.RIGHT: spare}[align]


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], line: str, type_: Type) -> None:
    if is_shaped(line):
        shaped = font(type_.face, type_.px, shaped=True)
        pen.text(at, line, 255, shaped, anchor="ls", direction=direction_of(line))
    else:
        shown = in_sight_order(line) if runs_backwards(line) else line
        pen.text(at, shown, 255, font(type_.face, type_.px), anchor="ls")
