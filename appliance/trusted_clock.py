"""The gate's trusted time: a clock that nobody who sets the machine's clock can set back.

Made by `main` over the machine's clocks, and given in their place to everything that judges or
dates. What it is made of is decided in `admission.trust.trusted_time`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self

from admission import journal
from admission.errors import JournalError
from admission.trust import trusted_time
from admission.trust.trusted_time import Reading, TimeQuality, TrustedInstant, TrustedTime
from appliance.errors import StorageError
from appliance.fault_codes import JOURNAL_FAULT
from appliance.journal_ports import Journal
from appliance.ports import Clock, Memory

log = logging.getLogger(__name__)

CLOCK_FAULT: Final = "GT-CLK"
# a record written late (its grant was pending, the disk was full) may stand behind newer ones
_RECORDS_LOOKED_AT: Final = 1_500


@dataclass(frozen=True, slots=True)
class ClockStep:
    """A step to be written down.

    Attributes:
        old_offset_ms: the wall clock less the time since the machine's start, before.
        new_offset_ms: and after.
        taken_back_ms: by how much a signed time took trusted time back.
    """

    old_offset_ms: int = 0
    new_offset_ms: int = 0
    taken_back_ms: int = 0

    @property
    def detail(self) -> dict[str, str | int]:
        """The step as a record's detail."""
        if self.taken_back_ms:
            return {"taken_back_ms": self.taken_back_ms}
        return {
            "old_offset_ms": self.old_offset_ms,
            "new_offset_ms": self.new_offset_ms,
            "step_ms": self.new_offset_ms - self.old_offset_ms,
        }

    def with_next(self, follows: "ClockStep") -> "ClockStep":
        """Make one of this and the next of its sort."""
        taken_back_ms = self.taken_back_ms + follows.taken_back_ms
        return ClockStep(self.old_offset_ms, follows.new_offset_ms, taken_back_ms)


class TrustedClock:
    """Implements `ports.Clock`: `now` is trusted time, the rest is the machine's.

    Attributes:
        steps: what is still to be written down, at most one of each sort.
    """

    def __init__(
        self,
        clock: Clock,
        boot_id: bytes,
        state: TrustedTime,
        store: Journal,
        memory: Memory,
        start_error_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Use `open` instead, which finds the time again."""
        self.steps: dict[str, ClockStep] = {}
        self._clock = clock
        self._boot_id = boot_id
        self._state = state
        self._journal = store
        self._memory = memory
        self._start_error_ms = start_error_ms

    @classmethod
    async def open(
        cls,
        clock: Clock,
        boot_id: bytes,
        earliest: datetime,
        store: Journal,
        memory: Memory,
        start_error_ms: Callable[[], int | None] = lambda: None,
    ) -> Self:
        """Find the time again after a start.

        Args:
            clock: the machine's.
            boot_id: names this start of the machine.
            earliest: the software's own date; no time before it is one.
            store: its last records have the trusted time of their moment.
            memory: has the last signed time.
            start_error_ms: how far off the wall clock was at the machine's start; None: unknown.

        Raises:
            StorageError: if it cannot be read, or is damaged.
        """
        rows = await store.rows(max(0, store.head - _RECORDS_LOOKED_AT), _RECORDS_LOOKED_AT)
        try:
            records = [journal.decode(row.blob) for row in rows]
        except JournalError as exc:
            raise StorageError(
                f"journal is damaged: {exc}; keep it, and begin a new one", JOURNAL_FAULT
            ) from exc
        stored = await memory.signed_time()
        if stored is not None and stored.sequence > store.head:  # of the journal before this one
            stored = replace(stored, sequence=0)
        state = trusted_time.begin(
            stored,
            records,
            boot_id=boot_id,
            boot_ms=clock.boot_ms(),
            earliest_ms=journal.wall_ms(earliest),
        )
        return cls(clock, boot_id, state, store, memory, start_error_ms)

    def look(self) -> TrustedInstant:
        """Tell the time, by whose word, and what the machine's own clocks say."""
        reading = Reading(
            journal.wall_ms(self._clock.now()),
            self._clock.boot_ms(),
            self._clock.wall_quality(),
            self._start_error_ms(),
        )
        before = self._state
        self._state, instant = trusted_time.read(before, reading)
        if instant.step_ms:
            log.warning("wall clock was set", extra={"step_ms": instant.step_ms})
            old_ms, new_ms = before.wall_ms or 0, self._state.wall_ms or 0
            before_it = self.steps.pop("wall", ClockStep(old_ms, old_ms))
            self.owe("wall", before_it.with_next(ClockStep(old_ms, new_ms)))
        return instant

    @property
    def is_trusted(self) -> bool:
        """Whether the rules that need the time may go by it."""
        return self.look().is_trusted

    def now(self) -> datetime:
        """Trusted time, aware, UTC."""
        return journal.instant(self.look().now_ms)

    def boot_ms(self) -> int:
        """Milliseconds since the machine started, sleep included."""
        return self._clock.boot_ms()

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that never steps."""
        return self._clock.monotonic_ns()

    def wall_quality(self) -> TimeQuality:
        """Tell how the machine's wall clock came by its time."""
        return self._clock.wall_quality()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)

    async def note_signed_time(
        self, server_time: datetime, asked_boot_ms: int, received_boot_ms: int
    ) -> bool:
        """Take the time of a document that the server signed under our own nonce.

        Args:
            server_time: the document's.
            asked_boot_ms: `boot_ms` when the nonce was thought of.
            received_boot_ms: `boot_ms` when the answer was there.

        Returns:
            Whether it was taken: it says nothing if it was too long on its way, or if a later
            time was signed before.

        Raises:
            StorageError: if it cannot be written down; it counts until the next start only.
        """
        server_ms = journal.wall_ms(server_time)
        taken = trusted_time.take_signed(self._state, server_ms, asked_boot_ms, received_boot_ms)
        if taken is None:
            log.warning("signed time not taken", extra={"way_ms": received_boot_ms - asked_boot_ms})
            return False
        self._state, taken_back_ms = taken
        if taken_back_ms:
            log.warning("trusted time taken back", extra={"by_ms": taken_back_ms})
            self.owe("signed", ClockStep(taken_back_ms=taken_back_ms))
        await self.remember()
        return True

    async def forget_signed_time(self) -> None:
        """Let the next signed time count, whatever was signed before: its keys were revoked.

        Raises:
            StorageError: if it cannot be written down.
        """
        self._state = trusted_time.forget_signed(self._state)
        await self.remember()

    def owe(self, sort: str, step: ClockStep) -> None:
        """Keep a step until it is written down; it is one with what follows it meanwhile."""
        follows = self.steps.get(sort)
        self.steps[sort] = step if follows is None else step.with_next(follows)

    async def remember(self) -> None:
        """Write down what was signed, and up to where the journal's times are older than that.

        Also when another journal was begun: its numbers begin at 1 again.
        """
        boot_ms, head = self._clock.boot_ms(), self._journal.head
        stored = trusted_time.store(self._state, self._boot_id, boot_ms, head)
        await self._memory.remember_signed_time(stored)
