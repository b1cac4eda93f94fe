"""The layout for small panels: OLEDs from 96x32, 128x64 above all.

Called by `layout`. The icon fills the left, the answer the right; a status row below tells the way,
the degraded mode and the counter. A panel too low for a status row keeps the way's and the mode's
marks in a column at the right.
"""

from dataclasses import replace
from typing import Final

from appliance.displays.appearance import WAYS, Shape
from appliance.displays.fitting import Fitted, Limits
from appliance.displays.fonts import Face
from appliance.displays.qr_code import Modules, module_px
from appliance.displays.scene import (
    Align,
    Box,
    Code,
    Item,
    Mark,
    Sheet,
    Surface,
    Text,
    one_line,
    without_code,
)

_PX_MIN: Final = 9  # the smallest size at which DejaVu's accents are told apart on one bit
_ROW_FROM_PX: Final = 48  # a lower panel has no status row
_ROW_PX: Final = 13
_COLUMN_PX: Final = 13
_MARK_PX: Final = 11
_GAP: Final = 2
_ABOVE_BELOW: Final = 1.4  # a body less wide than this many heights has its icon above
_LINE_COSTS_PX_MAX: Final = 3  # what to do gives way to a title that would be so much larger


def place_small(sheet: Sheet) -> list[Item]:
    """Place everything on a small panel."""
    if sheet.code is not None:
        shown = _with_code(sheet, sheet.code)
        if shown is not None:
            return shown
    sheet = without_code(sheet)
    if sheet.height < _ROW_FROM_PX:
        body = Box(0, 0, sheet.width - _COLUMN_PX - _GAP, sheet.height)
        return [*_body(sheet, body), *_column(sheet)]
    body = Box(0, 0, sheet.width, sheet.height - _ROW_PX - 1)
    return [*_body(sheet, body), *_row(sheet)]


