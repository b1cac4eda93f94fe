"""The serial reader on real pseudo terminals: codes, floods, noise, and plugs that come loose."""

import asyncio
import gc
import logging
import os
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import serial

from admission.scan import Direction
from appliance.errors import ReaderLostError
from appliance.ports import Payload
from appliance.readers.flood import BYTES_AT_ONCE, BYTES_PER_S_MAX
from appliance.readers.framing import Framing
from appliance.readers.serial_line import SerialPort, open_line
from appliance.readers.serial_port import REOPEN_S, SerialReader
from appliance.simulator.virtual_clock import VirtualClock, settle


class Scanner:
    """A scanner's side of a pseudo terminal, plugged in under a name that stays the same."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.plug()

    def plug(self) -> None:
        self.fd, port = os.openpty()
        tty.setraw(port)
        target = os.ttyname(port)
        self.link.symlink_to(target)
        os.close(port)

    def unplug(self) -> None:
        self.link.unlink()
        os.close(self.fd)

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)


@contextmanager
def scanner(tmp_path: Path) -> Iterator[Scanner]:
    made = Scanner(tmp_path / "scanner")
    try:
        yield made
    finally:
        if made.link.is_symlink():
            made.unplug()


class Bench:
    def __init__(self, tmp_path: Path, plugged: Scanner, framing: Framing) -> None:
        self.scanner = plugged
        self.clock = VirtualClock()
        port = SerialPort(str(tmp_path / "scanner"), framing=framing)
        self.reader = SerialReader("usb", Direction.ENTRY, port, self.clock)
        self.got: list[Payload] = []

    async def collect(self) -> None:
        async for payload in self.reader.payloads():
            self.got.append(payload)

    @property
    def data(self) -> list[bytes]:
        return [payload.data for payload in self.got]

    async def send(self, data: bytes) -> None:
        """Send, and wait until the reader has taken every byte."""
        before = self.reader.counts["bytes"]
        self.scanner.send(data)
        await until(lambda: self.reader.counts["bytes"] == before + len(data))

    async def unplug(self) -> None:
        """Unplug, and wait until the reader has noticed."""
        self.scanner.unplug()
        await until(lambda: not self.reader.is_alive())


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something that crosses the kernel has arrived, and let everybody act on it."""
    for _ in range(20_000):
        if holds():
            await settle()
            return
        await asyncio.sleep(0.0005)
    raise AssertionError("it did not arrive in ten seconds")


@asynccontextmanager
async def bench(tmp_path: Path, framing: Framing | None = None) -> AsyncIterator[Bench]:
    with scanner(tmp_path) as plugged:
        made = Bench(tmp_path, plugged, framing or Framing())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(made.collect())
            await until(made.reader.is_alive)
            yield made
            task.cancel()


async def test_a_scan_comes_out_byte_for_byte(tmp_path: Path):
    every_byte = bytes(b for b in range(256) if b not in b"\r\n")
    async with bench(tmp_path) as b:
        await b.clock.run(2.0)
        await b.send(every_byte + b"\r")
    assert b.got == [Payload("usb", Direction.ENTRY, every_byte, "", 2_000_000_000)]


async def test_a_scan_that_trickles_in_is_one_code(tmp_path: Path):
    async with bench(tmp_path) as b:
        for byte in b"TRICKLE\r\n":
            await b.send(bytes([byte]))
            await b.clock.run(0.03)
    assert b.data == [b"TRICKLE"]


async def test_a_scanner_without_a_suffix_works(tmp_path: Path):
    async with bench(tmp_path) as b:
        await b.send(b"NO SUFFIX")
        await b.clock.run(0.079)
        assert b.data == []
        await b.clock.run(0.002)
        assert b.data == [b"NO SUFFIX"]


async def test_a_code_with_its_end_is_handed_on_without_waiting(tmp_path: Path):
    async with bench(tmp_path) as b:
        await b.send(b"HALF")
        await b.send(b" AND HALF\r")
        assert b.data == [b"HALF AND HALF"]


async def test_the_aim_identifier_becomes_the_symbology(tmp_path: Path):
    async with bench(tmp_path, Framing(has_aim=True)) as b:
        await b.send(b"]Q1TICKET\r")
    assert [(p.data, p.symbology) for p in b.got] == [(b"TICKET", "QRCode")]


