"""Cloned cards hand in through the real store: all is held once, and the report is exact."""

import asyncio
import tempfile
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from admission import journal
from admission.journal import Kind
from admission.reconcile import reconcile
from admission.scan import Direction
from copied_cards import START_MS, Card, Machine
from signed_server import SIGNER
from sync_server.entities import Checkpoint, Event, Gate, Organization, Venue
from sync_server.ledger import Ledger
from sync_server.reconciling import Reconciling
from sync_server.reporting import Reporting
from sync_server.storage.database import open_database
from sync_server.storage.journal_tables import journal_records, side_records
from tests.sync_server.conftest import SetClock, performance

steps = st.lists(
    st.tuples(
        st.sampled_from(("write", "write", "refuse", "contact", "contact", "clone", "rest")),
        st.integers(0, 2),
        st.integers(1, 5),
    ),
    min_size=4,
    max_size=30,
)


class Blank:
    """An empty database, which nobody wants to read in a message."""

    def __init__(self, raw):
        self.raw = raw


@pytest.fixture(scope="session")
def blank(empty_database):
    return Blank(empty_database)


class Link:
    """The way into the real store."""

    def __init__(self, reconciling):
        self.reconciling = reconciling

    async def upload(self, batch):
        return (await self.reconciling.take("g0", batch)).ack


async def _build(database):
    async with database.write() as transaction:
        await transaction.organizations.add_organization(Organization("root", None, "R"))
        await transaction.organizations.add_venue(Venue("venue", "root", "H", "Europe/Paris"))
        await transaction.organizations.add_event(Event("event", "root", "venue", "S"))
        await transaction.performances.add_performance(performance("p0"))
        await transaction.checkpoints.add_checkpoint(
            Checkpoint("c0", "venue", "c0", None, None, ("p0",))
        )
        gate = Gate("g0", "venue", "A", "c0", Direction.ENTRY, public_key=SIGNER.public_key)
        await transaction.gates.add_gate(gate)


@settings(max_examples=40)
@given(steps)
def test_of_cloned_cards_everything_is_held_once_and_the_report_is_the_one_from_scratch(
    blank, drawn
):
    asyncio.run(_play(blank.raw, drawn))


async def _play(empty, drawn):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "portillon.db"
        await asyncio.to_thread(path.write_bytes, empty)
        async with open_database(path) as database:
            await _build(database)
            clock = SetClock()
            clock.at_us = START_MS * 1000
            names = (f"journal-{number}" for number in count())
            link = Link(Reconciling(database, clock))
            machines = [Machine(link, Card(next(names)), names.__next__)]
            machines[0].write(0, Kind.JOURNAL_NEW)
            await _drive(machines, drawn)
            await _compare(database, machines)


async def _drive(machines, drawn):
    numbers = count(1)
    for act, which, size in drawn:
        machine = machines[which % len(machines)]
        match act:
            case "write" | "refuse":
                for _ in range(size):
                    kind = Kind.PASSED if act == "write" else Kind.DENIED
                    machine.write(next(numbers), kind)
            case "contact":
                await machine.contact(size)
            case "clone" if len(machines) < 3:
                machines.append(Machine(machine.link, machine.card.image(), machine.fresh))
            case "rest":
                machine.rest()
    for machine in machines * 2:
        await machine.settle()


async def _compare(database, machines):
    written = {
        (one.id, row.sequence, row.chain): journal.decode(row.blob)
        for machine in machines
        for one in machine.card.journals()
        for row in one.written
    }
    held = []
    async with database.read() as transaction:
        for table in (journal_records, side_records):
            rows = await transaction.connection.execute(
                select(table.c.journal_id, table.c.sequence, table.c.chain)
            )
            held += [tuple(row) for row in rows]
        feed = await transaction.facts.feed("p0", 0, 10_000)
        refused = await transaction.reports.refused_by_answer(["c0"])
        lines = await transaction.lines.of_gates(["g0"])
        for line in lines:
            rows = await transaction.lines.rows(line)
            value = line.after.chain
            for row in rows:
                value = journal.chain(value, row.blob)
                assert value == row.chain
            assert (rows[-1].sequence, rows[-1].chain) == (line.head.sequence, line.head.chain)
    assert sorted(held) == sorted(written)  # every record of every clone, and each once
    facts = {journal.fact_of(name, one) for (name, _, _), one in written.items()} - {None}
    assert len(feed.items) == len(facts)
    denied = {(name, at, one.wall_ms) for (name, at, _), one in written.items() if one.kind == 10}
    assert sum(refused.values()) == len(denied)
    judged = {"p0": performance("p0").judged()}
    expected = reconcile(judged, ["c0"], {}, facts)
    stored = await Reporting(database, Ledger(None, None)).rules("root")
    assert [(one.gate, one.sequence, one.reason) for one in stored.anomalies] == [
        (one.passage.gate, one.passage.sequence, one.reason) for one in expected.anomalies
    ]
    assert stored.occupancy == dict(expected.occupancy)
    assert stored.attendance == dict(expected.attendance)
