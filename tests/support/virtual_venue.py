"""A venue in one process: the server's and the gates' own programs, on virtual time and network.

What runs is `sync_server.main.serving` and `appliance.main.run_gate`, whole. Of another make are
the loop they run on, the machine's clock and chance, the threads, and what hangs on a gate's pins.
"""

import asyncio
import hashlib
import os
import random
import secrets
import shutil
import signal
import sys
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import aiohttp

from admission.ids import ID_ENTROPY_BYTES, new_id
from admission.trust.trusted_time import TimeQuality
from appliance import arm_opening, drivers, page_binding
from appliance import main as gate_main
from appliance.config import load_config
from appliance.enrolling import enrol_by_text
from appliance.page_ports import MachineState
from appliance.simulator.scripted_reader import ScriptedReader
from appliance.simulator.virtual_turnstile import Motion, VirtualTurnstile
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from inline_sqlite import replace_threads
from portillon.demo.operator import Operator
from sync_server import main as server_main
from sync_server.config import ServerConfig
from sync_server.password_hashing import Argon2id
from virtual_loop import VirtualLoop
from virtual_network import PROCESS, Network, Process

START = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
SERVER, OFFICE = "10.0.0.1", "10.0.0.2"
PORT = 8080
LOGIN = "anna"
_OURS = {"admission", "appliance", "sync_server", "portillon", "virtual_venue"}
_CONFIG = """\
data = "{folder}/data"
device_secret = "{folder}/secret"
risk_of_plain_http = true

[[readers]]
kind = "serial"
name = "outside"
port = "outside"
direction = "entry"

[[readers]]
kind = "serial"
name = "inside"
port = "inside"
direction = "exit"

[peers]
enabled = false

[turnstile]
kind = "simulated"
exit_pin = 27
sensor_pin = 22
"""


