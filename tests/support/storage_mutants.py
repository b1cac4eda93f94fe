"""Deliberate faults of the gate's storage, kept: the storage sweep fails if it does not find one.

Each is applied in the writer's own process, in place of the real code. What comes before and after
the card (a late grant, a record in doubt) is tried by tests/appliance/test_card_keeper.py.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

from admission.journal import Record
from admission.scan import Direction
from appliance.lane_keeper import LaneKeeper
from appliance.storage import database
from appliance.storage.database import Database
from appliance.storage.journal_store import SqliteJournal

_later: set[Any] = set()


def acknowledge_before_the_insert() -> None:
    """Promise at once, write a little later."""
    real = SqliteJournal.append

    async def append(self: SqliteJournal, *drafts: Record) -> tuple[Record, ...]:
        records, rows = self._place(drafts)
        _later.add(asyncio.ensure_future(real(self, *drafts)))
        self._head = rows[-1]
        return records

    SqliteJournal.append = append  # type: ignore[method-assign]


def open_before_durable() -> None:
    """Let the arm move, then write the grant down."""
    real = LaneKeeper.release

    async def release(self: LaneKeeper, draft: Record) -> bool:
        head = self._recorder.journal._head  # type: ignore[attr-defined]
        self._recorder.journal._head = head._replace(sequence=head.sequence + 2)  # type: ignore[attr-defined]
        await self._turnstile.release(Direction.ENTRY)
        self._recorder.journal._head = head  # type: ignore[attr-defined]
        return await real(self, draft)

    LaneKeeper.release = release  # type: ignore[method-assign]


def ignore_the_failed_sync() -> None:
    """Go on after an error of the card as if nothing were."""
    real = Database.execute_fetchall

    async def execute_fetchall(self: Database, sql: str, values: Any = ()) -> Any:
        try:
            return await real(self, sql, values)
        except sqlite3.Error:
            self.fault = ""
            return []

    Database.execute_fetchall = execute_fetchall  # type: ignore[method-assign]


def synchronous_normal() -> None:
    """Sync at checkpoints only."""
    text = database._PRAGMAS.replace("synchronous = FULL", "synchronous = NORMAL")
    assert text != database._PRAGMAS
    database._PRAGMAS = text  # type: ignore[misc]


MUTANTS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        acknowledge_before_the_insert,
        open_before_durable,
        ignore_the_failed_sync,
        synchronous_normal,
    )
}
