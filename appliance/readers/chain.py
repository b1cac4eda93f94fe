"""The decoder a camera uses: the whole frame first, then one extra attempt a frame, in rotation.

Stacking every attempt on every frame would triple the cost of the frame with nothing on it, which
is what a gate mostly sees; in rotation that cost stays flat and nobody notices a few frames.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, assert_never

import numpy as np

from appliance.readers.decoding import (
    LINEAR,
    MATRIX,
    Decoder,
    Decoding,
    Frame,
    Pixels,
    Read,
    Strategy,
    Symbology,
)
from appliance.readers.zxing import ZxingDecoder

_SAMPLE_STEP: Final = 8  # every eighth pixel in both directions tells the contrast well enough
_FLAT_SPREAD_MAX: Final = 110  # grey levels between the percentiles; more needs no stretching
_EMPTY_SPREAD_MAX: Final = 4  # less than this is a covered lens: nothing there to stretch
_SHADES: Final = np.arange(256, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One extra attempt at a frame.

    Attributes:
        strategy: its name, for the bench table.
        prepare: makes the frame to decode, or None where the attempt cannot help this frame.
        decoder: decodes what was prepared.
        scale: by how much the prepared frame was shrunk.
    """

    strategy: Strategy
    prepare: Callable[[Frame], Frame | None]
    decoder: Decoder
    scale: int = 1


class ChainDecoder:
    """The port `Decoder` over a main decoder and attempts in rotation.

    Args:
        main: asked on every frame.
        attempts: where `main` found nothing, one of these is asked: the next that can help.
    """

    def __init__(self, main: Decoder, attempts: tuple[Attempt, ...]) -> None:
        self._main = main
        self._attempts = attempts
        self._next = 0

    def decode(self, frame: Frame) -> list[Read]:
        """Return every believable code on the frame, by the main decoder or by one attempt."""
        return self._main.decode(frame) or self._try_once_more(frame)

    def _try_once_more(self, frame: Frame) -> list[Read]:
        for offset in range(len(self._attempts)):
            turn = (self._next + offset) % len(self._attempts)
            attempt = self._attempts[turn]
            prepared = attempt.prepare(frame)
            if prepared is not None:
                self._next = (turn + 1) % len(self._attempts)
                return [_scaled(read, attempt.scale) for read in attempt.decoder.decode(prepared)]
        return []


def open_decoder(decoding: Decoding) -> ChainDecoder:
    """Build the decoder that a configuration asks for.

    Raises:
        ConfigError: if the second opinion is asked for and zbar is not installed, or no linear
            code is configured.
    """
    main = _only(decoding, MATRIX) or decoding
    attempts = [_attempt(strategy, decoding) for strategy in decoding.strategies]
    return ChainDecoder(
        ZxingDecoder(main), tuple(attempt for attempt in attempts if attempt is not None)
    )


def stretched(frame: Frame) -> Frame | None:
    """Spread a flat frame's grey levels over the whole range, and smooth the grain that shows.

    Returns:
        The new frame, or None if the frame is not flat, or is empty.
    """
    low, high = np.percentile(frame.pixels[::_SAMPLE_STEP, ::_SAMPLE_STEP], (1, 99))
    if not _EMPTY_SPREAD_MAX <= high - low <= _FLAT_SPREAD_MAX:
        return None
    table = np.clip((_SHADES - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return Frame(_smoothed(table[frame.pixels]), frame.received_ns)


def halved(frame: Frame) -> Frame | None:
    """Average each 2 x 2 pixels into one.

    Returns:
        The new frame, or None if the frame is less than two pixels wide or high.
    """
    if frame.width < 2 or frame.height < 2:
        return None
    even = frame.pixels[: frame.height & ~1, : frame.width & ~1]
    total = even[::2, ::2].astype(np.uint16)
    for corner in (even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]):
        total += corner
    return Frame((total >> 2).astype(np.uint8), frame.received_ns)


def _smoothed(pixels: Pixels) -> Pixels:
    wide = np.pad(pixels, 1, mode="edge").astype(np.uint16)
    across = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    mean: Pixels = ((across[:-2] + across[1:-1] + across[2:]) // 9).astype(np.uint8)
    return mean


def _attempt(strategy: Strategy, decoding: Decoding) -> Attempt | None:
    match strategy:
        case Strategy.STRETCH:
            return Attempt(strategy, stretched, ZxingDecoder(decoding))
        case Strategy.GLOBAL_HISTOGRAM:
            return Attempt(strategy, _whole, ZxingDecoder(decoding, global_histogram=True))
        case Strategy.HALF_SIZE:
            return Attempt(strategy, halved, ZxingDecoder(decoding), scale=2)
        case Strategy.LINEAR:
            linear = _only(decoding, LINEAR)
            if linear is None or linear == decoding:
                return None  # no linear code wanted, or the main decoder looks for them already
            return Attempt(strategy, _whole, ZxingDecoder(linear))
        case Strategy.SECOND_OPINION:
            from appliance.readers.zbar import ZbarDecoder  # its shared library is optional

            return Attempt(strategy, _whole, ZbarDecoder(decoding))
        case _:
            assert_never(strategy)


def _only(decoding: Decoding, kinds: frozenset[Symbology]) -> Decoding | None:
    """The same decoding for some kinds of code only, or None if it asks for none of these."""
    kept = decoding.symbologies & kinds
    if not kept:
        return None
    lengths = decoding.itf_lengths if Symbology.ITF in kept else frozenset()
    return replace(decoding, symbologies=kept, itf_lengths=lengths)


def _whole(frame: Frame) -> Frame:
    return frame


def _scaled(read: Read, scale: int) -> Read:
    if scale == 1:
        return read
    return replace(read, position=tuple((x * scale, y * scale) for x, y in read.position))
