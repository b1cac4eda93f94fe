"""The fleet as its page shows it: made of the services' report, read by the template. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from admission.software_version import read_version
from sync_server.fleet_entities import OFFERING, OVER, FleetGate, Rollout, RolloutState
from sync_server.machine_reports import MachineKnowledge
from sync_server.rolling_out import FleetReport, Look
from sync_server.rollout import FAILURES, UNABLE, Progress, reach

IDLE: Final = "idle"  # of a gate that no rollout means now, and that is not under way by itself
KINDS: Final[Mapping[str, tuple[str, str]]] = {  # kind of badge, and its shape
    IDLE: ("plain", "online"),
    Progress.DONE: ("good", "good"),
    Progress.ROLLED_BACK: ("bad", "bad"),
    Progress.ABANDONED: ("bad", "bad"),
    Progress.REFUSED: ("bad", "bad"),
    Progress.LOST: ("bad", "offline"),
    Progress.LEFT_OUT: ("warn", "warn"),
    Progress.UNDER_WAY: ("info", "degraded"),
    Progress.FETCHED: ("info", "degraded"),
    Progress.FETCHING: ("info", "download"),
    Progress.NEXT: ("plain", "never"),
    Progress.LATER: ("plain", "never"),
    **dict.fromkeys(UNABLE, ("plain", "revoked")),
}
STATE_KINDS: Final[Mapping[RolloutState, tuple[str, str]]] = {
    RolloutState.RUNNING: ("info", "live"),
    RolloutState.WAITING: ("warn", "degraded"),
    RolloutState.PAUSED: ("warn", "warn"),
    RolloutState.HALTED: ("bad", "bad"),
    RolloutState.DONE: ("good", "good"),
    RolloutState.ABORTED: ("plain", "revoked"),
}
_UNDER_WAY: Final = ("installing", "armed", "trying")
_FAILED: Final = ("rolled_back", "abandoned", "refused")


@dataclass(frozen=True, slots=True)
class GateCard:
    """One gate.

    Attributes:
        place: name of its checkpoint.
        state: a value of `Progress`, or IDLE.
        version_wanted: of the update that `state` is about, "" for none.
        reason: the machine's own words on the last update, where it failed.
        percent: of the bundle that it has; None while nothing is fetched.
    """

    id: str
    name: str
    place: str
    venue: str
    via: str
    machine: MachineKnowledge | None
    last_seen_ms: int | None
    state: str
    version_wanted: str
    reason: str
    percent: int | None

    @property
    def kind(self) -> tuple[str, str]:
        """Its badge's kind and shape."""
        return KINDS[self.state]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rollout; percent None for the canaries.

    Attributes:
        gates: how many it reaches, with those of the steps before.
        place: `past`, `now` or `next`.
    """

    percent: int | None
    gates: int
    place: str


@dataclass(frozen=True, slots=True)
class RolloutCard:
    """One rollout.

    Attributes:
        done: gates that run the version.
        able: gates that it can reach.
        counts: how many gates stand how, but for those that are done; unable ones last.
        culprit: name of the gate that halted it.
        culprit_reason: that machine's own words.
        next_gates: how many gates the next step reaches anew.
        venue: name of its only venue, "" for all.
        creator: login of who began it.
        actions: what may be done with it now.
    """

    rollout: Rollout
    steps: tuple[Step, ...]
    done: int
    able: int
    counts: tuple[tuple[str, int], ...]
    culprit: str
    culprit_reason: str
    next_gates: int
    venue: str
    actions: frozenset[str]

    @property
    def kind(self) -> tuple[str, str]:
        """Its badge's kind and shape."""
        return STATE_KINDS[self.rollout.state]


@dataclass(frozen=True, slots=True)
class FleetView:
    """The page, whole.

    Attributes:
        versions: how many gates run which version, newest first; "" for those that do not say.
        open: rollouts that go on, or could.
        over: those that are over, newest first.
        busy: (venue's name, until when) where a performance is on or near.
    """

    gates: tuple[GateCard, ...]
    versions: tuple[tuple[str, int], ...]
    open: tuple[RolloutCard, ...]
    over: tuple[RolloutCard, ...]
    busy: tuple[tuple[str, int], ...]


