"""The serial reader: a scanner on a serial port, real or through USB, for as long as the gate runs.

Bound by `main`. Opens the port for itself alone, wakes on the descriptor without a thread, and
opens again whatever was unplugged. What is a code is decided by `framing`, what a make of scanner
speaks stands in `engines`. A scanner is sent what its configuration says and nothing else: nothing
that was read is ever sent back to it.
"""

import logging
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from typing import Final

from admission.scan import Direction
from appliance.alarm import wait_set
from appliance.beat import Beat
from appliance.errors import ReaderLostError
from appliance.ports import Clock, Payload
from appliance.readers.flood import BytePace
from appliance.readers.framing import Code, Framer
from appliance.readers.new_scans import NewScans
from appliance.readers.noise import NoiseGate
from appliance.readers.presence import Presence
from appliance.readers.serial_line import SerialLine, SerialPort, open_line

log = logging.getLogger(__name__)

REOPEN_S: Final = 0.5
_NS_PER_S: Final = 1_000_000_000


class SerialReader:
    """The ports `Reader` and `Trigger` over a serial scanner.

    Args:
        name: the reader's configured name.
        direction: the way it lets people go.
        serial_port: where the scanner is, and how it is set up.
        clock: counts silences and pauses.
        worker: opens the port beside the event loop; None opens it in it.
    """

    def __init__(
        self,
        name: str,
        direction: Direction,
        serial_port: SerialPort,
        clock: Clock,
        worker: Executor | None = None,
    ) -> None:
        self._name = name
        self._serial_port = serial_port
        self._clock = clock
        self._worker = worker
        self._new = NewScans(name, direction, serial_port.duplicates_s)
        self._framer = Framer(serial_port.framing)
        self._pace = BytePace()
        self._noise = NoiseGate()
        self._presence = Presence(name)
        self._line: SerialLine | None = None
        self.beat = Beat(self._stir)
        self._bytes = 0
        self._unsent = 0
        self._overruns_told = 0
        self._unframed_before = 0
        self._is_unframed = False

    @property
    def counts(self) -> dict[str, int]:
        """What came in so far, and what of it went wrong, for the status page."""
        return {
            "bytes": self._bytes,
            "overruns": self._framer.overruns,
            "unframed": self._framer.unframed,
            "garbled": self._noise.garbled,
            "unsent": self._unsent,
            **self._new.counts,
        }

    @property
    def trouble(self) -> str:
        """See `Reader.trouble`."""
        if self._presence.why:
            return f"{self._presence.why}; plug the scanner in, or correct where it is"
        if self._noise.is_noisy:
            baud = self._serial_port.baudrate
            return f"it sends garbage at {baud} baud; set baud and data_format as the scanner has"
        if self._is_unframed:
            return "its codes lack what is configured; correct prefix, suffix or aim_identifier"
        return ""

    def is_alive(self) -> bool:
        """Tell whether the port is open; a scanner that says nothing is no less alive."""
        return self._presence.is_here

    def start(self) -> None:
        """Have the scanner look for a code; see `Trigger`."""
        self._send(self._serial_port.start)

    def stop(self) -> None:
        """Have the scanner look no more; see `Trigger`."""
        self._send(self._serial_port.stop)

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield each code as it is scanned; waits for a port that is not there.

        Cancel: closes the port.
        """
        port = self._serial_port
        try:
            while True:
                self.beat.away()  # also where a device lets its opening wait
                try:
                    async with open_line(port, self._clock, self._worker) as line:
                        self._line = line
                        self._presence.here()
                        self._send(self._serial_port.opening)
                        while True:
                            self.beat.round()
                            before = self._bytes
                            for payload in await self._next_scans(line):
                                yield payload
                            await self._rest(self._bytes - before)
                except ReaderLostError as exc:
                    self._presence.lost(str(exc), REOPEN_S)
                finally:
                    self._line = None
                self._framer.reset()  # the rest of a code that was cut off is never coming
                await self._clock.sleep(REOPEN_S)
        finally:
            self.beat.away()
            self._presence.closed()

    def _stir(self) -> None:
        if self._line is not None:
            self._line.stirred.set()

    def _send(self, command: bytes) -> None:
        if command and (self._line is None or not self._line.send(command)):
            self._unsent += 1

    async def _rest(self, count: int) -> None:
        """Let a jammed line wait, so that looking at it does not keep the lane from its work."""
        pause_s = self._pace.pause_s(count, self._clock.monotonic_ns())
        if pause_s > 0:
            await self._clock.sleep(pause_s)

    async def _next_scans(self, line: SerialLine) -> list[Payload]:
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
        was_noisy, was_unframed = self._noise.is_noisy, self._is_unframed
        if codes:
            self._is_unframed = self._framer.unframed > self._unframed_before
            self._unframed_before = self._framer.unframed
        self._noise.see_overruns(self._framer.overruns - self._overruns_told)
        self._overruns_told = self._framer.overruns
        scans = [scan for code in codes if (scan := self._new_scan(code)) is not None]
        self._tell_of_trouble(was_noisy=was_noisy, was_unframed=was_unframed)
        return scans

    def _new_scan(self, code: Code) -> Payload | None:
        if not self._noise.admit(code.data, code.received_ns):
            return None
        return self._new.take(code.data, code.symbology, code.received_ns)

    def _tell_of_trouble(self, *, was_noisy: bool, was_unframed: bool) -> None:
        if self._noise.is_noisy and not was_noisy:
            log.warning(
                "reader sends garbage: probably a wrong baud rate",
                extra={"reader": self._name, "baudrate": self._serial_port.baudrate},
            )
        if self._is_unframed and not was_unframed:
            log.warning(
                "reader sends codes without the configured prefix, suffix or AIM identifier",
                extra={"reader": self._name},
            )
