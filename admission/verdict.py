"""The answer to a scan: a refusal is a value, exceptions are for faults."""

from dataclasses import dataclass
from enum import StrEnum, unique

from admission.ticket import Ticket


@unique
class Answer(StrEnum):
    """What people are told; the codes of docs/rules.md, in the words of the catalogues."""

    GRANTED = "granted"
    MALFORMED = "malformed"
    WRONG_PERFORMANCE = "wrong_performance"
    UNKNOWN_TICKET = "unknown_ticket"
    PERFORMANCE_CANCELED = "performance_canceled"
    CANCELED = "canceled"
    REISSUED = "reissued"
    BLOCKED = "blocked"
    UNPAID = "unpaid"
    INCOMPLETE = "incomplete"
    EXIT_NOT_ALLOWED = "exit_not_allowed"
    ALREADY_USED = "already_used"
    ALREADY_INSIDE = "already_inside"
    NOT_INSIDE = "not_inside"
    NO_PASSES_LEFT = "no_passes_left"
    DAILY_LIMIT_REACHED = "daily_limit_reached"
    CATEGORY_EXCLUDED = "category_excluded"
    WRONG_CHECKPOINT = "wrong_checkpoint"
    NOT_YET_VALID = "not_yet_valid"
    NO_LONGER_VALID = "no_longer_valid"
    FULL = "full"
    # answers that the gate itself adds
    GATE_LOCKED = "gate_locked"
    LIST_UNTRUSTED = "list_untrusted"
    LIST_EXPIRED = "list_expired"


@dataclass(frozen=True, slots=True)
class Grant:
    """The person may go.

    Attributes:
        performance: id of the performance that holds the ticket.
        ticket: the ticket as it is held now.
    """

    performance: str
    ticket: Ticket

    @property
    def answer(self) -> Answer:
        """Always `granted`."""
        return Answer.GRANTED


@dataclass(frozen=True, slots=True)
class Deny:
    """The person may not go, and why.

    Attributes:
        answer: the reason, never `granted`.
        performance: the performance the number was found in (for `wrong_performance`, the other
            one), or None if in none.
        ticket: the ticket found, or None.
    """

    answer: Answer
    performance: str | None = None
    ticket: Ticket | None = None

    def __post_init__(self) -> None:
        if self.answer is Answer.GRANTED:
            raise ValueError("a Deny needs a reason, got granted")


Verdict = Grant | Deny
