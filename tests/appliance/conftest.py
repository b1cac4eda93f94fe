"""A gate as `main` puts it together, over a real journal and all else imagined; a signed link."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from admission import journal
from admission.journal import Kind, Record
from admission.operating_mode import Situation
from admission.passage import History
from admission.scan import Direction
from admission.trust.root import Role, root_digest
from admission.trust.sealing import agreement_public_key
from appliance.announcer import Announcer
from appliance.card_keeper import CardKeeper, CardLimits
from appliance.claiming import Claiming
from appliance.commanding import Commanding
from appliance.errors import DisplayLostError
from appliance.gate import Gate
from appliance.health import Health
from appliance.hinting import ExpressQueue, Hinting
from appliance.holdings import GateHoldings
from appliance.identity_keeper import IdentityKeeper
from appliance.key_cabinet import KeyCabinet
from appliance.lane_keeper import LaneKeeper
from appliance.lists import ListKeeper
from appliance.ports import Look, Screen
from appliance.recording import Recorder
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.imagined_link import ImaginedLink
from appliance.simulator.imagined_secret import ImaginedSecret
from appliance.simulator.imagined_server import ImaginedServer
from appliance.simulator.scripted_reader import ScriptedReader
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.simulator.virtual_turnstile import Person, VirtualTurnstile
from appliance.starting import close_open_grants, note_start, remember
from appliance.stewarding import Stewarding
from appliance.storage.command_store import SqliteCommands
from appliance.storage.database import Database, open_database
from appliance.storage.identity_file import Identity
from appliance.storage.identity_vault import FileVault
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.storage.trust_store import SqliteTrust
from appliance.succession import Succession
from appliance.transport.client import HttpLink, open_link
from appliance.trusted_clock import TrustedClock
from gate_trust import DeafClock, trust_in
from imagined_card import ImaginedCard, WatchedCard
from signed_server import GATE, KEY, SIGNER, Server

BOOT = bytes(range(16))
AGREEMENT_KEY = b"a" * 32
SHOW = "show"
EVENING = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
BUILT = datetime(2026, 1, 1, tzinfo=UTC)
NO_LOOKS = CardLimits(look_s=1e6)  # a look each ten seconds makes a long night long
HOPS = 8  # more than the journal takes for any one thing that happens


class ShownScreens:
    """A display that remembers what it showed, and can be unplugged."""

    def __init__(self) -> None:
        self.screens: list[Screen] = []
        self.is_lost = False

    async def show(self, screen: Screen) -> None:
        if self.is_lost:
            raise DisplayLostError("the cable is out")
        self.screens.append(screen)

    @property
    def last(self) -> Screen:
        return self.screens[-1]

    @property
    def looks(self) -> list[Look]:
        return [screen.look for screen in self.screens]


class Disk:
    """What the gate's database lies on: it fills up, empties and fails as it is told."""

    def __init__(self, database: Database, card: ImaginedCard, watched: WatchedCard) -> None:
        self.database = database
        self.card = card
        self.watched = watched

    def fill(self) -> None:
        """Let nothing more be written."""
        self.card.fail(sqlite3.SQLITE_FULL)

    def make_room(self) -> None:
        self.card.work()

    async def blobs(self, after: int) -> list[bytes]:
        """Give what the journal's file holds after a sequence, also while the gate may not read."""
        sql = "SELECT blob FROM journal WHERE sequence > ? ORDER BY sequence"
        if self.database._connection is not None:
            rows = await self.database._connection.execute_fetchall(sql, (after,))
        else:
            with closing(sqlite3.connect(self.database.path)) as reading:
                rows = reading.execute(sql, (after,)).fetchall()
        return [row[0] for row in rows]

    async def flush(self) -> None:
        """Wait until everything that was asked of the database's thread is done."""
        await self.watched.idle.wait()
        if self.database._connection is not None:
            await self.database._connection.execute_fetchall("SELECT 1")


