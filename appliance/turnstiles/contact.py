"""When a contact that bounces means that a person went through. Called by the relay driver.

Pure: edges with their times in, passages out. A level counts once it has stayed for a while, so
that neither the bounce of a switch nor a spark on a long wire is a person.
"""

from typing import Final

STABLE_NS: Final = 20_000_000  # switches bounce for less; turnstiles hold the contact far longer


class PassageContact:
    """Finds passages in raw edges.

    A passage is the contact becoming active for good; it must have been inactive for good before.
    A contact that is active from the start has seen nobody pass.

    Args:
        is_active: the level at the start.
        stable_ns: how long a level must stay to count.
    """

    def __init__(self, is_active: bool, stable_ns: int = STABLE_NS) -> None:
        self._stable_ns = stable_ns
        self._level = is_active
        self._counted = is_active
        self._since_ns = 0

    @property
    def settles_at_ns(self) -> int | None:
        """When `tick` will count the present level, or None if it is counted already."""
        return None if self._level == self._counted else self._since_ns + self._stable_ns

    def edge(self, is_active: bool, at_ns: int) -> bool:
        """Take in an edge; tell whether the level before it was a passage that settled unnoticed.

        Args:
            is_active: the level after the edge.
            at_ns: when it came.
        """
        has_passed = self.tick(at_ns)
        if is_active != self._level:
            self._level = is_active
            self._since_ns = at_ns
        return has_passed

    def tick(self, now_ns: int) -> bool:
        """Tell whether a passage has settled by now, once for each."""
        settles_at_ns = self.settles_at_ns
        if settles_at_ns is None or now_ns < settles_at_ns:
            return False
        self._counted = self._level
        return self._counted
