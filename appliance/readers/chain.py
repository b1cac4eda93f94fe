"""The decoder a camera uses: the whole frame first, then one extra attempt a frame, in rotation.

Stacking every attempt on every frame would triple the cost of the frame with nothing on it, which
is what a gate mostly sees; in rotation that cost stays flat and nobody notices a few frames. And a
scene that was looked at thoroughly and stands still is looked at now and then only (`glance`).

`open_decoder` takes plain values and opens nothing, so that a process of its own can call it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from appliance.readers.decoding import Decoder, Decoding, Frame, Pixels, Read, Strategy
from appliance.readers.doubts import undoubted
from appliance.readers.focus import View, evened, liveliest
from appliance.readers.glance import Glance, Look
from appliance.readers.remedies import deblurred, doubled, halved, sharpened, smoothed, stretched
from appliance.readers.unread import distinct
from appliance.readers.zxing import ZxingDecoder

_PART_MAX: Final = 640  # pixels: a part that is larger holds large modules, and is halved first
_DOUBLED_MAX: Final = 400  # pixels, before: enlarging is for small codes
_SHARPEN_REACH, _SHARPEN_TIMES = 4, 3
_BLURS: Final = (3.2, 4.5, 2.2)  # pixels, one in each turn: nobody knows how far out of focus
_LARGE_MIN: Final = 800  # pixels: zbar reads more of a large frame at half its size, in less time
_GRAIN: Final = 0.003


@dataclass(frozen=True, slots=True)
class Attempt:
    """One extra attempt at a frame.

    Attributes:
        strategy: its name, for the bench table.
        prepare: makes the view to decode, or None where the attempt cannot help this frame.
        decoder: decodes what was prepared.
    """

    strategy: Strategy
    prepare: Callable[[Frame], View | None]
    decoder: Decoder

    def look(self, frame: Frame) -> list[Read]:
        """Return what it reads on the frame."""
        return self.look_if_it_helps(frame) or []

    def look_if_it_helps(self, frame: Frame) -> list[Read] | None:
        """Return what it reads on the frame, or None if it did not look."""
        view = self.prepare(frame)
        if view is None:
            return None
        found = undoubted(self.decoder.decode(view.frame), view.frame)
        return [view.on_frame(read) for read in found]


class ChainDecoder:
    """The port `Decoder` over a main decoder and attempts in rotation.

    Args:
        main: asked on every frame that deserves a look.
        attempts: where `main` found nothing, one of these is asked: the next that can help.
        glance: says which frames deserve a look; None looks at every one.

    Attributes:
        unread: codes seen that could not be read; their data is empty. As `main` saw the scene
            last: an attempt sharpens a bare wall into what looks like a code.
    """

    def __init__(
        self, main: Decoder, attempts: tuple[Attempt, ...], glance: Glance | None = None
    ) -> None:
        self._main = main
        self._attempts = attempts
        self._glance = glance
        self._next = 0
        self._is_mains_turn = True
        self.unread: list[Read] = []

    def decode(self, frame: Frame) -> list[Read]:
        """Return every believable code on the frame, by the main decoder or by one attempt."""
        look = self._glance.at(frame) if self._glance else Look.ANEW
        match look:
            case Look.NONE:
                return []
            case Look.CHECK:  # of a known scene: half a look, and the other half the next time
                self._is_mains_turn = not self._is_mains_turn or not self._attempts
                turn = self._look if self._is_mains_turn else self._try_once_more
                reads = turn(frame)
            case Look.ANEW | Look.AGAIN:
                reads = self._look(frame) or self._try_once_more(frame)
            case _:
                assert_never(look)
        if self._glance:
            self._glance.saw(bool(reads))
        if reads:
            self.unread = []
        return reads

    def _look(self, frame: Frame) -> list[Read]:
        reads = undoubted(self._main.decode(frame), frame)
        self.unread = distinct(self._main.unread, frame)
        return reads

    def _try_once_more(self, frame: Frame) -> list[Read]:
        for offset in range(len(self._attempts)):
            turn = (self._next + offset) % len(self._attempts)
            found = self._attempts[turn].look_if_it_helps(frame)
            if found is not None:
                # what helped once helps the next frame too: its second, equal read comes at once
                self._next = turn if found else (turn + 1) % len(self._attempts)
                return found
        return []


def open_decoder(decoding: Decoding) -> ChainDecoder:
    """Build the decoder that a configuration asks for.

    Raises:
        ConfigError: if the second opinion is asked for and zbar is not installed, or no linear
            code is configured.
    """
    return ChainDecoder(ZxingDecoder(decoding), attempts_for(decoding), Glance())


def attempts_for(decoding: Decoding) -> tuple[Attempt, ...]:
    """Build the extra attempts, in their order.

    Raises:
        ConfigError: as `open_decoder`.
    """
    return tuple(_attempt(strategy, decoding) for strategy in decoding.strategies)


def _attempt(strategy: Strategy, decoding: Decoding) -> Attempt:
    if strategy is Strategy.SECOND_OPINION:
        from appliance.readers.zbar import ZbarDecoder  # its shared library is optional

        return Attempt(strategy, _halved_if_large, ZbarDecoder(decoding))
    if strategy is Strategy.GLOBAL_HISTOGRAM:
        return Attempt(strategy, View, ZxingDecoder(decoding, global_histogram=True))
    return Attempt(strategy, _preparation(strategy), ZxingDecoder(decoding))


def _preparation(strategy: Strategy) -> Callable[[Frame], View | None]:
    match strategy:
        case Strategy.STRETCH:
            return _stretched
        case Strategy.HALF_SIZE:
            return _half
        case Strategy.SMOOTH:
            return lambda frame: _part(frame, _PART_MAX, smoothed)
        case Strategy.SHARPEN:
            return lambda frame: _part(
                frame,
                _PART_MAX,
                lambda part: sharpened(smoothed(part), _SHARPEN_REACH, _SHARPEN_TIMES),
            )
        case Strategy.ENLARGE:
            return lambda frame: _part(frame, _DOUBLED_MAX, doubled, scale=0.5)
        case Strategy.DEBLUR:
            return _Deblurring()
        case Strategy.GLOBAL_HISTOGRAM | Strategy.SECOND_OPINION:
            return View
        case _:
            assert_never(strategy)


class _Deblurring:
    """Undoes a blur of another width in each turn."""

    def __init__(self) -> None:
        self._turn = 0

    def __call__(self, frame: Frame) -> View | None:
        sigma = _BLURS[self._turn % len(_BLURS)]
        self._turn += 1
        return _part(frame, _PART_MAX, lambda part: deblurred(part, sigma, _GRAIN))


def _stretched(frame: Frame) -> View | None:
    flat = stretched(frame)
    return None if flat is None else View(flat)


def _half(frame: Frame) -> View | None:
    half = halved(frame)
    return None if half is None else View(half, scale=2)


def _halved_if_large(frame: Frame) -> View | None:
    return _half(frame) if max(frame.width, frame.height) > _LARGE_MIN else View(frame)


def _part(
    frame: Frame, side_max: int, remedy: Callable[[Pixels], Pixels], scale: float = 1
) -> View | None:
    """Apply a remedy to the liveliest part of the frame; None if nothing is on it."""
    part = evened(liveliest(frame))
    if part is None:
        return None
    view = part
    while max(view.frame.width, view.frame.height) > side_max:
        half = halved(view.frame)
        if half is None:
            return None
        view = View(half, part.left, part.top, view.scale * 2)
    mended = Frame(remedy(view.frame.pixels), frame.received_ns)
    return View(mended, part.left, part.top, view.scale * scale)
