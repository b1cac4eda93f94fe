"""The state machine of an update: two slots, one of which runs, and no version that cannot be left.

Called by the caretaker's programs. A table first, code second; knows no clock, no file, no RAUC:
events come in, the next state and what is to be done go out. **The state is durable before what is
to be done is begun**: so wherever the power is cut, the next start knows how far it was.

A new version is written into the slot that does not run (INSTALLING), waits for a quiet moment
(ARMED), and is started once, by a flag that the firmware forgets at once (TRYING). Only once it is
well does the boot partition name it (COMMITTED); until then every other start is the old version's.

| a start of | while | means |
| --- | --- | --- |
| the old slot | INSTALLING | the installation was cut off: nothing of it counts |
| the old slot | ARMED, tried already | the flag was lost: tried again, three times in all |
| the old slot | TRYING | the new version did not hold: it is blocked |
| the new slot, on trial | ARMED | it came up: whether it is well is to be seen |
| the new slot, by itself | TRYING | the boot partition names it: the cut came after the commit |

Tried exhaustively, with the power cut anywhere, in tests/caretaker/test_update_explored.py.
"""

from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final

from caretaker.errors import CareError

ATTEMPTS_MAX: Final = 3  # trials that may be asked for; what loses the flag thrice loses it always
BLOCKED_MAX: Final = 16  # the newest; a machine that had more bad versions has other troubles
SLOTS: Final = ("a", "b")


class OutOfTurnError(CareError):
    """Something was said to have happened that cannot have, as the update stands."""


@unique
class Phase(StrEnum):
    """How an update stands; the words of `machine.json`."""

    IDLE = "idle"
    INSTALLING = "installing"
    ARMED = "armed"
    TRYING = "trying"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    ABANDONED = "abandoned"
    REFUSED = "refused"


@unique
class Action(StrEnum):
    """What is to be done once the state is durable."""

    NOTHING = "nothing"
    INSTALL = "install"  # into the target slot
    TRY = "try"  # start the machine anew, by the one-shot flag
    COMMIT = "commit"  # have the boot partition name the target slot
    LEAVE = "leave"  # start the machine anew, without the flag


@dataclass(frozen=True, slots=True)
class Booted:
    """What runs.

    Attributes:
        slot: "a" or "b".
        is_tryboot: whether it was started by the one-shot flag.
    """

    slot: str
    is_tryboot: bool = False

    def __post_init__(self) -> None:
        if self.slot not in SLOTS:
            raise ValueError(f"a slot is one of {SLOTS}, got {self.slot!r}")


