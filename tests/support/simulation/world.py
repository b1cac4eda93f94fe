"""A whole run: gates, server, people and what goes wrong, played from a plan and looked at."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from admission import journal
from admission.journal import Kind
from admission.passage import Fact
from admission.reconcile import ListedTicket
from admission.scan import Direction
from admission.sync.feed_items import fact_of_item
from admission.sync.gate_side import Row
from admission.sync.messages import Ack, Batch
from admission.ticket import Performance, TicketState
from appliance.simulator.box_office import SignedList
from simulation import invariants
from simulation.gate import SimulatedGate
from simulation.invariants import Grant, Seen, Watched
from simulation.lan import LocalNetwork
from simulation.misfortunes import Misfortunes
from simulation.network import Road
from simulation.office import identifier_of
from simulation.plan import CHECKPOINTS, SHOWS, Desk, Plan, Visit
from simulation.replaying import i15_replays
from simulation.scheduler import BrokenError, Cut, Scheduler, finish
from simulation.server import Server

REST_MS: Final = 30_000
REST_MS_MAX: Final = 1_800_000
LOOK_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Crossing:
    """A person went through an arm: the truth.

    Attributes:
        place: of the gate.
        grant: the grant that opened it.
    """

    at_ms: int
    place: int
    grant: Grant
    visit: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run.

    Attributes:
        broken: the invariant that did not hold, or None.
        digest: of the whole trace.
    """

    broken: BrokenError | None
    digest: str
    events: int
    figures: Mapping[str, int]
    trace: Sequence[str] = field(repr=False, default=())


