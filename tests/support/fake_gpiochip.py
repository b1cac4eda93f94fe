"""A chip with pins as libgpiod's Python bindings show it, with wires that a test pulls.

It keeps every level that a line was driven to, and what it was made of each time that it was
claimed or changed, so that a test sees whether a relay would have moved.
"""

import os
import time
from dataclasses import dataclass, field
from errno import EBUSY, ENODEV
from types import SimpleNamespace

import gpiod
from gpiod.line import Direction, Edge, Value


@dataclass
class Line:
    """One line.

    Attributes:
        wire: what pulls it from outside; None leaves it to its own pull.
        levels: as it was driven, from the first claim as an output on.
        settings: of each claim and change, in order.
        consumer: who has it; "" is nobody.
    """

    wire: bool | None = None
    levels: list[bool] = field(default_factory=list)
    settings: list[gpiod.LineSettings] = field(default_factory=list)
    consumer: str = ""
    request: "FakeRequest | None" = None

    @property
    def now(self) -> gpiod.LineSettings:
        return self.settings[-1]

    @property
    def is_output(self) -> bool:
        return bool(self.settings) and self.now.direction is Direction.OUTPUT

    @property
    def level(self) -> bool:
        if self.is_output:
            return self.levels[-1]
        if self.wire is not None:
            return self.wire
        return bool(self.settings) and self.now.bias is gpiod.line.Bias.PULL_UP


class FakeChip:
    """The chip; give it to a factory in the place of `gpiod.Chip`."""

    def __init__(self, label: str = "a chip", lines: int = 8) -> None:
        self.lines = [Line() for _ in range(lines)]
        self.label = label
        self.is_closed = self.is_gone = False

    def get_info(self) -> SimpleNamespace:
        return SimpleNamespace(label=self.label, num_lines=len(self.lines))

    def get_line_info(self, number: int) -> SimpleNamespace:
        return SimpleNamespace(consumer=self.lines[number].consumer)

    def request_lines(self, config, consumer, event_buffer_size) -> "FakeRequest":
        ((number, settings),) = config.items()
        line = self.lines[number]
        if line.consumer:
            raise OSError(EBUSY, "Device or resource busy")
        line.consumer = consumer
        line.request = FakeRequest(self, number)
        line.request.reconfigure_lines({number: settings})
        return line.request

    def pull(self, number: int, level: bool) -> None:
        """Have the wire at a line pull it up or down."""
        line = self.lines[number]
        before, line.wire = line.level, level
        if line.request is not None and line.level is not before:
            line.request.note(line.level)

    def close(self) -> None:
        self.is_closed = True


class FakeRequest:
    """A claimed line."""

    def __init__(self, chip: FakeChip, number: int) -> None:
        self._chip, self._number = chip, number
        self._events: list[SimpleNamespace] = []
        self.fd, self._noted = os.pipe()

    @property
    def _line(self) -> Line:
        if self._chip.is_gone:
            raise OSError(ENODEV, "No such device")
        return self._chip.lines[self._number]

    def reconfigure_lines(self, config) -> None:
        self._line.settings.append(config[self._number])
        if self._line.is_output:
            self.set_value(self._number, self._line.now.output_value)

    def get_value(self, number: int) -> Value:
        return Value.ACTIVE if self._line.level else Value.INACTIVE

    def set_value(self, number: int, value: Value) -> None:
        self._line.levels.append(value is Value.ACTIVE)

    def note(self, level: bool) -> None:
        kinds = gpiod.EdgeEvent.Type
        wanted = {Edge.BOTH: (0, 1), Edge.RISING: (1,), Edge.FALLING: (0,), Edge.NONE: ()}
        if level in wanted[self._line.now.edge_detection]:
            kind = kinds.RISING_EDGE if level else kinds.FALLING_EDGE
            stamp = time.monotonic_ns()
            self._events.append(SimpleNamespace(event_type=kind, Type=kinds, timestamp_ns=stamp))
            os.write(self._noted, b"\0")

    def break_off(self) -> None:
        """Wake who waits: the chip is gone."""
        self._chip.is_gone = True
        os.write(self._noted, b"\0")

    def wait_edge_events(self, seconds: float) -> bool:
        return self._chip.is_gone or bool(self._events)

    def read_edge_events(self, most: int) -> list[SimpleNamespace]:
        if self._chip.is_gone:
            raise OSError(ENODEV, "No such device")
        events, self._events = self._events, []
        os.read(self.fd, len(events))
        return events

    def release(self) -> None:
        line = self._chip.lines[self._number]
        line.consumer, line.request = "", None
        os.close(self.fd)
        os.close(self._noted)