@dataclass(frozen=True, slots=True)
class Requested:
    """A bundle is here whose signature, device and version are right.

    Attributes:
        version: that it holds.
        running: the slot that runs.
        primary: the slot that the boot partition names: another one than runs on a trial.
        boot: this start of the machine.
    """

    version: str
    running: str
    primary: str
    boot: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A bundle is not to be installed."""

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Installed:
    """The target slot holds the new version, whole."""


@dataclass(frozen=True, slots=True)
class InstallFailed:
    """The target slot holds nothing of use."""

    reason: str


@dataclass(frozen=True, slots=True)
class Try:
    """The moment is good. `boot` is this start of the machine: it ends with what is to be done."""

    boot: str


@dataclass(frozen=True, slots=True)
class Healthy:
    """The new version was well for the whole time that it is looked at."""


@dataclass(frozen=True, slots=True)
class Sick:
    """The new version is not well."""

    reason: str


@dataclass(frozen=True, slots=True)
class Committed:
    """The boot partition names the target slot, read back."""


Event = Booted | Requested | Refused | Installed | InstallFailed | Try | Healthy | Sick | Committed


@dataclass(frozen=True, slots=True)
class Update:
    """How the last update stands.

    Attributes:
        phase: see there.
        version: the update's; "" before the first.
        target: slot that it goes to; "" before the first.
        attempts: trials that were asked for.
        healthy: whether it was found well, which allows the commit.
        boot: the start of the machine in which it was asked for, or last tried.
        reason: why it stands so, for people; "" where that needs no word.
        blocked: versions that did not hold, the newest last.
    """

    phase: Phase = Phase.IDLE
    version: str = ""
    target: str = ""
    attempts: int = 0
    healthy: bool = False
    boot: str = ""
    reason: str = ""
    blocked: tuple[str, ...] = ()

    def unblocked(self, version: str) -> "Update":
        """Give the same, where a person wants a version to be tried once more."""
        return replace(self, blocked=tuple(one for one in self.blocked if one != version))


@unique
class _Start(StrEnum):
    """A start of the machine, as the update sees it."""

    OLD = "of the slot that is not the target"
    ON_TRIAL = "of the target, by the flag"
    BY_ITSELF = "of the target, as the boot partition has it"


_P = Phase
_RESTING: Final = frozenset({_P.IDLE, _P.COMMITTED, _P.ROLLED_BACK, _P.ABANDONED, _P.REFUSED})
CUT: Final = "the installation was cut off; it is asked for again"
BY_HAND: Final = "somebody chose the other slot by hand"
LOST: Final = "started as before: the power was cut, or the firmware lost its flag"
GIVEN_UP: Final = (
    "each trial ended in the old version: the power was cut, the new one does not come up at all, "
    "or the firmware's version knows no tryboot"
)
NOT_UP: Final = "it did not come up, or was cut off while it was on trial"

# What a start means, and what else may happen. A start that is not here changes nothing; another
# event that is not here cannot have happened.
STARTS: Final[dict[tuple[Phase, _Start], tuple[Phase, str]]] = {
    (_P.INSTALLING, _Start.OLD): (_P.IDLE, CUT),
    (_P.INSTALLING, _Start.ON_TRIAL): (_P.IDLE, CUT),
    (_P.INSTALLING, _Start.BY_ITSELF): (_P.IDLE, BY_HAND),
    (_P.ARMED, _Start.OLD): (_P.ARMED, LOST),  # or ABANDONED, see _after_start
    (_P.ARMED, _Start.ON_TRIAL): (_P.TRYING, ""),
    (_P.ARMED, _Start.BY_ITSELF): (_P.IDLE, BY_HAND),
    (_P.TRYING, _Start.OLD): (_P.ROLLED_BACK, NOT_UP),
    (_P.TRYING, _Start.BY_ITSELF): (_P.COMMITTED, ""),
}
TRANSITIONS: Final[dict[tuple[Phase, type[Event]], tuple[Phase, Action]]] = {
    **{(phase, Requested): (_P.INSTALLING, Action.INSTALL) for phase in _RESTING},
    **{(phase, Refused): (_P.REFUSED, Action.NOTHING) for phase in _RESTING},
    (_P.ARMED, Requested): (_P.INSTALLING, Action.INSTALL),  # a newer one, before the trial
    # whoever installed was ended, and the machine was not
    (_P.INSTALLING, Requested): (_P.INSTALLING, Action.INSTALL),
    (_P.INSTALLING, Refused): (_P.REFUSED, Action.NOTHING),
    (_P.INSTALLING, Installed): (_P.ARMED, Action.NOTHING),
    (_P.INSTALLING, InstallFailed): (_P.REFUSED, Action.NOTHING),
    (_P.ARMED, Try): (_P.ARMED, Action.TRY),
    (_P.TRYING, Healthy): (_P.TRYING, Action.COMMIT),
    (_P.TRYING, Sick): (_P.TRYING, Action.LEAVE),
    (_P.TRYING, Committed): (_P.COMMITTED, Action.NOTHING),
}


def step(update: Update, event: Event) -> tuple[Update, Action]:
    """Give the state after an event, and what is to be done once that state is durable.

    Raises:
        OutOfTurnError: if the event cannot happen as the update stands.
    """
    if isinstance(event, Booted):
        return _after_start(update, event), Action.NOTHING
    row = TRANSITIONS.get((update.phase, type(event)))
    if row is None:
        raise OutOfTurnError(f"{type(event).__name__} while an update is {update.phase}")
    _require_turn(update, event)
    phase, action = row
    after = replace(update, phase=phase)
    match event:
        case Requested(version, running, _, boot):
            target = SLOTS[1 - SLOTS.index(running)]
            after = Update(phase, version, target, boot=boot, blocked=update.blocked)
        case Refused(version, reason):
            after = Update(phase, version, reason=reason, blocked=update.blocked)
        case InstallFailed(reason):
            after = replace(after, reason=reason)
        case Installed():
            after = replace(after, attempts=0, reason="")
        case Try(boot):
            after = replace(after, attempts=update.attempts + 1, boot=boot, reason="")
        case Healthy() | Committed():
            after = replace(after, healthy=True, reason="")
        case Sick(reason):
            after = replace(after, healthy=False, reason=reason)
    return after, action


def is_on_its_way_down(update: Update, boot: str) -> bool:
    """Tell whether this start of the machine ends with a trial: nothing else is begun in it."""
    return update.phase is Phase.ARMED and update.attempts > 0 and update.boot == boot


def _require_turn(update: Update, event: Event) -> None:
    match event:
        case Requested(version, running, primary, boot):
            if running != primary:
                raise OutOfTurnError("nothing is installed while another slot starts than runs")
            if version in update.blocked:
                raise OutOfTurnError(f"version {version} is blocked: it did not hold before")
            if is_on_its_way_down(update, boot):
                raise OutOfTurnError("the machine is about to start the version it has")
        case Try(boot):
            if update.attempts >= ATTEMPTS_MAX:
                raise OutOfTurnError(f"version {update.version} was tried {ATTEMPTS_MAX} times")
            if is_on_its_way_down(update, boot):
                raise OutOfTurnError("the trial was asked for in this start of the machine")
        case Committed():
            if not update.healthy:
                raise OutOfTurnError("a version that was not found well is not committed")


def _after_start(update: Update, booted: Booted) -> Update:
    if booted.slot != update.target:
        start = _Start.OLD
    else:
        start = _Start.ON_TRIAL if booted.is_tryboot else _Start.BY_ITSELF
    phase, reason = STARTS.get((update.phase, start), (update.phase, update.reason))
    if (update.phase, start) == (_P.ARMED, _Start.OLD):
        if update.attempts == 0:  # it was not its turn yet
            return update
        if update.attempts >= ATTEMPTS_MAX:
            phase, reason = _P.ABANDONED, GIVEN_UP
    if phase is _P.ROLLED_BACK:
        kept = [one for one in update.blocked if one != update.version]
        blocked = (*kept, update.version)[-BLOCKED_MAX:]
        return replace(update, phase=phase, reason=update.reason or reason, blocked=blocked)
    return replace(update, phase=phase, reason=reason)
