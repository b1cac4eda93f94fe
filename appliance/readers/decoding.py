"""What every decoder speaks of: the frame, what was read on it, and what may be believed.

Called by the camera pipeline and by the decoders. Knows no decoding library.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from admission.limits import SCAN_PAYLOAD_BYTES_MAX

Pixels = npt.NDArray[np.uint8]
Point = tuple[int, int]


@unique
class Symbology(StrEnum):
    """The kinds of code a ticket may carry; the value is what a `Payload` names."""

    QR_CODE = "QRCode"
    AZTEC = "Aztec"
    DATA_MATRIX = "DataMatrix"
    PDF417 = "PDF417"
    CODE_128 = "Code128"
    CODE_39 = "Code39"
    CODE_93 = "Code93"
    CODABAR = "Codabar"
    ITF = "ITF"
    EAN_13 = "EAN13"
    EAN_8 = "EAN8"


MATRIX: Final = frozenset(
    {Symbology.QR_CODE, Symbology.AZTEC, Symbology.DATA_MATRIX, Symbology.PDF417}
)
LINEAR: Final = frozenset(Symbology) - MATRIX
_UNCHECKED: Final = frozenset({Symbology.CODE_39, Symbology.CODABAR})  # no check digit of their own
_ALIASES: Final = {"qr": Symbology.QR_CODE}


@unique
class Strategy(StrEnum):
    """What a frame that gave nothing may be tried with once more."""

    STRETCH = "stretch"  # more contrast, when the frame has little: dark screens
    SHARPEN = "sharpen"  # the liveliest part, away from its surroundings' mean: blur
    ENLARGE = "enlarge"  # that part at twice its size: small codes
    SMOOTH = "smooth"  # that part, each pixel averaged: moire
    DEBLUR = "deblur"  # that part with a round blur undone: out of focus
    GLOBAL_HISTOGRAM = "global_histogram"  # one threshold for the whole frame: even, coarse print
    HALF_SIZE = "half_size"  # averaged over 2 x 2 pixels: coarse print, grain
    SECOND_OPINION = "second_opinion"  # another library, for linear codes only


USUAL: Final = tuple(strategy for strategy in Strategy if strategy is not Strategy.SECOND_OPINION)
ITF_LENGTHS_ANY: Final = frozenset(range(6, 82, 2))  # a shorter one proves little


@dataclass(frozen=True, slots=True)
class Decoding:
    """What to look for, and how hard; fewer symbologies cost less time.

    Attributes:
        symbologies: the kinds looked for; QR alone costs a tenth of all kinds.
        itf_lengths: the numbers of digits an ITF code may have; required for ITF and only for it,
            since a part of an ITF code is a shorter valid one.
        unchecked_length_min: shortest believed Code 39 or Codabar, which carry no check digit.
        strategies: tried one a frame, in rotation, on frames that gave nothing.

    Raises:
        ValueError: if nothing is to be read, or ITF comes without lengths or lengths without ITF.
    """

    symbologies: frozenset[Symbology] = MATRIX
    itf_lengths: frozenset[int] = frozenset()
    unchecked_length_min: int = 4
    strategies: tuple[Strategy, ...] = USUAL

    def __post_init__(self) -> None:
        if not self.symbologies:
            raise ValueError("symbologies must name at least one kind of code, got none")
        if (Symbology.ITF in self.symbologies) != bool(self.itf_lengths):
            raise ValueError("ITF and itf_lengths go together: give both, or none of the two")
        if any(length < 2 or length % 2 for length in self.itf_lengths):
            raise ValueError(f"itf_lengths must be even and positive, got {set(self.itf_lengths)}")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One greyscale picture.

    Attributes:
        pixels: rows of bytes, 0 is black; may be a view into wider rows.
        received_ns: `Clock.monotonic_ns` when the picture arrived.

    Raises:
        ValueError: if the pixels are not two-dimensional bytes, or there are none.
    """

    pixels: Pixels
    received_ns: int

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.uint8 or not self.pixels.size:
            raise ValueError(
                f"a frame is rows of bytes, got {self.pixels.dtype} of shape {self.pixels.shape}"
            )

    @classmethod
    def copy_of(
        cls, buffer: memoryview | Pixels, width: int, height: int, stride: int, received_ns: int
    ) -> "Frame":
        """Copy a picture out of a buffer that its owner wants back.

        Args:
            buffer: flat bytes, at least `height` rows.
            width: pixels in a row.
            height: rows.
            stride: bytes from one row to the next; what is beyond `width` is padding.
            received_ns: `Clock.monotonic_ns` when the picture arrived.

        Raises:
            ValueError: if the buffer is too short for these sizes.
        """
        rows = np.frombuffer(buffer, dtype=np.uint8, count=stride * height)
        return cls(rows.reshape(height, stride)[:, :width].copy(), received_ns)

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return int(self.pixels.strides[0])


@dataclass(frozen=True, slots=True)
class Read:
    """One code on a frame.

    Attributes:
        symbology: its kind.
        data: its exact bytes.
        position: its corners in pixels, from the code's own top left, clockwise.
        text: what the decoder takes the bytes to say; for people who diagnose, never for judging.
    """

    symbology: Symbology
    data: bytes
    position: tuple[Point, ...] = ()
    text: str = ""


class Decoder(Protocol):
    """Finds codes on a frame. Called in a worker thread, by one caller at a time."""

    @property
    def unread(self) -> list[Read]:
        """Codes in view, as of the last frame, that could not be read; their data is empty.

        None where something was read: whoever holds that ticket holds it well.
        """
        ...

    def decode(self, frame: Frame) -> list[Read]:
        """Return every believable code on the frame; a frame without one gives an empty list."""
        ...


def symbologies_named(names: Iterable[str]) -> frozenset[Symbology]:
    """Read symbologies from a configuration, whatever the case and the dashes (`data-matrix`).

    Raises:
        ValueError: if a name is unknown; the message lists the known ones.
    """
    return frozenset(_symbology_named(name) for name in names)


def is_believable(read: Read, decoding: Decoding) -> bool:
    """Tell whether a read is wanted and long enough not to be a part of a code or of a pattern."""
    if read.symbology not in decoding.symbologies:
        return False
    if not 0 < len(read.data) <= SCAN_PAYLOAD_BYTES_MAX:
        return False
    if read.symbology is Symbology.ITF:
        return len(read.data) in decoding.itf_lengths
    return read.symbology not in _UNCHECKED or len(read.data) >= decoding.unchecked_length_min


def _symbology_named(name: str) -> Symbology:
    plain = "".join(c for c in name.casefold() if c not in " -_")
    for symbology in Symbology:
        if symbology.value.casefold() == plain:
            return symbology
    if plain in _ALIASES:
        return _ALIASES[plain]
    known = ", ".join(Symbology)
    raise ValueError(f"unknown symbology {name!r}; known are {known}")
