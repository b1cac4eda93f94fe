"""The state machine of one lane: a grant opens it once, and every grant ends exactly once.

Called by the gate. A table first, code second; knows no clock, no relay, no journal: events come
in, and what is to be done goes out, in the order in which it is to be done.

A lane lets one grant be pending at a time. While one is (`is_busy`), the gate judges no further
scan in this lane into a grant: it tells the person to wait. A grant that comes all the same (the
lane was locked down, or failed, while the scan was judged) is never pulsed and ends as not passed,
so that its ticket stays unused. Without a sensor, or with one that failed, nothing can be pending:
the grant counts as the passage at once.

Times are the gate's: after PULSE it sends `TimedOut` when nobody went through in time; after
AWAIT_TURN, `TurnTimedOut` when whoever stands in the arm neither went on nor back; after
RECORD_PASSED, in a lane with a sensor, `Settled` when the arm can be taken to be at rest again. All
name their grant; one that comes late is recognised and changes nothing.

| in the state | a passage is |
| --- | --- |
| GRANTED, TURNING, OVERDUE | the pending grant's: passed; the other way: nobody's, forced |
| SETTLING | a second person on one grant: tailgating; the other way: forced |
| FREE | free: nobody's ticket |
| any other | nobody's: forced |

The safety of the table is tried exhaustively (tests/admission/test_lane_explored.py).
"""

from dataclasses import dataclass, replace
from enum import Enum, unique
from typing import Final, assert_never

from admission.errors import LocalProtocolError
from admission.lane_events import (
    Declined,
    EndFree,
    Failed,
    FireAlarm,
    FireOver,
    Granted,
    HoldOpen,
    LaneAction,
    LaneInput,
    LaneOutput,
    Lock,
    Mended,
    Part,
    Passed,
    Presented,
    PulseFailed,
    Refused,
    Settled,
    TimedOut,
    TurnedBack,
    Turning,
    TurnTimedOut,
    Unlock,
    WrongWay,
)
from admission.scan import Direction


@unique
class LaneState(Enum):
    """What the lane is doing."""

    IDLE = "idle"  # the arm is locked; ready for a grant
    GRANTED = "granted"  # pulsed, nobody has passed yet
    TURNING = "turning"  # as GRANTED, and somebody stands in the arm
    OVERDUE = "overdue"  # as TURNING, and the grant's time is over
    SETTLING = "settling"  # somebody has just passed; ready for a grant
    LOCKED_DOWN = "locked_down"  # nobody enters; who is inside gets out
    FAULT = "fault"  # as LOCKED_DOWN, because a part failed
    FREE = "free"  # free passage: the arm stands open, grants are no matter


@unique
class _Whose(Enum):
    """Which grant an action is about."""

    NEW = "new"  # the one that comes with the event
    CURRENT = "current"  # the pending one; where a passage is settling, that one's
    NOBODY = "nobody"


_S = LaneState
_Step = tuple[LaneState | None, tuple[tuple[LaneAction, _Whose], ...]]
_Table = dict[tuple[LaneState, type[LaneInput]], _Step]

REST: Final = None  # the state that the lane's orders and faults give it: see `Lane.resting`
_PULSE: Final = (LaneAction.PULSE, _Whose.NEW)
_AWAIT: Final = (LaneAction.AWAIT_TURN, _Whose.CURRENT)
_HOLD: Final = (LaneAction.HOLD, _Whose.NOBODY)
_RELOCK: Final = (LaneAction.RELOCK, _Whose.NOBODY)
_OPENED: Final = (LaneAction.PULSE_FREE, _Whose.NOBODY)
_USED: Final = (LaneAction.RECORD_PASSED, _Whose.CURRENT)
_USED_AT_ONCE: Final = (LaneAction.RECORD_PASSED, _Whose.NEW)
_UNUSED: Final = (LaneAction.RECORD_NOT_PASSED, _Whose.CURRENT)
_NOT_TAKEN: Final = (LaneAction.RECORD_NOT_PASSED, _Whose.NEW)
_UNKNOWN: Final = (LaneAction.RECORD_UNRESOLVED, _Whose.CURRENT)
_TAILGATING: Final = (LaneAction.RECORD_TAILGATING, _Whose.CURRENT)
_FORCED: Final = (LaneAction.RECORD_FORCED, _Whose.NOBODY)
_CROSSED: Final = (LaneAction.RECORD_FREE, _Whose.NOBODY)

