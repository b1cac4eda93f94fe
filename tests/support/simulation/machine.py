"""A gate's machine: clocks that are wrong, a card that fails, and an arm that people go through.

The stores on the card are the gate's own, over real SQLite in memory; what the simulation adds is
when a statement reaches the card, and when the power fails. The arm outlives the daemon.
"""

import random
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from admission import journal
from admission.scan import Direction
from admission.trust.trusted_time import TimeQuality
from appliance.errors import TurnstileFaultError
from appliance.fault_codes import DISK_FAULT
from appliance.storage.database import _PROBE, Database, Execute
from appliance.storage.faults import card_fault, storage_error
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from simulation.scheduler import BEGIN_MS, Cut, Scheduler, wait_for

OPEN_MS: Final = 5_000  # how long the arm stays free for one person
_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@cache
def _schema() -> str:
    folder = resources.files("appliance.storage") / "schema"
    scripts = sorted((entry.name, entry.read_text("utf-8")) for entry in folder.iterdir())
    return "\n".join(script for _, script in scripts)


@cache
def _nowhere() -> Path:
    """Give a folder for the list files that no run writes."""
    return Path(tempfile.mkdtemp(prefix="portillon-simulation-"))


@cache
def _empty_card() -> bytes:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(_schema())
    content = connection.serialize()
    connection.close()
    return content


def put_in_place(content: bytes, connection: sqlite3.Connection) -> None:
    """Put a database's content in the place of another's; connections to that one stay good."""
    copy = sqlite3.connect(":memory:")
    copy.deserialize(content)
    copy.backup(connection)
    copy.close()


@dataclass(slots=True)
class Power:
    """What cuts a machine off in the middle of something.

    Attributes:
        steps_left: steps of disk and arm until the cut; None for no cut.
    """

    steps_left: int | None = None

    def step(self) -> None:
        """Take a step; perhaps the last one.

        Raises:
            Cut: if it was.
        """
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.steps_left = None
                raise Cut


class Card:
    """A memory card: the database on it, and how it takes what is written.

    Attributes:
        fault: SQLite's error code for every write, or None.
        syncs_that_fail: so many of the next commits fail, and nobody knows whether they are there.
        is_lazy: a mutant: commits are on the card only at the next `flush`.
        lists: pieces of lists, by performance and version; a row of the database names them.
        carried: others' journals: who wrote it, and its records with their chain values.
    """

    def __init__(self, power: Power, chance: random.Random, content: bytes | None = None) -> None:
        self.power = power
        self.fault: int | None = None
        self.syncs_that_fail = 0
        self.is_lazy = False
        self.lists: dict[Any, Any] = {}
        self.carried: dict[str, tuple[str, list[tuple[bytes, bytes]]]] = {}
        self._chance = chance
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self.restore(_empty_card() if content is None else content)
        self._durable: bytes | None = None
        self._before: bytes | None = None  # what it was before a write that nobody knows of

    @property
    def is_in_doubt(self) -> bool:
        """Whether something was written of which nobody knows whether it will be there."""
        return self._before is not None

    def forget_pages(self) -> None:
        """Read from the medium again: what a sync failed for may be there, or not."""
        before, self._before = self._before, None
        if before is not None and self._chance.random() < 0.5:
            self.restore(before)

    def image(self) -> bytes:
        """Copy the card."""
        return self._connection.serialize()

    def restore(self, content: bytes) -> None:
        """Put an image in the place of all that is on it."""
        put_in_place(content, self._connection)

    def flush(self) -> None:
        """Have everything on the card that was not yet."""
        self._durable = None

    def lose_power(self) -> None:
        """Keep only what was synced."""
        self.forget_pages()
        if self._durable is not None:
            self.restore(self._durable)
            self._durable = None

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Look at the card, past the gate."""
        return self._connection.execute(sql, values).fetchall()

    async def execute_fetchall(
        self, sql: str, parameters: Iterable[Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Do what aiosqlite's connection does, at once, and fail as a card does."""
        values = tuple(parameters or ())
        if not sql.lstrip().upper().startswith(_WRITES):
            return self._connection.execute(sql, values).fetchall()
        self.power.step()
        if self.fault is not None:
            raise _error(self.fault)
        if self.is_lazy and self._durable is None:
            self._durable = self.image()
        is_there = self._chance.random() < 0.5
        try:
            self.power.step()
        except Cut:
            if is_there:
                self._connection.execute(sql, values)
            raise
        if self.syncs_that_fail:
            self.syncs_that_fail -= 1
            if is_there:
                self._before = self._before or self.image()
                self._connection.execute(sql, values)
            raise _error(sqlite3.SQLITE_IOERR)
        found = self._connection.execute(sql, values).fetchall()
        self.power.step()
        return found


def _error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("the simulated card does not take it")
    error.sqlite_errorcode = code
    return error


