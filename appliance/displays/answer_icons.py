"""The marks of the answers, as strokes of a pen. Called by `icons` only."""

from math import cos, pi, sin
from typing import Final

from appliance.displays.pen import Pen

_NECK: Final = pi / 3  # where a question mark's bowl turns into its stem, below three o'clock


def tick(pen: Pen) -> None:
    """Go: the one mark that every country reads."""
    pen.line((12, 54), (39, 81), (88, 22), width=17)


def tick_alarm(pen: Pen) -> None:
    """Go, and a steward looks: a tick beside an exclamation mark."""
    pen.line((7, 58), (25, 78), (58, 26), width=15)
    pen.polygon((75, 12), (95, 12), (91, 62), (79, 62))
    pen.disc(85, 78, 9.5)


def leaving_arrow(pen: Pen) -> None:
    """Goodbye: an arrow to the left."""
    pen.arrow((94, 50), (4, 50), width=22, head=42)


def question(pen: Pen) -> None:
    """Nobody knows this ticket."""
    _question_mark(pen, 50, 0, 1.0)


def question_in_finder(pen: Pen) -> None:
    """What was read is no ticket: a question mark between the corners of a viewfinder."""
    for x, inward_x in ((8, 1), (92, -1)):
        for y, inward_y in ((8, 1), (92, -1)):
            pen.line((x + 18 * inward_x, y), (x, y), (x, y + 18 * inward_y), width=9)
    _question_mark(pen, 50, 19, 0.62)


def question_in_door(pen: Pen) -> None:
    """Nobody saw this person come in: a question mark in a doorway."""
    pen.line((18, 94), (18, 8), (82, 8), (82, 94), width=10)
    pen.line((5, 94), (18, 94), width=10)
    pen.line((82, 94), (95, 94), width=10)
    _question_mark(pen, 50, 24, 0.64)


def swap(pen: Pen) -> None:
    """The right thing in the wrong hall: two arrows that cross over."""
    pen.arrow((6, 31), (95, 31), width=15, head=27)
    pen.arrow((94, 71), (5, 71), width=15, head=27)


def signpost(pen: Pen) -> None:
    """Another gate: a post whose boards point elsewhere."""
    pen.line((50, 6), (50, 96), width=11)
    pen.polygon((10, 12), (74, 12), (96, 28), (74, 44), (10, 44))
    pen.polygon((90, 50), (26, 50), (4, 66), (26, 82), (90, 82))


def cross(pen: Pen) -> None:
    """No."""
    pen.line((17, 17), (83, 83), width=20)
    pen.line((83, 17), (17, 83), width=20)


def calendar_cross(pen: Pen) -> None:
    """The date is off: a calendar's page, crossed out."""
    _calendar(pen)
    pen.line((35, 48), (65, 78), width=11)
    pen.line((65, 48), (35, 78), width=11)


def two_tickets(pen: Pen) -> None:
    """Another ticket stands in the place of this one."""
    _ticket(pen, 34, 6, 94, 50)
    pen.eraser.block(0, 36, 72, 100, 8)
    _ticket(pen, 6, 44, 64, 94)
    pen.line((24, 59), (46, 79), width=9)
    pen.line((46, 59), (24, 79), width=9)


def no_entry(pen: Pen) -> None:
    """Stop: the road sign."""
    pen.disc(50, 50, 47)
    pen.eraser.block(20, 40, 80, 60, 3)


def euro(pen: Pen) -> None:
    """Money is owed."""
    pen.arc(58, 50, 34, 42, 318, 13)
    pen.line((8, 41), (56, 41), width=9)
    pen.line((8, 59), (56, 59), width=9)


def information(pen: Pen) -> None:
    """Something is still to be told."""
    pen.disc(50, 50, 47)
    pen.eraser.disc(50, 25, 8)
    pen.eraser.block(42, 40, 58, 80, 3)


def arrow_at_bar(pen: Pen) -> None:
    """No way out with this one: an arrow that ends at a bar."""
    pen.line((11, 12), (11, 88), width=14)
    pen.arrow((96, 50), (24, 50), width=20, head=36)


def turned_back(pen: Pen) -> None:
    """It was used before: an arrow that turns round."""
    pen.turning_arrow(50, 57, 34, 14, clockwise=False)


def turned_back_person(pen: Pen) -> None:
    """Its holder is inside: a person within the arrow that turns round."""
    _person(pen, 50, 36, 0.42)
    pen.turning_arrow(50, 56, 38, 10, clockwise=False)