async def test_a_scanner_that_repeats_itself_is_one_scan(tmp_path: Path):
    async with bench(tmp_path) as b:
        for _ in range(20):
            await b.send(b"STILL THERE\r")
            await b.clock.run(0.5)
    assert b.data == [b"STILL THERE"]


async def test_a_code_shown_again_after_a_second_is_scanned_again(tmp_path: Path):
    async with bench(tmp_path) as b:
        await b.send(b"AGAIN\r")
        await b.clock.run(1.1)
        await b.send(b"AGAIN\r")
    assert b.data == [b"AGAIN", b"AGAIN"]


async def test_a_jammed_scanner_is_cut_to_twenty_a_second(tmp_path: Path):
    async with bench(tmp_path) as b:
        await b.send(b"".join(b"JAM %d\r" % n for n in range(50)))
        assert len(b.got) == 20
        assert b.reader.counts["flooded"] == 30
        await b.clock.run(0.2)
        await b.send(b"JAM 49\r")  # shown all the while, and never handed on before
    assert b.data[-1] == b"JAM 49"


async def test_a_line_that_never_ends_is_dropped_and_the_reader_goes_on(tmp_path: Path):
    async with bench(tmp_path) as b:
        for _ in range(40):
            await b.send(b"x" * 2000)
            await b.clock.run(0.07)
        await b.clock.run(0.2)
        await b.send(b"TICKET\r")
    assert b.data == [b"TICKET"]
    assert b.reader.counts["overruns"] == 1


async def test_a_line_that_is_jammed_is_read_no_faster_than_it_may_be(tmp_path: Path):
    async with bench(tmp_path) as b:
        os.set_blocking(b.scanner.fd, False)
        begun_ns = b.clock.monotonic_ns()
        for _ in range(200):
            with suppress(BlockingIOError):
                os.write(b.scanner.fd, b"JAM 0\rJAM 1\r" * 300)
            await asyncio.sleep(0.0005)
            await b.clock.run(0.02)
        seconds = (b.clock.monotonic_ns() - begun_ns) / 1e9
        read = b.reader.counts["bytes"]
        most = BYTES_AT_ONCE + BYTES_PER_S_MAX * seconds + 2 * 5 * 1024
        assert most / 4 < read < most


async def test_garbage_is_handed_on_now_and_then_and_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with bench(tmp_path) as b:
        for n in range(10):
            await b.send(bytes([0xFF, 0x80 + n, 0x00]))
            await b.clock.run(0.1)
    assert len(b.got) == 2  # and then one in ten seconds: who holds a ticket to it is answered
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert told == ["reader sends garbage: probably a wrong baud rate"]
    assert b.reader.counts["garbled"] == 10


async def test_a_missing_prefix_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with bench(tmp_path, Framing(prefix=b"<<")) as b:
        for n in range(3):
            await b.send(b"TICKET-%d\r" % n)
        assert "correct prefix, suffix or aim_identifier" in b.reader.trouble
        await b.send(b"<<RIGHT\r")
        assert b.reader.trouble == ""
    assert b.data == [b"TICKET-0", b"TICKET-1", b"TICKET-2", b"RIGHT"]
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(told) == 1
    assert "prefix" in told[0]


async def test_no_ticket_code_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with bench(tmp_path, Framing(prefix=b"<<")) as b:
        for n in range(5):
            await b.send(b"SECRET-%d\xff\r" % n)
        await b.unplug()
    assert caplog.records
    assert not any("SECRET" in str(record.__dict__) for record in caplog.records)


async def test_an_unplugged_scanner_is_noticed_at_once_and_found_again(tmp_path: Path):
    async with bench(tmp_path) as b:
        assert b.reader.is_alive()
        await b.send(b"BEFORE\r")
        await b.unplug()
        assert not b.reader.is_alive()
        b.scanner.plug()
        await b.clock.run(REOPEN_S)
        assert b.reader.is_alive()
        await b.send(b"AFTER\r")
    assert b.data == [b"BEFORE", b"AFTER"]


async def test_what_came_in_before_the_unplugging_is_taken_before_the_loss_is_told(tmp_path: Path):
    with scanner(tmp_path) as plugged:
        clock = VirtualClock()
        async with open_line(SerialPort(str(plugged.link)), clock) as line:
            plugged.send(b"LAST WORDS\r")
            await until(line.stirred.is_set)
            plugged.unplug()
            await until(lambda: line._lost is not None)
            assert line.take() == [(b"LAST WORDS\r", 0)]
            with pytest.raises(ReaderLostError):
                line.take()


