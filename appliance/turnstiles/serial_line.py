"""A serial port, or an RS-485 adapter that turns by itself, as a line. Bound by `main`.

Opens the port for itself alone and wakes on its descriptor, without a thread.
"""

import asyncio
import os
import termios
from typing import Final

import serial

from appliance.errors import TurnstileFaultError

_CHUNK_BYTES: Final = 1024
_BACKLOG_BYTES_MAX: Final = 8192  # a jammed line; no answer is as long
_ERRORS: Final = (OSError, termios.error, ValueError)  # pyserial's own errors are OSErrors


class SerialLine:
    """The port `Line` over an open serial port; from a running loop.

    Args:
        port: the device; best one of `/dev/serial/by-id/`.
        baud: bits a second.

    Raises:
        TurnstileFaultError: if it cannot be opened.
    """

    def __init__(self, port: str, baud: int) -> None:
        try:
            self._port = serial.Serial(
                port, baudrate=baud, timeout=0, write_timeout=0, exclusive=True
            )
        except _ERRORS as exc:
            raise TurnstileFaultError(f"{port}: {exc}") from exc
        self._received = bytearray()
        self._lost = ""
        self.stirred = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._port.fileno(), self._on_bytes)

    def send(self, data: bytes) -> None:
        """Send bytes; they fit the kernel's buffer, or the line is jammed.

        Raises:
            TurnstileFaultError: if the line is lost.
        """
        try:
            self._port.write(data)
        except _ERRORS as exc:
            raise TurnstileFaultError(f"{self._port.name}: {exc}") from exc

    def take(self) -> bytes:
        """Give what came in since the last time.

        Raises:
            TurnstileFaultError: if the line is lost.
        """
        if self._lost:
            raise TurnstileFaultError(self._lost)
        taken = bytes(self._received)
        self._received.clear()
        self.stirred.clear()
        return taken

    def close(self) -> None:
        """Give the port back."""
        self._loop.remove_reader(self._port.fileno())
        self._port.close()

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
        self._received += data
        del self._received[:-_BACKLOG_BYTES_MAX]
        self.stirred.set()

    def _lose(self, why: str) -> None:
        self._loop.remove_reader(self._port.fileno())  # it would wake the loop for ever
        self._lost = why
        self.stirred.set()
