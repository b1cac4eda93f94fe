"""Does a serial line carry codes, or the garbage of a wrong speed? Called by the serial reader.

Pure, and only ever a hint for the log: the bytes are handed on all the same, and judged.
"""

from typing import Final

RUNS_MIN: Final = 3  # one bad run is a touched plug; three in a row are a wrong setting
_USUAL_CONTROLS: Final = frozenset(b"\t\x04\x1c\x1d\x1e\x1f")  # GS1 and transport codes use these


class NoiseWatch:
    """Counts garbled runs, and raises its hand once when they follow each other.

    Attributes:
        garbled: all garbled runs so far.
    """

    def __init__(self, runs_min: int = RUNS_MIN) -> None:
        self._runs_min = runs_min
        self._in_a_row = 0
        self.garbled = 0

    def see_code(self, data: bytes) -> bool:
        """Take in a code; tell whether the line has just begun to look like a wrong speed."""
        if not is_garbled(data):
            self._in_a_row = 0
            return False
        return self._count(1)

    def see_overruns(self, runs: int) -> bool:
        """Take in runs without an end; tell the same."""
        return self._count(runs) if runs else False

    def _count(self, runs: int) -> bool:
        was_quiet = self._in_a_row < self._runs_min
        self._in_a_row += runs
        self.garbled += runs
        return was_quiet and self._in_a_row >= self._runs_min


def is_garbled(data: bytes) -> bool:
    """Tell whether bytes are no text, or hold control characters that no code carries."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return any(byte < 0x20 and byte not in _USUAL_CONTROLS for byte in data)