def _with_code(sheet: Sheet, code: Modules) -> list[Item] | None:
    """A code takes the whole height, and the status row's place; None if it is too fine."""
    side = min(sheet.height, sheet.width // 2)
    px = module_px(code, (side, side), is_tight=True)
    if px == 0:
        return None
    left = side + 2 * _GAP
    room = Box(left, 0, sheet.width - left - 1, sheet.height)
    said = replace(sheet, words=replace(sheet.words, line=sheet.words.scan))
    place = Box(0, (sheet.height - side) // 2, side, side)
    return [Code(code, px, place), *_texts(said, room, Face.BOLD, Align.LEFT)]


def _texts(sheet: Sheet, room: Box, face: Face, align: Align) -> list[Item]:
    """Set the title and one more text in the middle of a room's height."""
    title, rest = _fit_texts(sheet, room, face)
    items: list[Item] = []
    top = room.top + max(0, (room.height - title.height - rest.height) // 2)
    for part in (title, rest):
        if part.lines:
            place = Box(room.left, top, room.width, part.height)
            items.append(Text(part, place, sheet.tone.ink, sheet.tone.ground, align))
        top += part.height
    return items


def _body(sheet: Sheet, box: Box) -> list[Item]:
    """Give the icon as much as the title leaves: first a large one, then less."""
    is_above = box.width < box.height * _ABOVE_BELOW
    for share, face in ((0.30, Face.BOLD), (0.24, Face.BOLD), (0.24, Face.BOOK), (0.18, Face.BOOK)):
        side = min(round(sheet.width * share), box.height - 2 * _GAP)
        icon, room = _above(box, side) if is_above else _beside(box, side)
        title, _ = _fit_texts(sheet, room, face)
        if not title.is_cut:
            break
    mark = Mark(sheet.shape, icon, sheet.tone.ink, sheet.tone.ground)
    align = Align.CENTRE if is_above else Align.LEFT
    return [mark, *_texts(sheet, room, face, align)]


def _beside(box: Box, side: int) -> tuple[Box, Box]:
    icon = Box(_GAP, box.top + (box.height - side) // 2, side, side)
    left = icon.right + 2 * _GAP + 1
    return icon, Box(left, box.top, box.right - left - 1, box.height)


def _above(box: Box, side: int) -> tuple[Box, Box]:
    icon = Box((box.width - side) // 2, box.top + _GAP, side, side)
    return icon, Box(_GAP, icon.bottom, box.width - 2 * _GAP, box.bottom - icon.bottom)


def _fit_texts(sheet: Sheet, room: Box, face: Face) -> tuple[Fitted, Fitted]:
    """Fit the title and one more text: the detail, or else what to do unless it costs too much."""
    words = sheet.words
    if words.detail:
        rest = _fit_rest(sheet, room, words.detail)
        return _fit_title(sheet, room.width, room.height - rest.height, face), rest
    rest = _fit_rest(sheet, room, words.line)
    title = _fit_title(sheet, room.width, room.height - rest.height, face)
    alone = _fit_title(sheet, room.width, room.height, face)
    if rest.is_cut or alone.type.px >= title.type.px + _LINE_COSTS_PX_MAX:
        return alone, Fitted((), rest.type)
    return title, rest


def _fit_rest(sheet: Sheet, room: Box, text: str) -> Fitted:
    is_large = sheet.words.one_sentence
    face = Face.BOLD if is_large else Face.BOOK
    limits = Limits(_px_max(sheet, 0.33 if is_large else 0.25), _PX_MIN, 2)
    return sheet.fit(text, face, (room.width, room.height // 2), limits)


def _fit_title(sheet: Sheet, width: int, height: int, face: Face) -> Fitted:
    limits = Limits(_px_max(sheet, 0.4), _PX_MIN, 3)
    return sheet.fit(sheet.words.title, face, (width, height), limits)


def _px_max(sheet: Sheet, share: float) -> int:
    return max(_PX_MIN, round(min(sheet.height - _ROW_PX, sheet.width // 2) * share))


def _row(sheet: Sheet) -> list[Item]:
    tone, words = sheet.tone, sheet.words
    box = Box(0, sheet.height - _ROW_PX, sheet.width, _ROW_PX)
    top = box.top + 1
    items: list[Item] = [
        Surface(box, tone.band),
        Surface(Box(0, box.top - 1, box.width, 1), tone.ink),
        Mark(WAYS[sheet.direction], Box(_GAP, top, _MARK_PX, _MARK_PX), tone.ink, tone.band),
    ]
    right = box.right - _GAP
    if words.inside:
        number = sheet.fit(words.inside, Face.BOLD, (box.width // 3, _ROW_PX), Limits(10, _PX_MIN))
        place = Box(right - number.width, box.top, number.width, _ROW_PX)
        items.append(one_line(number, place, tone.ink, tone.band, Align.RIGHT))
        right = place.left - _MARK_PX
        items.append(Mark(Shape.PERSON, Box(right, top, 9, 9), tone.ink, tone.band))
    left = _GAP + _MARK_PX + 2 * _GAP
    room = Box(left, box.top, right - left - _GAP, _ROW_PX)
    return items + (_strip(sheet, room) if words.banner else [_way(sheet, room)])


def _way(sheet: Sheet, room: Box) -> Text:
    way = sheet.fit(sheet.words.way, Face.BOOK, room.size, Limits(10, _PX_MIN))
    return one_line(way, room, sheet.tone.ink, sheet.tone.band, Align.LEFT)


def _strip(sheet: Sheet, room: Box) -> list[Item]:
    """The degraded mode takes the place of the way's name, light and dark the other way round."""
    tone = sheet.tone
    said = sheet.words
    for text in (said.banner, said.banner_tight, said.banner_short):
        fitted = sheet.fit(text, Face.BOLD, (room.width - 4, _ROW_PX), Limits(10, _PX_MIN))
        if not fitted.is_cut:
            strip = Box(room.left, room.top + 1, fitted.width + 4, _ROW_PX - 2)
            place = Box(strip.left + 2, room.top, fitted.width, _ROW_PX)
            words = one_line(fitted, place, tone.banner_ink, tone.banner, Align.LEFT)
            return [Surface(strip, tone.banner), words]
    return _badge(sheet, Box(room.left, room.top, _COLUMN_PX, _ROW_PX))


def _badge(sheet: Sheet, box: Box) -> list[Item]:
    """The degraded mode as a mark, where there is no room for its name."""
    tone = sheet.tone
    mark = Mark(Shape.UNCONNECTED, box.inset(1, 1), tone.banner_ink, tone.banner)
    return [Surface(box, tone.banner), mark]


def _column(sheet: Sheet) -> list[Item]:
    tone = sheet.tone
    left = sheet.width - _COLUMN_PX
    way = Box(left + 1, 2, _MARK_PX, _MARK_PX)
    items: list[Item] = [Mark(WAYS[sheet.direction], way, tone.ink, tone.ground)]
    if sheet.words.banner:
        low = Box(left, sheet.height - _COLUMN_PX, _COLUMN_PX, _COLUMN_PX)
        items.extend(_badge(sheet, low))
    return items
