"""Tickets, their rules and states, and where they are judged: performances and checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum, unique
from typing import Protocol


@unique
class TicketState(StrEnum):
    """What a source says of a number. Only `valid` admits."""

    VALID = "valid"
    CANCELED = "canceled"
    REISSUED = "reissued"
    BLOCKED = "blocked"
    UNPAID = "unpaid"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Single:
    """One entry, in that direction only."""


@dataclass(frozen=True, slots=True)
class EntryExit:
    """In and out as often as one likes, but never twice on the same side."""


@dataclass(frozen=True, slots=True)
class Multi:
    """So many passages, in either direction.

    Attributes:
        total: most passages in all; None is no limit, 0 admits nobody.
        per_day: most passages on one day of the venue; likewise.
    """

    total: int | None = None
    per_day: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("total", self.total), ("per_day", self.per_day)):
            if value is not None and value < 0:
                raise ValueError(f"{name} must be >= 0 or None, got {value}")


PassRule = Single | EntryExit | Multi


@dataclass(frozen=True, slots=True)
class TicketClass:
    """What many tickets of a list share.

    Attributes:
        category: the tariff or kind (`standard`, `vip`), free text of the venue.
        rule: how often such a ticket passes.
    """

    category: str
    rule: PassRule


@dataclass(frozen=True, slots=True)
class Window:
    """When a presented text counts, beside its performance's own bounds.

    Attributes:
        start: first instant, aware; None is no bound.
        end: first instant at which it is over, aware; None is no bound.
        is_reading: the bounds were read off another clock (a rotating code's), so that the gate's
            own uncertainty widens them.
    """

    start: datetime | None
    end: datetime | None
    is_reading: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket of a performance.

    Attributes:
        identifier: what stands for the number in lists and journals: keyed and cut to
            `limits.IDENTIFIER_BYTES` on gates. The rules only compare it.
        ticket_class: its category and rule.
        state: as the installed list says.
        proven: no list holds it: its own signature says what it is.
        windows: when what was presented counts, where it says so itself.
    """

    identifier: bytes
    ticket_class: TicketClass
    state: TicketState
    proven: bool = False
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Presented:
    """What a presented text is in a performance, where it is more than a plain number.

    Attributes:
        number: what lists and passages know it by.
        proven: the ticket that it proves, where no list of the performance holds its number.
        window: when a rotating code counts, whatever it names; None for any other text.
        is_bare: it is no rotating code although the performance wants one at its entries.
    """

    number: str
    proven: Ticket | None = None
    window: Window | None = None
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Performance:
    """One showing, as the rules see it.

    Attributes:
        id: its identifier.
        zone: the venue's time zone.
        day_starts_at: wall-clock time before which a passage counts for the day before.
        excluded_categories: categories that are filtered out now.
        admits_from: first instant of admission, aware; None is no bound.
        admits_until: first instant at which admission is over, aware; None is no bound.
        canceled: whether the showing does not take place.
        name: for people.
    """

    id: str
    zone: tzinfo
    day_starts_at: time = time(0, 0)
    excluded_categories: frozenset[str] = frozenset()
    admits_from: datetime | None = None
    admits_until: datetime | None = None
    canceled: bool = False
    name: str = ""

    def civil_day(self, at: datetime) -> date:
        """Give the venue's day of an instant: the clock face decides, also when clocks change.

        Args:
            at: an aware instant.
        """
        local = at.astimezone(self.zone)
        day = local.date()
        return day - timedelta(days=1) if local.time() < self.day_starts_at else day


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A logical access point, served by one or many gates, which share its state.

    Attributes:
        id: its identifier.
        performances: ids of the performances it controls.
        allowed_categories: only these may pass; None is no restriction, empty admits nobody.
        capacity: most people inside; None is no limit, 0 admits nobody.
        name: for people.
    """

    id: str
    performances: tuple[str, ...]
    allowed_categories: frozenset[str] | None = None
    capacity: int | None = None
    name: str = ""


class Holdings(Protocol):
    """The lists that a gate holds. Implemented over mapped files, and over plain dictionaries."""

    @property
    def performances(self) -> Mapping[str, Performance]:
        """Every performance held, by id."""
        ...

    def identify(self, performance: str, number: str) -> bytes:
        """Give the identifier that stands for a number in a performance's list and journals."""
        ...

    def find(self, performance: str, identifier: bytes) -> Ticket | None:
        """Give the ticket that a performance's list holds under an identifier, or None."""
        ...

    def present(self, performance: str, text: str) -> Presented | None:
        """Give what a text is in a performance; None for a plain number."""
        ...
