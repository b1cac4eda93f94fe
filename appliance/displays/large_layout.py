"""The layout for panels of at least 160 pixels in both ways: HDMI, web, larger TFTs.

Called by `layout`. A header with the way and the counter; the icon beside the texts, or above them
on an upright panel and where that makes the answer much larger; below, the banner of degraded mode.
"""

from dataclasses import dataclass, replace
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

_PX_MIN: Final = 11
_ABOVE_FROM: Final = 1.7  # how much larger a title must become to give up the icon at its side
_TITLE_PER_SIDE_MIN: Final = 0.1  # a title below a tenth of the shorter side is read from near only


def place_large(sheet: Sheet) -> list[Item]:
    """Place everything on a large panel."""
    short = min(sheet.width, sheet.height)
    pad = round(short * 0.05)
    header = Box(0, 0, sheet.width, round(short * 0.15))
    banner_height = round(short * 0.13) if sheet.words.banner else 0
    banner = Box(0, sheet.height - banner_height, sheet.width, banner_height)
    body = Box(0, header.bottom, sheet.width, banner.top - header.bottom)
    items = [*_header(sheet, header, pad), *_body(sheet, body.inset(pad, round(pad * 0.7)), pad)]
    return items + _banner(sheet, banner, pad) if sheet.words.banner else items


