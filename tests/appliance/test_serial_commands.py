"""What a serial scanner is sent: its set-up, its triggers, and nothing that was read."""

import asyncio
import os
import threading
import tty
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import serial

from admission.scan import Direction
from admission.verdict import Answer
from appliance.errors import ReaderLostError
from appliance.ports import Payload, Trigger
from appliance.readers import serial_line
from appliance.readers.engines import ENGINES, TriggerMode
from appliance.readers.profiles import serial_port
from appliance.readers.serial_line import SerialPort
from appliance.readers.serial_port import REOPEN_S, SerialReader
from appliance.readers.usb_names import UsbName
from appliance.scanners_config import SerialConfig
from appliance.simulator.virtual_clock import VirtualClock, settle

SETUP_CODES = [
    b"@SETUPE1", b"#GRBENA0;", b"{CF10/1}", b"^_^POR232.", b"$S", b"232BAD9.", b"\x16M\rPAPHHF!",
    bytes.fromhex("7e 00 08 01 00 02 01 ab cd"), b"\x02\x010000#GRBENA0;\x03",
]  # fmt: skip


class Scanner:
    """The other end of a pseudo terminal, under a name that stays."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.heard = b""
        self.plug()

    def plug(self) -> None:
        self.fd, port = os.openpty()
        tty.setraw(port)
        os.set_blocking(self.fd, False)
        self.link.symlink_to(os.ttyname(port))
        os.close(port)

    def unplug(self) -> None:
        self.listen()
        self.link.unlink()
        os.close(self.fd)

    def listen(self) -> bytes:
        """Take what came in since the last time."""
        heard = b""
        with suppress(BlockingIOError, OSError):
            while True:
                heard += os.read(self.fd, 4096)
        self.heard += heard
        return heard


class Bench:
    def __init__(self, scanner: Scanner, said: SerialConfig) -> None:
        self.scanner, self.clock = scanner, VirtualClock()
        self.reader = SerialReader("usb", Direction.ENTRY, serial_port(said), self.clock)
        self.got: list[Payload] = []

    async def collect(self) -> None:
        async for payload in self.reader.payloads():
            self.got.append(payload)

    async def send(self, data: bytes) -> None:
        before = self.reader.counts["bytes"]
        os.write(self.scanner.fd, data)
        await until(lambda: self.reader.counts["bytes"] == before + len(data))

    async def hears(self, command: bytes) -> None:
        """Wait until the scanner has heard so much, and hold it against the command."""
        heard = b""

        def is_all() -> bool:
            nonlocal heard
            heard += self.scanner.listen()
            return len(heard) >= len(command)

        await until(is_all)
        assert heard == command


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(4_000):
        if holds():
            await settle()
            return
        await asyncio.sleep(0.0005)
    raise AssertionError("it never came to hold")


@asynccontextmanager
async def bench(tmp_path: Path, **said) -> AsyncIterator[Bench]:
    made = Bench(Scanner(tmp_path / "scanner"), SerialConfig(str(tmp_path / "scanner"), **said))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await until(made.reader.is_alive)
        yield made
        task.cancel()
    if made.scanner.link.is_symlink():
        made.scanner.unplug()


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_scanner_is_set_up_each_time_its_port_is_opened(tmp_path: Path, engine: str):
    async with bench(tmp_path, engine=engine) as b:
        command = serial_port(SerialConfig("p", engine=engine)).opening
        await b.hears(command)
        b.scanner.unplug()
        await until(lambda: not b.reader.is_alive())
        b.scanner.plug()
        await b.clock.run(REOPEN_S)
        await b.hears(command)


@pytest.mark.parametrize("engine", [name for name, engine in ENGINES.items() if engine.start])
async def test_a_trigger_starts_and_stops_it(tmp_path: Path, engine: str):
    async with bench(tmp_path, engine=engine, trigger="host") as b:
        trigger: Trigger = b.reader
        await b.hears(ENGINES[engine].openings[TriggerMode.HOST, False])
        trigger.start()
        await b.hears(ENGINES[engine].start)
        trigger.stop()
        await b.hears(ENGINES[engine].stop)


async def test_a_trigger_of_a_scanner_that_is_away_is_no_error_and_is_not_kept(tmp_path: Path):
    async with bench(tmp_path, engine="honeywell", trigger="host") as b:
        b.scanner.unplug()
        await until(lambda: not b.reader.is_alive())
        b.reader.start()
        assert b.reader.counts["unsent"] == 1
        b.scanner.plug()
        await b.clock.run(REOPEN_S)
        b.reader.stop()
        await b.hears(b"\x16U\r")


async def test_a_scanner_that_takes_no_bytes_holds_nobody_up(tmp_path: Path):
    """Nobody reads at the other end: the terminal is full, and commands are dropped."""
    async with bench(tmp_path, engine="honeywell", trigger="host") as b:
        for _ in range(100_000):
            b.reader.start()
            if b.reader.counts["unsent"] > 1:  # the first may have gone in part
                break
        assert b.reader.counts["unsent"] == 2
        await settle()
        assert b.reader.is_alive()
        await b.send(b"TICKET\r")
        assert [payload.data for payload in b.got] == [b"TICKET"]


async def test_a_plug_that_is_pulled_while_a_command_is_sent_is_a_lost_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with bench(tmp_path, engine="honeywell", trigger="host") as b:

        def gone(fd: int, data: bytes) -> int:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(serial_line.os, "write", gone)
        b.reader.start()
        monkeypatch.undo()
        await until(lambda: not b.reader.is_alive())
        assert "Input/output error" in b.reader.trouble
        await b.clock.run(REOPEN_S)
        assert b.reader.is_alive()


@pytest.mark.parametrize("engine", ENGINES)
async def test_setup_codes_are_handed_on_and_nothing_of_them_is_sent(tmp_path: Path, engine: str):
    async with bench(tmp_path, engine=engine) as b:
        await b.hears(serial_port(SerialConfig("p", engine=engine)).opening)
        for code in SETUP_CODES:
            await b.send(code + b"\r")
            await b.clock.run(2.0)
        assert b.got
        assert b.scanner.listen() == b""
        assert b.reader.counts["setup_codes"] >= 6


async def test_a_setup_code_is_told_of_without_its_text(tmp_path: Path, caplog):
    async with bench(tmp_path) as b:
        await b.send(b"@SETUPE1\r")
    assert [payload.data for payload in b.got] == [b"@SETUPE1"]
    assert "reader read what looks like a setup code" in caplog.messages
    assert not any("SETUPE1" in str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("code", SETUP_CODES)
async def test_a_gate_refuses_a_setup_code(open_gate, code: bytes):
    async with open_gate(["T1"]) as gate:
        screen = await gate.scan(code)
        assert screen.answer in {Answer.UNKNOWN_TICKET, Answer.MALFORMED}


@pytest.mark.parametrize("number", ["@SETUPE1", "{CF10/1}", "$S", "232BAD9."])
async def test_a_ticket_whose_number_looks_like_a_setup_code_is_let_in(open_gate, number: str):
    async with open_gate([number]) as gate:
        assert (await gate.scan(number)).answer is Answer.GRANTED


async def test_the_trouble_of_a_wrong_speed_is_told_and_over_with_a_clean_code(tmp_path: Path):
    async with bench(tmp_path, baud=9600) as b:
        assert b.reader.trouble == ""
        for n in range(3):
            await b.send(bytes([0xFF, 0x80 + n]) + b"\r")
        assert b.reader.trouble == (
            "it sends garbage at 9600 baud; set baud and data_format as the scanner has"
        )
        await b.send(b"CLEAN\r")
        assert b.reader.trouble == ""


async def test_a_scanner_named_by_usb_is_opened_where_it_is_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    links = iter([tmp_path / "first", tmp_path / "second"])
    monkeypatch.setattr(serial_line, "find_serial_line", lambda name: str(next(links)))
    first = Scanner(tmp_path / "first")
    made = Bench(first, SerialConfig(usb="0c2e:0b61"))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await until(made.reader.is_alive)
        first.unplug()
        await until(lambda: not made.reader.is_alive())
        made.scanner = Scanner(tmp_path / "second")
        await made.clock.run(REOPEN_S)
        await made.send(b"HERE AGAIN\r")
        task.cancel()
    made.scanner.unplug()
    assert [payload.data for payload in made.got] == [b"HERE AGAIN"]


class HangingPort:
    """A device whose port takes long to open; closed is what became of it."""

    def __init__(self) -> None:
        self.is_asked, self.may_open, self.closed = (
            threading.Event(),
            threading.Event(),
            threading.Event(),
        )

    def open(self, path: str, **settings: object) -> "HangingPort":
        self.is_asked.set()
        assert self.may_open.wait(10)
        return self

    def reset_output_buffer(self) -> None: ...

    def close(self) -> None:
        self.closed.set()


async def test_a_port_that_hangs_while_it_is_opened_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
):
    hanging = HangingPort()
    monkeypatch.setattr(serial_line.serial, "Serial", hanging.open)
    clock = VirtualClock()
    with ThreadPoolExecutor(1) as worker:
        reader = SerialReader("usb", Direction.ENTRY, SerialPort("p"), clock, worker)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(anext(reader.payloads()))
            await until(hanging.is_asked.is_set)  # the loop goes round meanwhile
            assert not reader.is_alive()
            task.cancel()
        assert not hanging.closed.is_set()
        hanging.may_open.set()
        await until(hanging.closed.is_set)  # nobody wants it any more


async def test_a_port_that_is_opened_beside_the_loop_is_read(tmp_path: Path):
    scanner = Scanner(tmp_path / "scanner")
    port = SerialPort(str(scanner.link))
    with ThreadPoolExecutor(1) as worker:
        reader = SerialReader("usb", Direction.ENTRY, port, VirtualClock(), worker)
        payloads = reader.payloads()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(anext(payloads))
            await until(reader.is_alive)
            os.write(scanner.fd, b"TICKET\r")
        assert first.result().data == b"TICKET"
        await payloads.aclose()
        serial.Serial(str(scanner.link), exclusive=True).close()  # it was let go
    scanner.unplug()


@pytest.mark.parametrize(
    ("said", "bits", "parity", "stop_bits"),
    [("8N1", 8, "N", 1), ("7E1", 7, "E", 1), ("8N2", 8, "N", 2)],
)
async def test_the_data_format_reaches_the_port(monkeypatch, said, bits, parity, stop_bits):
    asked = {}

    def opened(path, **settings):
        asked.update(settings, path=path)
        raise serial.SerialException("enough")

    monkeypatch.setattr(serial_line.serial, "Serial", opened)
    port = SerialPort("p", 300, data_format=said)
    with pytest.raises(ReaderLostError, match="p: enough"):
        async with serial_line.open_line(port, VirtualClock()):
            pass
    assert (asked["bytesize"], asked["parity"], asked["stopbits"]) == (bits, parity, stop_bits)
    assert (asked["baudrate"], asked["exclusive"], asked["timeout"]) == (300, True, 0)


@pytest.mark.parametrize(
    "wrong", [{}, {"port": "p", "usb": UsbName("a", "b")}, {"port": "p", "data_format": "8N"}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"one of the two|is like 8N1"):
        SerialPort(**wrong)
