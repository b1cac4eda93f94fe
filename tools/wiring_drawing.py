"""Draws boxes with terminals and the wires between them, as SVG. Called by wiring_diagrams.

The picture brings its own background and follows the reader's light or dark colours; a title and a
description are read out. Whatever is written is measured: what would not fit its place is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Final

from PIL import ImageFont

from appliance.displays.fonts import FOLDER, Face

HEAD: Final = 62  # of a box, above its first terminal
ROW: Final = 46
PAD: Final = 16
NOTE_PX: Final = 14
NOTE_LINE: Final = 21
_STYLE: Final = """
  :root { --paper:#fff; --box:#f3f6fa; --edge:#5b6777; --ink:#14202d; --soft:#4f5b69;
    --power:#b3261e; --ground:#39424e; --signal:#0b5cb8; --contact:#08734a; --alarm:#b34a00; }
  @media (prefers-color-scheme: dark) { :root { --paper:#11161d; --box:#1b2430; --edge:#8f9db0;
    --ink:#eaf0f7; --soft:#aab6c5; --power:#ff8f80; --ground:#c3ccd8; --signal:#76b7ff;
    --contact:#62d6a1; --alarm:#ffb066; } }
  text { font-family:"DejaVu Sans",Verdana,sans-serif; fill:var(--ink); }
  .soft { fill:var(--soft); } .bold { font-weight:700; }
  .box { fill:var(--box); stroke:var(--edge); stroke-width:2; }
  .wire { fill:none; stroke-width:3; stroke-linejoin:round; stroke-linecap:round; }
  .halo { fill:none; stroke:var(--paper); stroke-width:9; }
  .thick { stroke-width:7; } .dashed { stroke-dasharray:9 7; }
"""
KINDS: Final = ("power", "ground", "signal", "contact", "alarm")


class TooWideError(ValueError):
    """A text is wider than its place."""


@cache
def _font(face: Face, px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FOLDER / face), px)


def width_of(text: str, px: int, *, bold: bool = False) -> float:
    """Give a text's width in the typeface of the pictures, in pixels."""
    return _font(Face.BOLD if bold else Face.BOOK, px).getlength(text)


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a wire ends.

    Attributes:
        name: on the device.
        more: in small: which pin of the header, which setting.
    """

    name: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A device.

    Attributes:
        x, y: its corner.
        width: of it.
        title: what it is.
        more: in small, below.
        left, right: terminals from top to bottom; None leaves a row free.
    """

    x: int
    y: int
    width: int
    title: str
    more: str = ""
    left: Sequence[Terminal | None] = ()
    right: Sequence[Terminal | None] = ()

    @property
    def height(self) -> int:
        """Its height."""
        return HEAD + ROW * max(len(self.left), len(self.right)) + 2

    def at(self, side: str, row: int) -> tuple[int, int]:
        """Give where a terminal is."""
        return self.x + (self.width if side == "right" else 0), self.y + HEAD + ROW * row + 18


@dataclass(slots=True)
class Drawing:
    """A picture in the making.

    Attributes:
        title: read out, and drawn on top.
        about: read out: what is connected with what.
        width, height: of it.
    """

    title: str
    about: str
    width: int
    height: int
    _texts: list[tuple[float, float, float, float, str]] = field(default_factory=list)
    _wires: list[tuple[int, int, int, int]] = field(default_factory=list)
    _under: list[str] = field(default_factory=list)
    _over: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, words: str, px: int, *, room: float, style: str = "",
        anchor: str = "start",
    ) -> None:  # fmt: skip
        """Write one line.

        Args:
            x: where its base line begins, ends or has its middle, by the anchor.
            y: of the base line.
            words: the line.
            px: its size.
            room: how wide it may be.
            style: `soft`, `bold` or both.
            anchor: of SVG.

        Raises:
            TooWideError: if it is wider than its room, or leaves the picture.
        """
        width = width_of(words, px, bold="bold" in style)
        left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
        if width > room or left < 0 or left + width > self.width:
            raise TooWideError(f"{self.title}: {words!r} has {width:.0f} px, may have {room:.0f}")
        if not px <= y <= self.height - px / 2:
            raise TooWideError(f"{self.title}: {words!r} is at {y:g}, below or above the picture")
        self._texts.append((left, y - px * 0.8, left + width, y + px * 0.2, words))
        self._over.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{px}" text-anchor="{anchor}"'
            f"{f' class={chr(34)}{style}{chr(34)}' if style else ''}>{escape(words)}</text>"
        )

    def box(self, box: Box) -> Box:
        """Draw a device.

        Raises:
            TooWideError: if it leaves the picture, or something written in it leaves the device.
        """
        if box.y + box.height > self.height - PAD or box.x + box.width > self.width - PAD:
            raise TooWideError(f"{self.title}: {box.title} leaves the picture")
        self._over.append(
            f'<rect class="box" x="{box.x}" y="{box.y}" width="{box.width}"'
            f' height="{box.height}" rx="12"/>'
        )
        room = box.width - 2 * PAD
        self.text(box.x + PAD, box.y + 28, box.title, 17, room=room, style="bold")
        if box.more:
            self.text(box.x + PAD, box.y + 47, box.more, 13, room=room, style="soft")
        both = max(len(box.left), len(box.right))
        for row in range(both):
            sides = [box.left[row] if row < len(box.left) else None,
                     box.right[row] if row < len(box.right) else None]  # fmt: skip
            share = (room - PAD) / 2 if all(sides) else room
            for side, one in zip(("left", "right"), sides, strict=True):
                if one is not None:
                    self._terminal(box, side, row, one, share)
        return box

    def _terminal(self, box: Box, side: str, row: int, one: Terminal, room: float) -> None:
        x, y = box.at(side, row)
        inner, anchor = (x - PAD, "end") if side == "right" else (x + PAD, "start")
        self.text(inner, y + (0 if one.more else 5), one.name, 15, room=room, anchor=anchor)
        if one.more:
            self.text(inner, y + 16, one.more, 12, room=room, style="soft", anchor=anchor)
        self._over.append(f'<circle cx="{x}" cy="{y}" r="5" fill="var(--edge)"/>')

    def wire(
        self, a: tuple[int, int], b: tuple[int, int], kind: str, *, lane: int | None = None,
        style: str = "",
    ) -> None:  # fmt: skip
        """Draw a wire, straight or by a vertical lane; what is drawn later passes above.

        Args:
            a: where it begins.
            b: where it ends.
            kind: one of KINDS.
            lane: where it goes up or down, if its ends are not of one height.
            style: `thick`, `dashed`.
        """
        if a[1] != b[1] and lane is None:
            raise ValueError(f"{self.title}: {a} to {b} needs a lane")
        turn = b[0] if lane is None else lane
        self._wires += [(a[0], a[1], turn, a[1]), (turn, a[1], turn, b[1]), (turn, b[1], *b)]
        bends = "" if a[1] == b[1] else f"H{lane}V{b[1]}"
        path = f"M{a[0]} {a[1]}{bends}H{b[0]}"
        self._under.append(f'<path class="halo" d="{path}"/>')
        self._under.append(f'<path class="wire {style}" style="stroke:var(--{kind})" d="{path}"/>')

    def resistor(self, x: int, top: int, bottom: int, words: Sequence[str]) -> None:
        """Draw a resistor between two horizontal wires, with its name at its right."""
        middle = (top + bottom) // 2
        self._over.append(
            f'<path class="wire" style="stroke:var(--ink)" d="M{x} {top}V{bottom}"/>'
            f'<rect x="{x - 8}" y="{middle - 11}" width="16" height="22" rx="2"'
            ' style="fill:var(--paper);stroke:var(--ink);stroke-width:2.5"/>'
            f'<circle cx="{x}" cy="{top}" r="5" fill="var(--ink)"/>'
            f'<circle cx="{x}" cy="{bottom}" r="5" fill="var(--ink)"/>'
        )
        for line, said in enumerate(words):
            y = middle + 4 + 15 * line - 7 * (len(words) - 1)
            self.text(x + 16, y, said, 12, room=170)

    def dot(self, x: int, y: int, kind: str) -> None:
        """Draw a spot of a colour of a wire."""
        self._over.append(f'<circle cx="{x}" cy="{y}" r="9" style="fill:var(--{kind})"/>')

    def square(self, x: int, y: int, kind: str) -> None:
        """Draw a pin that is a square, as pin 1 is."""
        self._over.append(
            f'<rect x="{x - 9}" y="{y - 9}" width="18" height="18" style="fill:var(--{kind})"/>'
        )

    def ring(self, x: int, y: int) -> None:
        """Draw a spot that nothing is connected to."""
        self._over.append(
            f'<circle cx="{x}" cy="{y}" r="7" style="fill:none;stroke:var(--edge);stroke-width:2"/>'
        )

    def note(self, x: int, y: int, width: int, words: str, *, px: int = NOTE_PX) -> int:
        """Write a paragraph, broken where it is full; give the height that it took."""
        lines: list[str] = []
        line = ""
        for word in words.split():
            longer = f"{line} {word}".strip()
            if width_of(longer, px) > width:
                lines.append(line)
                longer = word
            line = longer
        for number, said in enumerate([*lines, line]):
            self.text(x, y + NOTE_LINE * number, said, px, room=width)
        return NOTE_LINE * (len(lines) + 1)

    def crossed(self) -> list[str]:
        """Give each text that a wire goes through."""
        return [
            words
            for left, top, right, bottom, words in self._texts
            if any(
                min(x, u) < right and max(x, u) > left and min(y, v) < bottom and max(y, v) > top
                for x, y, u, v in self._wires
            )
        ]

    def svg(self) -> str:
        """Give the whole."""
        self_title, about = escape(self.title), escape(self.about)
        size = f'width="{self.width}" height="{self.height}"'
        space = 'xmlns="http://www.w3.org/2000/svg"'
        named = 'role="img" aria-labelledby="title about"'
        return "\n".join(
            (
                f'<svg {space} viewBox="0 0 {self.width} {self.height}" {size} {named}>',
                f'<title id="title">{self_title}</title>',
                f'<desc id="about">{about}</desc>',
                f"<style>{_STYLE}</style>",
                f'<rect {size} rx="16" style="fill:var(--paper)"/>',
                *self._under,
                *self._over,
                "</svg>",
                "",
            )
        )
