"""A panel on an SPI bus that is not there: takes the bytes a driver sends and shows what is lit.

Stands in for spidev's object; one pin beside the bus tells commands from data. The memory behind it
is that of an SSD1306 or SH1106 (`i2c_panel`), or an SSD1322 with its sixteen levels.
"""

from collections.abc import Callable
from typing import Final, Protocol

_TRANSFER_BYTES_MAX: Final = 4096  # spidev's own
_COLUMNS: Final = 480  # of an SSD1322's memory, pixels; the panel is in the middle of them
_PIXELS_PER_ADDRESS: Final = 4


class Controller(Protocol):
    """What takes commands and data."""

    def obey(self, data: list[int]) -> None:
        """Take bytes that came as commands."""
        ...

    def take(self, data: list[int]) -> None:
        """Take bytes that came as data."""
        ...


class SpiPanel:
    """A controller on a bus.

    Attributes:
        fault: raised by every write while it is set.
        opened: port and chip select, None while it is closed.
        max_speed_hz: the bus's clock.
    """

    def __init__(self, controller: Controller, is_data: Callable[[], bool]) -> None:
        """Take a controller.

        Args:
            controller: what is behind the bus.
            is_data: reads the pin that tells data from commands.
        """
        self.fault: OSError | None = None
        self.opened: tuple[int, int] | None = None
        self.max_speed_hz = 0
        self._controller = controller
        self._is_data = is_data

    def open(self, port: int, device: int) -> None:
        """Open, as spidev does."""
        self.opened = (port, device)

    def close(self) -> None:
        """Close."""
        self.opened = None

    def writebytes(self, data: list[int]) -> None:
        """Take a write.

        Raises:
            OSError: `fault`, or that of a bus that is closed.
            ValueError: if it is longer than spidev's.
        """
        if self.fault is not None:
            raise self.fault
        if self.opened is None:
            raise OSError(9, "Bad file descriptor")
        if len(data) > _TRANSFER_BYTES_MAX:
            raise ValueError(f"a transfer holds {_TRANSFER_BYTES_MAX} bytes, got {len(data)}")
        if self._is_data():
            self._controller.take(list(data))
        else:
            self._controller.obey(list(data))


class Ssd1322Panel:
    """An SSD1322: 256 by 64 pixels of sixteen levels; arguments of commands come as data.

    Attributes:
        is_on: whether it is switched on.
        contrast: as it was set last.
        data_bytes: how many bytes of picture it was sent so far.
    """

    def __init__(self, width: int = 256, height: int = 64) -> None:
        self.is_on = False
        self.contrast = 0x7F
        self.data_bytes = 0
        self._width, self._height = width, height
        self._memory = [bytearray(_COLUMNS) for _ in range(height)]
        self._command = 0
        self._arguments: list[int] = []
        self._columns, self._rows = (0, 0), (0, 0)
        self._x, self._y = 0, 0

    def obey(self, data: list[int]) -> None:
        """Take a command; what follows as data is its arguments, or pixels."""
        for command in data:
            self._command, self._arguments = command, []
            if command in (0xAE, 0xAF):
                self.is_on = command == 0xAF

    def take(self, data: list[int]) -> None:
        """Take arguments, or two pixels with each byte."""
        if self._command != 0x5C:
            self._arguments += data
            self._execute(self._command, self._arguments)
            return
        self.data_bytes += len(data)
        for value in data:
            for level in (value >> 4, value & 0x0F):
                self._memory[self._y][self._x] = level
                self._advance()

    def lit(self) -> bytes:
        """Give the level of each pixel, 0 to 15, row by row."""
        left = (_COLUMNS - self._width) // 2
        rows = (row[left : left + self._width] for row in self._memory)
        return b"".join(rows) if self.is_on else bytes(self._width * self._height)

    def _execute(self, command: int, arguments: list[int]) -> None:
        if command == 0xC1 and arguments:
            self.contrast = arguments[0]
        if len(arguments) != 2:
            return
        if command == 0x15:
            first, last = arguments
            self._columns = (first * _PIXELS_PER_ADDRESS, (last + 1) * _PIXELS_PER_ADDRESS)
            self._x = self._columns[0]
        elif command == 0x75:
            self._rows = (arguments[0], arguments[1])
            self._y = self._rows[0]

    def _advance(self) -> None:
        self._x += 1
        if self._x == self._columns[1]:
            self._x = self._columns[0]
            self._y = self._rows[0] if self._y == self._rows[1] else self._y + 1
