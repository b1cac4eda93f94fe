"""`kill -9` at random moments of the demonstration's traffic, twenty times in a row.

Real processes, real files, real sockets. In the end what the person at each turnstile did, what
the gates' journals say and what the server reports must be one truth: nothing lost, nothing
doubled. The moments are drawn from a seed that a failure prints.
"""

import asyncio
import random
import sqlite3
from collections import Counter

import pytest

from admission import journal
from admission.journal import Flag, Kind
from portillon.demo.gates import DemoGate
from portillon.demo.stage import Stage, build_venue, enrol_gates, open_stage

pytestmark = pytest.mark.chaos

KILLS = 20
SEED = 9


class Traffic:
    """People with good tickets, ever new ones, now and then one at both gates."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage = stage
        self._chance = chance
        self._tickets = iter(stage.cast.single)
        self._last = next(self._tickets)

    def show_one(self) -> None:
        """Show a ticket to one of the gates and wait for nothing."""
        gate = self._chance.choice(self._stage.gates)
        if self._chance.random() > 0.2:
            self._last = next(self._tickets, self._last)
        gate.present(self._last.encode(), "entry")


def victims(stage: Stage, chance: random.Random):
    """Each of the three often enough, in an order that nobody knows."""
    a, b = stage.gates
    order = [stage.server, a, b] * (KILLS // 3 + 1)
    chance.shuffle(order)
    return order[:KILLS]


async def kill_and_revive(stage: Stage, victim) -> None:
    if isinstance(victim, DemoGate):
        await victim.daemon.kill()
        await victim.daemon.start(stage.tasks)
        await victim.daemon.wait_for("its start", lambda event: event.get("event") == "gate ready")
    else:
        await victim.kill()
        await stage.start_server()


async def await_quiet(stage: Stage) -> None:
    """Wait until both gates are connected and the server has all that they wrote."""
    async with asyncio.timeout(60):
        while True:
            live = await stage.operator.get("live")
            if all(
                gate["state"] == "online" and gate["queue"] == 0 and gate["mode"] == "connected"
                for gate in live["gates"]
            ):
                return
            await asyncio.sleep(0.2)


def read_journal(gate: DemoGate):
    """Give a stopped gate's journal: its id and its rows."""
    with sqlite3.connect(gate.folder / "data" / "journal.sqlite") as connection:
        (name,) = connection.execute("SELECT journal FROM identity").fetchone()
        rows = connection.execute(
            "SELECT sequence, chain, blob FROM journal ORDER BY sequence"
        ).fetchall()
    connection.close()
    return name, rows


def server_rows(folder, name):
    """Give what the server has of a journal."""
    (path,) = (folder / "server").glob("*.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT sequence, chain, blob FROM journal_records WHERE journal_id = ? "
            "ORDER BY sequence",
            (name,),
        ).fetchall()
    connection.close()
    return rows


def check_journal(name, rows):
    """The journal is whole: no gap, every chain value right, every grant with one end."""
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    value = journal.genesis(name)
    for _, chain, blob in rows:
        value = journal.chain(value, blob)
        assert chain == value
    records = [journal.decode(blob) for _, _, blob in rows]
    grants = {record.sequence for record in records if record.kind == Kind.GRANTED}
    ends = Counter(record.refers_to for record in records if record.refers_to)
    assert set(ends) == grants
    assert set(ends.values()) <= {1}
    return records


def check_against_the_person(gate: DemoGate, records):
    """Everybody who went through is a passage; nobody is two, and nobody was made up."""
    walked = (gate.folder / "walked.log").read_bytes().count(b"\n")
    passages = [record for record in records if record.kind == Kind.PASSED]
    certain = [record for record in passages if not record.flags & Flag.UNRESOLVED]
    assert len(certain) <= walked <= len(passages)
    per_ticket = Counter(record.identifier for record in passages)
    assert set(per_ticket.values()) <= {1}  # all of them are tickets for one entry
    return passages


async def test_nothing_is_lost_or_doubled_by_twenty_kills(tmp_path):
    chance = random.Random(SEED)
    async with open_stage(tmp_path, 0) as stage:
        await build_venue(stage)
        for performance in (stage.tonight, stage.tomorrow):
            await stage.operator.post(f"performances/{performance}/publish")
        await enrol_gates(stage, ("gate A", "gate B"))
        for gate in stage.gates:
            await gate.daemon.start(stage.tasks)
            await gate.wait_mode("connected")
        traffic = Traffic(stage, chance)
        for victim in victims(stage, chance):
            for _ in range(chance.randint(1, 4)):
                traffic.show_one()
                await asyncio.sleep(chance.random() * 0.25)
            await kill_and_revive(stage, victim)
        await asyncio.sleep(1.0)  # whoever stands in a lane goes through
        await await_quiet(stage)
        report = await stage.operator.get("report")
        for gate in stage.gates:
            await gate.daemon.stop()
        passages = 0
        for gate in stage.gates:
            name, rows = read_journal(gate)
            records = check_journal(name, rows)
            passages += len(check_against_the_person(gate, records))
            held = server_rows(tmp_path, name)
            assert held == rows[: len(held)]
            assert not any(record.kind == Kind.PASSED for record in records[len(held) :])
        assert report["occupancy"][stage.checkpoint] == passages
        tickets = passages - len(report["anomalies"])
        assert report["attendance"][stage.tonight] == tickets
        assert passages > 20, f"too little happened, seed {SEED}"
