"""One gate: the appliance's own flow, lane, pen, clock and stores, on a machine that fails.

What `appliance.main` puts together is put together here over the simulated machine. In the place of
the tasks that wait on asyncio stand events of the heap; what they call is the appliance's own.
"""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from admission import journal
from admission.errors import AdmissionError, ListError
from admission.journal import Kind
from admission.lane import Passed
from admission.passage import Fact, History
from admission.scan import Direction
from admission.sync import codec
from admission.sync.assignment import Assignment, CheckpointRow
from admission.sync.messages import Ack, Batch, Feed, Subscribe
from admission.ticketlist.acceptance import Installed, accept_manifest, check_snapshot
from admission.trust.root import Role
from appliance.claiming import Claiming
from appliance.clock_watch import ClockWatch
from appliance.errors import LinkError, StorageError
from appliance.gate import Gate
from appliance.health import Health
from appliance.hinting import ExpressQueue, Hinting
from appliance.holdings import GateHoldings, open_list
from appliance.lane_keeper import LaneKeeper
from appliance.ports import Payload, StoredList
from appliance.recording import Recorder
from appliance.simulator.box_office import SignedList
from appliance.starting import close_open_grants, note_start, remember
from appliance.storage.journal_store import SqliteJournal
from appliance.succession import Succession
from appliance.trusted_clock import TrustedClock
from appliance.uplink import Uplink, retry_s
from simulation.machine import Arm, Card, MachineClock, Power, memory_on
from simulation.network import LiveConnection, Road
from simulation.office import box_office, checkpoint_of, gate_name
from simulation.plan import CHECKPOINTS, Plan
from simulation.scheduler import Cut, Scheduler, Task, finish, wait_for
from simulation.server import Server

BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)
BOOT_AGAIN_MS: Final = 5_000  # systemd starts a daemon again that could not use its disk
WATCH_MS: Final = 60_000
REFRESH_MS: Final = 300_000
_FAILURES: Final = (LinkError, StorageError, AdmissionError)


class Bell:
    """An event that whoever waits for it is woken by, on the heap."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False
        self._waiting: list[tuple[Task, int]] = []

    def set(self) -> None:
        """Ring."""
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for task, ticket in waiting:
            self._scheduler.at(0, task.resume, ticket)

    def clear(self) -> None:
        """Be silent again."""
        self._is_set = False

    def is_set(self) -> bool:
        """Tell whether it has rung."""
        return self._is_set

    async def wait(self) -> None:
        """Wait until it rings."""
        if not self._is_set:
            await wait_for(lambda task: self._waiting.append((task, task.ticket)))


class KnownHistory(History):
    """The gate's history, which also says when it is told what."""

    def __init__(self) -> None:
        super().__init__()
        self.learnt: Callable[[Fact, int], None] = lambda _fact, _variant: None

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


class _Silent:
    """An announcer, commands and an identity that say nothing."""

    is_locked = False
    pins: tuple[bytes, ...] = ()

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_named: None


