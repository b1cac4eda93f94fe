"""Brings releases to gates, step by step: keeps rollouts, and makes what gates are offered.

Called by web. `rollout` decides; here its decisions are written down and signed. It decides when
somebody asks: a gate for its offer, a person for the page. Nothing is offered in between, so
nothing can go on unwatched.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from admission.software_version import read_version
from admission.sync.update_offer import UpdateOffer, encode_offer
from admission.trust.envelope import OFFER_TYPE
from admission.trust.root import Role
from sync_server import rollout as deciding
from sync_server.account_ports import User
from sync_server.branches import find_venue, reach
from sync_server.entities import Gate, Standing, Venue, instant
from sync_server.errors import ConflictError, InvalidError, NotFoundError
from sync_server.fleet_entities import (
    OFFERING,
    FleetGate,
    Plan,
    Release,
    Rollout,
    RolloutState,
)
from sync_server.fleet_ports import BundleFiles
from sync_server.ledger import Ledger
from sync_server.machine_reports import machine_knowledge_of
from sync_server.ports import News, Store, Transaction
from sync_server.quiet_hours import busy_until, install_window
from sync_server.rollout import Refusal
from sync_server.trusting import Trust

log = logging.getLogger(__name__)

OFFER_LIFE: Final = timedelta(minutes=30)  # a gate asks each five; what is stopped stops soon
LOOK_MS: Final = 5_000  # so old a look at all gates may be, for one that asks
STEPS_MAX: Final = 10
CANARIES_MAX: Final = 50
HEALTHY_H_MAX: Final = 14 * 24
ROLLOUTS_SHOWN: Final = 6
_DAY_MIN: Final = 24 * 60
_REFUSED: Final[Mapping[Refusal, str]] = {
    Refusal.OVER: "this rollout is over; begin another one",
    Refusal.NOT_OFFERING: "this rollout is stopped; resume it first",
    Refusal.LAST_STAGE: "every gate is offered it already; there is no next step",
    Refusal.NOBODY_DONE: "no gate runs the version yet; wait until one has shown that it works",
    Refusal.NOT_STOPPED: "this rollout goes on; there is nothing to resume",
}


@dataclass(frozen=True, slots=True)
class Look:
    """One rollout and all its gates, at one moment.

    Attributes:
        at_ms: the moment.
        rollout: as it was decided then.
        gates: all that its plan means, by id.
        releases: of its version, not withdrawn.
        standing: how the gates stand.
    """

    at_ms: int
    rollout: Rollout
    gates: Mapping[str, FleetGate]
    releases: tuple[Release, ...]
    standing: deciding.Standing


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The page of the fleet, whole.

    Attributes:
        gates: of the user's branch that are in force, with what is kept of them, by name.
        views: the same as rollouts see them, by id.
        rollouts: newest first.
        busy: until when performances keep a venue busy, by its id, where one does.
        offered: id of the rollout whose offers a gate gets, by the gate's id.
    """

    at_ms: int
    venues: tuple[Venue, ...]
    checkpoints: Mapping[str, str]
    gates: tuple[Gate, ...]
    views: Mapping[str, FleetGate]
    rollouts: tuple[Look, ...]
    busy: Mapping[str, int]