def _header(sheet: Sheet, box: Box, pad: int) -> list[Item]:
    tone = sheet.tone
    side = round(box.height * 0.7)
    top = box.top + (box.height - side) // 2
    limits = Limits(round(box.height * 0.56), _PX_MIN, 1)
    left = pad + side + pad // 2
    room = Box(left, box.top, box.width // 2 - left, box.height)
    way = sheet.fit(sheet.words.way.upper(), Face.BOLD, room.size, limits)
    items: list[Item] = [
        Surface(box, tone.band),
        Mark(WAYS[sheet.direction], Box(pad, top, side, side), tone.ink, tone.band),
        one_line(way, room, tone.ink, tone.band, Align.LEFT),
    ]
    if sheet.words.inside:
        room = Box(box.width // 2, box.top, box.width // 2 - pad, box.height)
        number = sheet.fit(
            sheet.words.inside, Face.BOLD, (room.width - side - pad, box.height), limits
        )
        mark = Box(room.right - number.width - pad // 2 - side, top, side, side)
        room = Box(room.right - number.width, box.top, number.width, box.height)
        items.append(Mark(Shape.PERSON, mark, tone.ink, tone.band))
        items.append(one_line(number, room, tone.ink, tone.band, Align.RIGHT))
    return items


def _banner(sheet: Sheet, box: Box, pad: int) -> list[Item]:
    """The whole sentence if there is room for it at full size, else the name of the mode."""
    tone, words = sheet.tone, sheet.words
    side = round(box.height * 0.78)
    limits = Limits(round(box.height * 0.54), _PX_MIN, 1)
    room_for_text = (box.width - 3 * pad - side, box.height)
    sentence = f"{words.banner} — {words.banner_why}"
    text = sheet.fit(sentence, Face.BOLD, room_for_text, limits)
    if text.type.px < limits.px_max:
        text = sheet.fit(words.banner, Face.BOLD, room_for_text, limits)
    left = (box.width - side - pad // 2 - text.width) // 2
    top = box.top + (box.height - side) // 2
    room = Box(left + side + pad // 2, box.top, text.width, box.height)
    return [
        Surface(box, tone.banner),
        Mark(Shape.UNCONNECTED, Box(left, top, side, side), tone.banner_ink, tone.banner),
        one_line(text, room, tone.banner_ink, tone.banner, Align.LEFT),
    ]


def _body(sheet: Sheet, box: Box, pad: int) -> list[Item]:
    if sheet.code is not None:
        shown = _with_code(sheet, sheet.code, box, pad)
        if shown is not None:
            return shown
    sheet = without_code(sheet)
    above = _above(sheet, box, pad)
    if box.height > box.width:
        return above.items
    beside = _beside(sheet, box, pad)
    gain = above.title_px / beside.title_px
    px_wanted = min(sheet.width, sheet.height) * _TITLE_PER_SIDE_MIN
    is_above = gain >= _ABOVE_FROM or (gain > 1 and beside.title_px < px_wanted)
    return above.items if is_above else beside.items


def _with_code(sheet: Sheet, code: Modules, box: Box, pad: int) -> list[Item] | None:
    """The code beside the texts, or above them on an upright panel; None if it is too fine."""
    is_beside = box.width > box.height
    side = (
        min(box.height, round(box.width * 0.55)) if is_beside else min(box.width, box.height // 2)
    )
    px = module_px(code, (side, side))
    if px == 0:
        return None
    said = replace(sheet, words=replace(sheet.words, line=sheet.words.scan))
    if is_beside:
        place = Box(box.left, box.top + (box.height - side) // 2, side, side)
        left = place.right + pad
        texts = _Texts(said, (box.right - left, box.height))
        top, align = box.top + (box.height - texts.height) // 2, Align.LEFT
    else:
        place = Box(box.left + (box.width - side) // 2, box.top, side, side)
        left = box.left
        texts = _Texts(said, (box.width, box.bottom - place.bottom - pad))
        top, align = place.bottom + pad, Align.CENTRE
    return [Code(code, px, place), *_set(said, texts, (left, top), align)]


@dataclass(frozen=True, slots=True)
class _Body:
    """A body, placed, and the size of its title."""

    title_px: int
    items: list[Item]


def _beside(sheet: Sheet, box: Box, pad: int) -> _Body:
    side = min(round(box.height * 0.8), round(box.width * 0.38))
    icon = Box(box.left, box.top + (box.height - side) // 2, side, side)
    left = icon.right + pad * 3 // 2
    texts = _Texts(sheet, (box.right - left, box.height))
    top = box.top + (box.height - texts.height) // 2
    return _placed(sheet, icon, texts, (left, top), Align.LEFT)


def _above(sheet: Sheet, box: Box, pad: int) -> _Body:
    """The icon above the texts; what room is left is shared among above, between and below."""
    side = min(round(box.height * 0.42), round(box.width * 0.6))
    texts = _Texts(sheet, (box.width, box.height - side - pad // 2))
    share = (box.height - side - pad // 2 - texts.height) // 3
    icon = Box(box.left + (box.width - side) // 2, box.top + share, side, side)
    return _placed(sheet, icon, texts, (box.left, icon.bottom + pad // 2 + share), Align.CENTRE)


def _placed(
    sheet: Sheet, icon: Box, texts: "_Texts", corner: tuple[int, int], align: Align
) -> _Body:
    tone = sheet.tone
    mark = Mark(sheet.shape, icon, tone.ink, tone.ground)
    return _Body(texts.parts[0].type.px, [mark, *_set(sheet, texts, corner, align)])


def _set(sheet: Sheet, texts: "_Texts", corner: tuple[int, int], align: Align) -> list[Item]:
    """Set texts one below the other."""
    tone = sheet.tone
    items: list[Item] = []
    left, top = corner
    for part in texts.parts:
        place = Box(left, top, texts.width, part.height)
        items.append(Text(part, place, tone.ink, tone.ground, align))
        top += part.height + texts.gap
    return items


class _Texts:
    """Title, detail and line, made to share a room."""

    def __init__(self, sheet: Sheet, room: tuple[int, int]) -> None:
        self.width, height = room
        words, side = sheet.words, min(sheet.width, sheet.height)
        self.gap = round(side * 0.025)
        room_of_detail = (self.width, height * 4 // 10)
        line = sheet.fit(
            words.line, Face.BOOK, (self.width, height * 3 // 10), _sizes(side, 0.09, 2)
        )

        def title_over(*below: Fitted) -> list[Fitted]:
            rest = [part for part in below if part.lines]
            left = height - sum(part.height + self.gap for part in rest)
            limits = _sizes(side, 0.25, 3)
            return [sheet.fit(words.title, Face.BOLD, (self.width, left), limits), *rest]

        limits = _sizes(side, 0.19 if words.one_sentence else 0.13, 2)
        detail = sheet.fit(words.detail, Face.BOLD, room_of_detail, limits)
        self.parts = title_over(detail, line)
        is_apart = bool(detail.lines) and not words.one_sentence
        if is_apart and detail.type.px > self.parts[0].type.px:  # the answer comes first
            smaller = replace(limits, px_max=max(limits.px_min, self.parts[0].type.px))
            detail = sheet.fit(words.detail, Face.BOLD, room_of_detail, smaller)
            self.parts = title_over(detail, line)

    @property
    def height(self) -> int:
        """All of it, with the gaps between."""
        return sum(part.height for part in self.parts) + self.gap * (len(self.parts) - 1)


def _sizes(side: int, share_max: float, lines_max: int) -> Limits:
    """From a share of the shorter side down to what can be read at arm's length."""
    px_min = max(_PX_MIN, round(side * 0.05))
    return Limits(max(px_min, round(side * share_max)), px_min, lines_max)
