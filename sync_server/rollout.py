"""The decisions of a rollout: who is offered a version, when the next step begins, when all stops.

Pure: given gates as they last said they were, and the time. Called by `rolling_out`. A version
goes to canaries first, then to a rising share of the others; one gate that came back from it, or
did not come back at all, stops it for everybody until a person has looked.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final

from admission.software_version import read_version
from sync_server.fleet_entities import OFFERING, OVER, FleetGate, Release, Rollout, RolloutState
from sync_server.machine_reports import MachineKnowledge

LOST_MS: Final = 45 * 60_000  # installing, three tries at starting, and the health check's window
SILENT_MS: Final = 15 * 60_000  # not heard for so long: nobody calls it well
_HOUR_MS: Final = 3_600_000
_UNDER_WAY: Final = ("installing", "armed", "trying")
_FAILED: Final = ("rolled_back", "abandoned", "refused")
_FETCHED: Final = ("whole", "asked")


@unique
class Progress(StrEnum):
    """How a gate stands to a rollout."""

    DONE = "done"  # runs the version, for good
    ROLLED_BACK = "rolled_back"  # tried it, and went back by itself
    ABANDONED = "abandoned"  # never got as far as trying
    REFUSED = "refused"  # its machine would not have the bundle
    LOST = "lost"  # began to install it, and was not heard again
    LEFT_OUT = "left_out"  # one of those four, and a person has gone on without it
    UNDER_WAY = "under_way"  # installs or tries it
    FETCHED = "fetched"  # has it, and waits for its hour
    FETCHING = "fetching"
    NEXT = "next"  # is offered it
    LATER = "later"  # belongs to a step that has not begun
    BLOCKED = "blocked"  # came back from it before this rollout
    NEWER = "newer"  # runs something newer
    NO_BUNDLE = "no_bundle"  # there is none for its kind of machine
    NO_CARETAKER = "no_caretaker"  # does not update itself, or does not say what it runs
    BEHIND_SITE = "behind_site"  # is reached through a site server, which hands out no bundles


FAILURES: Final = (Progress.ROLLED_BACK, Progress.ABANDONED, Progress.REFUSED, Progress.LOST)
UNABLE: Final = (
    Progress.BLOCKED,
    Progress.NEWER,
    Progress.NO_BUNDLE,
    Progress.NO_CARETAKER,
    Progress.BEHIND_SITE,
)
_SETTLED: Final = (Progress.DONE, Progress.LEFT_OUT)


@unique
class Refusal(StrEnum):
    """Why a rollout does not do what a person asks of it."""

    OVER = "over"
    NOT_OFFERING = "not_offering"  # it is paused or halted: resume it first
    LAST_STAGE = "last_stage"
    NOBODY_DONE = "nobody_done"  # no gate has shown yet that the version works
    NOT_STOPPED = "not_stopped"  # there is nothing to resume


@dataclass(frozen=True, slots=True)
class Standing:
    """How all gates of a rollout stand.

    Attributes:
        order: ids of those that it can reach, first to go first.
        begun: ids of those whose step has begun.
        progress: of every gate, by id.
    """

    order: tuple[str, ...]
    begun: frozenset[str]
    progress: Mapping[str, Progress]

    def all_in(self, *wanted: Progress) -> list[str]:
        """Give the ids of the gates that stand so, in order."""
        return [gate for gate in self.order if self.progress[gate] in wanted]


def survey(
    rollout: Rollout, gates: Sequence[FleetGate], releases: Iterable[Release], now_ms: int
) -> Standing:
    """Look at all gates of a rollout.

    Args:
        rollout: which.
        gates: all that its plan means.
        releases: those of its version that are not withdrawn.
        now_ms: the time.
    """
    kinds = {release.compatible for release in releases}
    bare = {gate.id: _progress(rollout, gate, kinds, now_ms) for gate in gates}
    order = _order(rollout, [gate for gate in gates if bare[gate.id] not in UNABLE])
    begun = frozenset(order[: reach(rollout, order, rollout.stage)])
    progress = {
        gate: Progress.LATER if one is Progress.NEXT and gate not in begun else one
        for gate, one in bare.items()
    }
    return Standing(tuple(order), begun, progress)


def reach(rollout: Rollout, order: Sequence[str], stage: int) -> int:
    """Tell how many of the gates that can be reached a stage has reached, canaries included.

    Args:
        rollout: which.
        order: ids of the gates that can be reached; a canary among the others is none in its place.
        stage: 0 for the canaries alone.
    """
    canaries = sum(gate in rollout.plan.canaries for gate in order)
    if stage == 0:
        return canaries
    percent = rollout.plan.steps[min(stage, len(rollout.plan.steps)) - 1]
    return max(canaries, -(-len(order) * percent // 100))


def decide(
    rollout: Rollout, standing: Standing, gates: Sequence[FleetGate], now_ms: int
) -> Rollout:
    """Give the rollout as it has to be now; the same one where nothing has changed."""
    if rollout.state not in OFFERING:
        return rollout
    failing = standing.all_in(*FAILURES)
    if failing:
        return replace(
            rollout,
            state=RolloutState.HALTED,
            reason=standing.progress[failing[0]].value,
            culprit=failing[0],
        )
    if not _is_complete(standing):
        return replace(rollout, state=RolloutState.RUNNING, complete_ms=None)
    complete_ms = now_ms if rollout.complete_ms is None else rollout.complete_ms
    rollout = replace(rollout, complete_ms=complete_ms)
    if rollout.is_last_stage:
        return replace(rollout, state=RolloutState.DONE)
    if not rollout.plan.is_automatic:
        return replace(rollout, state=RolloutState.WAITING)
    is_time = now_ms - complete_ms >= rollout.plan.healthy_h * _HOUR_MS
    if is_time and _are_well(standing, gates, now_ms):
        return _advanced(rollout, standing.order, now_ms)
    return replace(rollout, state=RolloutState.RUNNING)


def approve(rollout: Rollout, standing: Standing, now_ms: int) -> Rollout | Refusal:
    """Begin the next step on a person's word, though some gate of the last one is still silent."""
    if rollout.state in OVER:
        return Refusal.OVER
    if rollout.state not in OFFERING:
        return Refusal.NOT_OFFERING
    if rollout.is_last_stage:
        return Refusal.LAST_STAGE
    if not standing.all_in(Progress.DONE):
        return Refusal.NOBODY_DONE
    return _advanced(rollout, standing.order, now_ms)


