"""Does a serial line carry codes, or the garbage of a wrong speed? Called by the serial reader.

Pure. Garbage is judged like any code, and so refused, but where it keeps coming only now and then:
a person who holds a ticket to a scanner of the wrong speed is answered, a line that hums is not.
"""

from typing import Final

RUNS_MIN: Final = 3  # one bad run is a touched plug; three in a row are a wrong setting
PAUSE_NS: Final = 10_000_000_000  # between two garbled runs that are handed on from a noisy line
_USUAL_CONTROLS: Final = frozenset(b"\t\x04\x1c\x1d\x1e\x1f")  # GS1 and transport codes use these


class NoiseGate:
    """Counts garbled runs; a line is noisy from some in a row until a clean one.

    Attributes:
        garbled: all garbled runs so far.
    """

    def __init__(self, runs_min: int = RUNS_MIN, pause_ns: int = PAUSE_NS) -> None:
        self._runs_min = runs_min
        self._pause_ns = pause_ns
        self._in_a_row = 0
        self._admitted_ns: int | None = None
        self.garbled = 0

    @property
    def is_noisy(self) -> bool:
        """Whether the line looks like one of a wrong speed."""
        return self._in_a_row >= self._runs_min

    def admit(self, data: bytes, now_ns: int) -> bool:
        """Take in a run that ended as a code does; tell whether it is worth judging."""
        if not is_garbled(data):
            self._in_a_row = 0
            self._admitted_ns = None
            return True
        self._count(1)
        rests = self._admitted_ns is not None and now_ns - self._admitted_ns < self._pause_ns
        if self.is_noisy and rests:
            return False
        self._admitted_ns = now_ns
        return True

    def see_overruns(self, runs: int) -> None:
        """Take in runs without an end."""
        self._count(runs)

    def _count(self, runs: int) -> None:
        self._in_a_row += runs
        self.garbled += runs


def is_garbled(data: bytes) -> bool:
    """Tell whether bytes are no text, or hold control characters that no code carries."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return any(byte < 0x20 and byte not in _USUAL_CONTROLS for byte in data)
