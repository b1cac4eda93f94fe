"""What updates of gates are made of, as frozen records: releases, rollouts, gates as they see them.

Made by services, kept by storage, read by web pages and by `rollout`. Knows no database.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from sync_server.machine_reports import MachineKnowledge


@dataclass(frozen=True, slots=True)
class Release:
    """One bundle: a version for one kind of machine.

    Attributes:
        version: `MAJOR.MINOR.PATCH` or `MAJOR.MINOR.PATCH+BUILD`.
        compatible: machines that it is for.
        size_bytes: of the file.
        sha256: of the file, hexadecimal; its name on the disk.
        note: for people, "" for none.
        added_by: id of the user, None at the command line.
        withdrawn_ms: since when it is offered to nobody, None if it is.
    """

    id: str
    version: str
    compatible: str
    size_bytes: int
    sha256: str
    note: str
    added_ms: int
    added_by: str | None = None
    withdrawn_ms: int | None = None


@unique
class RolloutState(StrEnum):
    """Where a rollout stands.

    `running`: gates of the steps begun so far are offered the version. `waiting`: all of them run
    it, and the next step wants an operator's word. `paused` by an operator, `halted` by itself:
    nothing is offered. `done`, `aborted`: over.
    """

    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    HALTED = "halted"
    DONE = "done"
    ABORTED = "aborted"


OVER = (RolloutState.DONE, RolloutState.ABORTED)
OFFERING = (RolloutState.RUNNING, RolloutState.WAITING)


@dataclass(frozen=True, slots=True)
class Night:
    """When gates may install and start anew, on the venue's clock face; over midnight if it must.

    Attributes:
        from_min: minutes after midnight.
        until_min: minutes after midnight, another than `from_min`.
    """

    from_min: int
    until_min: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How a version is to reach a branch's gates.

    Attributes:
        version: which.
        venue_id: the only venue whose gates are meant; None for all of the branch.
        canaries: ids of the gates that go first.
        steps: percent of all gates that each further step reaches, rising, the last one 100.
        healthy_h: hours that a step must have been well before the next one begins by itself.
        is_automatic: whether it may begin by itself.
        night: when gates may install; None at any time.
        is_downgrade: whether the version may be older than what runs.
    """

    version: str
    venue_id: str | None
    canaries: tuple[str, ...]
    steps: tuple[int, ...] = (25, 100)
    healthy_h: int = 24
    is_automatic: bool = False
    night: Night | None = None
    is_downgrade: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """A plan on its way.

    Attributes:
        organization_id: whose branch's gates are meant.
        stage: 0 while only canaries are offered it, then the number of the step.
        stage_since_ms: when that began.
        complete_ms: since when all gates of the steps begun run it; None if not all do.
        reason: why it has halted, a word of `rollout.Progress`; "" otherwise.
        culprit: id of the gate that halted it, "" for none.
        excused: ids of gates that failed and are left out of it.
        created_by: id of the user.
    """

    id: str
    organization_id: str
    plan: Plan
    state: RolloutState
    stage: int
    stage_since_ms: int
    complete_ms: int | None
    reason: str
    culprit: str
    excused: tuple[str, ...]
    created_ms: int
    created_by: str | None

    @property
    def is_last_stage(self) -> bool:
        """Whether no step follows."""
        return self.stage >= len(self.plan.steps)


@dataclass(frozen=True, slots=True)
class FleetGate:
    """One gate, as a rollout sees it.

    Attributes:
        machine: what it runs; None where it does not say.
        last_seen_ms: when it was heard last.
        has_faults: whether it says that something is wrong with it.
        via: name of the site server that it is behind, "" for none.
    """

    id: str
    name: str
    venue_id: str
    checkpoint_id: str
    machine: MachineKnowledge | None
    last_seen_ms: int | None
    has_faults: bool = False
    via: str = ""
