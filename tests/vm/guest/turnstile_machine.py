"""A turnstile on the pins of a CP2112: it turns when its relay closes, and tells by its contact.

Two halves: the machine itself, a process of its own, and `TurnstileMachine`, by which a proof
starts it, works its wires by hand and looks at what it saw.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cp2112 import Cp2112, Pin
from steps import load, wait_until

RELAY: Final = 4
CONTACT: Final = 5
FIRE: Final = 6  # the alarm's loop, closed to ground while there is none
LOCK: Final = 7  # the staff's key switch, closed to ground while it is turned
CHIP: Final = Path("/dev/gpiochip0")
TURNS_AFTER_S: Final = 0.5  # the person walks up
TURNS_FOR_S: Final = 0.4  # the contact is pulled down for as long
LOG: Final = Path("/tmp/turnstile.log")
# What a board's own kernel says of it; gpiozero numbers the pins by it.
BOARD: Final = (
    "Hardware\t: BCM2835\nRevision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
)


@dataclass(frozen=True, slots=True)
class Edge:
    """What the machine saw of a pin that the gate drives.

    Attributes:
        line: which pin.
        is_output: whether the gate drove it then; else it floats, and a relay board is at rest.
        level: its level.
        at_s: when, by the clock that never steps.
    """

    line: int
    is_output: bool
    level: bool
    at_s: float

    @property
    def is_on(self) -> bool:
        """Whether a relay at this pin was closed."""
        return self.is_output and self.level


class TurnstileMachine:
    """The proof's half: starts the machine, and ends it with the context.

    Args:
        people: whether somebody walks through each time that the arm is free.
    """

    def __init__(self, people: bool = True) -> None:
        load("uhid", "hid-cp2112")
        _be_a_board()
        arguments = [sys.executable, __file__, str(LOG), "people" if people else "nobody"]
        self._machine = subprocess.Popen(arguments, stdin=subprocess.PIPE, text=True)

    async def plugged_in(self) -> float:
        """Wait until the kernel has a chip of it; give the seconds."""
        return await wait_until(CHIP.exists, "the chip's device file")

    def pull(self, line: int, level: bool) -> None:
        """Have the wire at a pin pull it up or down."""
        assert self._machine.stdin is not None
        self._machine.stdin.write(f"{line} {int(level)}\n")
        self._machine.stdin.flush()

    def edges(self, line: int = RELAY) -> list[Edge]:
        """Give what the gate did with a pin so far, in order."""
        told = [Edge(**json.loads(text)) for text in LOG.read_text().splitlines()]
        return [edge for edge in told if edge.line == line]

    def is_relay_on(self) -> bool:
        """Tell whether the relay is closed."""
        edges = self.edges()
        return bool(edges) and edges[-1].is_on

    def times_on(self) -> list[float]:
        """Give for how many seconds the relay was closed each time; now being the last one's end.

        A line that a killed process left high is high for a moment when it is claimed anew: the
        chip's stock driver makes it an output first and sets its level then.
        """
        times, on_s = [], None
        for edge in self.edges():
            if edge.is_on and on_s is None:
                on_s = edge.at_s
            elif not edge.is_on and on_s is not None:
                times.append(edge.at_s - on_s)
                on_s = None
        return times if on_s is None else [*times, time.monotonic() - on_s]

    def close(self) -> None:
        """Pull the chip out."""
        self._machine.kill()
        self._machine.wait()


def _be_a_board() -> None:
    """Have this machine pass for the board whose pins gpiozero knows."""
    told = Path("/run/cpuinfo")
    told.write_text(Path("/proc/cpuinfo").read_text() + BOARD)
    subprocess.run(["mount", "--bind", told, "/proc/cpuinfo"], check=True)


class _Arm:
    """The machine's half."""

    def __init__(self, log: Path, people: bool) -> None:
        self._log = log.open("a")
        self._people = people
        self._due: list[tuple[float, bool]] = []  # when the contact opens and closes
        self._chip = Cp2112(self._saw)
        self._chip.pull(FIRE, False)
        self._was_on = False

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._chip, selectors.EVENT_READ, self._chip.serve)
            selector.register(sys.stdin, selectors.EVENT_READ, self._obey)
            while True:
                left_s = self._due[0][0] - time.monotonic() if self._due else None
                for key, _ in selector.select(left_s):
                    key.data()
                while self._due and self._due[0][0] <= time.monotonic():
                    self._chip.pull(CONTACT, self._due.pop(0)[1])

    def _saw(self, line: int, pin: Pin) -> None:
        now_s = time.monotonic()
        edge = {"line": line, "is_output": pin.is_output, "level": pin.level, "at_s": now_s}
        self._log.write(json.dumps(edge) + "\n")
        self._log.flush()
        is_on = line == RELAY and pin.is_output and pin.level
        if is_on and not self._was_on and self._people:
            turns_s = now_s + TURNS_AFTER_S
            self._due += [(turns_s, False), (turns_s + TURNS_FOR_S, True)]
        if line == RELAY:
            self._was_on = is_on

    def _obey(self) -> None:
        words = os.read(sys.stdin.fileno(), 4096).split()
        if not words:
            sys.exit()  # the proof is over
        for line, level in zip(words[::2], words[1::2], strict=True):
            self._chip.pull(int(line), level == b"1")


if __name__ == "__main__":
    _Arm(Path(sys.argv[1]), sys.argv[2] == "people").run()
