"""The state machine of one lane: a grant opens it once, and every grant ends exactly once.

Called by the gate. A table first, code second; knows no clock, no relay, no journal: events come
in, and what is to be done goes out, in the order in which it is to be done.

A lane lets one grant be pending at a time. While one is (`is_busy`), the gate judges no further
scan in this lane into a grant: it tells the person to wait. A grant that comes all the same (the
lane was locked, or failed, while the scan was judged) is never pulsed and ends as not passed, so
that its ticket stays unused. Without a passage sensor nothing can be pending: the grant counts as
the passage at once.

Times are the gate's: after PULSE it sends `TimedOut` when nobody went through in time; after
RECORD_PASSED, in a lane with a sensor, it sends `Settled` when the arm can be taken to be at rest
again. Both name their grant; one that comes late is recognised and changes nothing.

| in the state | a passage is |
| --- | --- |
| GRANTED, CLOSING | the pending grant's: passed |
| SETTLING | a second person on one grant: tailgating |
| any other | nobody's: forced |
"""

from dataclasses import dataclass, replace
from enum import Enum, unique
from typing import Final, assert_never

from admission.errors import LocalProtocolError


@unique
class LaneState(Enum):
    """What the lane is doing."""

    LOCKED = "locked"  # takes no grants: no list yet, or an operator's order
    IDLE = "idle"  # ready for a grant
    GRANTED = "granted"  # pulsed, nobody has passed yet
    CLOSING = "closing"  # as GRANTED, and LOCKED once that grant has ended
    SETTLING = "settling"  # somebody has just passed; ready for a grant
    FAULT = "fault"  # takes no grants: relay or sensor failed


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant is durably recorded, and a person is to be let through.

    Attributes:
        grant: its number in the journal, higher than every one before.
    """

    grant: int


@dataclass(frozen=True, slots=True)
class Passed:
    """The sensor saw a person go through."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Nobody went through in the time a grant is given."""

    grant: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A grant's passage is long enough ago that a further one has nothing to do with it."""

    grant: int


@dataclass(frozen=True, slots=True)
class PulseFailed:
    """The relay did not obey PULSE: the arm stayed closed."""

    grant: int


@dataclass(frozen=True, slots=True)
class Lock:
    """Take no more grants; one that is pending may still be used."""


