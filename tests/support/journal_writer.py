"""A process that writes the gate's journal by the gate's own code, and says what it was promised.

Run by the storage sweep, under strace: what it writes to files is recorded or made to fail there.
Each line it prints is one write call: `acked N`, everything up to N was promised to be on the disk;
`opened N`, the arm moved for a grant whose record is N.

Usage: python journal_writer.py FOLDER COMMITS [--mutant NAME] [--checkpoint PAGES]
"""

import argparse
import asyncio
import os
from pathlib import Path
from typing import Any

import storage_mutants
from admission.journal import Kind, Record
from admission.passage import History
from admission.scan import Direction
from appliance.clock import SystemClock
from appliance.errors import StorageError
from appliance.lane_keeper import LaneKeeper
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal

TRIES_MAX = 20


def say(what: str, sequence: int) -> None:
    """Print a line in one call, so that its place among the writes is seen."""
    os.write(1, f"{what} {sequence}\n".encode())


def draft(kind: Kind, number: int) -> Record:
    """Make a record; each is another."""
    return Record(
        kind=int(kind), sequence=0, wall_ms=1_000 + number, boot_ms=number, boot_id=bytes(16),
        identifier=number.to_bytes(16, "big"), direction=1, checkpoint="door",
    )  # fmt: skip


class Arm:
    """An arm that says when it moves."""

    has_sensor = False

    def __init__(self, store: SqliteJournal) -> None:
        self.store = store

    async def release(self, direction: Direction) -> None:
        """Say that it opens, and for what."""
        assert direction is Direction.ENTRY
        say("opened", self.store.head)

    def close(self) -> None:
        """Do nothing: the pulse ends by itself."""


class Pen:
    """The recorder's writing, with nothing of its clocks."""

    def __init__(self, store: SqliteJournal) -> None:
        self.journal = store

    async def write(self, *drafts: Record, is_awaited: bool = False) -> tuple[Record, ...]:
        """Write."""
        del is_awaited
        return await self.journal.append(*drafts)


class Deaf:
    """Takes whatever it is told, and does nothing."""

    is_stopped = False

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **named: None


async def write(folder: Path, commits: int, checkpoint: int) -> None:
    """Write so many records, every third through the lane, each until it is promised."""
    async with open_database(folder / "journal.sqlite") as database:
        await database.execute_fetchall(f"PRAGMA wal_autocheckpoint = {checkpoint}")
        store = await SqliteJournal.open(database, "journal-a")
        deaf: Any = Deaf()
        lane = LaneKeeper(
            turnstile=Arm(store),  # type: ignore[arg-type]
            recorder=Pen(store),  # type: ignore[arg-type]
            history=History(), health=deaf, announcer=deaf, hinting=deaf,
            clock=SystemClock(has_battery=False), passage_timeout_s=6.0, commit_s_max=1e6,
        )  # fmt: skip
        for number in range(1, commits + 1):
            for _ in range(TRIES_MAX):
                try:
                    if number % 3:
                        await store.append(draft(Kind.PASSED, number))
                    else:
                        await lane.release(draft(Kind.GRANTED, number))
                except StorageError:
                    await mend(database, store, checkpoint)
                else:
                    say("acked", store.head)
                    break


async def mend(database: Any, store: SqliteJournal, checkpoint: int) -> None:
    """Do what the card's keeper does, without its waits."""
    for _ in range(TRIES_MAX):
        try:
            await database.reopen(store.check)
            await database.execute_fetchall(f"PRAGMA wal_autocheckpoint = {checkpoint}")
        except StorageError:
            continue
        return


def main() -> None:
    """Write as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("commits", type=int)
    parser.add_argument("--mutant", default="")
    parser.add_argument("--checkpoint", type=int, default=12)
    chosen = parser.parse_args()
    if chosen.mutant:
        storage_mutants.MUTANTS[chosen.mutant]()
    asyncio.run(write(chosen.folder, chosen.commits, chosen.checkpoint))


if __name__ == "__main__":
    main()