def hash_sign(pen: Pen) -> None:
    """The number of passages is used up."""
    _hash(pen, 50, 50, 0.9, 12)


def calendar_hash(pen: Pen) -> None:
    """The number of passages of this day is used up."""
    _calendar(pen)
    _hash(pen, 50, 64, 0.42, 7)


def funnel(pen: Pen) -> None:
    """Filtered out."""
    pen.polygon((4, 10), (96, 10), (60, 56), (60, 94), (40, 80), (40, 56))
    pen.eraser.polygon((25, 20), (75, 20), (67, 30), (33, 30))


def clock(pen: Pen) -> None:
    """Too early."""
    _dial(pen)


def clock_struck(pen: Pen) -> None:
    """Too late: the clock, struck out."""
    _dial(pen)
    pen.eraser.line((8, 92), (92, 8), width=25)
    pen.line((8, 92), (92, 8), width=11)


def full_house(pen: Pen) -> None:
    """No room: every seat of the square is taken."""
    pen.block(4, 4, 96, 96, 10)
    for x in (26, 50, 74):
        for y in (26, 50, 74):
            pen.eraser.disc(x, y, 8.5)


def lock(pen: Pen) -> None:
    """Locked."""
    pen.arc(50, 36, 23, 180, 360, 12)
    pen.line((27, 36), (27, 52), width=12)
    pen.line((73, 36), (73, 52), width=12)
    pen.block(12, 46, 88, 96, 9)
    pen.eraser.disc(50, 65, 8)
    pen.eraser.polygon((46, 66), (54, 66), (57, 83), (43, 83))


def renew_list(pen: Pen) -> None:
    """The list is out of date: its lines within an arrow that goes on."""
    pen.turning_arrow(50, 56, 38, 10, clockwise=True)
    for y in (42, 56, 70):
        pen.line((36, y), (64, y), width=7)


def renew_alarm(pen: Pen) -> None:
    """The list is not to be trusted: an exclamation mark within an arrow that goes on."""
    pen.turning_arrow(50, 56, 38, 10, clockwise=True)
    pen.polygon((43, 33), (57, 33), (54, 60), (46, 60))
    pen.disc(50, 73, 6.5)


def _question_mark(pen: Pen, x: float, top: float, scale: float) -> None:
    """Draw a question mark, 100 times `scale` high, its axis at `x`."""
    width, radius = 17 * scale, 21 * scale
    bowl = top + radius + width / 2
    turn_x, turn_y = radius * cos(_NECK), radius * sin(_NECK)
    pen.arc(x, bowl, radius, 180, 420, width)
    pen.disc(x - radius, bowl, width / 2)
    pen.arc(x + 2 * turn_x, bowl + 2 * turn_y, radius, 180, 240, width)
    pen.disc(x, bowl + 2 * turn_y, width / 2)
    pen.disc(x, top + 91 * scale, width * 0.53)


def _calendar(pen: Pen) -> None:
    pen.frame(6, 14, 94, 94, 9, 9)
    pen.block(6, 14, 94, 36, 6)
    for x in (30, 70):
        pen.eraser.line((x, 6), (x, 22), width=17)
        pen.line((x, 8), (x, 20), width=9)


def _ticket(pen: Pen, left: float, top: float, right: float, bottom: float) -> None:
    pen.frame(left, top, right, bottom, 7, 8)


def _person(pen: Pen, x: float, top: float, scale: float) -> None:
    """Draw a head and shoulders, 100 times `scale` high, its axis at `x`."""
    pen.disc(x, top + 24 * scale, 24 * scale)
    pen.block(x - 42 * scale, top + 56 * scale, x + 42 * scale, top + 126 * scale, 38 * scale)
    pen.eraser.block(x - 42 * scale, top + 100 * scale, x + 42 * scale, top + 127 * scale, 0)


def _hash(pen: Pen, x: float, y: float, scale: float, width: float) -> None:
    for offset in (-17 * scale, 17 * scale):
        pen.line(
            (x + offset + 6 * scale, y - 46 * scale),
            (x + offset - 6 * scale, y + 46 * scale),
            width=width,
        )
        pen.line((x - 46 * scale, y + offset), (x + 46 * scale, y + offset), width=width)


def _dial(pen: Pen) -> None:
    pen.ring(50, 50, 40, 13)
    pen.line((50, 26), (50, 52), (67, 64), width=11)