async def test_half_a_code_before_the_unplugging_does_not_spoil_the_next(tmp_path: Path):
    async with bench(tmp_path) as b:
        await b.send(b"HALF")
        await b.unplug()
        b.scanner.plug()
        await b.clock.run(REOPEN_S)
        await b.send(b"WHOLE\r")
    assert b.data == [b"WHOLE"]


async def test_a_loose_plug_for_hours_leaks_nothing_and_is_told_of_once_a_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with bench(tmp_path) as b:
        open_before = open_files()
        for n in range(50):
            await b.unplug()
            await b.clock.run(60)  # away for a minute: a hundred and twenty attempts
            b.scanner.plug()
            await b.clock.run(REOPEN_S)
            await b.send(b"TICKET-%d\r" % n)
        assert open_files() == open_before
    assert len(b.got) == 50
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 50


@pytest.mark.slow
async def test_a_scanner_that_is_away_for_ten_hours_costs_nothing_and_is_found_again(
    tmp_path: Path,
):
    def costs() -> tuple[int, int]:
        gc.collect()  # other tests' files are closed now, and not meanwhile
        return len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())

    async with bench(tmp_path) as b:
        await b.unplug()
        await b.clock.run(60)
        costs_before, objects_before = costs(), len(gc.get_objects())
        await b.clock.run(10 * 3600)
        gc.collect()
        assert costs() == costs_before
        assert len(gc.get_objects()) - objects_before < 200
        b.scanner.plug()
        await b.clock.run(REOPEN_S)
        await b.send(b"HERE AGAIN\r")
    assert b.data == [b"HERE AGAIN"]


async def test_a_scanner_that_is_not_there_at_the_start_is_waited_for(tmp_path: Path):
    with scanner(tmp_path) as plugged:
        plugged.unplug()
        b = Bench(tmp_path, plugged, Framing())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(b.collect())
            await b.clock.run(600)
            assert not b.reader.is_alive()
            plugged.plug()
            await b.clock.run(REOPEN_S)
            await b.send(b"HERE NOW\r")
            task.cancel()
    assert b.data == [b"HERE NOW"]


async def test_nobody_else_can_open_the_port_until_the_reader_is_cancelled(tmp_path: Path):
    with scanner(tmp_path) as plugged:
        b = Bench(tmp_path, plugged, Framing())
        async with asyncio.TaskGroup() as group:
            task = group.create_task(b.collect())
            await until(b.reader.is_alive)
            with pytest.raises(serial.SerialException, match="lock"):
                serial.Serial(str(plugged.link), exclusive=True)
            task.cancel()
        assert not b.reader.is_alive()
        serial.Serial(str(plugged.link), exclusive=True).close()


async def test_a_flood_nobody_reads_is_not_kept_in_memory(tmp_path: Path):
    with scanner(tmp_path) as plugged:
        os.set_blocking(plugged.fd, False)
        b = Bench(tmp_path, plugged, Framing())
        payloads = b.reader.payloads()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(anext(payloads))
            await until(b.reader.is_alive)
            await b.send(b"FIRST\r")
        assert first.result().data == b"FIRST"
        sent = refused = 0
        while refused < 200 and sent < 10**6:  # nobody asks for the next payload meanwhile
            try:
                sent += os.write(plugged.fd, b"NOISE\r" * 300)
                refused = 0
            except BlockingIOError:
                refused += 1
            await asyncio.sleep(0.0005)
        assert 0 < sent < 200 * 1024  # then the kernel's own buffer held it back
        assert (await anext(payloads)).data == b"NOISE"
        async with asyncio.TaskGroup() as group:
            later = group.create_task(read_until(payloads, b"AFTER"))
            while not later.done():  # a busy kernel may cut the noise short, and this with it
                with suppress(BlockingIOError):
                    os.write(plugged.fd, b"\rAFTER\r")
                await b.clock.run(0.1)
                await asyncio.sleep(0.01)
        await payloads.aclose()


async def read_until(payloads, ending: bytes) -> None:
    """Read on until a payload ends so; ten seconds at the most."""
    async with asyncio.timeout(10):
        async for payload in payloads:
            if payload.data.endswith(ending):
                return