@dataclass(frozen=True, slots=True)
class Unlock:
    """Take grants again."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Relay or sensor failed; what became of a pending grant cannot be known."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """Relay and sensor work again; the lane stays locked until it is unlocked."""


LaneInput = Granted | Passed | TimedOut | Settled | PulseFailed | Lock | Unlock | Failed | Repaired


@unique
class LaneAction(Enum):
    """What the gate is to do."""

    PULSE = "pulse"  # release the turnstile for the grant named, and start its time
    RECORD_PASSED = "record_passed"  # the grant named was used
    RECORD_NOT_PASSED = "record_not_passed"  # the grant named was not used
    RECORD_UNRESOLVED = "record_unresolved"  # what became of the grant named is not known
    RECORD_TAILGATING = "record_tailgating"  # one person more than the grant named allows
    RECORD_FORCED = "record_forced"  # a person without a grant


@dataclass(frozen=True, slots=True)
class LaneOutput:
    """One thing to do.

    Attributes:
        action: what.
        grant: for which grant, or None for RECORD_FORCED.
    """

    action: LaneAction
    grant: int | None = None


@unique
class _Whose(Enum):
    """Which grant an action is about."""

    NEW = "new"  # the one that comes with the event
    CURRENT = "current"  # the pending one; where a passage is settling, that one's
    NOBODY = "nobody"


_S = LaneState
_Step = tuple[LaneState, tuple[tuple[LaneAction, _Whose], ...]]

_PULSE: Final = (LaneAction.PULSE, _Whose.NEW)
_USED: Final = (LaneAction.RECORD_PASSED, _Whose.CURRENT)
_USED_AT_ONCE: Final = (LaneAction.RECORD_PASSED, _Whose.NEW)
_UNUSED: Final = (LaneAction.RECORD_NOT_PASSED, _Whose.CURRENT)
_NOT_TAKEN: Final = (LaneAction.RECORD_NOT_PASSED, _Whose.NEW)
_UNKNOWN: Final = (LaneAction.RECORD_UNRESOLVED, _Whose.CURRENT)
_TAILGATING: Final = (LaneAction.RECORD_TAILGATING, _Whose.CURRENT)
_FORCED: Final = (LaneAction.RECORD_FORCED, _Whose.NOBODY)

# In these states the lane remembers a grant: the pending one, or the one that was just used.
_REMEMBERS: Final = frozenset({_S.GRANTED, _S.CLOSING, _S.SETTLING})

# What is not in the table changes nothing. TimedOut counts only for the pending grant and Settled
# only for the one that is settling; any other is late and changes nothing either. PulseFailed of
# a grant that is not pending is a failure of the lane.
TRANSITIONS: Final[dict[tuple[LaneState, type[LaneInput]], _Step]] = {
    (_S.LOCKED, Granted): (_S.LOCKED, (_NOT_TAKEN,)),
    (_S.LOCKED, Passed): (_S.LOCKED, (_FORCED,)),
    (_S.LOCKED, Unlock): (_S.IDLE, ()),
    (_S.LOCKED, Failed): (_S.FAULT, ()),
    (_S.IDLE, Granted): (_S.GRANTED, (_PULSE,)),
    (_S.IDLE, Passed): (_S.IDLE, (_FORCED,)),
    (_S.IDLE, Lock): (_S.LOCKED, ()),
    (_S.IDLE, Failed): (_S.FAULT, ()),
    (_S.GRANTED, Granted): (_S.GRANTED, (_NOT_TAKEN,)),
    (_S.GRANTED, Passed): (_S.SETTLING, (_USED,)),
    (_S.GRANTED, TimedOut): (_S.IDLE, (_UNUSED,)),
    (_S.GRANTED, PulseFailed): (_S.FAULT, (_UNUSED,)),
    (_S.GRANTED, Lock): (_S.CLOSING, ()),
    (_S.GRANTED, Failed): (_S.FAULT, (_UNKNOWN,)),
    (_S.CLOSING, Granted): (_S.CLOSING, (_NOT_TAKEN,)),
    (_S.CLOSING, Passed): (_S.LOCKED, (_USED,)),
    (_S.CLOSING, TimedOut): (_S.LOCKED, (_UNUSED,)),
    (_S.CLOSING, PulseFailed): (_S.FAULT, (_UNUSED,)),
    (_S.CLOSING, Unlock): (_S.GRANTED, ()),
    (_S.CLOSING, Failed): (_S.FAULT, (_UNKNOWN,)),
    (_S.SETTLING, Granted): (_S.GRANTED, (_PULSE,)),
    (_S.SETTLING, Passed): (_S.SETTLING, (_TAILGATING,)),
    (_S.SETTLING, Settled): (_S.IDLE, ()),
    (_S.SETTLING, Lock): (_S.LOCKED, ()),
    (_S.SETTLING, Failed): (_S.FAULT, ()),
    (_S.FAULT, Granted): (_S.FAULT, (_NOT_TAKEN,)),
    (_S.FAULT, Passed): (_S.FAULT, (_FORCED,)),
    (_S.FAULT, Repaired): (_S.LOCKED, ()),
}
# Without a sensor nothing is ever pending; the record stands above the pulse: durable, then open.
TRANSITIONS_WITHOUT_SENSOR: Final[dict[tuple[LaneState, type[LaneInput]], _Step]] = {
    **TRANSITIONS,
    (_S.IDLE, Granted): (_S.IDLE, (_USED_AT_ONCE, _PULSE)),
}


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a lane stands; a value, replaced by `step`.

    Attributes:
        has_sensor: whether passages are sensed.
        state: what it is doing.
        current: the grant that is pending (GRANTED, CLOSING) or was just used (SETTLING), or None.
        last: the highest grant it was given, 0 before the first.
    """

    has_sensor: bool
    state: LaneState = LaneState.LOCKED
    current: int | None = None
    last: int = 0

    @property
    def pending(self) -> int | None:
        """The grant that was pulsed and has not ended, or None."""
        return None if self.state is LaneState.SETTLING else self.current

    @property
    def is_busy(self) -> bool:
        """Whether a grant is pending, so that no scan here should be judged into another."""
        return self.pending is not None

    @property
    def takes_grants(self) -> bool:
        """Whether a grant given now would be pulsed."""
        return self.state in (LaneState.IDLE, LaneState.SETTLING)

    def renumbered(self) -> "Lane":
        """Give the lane, at rest, whose grants count from the beginning: of another journal.

        Raises:
            LocalProtocolError: if a grant is pending: it ends in the journal it was given in.
        """
        if self.is_busy:
            raise LocalProtocolError(f"grant {self.pending} is pending, its journal goes on")
        state = LaneState.IDLE if self.state is LaneState.SETTLING else self.state
        return replace(self, state=state, current=None, last=0)

    def step(self, event: LaneInput) -> tuple["Lane", tuple[LaneOutput, ...]]:
        """Take in an event; return the lane after it and what is to be done, in order.

        Raises:
            LocalProtocolError: if grants do not count upwards, or a lane without a sensor is told
                of a passage: both are faults of this program.
        """
        counted = self._as_counted(event)
        if counted is None:
            return self, ()
        table = TRANSITIONS if self.has_sensor else TRANSITIONS_WITHOUT_SENSOR
        state, actions = table.get((self.state, type(counted)), (self.state, ()))
        new = counted.grant if isinstance(counted, Granted) else None
        outputs = tuple(LaneOutput(action, self._grant(whose, new)) for action, whose in actions)
        current = new if _PULSE in actions else self.current
        return (
            replace(
                self,
                state=state,
                current=current if state in _REMEMBERS else None,
                last=self.last if new is None else new,
            ),
            outputs,
        )

    def _as_counted(self, event: LaneInput) -> LaneInput | None:
        """What an event counts as: itself, another, or None for one that comes too late."""
        match event:
            case Granted(grant):
                if grant <= self.last:
                    raise LocalProtocolError(f"grants count upwards: {self.last}, then {grant}")
                return event
            case Passed():
                if not self.has_sensor:
                    raise LocalProtocolError("a passage in a lane that has no sensor")
                return event
            case TimedOut(grant):
                return event if grant == self.pending else None
            case Settled(grant):
                return event if grant == self.current else None
            case PulseFailed(grant):
                return event if grant == self.pending else Failed()
            case Lock() | Unlock() | Failed() | Repaired():
                return event
            case _:
                assert_never(event)

    def _grant(self, whose: _Whose, new: int | None) -> int | None:
        match whose:
            case _Whose.NEW:
                return new
            case _Whose.CURRENT:
                return self.current
            case _Whose.NOBODY:
                return None
            case _:
                assert_never(whose)
