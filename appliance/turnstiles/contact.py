"""When the level of a contact that bounces counts. Called by the inputs.

Pure: edges with their times in, levels that have settled out. A level counts once it has stayed for
a while, so that neither the bounce of a switch nor a spark on a long wire is a person or an alarm.
"""

from typing import Final

STABLE_NS: Final = 20_000_000  # switches bounce for less; turnstiles hold the contact far longer


class SettledContact:
    """Finds levels that stay in raw edges.

    Args:
        is_active: the level at the start; it counts.
        stable_ns: how long a level must stay to count.
    """

    def __init__(self, is_active: bool, stable_ns: int = STABLE_NS) -> None:
        self._stable_ns = stable_ns
        self._level = is_active
        self._counted = is_active
        self._since_ns = 0

    @property
    def is_active(self) -> bool:
        """The level that counts."""
        return self._counted

    @property
    def settles_at_ns(self) -> int | None:
        """When `tick` will count the present level, or None if it is counted already."""
        return None if self._level == self._counted else self._since_ns + self._stable_ns

    def edge(self, is_active: bool, at_ns: int) -> bool | None:
        """Take in an edge; give the level that has come to count unnoticed before it, if one has.

        Args:
            is_active: the level after the edge.
            at_ns: when it came.
        """
        settled = self.tick(at_ns)
        if is_active != self._level:
            self._level = is_active
            self._since_ns = at_ns
        return settled

    def tick(self, now_ns: int) -> bool | None:
        """Give the level that has come to count by now, once for each; else None."""
        settles_at_ns = self.settles_at_ns
        if settles_at_ns is None or now_ns < settles_at_ns:
            return None
        self._counted = self._level
        return self._counted