def pause(rollout: Rollout) -> Rollout | Refusal:
    """Offer nothing any more until somebody resumes."""
    if rollout.state in OVER:
        return Refusal.OVER
    if rollout.state not in OFFERING:
        return Refusal.NOT_OFFERING
    return replace(rollout, state=RolloutState.PAUSED)


def resume(rollout: Rollout, standing: Standing) -> Rollout | Refusal:
    """Go on, without the gates that have failed so far: they are left out."""
    if rollout.state in OVER:
        return Refusal.OVER
    if rollout.state in OFFERING:
        return Refusal.NOT_STOPPED
    failed = standing.all_in(*FAILURES)
    excused = (*rollout.excused, *(one for one in failed if one not in rollout.excused))
    return replace(rollout, state=RolloutState.RUNNING, reason="", culprit="", excused=excused)


def abort(rollout: Rollout) -> Rollout | Refusal:
    """End it; what runs the version goes on running it."""
    if rollout.state in OVER:
        return Refusal.OVER
    return replace(rollout, state=RolloutState.ABORTED)


def offered(
    rollout: Rollout,
    standing: Standing,
    gate: FleetGate,
    releases: Iterable[Release],
    *,
    is_busy: bool,
) -> Release | None:
    """Give what a gate is offered now; None for nothing.

    Args:
        rollout: as `decide` has left it.
        standing: of all its gates.
        gate: which.
        releases: those of its version that are not withdrawn.
        is_busy: whether a performance is on at its venue, or near.
    """
    progress = standing.progress.get(gate.id)
    if rollout.state not in OFFERING or is_busy or gate.machine is None:
        return None
    if gate.id not in standing.begun or progress in (*FAILURES, *_SETTLED):
        return None
    fitting = [one for one in releases if one.compatible == gate.machine.compatible]
    return max(fitting, key=lambda release: release.added_ms, default=None)


