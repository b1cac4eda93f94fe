"""Connected or degraded, why, and for how long. Called by the gate after all that may change it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final


@unique
class Mode(StrEnum):
    """How a gate works. It admits in both."""

    CONNECTED = "connected"
    DEGRADED = "degraded"


@unique
class Cause(StrEnum):
    """Why a gate is degraded."""

    LINK = "link"  # cannot learn of others' passages
    PEERS_ONLY = "peers_only"  # learns them from the gates around it alone
    LIST_AGE = "list_age"  # the list is past its refresh_by
    CLOCK = "clock"  # the clock is not trusted
    BACKLOG = "backlog"  # more passages wait than the server gets, or they wait for too long


BACKLOG_RECORDS_MAX: Final = 500  # about ten minutes of one busy lane
BACKLOG_RECORDS_LOW: Final = 250  # a backlog is over when it is down to this,
QUEUE_S_MAX: Final = 60.0  # likewise for how long the oldest record has waited
QUEUE_S_LOW: Final = 20.0
STEADY_S: Final = 10.0  # a link that broke within this time of coming back is not trusted at once


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides the mode.

    Attributes:
        live: the live connection stands and beats.
        lists_fresh: no controlled list is past its `refresh_by`.
        clock_trusted: the gate may rely on its clock.
        backlog: records not yet acknowledged.
        peers: gates of the local network that are heard; they do not make up for the server.
        heard_s: since when nothing was heard of others through the server, seconds.
        list_age_s: age of what is known of the oldest controlled list, seconds; None for no list.
        queued_s: for how long the oldest record not acknowledged has waited, seconds.
    """

    live: bool
    lists_fresh: bool = True
    clock_trusted: bool = True
    backlog: int = 0
    peers: int = 0
    heard_s: float = 0.0
    list_age_s: float | None = None
    queued_s: float = 0.0


def causes_of(situation: Situation, before: Collection[Cause] = ()) -> tuple[Cause, ...]:
    """Give every cause of degradation, most telling first; none means connected.

    Args:
        situation: as it is now.
        before: causes that applied until now: what has begun at a limit ends well below it.
    """
    late = Cause.BACKLOG in before
    records_max = BACKLOG_RECORDS_LOW if late else BACKLOG_RECORDS_MAX
    queue_s_max = QUEUE_S_LOW if late else QUEUE_S_MAX
    checks = (
        (Cause.LINK, not situation.live and not situation.peers),
        (Cause.PEERS_ONLY, not situation.live and situation.peers > 0),
        (Cause.LIST_AGE, not situation.lists_fresh),
        (Cause.CLOCK, not situation.clock_trusted),
        (Cause.BACKLOG, situation.backlog > records_max or situation.queued_s > queue_s_max),
    )
    return tuple(cause for cause, applies in checks if applies)


def mode_of(causes: tuple[Cause, ...]) -> Mode:
    """Give the mode that some causes mean."""
    return Mode.DEGRADED if causes else Mode.CONNECTED


def age_s(cause: Cause, situation: Situation) -> float | None:
    """Give how old what is known has become by a cause, seconds; None where that says nothing."""
    match cause:
        case Cause.LINK | Cause.PEERS_ONLY:
            return situation.heard_s
        case Cause.LIST_AGE:
            return situation.list_age_s
        case Cause.BACKLOG:
            return situation.queued_s
        case Cause.CLOCK:
            return None


@dataclass(slots=True)
class Steadiness:
    """Keeps the display from flickering where a link comes and goes.

    The first loss is shown at once and the first return too. A link that was lost within
    `STEADY_S` of its return is shown as lost until it has stood for that long.
    """

    _shown: tuple[Cause, ...] = ()
    _up_since_s: float | None = None
    _was_lost: bool = False
    _is_restless: bool = False

    def shown(self, causes: tuple[Cause, ...], now_s: float) -> tuple[Cause, ...]:
        """Give the causes to show.

        Args:
            causes: that apply now.
            now_s: seconds on a clock that never steps.
        """
        if causes:
            if self._up_since_s is not None:
                self._is_restless = self._was_lost and now_s - self._up_since_s < STEADY_S
            self._up_since_s, self._shown, self._was_lost = None, causes, True
            return causes
        if self._up_since_s is None:
            self._up_since_s = now_s
        if self._is_restless and now_s - self._up_since_s < STEADY_S:
            return self._shown
        self._is_restless, self._shown = False, ()
        return ()


@dataclass(slots=True)
class QueueAge:
    """Tells for how long the oldest record has waited, from how far the journal grew when."""

    _marks: list[tuple[int, float]] = field(default_factory=list)

    def wait_s(self, head: int, acknowledged: int, now_s: float) -> float:
        """Note how things stand, and give the wait in seconds, to within the time between calls.

        Args:
            head: greatest sequence written.
            acknowledged: greatest that the server has.
            now_s: seconds on a clock that never steps.
        """
        if self._marks and head < self._marks[-1][0]:
            self._marks.clear()  # a journal begun anew
        self._marks = [mark for mark in self._marks if mark[0] > acknowledged]
        if head > acknowledged and (not self._marks or self._marks[-1][0] < head):
            self._marks.append((head, now_s))
        if len(self._marks) > _MARKS_MAX:
            del self._marks[1::2]  # the oldest stays: it is the one that is asked for
        return max(0.0, now_s - self._marks[0][1]) if self._marks else 0.0


_MARKS_MAX: Final = 256