# In these states a grant is pending; in SETTLING the one that was just used is remembered.
_PENDING: Final = frozenset({_S.GRANTED, _S.TURNING, _S.OVERDUE})
_REMEMBERS: Final = _PENDING | {_S.SETTLING}

# What is not in the table changes no state; orders and faults are remembered all the same. Timers
# count only for their own grant. PulseFailed of a grant that is not pending is a failure.
TRANSITIONS: Final[_Table] = {
    (_S.IDLE, Granted): (_S.GRANTED, (_PULSE,)),
    (_S.IDLE, Refused): (_S.IDLE, (_NOT_TAKEN,)),
    (_S.IDLE, Passed): (_S.IDLE, (_FORCED,)),
    (_S.IDLE, Lock): (REST, ()),
    (_S.IDLE, Failed): (REST, ()),
    (_S.IDLE, FireAlarm): (_S.FREE, (_HOLD,)),
    (_S.IDLE, HoldOpen): (_S.FREE, (_HOLD,)),
    #
    (_S.GRANTED, Refused): (_S.GRANTED, (_NOT_TAKEN,)),
    (_S.GRANTED, Passed): (_S.SETTLING, (_USED,)),
    (_S.GRANTED, WrongWay): (_S.GRANTED, (_FORCED,)),
    (_S.GRANTED, Turning): (_S.TURNING, ()),
    (_S.GRANTED, Declined): (REST, (_UNUSED,)),
    (_S.GRANTED, TimedOut): (REST, (_UNUSED,)),
    (_S.GRANTED, PulseFailed): (REST, (_UNUSED,)),
    (_S.GRANTED, Failed): (REST, (_UNKNOWN,)),
    (_S.GRANTED, FireAlarm): (_S.FREE, (_UNUSED, _HOLD)),
    (_S.GRANTED, HoldOpen): (_S.FREE, (_UNUSED, _HOLD)),
    #
    (_S.TURNING, Refused): (_S.TURNING, (_NOT_TAKEN,)),
    (_S.TURNING, Passed): (_S.SETTLING, (_USED,)),
    (_S.TURNING, WrongWay): (_S.TURNING, (_FORCED,)),
    (_S.TURNING, TurnedBack): (_S.GRANTED, ()),
    (_S.TURNING, Declined): (REST, (_UNUSED,)),
    (_S.TURNING, TimedOut): (_S.OVERDUE, (_AWAIT,)),
    (_S.TURNING, PulseFailed): (REST, (_UNUSED,)),
    (_S.TURNING, Failed): (REST, (_UNKNOWN,)),
    (_S.TURNING, FireAlarm): (_S.FREE, (_UNUSED, _HOLD)),
    (_S.TURNING, HoldOpen): (_S.FREE, (_UNUSED, _HOLD)),
    #
    (_S.OVERDUE, Refused): (_S.OVERDUE, (_NOT_TAKEN,)),
    (_S.OVERDUE, Passed): (_S.SETTLING, (_USED,)),
    (_S.OVERDUE, WrongWay): (_S.OVERDUE, (_FORCED,)),
    (_S.OVERDUE, TurnedBack): (REST, (_UNUSED,)),
    (_S.OVERDUE, Declined): (REST, (_UNUSED,)),
    (_S.OVERDUE, TurnTimedOut): (REST, (_UNKNOWN,)),
    (_S.OVERDUE, PulseFailed): (REST, (_UNUSED,)),
    (_S.OVERDUE, Failed): (REST, (_UNKNOWN,)),
    (_S.OVERDUE, FireAlarm): (_S.FREE, (_UNUSED, _HOLD)),
    (_S.OVERDUE, HoldOpen): (_S.FREE, (_UNUSED, _HOLD)),
    #
    (_S.SETTLING, Granted): (_S.GRANTED, (_PULSE,)),
    (_S.SETTLING, Refused): (_S.SETTLING, (_NOT_TAKEN,)),
    (_S.SETTLING, Passed): (_S.SETTLING, (_TAILGATING,)),
    (_S.SETTLING, WrongWay): (_S.SETTLING, (_FORCED,)),
    (_S.SETTLING, Settled): (REST, ()),
    (_S.SETTLING, Lock): (REST, ()),
    (_S.SETTLING, Failed): (REST, ()),
    (_S.SETTLING, FireAlarm): (_S.FREE, (_HOLD,)),
    (_S.SETTLING, HoldOpen): (_S.FREE, (_HOLD,)),
    #
    (_S.LOCKED_DOWN, Granted): (_S.GRANTED, (_PULSE,)),
    (_S.LOCKED_DOWN, Refused): (_S.LOCKED_DOWN, (_NOT_TAKEN,)),
    (_S.LOCKED_DOWN, Passed): (_S.LOCKED_DOWN, (_FORCED,)),
    (_S.LOCKED_DOWN, Unlock): (REST, ()),
    (_S.LOCKED_DOWN, Failed): (REST, ()),
    (_S.LOCKED_DOWN, FireAlarm): (_S.FREE, (_HOLD,)),
    (_S.LOCKED_DOWN, HoldOpen): (_S.FREE, (_HOLD,)),
    #
    (_S.FAULT, Granted): (_S.GRANTED, (_PULSE,)),
    (_S.FAULT, Refused): (_S.FAULT, (_NOT_TAKEN,)),
    (_S.FAULT, Passed): (_S.FAULT, (_FORCED,)),
    (_S.FAULT, Mended): (REST, ()),
    (_S.FAULT, FireAlarm): (_S.FREE, (_HOLD,)),
    (_S.FAULT, HoldOpen): (_S.FREE, (_HOLD,)),
    #
    (_S.FREE, Refused): (_S.FREE, (_NOT_TAKEN,)),
    (_S.FREE, Passed): (_S.FREE, (_CROSSED,)),
    (_S.FREE, Presented): (_S.FREE, (_OPENED,)),
    (_S.FREE, EndFree): (REST, (_RELOCK,)),
}
# Where passages are not sensed nothing is ever pending; the record stands above the pulse: durable,
# then open. A sensor that fails leaves a passage that was just used behind.
TRANSITIONS_BLIND: Final[_Table] = {
    **TRANSITIONS,
    (_S.IDLE, Granted): (_S.IDLE, (_USED_AT_ONCE, _PULSE)),
    (_S.LOCKED_DOWN, Granted): (_S.LOCKED_DOWN, (_USED_AT_ONCE, _PULSE)),
    (_S.FAULT, Granted): (_S.FAULT, (_USED_AT_ONCE, _PULSE)),
    (_S.FREE, Presented): (_S.FREE, (_CROSSED, _OPENED)),
}


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a lane stands; a value, replaced by `step`.

    Attributes:
        has_sensor: whether passages are sensed, as the lane was built.
        state: what it is doing.
        current: the grant that is pending, or was just used (SETTLING), or None.
        direction: which way that one goes, or None.
        last: the highest grant it was given, 0 before the first.
        broken: what failed and was not mended.
        is_ordered_locked: whether nobody is to enter.
        is_fire: whether there is an alarm.
    """

    has_sensor: bool
    state: LaneState = LaneState.IDLE
    current: int | None = None
    direction: Direction | None = None
    last: int = 0
    broken: frozenset[Part] = frozenset()
    is_ordered_locked: bool = False
    is_fire: bool = False

    @property
    def pending(self) -> int | None:
        """The grant that was pulsed and has not ended, or None."""
        return self.current if self.state in _PENDING else None

    @property
    def is_busy(self) -> bool:
        """Whether a grant is pending, so that no scan here should be judged into another."""
        return self.pending is not None

    @property
    def is_free(self) -> bool:
        """Whether the passage is free."""
        return self.state is LaneState.FREE

    @property
    def senses(self) -> bool:
        """Whether passages are sensed now."""
        return self.has_sensor and Part.SENSOR not in self.broken

    @property
    def resting(self) -> LaneState:
        """The state in which nothing goes on: as orders and faults have it."""
        if self.broken:
            return LaneState.FAULT
        return LaneState.LOCKED_DOWN if self.is_ordered_locked else LaneState.IDLE

    def takes(self, direction: Direction, *, is_override: bool = False) -> bool:
        """Tell whether a grant given now would be pulsed: nobody is ever held in."""
        if self.is_busy or self.is_free:
            return False
        return direction is Direction.EXIT or is_override or self.resting is LaneState.IDLE

    def renumbered(self) -> "Lane":
        """Give the lane, at rest, whose grants count from the beginning: of another journal.

        Raises:
            LocalProtocolError: if a grant is pending: it ends in the journal it was given in.
        """
        if self.is_busy:
            raise LocalProtocolError(f"grant {self.pending} is pending, its journal goes on")
        state = self.resting if self.state is LaneState.SETTLING else self.state
        return replace(self, state=state, current=None, direction=None, last=0)

    def step(self, event: LaneInput) -> tuple["Lane", tuple[LaneOutput, ...]]:
        """Take in an event; return the lane after it and what is to be done, in order.

        Raises:
            LocalProtocolError: if grants do not count upwards, or a lane without a sensor is told
                of a passage: both are faults of this program.
        """
        counted = self._as_counted(event)
        if counted is None:
            return self, ()
        lane = self._told(counted)
        table = TRANSITIONS if lane.senses else TRANSITIONS_BLIND
        state, actions = table.get((self.state, type(counted)), (self.state, ()))
        if state is REST:
            state = lane.resting
        new = getattr(counted, "grant", None)
        outputs = tuple(self._output(action, whose, counted) for action, whose in actions)
        current, direction = self.current, self.direction
        if isinstance(counted, Granted):
            current, direction = new, counted.direction
        is_remembered = state in _REMEMBERS
        return (
            replace(
                lane,
                state=state,
                current=current if is_remembered else None,
                direction=direction if is_remembered else None,
                last=new if isinstance(event, Granted) and new is not None else self.last,
            ),
            outputs,
        )

    def _told(self, event: LaneInput) -> "Lane":
        """Remember what an event says of orders, faults and the alarm."""
        match event:
            case PulseFailed():
                return replace(self, broken=self.broken | {Part.RELAY})
            case Failed(part):
                return replace(self, broken=self.broken | {part})
            case Mended(part):
                return replace(self, broken=self.broken - {part})
            case Lock() | Unlock():
                return replace(self, is_ordered_locked=isinstance(event, Lock))
            case FireAlarm() | FireOver():
                return replace(self, is_fire=isinstance(event, FireAlarm))
            case _:
                return self

    def _as_counted(self, event: LaneInput) -> LaneInput | None:
        """What an event counts as: itself, another, or None for one that comes too late."""
        match event:
            case Granted(grant, direction, is_override):
                if grant <= self.last:
                    raise LocalProtocolError(f"grants count upwards: {self.last}, then {grant}")
                taken = self.takes(direction, is_override=is_override)
                return event if taken else Refused(grant, direction)
            case Passed(direction):
                if not self.has_sensor:
                    raise LocalProtocolError("a passage in a lane that has no sensor")
                is_wrong = None not in (direction, self.direction) and direction != self.direction
                return WrongWay(direction) if is_wrong else event
            case TimedOut(grant) | TurnTimedOut(grant):
                return event if grant == self.pending else None
            case Settled(grant):
                return event if grant == self.current else None
            case PulseFailed(grant):
                return event if grant == self.pending else Failed(Part.RELAY)
            case EndFree():
                return None if self.is_fire else event
            case Refused() | WrongWay():
                raise LocalProtocolError(f"{event} is what the lane itself makes of an event")
            case (
                Turning() | TurnedBack() | Declined() | Failed() | Mended() | Lock() | Unlock()
                | FireAlarm() | FireOver() | HoldOpen() | Presented()
            ):  # fmt: skip
                return event
            case _:
                assert_never(event)

    def _output(self, action: LaneAction, whose: _Whose, event: LaneInput) -> LaneOutput:
        direction: Direction | None = getattr(event, "direction", None)
        match whose:
            case _Whose.NEW:
                return LaneOutput(action, getattr(event, "grant", None), direction)
            case _Whose.CURRENT:
                return LaneOutput(action, self.current, self.direction)
            case _Whose.NOBODY:
                return LaneOutput(action, None, direction)
            case _:
                assert_never(whose)
