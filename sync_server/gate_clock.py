"""When a gate's records happened, by the server's clock: offsets measured, and what follows.

Called by reconciling. A machine's start that reached the server is measured at its first contact.
One that never did ended before the next that does: what its clock claims beyond that is impossible,
and is set right backwards, by how wrong the same clock was at that contact. Everything here is a
function of what was measured, never of the order in which records arrived
(docs/adr/0007-facts-and-their-time.md).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from admission import journal
from admission.errors import JournalError
from admission.sync.messages import Moment

CLOCK_OFFSET_MS_MAX: Final = 2000  # a gate's clock that is nearer than this is taken as it is
ORIGIN_MS_MAX: Final = 1 << 48  # a machine that says it started later, or before 1970, says nothing


class Dated(Protocol):
    """What a record says of its moment; a stored fact says the same."""

    @property
    def wall_ms(self) -> int:
        """Wall clock."""
        ...

    @property
    def boot_ms(self) -> int:
        """Milliseconds since the machine started."""
        ...

    @property
    def boot_id(self) -> bytes:
        """Names that start."""
        ...

    @property
    def trusted_ms(self) -> int:
        """The gate's trusted time, 0 for none."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """A start of a gate's machine that reached the server.

    Attributes:
        origin_ms: server time of the start.
        measured_ms: server time of the first contact.
        ahead_ms: how far the wall clock was ahead of the server then; None is not known.
    """

    origin_ms: int
    measured_ms: int
    ahead_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Bounded:
    """A start that never reached the server, known by the next one that did.

    Attributes:
        latest_ms: server time of that next start: nothing of this one is later.
        ahead_ms: how far the wall clock was ahead of the server at its first contact.
    """

    latest_ms: int
    ahead_ms: int


@dataclass(slots=True)
class GateClock:
    """What is known of the clocks of one journal's machine.

    Attributes:
        measured: starts that reached the server, by boot id.
        bounded: starts that did not.
    """

    measured: dict[bytes, Measured] = field(default_factory=dict)
    bounded: dict[bytes, Bounded] = field(default_factory=dict)

    def measure(self, sent: Moment, server_ms: int) -> Measured | None:
        """Take a contact in; give what it measured, None where that was measured before."""
        origin_ms = server_ms - sent.boot_ms
        if sent.boot_id in self.measured or not 0 <= origin_ms <= ORIGIN_MS_MAX:
            return None
        found = Measured(origin_ms, server_ms, sent.wall_ms - server_ms)
        self.measured[sent.boot_id] = found
        self.bounded.pop(sent.boot_id, None)
        return found

    def bound(self, boot_id: bytes, contact: Moment) -> Bounded | None:
        """Take in that a start came before the one of a contact; give what is new by it."""
        after = self.measured.get(contact.boot_id)
        if boot_id in self.measured or boot_id in self.bounded:
            return None
        if after is None or after.ahead_ms is None:
            return None
        found = Bounded(after.origin_ms, after.ahead_ms)
        self.bounded[boot_id] = found
        return found

    def corrected(self, dated: Dated) -> tuple[datetime, bool]:
        """Give a record's instant by the server's clock, and whether the gate's was found wrong.

        Of a measured start, the offset is the one of the first contact: a fact of a gate that was
        in contact never moves again. A clock that is nearly right is taken as it is: the
        measurement's own error, the time on the way, is of that size.

        Raises:
            JournalError: if no calendar date has it.
        """
        own = journal.instant(dated.trusted_ms or dated.wall_ms)
        measured = self.measured.get(dated.boot_id)
        if measured is not None:
            return _by_origin(measured.origin_ms, dated) or (own, False)
        bounded = self.bounded.get(dated.boot_id)
        if bounded is None or journal.wall_ms(own) <= bounded.latest_ms + CLOCK_OFFSET_MS_MAX:
            return own, False
        for claimed_ms in (dated.wall_ms - bounded.ahead_ms, dated.wall_ms):
            if 0 <= claimed_ms <= bounded.latest_ms:
                return journal.instant(claimed_ms), True
        return journal.instant(bounded.latest_ms), True


def _by_origin(origin_ms: int, dated: Dated) -> tuple[datetime, bool] | None:
    by_server_ms = origin_ms + dated.boot_ms
    own = journal.instant(dated.wall_ms)
    if abs(by_server_ms - dated.wall_ms) < CLOCK_OFFSET_MS_MAX:
        return own, False
    try:
        return journal.instant(by_server_ms), True
    except JournalError:
        return own, False  # the machine's own count is no moment of this calendar
