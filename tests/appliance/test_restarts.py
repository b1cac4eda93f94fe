"""What the card ends is begun again, and the display says why meanwhile."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from admission import journal
from admission.journal import Kind
from admission.scan import Direction
from appliance.announcer import Announcer
from appliance.config import ReaderConfig
from appliance.errors import ConfigError, StorageError
from appliance.fault_codes import JOURNAL_FAULT, READ_ONLY_FAULT
from appliance.life_ports import UNWATCHED
from appliance.ports import Look, Screen
from appliance.restarts import RETRY_S_MAX, SALVAGES_MAX, House, serve_until
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.state_report import StateReport
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from written_night import write_night


class Shown:
    """A display that remembers."""

    def __init__(self) -> None:
        self.screens: list[Screen] = []

    async def show(self, screen: Screen) -> None:
        self.screens.append(screen)

    @property
    def faults(self) -> list[str]:
        return [one.fault for one in self.screens if one.look is Look.OUT_OF_SERVICE]


class Stage:
    """A house whose card behaves as told, once for each start."""

    def __init__(self, file: Path, *starts: Exception) -> None:
        self.clock, self.display, self.stop = VirtualClock(), Shown(), asyncio.Event()
        self.announcer = Announcer([self.display], [], self.clock)
        config = SimpleNamespace(readers=(ReaderConfig("door", "folder", Direction.ENTRY),))
        report = StateReport(UNWATCHED, None, self.clock, "1.0", bytes(16))
        self.house = House(config, "1.0", self.clock, None, self.announcer, file, report)
        self.starts, self.begun = list(starts), 0

    async def serve(self, stop: asyncio.Event, house: House) -> None:
        self.begun += 1
        if self.starts:
            raise self.starts.pop(0)
        await stop.wait()

    async def run(self, seconds: float, begun: int = 0) -> None:
        """Let time go on, and what happens in threads until it was begun so often."""
        async with asyncio.TaskGroup() as group:
            showing = group.create_task(self.announcer.run())
            serving = group.create_task(serve_until(self.stop, self.house, self.serve))
            await self.clock.run(seconds)
            for _ in range(2_000 if begun else 0):
                if self.begun >= begun:
                    break
                await asyncio.sleep(0.002)
            await settle()
            self.stop.set()
            await serving
            await settle()
            showing.cancel()


async def test_a_card_that_cannot_be_opened_is_shown_and_tried_again_with_longer_waits(tmp_path):
    broken = [StorageError("no", READ_ONLY_FAULT) for _ in range(4)]
    stage = Stage(tmp_path / "x", *broken)
    await stage.run(1 + 2 + 4 + 8)
    assert stage.begun == 5
    assert stage.display.faults == [READ_ONLY_FAULT]


async def test_the_wait_between_two_tries_is_bounded(tmp_path):
    stage = Stage(tmp_path / "x", *(StorageError("no") for _ in range(1000)))
    await stage.run(600)
    assert 600 / RETRY_S_MAX < stage.begun < 30


async def test_a_fault_in_a_group_of_tasks_is_one_of_the_card_too(tmp_path):
    stage = Stage(tmp_path / "x", ExceptionGroup("tasks", [StorageError("no")]))
    await stage.run(2)
    assert stage.begun == 2


async def test_what_is_not_the_cards_fault_ends_the_daemon(tmp_path):
    stage = Stage(tmp_path / "x", ConfigError("misspelt"))
    with pytest.raises(ExceptionGroup) as caught:
        await stage.run(2)
    assert caught.group_contains(ConfigError)


async def test_a_damaged_journal_is_gone_on_from_at_once_and_told(tmp_path):
    file = tmp_path / "journal.sqlite"
    await write_night(file, passages=3)
    stage = Stage(file, StorageError("damaged", JOURNAL_FAULT))
    await stage.run(0, begun=2)
    assert stage.begun == 2
    assert stage.display.faults[0] == JOURNAL_FAULT
    async with open_database(file) as database:
        store = await SqliteJournal.open(database, "x")
        (row,) = await store.rows(0, 10)
    record = journal.decode(row.blob)
    assert record.kind == Kind.JOURNAL_NEW
    assert record.detail["previous"] == "journal-a"
    assert stage.house.salvaged[0].kept == 7


async def test_a_card_that_damages_all_it_is_given_is_not_salvaged_for_ever(tmp_path):
    file = tmp_path / "journal.sqlite"
    await write_night(file, passages=1)
    stage = Stage(file, *(StorageError("damaged", JOURNAL_FAULT) for _ in range(SALVAGES_MAX + 5)))
    await stage.run(0, begun=SALVAGES_MAX + 1)
    assert stage.begun == SALVAGES_MAX + 1
    assert len(stage.house.salvaged) == SALVAGES_MAX
