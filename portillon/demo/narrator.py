"""Tells the demonstration in the terminal: steps, one line per scan, and the table at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TextIO

_GREEN: Final = "\x1b[32m"
_YELLOW: Final = "\x1b[33m"
_RED: Final = "\x1b[31m"
_BOLD: Final = "\x1b[1m"
_DIM: Final = "\x1b[2m"
_OFF: Final = "\x1b[0m"

_YELLOW_ANSWERS: Final = frozenset(
    {
        "already_used",
        "already_inside",
        "not_inside",
        "no_passes_left",
        "daily_limit_reached",
        "exit_not_allowed",
        "wrong_performance",
        "wrong_checkpoint",
    }
)


@dataclass(frozen=True, slots=True)
class ScanLine:
    """What is told of one scan.

    Attributes:
        gate: its name.
        direction: entry or exit.
        number: masked.
        answer: what the gate answered.
        expected: what it should answer.
        verdict_ms: from the payload to the verdict.
        durable_ms: from the payload to the journal on disk and the arm's pulse begun.
        what: why this ticket, in words.
    """

    gate: str
    direction: str
    number: str
    answer: str
    expected: str
    verdict_ms: float
    durable_ms: float
    what: str

    @property
    def is_right(self) -> bool:
        """Whether the answer is the expected one."""
        return self.answer == self.expected


class Narrator:
    """Writes to a terminal, in colour, or to a file, without."""

    def __init__(self, out: TextIO, *, colour: bool) -> None:
        """Write to `out`."""
        self._out = out
        self._colour = colour
        self._step = 0

    def step(self, text: str) -> None:
        """Begin a step."""
        self._step += 1
        self._print(f"\n{self._in(_BOLD, f'{self._step:2d}. {text}')}")

    def say(self, text: str) -> None:
        """Tell a detail of a step."""
        self._print(f"    {text}")

    def scan(self, line: ScanLine) -> None:
        """Tell one scan."""
        mark = "✔" if line.answer == "granted" else "✖"
        answer = self._in(_colour_of(line.answer), f"{mark} {line.answer:<19}")
        wrong = "" if line.is_right else self._in(_RED, f"  EXPECTED {line.expected}")
        times = self._in(_DIM, f"{line.verdict_ms:7.2f} ms, on disk {line.durable_ms:7.2f} ms")
        self._print(
            f"    {line.gate:<7} {line.direction:<5} {line.number:<8} {answer} {times}"
            f"  {line.what}{wrong}"
        )

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Tell a table of two columns."""
        self._print(f"\n{self._in(_BOLD, title)}")
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self._print(f"    {name:<{width}}  {value}")

    def verdict(self, good: bool, text: str) -> None:
        """Tell how it ended."""
        self._print("\n" + self._in(_GREEN if good else _RED, text))

    def _in(self, code: str, text: str) -> str:
        return f"{code}{text}{_OFF}" if self._colour else text

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def _colour_of(answer: str) -> str:
    if answer == "granted":
        return _GREEN
    return _YELLOW if answer in _YELLOW_ANSWERS else _RED
