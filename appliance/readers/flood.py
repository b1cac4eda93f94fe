"""Bounds on how many scans and bytes a reader may bring. Called by readers; knows no clock.

A jammed scanner, or a phone that shows a film of codes, must not fill the journal: beyond the
rate its scans are dropped and counted. Nor must reading them keep the lane from its work.
"""

from typing import Final

BYTES_PER_S_MAX: Final = 32 * 1024  # thrice the fastest usual line; on USB what is more waits
BYTES_AT_ONCE: Final = 8 * 1024  # two codes of the greatest length
SCANS_PER_S_MAX: Final = 20  # twenty times what a person at a turnstile can do
_NS_PER_S: Final = 1_000_000_000


class TokenBucket:
    """Lets through a burst of one second's worth, then only the rate.

    Args:
        per_s: scans a second in the long run, and at once after a second of rest.

    Raises:
        ValueError: if the rate is below one.
    """

    def __init__(self, per_s: int = SCANS_PER_S_MAX) -> None:
        if per_s < 1:
            raise ValueError(f"per_s must be >= 1, got {per_s}")
        self._full_ns = _NS_PER_S
        self._price_ns = _NS_PER_S // per_s
        self._saved_ns = self._full_ns
        self._at_ns: int | None = None
        self.dropped = 0

    def admit(self, now_ns: int) -> bool:
        """Tell whether one more scan may pass now; one that may not is counted in `dropped`."""
        if self._at_ns is not None:
            self._saved_ns = min(self._full_ns, self._saved_ns + now_ns - self._at_ns)
        self._at_ns = now_ns
        if self._saved_ns < self._price_ns:
            self.dropped += 1
            return False
        self._saved_ns -= self._price_ns
        return True


class BytePace:
    """Tells how long to let a line wait that sends more than may be looked at.

    Args:
        per_s: bytes a second in the long run.
        at_once: bytes that may come in one go after a rest.
    """

    def __init__(self, per_s: int = BYTES_PER_S_MAX, at_once: int = BYTES_AT_ONCE) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._owed = 0.0  # bytes that were looked at and not yet waited for
        self._at_ns = 0

    def pause_s(self, count: int, now_ns: int) -> float:
        """Take in that so many bytes were looked at; give the seconds to wait before the next."""
        rested = (now_ns - self._at_ns) * self._per_s / _NS_PER_S
        self._at_ns = now_ns
        self._owed = max(0.0, self._owed - rested) + count
        return max(0.0, (self._owed - self._at_once) / self._per_s)
