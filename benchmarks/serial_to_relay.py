"""The last byte of a scanner's code on the line -> the relay, and the same beside a flood.

All pieces are the gate's own: the serial reader on a pseudo terminal, the gate, its journal on the
disk, the relay driver over mock pins. A code's bytes are sent but for its end; the time runs from
the end's writing until the pin goes high. Then somebody walks through. The peer, in the same run
and after each scan: one byte through another pseudo terminal into the same event loop, and a commit
of one row with `synchronous=FULL`; nothing is decided there.

With the flood another process writes codes into the line of a second reader as fast as that line
takes them, all the while; the gate must read, refuse and write down what it lets through of them.

Usage: python benchmarks/serial_to_relay.py [--folder DIR] [--scans N] [--tickets N]
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gpiozero
from gpiozero.pins.mock import MockFactory, MockPin
from scan_to_journal import compose, number, quantile

from admission.scan import Direction
from appliance.clock import SystemClock
from appliance.main import spare_the_collector
from appliance.ports import Reader
from appliance.readers.serial_line import SerialPort
from appliance.readers.serial_port import SerialReader
from appliance.storage.database import open_database
from appliance.turnstiles.pins import Pins
from appliance.turnstiles.relay import RelayPin, SensorPin, Wiring, open_relay_turnstile

RELAY, CONTACT = 17, 22
PULSE_S = 0.1
PUSH_S = 0.1  # the arm's contact stays this long
SCAN_S_MAX = 10.0
OPENING_S = 0.5
FLOOD = """
import os, sys
turn = 0
while True:
    codes = b"".join(b"JAMMED-%d\\r" % (turn * 64 + n) for n in range(64))
    while codes:
        codes = codes[os.write(int(sys.argv[1]), codes):]
    turn += 1
"""


class TimedPin(MockPin):  # type: ignore[misc]
    """A mock pin that notes when it went high, and tells whoever waits."""

    closed_ns = 0
    closed = asyncio.Event()

    def _change_state(self, value: bool) -> bool:
        changed = bool(super()._change_state(value))
        if changed and value and self.function == "output":
            TimedPin.closed_ns = time.perf_counter_ns()
            TimedPin.closed.set()
        return changed


@contextmanager
def pseudo_terminal() -> Iterator[tuple[int, int]]:
    """Give a scanner's end of a raw line, and the gate's."""
    scanner, port = os.openpty()
    tty.setraw(port)
    try:
        yield scanner, port
    finally:
        os.close(scanner)
        os.close(port)


@contextmanager
def flood(scanner: int, is_on: bool) -> Iterator[None]:
    """Have another process fill a line while the context lasts."""
    if not is_on:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", FLOOD, str(scanner)], pass_fds=[scanner])
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Peer:
    """A byte through a line into the loop, and a commit: what nobody can go below."""

    def __init__(self, folder: Path, scanner: int, port: int) -> None:
        self._scanner, self._port = scanner, port
        self._heard = asyncio.Event()
        self._rows = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
        self._rows.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        self._rows.execute("CREATE TABLE journal (sequence INTEGER PRIMARY KEY, blob BLOB)")
        asyncio.get_running_loop().add_reader(port, self._hear)

    def _hear(self) -> None:
        os.read(self._port, 64)
        self._rows.execute("INSERT INTO journal (blob) VALUES (?)", (bytes(200),))
        self.committed_ns = time.perf_counter_ns()
        self._heard.set()

    async def measure(self) -> int:
        """Give the nanoseconds from the writing to the commit."""
        self._heard.clear()
        before = time.perf_counter_ns()
        os.write(self._scanner, b"\r")
        await self._heard.wait()
        return self.committed_ns - before

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._port)
        self._rows.close()


async def scan(scanner: int, code: bytes, contact: Any) -> int:
    """Send a code and let its person through; give the nanoseconds from its end to the relay."""
    TimedPin.closed.clear()
    os.write(scanner, code)
    await asyncio.sleep(0.005)
    before = time.perf_counter_ns()
    os.write(scanner, b"\r")
    async with asyncio.timeout(SCAN_S_MAX):
        await TimedPin.closed.wait()
    took_ns = TimedPin.closed_ns - before
    await asyncio.sleep(PULSE_S)
    contact.drive_low()
    await asyncio.sleep(PUSH_S)
    contact.drive_high()
    await asyncio.sleep(PUSH_S)
    return took_ns


async def measure(folder: Path, tickets: int, scans: int, is_flooded: bool) -> dict[str, Any]:
    """Time scans and peers in turn; nanoseconds, and what became of the flood."""
    times: dict[str, list[int]] = {"relay": [], "bare": []}
    TimedPin.closed = asyncio.Event()
    pins = Pins(MockFactory(pin_class=TimedPin), (gpiozero.GPIOZeroError,))
    wiring = Wiring({Direction.ENTRY: RelayPin(RELAY)}, (SensorPin(CONTACT),), open_s=PULSE_S)
    clock = SystemClock()
    with (
        pseudo_terminal() as (scanner, port),
        pseudo_terminal() as (jammed, jammed_port),
        pseudo_terminal() as (peer_scanner, peer_port),
        open_relay_turnstile(wiring, pins, clock) as turnstile,
    ):
        async with open_database(folder / "gate.sqlite") as connection:
            gate, _, _, _ = await compose(connection, folder, tickets, turnstile)
            spare_the_collector()  # as the daemon does
            usb = SerialReader("usb", Direction.ENTRY, SerialPort(os.ttyname(port)), clock)
            other = SerialReader(
                "jammed", Direction.ENTRY, SerialPort(os.ttyname(jammed_port)), clock
            )
            readers: list[Reader] = [usb, other]
            peer = Peer(folder, peer_scanner, peer_port)
            async with asyncio.TaskGroup() as group:
                running = group.create_task(gate.run(readers))
                await asyncio.sleep(OPENING_S)
                assert all(reader.is_alive() for reader in readers)
                with flood(jammed, is_flooded):
                    if is_flooded:
                        await asyncio.sleep(1.0)  # until it is full
                    contact = pins.pin(CONTACT)
                    for turn in range(scans):
                        code = number(turn % tickets).encode()
                        times["relay"].append(await scan(scanner, code, contact))
                        times["bare"].append(await peer.measure())
                running.cancel()
            peer.close()
    return {**times, "flooded": other.counts["flooded"], "flood_bytes": other.counts["bytes"]}


def main() -> None:
    """Measure without and with the flood, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--tickets", type=int, default=10_000)
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)  # what the gate tells of itself
    print(
        f"# {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    for is_flooded in (False, True):
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            result = asyncio.run(measure(Path(folder), chosen.tickets, chosen.scans, is_flooded))
        line: dict[str, object] = {"flood": is_flooded, "scans": chosen.scans}
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            relay, bare = (quantile(result[name], share) for name in ("relay", "bare"))
            line[f"relay_{label}_us"], line[f"bare_{label}_us"] = round(relay, 1), round(bare, 1)
            line[f"relay_over_bare_{label}"] = round(relay / bare, 2)
        if is_flooded:
            line["flood_codes_dropped"] = result["flooded"]
            line["flood_mb_read"] = round(result["flood_bytes"] / 1e6, 1)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
