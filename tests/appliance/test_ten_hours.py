"""Ten hours of a gate's life on a virtual clock: nothing is lost, nothing drifts, nothing leaks.

Thousands of people, a serial scanner on a real pseudo terminal that is unplugged for hours, a
camera that goes silent, a relay that fails, a disk that is full, orders to lock. A few minutes of
it are in the suite; all ten hours are slow (`make test-all`).
"""

import asyncio
import gc
import threading
import tracemalloc
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest

from admission.journal import Flag, Kind
from admission.scan import Direction
from appliance.errors import ReaderLostError
from appliance.ports import Look
from appliance.readers.camera import CameraReader
from appliance.readers.decoding import Frame, Read, Symbology
from appliance.readers.frames import FrameSlot
from appliance.readers.serial_line import SerialPort
from appliance.readers.serial_port import SerialReader
from appliance.simulator.box_office import ENTRY_EXIT, ListedNumber
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.virtual_turnstile import Motion, Person
from tests.appliance.test_serial_port import scanner

EVERY_S = 9.0  # one person after the other
WAITS_MAX = 3  # a reader waits by a task or two more or less, as the moment has it
PASSAGE_BYTES_MAX = 4_000  # what a gate may keep of each passage, all its memory counted


class Camera:
    """A camera whose picture is the code's own bytes; it can be covered, or stop."""

    def __init__(self, clock):
        self.clock = clock
        self.slot = FrameSlot(clock)
        self.is_dead = False
        self.openings = 0

    @asynccontextmanager
    async def open(self):
        if self.is_dead:
            raise ReaderLostError("dead")
        self.openings += 1
        self.slot = FrameSlot(self.clock)
        yield self.slot

    def show(self, code):
        pixels = np.frombuffer(code or b"\0", np.uint8).reshape(1, -1)
        self.slot.put(Frame(pixels, self.clock.monotonic_ns()))


class Spelled:
    """A decoder of such pictures."""

    unread = ()

    def decode(self, frame):
        code = frame.pixels.tobytes().strip(b"\0")
        return [Read(Symbology.QR_CODE, code)] if code else []


class Night:
    """A gate with its readers, and what befalls it."""

    def __init__(self, gate, plugged, seed):
        self.gate = gate
        self.chance = Random(seed)
        self.scanner = plugged
        self.camera = Camera(gate.clock)
        self.serial = SerialReader(
            "usb", Direction.ENTRY, SerialPort(str(plugged.link)), gate.clock
        )
        self.eye = CameraReader(
            "eye", Direction.ENTRY, self.camera.open, Spelled(), InlineWorker(), gate.clock
        )
        self.unused = iter(range(1, 100_000))
        self.used = []
        self.inside = []
        self.walked_unasked = 0

    # --- people ------------------------------------------------------------------------------

    async def somebody_comes(self):
        lot = self.chance.random()
        if lot < 0.55 or not self.used:
            number = f"T{next(self.unused):05}"
            self.used.append(number)
            await self.shows(number)
        elif lot < 0.65:
            await self.shows(f"E{next(self.unused):05}")
        elif lot < 0.75:
            await self.shows(f"E{self.chance.choice(self.used)[1:]}", Direction.EXIT)
        elif lot < 0.88:
            await self.shows(self.chance.choice(self.used))
        elif lot < 0.95:
            await self.shows(f"nobody's {self.chance.random()}")
        elif lot < 0.98:
            await self.shows("\x01 noise \x7f")
        else:
            self.walked_unasked += 1
            self.gate.turnstile.walk()
        await self.gate.later(EVERY_S)

    async def shows(self, number, direction=Direction.ENTRY):
        data = number.encode()
        if direction is Direction.EXIT:
            self.gate.exit.present(data)
        elif self.scanner.link.is_symlink() and self.chance.random() < 0.3:
            before = self.serial.counts["bytes"]
            self.scanner.send(data + b"\r")
            await self.gate.until(lambda: self.serial.counts["bytes"] > before + len(data))
        elif not self.camera.is_dead and self.chance.random() < 0.5:
            for _ in range(3):
                self.camera.show(data)
                await self.gate.later(0.03)
            self.camera.show(b"")
        else:
            self.gate.entry.present(data)
        await self.gate.settle()

    # --- troubles ----------------------------------------------------------------------------

    async def trouble(self, hours):
        match self.chance.randrange(6):
            case 0:
                self.gate.turnstile.break_down()
                await self.crowd(3)
                self.gate.turnstile.repair()
            case 1:
                self.gate.disk.fill()
                await self.crowd(3)
                self.gate.disk.make_room()
                await self.gate.later(60)
            case 2:
                self.scanner.unplug()
                await self.crowd(2)
                await self.gate.later(self.chance.uniform(0.01, 0.2) * hours * 3_600)
                self.scanner.plug()
                await self.gate.later(5)
                await self.gate.until(self.serial.is_alive)
            case 3:
                self.camera.is_dead = True  # silent from now on, and gone when it is opened again
                await self.crowd(2)
                self.camera.is_dead = False
                await self.gate.later(10)
            case 4:
                self.gate.health.order_locked(is_locked=True)
                await self.crowd(2)
                self.gate.health.order_locked(is_locked=False)
            case 5:
                await self.gate.later(self.chance.uniform(60, 600))  # nobody comes
        await self.gate.later(20)

    async def crowd(self, people):
        for _ in range(people):
            await self.somebody_comes()

    # --- what is left ------------------------------------------------------------------------

    async def held(self):
        """Count what a gate could leak, at a moment when every reader waits for the next code."""
        for _ in range(8):  # it may be opening its camera again
            await self.gate.later(0.5)
            self.camera.show(b"")
            await self.gate.settle()
        gc.collect()
        return {
            "tasks": len(asyncio.all_tasks()),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "threads": threading.active_count(),
            "deadlines": len(self.gate.lane._deadlines),
            "waiting": len(self.gate.gate._waiting),
            "is_settled": self.gate.lane.is_settled,
        }