class SimulatedGate:
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
            self._later(WATCH_MS, self._watch_clock)

    async def _start(self) -> None:
        fresh = self._new_journal()
        self.journal = await SqliteJournal.open(self.card, fresh)  # type: ignore[arg-type]
        self.memory = memory_on(self.card)
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
        self.history.learnt = self._learnt
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
        self.hinting = Hinting(self.name, self.recorder, self.history, self.holdings, self.clock)
        claiming = Claiming(ExpressQueue(), self.clock)
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
        self.health.changed()

    def _new_journal(self) -> str:
        self.journals_begun += 1
        return f"journal-{self.place}-{self.journals_begun}"

    def cut_off(self, for_ms: int, *, power: bool) -> None:
        """Kill the daemon, or take the machine's power; it comes back by itself."""
        if not self.is_up:
            return
        self.scheduler.note("power cut" if power else "killed", self.place)
        self.is_up = False
        self.epoch += 1
        self.power.steps_left = None
        self._end_contact()
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
            self.lane._remember(record)

        if self.is_up:
            self.run(write())
            self.watching.wrote(self)

    def sensed(self) -> None:
        """Have the sensor say that the arm has turned."""
        if self.is_up:
            self.lane._sensed.append(Passed())
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
        times = [due for due, _ in self.lane._deadlines]
        times += [self.lane._retry_ns] if self.lane._owed else []
        if times:
            left_ns = min(times) - self.machine.monotonic_ns()
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

    # --- the link ----------------------------------------------------------------------------

    def _contact(self) -> None:
        self._spawn(self._round())

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = Task(coroutine, self._task_ended)
        self._tasks.append(task)
        task.begin()

    def _task_ended(self, task: Task, error: BaseException | None) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
        if error is None:
            return
        if isinstance(error, Cut):
            self.cut_off(self.chance.randint(500, 20_000), power=self.chance.random() < 0.5)
            return
        if not isinstance(error, _FAILURES):
            raise error
        self.scheduler.note("link lost", self.place, type(error).__name__)
        self.failures = 1 if self.uplink.live else self.failures + 1
        self._end_contact()
        self.uplink._set_live(False)
        self._later(int(1000 * retry_s(self.failures, self.chance.random())), self._contact)

    def _end_contact(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if self.connection is not None:
            connection, self.connection = self.connection, None
            connection.close()

    async def _round(self) -> None:
        uplink = self.uplink
        uplink._handing.begin_contact()
        await uplink._feeds.start_anew()
        await self._refresh()
        uplink._changed()
        uplink._follow()
        await uplink._upload_once()
        opened = self.server.connect(self.road, self.assignment.performances)
        connection = await wait_for(self.road.request(opened))
        self.connection = connection
        await connection.send(Subscribe(uplink._feeds.cursors, uplink._feeds.numbering))
        self._spawn(uplink._receive(connection))
        self._spawn(uplink._upload())
        self._spawn(self._keep_lists())
        self._later(REFRESH_MS, uplink._offered.set)

    async def _keep_lists(self) -> None:
        while True:
            await self.uplink._offered.wait()
            self.uplink._offered.clear()
            await self._refresh()
            self.uplink._changed()
            self._later(REFRESH_MS, self.uplink._offered.set)

    async def upload(self, batch: Batch) -> Ack:
        """Send a batch; see `link_ports.ServerLink.upload`."""
        raw = codec.encode(batch)
        return await wait_for(self.road.request(self.server.upload(self.name, raw)))

    async def feed(self, stream: str, after: int) -> Feed:
        """Ask for a page; see `link_ports.ServerLink.feed`."""
        self.is_fetching = True
        try:
            return await wait_for(self.road.request(self.server.feed(stream, after)))
        finally:
            self.is_fetching = False

    async def _refresh(self) -> None:
        asked_ms = self.machine.boot_ms()
        server_ms, lists = await wait_for(self.road.request(self.server.news()))
        signed_at = journal.instant(server_ms)
        await self.clock.note_signed_time(signed_at, asked_ms, self.machine.boot_ms())
        self.watching.heard_time(self, server_ms)
        for name in self.assignment.performances:
            await self._take_list(name, self.watching.handed_out(self, name, lists[name]))

    async def _take_list(self, name: str, signed: SignedList) -> None:
        stored = {one.performance: one for one in await self.memory.lists()}.get(name)
        installed = None if stored is None else Installed(stored.version, stored.chain)
        if stored is not None and stored.manifest == signed.envelope and not self.false_lists:
            return
        try:
            manifest = accept_manifest(
                signed.envelope,
                performance=name,
                trusted=box_office().signers(Role.LIST),
                installed=installed,
                now=self.clock.now(),
            )
            check_snapshot(manifest, signed.snapshot)
            held = open_list(manifest, signed.snapshot, signed.list_key, signed.segments)
        except ListError as exc:
            self.refused_lists += 1
            self.scheduler.note("list refused", self.place, type(exc).__name__)
            detail = {"why": type(exc).__name__}
            await self.recorder.note(Kind.LIST_REFUSED, performance=name, detail=detail)
            return
        self.card.lists[name, manifest.version] = signed
        await self.memory.install(
            StoredList(name, manifest.version, manifest.chain, signed.envelope), {}
        )
        if installed is None or manifest.version != installed.version:
            self.log.append(("list", self._head(), held))
            self.holdings.install(held)
            self.watching.installed(self, name, manifest.version)
            await self.recorder.note(
                Kind.LIST_ACTIVATED, performance=name, list_version=manifest.version
            )

    def _hold(self, signed: SignedList) -> None:
        held = open_list(signed.manifest, signed.snapshot, signed.list_key, signed.segments)
        self.log.append(("list", self._head(), held))
        self.holdings.install(held)


def _assignment(place: int) -> Assignment:
    checkpoint = checkpoint_of(place)
    row = CheckpointRow(id=checkpoint, name=checkpoint, performances=CHECKPOINTS[checkpoint])
    return Assignment(gate=gate_name(place), gate_name="", version=1, checkpoint=row)
