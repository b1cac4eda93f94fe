"""A second opinion on linear codes: zbar through pyzbar. Off unless configured.

It reads some blurred EAN codes that zxing-cpp does not. It changes the bytes of binary matrix
codes, so it is never asked for one; nor for ITF and Codabar, of which it takes a part for the
whole.
"""

from typing import Final

import numpy as np

from appliance.errors import ConfigError
from appliance.readers.decoding import Decoding, Frame, Read, Symbology, is_believable

try:
    from pyzbar import pyzbar  # type: ignore[import-untyped]
except ImportError as exc:  # pyzbar looks for its shared library while it is imported
    raise ConfigError(
        "second_opinion needs the zbar library: apt install libzbar0, or take the strategy out"
    ) from exc

_SYMBOLS: Final = {
    Symbology.CODE_128: pyzbar.ZBarSymbol.CODE128,
    Symbology.CODE_39: pyzbar.ZBarSymbol.CODE39,
    Symbology.CODE_93: pyzbar.ZBarSymbol.CODE93,
    Symbology.EAN_13: pyzbar.ZBarSymbol.EAN13,
    Symbology.EAN_8: pyzbar.ZBarSymbol.EAN8,
}
_SYMBOLOGIES: Final = {symbol.name: symbology for symbology, symbol in _SYMBOLS.items()}


class ZbarDecoder:
    """The port `Decoder` over zbar, for the linear codes among those configured.

    Args:
        decoding: what to look for and what to believe.

    Attributes:
        unread: always empty; it says nothing of codes that it cannot read.

    Raises:
        ConfigError: if no linear code is configured.
    """

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self.unread: list[Read] = []
        wanted = decoding.symbologies & _SYMBOLS.keys()
        self._symbols = [_SYMBOLS[symbology] for symbology in sorted(wanted)]
        if not self._symbols:
            raise ConfigError(
                "second_opinion is for linear codes other than ITF and Codabar, and none is named"
            )

    def decode(self, frame: Frame) -> list[Read]:
        """Return every believable linear code on the frame."""
        pixels = np.ascontiguousarray(frame.pixels).tobytes()
        try:
            found = pyzbar.decode((pixels, frame.width, frame.height), symbols=self._symbols)
        except ValueError:  # zbar found an orientation that its binding has no name for
            return []
        reads = [
            Read(
                symbology=_SYMBOLOGIES[code.type],
                data=bytes(code.data),
                position=tuple((corner.x, corner.y) for corner in code.polygon),
                text=code.data.decode("ascii", "replace"),
            )
            for code in found
            if code.type in _SYMBOLOGIES
        ]
        return [read for read in reads if is_believable(read, self._decoding)]