class MachineClock:
    """A machine's clocks, over the loop's virtual time."""

    def __init__(self, machine):
        self._machine = machine

    def now(self):
        return START + timedelta(seconds=self._now_s() + self._machine.wall_error_s)

    def boot_ms(self):
        return round((self._now_s() - self._machine.booted_s) * 1000)

    def monotonic_ns(self):
        return round(self._now_s() * 1e9)

    def wall_quality(self):
        return TimeQuality.RTC

    def start_error_ms(self):
        return None

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)

    def now_us(self):
        return (self.now() - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    def _now_s(self):
        return self._machine.world.network.now_s()


class Machine:
    """Something with an address, a disk and a clock, that runs one program.

    Attributes:
        process: the run of its program, dead or alive; None before the first.
        task: of that run.
    """

    def __init__(self, world, address, folder):
        self.world, self.address, self.folder = world, address, folder
        self.wall_error_s = 0.0
        self.booted_s = -60.0
        self.boots = self.runs = 0
        self.process = self.task = None
        self.is_stopping = False
        folder.mkdir(parents=True)

    @property
    def data(self):
        """The disk, as it is after the last kill."""
        return self.folder / (f"data-{self.runs}" if self.runs else "data")

    @property
    def is_up(self):
        """Whether its program runs, and can be killed or stopped."""
        is_running = self.task is not None and not self.task.done()
        return is_running and not self.process.is_dead and not self.is_stopping

    def boot_id(self):
        return hashlib.sha256(f"{self.address} {self.boots}".encode()).digest()[:16]

    def start(self):
        """Start the program."""
        self.world.network.without_power.discard(self.address)
        self.process = Process(self.address)
        self.process.machine = self
        self.task = self.world.run_as(self.process, self.program())

    async def stop(self):
        """Ask the program to end, and wait for it; one that only begins ends at once."""
        if not self.is_up:
            return
        end = self.process.signals.get(signal.SIGTERM)
        if end is None:
            self.kill()
            return
        self.is_stopping = True
        task = self.task
        task.add_done_callback(self._stopped)
        end()
        await asyncio.wait([task])

    def _stopped(self, _):
        self.is_stopping = False

    async def ensure_up(self):
        """Start the program if it does not run, after it has ended if it is just ending."""
        if self.is_stopping:
            await asyncio.wait([self.task])
        if not self.is_up:
            self.start()

    def kill(self, *, power=False):
        """End it at once; what its disk holds at this instant is what the next run finds."""
        self.world.network.kill(self.process, power=power)
        if power:
            self.world.network.without_power.add(self.address)
            self.boots += 1
            self.booted_s = self.world.network.now_s()
        old = self.data
        self.runs += 1
        shutil.copytree(old, self.data)
        self.task.cancel()


class ServerMachine(Machine):
    """The server's."""

    async def program(self):
        stop = asyncio.Event()
        self.process.signals[signal.SIGTERM] = stop.set
        config = ServerConfig(self.data, host=self.address, port=PORT)
        async with server_main.serving(config):
            await stop.wait()


class WorldTurnstile(VirtualTurnstile):
    """A turnstile whose gate may be dead without knowing it."""

    def __init__(self, machine, clock, people):
        super().__init__(clock, people)
        self._process = machine.process

    async def release(self, direction):
        if self._process.is_dead:
            raise asyncio.CancelledError
        await super().release(direction)


class GateMachine(Machine):
    """A gate's, with its readers and its turnstile.

    Attributes:
        turnstiles: the one arm, as each run of the program had it.
        people: how those behave who are let through.
    """

    def __init__(self, world, address, folder, people):
        super().__init__(world, address, folder)
        self.turnstiles, self.people = [], people
        self.readers = {}
        path = folder / "gate.toml"
        path.write_text(_CONFIG.format(folder=folder), "utf-8")

    @property
    def config(self):
        config = load_config(self.folder / "gate.toml")
        return gate_main.Config(
            **{name: getattr(config, name) for name in config.__dataclass_fields__}
            | {"data": self.data}
        )

    async def program(self):
        self.readers = {}
        await gate_main.run_gate(self.config, "1.2.3")

    async def enrol(self, link):
        self.process = Process(self.address)
        self.process.machine = self
        await self.world.run_as(self.process, enrol_by_text(self.config, link))

    def open_reader(self, config, clock):
        reader = ScriptedReader(config.name, config.direction, clock)
        self.readers[config.direction.value] = reader
        return reader

    def open_turnstile(self, clock):
        self.turnstiles.append(WorldTurnstile(self, clock, self.people))
        return self.turnstiles[-1]

    def present(self, number, direction):
        """Hold a ticket before a reader, if there is somebody to read it."""
        reader = self.readers.get(direction)
        if self.is_up and reader is not None:
            reader.present(number.encode())

    @property
    def walked(self):
        """How many people went through the arm, whatever the gate knows of it."""
        return sum(arm.count(Motion.PASSED) for arm in self.turnstiles)


class World:
    """Everything.

    Attributes:
        chance: of this seed.
        trace: what happened, each with its virtual time.
        server: its machine.
        gates: theirs.
        operator: signed in.
    """

    def __init__(self, folder, chance, network):
        self.chance, self.folder, self.network = chance, folder, network
        self.trace = []
        self.server = ServerMachine(self, SERVER, folder / "server")
        self.gates = []
        self.operator = None
        self.failed = self.story = None
        self._programs = []

    def run_as(self, process, coroutine):
        """Run code as a process of its own."""
        whole = _as_process(process, coroutine, self._ended)
        task = asyncio.get_running_loop().create_task(whole)
        self._programs.append(task)
        return task

    def _ended(self, reason):
        if self.failed is None:
            self.failed = reason
            self.story.cancel()

    def note(self, what, *facts):
        """Add to the trace, unless whoever says it is dead."""
        process = PROCESS.get()
        if not process.is_dead:
            now_s = self.network.now_s()
            self.trace.append((round(now_s, 6), process.address, what, *facts))

    @property
    def digest(self):
        """The trace in one word."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()

    async def settle_tasks(self):
        """Wait for every program that was ever started; the killed ones end as they like."""
        for task in self._programs:
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _as_process(process, coroutine, ended):
    """Run a program; one that ends by itself, in a way that it should not, ends the story."""
    PROCESS.set(process)
    try:
        await coroutine
    except BaseException as exc:
        if not process.is_dead:
            ended(exc)
            raise


@asynccontextmanager
async def opened(world):
    """Set the server up, sign the operator in, and in the end have every program end in order."""
    PROCESS.set(Process(OFFICE))
    PROCESS.get().machine = Machine(world, OFFICE, world.folder / "office")
    password = await server_main.init_server(world.server.data, LOGIN)
    world.server.start()
    jar, patience = aiohttp.CookieJar(unsafe=True), aiohttp.ClientTimeout(60)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=patience) as session:
        world.operator = Operator(session, f"http://{SERVER}:{PORT}")
        await asyncio.sleep(1.0)
        await world.operator.sign_in(LOGIN, password)
        yield
    for machine in (*world.gates, world.server):
        await machine.stop()
    await world.settle_tasks()


def play(patch, seed, folder, story):
    """Run a story, an async function of a world, from a seed; give the world as it ended."""
    chance = random.Random(seed)
    _make_deterministic(patch, chance)
    network = Network(chance)
    world = World(folder, chance, network)

    async def whole():
        world.story = asyncio.current_task()
        try:
            async with opened(world):
                await story(world)
        except asyncio.CancelledError:
            raise (world.failed or AssertionError("the story was cancelled")) from None

    loop = VirtualLoop(network, chance)
    network.now_s = loop.time
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(whole())
    return world


def _make_deterministic(patch, chance):
    """Put a seed in the place of chance, virtual time in the place of time, and no threads."""
    drawn = random.Random(chance.random())
    random.seed(chance.random())
    patch.setattr(gate_main, "random", random.Random(chance.random()))
    patch.setattr(os, "urandom", _Bytes(drawn, os.urandom))
    patch.setattr(secrets, "token_bytes", _Bytes(drawn, secrets.token_bytes))
    patch.setattr(secrets, "token_hex", lambda size=32: drawn.randbytes(size).hex())
    patch.setattr(secrets, "token_urlsafe", lambda size=32: drawn.randbytes(size).hex())
    replace_threads(patch)
    # how long a connection has been idle: aiohttp asks the machine, and the loop's time is another
    patch.setattr(aiohttp.connector, "monotonic", lambda: asyncio.get_running_loop().time())
    patch.setattr(gate_main, "SystemClock", lambda *_: MachineClock(_machine()))
    patch.setattr(gate_main, "boot_id", lambda: _machine().boot_id())
    patch.setattr(gate_main, "fresh_id", lambda: _fresh_id(drawn))
    patch.setattr(gate_main, "spare_the_collector", lambda: None)
    patch.setattr(gate_main.DataCard, "free_bytes", lambda _: 1 << 33)  # others fill this disk
    patch.setattr(page_binding, "read_machine", MachineState)  # not of the machine it runs on
    patch.setattr(gate_main, "SqliteJournal", TracedJournal)
    patch.setattr(gate_main, "SqliteMemory", TracedMemory)
    patch.setattr(server_main, "SystemClock", lambda: MachineClock(_machine()))
    patch.setattr(server_main, "Argon2id", lambda: Argon2id(memory_kib=64, passes=1))
    patch.setitem(
        drivers.READERS, "serial", lambda own, config: _machine().open_reader(config, own.clock)
    )
    patch.setitem(
        arm_opening.TURNSTILES, "simulated", lambda own: _machine().open_turnstile(own.clock)
    )


class _Bytes:
    """Random bytes of the seed for our own code.

    A library draws real ones: else it would matter which had been loaded before.
    """

    def __init__(self, drawn, real):
        self._drawn, self._real = drawn, real

    def __call__(self, size):
        asker = sys._getframe(1).f_globals["__name__"].partition(".")[0]
        return (self._drawn.randbytes if asker in _OURS else self._real)(size)


def _machine():
    return PROCESS.get().machine


def _fresh_id(drawn):
    now_ms = MachineClock(_machine()).now_us() // 1000
    return new_id(now_ms, drawn.randbytes(ID_ENTROPY_BYTES))


class TracedJournal(SqliteJournal):
    """A gate's journal, whose verdicts and acknowledgements are noted."""

    async def append(self, *drafts):
        records = await super().append(*drafts)
        for record in records:
            _machine().world.note("wrote", record.sequence, int(record.kind), record.answer)
        return records

    async def acknowledge(self, sequence, chain):
        await super().acknowledge(sequence, chain)
        _machine().world.note("acknowledged", sequence)


class TracedMemory(SqliteMemory):
    """A gate's memory, whose feed is noted."""

    async def remember_feed(self, stream, items, *more):
        await super().remember_feed(stream, items, *more)
        _machine().world.note("learned", len(items), items[-1].number if items else 0)