class RollingOut:
    """The service."""

    def __init__(
        self, store: Store, ledger: Ledger, news: News, trust: Trust, files: BundleFiles
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news
        self._trust = trust
        self._files = files
        self._looks: dict[str, Look] = {}

    # --- for gates --------------------------------------------------------------------------------

    async def offer(self, gate_id: str) -> bytes | None:
        """Give a gate's signed offer; None while it is offered nothing."""
        found = await self._offered(gate_id)
        if found is None:
            return None
        look, release, venue = found
        now = instant(self._ledger.now_us())
        plan = look.rollout.plan
        since, until = install_window(plan.night, ZoneInfo(venue.timezone), now)
        offer = UpdateOffer(
            gate=gate_id,
            version=release.version,
            compatible=release.compatible,
            size=release.size_bytes,
            sha256=release.sha256,
            issued_at=now,
            not_after=now + OFFER_LIFE,
            install_from=since,
            install_until=until,
            is_downgrade=plan.is_downgrade,
        )
        return self._trust.sign(Role.STATUS, OFFER_TYPE, encode_offer(offer))

    async def bundle(self, gate_id: str, sha256: str) -> Path:
        """Give the file of the bundle that a gate is offered.

        Raises:
            NotFoundError: if it is offered another one, or none.
        """
        found = await self._offered(gate_id)
        if found is None or found[1].sha256 != sha256:
            raise NotFoundError("update")
        return self._files.path(sha256)

    async def _offered(self, gate_id: str) -> tuple[Look, Release, Venue] | None:
        async with self._store.read() as transaction:
            rollouts = await transaction.fleet.open_rollouts()
        for rollout in rollouts:
            if rollout.state not in OFFERING:
                continue
            look = await self._look(rollout)
            gate = look.gates.get(gate_id)
            if gate is None:
                continue
            async with self._store.read() as transaction:
                venue = await transaction.organizations.venue(gate.venue_id)
                performances = await transaction.performances.performances_at(gate.venue_id)
            is_busy = busy_until(performances, self._ledger.now_ms()) is not None
            release = deciding.offered(
                look.rollout, look.standing, gate, look.releases, is_busy=is_busy
            )
            return None if release is None or venue is None else (look, release, venue)
        return None

    # --- for people -------------------------------------------------------------------------------

    async def report(self, user: User) -> FleetReport:
        """Give what the fleet runs and how its rollouts stand."""
        async with self._store.read() as transaction:
            branch = await reach(transaction, user)
            venues = await transaction.organizations.venues(branch)
            checkpoints = await transaction.checkpoints.checkpoints(branch)
            gates = await transaction.gates.gates(branch)
            rollouts = await transaction.fleet.newest_rollouts(branch, ROLLOUTS_SHOWN)
            now_ms = self._ledger.now_ms()
            busy = {}
            for venue in venues:
                at = await transaction.performances.performances_at(venue.id)
                if (until := busy_until(at, now_ms)) is not None:
                    busy[venue.id] = until
        in_force = tuple(gate for gate in gates if gate.standing is Standing.IN_FORCE)
        return FleetReport(
            at_ms=now_ms,
            venues=tuple(venues),
            checkpoints={one.id: one.name for one in checkpoints},
            gates=in_force,
            views={gate.id: fleet_gate(gate) for gate in in_force},
            rollouts=tuple([await self._look(one, is_fresh=True) for one in rollouts]),
            busy=busy,
        )

    async def start(self, user: User, plan: Plan) -> str:
        """Begin to bring a version to a branch's gates; give the rollout's id.

        Raises:
            ConflictError: if another rollout that is not over means one of its gates.
            InvalidError: if something of the plan cannot be.
            NotFoundError: if its venue is out of reach.
        """
        async with self._store.write() as transaction:
            if plan.venue_id is not None:
                await find_venue(transaction, user, plan.venue_id)
            now_ms = self._ledger.now_ms()
            rollout = Rollout(
                id=self._ledger.new_id(),
                organization_id=user.organization_id,
                plan=plan,
                state=RolloutState.RUNNING,
                stage=0,
                stage_since_ms=now_ms,
                complete_ms=None,
                reason="",
                culprit="",
                excused=(),
                created_ms=now_ms,
                created_by=user.id,
            )
            gates = await self._gates_of(transaction, rollout)
            releases = await self._releases_of(transaction, plan.version)
            _check(plan, gates, releases)
            await self._require_alone(transaction, gates)
            standing = deciding.survey(rollout, gates, releases, now_ms)
            rollout = replace(rollout, excused=deciding.failing_before(rollout, standing))
            await transaction.fleet.add_rollout(rollout)
            await self._note(transaction, user, rollout, "rollout_started")
        self._news.report_changed()
        return rollout.id

    async def approve(self, user: User, rollout_id: str) -> None:
        """Begin the next step. Raises ConflictError where that cannot be, NotFoundError."""
        await self._change(
            user,
            rollout_id,
            "rollout_approved",
            lambda look: deciding.approve(look.rollout, look.standing, look.at_ms),
        )

    async def pause(self, user: User, rollout_id: str) -> None:
        """Offer nothing until it is resumed. Raises as `approve`."""
        await self._change(
            user, rollout_id, "rollout_paused", lambda look: deciding.pause(look.rollout)
        )

    async def resume(self, user: User, rollout_id: str) -> None:
        """Go on, without the gates that have failed. Raises as `approve`."""
        await self._change(
            user,
            rollout_id,
            "rollout_resumed",
            lambda look: deciding.resume(look.rollout, look.standing),
        )

    async def abort(self, user: User, rollout_id: str) -> None:
        """End it. Raises as `approve`."""
        await self._change(
            user, rollout_id, "rollout_aborted", lambda look: deciding.abort(look.rollout)
        )

    async def _change(
        self,
        user: User,
        rollout_id: str,
        what: str,
        asked: Callable[[Look], Rollout | Refusal],
    ) -> None:
        async with self._store.write() as transaction:
            rollout = await transaction.fleet.rollout(rollout_id)
            if rollout is None or rollout.organization_id not in await reach(transaction, user):
                raise NotFoundError("rollout")
            outcome = asked(await self._survey(transaction, rollout))
            if isinstance(outcome, Refusal):
                raise ConflictError(f"rollout_{outcome.value}", _REFUSED[outcome])
            await transaction.fleet.save_rollout(outcome)
            await self._note(transaction, user, outcome, what)
        self._looks.pop(rollout_id, None)
        self._news.report_changed()

    # --- looking ----------------------------------------------------------------------------------

    async def _look(self, rollout: Rollout, *, is_fresh: bool = False) -> Look:
        """Look at a rollout's gates, and write down what follows from it."""
        now_ms = self._ledger.now_ms()
        known = self._looks.get(rollout.id)
        if known is not None and not is_fresh and 0 <= now_ms - known.at_ms < LOOK_MS:
            return known
        async with self._store.read() as transaction:
            look = await self._survey(transaction, rollout)
        if self._decided(look) != rollout:
            look = await self._decide(rollout.id, look)
        self._looks[rollout.id] = look
        return look

    async def _decide(self, rollout_id: str, look: Look) -> Look:
        async with self._store.write() as transaction:
            rollout = await transaction.fleet.rollout(rollout_id)
            if rollout is None:
                return look
            look = await self._survey(transaction, rollout)
            decided = self._decided(look)
            if decided == rollout:
                return look
            await transaction.fleet.save_rollout(decided)
            if (decided.state, decided.stage) != (rollout.state, rollout.stage):
                await self._note(transaction, None, decided, f"rollout_{decided.state.value}")
                log.warning(
                    "rollout goes on"
                    if decided.state in OFFERING
                    else "rollout has ended or halted",
                    extra={
                        "rollout": decided.id,
                        "state": decided.state.value,
                        "stage": decided.stage,
                        "reason": decided.reason,
                        "gate": decided.culprit,
                    },
                )
            look = await self._survey(transaction, decided)
        self._news.report_changed()
        return look

    def _decided(self, look: Look) -> Rollout:
        return deciding.decide(look.rollout, look.standing, list(look.gates.values()), look.at_ms)

    async def _survey(self, transaction: Transaction, rollout: Rollout) -> Look:
        now_ms = self._ledger.now_ms()
        gates = await self._gates_of(transaction, rollout)
        releases = await self._releases_of(transaction, rollout.plan.version)
        standing = deciding.survey(rollout, gates, releases, now_ms)
        by_id = {gate.id: gate for gate in gates}
        return Look(now_ms, rollout, by_id, tuple(releases), standing)

    async def _gates_of(self, transaction: Transaction, rollout: Rollout) -> list[FleetGate]:
        branch = await transaction.organizations.branch(rollout.organization_id)
        gates = await transaction.gates.gates([one.id for one in branch])
        return [
            fleet_gate(gate)
            for gate in gates
            if gate.standing is Standing.IN_FORCE and rollout.plan.venue_id in (None, gate.venue_id)
        ]

    async def _releases_of(self, transaction: Transaction, version: str) -> list[Release]:
        wanted = read_version(version)
        return [
            one
            for one in await transaction.fleet.releases()
            if one.withdrawn_ms is None and read_version(one.version) == wanted
        ]

    async def _require_alone(self, transaction: Transaction, gates: Sequence[FleetGate]) -> None:
        wanted = {gate.id for gate in gates}
        for other in await transaction.fleet.open_rollouts():
            if wanted & {gate.id for gate in await self._gates_of(transaction, other)}:
                raise ConflictError(
                    "rollout_under_way",
                    f"version {other.plan.version} is still on its way to some of these gates;"
                    " abort that rollout, or wait until it is done",
                )

    async def _note(
        self, transaction: Transaction, user: User | None, rollout: Rollout, what: str
    ) -> None:
        await self._ledger.note(
            transaction,
            None if user is None else user.id,
            what,
            rollout.id,
            version=rollout.plan.version,
            stage=rollout.stage,
            reason=rollout.reason,
            gate=rollout.culprit,
        )


def fleet_gate(gate: Gate) -> FleetGate:
    """Give a gate as rollouts see it."""
    said = gate.last_status or {}
    via = said.get("site")
    return FleetGate(
        id=gate.id,
        name=gate.name,
        venue_id=gate.venue_id,
        checkpoint_id=gate.checkpoint_id,
        machine=machine_knowledge_of(gate.last_status),
        last_seen_ms=gate.last_seen_ms,
        has_faults=bool(said.get("faults")),
        via=via if isinstance(via, str) else "",
    )


def _check(plan: Plan, gates: Sequence[FleetGate], releases: Sequence[Release]) -> None:
    """Make sure that a plan can be carried out.

    Raises:
        InvalidError: naming what cannot be.
    """
    if not releases:
        raise InvalidError("version", f"there is no release {plan.version}; add its bundle first")
    known = {gate.id for gate in gates}
    if not 0 < len(plan.canaries) <= CANARIES_MAX:
        raise InvalidError("canaries", f"choose 1 to {CANARIES_MAX} gates that go first")
    if len(set(plan.canaries)) != len(plan.canaries) or not known.issuperset(plan.canaries):
        raise InvalidError("canaries", "each gate that goes first must be one of those meant, once")
    steps = plan.steps
    is_rising = all(low < high for low, high in pairwise(steps))
    if not 0 < len(steps) <= STEPS_MAX or not is_rising or steps[0] < 1 or steps[-1] != 100:
        raise InvalidError(
            "steps", f"steps must be 1 to {STEPS_MAX} rising percentages, and the last one 100"
        )
    if not 0 <= plan.healthy_h <= HEALTHY_H_MAX:
        raise InvalidError("healthy_h", f"the hours must be from 0 to {HEALTHY_H_MAX}")
    night = plan.night
    if night is not None:
        is_of_day = 0 <= night.from_min < _DAY_MIN and 0 <= night.until_min < _DAY_MIN
        if not is_of_day or night.from_min == night.until_min:
            raise InvalidError("night", "the hours must be two different times of a day")