class CardDatabase(Database):
    """The gate's database, whose connection is a card's."""

    def __init__(self, card: Card) -> None:
        super().__init__(_nowhere() / "journal.sqlite")
        self.card = card
        self._connection = card  # type: ignore[assignment]

    async def open(self) -> None:
        """Read from the medium, as `Database.open` has the kernel do."""
        self.card.forget_pages()

    async def reopen(self, check: Callable[[Execute], Awaitable[None]]) -> None:
        """Open the card anew, check it and write to it; see `Database.reopen`."""
        self.fault = self.fault or DISK_FAULT
        self.card.forget_pages()
        try:
            await check(self.card.execute_fetchall)  # type: ignore[arg-type]
            await self.card.execute_fetchall(_PROBE)
        except sqlite3.Error as exc:
            fault = card_fault(exc, self.path.parent)
            raise storage_error("still not good", exc, fault) from exc
        self.fault = ""


class KeptCard:
    """The card as its keeper sees it: `card_ports.Card`; it has no reserve."""

    has_reserve = True
    reserve_bytes = 0

    def __init__(self, database: CardDatabase, store: SqliteJournal) -> None:
        self._database = database
        self._journal = store

    @property
    def fault(self) -> str:
        """What the database failed by."""
        return self._database.fault

    def free_bytes(self) -> int:
        """Give the room that is left."""
        return 0 if self._database.card.fault == sqlite3.SQLITE_FULL else 1 << 30

    async def make_reserve(self) -> None:
        """Do nothing: there is none."""

    def free_reserve(self) -> None:
        """Do nothing: there is none."""

    async def probe(self) -> None:
        """Commit something that says nothing."""
        await self._database.probe()

    async def mend(self) -> None:
        """Open the database anew and check it."""
        await self._database.reopen(self._journal.check)


def memory_on(database: CardDatabase) -> SqliteMemory:
    """Give the gate's own memory store over a card."""
    return SqliteMemory(database, _nowhere())


class MachineClock:
    """One machine's clocks: a wall clock that is off and may be set, a count since the start.

    Attributes:
        offset_ms: the wall clock less true time.
        quality: how it came by its time.
    """

    def __init__(self, scheduler: Scheduler, chance: random.Random) -> None:
        self._scheduler = scheduler
        self.offset_ms = int(chance.gauss(0, 1_500))
        self.drift_ppm = chance.uniform(-60, 60)
        self.quality = chance.choice((TimeQuality.SYNCED, TimeQuality.RTC, TimeQuality.SAVED))
        self.starts = 0
        self._name = chance.randbytes(12)
        self.begun_ms = 0
        self.start()

    def start(self) -> None:
        """Begin to count anew."""
        self.starts += 1
        self.begun_ms = self._scheduler.now_ms - 8_000
        self.boot_id = self._name + self.starts.to_bytes(4)

    def wall_ms(self) -> int:
        """Give the wall clock."""
        drift = int(self._scheduler.now_ms * self.drift_ppm / 1_000_000)
        return BEGIN_MS + self._scheduler.now_ms + self.offset_ms + drift

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        return journal.instant(self.wall_ms())

    def boot_ms(self) -> int:
        """Milliseconds since the machine started."""
        passed = self._scheduler.now_ms - self.begun_ms
        return passed + int(passed * self.drift_ppm / 1_000_000)

    def monotonic_ns(self) -> int:
        """Nanoseconds that never step."""
        return self._scheduler.now_ms * 1_000_000

    def wall_quality(self) -> TimeQuality:
        """Tell how the wall clock came by its time."""
        return self.quality

    async def sleep(self, seconds: float) -> None:
        """Wait, on the heap."""
        wait_ms = max(1, round(seconds * 1000))
        await wait_for(lambda task: self._scheduler.at(wait_ms, task.resume, task.ticket))


@dataclass(slots=True)
class Arm:
    """The turnstile, as the daemon drives it and as people find it.

    Attributes:
        has_sensor: whether the daemon is told that somebody went through.
        is_broken: whether the relay fails.
        open_until_ms: the arm lets one person through until then.
        pulsed: told of each pulse, before the arm moves.
    """

    scheduler: Scheduler
    power: Power
    has_sensor: bool
    pulsed: Callable[[Direction], None]
    is_broken: bool = False
    open_until_ms: int = -1
    opened: int = field(default=0)

    async def release(self, direction: Direction) -> None:
        """Let one person through.

        Raises:
            TurnstileFaultError: if the relay fails.
        """
        self.power.step()
        if self.is_broken:
            raise TurnstileFaultError("the simulated relay does not obey")
        self.open_until_ms = self.scheduler.now_ms + OPEN_MS
        self.opened += 1
        self.pulsed(direction)
        self.power.step()

    def close(self) -> None:
        """Do nothing: it closes behind each person by itself."""

    async def hold(self, is_open: bool) -> None:
        """Do nothing: in these worlds it is not held."""

    def rest(self) -> None:
        """Close."""
        self.open_until_ms = -1

    def lets_through(self) -> bool:
        """Turn once, if it is free; then it is not any more."""
        if self.scheduler.now_ms > self.open_until_ms:
            return False
        self.open_until_ms = -1
        return True
