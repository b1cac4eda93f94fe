"""What people at the gate may ask of it, and what they are told. Pages ask; `stewarding` answers.

Whoever bends a rule says who they are and why, and both are in the journal. Ticket numbers that
were typed are in no record and no log, like those that a reader yields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from typing import Final, Protocol

from admission.scan import Direction
from appliance.ports import Screen

REASON_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Keyed:
    """A ticket number typed by hand, in the place of a scan.

    Attributes:
        typed: whatever was typed.
        direction: which way its holder wants to go.
        is_check: whether only to be told: nothing is used up, opened or written down.
    """

    typed: str = field(repr=False)
    direction: Direction = Direction.ENTRY
    is_check: bool = False


@dataclass(frozen=True, slots=True)
class LetThrough:
    """Let one person through, whatever the rules say: an override."""

    direction: Direction
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class ResetLast:
    """Forget the passages of the ticket that was admitted last.

    Attributes:
        grant: the admission that is meant, as `Steward.last` gave it: no later one is forgotten.
        who: asks for it.
        reason: why.
    """

    grant: int
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Turn:
    """Have the readers let people go the other way.

    Attributes:
        direction: from now on.
        who: asks for it.
        reader: which one; "" is all of them.
    """

    direction: Direction
    who: str
    reader: str = ""


@dataclass(frozen=True, slots=True)
class MoveTo:
    """Have the gate work at another checkpoint of its venue, or at its own again.

    Attributes:
        checkpoint: id of one of `Steward.checkpoints`.
        who: asks for it.
        reason: why.
    """

    checkpoint: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class SetLock:
    """Close the gate to everybody who is not inside, or open it again."""

    is_locked: bool
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class SetFree:
    """Begin or end free passage: everybody goes, nobody shows a ticket."""

    is_free: bool
    who: str
    reason: str


Request = Keyed | LetThrough | ResetLast | Turn | MoveTo | SetLock | SetFree


@unique
class Refusal(StrEnum):
    """Why something that was asked for was not done."""

    EMPTY = "empty"  # nothing was typed
    NO_REASON = "no_reason"
    TOO_MANY = "too_many"  # so many codes are typed by nobody who reads them off tickets
    AMBIGUOUS = "ambiguous"  # several tickets are spelled alike
    BUSY = "busy"  # too much waits already
    NOT_IN_TIME = "not_in_time"  # somebody was going through all the while
    NO_DUTY = "no_duty"  # no checkpoint yet
    REVOKED = "revoked"
    CARD = "card"  # what must be written first cannot be
    ARM = "arm"  # the arm did not open
    AGAIN = "again"  # the same ticket has just had its answer
    NO_LAST = "no_last"  # nobody was admitted yet
    NEWER = "newer"  # somebody else was admitted meanwhile
    NOT_USED = "not_used"  # nobody went through: nothing is used up
    NO_TICKET = "no_ticket"  # the person was let through without one
    WAS_RESET = "was_reset"
    NO_WAY = "no_way"  # the arm does not open in that direction
    NO_READER = "no_reader"
    NO_CHECKPOINT = "no_checkpoint"  # it was taken off meanwhile, or the gate is there already
    NOT_FREE = "not_free"  # free passage is as it was asked for already
    FREE_NOW = "free_now"  # everybody goes: there is nothing to decide
    FIRE = "fire"  # it does not end while there is an alarm


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not done, and nothing follows of it."""

    why: Refusal


@dataclass(frozen=True, slots=True)
class Done:
    """It was done.

    Attributes:
        screen: what everybody at the gate is told of it, None where that is nothing.
    """

    screen: Screen | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a ticket would be answered, and what is known of it; for the steward's eyes.

    Attributes:
        screen: the answer as it would be shown.
        category: of the ticket; "" where none was found.
        first_used_at: aware, of the venue's time zone: its first unforgotten passage here.
        first_used_by: the gate of that; "" is this one, None is not known.
        passages: how many unforgotten ones there are here.
        attention: what the steward should look at; "" is nothing.
        seat: where its holder goes and sits.
        holder: whose it is; only where the list carries names.
    """

    screen: Screen
    category: str = ""
    first_used_at: datetime | None = None
    first_used_by: str | None = None
    passages: int = 0
    attention: str = ""
    seat: str = ""
    holder: str = field(default="", repr=False)


Outcome = Done | Checked | Refused


@unique
class GrantEnd(StrEnum):
    """What became of an admission."""

    PENDING = "pending"
    PASSED = "passed"
    NOT_PASSED = "not_passed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class LastGrant:
    """The last admission of this gate.

    Attributes:
        grant: names it.
        at: aware instant of the scan, in the venue's time zone where that is known.
        direction: which way.
        category: of the ticket, "" for none.
        is_override: whether a person decided, not the rules.
        end: what became of it.
    """

    grant: int
    at: datetime
    direction: Direction
    category: str
    is_override: bool
    end: GrantEnd


@dataclass(frozen=True, slots=True)
class Statistics:
    """What this gate has answered since it was started.

    Attributes:
        since: aware instant of the start.
        granted: admissions by the rules.
        overrides: by a person.
        not_passed: admissions that nobody used.
        refused: by answer, the commonest first.
        per_minute: admissions of each of the last minutes, the present one last.
        occupancy: people inside the checkpoint by all that is known; None where there is none.
    """

    since: datetime
    granted: int
    overrides: int
    not_passed: int
    refused: Mapping[str, int]
    per_minute: tuple[int, ...]
    occupancy: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """A screen in words, for pages.

    Attributes:
        tone: `good`, `look`, `stop`, `wait` or `still`: what kind of answer it is.
        title: the answer.
        detail: when, where, which; "" is nothing.
        line: what to do; "" is nothing.
    """

    tone: str
    title: str
    detail: str = ""
    line: str = ""


class Steward(Protocol):
    """Who serves people at the gate. Implemented by `stewarding`."""

    @property
    def is_check_only(self) -> bool:
        """Whether what readers read is only looked at, and marks no ticket."""
        ...

    @property
    def looked_at(self) -> Checked | None:
        """What a reader's last code came to while that is so; None for none."""
        ...

    def check_only(self, *, is_on: bool) -> None:
        """Have what readers read only looked at, or judged again; it ends by itself, too."""
        ...

    @property
    def directions(self) -> Mapping[str, Direction]:
        """Which way each reader lets people go now, by its name."""
        ...

    @property
    def ways(self) -> frozenset[Direction]:
        """Which ways the arm opens."""
        ...

    @property
    def checkpoints(self) -> Mapping[str, str]:
        """Names of the checkpoints that the gate may work at, by id, its present one first."""
        ...

    @property
    def is_locked(self) -> bool:
        """Whether the gate is closed to everybody who is not inside."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether the passage is free."""
        ...

    @property
    def queue(self) -> int:
        """Records that the server does not have yet."""
        ...

    def last(self) -> LastGrant | None:
        """Give the last admission, None before the first."""
        ...

    def statistics(self) -> Statistics:
        """Give what was answered since the start."""
        ...

    async def ask(self, request: Request) -> Outcome:
        """Ask for something, done between two people; returns once it is done or refused.

        Cancel: it is not done, unless it was being done.
        """
        ...
