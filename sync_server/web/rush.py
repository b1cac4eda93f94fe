"""Who may begin a contact now, when all gates come at once: after an outage, or at the doors.

Called by the device API for the first request of a gate's contact. Contacts come out of a bucket
that fills steadily; who finds it empty is told within how many seconds to come back, and gates
spread evenly over that time. The window grows with those who wait.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

CONTACTS_PER_S: Final = 25.0  # each comes to some ten requests and a live connection
CONTACTS_AT_ONCE: Final = 50
WINDOW_S_MIN: Final = 2
WINDOW_S_MAX: Final = 120


class Rush:
    """Lets contacts begin, as many as the server carries."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin with a full bucket.

        Args:
            monotonic: seconds on a clock that never steps.
        """
        self._monotonic = monotonic
        self._left = float(CONTACTS_AT_ONCE)
        self._at_s = monotonic()
        self._waiting = 0.0

    def window_s(self) -> int:
        """Take one contact; 0 if it may begin, else the seconds over which to come back."""
        now_s = self._monotonic()
        filled = (now_s - self._at_s) * CONTACTS_PER_S
        self._at_s = now_s
        self._left = min(CONTACTS_AT_ONCE, self._left + filled)
        self._waiting = max(0.0, self._waiting - filled)
        if self._left >= 1:
            self._left -= 1
            return 0
        self._waiting += 1
        return min(WINDOW_S_MAX, max(WINDOW_S_MIN, ceil(self._waiting / CONTACTS_PER_S)))
