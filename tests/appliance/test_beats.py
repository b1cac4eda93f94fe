"""Which parts of a gate show that they move: lane, database, readers; and which of them hang."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import SimpleNamespace

import numpy as np

from admission.scan import Direction
from appliance.errors import ReaderLostError
from appliance.life_ports import Unwatched
from appliance.readers.camera import CameraReader
from appliance.readers.decoding import Frame
from appliance.readers.serial_line import SerialPort
from appliance.readers.serial_port import SerialReader
from appliance.simulator.inline_worker import InlineWorker
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.state_report import GateLooks, StateReport
from appliance.storage.database import open_database
from appliance.watch_binding import watch_opening, watch_serving


@asynccontextmanager
async def running(reader) -> AsyncIterator[None]:
    async def read() -> None:
        async for _ in reader.payloads():
            pass

    async with asyncio.TaskGroup() as group:
        task = group.create_task(read())
        await settle()
        yield
        task.cancel()


async def is_answered(ask) -> bool:
    """Tell whether somebody who asks is answered, without time going on."""
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(ask())
        await settle()
        is_done = asked.done()
        asked.cancel()
    return is_done


async def test_a_scanner_that_is_unplugged_is_no_hang(tmp_path):
    clock = VirtualClock()
    port = SerialPort(str(tmp_path / "nothing"))
    reader = SerialReader("door", Direction.ENTRY, port, clock, InlineWorker())
    async with running(reader):
        for _ in range(5):
            assert not reader.is_alive()
            assert await is_answered(reader.beat.next)
            await clock.run(0.3)


class Frames:
    """A camera that gives pictures, or hangs."""

    def __init__(self) -> None:
        self.hanging = asyncio.Event()
        self.is_lost = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Frames"]:
        if self.is_lost:
            raise ReaderLostError("unplugged")
        yield self

    async def newest(self, heartbeat_s: float) -> Frame:
        await self.hanging.wait()
        await asyncio.sleep(0)
        return Frame(np.zeros((8, 8), np.uint8), 0)


async def test_a_camera_that_is_unplugged_is_no_hang_and_one_whose_library_hangs_is():
    clock, frames = VirtualClock(), Frames()
    decoder = SimpleNamespace(decode=lambda frame: [])
    reader = CameraReader("eye", Direction.ENTRY, frames.open, decoder, InlineWorker(), clock)
    frames.is_lost = True
    async with running(reader):
        assert await is_answered(reader.beat.next)
    frames.is_lost = False
    async with running(reader):
        assert not await is_answered(reader.beat.next)


async def test_a_decoder_that_hangs_in_its_thread_is_noticed():
    clock, frames, freed = VirtualClock(), Frames(), threading.Event()
    frames.hanging.set()

    def decode(frame: Frame) -> list:
        freed.wait(10)
        return []

    with ThreadPoolExecutor(1) as worker:
        decoder = SimpleNamespace(decode=decode, unread=())
        reader = CameraReader("eye", Direction.ENTRY, frames.open, decoder, worker, clock)
        try:
            async with running(reader):
                assert not await is_answered(reader.beat.next)
                freed.set()
                await asyncio.wait_for(reader.beat.next(), 5)
        finally:
            freed.set()


async def test_the_lanes_loop_answers_with_nobody_there_and_not_while_it_is_stuck(open_gate):
    async with open_gate() as gate:
        assert await is_answered(gate.gate.beat.next)
        stuck, release = asyncio.Event(), gate.turnstile.release

        async def hang(direction: Direction) -> None:
            await stuck.wait()
            await release(direction)

        gate.turnstile.release = hang
        await gate.scan("T1")
        assert not await is_answered(gate.gate.beat.next)
        stuck.set()
        await gate.settle()
        assert await is_answered(gate.gate.beat.next)


async def test_the_databases_pulse_goes_through_the_thread_that_writes(tmp_path):
    async with open_database(tmp_path / "journal.sqlite") as database:
        await asyncio.wait_for(database.pulse(), 5)
        stuck = threading.Event()
        connection = database._connection
        async with asyncio.TaskGroup() as group:
            group.create_task(connection._execute(stuck.wait, 10))
            asked = group.create_task(database.pulse())
            await settle()
            assert not asked.done()
            stuck.set()
        database.fault = "GT-DSK"  # told elsewhere: the thread still answers
        await asyncio.wait_for(database.pulse(), 5)
    await asyncio.wait_for(database.pulse(), 5)  # closed: there is nothing to hang


async def test_the_opening_and_then_every_part_is_watched_over(open_gate):
    watcher = Watcher()
    async with open_gate() as gate:
        report = StateReport(watcher, None, gate.clock, "1.0", bytes(16))
        looks = GateLooks(gate.health, gate.holdings, gate.time, lambda: None, lambda: None)
        async with AsyncExitStack() as stack:
            opened = watch_opening(watcher, stack)
            (opening,) = watcher.asks.values()
            assert not await is_answered(opening)
            opened.set()
            assert await is_answered(opening)
            readers = [gate.entry, gate.exit]
            watch_serving(report, stack, looks, gate.gate, readers, gate.disk.database.pulse)
            assert set(watcher.asks) == {"opening", "lane", "database", "reader 0", "reader 1"}
            assert watcher.is_ready
        assert watcher.asks == {}


class Watcher(Unwatched):
    """Remembers what is watched over."""

    def __init__(self) -> None:
        self.asks = {}
        self.is_ready = False

    def ready(self) -> None:
        self.is_ready = True

    @contextmanager
    def over(self, name, ask, patience_s):
        assert patience_s > 0
        self.asks[name] = ask
        yield
        del self.asks[name]
