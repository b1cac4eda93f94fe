"""What a gate's camera sees, made from a seed: a ticket on a phone before a wall, or a wall alone.

Called by benchmarks and tests. The same seed gives the same pixels. How hard a picture is follows
the size of the code's modules (its smallest squares or bars), so that a condition means the same
whatever the code and the camera.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from appliance.simulator.ticket_pictures import draw_modules

Grey = npt.NDArray[np.float32]
Size = tuple[int, int]  # width, height

_CELL: Final = 8  # pixels that a module is drawn with, before the lens
_INK, _PAPER, _BEZEL, _WORDS = 20, 235, 12, 120  # grey levels of a phone's page
_QUIET: Final = {"QRCode": 3, "Aztec": 3, "DataMatrix": 3, "PDF417": 3}  # modules around a code
_QUIET_LINEAR: Final = 10
_FOCAL: Final = 2.2  # focal length, in heights of the frame
_SUPER: Final = 2  # drawn so much larger, and averaged: what a sensor's pixels do


@unique
class Condition(StrEnum):
    """What makes a picture hard, one at a time; `COMBINED` is a little of many."""

    CLEAN = "clean"
    ANGLE = "angle"
    ROTATED = "rotated"
    DEFOCUS = "defocus"
    MOTION = "motion"
    GLARE = "glare"
    LOW_CONTRAST = "low contrast"
    DARK = "dark"
    MOIRE = "moire"
    CUT_OFF = "at the edge"
    SMALL = "small"
    INVERTED = "inverted"
    FINGER = "finger"
    COMBINED = "combined"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture with a code on it.

    Attributes:
        pixels: rows of bytes, 0 is black.
        module_px: how many pixels of it a module is wide.
        middle: where on it the code's middle is, x and y.
    """

    pixels: npt.NDArray[np.uint8]
    module_px: float
    middle: tuple[float, float]


def scene(
    data: bytes,
    symbology: str,
    condition: Condition,
    size: Size,
    share: float,
    rng: np.random.Generator,
) -> Scene:
    """Hold a ticket before the camera.

    Args:
        data: what the code says.
        symbology: its kind.
        condition: what makes it hard.
        size: the frame's.
        share: the code's height (a linear or wide code's width), of the frame's height; a `SMALL`
            one takes no notice of it.
        rng: everything left to chance.
    """
    phone = _Phone(data, symbology, condition)
    wanted = share * size[1]
    if condition is Condition.SMALL:
        wanted = rng.uniform(1.6, 2.2) * phone.across / _CELL
    held = _Held(phone, condition, size, wanted, rng)
    picture = held.seen(_wall(size, rng))
    module_px = wanted * _CELL / phone.across
    picture = _spoiled(picture, condition, held, module_px, rng)
    return Scene(_sensed(picture, condition, rng), module_px, held.middle)


def empty(size: Size, rng: np.random.Generator, grain: float = 2.0) -> npt.NDArray[np.uint8]:
    """Look at the wall, with a grain of `grain` grey levels."""
    wall = _wall(size, rng)
    return _bytes(wall + rng.normal(0, grain, wall.shape).astype(np.float32))


def grained(
    pixels: npt.NDArray[np.uint8], rng: np.random.Generator, grain: float = 2.0
) -> npt.NDArray[np.uint8]:
    """Look once more at what stands still: the same picture under another grain."""
    return _bytes(pixels.astype(np.float32) + rng.normal(0, grain, pixels.shape))


