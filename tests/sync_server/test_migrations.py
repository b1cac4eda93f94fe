"""The database that the steps make is the database that the tables describe."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from sync_server.errors import StorageError
from sync_server.storage import migrations
from sync_server.storage.database import migrate, open_database
from sync_server.storage.tables import metadata


def _schema(connection):
    rows = connection.exec_driver_sql(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"
        " AND name NOT LIKE 'sqlite_autoindex_alembic%'"
    )
    return {(kind, name): _parts(sql) for kind, name, sql in rows}


def _parts(sql):
    """Give the columns and constraints, in no order: a column that is added comes last."""
    if sql is None:
        return None
    parts, depth = [""], 0
    for token in re.split(r"([(),])", " ".join(sql.split())):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if (token, depth) in ((",", 1), ("(", 1), (")", 0)):
            parts.append("")
        else:
            parts[-1] += token
    return sorted(part.strip() for part in parts)


def test_the_steps_make_exactly_the_tables_described():
    migrated, described = create_engine("sqlite://"), create_engine("sqlite://")
    with migrated.begin() as one, described.begin() as other:
        migrate(one)
        metadata.create_all(other)
        assert _schema(one) == _schema(other)
        assert compare_metadata(MigrationContext.configure(one), metadata) == []
    migrated.dispose()
    described.dispose()


async def test_opening_twice_changes_nothing(tmp_path):
    path = tmp_path / "portillon.db"
    async with open_database(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        before = list(connection.iterdump())
    async with open_database(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        assert list(connection.iterdump()) == before


async def test_a_database_is_opened_durable_and_with_foreign_keys(tmp_path):
    async with open_database(tmp_path / "portillon.db") as database, database.read() as transaction:
        pragmas = {
            name: await transaction.connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_a_database_of_a_newer_program_is_refused(tmp_path):
    path = tmp_path / "portillon.db"
    async with open_database(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StorageError, match="newer version"):
        async with open_database(path):
            pass


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "portillon.db"
    path.write_bytes(b"number;category\n123;vip\n" * 100)
    with pytest.raises(StorageError, match="cannot be used"):
        async with open_database(path):
            pass
    assert path.read_bytes() == b"number;category\n123;vip\n" * 100


def test_the_newest_step_is_the_one_that_the_program_knows():
    steps = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert steps.get_heads() == [migrations.NEWEST]


def test_refusals_of_before_side_lines_are_kept():
    steps = ScriptDirectory(str(Path(migrations.__file__).parent))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            for step in reversed(list(steps.walk_revisions("base", "0002"))):
                step.module.upgrade()
            connection.execute(text("INSERT INTO journals VALUES ('j', NULL, 0, x'00', 0)"))
            connection.execute(
                text("INSERT INTO refusals VALUES ('j', 7, 123, 'g', 'c', 'p', 'already_used')")
            )
            steps.get_revision("0003").module.upgrade()
        rows = connection.execute(text("SELECT * FROM refused_scans")).all()
    engine.dispose()
    assert rows == [("j", 7, 0, 123, "g", "c", "p", "already_used")]
