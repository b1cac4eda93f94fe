"""What a transaction promises: one writer, readers beside it, all or nothing."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from sync_server.storage.database import open_database


async def test_a_view_to_read_from_cannot_write(tmp_path):
    async with open_database(tmp_path / "portillon.db") as database:
        async with database.read() as transaction:
            with pytest.raises(OperationalError, match="readonly"):
                await transaction.connection.execute(text("DELETE FROM users"))
        async with database.write() as transaction:
            await transaction.connection.execute(text("DELETE FROM users"))


async def test_a_reader_sees_nothing_of_a_writer_that_has_not_ended(tmp_path):
    add = text("INSERT INTO organizations (id, name) VALUES ('o', 'O')")
    async with open_database(tmp_path / "portillon.db") as database:
        async with database.write() as writing:
            await writing.connection.execute(add)
            async with database.read() as reading:
                assert await reading.organizations.root() is None
        async with database.read() as reading:
            assert (await reading.organizations.root()).name == "O"


async def test_what_fails_halfway_leaves_nothing(tmp_path):
    add = text("INSERT INTO organizations (id, name) VALUES ('o', 'O')")
    async with open_database(tmp_path / "portillon.db") as database:

        async def fail_halfway():
            async with database.write() as writing:
                await writing.connection.execute(add)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail_halfway()
        async with database.read() as reading:
            assert await reading.organizations.root() is None


async def test_writers_come_one_after_the_other(tmp_path):
    async with open_database(tmp_path / "portillon.db") as database:
        running = []

        async def write(name):
            async with database.write() as writing:
                running.append(name)
                await writing.connection.execute(text("SELECT 1"))
                assert running[-1] == name

        await asyncio.gather(*(write(name) for name in range(20)))
        assert sorted(running) == list(range(20))


async def test_a_writer_that_is_canceled_makes_way_and_leaves_nothing(tmp_path):
    add = text("INSERT INTO organizations (id, name) VALUES ('o', 'O')")
    async with open_database(tmp_path / "portillon.db") as database:
        written = asyncio.Event()

        async def write():
            async with database.write() as writing:
                await writing.connection.execute(add)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(write())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with database.write() as writing:
            assert await writing.organizations.root() is None


async def test_more_readers_than_connections_take_turns(tmp_path):
    async with open_database(tmp_path / "portillon.db") as database:

        async def read():
            async with database.read() as reading:
                return await reading.connection.scalar(text("SELECT 7"))

        assert await asyncio.gather(*(read() for _ in range(50))) == [7] * 50


async def test_the_pulse_waits_for_whoever_writes_and_goes_through_the_writers_thread(tmp_path):
    async with open_database(tmp_path / "a.db") as database:
        await asyncio.wait_for(database.pulse(), 5)
        async with asyncio.TaskGroup() as group:
            async with database.write():
                asked = group.create_task(database.pulse())
                await asyncio.sleep(0)
                assert not asked.done()
            await asyncio.wait_for(asked, 5)
        async with database.write() as transaction:  # the pulse has left nothing behind
            await transaction.organizations.root()


async def test_the_pulse_answers_for_a_file_that_another_program_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("sync_server.storage.database.BUSY_S", 0.05)
    async with open_database(tmp_path / "a.db") as database:
        with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as backup:
            backup.execute("BEGIN IMMEDIATE")
            await asyncio.wait_for(database.pulse(), 5)
