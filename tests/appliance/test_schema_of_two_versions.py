"""A version that is on trial may be left: the one before has to open the database it leaves.

The rule is expand, commit, contract (docs/operations/updates.md): a script only adds, and says by
`-- readable by programs of schema N on` whom it leaves able to read and write.
"""

import sqlite3
from contextlib import closing

import pytest

from appliance.errors import StorageError
from appliance.storage import database
from appliance.storage.database import open_database, readable_from, scripts

FIRST_IN_THE_FIELD = 3  # before it no gate ran: nobody goes back behind it
NEWEST = max(scripts())
EXPAND = f"""-- a column and a table more
-- readable by programs of schema {NEWEST} on
ALTER TABLE journal ADD COLUMN noted INTEGER;
CREATE TABLE more (one INTEGER PRIMARY KEY) STRICT;
"""
CONTRACT = "DROP TABLE probe;\n"
WRITE = (
    "INSERT INTO journal (sequence, kind, refers_to, chain, blob) VALUES (?, 1, 0, x'00', x'00')"
)


async def opened_by_the_next(path, monkeypatch, script: str) -> None:
    """Open a file with a program of the next schema, and let it write."""
    with monkeypatch.context() as later:
        later.setattr(database, "scripts", lambda: scripts() | {NEWEST + 1: script})
        async with open_database(path) as opened:
            await opened.run("written", WRITE, (1,))


def test_each_script_since_gates_are_in_the_field_leaves_the_former_version_able_to_read():
    late = {number: text for number, text in scripts().items() if number > FIRST_IN_THE_FIELD}
    assert [number for number, text in late.items() if readable_from(number, text) >= number] == []


async def test_the_former_program_reads_and_writes_what_the_newest_scripts_leave(
    tmp_path, monkeypatch
):
    """All scripts there are, but for a program that knows them only as far as gates did."""
    path = tmp_path / "gate.db"
    async with open_database(path):
        pass
    known = {number: text for number, text in scripts().items() if number <= FIRST_IN_THE_FIELD}
    monkeypatch.setattr(database, "scripts", lambda: known)
    async with open_database(path) as former:
        await former.run("written", WRITE, (1,))
        await former.probe()


async def test_a_version_that_only_added_can_be_left_and_come_back_to(tmp_path, monkeypatch):
    path = tmp_path / "gate.db"
    await opened_by_the_next(path, monkeypatch, EXPAND)
    async with open_database(path) as former:
        await former.run("written", WRITE, (2,))
        await former.probe()
    with monkeypatch.context() as later:
        later.setattr(database, "scripts", lambda: scripts() | {NEWEST + 1: EXPAND})
        async with open_database(path) as again:
            rows = await again.run("read", "SELECT sequence, noted FROM journal")
    assert rows == [(1, None), (2, None)]


async def test_a_version_that_took_away_is_not_opened_by_the_former(tmp_path, monkeypatch):
    path = tmp_path / "gate.db"
    await opened_by_the_next(path, monkeypatch, CONTRACT)
    with pytest.raises(StorageError, match="install the newer program"):
        async with open_database(path):
            pass
    with closing(sqlite3.connect(path)) as left:
        assert left.execute("PRAGMA user_version").fetchone() == (NEWEST + 1,)


async def test_what_takes_away_is_not_forgotten_by_what_only_adds_after_it(tmp_path, monkeypatch):
    path = tmp_path / "gate.db"
    both = {NEWEST + 1: CONTRACT, NEWEST + 2: EXPAND}
    with monkeypatch.context() as later:
        later.setattr(database, "scripts", lambda: scripts() | both)
        async with open_database(path):
            pass
    with pytest.raises(StorageError, match="install the newer program"):
        async with open_database(path):
            pass
