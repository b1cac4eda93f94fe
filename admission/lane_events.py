"""What happens to a lane, and what is to be done then: the words of its state machine.

`lane` takes in the events and gives the actions; the gate brings the former and does the latter.
"""

from dataclasses import dataclass
from enum import Enum, unique

from admission.scan import Direction


@unique
class Part(Enum):
    """What of a lane can fail."""

    RELAY = "relay"  # it did not obey; the next grant tries it again
    SENSOR = "sensor"  # a passage contact sticks
    DEVICE = "device"  # the turnstile's controller is lost


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant is durably recorded, and a person is to be let through.

    Attributes:
        grant: its number in the journal, higher than every one before.
        direction: which way.
        is_override: whether somebody in charge opens, whatever the lane's orders are.
    """

    grant: int
    direction: Direction = Direction.ENTRY
    is_override: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A grant came that the lane does not take; what `Granted` counts as then."""

    grant: int
    direction: Direction = Direction.ENTRY


@dataclass(frozen=True, slots=True)
class Passed:
    """The sensor saw a person go through; None where it does not tell which way."""

    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class WrongWay:
    """A person went the other way than was granted; what `Passed` counts as then."""

    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Turning:
    """Somebody stands in the arm."""


@dataclass(frozen=True, slots=True)
class TurnedBack:
    """The arm is home again."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The turnstile, or the steward, says that nobody goes on the pending grant."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Nobody went through in the time a grant is given."""

    grant: int


@dataclass(frozen=True, slots=True)
class TurnTimedOut:
    """Whoever stands in the arm went neither on nor back in the time that takes."""

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
class Failed:
    """A part failed; what became of a pending grant cannot be known."""

    part: Part


@dataclass(frozen=True, slots=True)
class Mended:
    """A part works again."""

    part: Part


@dataclass(frozen=True, slots=True)
class Lock:
    """Let nobody enter any more; a grant that is pending may still be used."""


@dataclass(frozen=True, slots=True)
class Unlock:
    """Let people enter again."""


@dataclass(frozen=True, slots=True)
class FireAlarm:
    """The alarm's own wire has freed the arm."""


@dataclass(frozen=True, slots=True)
class FireOver:
    """The alarm is over; the passage stays free until somebody ends that."""


@dataclass(frozen=True, slots=True)
class HoldOpen:
    """Somebody in charge frees the passage."""


@dataclass(frozen=True, slots=True)
class EndFree:
    """Somebody in charge ends the free passage; of no effect while there is an alarm."""


@dataclass(frozen=True, slots=True)
class Presented:
    """Something was held before a reader; in free passage everything opens."""

    direction: Direction


LaneInput = (
    Granted
    | Refused
    | Passed
    | WrongWay
    | Turning
    | TurnedBack
    | Declined
    | TimedOut
    | TurnTimedOut
    | Settled
    | PulseFailed
    | Failed
    | Mended
    | Lock
    | Unlock
    | FireAlarm
    | FireOver
    | HoldOpen
    | EndFree
    | Presented
)


@unique
class LaneAction(Enum):
    """What the gate is to do."""

    PULSE = "pulse"  # release the turnstile for the grant named, and start its time
    AWAIT_TURN = "await_turn"  # start the time of whoever stands in the arm
    HOLD = "hold"  # keep the arm free
    RELOCK = "relock"  # no longer
    PULSE_FREE = "pulse_free"  # in free passage, where the arm cannot be held: release it once
    RECORD_PASSED = "record_passed"  # the grant named was used
    RECORD_NOT_PASSED = "record_not_passed"  # the grant named was not used
    RECORD_UNRESOLVED = "record_unresolved"  # what became of the grant named is not known
    RECORD_TAILGATING = "record_tailgating"  # one person more than the grant named allows
    RECORD_FORCED = "record_forced"  # a person without a grant
    RECORD_FREE = "record_free"  # a person in free passage


@dataclass(frozen=True, slots=True)
class LaneOutput:
    """One thing to do.

    Attributes:
        action: what.
        grant: for which grant, or None for what has none.
        direction: which way somebody went or is to go, None where nobody knows.
    """

    action: LaneAction
    grant: int | None = None
    direction: Direction | None = None
