"""One gate: the appliance's own flow, lane, pen, clock and stores, on a machine that fails.

What `appliance.main` puts together is put together here over the simulated machine. In the place of
the tasks that wait on asyncio stand events of the heap; what they call is the appliance's own.
"""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from admission.journal import Kind
from admission.passage import Fact, History
from admission.scan import Direction
from admission.sync.assignment import Assignment, CheckpointRow
from appliance.card_keeper import CardKeeper, CardLimits
from appliance.claiming import Claiming
from appliance.clock_watch import ClockWatch
from appliance.errors import StorageError
from appliance.fault_codes import FULL_FAULT
from appliance.gate import Gate
from appliance.health import Health
from appliance.hinting import ExpressQueue, Hinting
from appliance.holdings import GateHoldings
from appliance.lane_keeper import LaneKeeper
from appliance.peer_facts import PeerFacts
from appliance.ports import LaneEvent, Payload
from appliance.recording import Recorder
from appliance.starting import close_open_grants, note_start, remember
from appliance.storage.journal_store import SqliteJournal
from appliance.succession import Succession
from appliance.trusted_clock import TrustedClock
from appliance.uplink import Uplink
from simulation.lan import LanLane
from simulation.linking import Linked
from simulation.machine import (
    Arm,
    Card,
    CardDatabase,
    KeptCard,
    MachineClock,
    Power,
    memory_on,
)
from simulation.network import LiveConnection, Road
from simulation.office import checkpoint_of, gate_name
from simulation.plan import CHECKPOINTS, Plan
from simulation.scheduler import Bell, Cut, Scheduler, Task, finish
from simulation.server import Server

BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)
BOOT_AGAIN_MS: Final = 5_000  # systemd starts a daemon again that could not use its disk
WATCH_MS: Final = 60_000


class KnownHistory(History):
    """The gate's history, which also says when it is told what."""

    def __init__(self) -> None:
        super().__init__()
        self.learnt: Callable[[Fact, int], None] = lambda _fact, _variant: None
        self.is_own: Callable[[str], bool] = lambda _name: True

    def add(self, fact: Fact) -> bool:
        is_new = super().add(fact)
        if is_new and not self.is_own(fact.gate):  # its own it has written down itself
            self.learnt(fact, 0)
        return is_new

    def correct(self, fact: Fact, variant: int = 0) -> bool:
        is_new = super().correct(fact, variant)
        if is_new:
            self.learnt(fact, variant)
        return is_new


class _Keeper:
    """The list keeper, as far as health and uplink ask it."""

    root_version = 1
    is_trust_refused = False
    damaged: tuple[str, ...] = ()
    keys_kept: dict[str, str] = {}  # noqa: RUF012
    status = None

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.checkpoint = assignment.checkpoint


class _Silent:
    """An announcer, commands and an identity that say nothing."""

    is_locked = False
    pins: tuple[bytes, ...] = ()

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_named: None