class World(Misfortunes):
    """One run of a plan."""

    def __init__(self, plan: Plan, *, keep_trace: bool = False) -> None:
        self.plan = plan
        self.scheduler = Scheduler(plan.seed, keep_trace=keep_trace)
        self.server = Server(self.scheduler, plan)
        self.server.took = self._took
        self.server.fed = self._fed
        self.gates: list[SimulatedGate] = []
        self.watched: dict[int, Watched] = {}
        self.crossings: list[Crossing] = []
        self.shadow: dict[tuple[str, int], bytes] = {}
        self.has_copies = False
        self.figures: dict[str, int] = {"visits": 0, "crossings": 0}
        self._chance = self.scheduler.chance("world")
        self._states: dict[tuple[str, int], dict[str, TicketState]] = {}
        self.lan = LocalNetwork(self.scheduler, self.gates) if plan.has_lan else None
        for place in range(plan.gates):
            self._add_gate(place)

    def _add_gate(self, works_as: int, card: bytes | None = None) -> SimulatedGate:
        place = len(self.gates)
        chance = self.scheduler.chance(f"road {place}")
        road = Road(self.scheduler, chance, self.plan.weather)
        gate = SimulatedGate(
            self.scheduler, self.plan, place, self.server, road, self, card=card, works_as=works_as
        )
        self.gates.append(gate)
        self.watched[place] = Watched()
        return gate

    # --- the run -----------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Play the plan, let everything heal, and look at what came of it."""
        broken = None
        with _quiet():
            try:
                self._play()
            except BrokenError as exc:
                broken = exc
            except (Exception, Cut) as exc:  # noqa: BLE001 (whatever it is, it is what the run found)
                broken = BrokenError("I0", f"{type(exc).__name__}: {exc}")
                broken.__cause__ = exc
        if broken is not None:
            self.scheduler.note("BROKEN", broken)
        return Outcome(
            broken,
            self.scheduler.digest,
            self.scheduler.events,
            {**self.figures, "crossings": len(self.crossings)},
            self.scheduler.trace,
        )

    def _play(self) -> None:
        at = self.scheduler.at
        for gate in self.gates:
            gate.boot()
        for place, visit in enumerate(self.plan.visits):
            at(visit.at_ms, self._visit, place, visit)
        for fault in self.plan.faults:
            at(fault.at_ms, self._fail, fault)
        for one in self.plan.desk:
            at(one.at_ms, self._at_desk, one)
        at(LOOK_MS, self._look)
        self.scheduler.run(self.plan.end_ms)
        self._heal()
        until = self.plan.end_ms
        while not self._is_at_rest():
            until += REST_MS
            if until > self.plan.end_ms + REST_MS_MAX:
                raise BrokenError("rest", f"it does not come to rest: {self._unrest()}")
            self.scheduler.run(until)
        self._judge_everything()

    def _heal(self) -> None:
        self.scheduler.note("heal")
        for gate in self.gates:
            gate.road.is_calm = gate.road.up = gate.road.down = True
            gate.card.fault, gate.card.syncs_that_fail = None, 0
            gate.arm.is_broken = False
            gate.power.steps_left = None
            gate.false_lists = ""
        self.server.database.cut_before_commit = self.server.database.cut_after_commit = False

    def _unrest(self) -> str:
        return ", ".join(
            f"gate {gate.place}: up {gate.is_up}, owes {gate.uplink._handing.backlog}, linked"
            f" {gate.connection is not None}, settled {gate.lane.is_settled},"
            f" waiting {len(gate.gate._waiting)}, faults {gate.health.faults}"
            f" and {len(gate.health.fault_log._owed)}, at {gate.uplink._feeds.cursors}"
            for gate in self.gates
            if hasattr(gate, "uplink")
        )

    def _is_at_rest(self) -> bool:
        if not self.server.is_up:
            return False
        heads = dict(self.server.database.rows("SELECT stream, last_number FROM feed_counters"))
        for gate in self.gates:
            if not gate.is_up or gate.connection is None or not gate.lane.is_settled:
                return False
            if gate.gate._waiting or gate.health.is_stopped or gate.health.fault_log._owed:
                return False
            if gate.uplink._handing.backlog:
                return False
            cursors = gate.uplink._feeds.cursors
            if any(
                cursors.get(name) != heads.get(name, 0) for name in gate.assignment.performances
            ):
                return False
        return True

    def _judge_everything(self) -> None:
        for gate in self.gates:
            self.wrote(gate)
            invariants.audit_of_a_card(self, gate)
            invariants.i10_feed_is_complete(self, gate)
            i15_replays(gate, self.watched[gate.place].rows)
        invariants.i4_nothing_lost(self)
        invariants.i5_no_double(self)
        invariants.i6_forks_are_real(self)
        invariants.i9_copies_are_noticed(self)
        invariants.i7_convergence(self)
        invariants.i8_exact_report(self)
        invariants.audit_of_the_record(self)

    def _look(self) -> None:
        for gate in self.gates:
            if gate.is_up:
                invariants.i10_feed_is_complete(self, gate)
                invariants.i11_time_never_goes_back(gate, self.watched[gate.place])
        invariants.i5_no_double(self)
        self.scheduler.at(LOOK_MS, self._look)

    # --- people ------------------------------------------------------------------------------

    def _visit(self, place: int, visit: Visit) -> None:
        self.figures["visits"] += 1
        ticket = self.plan.tickets[visit.ticket]
        lanes = [gate for gate in self.gates if gate.works_as == visit.gate]
        gate = lanes[place % len(lanes)]
        self.scheduler.note("visit", gate.place, ticket.number, visit.direction.value)
        if visit.override:
            identifier = identifier_of(ticket.show, ticket.number)
            gate.override(ticket.show, identifier, visit.direction, place)
        else:
            gate.present(ticket.number.encode(), visit.direction, place)

    def pulsed(self, gate: SimulatedGate, direction: Direction) -> None:
        """The arm is about to open."""
        watched = self.watched[gate.place]
        grant = invariants.i1_durable_before_open(gate, watched)
        opened = (gate.journal.id, grant.sequence)
        self.scheduler.note("opens", gate.place, *opened)
        place = gate.presenting
        if not 0 <= place < len(self.plan.visits):
            raise BrokenError("I1", f"{gate.name} opens for nobody")
        visit = self.plan.visits[place]
        ticket = self.plan.tickets[visit.ticket]
        invariants.require(
            grant.identifier == identifier_of(ticket.show, ticket.number)
            and journal.direction_of(grant.direction) is direction is visit.direction,
            "I1",
            f"{gate.name} opens for {ticket.number}, and wrote another down",
        )
        if visit.goes_after_ms is not None:
            self.scheduler.at(visit.goes_after_ms, self._cross, gate, place, opened)

    def _cross(self, gate: SimulatedGate, place: int, grant: Grant) -> None:
        if gate.arm.lets_through():
            self.scheduler.note("through", gate.place, *grant)
            self.crossings.append(Crossing(self.scheduler.now_ms, gate.place, grant, place))
            if gate.arm.has_sensor:
                gate.sensed()

    def _at_desk(self, one: Desk) -> None:
        ticket = self.plan.tickets[one.ticket]
        self.scheduler.note("desk", one.what, ticket.number)
        match one.what:
            case "cancel":
                self.server.change(ticket.show, ticket.number, TicketState.CANCELED)
            case "reissue":
                self.server.change(ticket.show, ticket.number, TicketState.REISSUED)
            case "reset" if ticket.show in CHECKPOINTS[one.checkpoint]:
                self.server.reset(ticket.show, ticket.number, one.checkpoint)
            case "free":
                self.gates[one.ticket % len(self.gates)].free_crossing()

    # --- what is looked at -------------------------------------------------------------------

    def booted(self, gate: SimulatedGate) -> None:
        """A daemon has started."""
        watched = self.watched[gate.place]
        invariants.i1_nothing_written_is_lost(gate, watched)
        self.wrote(gate)
        invariants.i11_time_survives_a_start(gate, watched)
        invariants.i11_lists_never_go_back(gate, watched)

    def wrote(self, gate: SimulatedGate) -> None:
        """A gate may have written something."""
        watched = self.watched[gate.place]
        if gate.card.is_in_doubt:
            return  # nobody acts on what may not be there
        rows = gate.card.rows(
            "SELECT sequence, chain, blob FROM journal WHERE sequence > ? ORDER BY sequence",
            watched.head,
        )
        for place, chain, blob in rows:
            name, base = gate.journal_at(place)
            seen = Seen(name, Row(place - base, chain, blob), journal.decode(blob))
            invariants.i2_gap_free(gate, watched, seen)
            invariants.i3_clock_rises(gate, watched, seen.record)
            watched.rows.append(seen)
            self.scheduler.note("wrote", gate.place, Kind(seen.record.kind).name, chain.hex()[:8])
        if gate.is_up:
            invariants.i16_bounded(gate, watched)

    def learnt(self, gate: SimulatedGate, fact: Fact) -> None:
        """A gate has learnt of another's fact."""
        self.scheduler.note("learnt", gate.place, fact.gate, fact.sequence)

    def heard_time(self, gate: SimulatedGate, *, is_kept: bool) -> None:
        """A gate has heard a signed time; it may or may not believe it, or have kept it."""
        watched = self.watched[gate.place]
        watched.heard_time = True
        watched.greatest_ms = max(watched.greatest_ms, gate.clock._state.greatest_ms)
        if is_kept:
            watched.kept_ms = watched.greatest_ms
        invariants.i11_time_never_goes_back(gate, watched)

    def installed(self, gate: SimulatedGate, name: str, version: int) -> None:
        """A gate has a newer list."""
        self.scheduler.note("list", gate.place, name, version)
        invariants.i11_lists_never_go_back(gate, self.watched[gate.place])
        invariants.i12_lists_are_authentic(self, gate, name)

    def handed_out(self, gate: SimulatedGate, name: str, signed: SignedList) -> SignedList:
        """Give the list that a gate is handed: the newest, but for what is done on the way."""
        match gate.false_lists:
            case "old":
                return self.server.lists.all[name][0]
            case "bad":
                return _with_a_bit_turned(signed, self._chance.randrange(1 << 30))
            case _:
                return signed

    def _took(self, gate: str, batch: Batch, ack: Ack | None) -> None:
        last = batch.first + len(batch.blobs) - 1
        invariants.i6_no_overwrite(self, batch.journal, batch.first, last)
        if ack is not None:
            invariants.i4_acknowledged_is_held(self, ack.journal, ack.head, ack.chain)

    def _fed(self, streams: Sequence[str]) -> None:
        heads = dict(self.server.database.rows("SELECT stream, last_number FROM feed_counters"))
        for gate in self.gates:
            connection = gate.connection
            if connection is None or connection.is_silent:
                continue
            if self.scheduler.now_ms - connection.begun_ms < invariants.LAG_MS:
                continue
            for stream in streams:
                self.scheduler.at(
                    invariants.LAG_MS, self._keeps_up, gate, connection, stream, heads[stream]
                )

    def _keeps_up(self, gate: SimulatedGate, connection: object, stream: str, number: int) -> None:
        invariants.i13_connected_gates_keep_up(gate, connection, stream, number, gate.is_fetching)

    # --- what is so --------------------------------------------------------------------------

    def held_records(self) -> dict[tuple[str, int], set[bytes]]:
        """Give the digests of everything that the server holds, side lines included."""
        held: dict[tuple[str, int], set[bytes]] = {}
        for table in ("journal_records", "journal_forks"):
            for name, sequence, blob in self.server.database.rows(
                f"SELECT journal_id, sequence, blob FROM {table}"
            ):
                held.setdefault((name, sequence), set()).add(invariants.digest(blob))
        return held

    def server_facts(self) -> dict[str, dict[tuple[str, int, int], Fact]]:
        """Give every fact that the server tells, by stream and identity, as it was told last."""
        found: dict[str, dict[tuple[str, int, int], Fact]] = {}
        for (stream,) in self.server.database.rows("SELECT stream FROM feed_counters"):
            facts = found.setdefault(stream, {})
            after = 0
            while (page := finish(self.server.reconciling.feed(stream, after))).items:
                after = page.items[-1].number
                for item in page.items:
                    facts[item.gate, item.sequence, item.variant] = fact_of_item(item)
        return found

    def listed(
        self,
    ) -> tuple[dict[str, Performance], list[str], dict[tuple[str, bytes], ListedTicket]]:
        """Give what the report is made of besides facts."""

        async def read() -> Any:
            async with self.server.database.read() as transaction:
                performances = await transaction.performances.performances_by_id(SHOWS)
                tickets = {}
                for name in SHOWS:
                    identifiers = [
                        identifier_of(name, number) for number in self.server.lists.states[name]
                    ]
                    known = await transaction.tickets.known(name, identifiers)
                    tickets |= {(name, identifier): one for identifier, one in known.items()}
                return {name: one.judged() for name, one in performances.items()}, tickets

        performances, tickets = finish(read())
        return performances, list(CHECKPOINTS), tickets

    def states_of(self, name: str, version: int) -> dict[str, TicketState]:
        """Give the states of some tickets in a version, as they were signed."""
        return self.server.lists.signed_states[name, version]


def _with_a_bit_turned(signed: SignedList, at: int) -> SignedList:
    """Give a list of which one bit of one file is another."""
    pieces = [signed.envelope, signed.snapshot, *signed.segments]
    place = at % len(pieces)
    raw = bytearray(pieces[place])
    raw[(at >> 3) % len(raw)] ^= 1 << (at % 8)
    pieces[place] = bytes(raw)
    return SignedList(
        signed.manifest, pieces[0], pieces[1], signed.list_key, tuple(pieces[2:]), signed.sealed
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the daemon's log lines to themselves: a run has a trace of its own."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def play(plan: Plan, *, keep_trace: bool = False) -> Outcome:
    """Play a plan once."""
    return World(plan, keep_trace=keep_trace).run()