class Bench:
    """A running gate, and everything a test may want to look at or to move."""

    clock: VirtualClock
    time: TrustedClock
    disk: Disk
    journal: SqliteJournal
    memory: SqliteMemory
    recorder: Recorder
    history: History
    holdings: GateHoldings
    server: ImaginedServer
    link: ImaginedLink
    keeper: ListKeeper
    announcer: Announcer
    display: ShownScreens
    health: Health
    turnstile: VirtualTurnstile
    lane: LaneKeeper
    hinting: Hinting
    claiming: Claiming
    card: CardKeeper
    commanding: Commanding
    succession: Succession
    stewarding: Stewarding
    gate: Gate
    entry: ScriptedReader
    exit: ScriptedReader
    begun: int  # sequence of the last record before the gate served anybody

    async def settle(self) -> None:
        """Let everything happen that can happen without time going on."""
        for _ in range(HOPS):
            await settle()
            await self.disk.flush()
        await settle()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what happens in a thread, which no clock of ours moves."""
        for _ in range(1_000):
            await self.settle()
            if condition():
                return
            await asyncio.sleep(0.001)
        raise AssertionError("it did not happen")

    async def later(self, seconds: float) -> None:
        """Let time go on, from deadline to deadline."""
        await self.settle()
        target_ns = self.clock.monotonic_ns() + round(seconds * 1e9)
        while (due_ns := self.clock.next_due_ns) is not None and due_ns <= target_ns:
            self.clock.advance(max(0, due_ns - self.clock.monotonic_ns()) / 1e9)
            await self.settle()
        self.clock.advance((target_ns - self.clock.monotonic_ns()) / 1e9)
        await self.settle()

    async def scan(self, number: str | bytes, direction: Direction = Direction.ENTRY) -> Screen:
        """Hold a code before a reader; give what is shown then."""
        reader = self.entry if direction is Direction.ENTRY else self.exit
        reader.present(number.encode() if isinstance(number, str) else number)
        await self.settle()
        return self.display.last

    async def records(self) -> list[Record]:
        """Give what was written since the gate serves."""
        return [journal.decode(blob) for blob in await self.disk.blobs(self.begun)]

    async def kinds(self) -> list[str]:
        """Give the kinds of what was written since the gate serves, faults left out."""
        records = await self.records()
        return [Kind(record.kind).name for record in records if "state" not in record.detail]

    async def faults_written(self) -> list[tuple[str, str]]:
        """Give what was written of faults: code and state."""
        faults = [one.detail for one in await self.records() if "state" in one.detail]
        return [(detail["code"], detail["state"]) for detail in faults]

    @property
    def inside(self) -> int:
        return self.history.occupancy("checkpoint")


def make_vault(path: Path, office: BoxOffice) -> FileVault:
    """Give a gate's keys, certified for its whole life."""
    own, agreement = SIGNER.public_key, agreement_public_key(AGREEMENT_KEY)
    identity = Identity(
        gate=GATE,
        gate_name="Porte A",
        server="https://tickets.example.org",
        private_key=KEY,
        agreement_key=AGREEMENT_KEY,
        root=office.roots[0],
        root_digest=root_digest(office.roots[0]),
        certificate=office.certify(GATE, own, agreement),
    )
    return FileVault(path, identity)


