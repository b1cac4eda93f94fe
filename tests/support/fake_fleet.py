"""The fleet of the pages' fake desk: made-up gates, and a rollout that the real decisions judge."""

from dataclasses import replace
from typing import ClassVar

from admission.scan import Direction
from sync_server.account_ports import User
from sync_server.entities import Gate
from sync_server.fleet_entities import FleetGate, Night, Plan, Release, Rollout, RolloutState
from sync_server.machine_reports import MachineKnowledge
from sync_server.rolling_out import FleetReport, Look
from sync_server.rollout import decide, survey

NOW_MS = 1_790_000_000_000
KIND = "portillon-gate-debian-arm64"
OLD = MachineKnowledge(version="0.1.4+2", slot="a", compatible=KIND, update="idle")
NEW = replace(OLD, version="0.2.0+5", slot="b", update="committed", update_version="0.2.0+5")
FETCHING = replace(
    OLD,
    fetch_version="0.2.0+5",
    fetch_state="fetching",
    fetch_have=90_000_000,
    fetch_size=172_000_000,
)
BACK = replace(
    OLD,
    update="rolled_back",
    update_version="0.2.0+5",
    update_reason="the gate was not ready within 300 s",
    blocked=("0.2.0+5",),
)
RELEASE = Release(
    "r1", "0.2.0+5", KIND, 172_000_000, "ab" * 32, "Quicker cameras", NOW_MS - 90_000_000
)
MACHINES = {
    "Porte A": NEW,
    "Porte B": NEW,
    "Porte C": FETCHING,
    "Porte D": replace(FETCHING, fetch_state="whole", fetch_have=172_000_000),
    "Porte E": replace(OLD, update="installing", update_version="0.2.0+5"),
    "Porte F": OLD,
    "Porte G": OLD,
    "Entrée des artistes": None,
}


def fleet_gates(machines=None, **fields):
    """Make gates that run these machines, by name."""
    given = MACHINES if machines is None else machines
    return [
        FleetGate(f"g{n}", name, "v1", "c1", machine, NOW_MS - 4000 * n, **fields)
        for n, (name, machine) in enumerate(given.items())
    ]


def rollout(**fields):
    """Make a rollout that has reached a half of the gates."""
    plan = Plan("0.2.0+5", None, ("g0", "g1"), (50, 100), 24, night=Night(120, 360))
    made = Rollout(
        "ro1", "organization-1", plan, RolloutState.RUNNING, 1, NOW_MS - 3_600_000, None, "", "",
        (), NOW_MS - 90_000_000, None,
    )  # fmt: skip
    return replace(made, **fields)


def look(one, gates, *, is_decided=True):
    """Look at a rollout, and decide as the service does."""
    standing = survey(one, gates, [RELEASE], NOW_MS)
    decided = decide(one, standing, gates, NOW_MS) if is_decided else one
    by_id = {gate.id: gate for gate in gates}
    return Look(NOW_MS, decided, by_id, (RELEASE,), survey(decided, gates, [RELEASE], NOW_MS))


class FakeFleet:
    """That part of `BackOfficeDesk`; what was asked is noted by `_ask`."""

    fleet_gates = fleet_gates()
    rollouts = (rollout(),)
    releases_kept = (RELEASE,)
    may_add = True
    busy: ClassVar[dict[str, int]] = {}
    received = b""

    async def fleet(self, user: User) -> FleetReport:
        kept = [Gate(one.id, "v1", one.name, "c1", Direction.ENTRY) for one in self.fleet_gates]
        return FleetReport(
            at_ms=NOW_MS,
            venues=tuple(self.venues),
            checkpoints={"c1": "Grande salle"},
            gates=tuple(kept),
            views={one.id: one for one in self.fleet_gates},
            rollouts=tuple(look(one, self.fleet_gates) for one in self.rollouts),
            busy=self.busy,
        )

    async def releases(self, user: User) -> list[Release]:
        return list(self.releases_kept)

    async def may_add_releases(self, user: User) -> bool:
        return self.may_add

    async def add_release(self, user, version, compatible, note, chunks) -> Release:
        self.received = b"".join([chunk async for chunk in chunks])
        self._ask("release", version, compatible, note, len(self.received))
        return RELEASE

    async def withdraw_release(self, user: User, release_id: str) -> None:
        self._ask("withdraw_release", release_id)

    async def start_rollout(self, user: User, plan: Plan) -> str:
        self._ask("rollout", plan)
        return "ro2"

    async def change_rollout(self, user: User, rollout_id: str, action: str) -> None:
        self._ask(action, rollout_id)
