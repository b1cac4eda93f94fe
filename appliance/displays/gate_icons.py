"""The marks of the gate itself: its states, the way through, the banner. Called by `icons` only."""

from math import cos, pi, sin

from appliance.displays.pen import Pen


def spinner(pen: Pen) -> None:
    """Starting: a ring of dots that grow."""
    for step in range(8):
        angle = pi * step / 4 - pi / 2
        pen.disc(50 + 37 * cos(angle), 50 + 37 * sin(angle), 4.5 + step * 1.05)


def list_coming(pen: Pen) -> None:
    """Waiting for a list: a sheet that an arrow brings down."""
    pen.frame(10, 4, 76, 96, 7, 8)
    for y in (24, 40):
        pen.line((28, y), (58, y), width=7)
    pen.eraser.block(42, 44, 100, 100, 0)
    pen.arrow((72, 48), (72, 97), width=12, head=26)


def ticket_to_reader(pen: Pen) -> None:
    """Show your ticket: a telephone with a code, and the rays of the reader."""
    pen.frame(24, 2, 76, 68, 8, 7)
    for left, top in ((34, 14), (54, 14), (34, 34)):
        pen.frame(left, top, left + 13, top + 13, 1, 4)
    for left, top in ((53, 33), (61, 41), (53, 49), (41, 52)):
        pen.block(left, top, left + 6, top + 6, 0)
    for tip, foot in (((50, 78), (50, 96)), ((27, 78), (15, 93)), ((73, 78), (85, 93))):
        pen.line(tip, foot, width=7)


def hourglass(pen: Pen) -> None:
    """Working: wait a moment."""
    pen.line((17, 8), (83, 8), width=11)
    pen.line((17, 92), (83, 92), width=11)
    pen.line((26, 10), (26, 24), (50, 50), (74, 24), (74, 10), width=8)
    pen.line((26, 90), (26, 76), (50, 50), (74, 76), (74, 90), width=8)
    pen.polygon((29, 28), (71, 28), (50, 51))
    pen.polygon((28, 90), (72, 90), (72, 82), (50, 66), (28, 82))


def nobody(pen: Pen) -> None:
    """Nobody went through: a person, struck out."""
    person(pen)
    pen.eraser.line((6, 94), (94, 6), width=25)
    pen.line((6, 94), (94, 6), width=11)


def spanner(pen: Pen) -> None:
    """Out of service."""
    pen.line((20, 80), (64, 36), width=19)
    pen.disc(70, 30, 26)
    pen.eraser.polygon((70, 32), (84, -6), (106, 16))
    pen.eraser.disc(73, 27, 10)
    pen.eraser.disc(22, 78, 5)


def way_in(pen: Pen) -> None:
    """The way in: an arrow that goes through a door."""
    pen.line((56, 8), (92, 8), (92, 92), (56, 92), width=12)
    pen.arrow((2, 50), (74, 50), width=18, head=32)


def way_out(pen: Pen) -> None:
    """The way out: an arrow that comes from a door."""
    pen.line((56, 8), (92, 8), (92, 92), (56, 92), width=12)
    pen.arrow((74, 50), (0, 50), width=18, head=32)


def person(pen: Pen) -> None:
    """People inside: a head and shoulders."""
    pen.disc(50, 27, 22)
    pen.block(10, 56, 90, 130, 36)


def unconnected(pen: Pen) -> None:
    """No connection: a cloud, struck out."""
    pen.disc(28, 58, 24)
    pen.disc(54, 44, 30)
    pen.disc(76, 62, 20)
    pen.block(28, 52, 76, 82, 0)
    pen.eraser.line((12, 94), (88, 10), width=30)
    pen.line((12, 94), (88, 10), width=12)


def checklist(pen: Pen) -> None:
    """Testing itself: three lines of a list, two of them ticked."""
    for y, is_done in ((18, True), (50, True), (82, False)):
        pen.line((46, y), (92, y), width=11)
        if is_done:
            pen.line((6, y), (15, y + 9), (31, y - 10), width=9)
        else:
            pen.ring(18, y, 8, 7)


def key(pen: Pen) -> None:
    """To be given an identity: a key."""
    pen.ring(28, 50, 18, 14)
    pen.line((50, 50), (94, 50), width=14)
    pen.line((90, 52), (90, 72), width=12)
    pen.line((70, 52), (70, 66), width=12)


def code_in_finder(pen: Pen) -> None:
    """Hold still: a telephone within the corners of a viewfinder, where it should stay."""
    for x, inward_x in ((6, 1), (94, -1)):
        for y, inward_y in ((6, 1), (94, -1)):
            pen.line((x + 20 * inward_x, y), (x, y), (x, y + 20 * inward_y), width=10)
    pen.frame(30, 18, 70, 82, 8, 8)
    pen.block(43, 34, 57, 48, 0)
    pen.block(43, 54, 57, 68, 0)


def straight_on(pen: Pen) -> None:
    """Go through: an arrow ahead, between two posts."""
    pen.arrow((50, 98), (50, 2), width=22, head=40)
    pen.line((9, 58), (9, 94), width=14)
    pen.line((91, 58), (91, 94), width=14)


def person_ticked(pen: Pen) -> None:
    """Somebody went through: a person with a tick."""
    pen.disc(34, 22, 18)
    pen.block(2, 46, 66, 130, 28)
    pen.eraser.line((48, 70), (66, 88), (94, 50), width=30)
    pen.line((48, 70), (66, 88), (94, 50), width=13)


def running(pen: Pen) -> None:
    """Leave now: somebody who runs, as on the signs over emergency exits."""
    pen.disc(64, 13, 12)
    pen.line((56, 36), (42, 62), width=19)
    pen.line((58, 34), (76, 48), (92, 42), width=10)
    pen.line((52, 32), (30, 32), (18, 48), width=10)
    pen.line((44, 64), (64, 76), (60, 96), width=12)
    pen.line((40, 64), (30, 82), (6, 82), width=12)


def portcullis(pen: Pen) -> None:
    """Nobody goes through: a grating that is let down."""
    pen.line((6, 10), (94, 10), width=13)
    for x in (14, 38, 62, 86):
        pen.line((x, 10), (x, 78), width=11)
        pen.polygon((x - 9, 78), (x + 9, 78), (x, 100))
    for y in (36, 62):
        pen.line((8, y), (92, y), width=10)
