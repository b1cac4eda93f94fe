"""An open serial line: bytes in with their time, commands out. Opened by the serial reader.

Nothing here waits for the device: one that takes no bytes, or whose cable was pulled in the middle
of one, costs the lane nothing.
"""

import asyncio
import logging
import os
import termios
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import serial

from appliance.errors import ReaderLostError
from appliance.ports import Clock
from appliance.readers.framing import Framing
from appliance.readers.usb_names import UsbName, find_serial_line

log = logging.getLogger(__name__)

_CHUNK_BYTES: Final = 1024
_BACKLOG_BYTES_MAX: Final = 4 * 1024  # beyond this a jammed scanner's bytes are not even read
_ERRORS: Final = (OSError, termios.error)  # pyserial's own errors are OSErrors


@dataclass(frozen=True, slots=True)
class SerialPort:
    """Which port, and how the scanner on it is set up.

    Attributes:
        port: the device; best one of `/dev/serial/by-id/`, which stays the same when replugged.
        baudrate: bits a second, as the scanner has it; of no effect on USB.
        framing: what the scanner puts around its codes.
        duplicates_s: seconds within which a scanner's repeating of a code is not a new scan.
        data_format: bits, parity and stop bits: `8N1`.
        usb: the scanner by what it says of itself, in place of `port`.
        opening: what is sent when the port is opened.
        start: what makes the scanner look for a code; b"" where nobody triggers it.
        stop: what ends that.
    """

    port: str = ""
    baudrate: int = 9600
    framing: Framing = field(default_factory=Framing)
    duplicates_s: float = 1.0
    data_format: str = "8N1"
    usb: UsbName | None = None
    opening: bytes = b""
    start: bytes = b""
    stop: bytes = b""

    def __post_init__(self) -> None:
        if bool(self.port) == (self.usb is not None):
            raise ValueError("a scanner is named by its port or by its USB name, by one of the two")
        if len(self.data_format) != 3:
            raise ValueError(f"data_format is like 8N1, got {self.data_format!r}")


class SerialLine:
    """An open port: what came in waits here, with the time at which it came.

    Attributes:
        stirred: set while there is something to take, or the line is lost.
    """

    def __init__(self, port: serial.Serial, clock: Clock) -> None:
        """Listen from now on."""
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

    def send(self, command: bytes) -> bool:
        """Send a command; tell whether the device's line took all of it, now."""
        if self._lost is not None:
            return False
        try:
            return os.write(self._port.fileno(), command) == len(command)
        except BlockingIOError:
            return False
        except OSError as exc:
            self._lose(f"{self._port.name}: {exc.strerror}")
            return False

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


@asynccontextmanager
async def open_line(
    serial_port: SerialPort, clock: Clock, worker: Executor | None = None
) -> AsyncIterator[SerialLine]:
    """Open a scanner's port, for this program alone.

    Args:
        serial_port: where it is, and how it is set up.
        clock: stamps what comes in.
        worker: opens the port, which takes seconds on a device that hangs; None is the caller's
            own thread, for where that does not matter.

    Raises:
        ReaderLostError: if it is not there, or somebody else has it.

    Cancel: a port that is being opened meanwhile is closed as soon as it is.
    """
    port = await _opened_by(worker, serial_port) if worker else _opened(serial_port)
    try:
        line = SerialLine(port, clock)
        try:
            yield line
        finally:
            line.deafen()
    finally:
        _close(port)


async def _opened_by(worker: Executor, serial_port: SerialPort) -> serial.Serial:
    opening = worker.submit(_opened, serial_port)
    try:
        return await asyncio.wrap_future(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opening: "Future[serial.Serial]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        _close(opening.result())


def _opened(serial_port: SerialPort) -> serial.Serial:
    path = serial_port.port or find_serial_line(serial_port.usb or UsbName("", ""))
    data_format = serial_port.data_format
    try:
        return serial.Serial(
            path,
            baudrate=serial_port.baudrate,
            bytesize=int(data_format[0]),
            parity=data_format[1],
            stopbits=int(data_format[2]),
            timeout=0,
            exclusive=True,
        )
    except (*_ERRORS, ValueError) as exc:
        raise ReaderLostError(f"{path}: {exc}") from exc


def _close(port: serial.Serial) -> None:
    with suppress(*_ERRORS):  # what a device never took must not keep the closing waiting
        port.reset_output_buffer()
    port.close()