def failing_before(rollout: Rollout, standing: Standing) -> tuple[str, ...]:
    """Give the gates that a rollout that has only just been made finds failed: not by its doing."""
    return tuple(one for one in standing.all_in(*FAILURES) if one not in rollout.excused)


def _progress(rollout: Rollout, gate: FleetGate, kinds: set[str], now_ms: int) -> Progress:
    machine, wanted = gate.machine, read_version(rollout.plan.version)
    runs = None if machine is None else read_version(machine.version)
    if machine is None or runs is None or wanted is None:
        return Progress.NO_CARETAKER
    is_of_it = read_version(machine.update_version) == wanted
    if runs == wanted:
        is_tried = is_of_it and machine.update in _UNDER_WAY
        if not is_tried:
            return Progress.DONE
    if gate.id in rollout.excused:
        return Progress.LEFT_OUT
    if is_of_it and (last := _last_update(machine, gate.last_seen_ms, now_ms)) is not None:
        return last
    if gate.via:
        return Progress.BEHIND_SITE
    if machine.compatible not in kinds:
        return Progress.NO_BUNDLE
    if any(read_version(one) == wanted for one in machine.blocked):
        return Progress.BLOCKED
    if runs > wanted and not rollout.plan.is_downgrade:
        return Progress.NEWER
    if read_version(machine.fetch_version) != wanted:
        return Progress.NEXT
    if machine.fetch_state in _FETCHED:
        return Progress.FETCHED
    return Progress.FETCHING if machine.fetch_have else Progress.NEXT


def _last_update(machine: MachineKnowledge, seen_ms: int | None, now_ms: int) -> Progress | None:
    """Tell what became of a machine's last update, which was one to the wanted version."""
    if machine.update in _FAILED:
        return Progress(machine.update)
    if machine.update in _UNDER_WAY:
        is_lost = seen_ms is None or now_ms - seen_ms > LOST_MS
        return Progress.LOST if is_lost else Progress.UNDER_WAY
    return None


def _order(rollout: Rollout, gates: Sequence[FleetGate]) -> list[str]:
    """Put canaries first, then the others so that no step takes a checkpoint's gates together."""
    known = {gate.id for gate in gates}
    first = [one for one in rollout.plan.canaries if one in known]
    at: dict[str, list[tuple[bytes, str]]] = defaultdict(list)
    for gate in gates:
        if gate.id not in first:
            chance = hashlib.sha256(f"{rollout.id}/{gate.id}".encode()).digest()
            at[gate.checkpoint_id].append((chance, gate.id))
    others = [
        (place, *drawn) for drawn_at in at.values() for place, drawn in enumerate(sorted(drawn_at))
    ]
    return first + [gate for _, _, gate in sorted(others)]


def _is_complete(standing: Standing) -> bool:
    """Tell whether all gates of the steps begun run the version, but those that were left out."""
    begun = [standing.progress[gate] for gate in standing.order if gate in standing.begun]
    return Progress.DONE in begun and all(one in _SETTLED for one in begun)


def _are_well(standing: Standing, gates: Sequence[FleetGate], now_ms: int) -> bool:
    """Tell whether every gate that runs the version by this rollout is heard and says no fault."""
    return all(
        gate.last_seen_ms is not None
        and now_ms - gate.last_seen_ms <= SILENT_MS
        and not gate.has_faults
        for gate in gates
        if gate.id in standing.begun and standing.progress[gate.id] is Progress.DONE
    )


def _advanced(rollout: Rollout, order: Sequence[str], now_ms: int) -> Rollout:
    """Begin the next step that reaches anybody new."""
    stage, last = rollout.stage + 1, len(rollout.plan.steps)
    while stage < last and reach(rollout, order, stage) <= reach(rollout, order, rollout.stage):
        stage += 1
    return replace(
        rollout,
        state=RolloutState.RUNNING,
        stage=stage,
        stage_since_ms=now_ms,
        complete_ms=None,
    )
