"""The first decoder: zxing-cpp. Its bytes are exact, and it lets the other threads run.

It also tells of codes whose place it found and whose content it could not make out: blurred, in
motion, half in the dark. That costs nothing, since it has tried anyway.
"""

from dataclasses import replace
from typing import Final

import zxingcpp

from appliance.readers.decoding import Decoding, Frame, Read, Symbology, is_believable

_FORMATS: Final = {
    Symbology.QR_CODE: zxingcpp.BarcodeFormat.QRCode,
    Symbology.AZTEC: zxingcpp.BarcodeFormat.Aztec,
    Symbology.DATA_MATRIX: zxingcpp.BarcodeFormat.DataMatrix,
    Symbology.PDF417: zxingcpp.BarcodeFormat.PDF417,
    Symbology.CODE_128: zxingcpp.BarcodeFormat.Code128,
    Symbology.CODE_39: zxingcpp.BarcodeFormat.Code39,
    Symbology.CODE_93: zxingcpp.BarcodeFormat.Code93,
    Symbology.CODABAR: zxingcpp.BarcodeFormat.Codabar,
    Symbology.ITF: zxingcpp.BarcodeFormat.ITF,
    Symbology.EAN_13: zxingcpp.BarcodeFormat.EAN13,
    Symbology.EAN_8: zxingcpp.BarcodeFormat.EAN8,
}
_SYMBOLOGIES: Final = {fmt: symbology for symbology, fmt in _FORMATS.items()}
# of the third kind, a code that asks for what the library cannot do, no other look makes more
_BLURRED: Final = frozenset({zxingcpp.ErrorType.Checksum, zxingcpp.ErrorType.Format})


class ZxingDecoder:
    """The port `Decoder` over zxing-cpp.

    Args:
        decoding: what to look for and what to believe.
        global_histogram: one black-and-white threshold for the whole frame instead of local ones.

    Attributes:
        unread: codes seen on the last frame that could not be read; their data is empty.
    """

    def __init__(self, decoding: Decoding, *, global_histogram: bool = False) -> None:
        self._decoding = decoding
        wanted = [_FORMATS[symbology] for symbology in sorted(decoding.symbologies)]
        self._formats = zxingcpp.BarcodeFormats(wanted)
        self._binarizer = (
            zxingcpp.Binarizer.GlobalHistogram
            if global_histogram
            else zxingcpp.Binarizer.LocalAverage
        )
        self.unread: list[Read] = []

    def decode(self, frame: Frame) -> list[Read]:
        """Return every believable code on the frame."""
        found = zxingcpp.read_barcodes(
            frame.pixels,
            formats=self._formats,
            binarizer=self._binarizer,
            text_mode=zxingcpp.TextMode.Plain,
            return_errors=True,
        )
        reads = [_as_read(barcode) for barcode in found if barcode.valid]
        believed = [r for r in reads if r is not None and is_believable(r, self._decoding)]
        self.unread = [] if believed else _unread(found)
        return believed


def _unread(found: list[zxingcpp.Barcode]) -> list[Read]:
    """Give what was found and not made out; of that, nothing is believed but its place."""
    blurred = [barcode for barcode in found if barcode.error and barcode.error.type in _BLURRED]
    return [replace(r, data=b"", text="") for r in map(_as_read, blurred) if r is not None]


def _as_read(barcode: zxingcpp.Barcode) -> Read | None:
    # A variant (Micro QR, Code 39 extended) answers to its family; EAN's members are told apart.
    symbology = _SYMBOLOGIES.get(barcode.format) or _SYMBOLOGIES.get(barcode.symbology)
    if symbology is None:
        return None
    corners = barcode.position
    return Read(
        symbology=symbology,
        data=bytes(barcode.bytes),
        position=tuple(
            (corner.x, corner.y)
            for corner in (
                corners.top_left,
                corners.top_right,
                corners.bottom_right,
                corners.bottom_left,
            )
        ),
        text=_text(bytes(barcode.bytes), barcode.text),
    )


def _text(data: bytes, guessed: str) -> str:
    """What the bytes say: UTF-8 if they are that, which few codes state, and else a guess."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return guessed
