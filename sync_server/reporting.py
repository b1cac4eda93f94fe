"""What is going on at the gates, for pages and programs. Called by web; reads, never writes.

Nothing here holds a ticket number: a ticket is referred to by the first hex digits of its keyed
identifier.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from admission.scan import Direction

REFERENCE_HEX_DIGITS: Final = 4  # enough to tell two lines of a screen apart, too few to search


def reference(identifier: bytes) -> str:
    """Give a ticket's short reference for people, "" where a fact names no ticket."""
    return identifier.hex()[:REFERENCE_HEX_DIGITS]


@unique
class PerformanceStatus(StrEnum):
    """Where a performance stands."""

    DRAFT = "draft"  # no list published yet
    PUBLISHED = "published"
    CANCELED = "canceled"


@unique
class GateState(StrEnum):
    """What the server knows of a gate's link."""

    NEVER = "never"  # not enrolled yet
    ONLINE = "online"
    OFFLINE = "offline"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class PerformanceLine:
    """One performance.

    Attributes:
        event: the event's name.
        listed: tickets in the server's list, whatever their state.
        attendance: listed tickets with an unforgotten passage.
        published_version: 0 before the first.
        refused: refusals of its tickets so far.
    """

    id: str
    name: str
    event: str
    listed: int
    attendance: int
    published_version: int
    refused: int
    status: PerformanceStatus


@dataclass(frozen=True, slots=True)
class CheckpointLine:
    """One checkpoint; capacity None is no limit."""

    id: str
    name: str
    occupancy: int
    capacity: int | None


@dataclass(frozen=True, slots=True)
class GateLine:
    """One gate.

    Attributes:
        checkpoint: its name.
        mode: `connected` or `degraded` as the gate last said, "" before the first word.
        list_versions: version of each list it holds, by performance id.
        queue: journal records it had not sent when it last spoke.
        admitted: passages it journalled, free crossings included.
        refused: refusals it journalled.
    """

    id: str
    name: str
    checkpoint: str
    direction: Direction
    state: GateState
    mode: str
    list_versions: dict[str, int]
    last_seen_ms: int | None
    queue: int
    admitted: int
    refused: int


@dataclass(frozen=True, slots=True)
class PassageLine:
    """One of the last passages, newest first.

    Attributes:
        gate: its name, "" for a fact of the server's own.
        performance: its name, "" where the passage has none.
        ticket: the short reference.
        answer: the verdict the passage followed, `granted` for most.
    """

    at_us: int
    gate: str
    checkpoint: str
    direction: Direction
    performance: str
    ticket: str
    answer: str
    override: bool
    unresolved: bool


@dataclass(frozen=True, slots=True)
class AnomalyPassage:
    """One passage of the ticket that an anomaly is about, in fold order."""

    gate: str
    at_us: int
    direction: Direction
    is_anomaly: bool


@dataclass(frozen=True, slots=True)
class AnomalyLine:
    """One anomaly, with every passage of its ticket at its checkpoint."""

    reason: str
    performance: str
    checkpoint: str
    ticket: str
    at_us: int
    passages: tuple[AnomalyPassage, ...]


@dataclass(frozen=True, slots=True)
class LiveReport:
    """The live page, whole.

    Attributes:
        refusals: (answer code, count), most frequent first.
        entries_per_minute: (start of the minute, entries in it), oldest first, no gaps.
    """

    at_us: int
    performances: tuple[PerformanceLine, ...]
    checkpoints: tuple[CheckpointLine, ...]
    gates: tuple[GateLine, ...]
    refusals: tuple[tuple[str, int], ...]
    last_passages: tuple[PassageLine, ...]
    anomalies: tuple[AnomalyLine, ...]
    entries_per_minute: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class AnomalyReport:
    """One anomaly of the exact report; `gate` is the journal it is known by."""

    gate: str
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class RulesReport:
    """The report of docs/rules.md, Reconciliation: exact, in fold order, zeros included."""

    anomalies: tuple[AnomalyReport, ...]
    occupancy: dict[str, int]
    attendance: dict[str, int]