@asynccontextmanager
async def open_bench(
    folder: Path,
    tickets: Iterable[Any] = ("T1", "T2", "T3"),
    *,
    people: Iterable[Person] = (),
    has_sensor: bool = True,
    turnstile: Callable[[Bench], VirtualTurnstile] | None = None,
    lists: Sequence[Any] = (),
    assignment: dict[str, Any] | None = None,
    now: datetime = EVENING,
    clock: VirtualClock | None = None,
    boot: bytes = BOOT,
    passage_timeout_s: float = 6.0,
    is_offline: bool = False,
    hears_time: bool = True,
    card_limits: CardLimits = NO_LOOKS,
    reserve_bytes: int = 0,
    ways: frozenset[Direction] = frozenset(Direction),
    **of_the_list: Any,
) -> AsyncIterator[Bench]:
    """Run a gate until the context ends, as abruptly as a power cut."""
    bench, office = Bench(), BoxOffice()
    async with AsyncExitStack() as stack:
        bench.clock = clock = clock or VirtualClock(now)
        card = ImaginedCard()
        opening = open_database(folder / "journal.sqlite", card.connect)
        database = await stack.enter_async_context(opening)
        bench.journal = await SqliteJournal.open(database, "journal-a")
        bench.disk = Disk(database, card, WatchedCard(database, bench.journal, reserve_bytes))
        bench.memory = SqliteMemory(database, folder / "lists")
        bench.time = await TrustedClock.open(clock, boot, BUILT, bench.journal, bench.memory)
        bench.recorder = Recorder(bench.journal, bench.time, boot)
        bench.history, bench.holdings = History(), GateHoldings()
        bench.display = ShownScreens()
        bench.announcer = Announcer([bench.display], [], bench.clock)
        await note_start(bench.recorder, GATE, "test")
        await close_open_grants(bench.recorder, await bench.journal.open_grants())
        facts = await bench.journal.all_facts()
        await remember(bench.history, bench.journal, bench.memory, facts)

        bench.server = ImaginedServer(bench.clock, office)
        bench.server.device_keys[GATE] = SIGNER.public_key
        for signed in lists or [office.draw_up(SHOW, tickets, **of_the_list)]:
            bench.server.publish(signed)
        assigned = {"performances": [SHOW]} | (assignment or {})
        bench.server.assign(GATE, assigned.get("version", 1), office.assign(GATE, **assigned))
        bench.link = ImaginedLink(bench.server, GATE, AGREEMENT_KEY)
        told = bench.time if hears_time else DeafClock(bench.time)
        bench.keeper = ListKeeper(
            gate=GATE,
            trust=trust_in(office, told, SqliteTrust(database)),
            cabinet=KeyCabinet(
                shelf=bench.memory.keys,
                secrets=[ImaginedSecret(b"c" * 32)],
                agreement_key=lambda: AGREEMENT_KEY,
                random=os.urandom,
            ),
            memory=bench.memory,
            holdings=bench.holdings,
            recorder=bench.recorder,
            now=bench.time.now,
        )
        await bench.keeper.load()
        if not is_offline:
            await bench.keeper.refresh(bench.link)
        bench.health = Health(
            keeper=bench.keeper,
            holdings=bench.holdings,
            history=bench.history,
            recorder=bench.recorder,
            announcer=bench.announcer,
            clock=bench.time,
            direction=Direction.ENTRY,
        )
        bench.vault = make_vault(folder / "identity.json", office)
        bench.identity = IdentityKeeper(
            vault=bench.vault,
            signers=lambda: office.signers(Role.ENROL),
            now=bench.time.now,
            recorder=bench.recorder,
            health=bench.health,
        )
        bench.health.situation = lambda: Situation(live=True)
        bench.health.changed()
        bench.turnstile = (
            turnstile(bench)
            if turnstile
            else VirtualTurnstile(bench.clock, people, has_sensor=has_sensor)
        )
        bench.hinting = Hinting(GATE, bench.recorder, bench.history, bench.holdings, bench.clock)
        bench.claiming = Claiming(ExpressQueue(), bench.clock)
        bench.hinting.lanes.append(bench.claiming.lane)
        bench.lane = LaneKeeper(
            turnstile=bench.turnstile,
            recorder=bench.recorder,
            history=bench.history,
            health=bench.health,
            announcer=bench.announcer,
            hinting=bench.hinting,
            clock=bench.clock,
            passage_timeout_s=passage_timeout_s,
            commit_s_max=card_limits.commit_s_max,
        )
        await bench.lane.orders.restore()
        bench.card = CardKeeper(
            card=bench.disk.watched,
            times=bench.recorder.times,
            health=bench.health,
            announcer=bench.announcer,
            clock=bench.clock,
            limits=card_limits,
            mended=bench.lane.retry,
        )
        database.on_trouble = bench.health.broken
        bench.commanding = Commanding(
            gate=GATE,
            signers=lambda: office.signers(Role.OPERATOR),
            memory=SqliteCommands(database),
            recorder=bench.recorder,
            holdings=bench.holdings,
            health=bench.health,
            lane=bench.lane,
            announcer=bench.announcer,
            clock=bench.time,
        )
        await bench.commanding.load()
        scans = count(1)
        bench.succession = Succession(
            gate=GATE,
            recorder=bench.recorder,
            new_id=(f"journal-a-{number}" for number in count(2)).__next__,
            stir=bench.lane.stirred.set,
        )
        bench.stewarding = Stewarding(
            recorder=bench.recorder,
            holdings=bench.holdings,
            lists=bench.keeper,
            history=bench.history,
            health=bench.health,
            lane=bench.lane,
            commanding=bench.commanding,
            memory=SqliteCommands(database),
            clock=bench.time,
            readers={"outside": Direction.ENTRY, "inside": Direction.EXIT},
            ways=ways,
        )
        await bench.stewarding.load()
        bench.gate = Gate(
            holdings=bench.holdings,
            history=bench.history,
            recorder=bench.recorder,
            lane=bench.lane,
            health=bench.health,
            announcer=bench.announcer,
            commanding=bench.commanding,
            hinting=bench.hinting,
            claiming=bench.claiming,
            clock=bench.time,
            new_id=lambda: f"scan-{next(scans)}",
            at_rest=bench.succession.settle,
            serve_next=bench.stewarding.serve_next,
            taken=bench.stewarding.taken,
        )
        bench.stewarding.judge = bench.gate
        bench.entry = ScriptedReader("outside", Direction.ENTRY, bench.clock)
        bench.exit = ScriptedReader("inside", Direction.EXIT, bench.clock)
        bench.begun = bench.journal.head
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(bench.gate.run([bench.entry, bench.exit])),
                group.create_task(bench.announcer.run()),
                group.create_task(bench.card.run()),
                group.create_task(bench.card.watch()),
                group.create_task(bench.health.fault_log.run()),
            ]
            await bench.settle()
            yield bench
            for task in tasks:
                task.cancel()


@pytest.fixture
def open_gate(tmp_path: Path) -> Callable[..., Any]:
    """Give what opens a gate, its journal and lists in the test's own folder each time."""

    def open_here(*arguments: Any, **options: Any) -> Any:
        return open_bench(tmp_path, *arguments, **options)

    return open_here


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Serve what a test tells, over real HTTP on this machine."""
    served = Server()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = runner.addresses and f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


@pytest.fixture
async def link(server: Server) -> AsyncIterator[HttpLink]:
    """Give the gate's link to that server."""
    async with open_link(server.url, GATE, SIGNER) as opened:
        yield opened
