"""What is going on at the gates, for pages and programs. Called by web; reads, never writes.

Nothing here holds a ticket number: a ticket is referred to by the first hex digits of its keyed
identifier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

from admission.journal import Flag
from admission.scan import Direction
from sync_server.entities import Checkpoint, Event, Gate, Performance
from sync_server.errors import NotFoundError
from sync_server.gate_reports import GateKnowledge, knowledge_of
from sync_server.ledger import Ledger
from sync_server.ports import Store, Transaction
from sync_server.report_ports import AnomalyRow, PassageRow

LAST_PASSAGES: Final = 30
LAST_ANOMALIES: Final = 50
CHART_MINUTES: Final = 60
_MINUTE_US: Final = 60_000_000
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
        copied: whether its memory card was copied, and nobody has looked into it yet.
        peers: gates of its local network that it heard when it last spoke.
        knowledge: what it knew when it last spoke, and its clock.
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
    copied: bool = False
    peers: int = 0
    knowledge: GateKnowledge = field(default_factory=GateKnowledge)


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


@dataclass(frozen=True, slots=True)
class _Names:
    """Names for ids, as far as they are known."""

    gates: Mapping[str, str]
    checkpoints: Mapping[str, str]
    performances: Mapping[str, str]


class Reporting:
    """The service.

    Args:
        store: the database.
        ledger: the time.

    Attributes:
        connected: ids of the gates whose live connection is open; kept by whoever hears them.
    """

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self.connected: set[str] = set()

    async def live(self, organization_id: str) -> LiveReport:
        """Give what is going on in an organization and all below it."""
        at_us = self._ledger.now_us()
        async with self._store.read() as transaction:
            branch = [one.id for one in await transaction.organizations.branch(organization_id)]
            performances = await transaction.performances.performances(branch)
            checkpoints = await transaction.checkpoints.checkpoints(branch)
            gates = await transaction.gates.gates(branch)
            events = await transaction.organizations.events(branch)
            places = [one.id for one in checkpoints]
            names = _Names(
                {one.id: one.name for one in gates},
                {one.id: one.name for one in checkpoints},
                {one.id: one.name for one in performances},
            )
            refusals = await transaction.reports.refused_by_answer(places)
            passages = await transaction.reports.last_passages(places, LAST_PASSAGES)
            anomalies = await transaction.reports.newest_anomalies(places, LAST_ANOMALIES)
            return LiveReport(
                at_us=at_us,
                performances=await _performance_lines(transaction, performances, events),
                checkpoints=await _checkpoint_lines(transaction, checkpoints),
                gates=await self._gate_lines(transaction, gates, names),
                refusals=tuple(sorted(refusals.items(), key=lambda pair: (-pair[1], pair[0]))),
                last_passages=tuple(_passage_line(row, names) for row in passages),
                anomalies=tuple(_anomaly_line(row, names) for row in anomalies),
                entries_per_minute=await _entries(transaction, places, at_us),
            )

    async def rules(self, organization_id: str) -> RulesReport:
        """Give the exact report of an organization and all below it."""
        async with self._store.read() as transaction:
            branch = [one.id for one in await transaction.organizations.branch(organization_id)]
            performances = [one.id for one in await transaction.performances.performances(branch)]
            places = [one.id for one in await transaction.checkpoints.checkpoints(branch)]
            occupancy = await transaction.reports.occupancy(places)
            attendance = await transaction.reports.attendance(performances)
            found = await transaction.reports.anomalies(places)
        return RulesReport(
            tuple(AnomalyReport(gate, sequence, reason) for gate, sequence, reason in found),
            {place: occupancy.get(place, 0) for place in places},
            {performance: attendance.get(performance, 0) for performance in performances},
        )

    async def organization_name(self, organization_id: str) -> str:
        """Give an organization's name.

        Raises:
            NotFoundError: if there is none.
        """
        async with self._store.read() as transaction:
            found = await transaction.organizations.organization(organization_id)
        if found is None:
            raise NotFoundError("organization")
        return found.name

    async def zones(self, organization_id: str) -> Sequence[str]:
        """Give the time zones of a branch's venues, each once."""
        async with self._store.read() as transaction:
            branch = [one.id for one in await transaction.organizations.branch(organization_id)]
            venues = await transaction.organizations.venues(branch)
        return tuple(dict.fromkeys(venue.timezone for venue in venues))

    async def _gate_lines(
        self, transaction: Transaction, gates: Sequence[Gate], names: _Names
    ) -> tuple[GateLine, ...]:
        ids = [gate.id for gate in gates]
        admitted = await transaction.reports.admitted(ids)
        refused = await transaction.reports.refused_by_gate(ids)
        lines = await transaction.lines.of_gates(ids)
        copied = {line.gate_id for line in lines if line.settled_ms is None}
        return tuple(
            _gate_line(
                gate,
                names,
                is_connected=gate.id in self.connected,
                admitted=admitted.get(gate.id, 0),
                refused=refused.get(gate.id, 0),
                copied=gate.id in copied,
            )
            for gate in gates
        )


