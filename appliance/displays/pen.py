"""A pen that draws thick round lines and plain surfaces on a square of 100 by 100.

Called by the modules of icons only. It draws several times larger than needed and shrinks the
result, so that edges are smooth in colour and true to the form on a panel of one bit.
"""

from collections.abc import Callable
from math import atan2, cos, radians, sin
from typing import Final

from PIL import Image, ImageDraw

_EXTENT: Final = 100
_OVERSAMPLING: Final = 8

Point = tuple[float, float]


class Pen:
    """Draws with ink; its `eraser` draws with nothing, over what is there.

    Every coordinate and width is in hundredths of the square's side; angles are degrees, clockwise
    from three o'clock.
    """

    def __init__(self, draw: ImageDraw.ImageDraw, scale: float, ink: int) -> None:
        self._draw = draw
        self._scale = scale
        self._ink = ink

    @property
    def eraser(self) -> "Pen":
        """The same pen, taking ink away."""
        return Pen(self._draw, self._scale, 0)

    def line(self, *points: Point, width: float) -> None:
        """Draw a line through points, with round ends and corners."""
        self._draw.line(
            [(x * self._scale, y * self._scale) for x, y in points],
            fill=self._ink,
            width=max(1, round(width * self._scale)),
        )
        for x, y in points:
            self.disc(x, y, width / 2)

    def polygon(self, *points: Point) -> None:
        """Fill the surface between points."""
        self._draw.polygon([(x * self._scale, y * self._scale) for x, y in points], fill=self._ink)

    def disc(self, x: float, y: float, radius: float) -> None:
        """Fill a circle."""
        self._draw.ellipse(self._around(x, y, radius), fill=self._ink)

    def ring(self, x: float, y: float, radius: float, width: float) -> None:
        """Draw a circle; the radius is that of the middle of the line."""
        self.arc(x, y, radius, 0, 360, width)

    def arc(
        self, x: float, y: float, radius: float, start: float, end: float, width: float
    ) -> None:
        """Draw a part of a circle from `start` to `end`, clockwise."""
        box = self._around(x, y, radius + width / 2)
        self._draw.arc(box, start, end, fill=self._ink, width=max(1, round(width * self._scale)))

    def block(self, left: float, top: float, right: float, bottom: float, round_by: float) -> None:
        """Fill a rectangle with round corners."""
        box = [v * self._scale for v in (left, top, right, bottom)]
        self._draw.rounded_rectangle(box, radius=round_by * self._scale, fill=self._ink)

    def frame(
        self, left: float, top: float, right: float, bottom: float, round_by: float, width: float
    ) -> None:
        """Draw a rectangle's outline, `width` thick, inside its bounds, with round corners."""
        self.block(left, top, right, bottom, round_by)
        inner = max(0.0, round_by - width)
        self.eraser.block(left + width, top + width, right - width, bottom - width, inner)

    def arrow(self, tail: Point, tip: Point, width: float, head: float) -> None:
        """Draw an arrow: a shaft `width` thick and a triangle `head` long and as wide again."""
        angle = atan2(tip[1] - tail[1], tip[0] - tail[0])
        along, across = (cos(angle), sin(angle)), (-sin(angle), cos(angle))
        neck = (tip[0] - along[0] * head, tip[1] - along[1] * head)
        self._shaft(tail, neck, across, width)
        spread = head * 0.92
        self.polygon(
            tip,
            (neck[0] + across[0] * spread, neck[1] + across[1] * spread),
            (neck[0] - across[0] * spread, neck[1] - across[1] * spread),
        )

    def _shaft(self, tail: Point, neck: Point, across: Point, width: float) -> None:
        half = width / 2
        self.polygon(
            (tail[0] + across[0] * half, tail[1] + across[1] * half),
            (neck[0] + across[0] * half, neck[1] + across[1] * half),
            (neck[0] - across[0] * half, neck[1] - across[1] * half),
            (tail[0] - across[0] * half, tail[1] - across[1] * half),
        )

    def turning_arrow(
        self, x: float, y: float, radius: float, width: float, *, clockwise: bool
    ) -> None:
        """Draw three quarters of a circle that end in an arrow's head, at the top."""
        mirror = 1 if clockwise else -1
        start, end = (-20.0, 268.0) if clockwise else (-88.0, 200.0)
        self.arc(x, y, radius, start, end, width)
        tail = radians(start if clockwise else end)
        self.disc(x + radius * cos(tail), y + radius * sin(tail), width / 2)
        reach = width * 1.45
        self.polygon(
            (x + mirror * reach * 1.25, y - radius),
            (x - mirror * width * 0.35, y - radius - reach),
            (x - mirror * width * 0.35, y - radius + reach),
        )

    def _around(self, x: float, y: float, radius: float) -> list[float]:
        return [v * self._scale for v in (x - radius, y - radius, x + radius, y + radius)]


def render(strokes: Callable[[Pen], None], side: int) -> Image.Image:
    """Draw strokes on a square and give it as a mask, 0 (bare) to 255 (ink).

    Args:
        strokes: what draws; its pen starts on a bare square.
        side: of the square, in pixels, at least 1.
    """
    large = side * _OVERSAMPLING
    mask = Image.new("L", (large, large), 0)
    strokes(Pen(ImageDraw.Draw(mask), large / _EXTENT, 255))
    return mask.reduce(_OVERSAMPLING)
