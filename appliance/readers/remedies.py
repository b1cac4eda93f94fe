"""What may be done to pixels that gave nothing: contrast, size, sharpness. Pure numpy.

Called by the decoding chain, one remedy a frame. Each says what it is for.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.readers.decoding import Frame, Pixels

_SAMPLE_STEP: Final = 8  # every eighth pixel in both directions tells the contrast well enough
_FLAT_SPREAD_MAX: Final = 110  # grey levels between the percentiles; more needs no stretching
_EMPTY_SPREAD_MAX: Final = 4  # less than this is a covered lens: nothing there to stretch
_SHADES: Final = np.arange(256, dtype=np.float64)
_TILE: Final = 64  # transforms of such lengths are quick

Waves = npt.NDArray[np.float32]


def stretched(frame: Frame) -> Frame | None:
    """Spread a flat frame's grey levels over the whole range, and smooth the grain that shows.

    For dark screens and halls.

    Returns:
        The new frame, or None if the frame is not flat, or is empty.
    """
    low, high = np.percentile(frame.pixels[::_SAMPLE_STEP, ::_SAMPLE_STEP], (1, 99))
    if not _EMPTY_SPREAD_MAX <= high - low <= _FLAT_SPREAD_MAX:
        return None
    table = np.clip((_SHADES - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    return Frame(smoothed(table[frame.pixels]), frame.received_ns)


def halved(frame: Frame) -> Frame | None:
    """Average each 2 x 2 pixels into one. For coarse print, grain and large blurred codes.

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


def smoothed(pixels: Pixels) -> Pixels:
    """Average each pixel with its eight neighbours. For a screen's own grid of dots."""
    return (_summed(pixels, 1) // 9).astype(np.uint8)


def sharpened(pixels: Pixels, reach: int, times: int) -> Pixels:
    """Move each pixel away from the mean of its surroundings. For blur.

    Args:
        pixels: what to sharpen.
        reach: pixels on each side that count as surroundings; about the blur's own width.
        times: how far it is moved, in multiples of its distance from the mean.
    """
    area = (2 * reach + 1) ** 2
    mean = (_summed(pixels, reach) // area).astype(np.int16)
    here = pixels.astype(np.int16)
    return np.clip(here + times * (here - mean), 0, 255).astype(np.uint8)


def doubled(pixels: Pixels) -> Pixels:
    """Make two pixels of one in both directions, with what lies between. For small codes."""
    padded = np.pad(pixels, 1, mode="edge").astype(np.uint16)
    rows = np.empty((2 * pixels.shape[0], padded.shape[1]), np.uint16)
    rows[::2] = 3 * padded[1:-1] + padded[:-2]
    rows[1::2] = 3 * padded[1:-1] + padded[2:]
    wide = np.empty((rows.shape[0], 2 * pixels.shape[1]), np.uint16)
    wide[:, ::2] = 3 * rows[:, 1:-1] + rows[:, :-2]
    wide[:, 1::2] = 3 * rows[:, 1:-1] + rows[:, 2:]
    return (wide >> 4).astype(np.uint8)


def deblurred(pixels: Pixels, sigma: float, grain: float) -> Pixels:
    """Undo a round blur as far as the grain allows (Wiener's filter). For a lens out of focus.

    Args:
        pixels: what to sharpen.
        sigma: the blur's standard deviation in pixels.
        grain: power of the grain in that of the picture; more undoes less.
    """
    high, wide = pixels.shape
    padded = np.pad(
        pixels.astype(np.float32), ((0, -high % _TILE), (0, -wide % _TILE)), mode="symmetric"
    )
    rows, columns = padded.shape
    down = np.fft.fftfreq(rows).astype(np.float32)
    along = np.fft.rfftfreq(columns).astype(np.float32)
    blur = _falloff(down, sigma)[:, None] * _falloff(along, sigma)[None, :]
    undo = (1 + grain) * blur / (blur * blur + grain)  # leaves the mean as it is
    waves = np.fft.rfft2(padded) * undo
    sharp = np.fft.irfft2(waves, s=(rows, columns))[:high, :wide]
    return np.clip(sharp, 0, 255).astype(np.uint8)


def _falloff(frequency: Waves, sigma: float) -> Waves:
    return np.asarray(np.exp(-2 * (np.pi * sigma * frequency) ** 2), np.float32)


def _summed(pixels: Pixels, reach: int) -> npt.NDArray[np.uint32]:
    """Sum the square of `2 * reach + 1` pixels about each; the edge goes on beyond the edge."""
    span = 2 * reach + 1
    padded = np.pad(pixels, ((reach + 1, reach), (reach + 1, reach)), mode="edge")
    down = padded.cumsum(axis=0, dtype=np.uint32)
    down = down[span:] - down[:-span]
    across = down.cumsum(axis=1, dtype=np.uint32)
    return np.asarray(across[:, span:] - across[:, :-span], np.uint32)
