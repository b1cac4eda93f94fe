"""Makes the values that the gate's own page shows, from the services. Called by `main`.

Reads only. What goes to the page is a snapshot: it never holds a service, a ticket or a number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from admission import journal
from admission.errors import JournalError
from admission.journal import Kind, Record
from admission.operating_mode import Situation, age_s
from admission.passage import History
from appliance.card_ports import CardReport
from appliance.health import Health
from appliance.holdings import GateHoldings
from appliance.page_ports import (
    CheckLine,
    FaultLine,
    GateStatus,
    ListLine,
    ListState,
    MachineState,
    ReaderLine,
    TailLine,
)
from appliance.ports import Reader
from appliance.recording import Recorder
from appliance.trusted_clock import TrustedClock

TAIL_MAX: Final = 200
_NS: Final = 1_000_000_000
_MS: Final = 1000
_TOLD: Final = (
    "code",
    "state",
    "action",
    "test",
    "step_ms",
)  # of a record's detail: no ticket in it
_TOLD_OF: Final = frozenset({Kind.FAULT, Kind.CLOCK_STEP, Kind.BOOT, Kind.ALARM})


@dataclass(frozen=True, slots=True)
class ReaderOf:
    """One reader, and what its configuration says of it.

    Attributes:
        reader: the device.
        name: its name.
        kind: of its configuration.
        direction: `entry` or `exit`.
    """

    reader: Reader
    name: str
    kind: str
    direction: str


class PageStatus:
    """Looks at the services for the page.

    Attributes:
        card: gives what is known of the card.
        peers: gives how many gates of the local network are heard.
        machine: gives what the machine told last.
        tested: gives what the self-test found last.
    """

    def __init__(
        self,
        *,
        health: Health,
        holdings: GateHoldings,
        history: History,
        recorder: Recorder,
        clock: TrustedClock,
        readers: Sequence[ReaderOf],
        software: str,
    ) -> None:
        """Take what is looked at."""
        self.card: Callable[[], CardReport] = CardReport
        self.machine: Callable[[], MachineState] = MachineState
        self.tested: Callable[[], tuple[CheckLine, ...]] = lambda: ()
        self._health = health
        self._holdings = holdings
        self._history = history
        self._recorder = recorder
        self._clock = clock
        self._readers = readers
        self._software = software
        self._begun_ns = clock.monotonic_ns()

    def look(self) -> GateStatus:
        """Give how the gate is now. Does no I/O but asking the file system for its free room."""
        health, situation = self._health, self._health.situation()
        instant, checkpoint = self._clock.look(), self._health.checkpoint
        card = self.card()
        now_ns = self._clock.monotonic_ns()
        return GateStatus(
            checkpoint="" if checkpoint is None else checkpoint.name or checkpoint.id,
            mode=health.mode.value,
            causes=tuple(cause.value for cause in health.causes),
            known_s=age_s(health.causes[0], situation) if health.causes else None,
            queue=situation.backlog,
            queued_s=situation.queued_s,
            peers=situation.peers,
            occupancy=None if checkpoint is None else self._history.occupancy(checkpoint.id),
            lists=self._lists(situation),
            now=self._local(instant.now_ms),
            clock=instant.quality.value,
            clock_error_s=None if instant.error_ms is None else instant.error_ms / _MS,
            signed_s=None if instant.age_ms is None else instant.age_ms / _MS,
            faults=self._faults(now_ns),
            commit_ms=card.commit_ms,
            free_mb=card.free_mb,
            readers=tuple(
                ReaderLine(one.name, one.kind, one.direction, one.reader.is_alive())
                for one in self._readers
            ),
            machine=self.machine(),
            uptime_s=self._clock.boot_ms() / _MS,
            served_s=(now_ns - self._begun_ns) / _NS,
            software=self._software,
            tested=self.tested(),
        )

    async def tail(self, count: int) -> list[TailLine]:
        """Give the journal's last records, the newest first.

        Raises:
            StorageError: if they cannot be read.
        """
        store = self._recorder.journal
        wanted = min(count, TAIL_MAX)
        rows = await store.current.rows(max(0, store.head - wanted), wanted)
        lines = []
        for row in reversed(rows):
            try:
                lines.append(self._line(journal.decode(row.blob)))
            except JournalError:  # one that cannot be read is told where the journal is checked
                continue
        return lines

    # --- parts ------------------------------------------------------------------------------------

    def _lists(self, situation: Situation) -> tuple[ListLine, ...]:
        checkpoint = self._health.checkpoint
        if checkpoint is None:
            return ()
        now = self._clock.now()
        refused = self._holdings.faults(now)
        return tuple(
            self._list(name, now, refused) for name in sorted(set(checkpoint.performances))
        )

    def _list(self, name: str, now: datetime, refused: Mapping[str, object]) -> ListLine:
        held = self._holdings.get(name)
        if held is None:
            return ListLine("", name, 0, None, ListState.MISSING)
        if not held.is_trusted:
            state = ListState.UNTRUSTED
        elif name in refused:
            state = ListState.EXPIRED
        else:
            state = ListState.STALE if self._holdings.is_stale(name, now) else ListState.GOOD
        showing = held.manifest.showing
        age = self._holdings.age_s([name], now)
        return ListLine(showing.event or showing.name, name, held.manifest.version, age, state)

    def _faults(self, now_ns: int) -> tuple[FaultLine, ...]:
        codes = sorted({*self._health.faults, *self._health.others()})
        since_ns = self._health.fault_log.since_ns
        return tuple(
            FaultLine(code, (now_ns - since_ns[code]) / _NS if code in since_ns else None)
            for code in codes
        )

    def _zone(self) -> tzinfo:
        checkpoint = self._health.checkpoint
        for name in () if checkpoint is None else checkpoint.performances:
            held = self._holdings.get(name)
            if held is not None:
                return held.performance.zone
        return UTC

    def _local(self, ms: int) -> datetime:
        return journal.instant(ms).astimezone(self._zone())

    def _line(self, record: Record) -> TailLine:
        try:
            kind = Kind(record.kind)
            named = kind.name.lower()
        except ValueError:  # of a later version
            kind, named = None, str(record.kind)
        told = [str(record.detail[key]) for key in _TOLD if key in record.detail]
        is_told = kind in _TOLD_OF or record.detail.get("action") == "wiring_test"
        return TailLine(
            sequence=record.sequence,
            at=self._local(record.trusted_ms or record.wall_ms),
            kind=named,
            answer=record.answer,
            direction={1: "entry", 2: "exit"}.get(record.direction, ""),
            reader=record.reader,
            detail=" ".join(told) if is_told else "",
        )