async def _performance_lines(
    transaction: Transaction, performances: Sequence[Performance], events: Sequence[Event]
) -> tuple[PerformanceLine, ...]:
    ids = [one.id for one in performances]
    listed = await transaction.reports.listed(ids)
    attendance = await transaction.reports.attendance(ids)
    refused = await transaction.reports.refused_by_performance(ids)
    shows = {event.id: event.name for event in events}
    return tuple(
        PerformanceLine(
            id=one.id,
            name=one.name,
            event=shows.get(one.event_id, ""),
            listed=listed.get(one.id, 0),
            attendance=attendance.get(one.id, 0),
            published_version=one.published_version,
            refused=refused.get(one.id, 0),
            status=_status(one),
        )
        for one in performances
    )


async def _checkpoint_lines(
    transaction: Transaction, checkpoints: Sequence[Checkpoint]
) -> tuple[CheckpointLine, ...]:
    occupancy = await transaction.reports.occupancy([one.id for one in checkpoints])
    return tuple(
        CheckpointLine(one.id, one.name, occupancy.get(one.id, 0), one.capacity)
        for one in checkpoints
    )


async def _entries(
    transaction: Transaction, checkpoints: Sequence[str], at_us: int
) -> tuple[tuple[int, int], ...]:
    last = at_us - at_us % _MINUTE_US
    first = last - (CHART_MINUTES - 1) * _MINUTE_US
    counted = await transaction.reports.entries_per_minute(checkpoints, first)
    minutes = range(first, last + _MINUTE_US, _MINUTE_US)
    return tuple((minute, counted.get(minute, 0)) for minute in minutes)


def _status(performance: Performance) -> PerformanceStatus:
    if performance.canceled:
        return PerformanceStatus.CANCELED
    published = performance.published_version > 0
    return PerformanceStatus.PUBLISHED if published else PerformanceStatus.DRAFT


def _gate_line(
    gate: Gate, names: _Names, *, is_connected: bool, admitted: int, refused: int, copied: bool
) -> GateLine:
    said = gate.last_status or {}
    mode, lists, queue = said.get("mode"), said.get("lists"), said.get("queue")
    versions = lists if isinstance(lists, dict) else {}
    return GateLine(
        id=gate.id,
        name=gate.name,
        checkpoint=names.checkpoints.get(str(said.get("checkpoint") or gate.checkpoint_id), ""),
        direction=gate.direction,
        state=_state(gate, is_connected=is_connected),
        mode=mode if isinstance(mode, str) else "",
        list_versions={
            name: version for name, version in versions.items() if isinstance(version, int)
        },
        last_seen_ms=gate.last_seen_ms,
        queue=queue if isinstance(queue, int) else 0,
        admitted=admitted,
        refused=refused,
        copied=copied,
        peers=peers if isinstance(peers := said.get("peers"), int) else 0,
        knowledge=knowledge_of(said),
    )


def _state(gate: Gate, *, is_connected: bool) -> GateState:
    if gate.revoked_ms is not None:
        return GateState.REVOKED
    if gate.enrolled_ms is None:
        return GateState.NEVER
    return GateState.ONLINE if is_connected else GateState.OFFLINE


def _passage_line(row: PassageRow, names: _Names) -> PassageLine:
    return PassageLine(
        at_us=row.at_us,
        gate=names.gates.get(row.gate_id or "", ""),
        checkpoint=names.checkpoints.get(row.checkpoint_id, ""),
        direction=row.direction,
        performance=names.performances.get(row.performance_id, ""),
        ticket=reference(row.identifier),
        answer=row.answer or "granted",
        override=bool(row.flags & Flag.OVERRIDE),
        unresolved=bool(row.flags & Flag.UNRESOLVED),
    )


def _anomaly_line(row: AnomalyRow, names: _Names) -> AnomalyLine:
    return AnomalyLine(
        reason=row.reason,
        performance=names.performances.get(row.passage.performance_id, ""),
        checkpoint=names.checkpoints.get(row.passage.checkpoint_id, ""),
        ticket=reference(row.passage.identifier),
        at_us=row.passage.at_us,
        passages=tuple(
            AnomalyPassage(
                names.gates.get(passage.gate_id or "", ""),
                passage.at_us,
                passage.direction,
                is_anomaly=passage == row.passage,
            )
            for passage in row.passages
        ),
    )