def memory_of_the_gate():
    """Give the bytes that the gate's own code has allocated and not freed."""
    gc.collect()
    mine = tracemalloc.take_snapshot().filter_traces(
        [
            tracemalloc.Filter(True, "*/admission/*"),
            tracemalloc.Filter(True, "*/appliance/*"),
            tracemalloc.Filter(False, "*/appliance/simulator/*"),
            tracemalloc.Filter(False, "*/tests/*"),
        ]
    )
    return sum(one.size for one in mine.statistics("filename"))


async def live(open_gate, tmp_path, hours, seed):
    """Live for some hours; hold the journal against the arm, and the end against the start."""
    listed = [ListedNumber(f"{kind}{n:05}", *rule) for n in range(1, round(hours * 450) + 200)
              for kind, rule in (("T", ()), ("E", (ENTRY_EXIT,)))]  # fmt: skip
    behaviour = Random(seed + 1)
    people = (
        Person(
            None if (lot := behaviour.random()) < 0.05 else behaviour.uniform(0.3, 4.5),
            0.8 if lot > 0.98 else None,
        )
        for _ in iter(int, 1)
    )
    with scanner(tmp_path) as plugged:
        async with open_gate(listed, people=people) as gate, asyncio.TaskGroup() as group:
            night = Night(gate, plugged, seed)
            pumps = [
                group.create_task(gate.gate._pump(reader)) for reader in (night.serial, night.eye)
            ]
            await gate.until(lambda: night.serial.is_alive())
            await night.crowd(10)
            await gate.later(30)
            before, bytes_before = await night.held(), memory_of_the_gate()
            passages_before = gate.turnstile.count(Motion.PASSED)
            ends_ns = gate.clock.monotonic_ns() + round(hours * 3_600e9)
            while gate.clock.monotonic_ns() < ends_ns:
                await night.crowd(25 if hours > 1 else 5)
                await night.trouble(hours)
            await gate.later(60)
            after = await night.held()
            tasks, tasks_before = after.pop("tasks"), before.pop("tasks")
            assert after == before
            assert tasks <= tasks_before + WAITS_MAX, (tasks, tasks_before)
            grown = memory_of_the_gate() - bytes_before
            passages = gate.turnstile.count(Motion.PASSED) - passages_before
            assert grown <= passages * PASSAGE_BYTES_MAX, (grown, passages)
            await audit(gate, night)
            for pump in pumps:
                pump.cancel()


async def audit(gate, night):
    """What people did at the arm, the journal says, and nothing else."""
    records = await gate.records()
    kinds = [record.kind for record in records]
    crossed = kinds.count(Kind.PASSED) + kinds.count(Kind.FORCED) + kinds.count(Kind.TAILGATED)
    unresolved = sum(
        record.kind == Kind.PASSED and bool(record.flags & Flag.UNRESOLVED) for record in records
    )
    assert crossed - unresolved == gate.turnstile.count(Motion.PASSED)
    granted = [record for record in records if record.kind == Kind.GRANTED]
    ended = [
        record.refers_to for record in records if record.kind in {Kind.PASSED, Kind.NOT_PASSED}
    ]
    assert sorted(ended) == [record.sequence for record in granted]
    passed = {one.refers_to for one in records if one.kind == Kind.PASSED}
    singles = [
        (one.performance, one.identifier)
        for one in granted
        if one.sequence in passed and one.ticket_class[1] == "single"
    ]
    assert len(set(singles)) == len(singles)
    assert (gate.display.last.look, gate.health.faults) == (Look.IDLE, ())
    assert not gate.lane._lane.is_busy


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
async def test_some_minutes_leave_a_gate_as_it_was(open_gate, tmp_path):
    await live(open_gate, tmp_path, 0.05, seed=1)


@pytest.mark.slow
@pytest.mark.usefixtures("traced")
async def test_ten_hours_leave_a_gate_as_it_was(open_gate, tmp_path):
    await live(open_gate, tmp_path, 10, seed=2)