class _Phone:
    """A bright page with the code and some words, in a dark bezel; flat, in its own pixels."""

    def __init__(self, data: bytes, symbology: str, condition: Condition) -> None:
        modules = draw_modules(data, symbology)
        quiet = _QUIET.get(symbology, _QUIET_LINEAR)
        if symbology not in _QUIET:  # bars three times as wide as they are high
            modules = np.repeat(modules[:1], max(1, modules.shape[1] // 3), axis=0)
        modules = np.pad(modules, quiet, constant_values=255)
        code = np.kron(modules, np.ones((_CELL, _CELL), np.uint8))
        is_inverted = condition is Condition.INVERTED
        page = _INK if is_inverted else _PAPER
        ink = _PAPER if is_inverted else _INK
        high, wide = code.shape
        margin = int(max(code.shape) * 0.18)
        bezel = margin // 2
        self.size = (wide + 2 * margin + 2 * bezel, high + 4 * margin + 2 * bezel)
        image = Image.new("L", self.size, _BEZEL)
        draw = ImageDraw.Draw(image)
        draw.rectangle((bezel, bezel, self.size[0] - bezel, self.size[1] - bezel), fill=page)
        for line, length in enumerate((0.8, 0.5, 0.65)):
            top = bezel + int(margin * (0.4 + 0.45 * line))
            left = bezel + margin
            draw.rectangle((left, top, left + wide * length, top + margin // 5), fill=_WORDS)
        left, top = bezel + margin, bezel + 2 * margin
        inked = np.where(code < 128, np.uint8(ink), np.uint8(page))
        image.paste(Image.fromarray(inked), (left, top))
        self.image = image
        self.middle = np.array([left + wide / 2, top + high / 2])
        self.across = wide if wide > 1.2 * high else high


class _Held:
    """The phone in a hand: where its corners are on the frame."""

    def __init__(
        self,
        phone: _Phone,
        condition: Condition,
        size: Size,
        wanted: float,
        rng: np.random.Generator,
    ) -> None:
        self._phone = phone
        self._size = size
        self.wanted = wanted
        tilt = rng.uniform(*{"angle": (30, 50), "combined": (12, 30)}.get(condition, (0, 8)))
        turn = rng.uniform(*{"rotated": (-180, 180), "combined": (-25, 25)}.get(condition, (-6, 6)))
        wide, high = phone.size
        corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float64)
        flat = (corners - phone.middle) * (wanted / phone.across)
        self.corners = _tilted(flat @ _rotation(turn).T, tilt, rng.uniform(0, 360), size[1])
        self.corners += self._place(condition, rng)
        self.middle = self._on_frame(phone.middle)

    def _place(self, condition: Condition, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        width, height = self._size
        half = self.wanted * 0.62
        x = rng.uniform(min(half, width / 2), max(width - half, width / 2))
        y = rng.uniform(min(half, height / 2), max(height - half, height / 2))
        if condition is Condition.CUT_OFF:  # the phone leaves the picture, the code just does not
            x = self.wanted * 0.53 if rng.random() < 0.5 else width - self.wanted * 0.53
        return np.array([x, y])

    def _on_frame(self, point: npt.NDArray[np.float64]) -> tuple[float, float]:
        wide, high = self._phone.size
        source = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float64)
        a, b, c, d, e, f, g, h = _perspective(source, self.corners)
        x, y = point
        below = g * x + h * y + 1
        return (a * x + b * y + c) / below, (d * x + e * y + f) / below

    def seen(self, wall: Grey) -> Grey:
        """Lay the phone over the wall."""
        wide, high = self._phone.size
        source = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float64)
        back = _perspective(self.corners * _SUPER, source)
        size = (self._size[0] * _SUPER, self._size[1] * _SUPER)

        def laid(image: Image.Image) -> Grey:
            large = image.transform(
                size, Image.Transform.PERSPECTIVE, back, Image.Resampling.BILINEAR, fillcolor=0
            )
            return np.asarray(large.reduce(_SUPER), np.float32)

        cover = laid(Image.new("L", self._phone.size, 255)) / 255
        return np.asarray(wall * (1 - cover) + laid(self._phone.image), np.float32)


def _spoiled(
    picture: Grey, condition: Condition, held: _Held, module_px: float, rng: np.random.Generator
) -> Grey:
    """Add what the condition adds, in the order in which light meets it."""
    if condition is Condition.MOIRE:
        picture = _gridded(picture, rng)
    if condition is Condition.FINGER:
        picture = _covered(picture, held, rng)
    if condition in (Condition.DEFOCUS, Condition.COMBINED):
        low, high = (0.55, 0.95) if condition is Condition.DEFOCUS else (0.25, 0.5)
        picture = _blurred(picture, module_px * rng.uniform(low, high))
    if condition in (Condition.MOTION, Condition.COMBINED):
        low, high = (1.2, 2.2) if condition is Condition.MOTION else (0.4, 1.0)
        picture = _dragged(picture, module_px * rng.uniform(low, high), rng.uniform(0, 180))
    if condition in (Condition.GLARE, Condition.COMBINED):
        picture = _lit(picture, held, condition, rng)
    if condition is Condition.LOW_CONTRAST:
        picture = 110 + (picture - 110) * rng.uniform(0.08, 0.16)
    if condition is Condition.DARK:
        picture = picture * rng.uniform(0.05, 0.1)
    return picture.astype(np.float32)


def _sensed(picture: Grey, condition: Condition, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Add the sensor's own grain, and the light's."""
    grain = {"dark": 2.5, "combined": 4.0, "low contrast": 2.0}.get(condition, 1.5)
    shot = 0.15 * np.sqrt(np.clip(picture, 0, 255))
    noise = rng.normal(0, 1, picture.shape) * grain + rng.normal(0, 1, picture.shape) * shot
    return _bytes(picture + noise.astype(np.float32))


def _wall(size: Size, rng: np.random.Generator) -> Grey:
    """Draw something without a code: soft light and shade, and often things standing about."""
    width, height = size
    coarse = rng.normal(0, 1, (height // 64 + 4, width // 64 + 4))
    soft = np.asarray(
        Image.fromarray(coarse.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    )
    wall = 90 + 60 * soft / (np.abs(soft).max() + 1e-6)
    if rng.random() < 0.7:
        things = Image.fromarray(np.clip(wall, 0, 255).astype(np.uint8))
        draw = ImageDraw.Draw(things)
        for _ in range(int(rng.integers(10, 60))):
            _draw_thing(draw, size, rng)
        soften = width / 640 * rng.uniform(0.5, 3)
        wall = np.asarray(things.filter(ImageFilter.GaussianBlur(soften)), np.float32)
    return np.asarray(wall * rng.uniform(0.35, 0.9), np.float32)


def _draw_thing(draw: ImageDraw.ImageDraw, size: Size, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    wide, high = rng.uniform(0.01, 0.3, 2) * size[1]
    shade = int(rng.uniform(0, 255))
    match int(rng.integers(0, 4)):
        case 0:
            draw.rectangle((x, y, x + wide, y + high), fill=shade)
        case 1:
            draw.ellipse((x, y, x + wide, y + high), fill=shade)
        case 2:  # words: short strokes in a row
            for place in range(int(rng.integers(3, 20))):
                left = x + place * high / 5
                draw.rectangle(
                    (left, y, left + high / 5 * rng.uniform(0.1, 0.8), y + high / 4), fill=shade
                )
        case _:  # a rail
            draw.line((x, y, x + wide * 3, y + high * 3), fill=shade, width=int(1 + high / 10))


def _gridded(picture: Grey, rng: np.random.Generator) -> Grey:
    """Put a screen's own grid of dots under the sensor's, and the beat of the two over all."""
    high, wide = picture.shape
    angle = rng.uniform(0, np.pi)
    pitch = rng.uniform(1.02, 1.45)  # the dots' distance in pixels
    rows, columns = np.mgrid[0:high, 0:wide].astype(np.float32)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    dots = (0.5 + 0.5 * np.sin(2 * np.pi * along / pitch)) * (
        0.5 + 0.5 * np.sin(2 * np.pi * across / pitch)
    )
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * along / rng.uniform(4.5, 20))
    return np.asarray(picture * (0.45 + 1.1 * dots) * (0.75 + 0.25 * beat), np.float32)


def _covered(picture: Grey, held: _Held, rng: np.random.Generator) -> Grey:
    """Put a fingertip on the code's edge."""
    x = held.middle[0] + rng.choice((-0.5, 0.5)) * held.wanted
    y = held.middle[1] + rng.uniform(-0.1, 0.5) * held.wanted
    rows, columns = np.ogrid[0 : picture.shape[0], 0 : picture.shape[1]]
    is_under = (columns - x) ** 2 + (rows - y) ** 2 <= (held.wanted * 0.14) ** 2
    return np.where(is_under, np.float32(150), picture)


def _lit(picture: Grey, held: _Held, condition: Condition, rng: np.random.Generator) -> Grey:
    """Mirror a lamp in the glass."""
    is_glare = condition is Condition.GLARE
    x = held.middle[0] + rng.uniform(-0.4, 0.4) * held.wanted
    y = held.middle[1] + rng.uniform(-0.4, 0.4) * held.wanted
    radius = held.wanted * (rng.uniform(0.12, 0.28) if is_glare else 0.12)
    rows, columns = np.ogrid[0 : picture.shape[0], 0 : picture.shape[1]]
    fall = ((columns - x) / radius) ** 2 + ((rows - y) / (radius * 0.6)) ** 2
    return np.asarray(picture + (330 if is_glare else 120) * np.exp(-fall), np.float32)


def _blurred(picture: Grey, sigma: float) -> Grey:
    """Blur as a lens out of focus does, near enough: along one axis, then along the other."""
    reach = max(1, int(np.ceil(3 * sigma)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        edges = [(0, 0), (0, 0)]
        edges[axis] = (reach, reach)
        padded = np.pad(picture, edges, mode="edge")
        span = picture.shape[axis]
        picture = np.asarray(
            sum(
                weight * (padded[at : at + span] if axis == 0 else padded[:, at : at + span])
                for at, weight in enumerate(weights.astype(np.float32))
            )
        )
    return picture


def _dragged(picture: Grey, length: float, degrees: float) -> Grey:
    """Average along a straight stroke of `length` pixels."""
    steps = max(3, int(np.ceil(length * 2)) | 1)
    dx, dy = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    reach = int(np.ceil(length / 2)) + 1
    padded = np.pad(picture, reach, mode="edge")
    high, wide = picture.shape
    total = np.zeros_like(picture)
    for at in np.linspace(-length / 2, length / 2, steps):
        x, y = reach + at * dx, reach + at * dy
        left, top = int(x), int(y)
        right_share, low_share = x - left, y - top
        for row, row_share in ((top, 1 - low_share), (top + 1, low_share)):
            for column, column_share in ((left, 1 - right_share), (left + 1, right_share)):
                share = np.float32(row_share * column_share)
                if share > 0:
                    total += share * padded[row : row + high, column : column + wide]
    return total / np.float32(steps)


def _tilted(
    points: npt.NDArray[np.float64], degrees: float, axis_degrees: float, height: int
) -> npt.NDArray[np.float64]:
    """Tilt points of the frame's plane about an axis through its middle, seen from the lens."""
    spin = _rotation(axis_degrees)
    along, across = (points @ spin).T
    tilt = np.deg2rad(degrees)
    away = _FOCAL * height
    nearer = away / (away + along * np.sin(tilt))
    seen = np.stack([along * np.cos(tilt) * nearer, across * nearer], axis=1)
    return np.asarray(seen @ spin.T, np.float64)


def _rotation(degrees: float) -> npt.NDArray[np.float64]:
    turn = np.deg2rad(degrees)
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def _perspective(
    source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]
) -> tuple[float, ...]:
    """The eight numbers of the perspective that takes four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        values += [u, v]
    return tuple(float(number) for number in np.linalg.solve(np.array(rows), np.array(values)))


def _bytes(picture: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)