def fleet_view(report: FleetReport) -> FleetView:
    """Make the page's view of a report."""
    venues = {venue.id: venue.name for venue in report.venues}
    open_looks = [look for look in report.rollouts if look.rollout.state not in OVER]
    gates = tuple(
        _gate_card(report.views[gate.id], report, venues, open_looks) for gate in report.gates
    )
    cards = [_rollout_card(look, venues) for look in report.rollouts]
    return FleetView(
        gates=gates,
        versions=_versions(gates),
        open=tuple(card for card in cards if card.rollout.state not in OVER),
        over=tuple(card for card in cards if card.rollout.state in OVER),
        busy=tuple((venues[venue], until) for venue, until in report.busy.items()),
    )


def _gate_card(
    gate: FleetGate, report: FleetReport, venues: Mapping[str, str], looks: Sequence[Look]
) -> GateCard:
    state, wanted = _state(gate, looks)
    machine = gate.machine
    is_told = machine is not None and machine.update in _FAILED
    return GateCard(
        id=gate.id,
        name=gate.name,
        place=report.checkpoints.get(gate.checkpoint_id, ""),
        venue=venues.get(gate.venue_id, ""),
        via=gate.via,
        machine=machine,
        last_seen_ms=gate.last_seen_ms,
        state=state,
        version_wanted=wanted,
        reason=machine.update_reason if machine is not None and is_told else "",
        percent=_percent(machine) if state == Progress.FETCHING else None,
    )


def _state(gate: FleetGate, looks: Sequence[Look]) -> tuple[str, str]:
    """Tell how a gate stands, and to which version: by the rollout that means it, if one does."""
    for look in looks:
        progress = look.standing.progress.get(gate.id)
        if progress is not None and progress not in UNABLE:
            return progress.value, look.rollout.plan.version
    machine = gate.machine
    if machine is None or not machine.version:
        return Progress.NO_CARETAKER.value, ""
    if machine.update in _FAILED:
        return machine.update, machine.update_version
    if machine.update in _UNDER_WAY:
        return Progress.UNDER_WAY.value, machine.update_version
    return IDLE, ""


def _percent(machine: MachineKnowledge | None) -> int | None:
    if machine is None or not machine.fetch_size:
        return None
    return min(100, 100 * machine.fetch_have // machine.fetch_size)


def _versions(gates: Sequence[GateCard]) -> tuple[tuple[str, int], ...]:
    counted = Counter("" if gate.machine is None else gate.machine.version for gate in gates)
    nothing = (-1, 0, 0, 0)
    return tuple(
        sorted(counted.items(), key=lambda one: read_version(one[0]) or nothing, reverse=True)
    )


def _rollout_card(look: Look, venues: Mapping[str, str]) -> RolloutCard:
    rollout, standing = look.rollout, look.standing
    counted: Counter[Progress] = Counter(standing.progress.values())
    del counted[Progress.DONE]
    order = [*FAILURES, *(one for one in Progress if one not in FAILURES)]
    culprit = look.gates.get(rollout.culprit)
    reason = "" if culprit is None or culprit.machine is None else culprit.machine.update_reason
    reached = reach(rollout, standing.order, rollout.stage)
    following = 0 if rollout.is_last_stage else reach(rollout, standing.order, rollout.stage + 1)
    return RolloutCard(
        rollout=rollout,
        steps=_steps(rollout, standing.order),
        done=len(standing.all_in(Progress.DONE)),
        able=len(standing.order),
        counts=tuple((one.value, counted[one]) for one in order if counted[one]),
        culprit=rollout.culprit if culprit is None else culprit.name,
        culprit_reason=reason if rollout.culprit else "",
        next_gates=max(0, following - reached),
        venue="" if rollout.plan.venue_id is None else venues.get(rollout.plan.venue_id, ""),
        actions=_actions(rollout, has_done=bool(standing.all_in(Progress.DONE))),
    )


def _steps(rollout: Rollout, order: Sequence[str]) -> tuple[Step, ...]:
    percents: tuple[int | None, ...] = (None, *rollout.plan.steps)
    is_done = rollout.state is RolloutState.DONE
    return tuple(
        Step(
            percent,
            reach(rollout, order, stage),
            "past"
            if is_done or stage < rollout.stage
            else "now"
            if stage == rollout.stage
            else "next",
        )
        for stage, percent in enumerate(percents)
    )


def _actions(rollout: Rollout, *, has_done: bool) -> frozenset[str]:
    if rollout.state in OVER:
        return frozenset()
    if rollout.state not in OFFERING:
        return frozenset({"resume", "abort"})
    may_approve = has_done and not rollout.is_last_stage
    return frozenset({"pause", "abort"} | ({"approve"} if may_approve else set()))
