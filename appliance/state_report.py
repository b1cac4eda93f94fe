"""Tells the machine's caretaker how the gate is: a small file, and a line for whoever watches.

The file is `status.json` of docs/adr/0031-caretaker.md: no ticket, no name, nothing that may not be
read by everybody on the machine. Written when something in it has changed, looked at once a second,
and every ten seconds all the same, so that an old one tells of a gate that stands still.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from admission import journal
from admission.ticket import Performance
from appliance.health import Health
from appliance.holdings import GateHoldings
from appliance.life_ports import Watch
from appliance.ports import Clock
from appliance.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

FORMAT: Final = 1
LOOK_S: Final = 1.0
REPEAT_S: Final = 10.0
OFFSET_MS_MIN: Final = 1000  # a step of the clock; what is less is how fast this line was reached
_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000

Write = Callable[[bytes], None]  # raises OSError


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """A list that is held: the performance's id, and the version."""

    performance: str
    version: int


@dataclass(frozen=True, slots=True)
class GateState:
    """How the gate is. Field names are those of the file.

    Attributes:
        ready: whether it serves.
        faults: codes of what is wrong.
        tickets: in all lists that are held and trusted.
        lists: those.
        server_reached_ms: wall-clock time of the server's last answer; None for none yet.
        last_scan_ms: wall-clock time of the last code that was read; likewise.
        on_until_ms: when the last of the performances that are on now admits nobody any more; None
            where none is on, or has an end.
    """

    ready: bool = False
    faults: tuple[str, ...] = ()
    tickets: int = 0
    lists: tuple[HeldVersion, ...] = ()
    server_reached_ms: int | None = None
    last_scan_ms: int | None = None
    on_until_ms: int | None = None

    @property
    def line(self) -> str:
        """Say it in a line."""
        if not self.ready:
            return f"out of service: {' '.join(self.faults)}" if self.faults else "starting"
        wrong = f"; {' '.join(self.faults)}" if self.faults else ""
        return f"serving: {self.tickets} tickets in {len(self.lists)} lists{wrong}"


class GateLooks:
    """Looks at the services of one start.

    Args:
        health: the gate's state as a whole.
        holdings: its lists.
        clock: the gate's.
        heard_ns: gives `monotonic_ns` of the server's last answer, None for none.
        read_ns: gives that of the last code read.
    """

    def __init__(
        self,
        health: Health,
        holdings: GateHoldings,
        clock: TrustedClock,
        heard_ns: Callable[[], int | None],
        read_ns: Callable[[], int | None],
    ) -> None:
        self._health = health
        self._holdings = holdings
        self._clock = clock
        self._heard_ns = heard_ns
        self._read_ns = read_ns
        self._counted: dict[HeldVersion, int] = {}
        self._offset_ms = 0

    def look(self) -> GateState:
        """Give how the gate is now."""
        self._count()
        self._find_offset()
        checkpoint = self._health.checkpoint
        known = self._holdings.performances
        names = () if checkpoint is None else checkpoint.performances
        return GateState(
            ready=True,
            faults=tuple(sorted({*self._health.faults, *self._health.others()})),
            tickets=sum(self._counted.values()),
            lists=tuple(sorted(self._counted, key=lambda one: one.performance)),
            server_reached_ms=self._wall_ms(self._heard_ns()),
            last_scan_ms=self._wall_ms(self._read_ns()),
            on_until_ms=self._on_until_ms([known[name] for name in names if name in known]),
        )

    def _count(self) -> None:
        """Count the lists that are new: counting goes over all that was changed in one."""
        lists = {
            HeldVersion(held.manifest.performance, held.manifest.version): held.entries
            for held in self._holdings.lists
            if held.is_trusted
        }
        self._counted = {
            one: self._counted[one] if one in self._counted else len(entries)
            for one, entries in lists.items()
        }

    def _wall_ms(self, at_ns: int | None) -> int | None:
        if at_ns is None:
            return None
        return self._offset_ms + at_ns // _NS_PER_MS

    def _find_offset(self) -> None:
        """Find what wall clock and monotonic clock differ by, so that a moment keeps its time."""
        offset_ms = journal.wall_ms(self._clock.now()) - self._clock.monotonic_ns() // _NS_PER_MS
        if abs(offset_ms - self._offset_ms) >= OFFSET_MS_MIN:
            self._offset_ms = offset_ms

    def _on_until_ms(self, performances: list[Performance]) -> int | None:
        now = self._clock.now()
        ends = [
            one.admits_until
            for one in performances
            if one.admits_until is not None
            and now < one.admits_until
            and (one.admits_from is None or one.admits_from <= now)
            and not one.canceled
        ]
        return journal.wall_ms(max(ends)) if ends else None


class StateReport:
    """Reports for as long as the daemon runs, whether the lane is served or not.

    Args:
        watch: whoever watches over the daemon.
        write: puts the file in the place of the one before; None where nobody reads it.
        clock: the machine's.
        software: version of this program.
        boot: this start of the machine.
    """

    def __init__(
        self, watch: Watch, write: Write | None, clock: Clock, software: str, boot: bytes
    ) -> None:
        self.watch = watch
        self._write = write
        self._clock = clock
        self._head = {"format": FORMAT, "version": software, "boot_id": boot.hex()}
        self._look: Callable[[], GateState] = GateState
        self._told: GateState | None = None
        self._told_ns = 0
        self._is_failing = False

    @contextmanager
    def serving(self, look: Callable[[], GateState]) -> Iterator[None]:
        """Report what is seen for as long as the context lasts; the start is over.

        Args:
            look: gives how the gate is.
        """
        self._look = look
        self._tell()
        self.watch.ready()
        try:
            yield
        finally:
            self._look = GateState
            self._tell()

    def out_of_service(self, fault: str) -> None:
        """Report that nobody is served, and why; people are told, so the start is over."""
        state = GateState(faults=(fault,))
        self._look = lambda: state
        self._tell()
        self.watch.ready()

    async def run(self) -> None:
        """Report until cancelled; the last word is that nobody is served."""
        if self._write is None:
            return
        try:
            while True:
                self._tell()
                await self._clock.sleep(LOOK_S)
        finally:
            self._look = GateState
            self._tell()

    def _tell(self) -> None:
        state, now_ns = self._look(), self._clock.monotonic_ns()
        if state == self._told and now_ns - self._told_ns < REPEAT_S * _NS_PER_S:
            return
        self._told, self._told_ns = state, now_ns
        self.watch.status(state.line)
        if self._write is None:
            return
        written_ms = journal.wall_ms(self._clock.now())
        document = {**self._head, "written_ms": written_ms, **asdict(state)}
        try:
            self._write(json.dumps(document).encode())
        except OSError as exc:
            if not self._is_failing:
                log.warning("state not reported", extra={"reason": exc.strerror})
            self._is_failing = True
        else:
            self._is_failing = False
