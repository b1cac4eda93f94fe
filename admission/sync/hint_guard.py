"""Which of a gate's hints a server hands on: its own, and not too many. No clock, no socket."""

from collections.abc import Iterable
from typing import Final

from admission.sync.messages import Hint

HINTS_PER_S: Final = 20  # ten times what a lane can grant
HINTS_AT_ONCE: Final = 64
JOURNALS_ASKED_MS: Final = 1000  # so often at most is looked whether a journal is new
_MS: Final = 1000


class HintGuard:
    """Stands at one gate's connection.

    Attributes:
        passed: hints that went on.
        held_back: hints of others, of unknown journals, and beyond the rate.
    """

    def __init__(self, gate: str, journals: Iterable[str]) -> None:
        """Take whose connection it is.

        Args:
            gate: id of the gate, as it has proven.
            journals: ids of its journals.
        """
        self.passed = 0
        self.held_back = 0
        self._gate = gate
        self._journals = frozenset(journals)
        self._left = float(HINTS_AT_ONCE)
        self._counted_ms = 0
        self._asked_ms: int | None = None
        self._met_stranger = False

    def passes(self, hint: Hint, now_ms: int) -> bool:
        """Tell whether a hint goes on.

        Args:
            hint: as it came.
            now_ms: on a clock that never steps.
        """
        earned = (now_ms - self._counted_ms) * HINTS_PER_S / _MS
        self._left = min(float(HINTS_AT_ONCE), self._left + max(0.0, earned))
        self._counted_ms = now_ms
        if self._left < 1.0 or hint.gate != self._gate:
            self.held_back += 1
            return False
        self._left -= 1.0
        if hint.journal not in self._journals:
            self._met_stranger = True
            self.held_back += 1
            return False
        self.passed += 1
        return True

    def wants_journals(self, now_ms: int) -> bool:
        """Tell whether to look which journals the gate has: it spoke of one that is not known."""
        asked = self._asked_ms
        if not self._met_stranger or (asked is not None and now_ms - asked < JOURNALS_ASKED_MS):
            return False
        self._asked_ms = now_ms
        self._met_stranger = False
        return True

    def know(self, journals: Iterable[str]) -> None:
        """Take the gate's journals as they are known now."""
        self._journals = frozenset(journals)
