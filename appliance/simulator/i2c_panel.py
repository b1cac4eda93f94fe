"""A panel on an I2C bus that is not there: takes the bytes a driver sends and shows what is lit.

Stands in for the bus object of smbus2, with the controllers' own addressing (SSD1306 by windows,
SH1106 by pages), so that the real driver is exercised down to its last command byte.
"""

from typing import Final

_COMMANDS: Final = 0x00
_DATA: Final = 0x40
_BLOCK_BYTES_MAX: Final = 32
_PAGE_ROWS: Final = 8
_ARGUMENTS: Final = {
    **dict.fromkeys((0x20, 0x81, 0x8D, 0xA8, 0xAD, 0xD3, 0xD5, 0xD9, 0xDA, 0xDB), 1),
    **dict.fromkeys((0x21, 0x22), 2),
}


class I2cPanel:
    """An SSD1306 (or SSD1309, SSD1315) with its memory.

    Attributes:
        is_on: whether it is switched on.
        fault: raised by every write while it is set: a cable pulled, a bus stuck.
        data_bytes: how many bytes of picture it was sent so far.
        contrast: as it was set last.
    """

    columns = 128
    first_visible_column = 0

    def __init__(self, address: int = 0x3C, width: int = 128, height: int = 64) -> None:
        self.is_on = False
        self.fault: OSError | None = None
        self.data_bytes = 0
        self.contrast = 0x7F
        self._address = address
        self._width, self._height = width, height
        self._memory = [bytearray(self.columns) for _ in range(height // _PAGE_ROWS)]
        self._column, self._page = 0, 0
        self._column_window = (0, self.columns - 1)
        self._page_window = (0, len(self._memory) - 1)

    def write_i2c_block_data(self, address: int, register: int, data: list[int]) -> None:
        """Take a write, as smbus2 takes it.

        Raises:
            OSError: `fault`; or error 121, as the kernel says where nobody answers an address.
        """
        if self.fault is not None:
            raise self.fault
        if address != self._address:
            raise OSError(121, "Remote I/O error")
        if len(data) > _BLOCK_BYTES_MAX:
            raise ValueError(f"a block holds {_BLOCK_BYTES_MAX} bytes, got {len(data)}")
        if register == _DATA:
            self.take(list(data))
        elif register == _COMMANDS:
            self.obey(list(data))

    def take(self, data: list[int]) -> None:
        """Take bytes of the picture, from whatever bus."""
        self.data_bytes += len(data)
        for value in data:
            self._memory[self._page][self._column] = value
            self._advance()

    def lit(self) -> bytes:
        """Give what is seen, one bit per pixel, row by row, first pixel in the highest bit."""
        rows = bytearray()
        for y in range(self._height):
            page, bit = self._memory[y // _PAGE_ROWS], 1 << y % _PAGE_ROWS
            seen = page[self.first_visible_column : self.first_visible_column + self._width]
            bits = "".join("1" if self.is_on and column & bit else "0" for column in seen)
            rows += int(bits, 2).to_bytes(self._width // 8, "big")
        return bytes(rows)

    def obey(self, data: list[int]) -> None:
        """Take commands with their arguments, from whatever bus."""
        while data:
            command = data.pop(0)
            count = _ARGUMENTS.get(command, 0)
            arguments, data = data[:count], data[count:]
            if command == 0x81:
                self.contrast = arguments[0]
            self._execute(command, arguments)

    def _execute(self, command: int, arguments: list[int]) -> None:
        if command in (0xAE, 0xAF):
            self.is_on = command == 0xAF
        elif command == 0x21:
            self._column_window = (arguments[0], arguments[1])
            self._column = arguments[0]
        elif command == 0x22:
            self._page_window = (arguments[0], arguments[1])
            self._page = arguments[0]

    def _advance(self) -> None:
        """Go on through the window: along the columns, then to the next page."""
        if self._column < self._column_window[1]:
            self._column += 1
            return
        self._column = self._column_window[0]
        is_last = self._page >= self._page_window[1]
        self._page = self._page_window[0] if is_last else self._page + 1


class Sh1106Panel(I2cPanel):
    """An SH1106: 132 columns of memory of which the middle 128 are seen, written page by page."""

    columns = 132
    first_visible_column = 2

    def _execute(self, command: int, arguments: list[int]) -> None:
        if command in (0xAE, 0xAF):
            self.is_on = command == 0xAF
        elif 0xB0 <= command < 0xB0 + len(self._memory):
            self._page = command - 0xB0
        elif command <= 0x0F:
            self._column = self._column & 0xF0 | command
        elif command <= 0x1F:
            self._column = self._column & 0x0F | (command & 0x0F) << 4

    def _advance(self) -> None:
        self._column = min(self._column + 1, self.columns - 1)
