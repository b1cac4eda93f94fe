"""Rollouts and gates for tests of what a rollout decides."""

from dataclasses import replace

from sync_server.fleet_entities import FleetGate, Plan, Release, Rollout, RolloutState
from sync_server.machine_reports import MachineKnowledge
from sync_server.rollout import decide, offered, survey

NOW = 1_790_000_000_000
HOUR = 3_600_000
OLD, NEW = "0.1.0", "0.2.0+3"
KIND = "portillon-gate-debian-arm64"
RELEASE = Release("r1", NEW, KIND, 100, "ab" * 32, "", NOW)
OLD_MACHINE = MachineKnowledge(version=OLD, slot="a", compatible=KIND, update="idle")
NEW_MACHINE = MachineKnowledge(
    version=NEW, slot="b", compatible=KIND, update="committed", update_version=NEW
)


def machine(update="idle", version=OLD, **fields):
    known = {"update_version": NEW} if update != "idle" else {}
    return replace(OLD_MACHINE, **{"update": update, "version": version} | known | fields)


def gates(count, at=2, **fields):
    """Make gates, spread over checkpoints."""
    return [
        FleetGate(f"g{n}", f"Gate {n}", "v", f"c{n % at}", OLD_MACHINE, NOW, **fields)
        for n in range(count)
    ]


def changed(all_gates, *names, **fields):
    return [replace(one, **fields) if one.id in names else one for one in all_gates]


def rollout(*canaries, **fields):
    plan = Plan(NEW, None, canaries or ("g0",))
    in_plan = {name: fields.pop(name) for name in list(fields) if hasattr(plan, name)}
    made = Rollout(
        "ro", "root", replace(plan, **in_plan), RolloutState.RUNNING, 0, NOW, None, "", "", (), NOW,
        None,
    )  # fmt: skip
    return replace(made, **fields)


def look(one, some, releases=(RELEASE,), now=NOW):
    return survey(one, some, releases, now)


def decided(one, some, now=NOW):
    return decide(one, look(one, some, now=now), some, now)


def offers(one, some, *, is_busy=False, releases=(RELEASE,), now=NOW):
    standing = look(one, some, releases, now)
    return {gate.id for gate in some if offered(one, standing, gate, releases, is_busy=is_busy)}