class SimulatedGate(Linked):
    """A gate and its machine.

    Attributes:
        place: its number among the gates.
        is_up: whether the daemon runs.
        is_replaced: its card was put back to an older image, or copied.
        false_lists: what the next lists that it is handed are: "", `old` or `bad`.
        presenting: which visit is before the reader.
        log: what it learnt and when, by the head of its journal: see `replaying`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        plan: Plan,
        place: int,
        server: Server,
        road: Road,
        watching: Any,
        *,
        card: bytes | None = None,
        works_as: int | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.place = place
        self.works_as = place if works_as is None else works_as
        self.name = gate_name(self.works_as)
        self.server = server
        self.road = road
        self.watching = watching
        self.chance = scheduler.chance(f"gate {place}")
        self.power = Power()
        self.card = Card(self.power, scheduler.chance(f"card {place}"), card)
        self.machine = MachineClock(scheduler, scheduler.chance(f"clock {place}"))
        has_sensor = self.works_as not in plan.without_sensor
        self.arm = Arm(scheduler, self.power, has_sensor, self._pulsed)
        self.assignment = _assignment(self.works_as)
        self.is_up = False
        self.is_replaced = False
        self.false_lists = ""
        self.presenting = -1
        self.refused_lists = 0
        self.journals_begun = 0
        self.failures = 0
        self.is_fetching = False
        self.epoch = 0
        self.connection: LiveConnection | None = None
        self.log: list[tuple[str, int, Any]] = []
        self.image: bytes | None = None
        self._tasks: list[Task] = []
        self._services: list[Task] = []
        self._machine_is_off = False

    # --- starting and stopping ---------------------------------------------------------------

    def boot(self) -> None:
        """Start the daemon, and the machine if it was off."""
        if self.is_up:
            return
        self.epoch += 1
        if self._machine_is_off:
            self.machine.start()
            self._machine_is_off = False
        self.is_up = True
        try:
            finish(self._start())
        except Cut:
            self.cut_off(self.chance.randint(500, 20_000), power=True)
        except StorageError as exc:
            self.scheduler.note(self.name, "cannot start", exc)
            self.is_up = False
            self.scheduler.at(BOOT_AGAIN_MS, self.boot)
        else:
            self.scheduler.note("boot", self.place, self.journal.id, self.journal.head)
            self.watching.booted(self)
            self._later(self.chance.randint(0, 1_000), self._contact)
            for service in (self._keep_card(), self.health.fault_log.run()):
                self._serve(service)
            self._later(WATCH_MS, self._watch_clock)

    async def _start(self) -> None:
        fresh = self._new_journal()
        self.database = CardDatabase(self.card)
        await self.database.open()
        self.journal = await SqliteJournal.open(self.database, fresh)
        self.memory = memory_on(self.database)
        boot_id = self.machine.boot_id
        self.clock = await TrustedClock.open(
            self.machine, boot_id, BUILT, self.journal, self.memory
        )
        self.recorder = Recorder(self.journal, self.clock, boot_id)
        self.recorder.grew = Bell(self.scheduler)  # type: ignore[assignment]
        self.history = KnownHistory()
        self.holdings = GateHoldings()
        self.keeper: Any = _Keeper(self.assignment)
        silent: Any = _Silent()
        await note_start(self.recorder, self.name, "simulated")
        await close_open_grants(self.recorder, await self.journal.open_grants())
        self.log.append(("boot", self._head(), self.journal.id))
        self.history.learnt, self.history.is_own = self._learnt, self.journal.is_own
        facts = await self.journal.all_facts()
        await remember(self.history, self.journal, self.memory, facts)
        for stored in await self.memory.lists():
            self._hold(self.card.lists[stored.performance, stored.version])
        self.health = Health(
            keeper=self.keeper,
            holdings=self.holdings,
            history=self.history,
            recorder=self.recorder,
            announcer=silent,
            clock=self.clock,
            direction=Direction.ENTRY,
        )
        self.health.stirred = Bell(self.scheduler)  # type: ignore[assignment]
        self.health.fault_log._stirred = Bell(self.scheduler)  # type: ignore[assignment]
        self.hinting = Hinting(self.name, self.recorder, self.history, self.holdings, self.clock)
        self.peer_facts = PeerFacts(
            self.history,
            self.hinting.hear,
            self.hinting.board.confirm,
            lambda: self.assignment.performances,
        )
        for name, (writer, pieces) in self.card.carried.items():
            self.peer_facts.learn(name, writer, [blob for _, blob in pieces])
        if self.watching.lan is not None:
            self.hinting.lanes.append(LanLane(self.watching.lan, self))
        express = ExpressQueue()
        express._due = Bell(self.scheduler)  # type: ignore[assignment]
        self.hinting.lanes.append(express)
        claiming = Claiming(express, self.clock)
        self.lane = LaneKeeper(
            turnstile=self.arm,  # type: ignore[arg-type]
            recorder=self.recorder,
            history=self.history,
            health=self.health,
            announcer=silent,
            hinting=self.hinting,
            clock=self.clock,
            passage_timeout_s=5.0,
        )
        self.succession = Succession(
            gate=self.name,
            recorder=self.recorder,
            new_id=self._new_journal,
            stir=lambda: self._later(1, self.turn),
        )
        self.gate = Gate(
            holdings=self.holdings,
            history=self.history,
            recorder=self.recorder,
            lane=self.lane,
            health=self.health,
            announcer=silent,
            commanding=silent,
            hinting=self.hinting,
            claiming=claiming,
            clock=self.clock,
            new_id=lambda: "scan",
            at_rest=self.succession.settle,
        )
        self.uplink = Uplink(
            link=self,  # type: ignore[arg-type]
            keeper=self.keeper,
            identity=silent,
            commanding=silent,
            hinting=self.hinting,
            claiming=claiming,
            memory=self.memory,
            recorder=self.recorder,
            history=self.history,
            holdings=self.holdings,
            clock=self.clock,
            boot_id=boot_id,
            jitter=self.chance.random,
            changed=self.health.changed,
            software="simulated",
            gate=self.name,
            forked=self.succession.ask,
        )
        self.uplink._offered = Bell(self.scheduler)  # type: ignore[assignment]
        self.health.situation = self.uplink.situation
        self.health.others = self.uplink.faults
        self.uplink.device_faults = lambda: self.health.faults
        self.health.changed()
        self.database.on_trouble = self.health.broken
        self.card_keeper = CardKeeper(
            card=KeptCard(self.database, self.journal),
            times=self.recorder.times,
            health=self.health,
            announcer=silent,
            clock=self.clock,
            limits=CardLimits(),
            mended=self.lane.retry,
        )
        await self.card_keeper.self_test()

    def _new_journal(self) -> str:
        self.journals_begun += 1
        return f"journal-{self.place}-{self.journals_begun}"

    def _serve(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run one of the daemon's services, for as long as it lives."""
        if not self.is_up:
            coroutine.close()
            return
        task = Task(coroutine, self._service_ended)
        self._services.append(task)
        task.begin()

    def _service_ended(self, _task: Task, error: BaseException | None) -> None:
        if isinstance(error, Cut):
            self.cut_off(self.chance.randint(500, 20_000), power=self.chance.random() < 0.5)
        elif error is not None:
            raise error

    async def _keep_card(self) -> None:
        """Do what the card keeper's task does."""
        keeper = self.card_keeper
        while True:
            if self.database.fault or keeper._failing():
                await keeper._mend()
                if keeper.damaged.is_set():
                    raise AssertionError("a journal that was never altered is called damaged")
                self._later(0, self.turn)
            await keeper._look_at_room()
            if FULL_FAULT in self.health.faults:
                await self.clock.sleep(CardLimits().look_s)
            else:
                await self.health.stirred.wait()
                self.health.stirred.clear()

    def cut_off(self, for_ms: int, *, power: bool) -> None:
        """Kill the daemon, or take the machine's power; it comes back by itself."""
        if not self.is_up:
            return
        self.scheduler.note("power cut" if power else "killed", self.place)
        self.is_up = False
        self.epoch += 1
        self.power.steps_left = None
        if hasattr(self, "uplink"):
            self._end_contact()
        services, self._services = self._services, []
        for task in services:
            task.cancel()
        if power:
            self._machine_is_off = True
            self.card.lose_power()
            self.arm.rest()
        self.scheduler.at(for_ms, self.boot)

    def _later(self, after_ms: int, call: Callable[[], None]) -> None:
        """Have something done unless the daemon was started anew until then."""
        self.scheduler.at(after_ms, self._if_still, self.epoch, call)

    def _if_still(self, epoch: int, call: Callable[[], None]) -> None:
        if epoch == self.epoch and self.is_up:
            call()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run something of the daemon to its end, or until the machine is cut off."""
        try:
            finish(coroutine)
        except Cut:
            is_power = self.chance.random() < 0.5
            self.cut_off(self.chance.randint(500, 20_000), power=is_power)

    def _head(self) -> int:
        """Give how many records its card holds, former journals' included."""
        return self.journal.current.base + self.journal.head

    def journal_at(self, place: int) -> tuple[str, int]:
        """Give the journal of a record of the card, and the place before its first."""
        journals = (*self.journal.former, self.journal.current)
        return max((one.base, one.id) for one in journals if one.base < place)[::-1]

    # --- the lane ----------------------------------------------------------------------------

    def present(self, data: bytes, direction: Direction, visit: int) -> None:
        """Hold a code before the reader."""
        if not self.is_up:
            return
        payload = Payload("reader", direction, data, str(visit), self.machine.monotonic_ns())
        if self.lane.is_busy and self.gate._is_going_through(payload):
            return
        self.gate._waiting.append(payload)
        self.turn()

    def override(self, show: str, identifier: bytes, direction: Direction, visit: int) -> None:
        """Let somebody through by a steward's word."""
        if not self.is_up or self.lane.is_busy or show not in self.assignment.performances:
            return

        async def obey() -> None:
            ticket = (
                self.holdings.find(show, identifier) if show in self.holdings.versions else None
            )
            draft = self.recorder.override(
                checkpoint=self.assignment.checkpoint.id,
                direction=direction,
                performance=show,
                identifier=identifier,
                ticket_class=None if ticket is None else ticket.ticket_class,
                list_version=self.holdings.version(show),
                detail={"why": "simulated"},
            )
            self.presenting = visit
            try:
                await self.lane.release(draft)
            except StorageError:
                return

        self.run(obey())
        self.turn()

    def free_crossing(self) -> None:
        """Have somebody cross while the lane stands free in an emergency."""

        async def write() -> None:
            checkpoint = self.assignment.checkpoint.id
            draft = self.recorder.event(Kind.FREE, checkpoint=checkpoint)
            try:
                (record,) = await self.recorder.write(msgspec.structs.replace(draft, direction=1))
            except StorageError:
                return
            self.lane.records.remember(record)

        if self.is_up:
            self.run(write())
            self.watching.wrote(self)

    def sensed(self) -> None:
        """Have the sensor say that the arm has turned."""
        if self.is_up:
            self.lane._sensed.append(LaneEvent.PASSED)
            self.turn()

    def turn(self) -> None:
        """Do what the gate's loop does when something has stirred."""
        if not self.is_up:
            return
        self.run(self._turn())
        if self.is_up:
            self.watching.wrote(self)

    async def _turn(self) -> None:
        await self.lane.settle()
        if self.lane.is_settled:
            await self.gate._at_rest()
        while self.gate._waiting and not self.lane.is_busy:
            self.presenting = int(self.gate._waiting[0].symbology)
            await self.gate._next()
        self._wake_when_due()

    def _wake_when_due(self) -> None:
        due_ns = self.lane.next_due_ns
        if due_ns is not None:
            left_ns = due_ns - self.machine.monotonic_ns()
            self._later(max(1, -(-left_ns // 1_000_000)), self.turn)

    def _pulsed(self, direction: Direction) -> None:
        self.watching.pulsed(self, direction)

    def _learnt(self, fact: Fact, variant: int) -> None:
        self.log.append(("fact", self._head(), (fact, variant)))
        self.watching.learnt(self, fact)

    def _watch_clock(self) -> None:
        watch = ClockWatch(self.clock, self.recorder, self.health.changed)
        self.clock.look()
        self.run(watch.write_steps())
        if self.is_up:
            self.watching.wrote(self)
            self._later(WATCH_MS, self._watch_clock)


def _assignment(place: int) -> Assignment:
    checkpoint = checkpoint_of(place)
    row = CheckpointRow(id=checkpoint, name=checkpoint, performances=CHECKPOINTS[checkpoint])
    return Assignment(gate=gate_name(place), gate_name="", version=1, checkpoint=row)
