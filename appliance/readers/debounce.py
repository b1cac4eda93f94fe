"""What makes one presentation of a code one scan. Called by readers; knows no clock.

A camera sees the same code in thirty frames a second and a scanner may send it again and again;
the gate wants it once. The hold on a code lasts as long as it stays in view and a window longer.
It ends early when another code takes its place, so that the first may come back at once. Codes
that were seen on one frame stand together (a family's tickets on one sheet): while one of them is
in view, the others are not forgotten, even if a frame misses some of them.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

WINDOW_NS: Final = 2_500_000_000  # a hand that trembles loses a code for less than this
REPLACED_NS: Final = 250_000_000  # two codes side by side may be read in turns within this

Code = TypeVar("Code", bound=Hashable)


@dataclass(slots=True)
class _Held:
    seen_ns: int
    group: int


class Debounce(Generic[Code]):
    """Tells new codes from those that are still being shown.

    Args:
        window_ns: how long after its last sight a code is still the same presentation.
        replaced_ns: how long a code must be out of view before another code may take its place;
            at `window_ns` other codes never shorten the hold.

    Raises:
        ValueError: unless 0 <= replaced_ns <= window_ns.
    """

    def __init__(self, window_ns: int = WINDOW_NS, replaced_ns: int = REPLACED_NS) -> None:
        if not 0 <= replaced_ns <= window_ns:
            raise ValueError(f"replaced_ns must be 0 to {window_ns}, got {replaced_ns}")
        self._window_ns = window_ns
        self._replaced_ns = replaced_ns
        self._held: dict[Code, _Held] = {}
        self._groups = 0

    def see(self, codes: Iterable[Code], now_ns: int) -> list[Code]:
        """Take in what one frame shows, or one code of a scanner.

        Args:
            codes: all that is in view at this moment; empty where nothing is.
            now_ns: a clock that never steps.

        Returns:
            Those that are new scans, each once, in the order given.
        """
        in_view = list(dict.fromkeys(codes))
        self._let_go_after_window(now_ns)
        new = [code for code in in_view if code not in self._held]
        if in_view:
            group = self._join(in_view, now_ns)
            self._let_go_of_replaced(group, now_ns)
        return new

    @property
    def held(self) -> frozenset[Code]:
        """The codes that are still being shown, in view or not."""
        return frozenset(self._held)

    def forget(self, code: Code) -> None:
        """Let go of a code: its next sight is a new scan."""
        self._held.pop(code, None)

    def _join(self, in_view: list[Code], now_ns: int) -> int:
        """Hold these codes as one group, together with those they stood with before."""
        joined = {self._held[code].group for code in in_view if code in self._held}
        self._groups += 1
        for held in self._held.values():
            if held.group in joined:
                held.group = self._groups
        for code in in_view:
            self._held[code] = _Held(now_ns, self._groups)
        return self._groups

    def _let_go_after_window(self, now_ns: int) -> None:
        for code, held in list(self._held.items()):
            if now_ns - held.seen_ns > self._window_ns:
                del self._held[code]

    def _let_go_of_replaced(self, group: int, now_ns: int) -> None:
        if self._replaced_ns >= self._window_ns:
            return
        for code, held in list(self._held.items()):
            if held.group != group and now_ns - held.seen_ns >= self._replaced_ns:
                del self._held[code]
