"""The serial reader: a scanner on a serial port, real or through USB, for as long as the gate runs.

Bound by `main`. Opens the port for itself alone, wakes on the descriptor without a thread, and
opens again whatever was unplugged. What is a code is decided by `framing`.
"""

import asyncio
import logging
import os
import termios
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import serial

from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.errors import ReaderLostError
from appliance.ports import Clock, Payload
from appliance.readers.debounce import Debounce
from appliance.readers.flood import TokenBucket
from appliance.readers.framing import Code, Framer, Framing
from appliance.readers.noise import NoiseWatch
from appliance.readers.presence import Presence

log = logging.getLogger(__name__)

REOPEN_S: Final = 0.5
_NS_PER_S: Final = 1_000_000_000
_CHUNK_BYTES: Final = 4096
_BACKLOG_BYTES_MAX: Final = 64 * 1024  # beyond this a jammed scanner's bytes are not even read
_ERRORS: Final = (OSError, termios.error)  # pyserial's own errors are OSErrors


@dataclass(frozen=True, slots=True)
class SerialPort:
    """Which port, and how the scanner on it is set up.

    Attributes:
        port: the device; best one of `/dev/serial/by-id/`, which stays the same when replugged.
        baudrate: bits a second, as the scanner has it; of no effect on USB.
        framing: what the scanner puts around its codes.
        duplicates_s: seconds within which a scanner's repeating of a code is not a new scan.
    """

    port: str
    baudrate: int = 9600
    framing: Framing = field(default_factory=Framing)
    duplicates_s: float = 1.0


class SerialReader:
    """The port `Reader` over a serial scanner.

    Args:
        name: the reader's configured name.
        direction: the way it lets people go.
        serial_port: where the scanner is, and how it is set up.
        clock: counts silences and pauses.
    """

    def __init__(
        self, name: str, direction: Direction, serial_port: SerialPort, clock: Clock
    ) -> None:
        self._name = name
        self._direction = direction
        self._serial_port = serial_port
        self._clock = clock
        window_ns = round(serial_port.duplicates_s * _NS_PER_S)
        self._debounce = Debounce[bytes](window_ns=window_ns, replaced_ns=window_ns)
        self._framer = Framer(serial_port.framing)
        self._noise = NoiseWatch()
        self._bucket = TokenBucket()
        self._presence = Presence(name)
        self._bytes = 0
        self._overruns_told = 0
        self._unframed_told = False

    @property
    def counts(self) -> dict[str, int]:
        """What came in so far, and what of it went wrong, for the status page."""
        return {
            "bytes": self._bytes,
            "overruns": self._framer.overruns,
            "unframed": self._framer.unframed,
            "garbled": self._noise.garbled,
            "flooded": self._bucket.dropped,
        }

    def is_alive(self) -> bool:
        """Tell whether the port is open; a scanner that says nothing is no less alive."""
        return self._presence.is_here

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield each code as it is scanned; waits for a port that is not there.

        Cancel: closes the port.
        """
        try:
            while True:
                try:
                    with _open(self._serial_port, self._clock) as line:
                        self._presence.here()
                        while True:
                            for payload in await self._next_scans(line):
                                yield payload
                except ReaderLostError as exc:
                    self._presence.lost(str(exc), REOPEN_S)
                self._framer.reset()  # the rest of a code that was cut off is never coming
                await self._clock.sleep(REOPEN_S)
        finally:
            self._presence.closed()

    async def _next_scans(self, line: "_Line") -> list[Payload]:
        silence_at_ns = self._framer.silence_at_ns
        if silence_at_ns is None:
            await line.stirred.wait()
        else:
            left_s = (silence_at_ns - self._clock.monotonic_ns()) / _NS_PER_S
            await wait_set(line.stirred, self._clock, max(0.0, left_s))
        codes = []
        for data, at_ns in line.take():
            self._bytes += len(data)
            codes += self._framer.feed(data, at_ns)
        if not line.stirred.is_set():
            codes += self._framer.tick(self._clock.monotonic_ns())
        self._tell_of_trouble(codes)
        return self._new_scans(codes)

    def _new_scans(self, codes: list[Code]) -> list[Payload]:
        scans = []
        for code in codes:
            if not self._debounce.see([code.data], code.received_ns):
                continue
            if not self._bucket.admit(code.received_ns):
                self._debounce.forget(code.data)  # it was not handed on, so it is no duplicate
                continue
            scans.append(
                Payload(self._name, self._direction, code.data, code.symbology, code.received_ns)
            )
        return scans

    def _tell_of_trouble(self, codes: list[Code]) -> None:
        new_overruns = self._framer.overruns - self._overruns_told
        self._overruns_told = self._framer.overruns
        begins = [self._noise.see_overruns(new_overruns)]
        begins += [self._noise.see_code(code.data) for code in codes]
        if any(begins):
            log.warning(
                "reader sends garbage: probably a wrong baud rate",
                extra={"reader": self._name, "baudrate": self._serial_port.baudrate},
            )
        if self._framer.unframed and not self._unframed_told:
            self._unframed_told = True
            log.warning(
                "reader sends codes without the configured prefix, suffix or AIM identifier",
                extra={"reader": self._name},
            )


class _Line:
    """An open port: what came in waits here, with the time at which it came.

    Attributes:
        stirred: set while there is something to take, or the line is lost.
    """

    def __init__(self, port: serial.Serial, clock: Clock) -> None:
        self._port = port
        self._clock = clock
        self._received: deque[tuple[bytes, int]] = deque()
        self._backlog_bytes = 0
        self._lost: str | None = None
        self._loop = asyncio.get_running_loop()
        self.stirred = asyncio.Event()
        self._listen()

    def take(self) -> list[tuple[bytes, int]]:
        """Return what came in.

        Raises:
            ReaderLostError: if the line is lost, after all that came in before was taken.
        """
        taken = list(self._received)
        self._received.clear()
        if not taken and self._lost is not None:
            raise ReaderLostError(self._lost)
        if self._backlog_bytes > _BACKLOG_BYTES_MAX and self._lost is None:
            self._listen()
        self._backlog_bytes = 0
        if self._lost is None:
            self.stirred.clear()
        return taken

    def deafen(self) -> None:
        """Stop listening; the port may then be closed."""
        self._loop.remove_reader(self._port.fileno())

    def _listen(self) -> None:
        self._loop.add_reader(self._port.fileno(), self._on_bytes)

    def _on_bytes(self) -> None:
        try:
            data = os.read(self._port.fileno(), _CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return  # woken for nothing; there is no harm in it
        except OSError as exc:
            self._lose(f"{self._port.name}: {exc.strerror}")
            return
        if not data:
            self._lose(f"{self._port.name}: hung up")
            return
        self._received.append((data, self._clock.monotonic_ns()))
        self._backlog_bytes += len(data)
        if self._backlog_bytes > _BACKLOG_BYTES_MAX:
            self.deafen()
        self.stirred.set()

    def _lose(self, why: str) -> None:
        self.deafen()  # a hung-up descriptor stays readable and would wake the loop for ever
        self._lost = why
        self.stirred.set()


@contextmanager
def _open(serial_port: SerialPort, clock: Clock) -> Iterator[_Line]:
    try:
        port = serial.Serial(
            serial_port.port, baudrate=serial_port.baudrate, timeout=0, exclusive=True
        )
    except (*_ERRORS, ValueError) as exc:
        raise ReaderLostError(f"{serial_port.port}: {exc}") from exc
    try:
        line = _Line(port, clock)
        try:
            yield line
        finally:
            line.deafen()
    finally:
        port.close()
