"""D16 and more, with real processes: two gates of one network, and a server that comes and goes.

Everything is on this machine's loopback; nothing is announced anywhere.
"""

import asyncio
import sqlite3
from contextlib import asynccontextmanager

import pytest

from portillon.demo.gates import DemoGate
from portillon.demo.stage import build_venue, enrol_gates, open_stage

pytestmark = pytest.mark.chaos

RECORDS = "SELECT sequence, chain, blob FROM journal_records WHERE journal_id = ? ORDER BY sequence"
WRITTEN = "SELECT sequence, chain, blob FROM journal ORDER BY sequence"
JOURNAL = "SELECT j.id FROM journals j JOIN gates g ON g.id = j.gate_id WHERE g.name = ?"
WALK_S = 0.4  # from one gate to the next, before the first one's person has gone through


def on_loopback(port: int, *others: int) -> str:
    addresses = ", ".join(f'"127.0.0.1:{other}"' for other in others)
    return f'listen = "127.0.0.1"\nport = {port}\ndiscovery = false\naddresses = [{addresses}]\n'


@asynccontextmanager
async def two_gates(folder, unused_tcp_port_factory):
    a, b = unused_tcp_port_factory(), unused_tcp_port_factory()
    async with open_stage(folder, 0, peers=(on_loopback(a), on_loopback(b, a))) as stage:
        await build_venue(stage)
        for performance in (stage.tonight, stage.tomorrow):
            await stage.operator.post(f"performances/{performance}/publish")
        await enrol_gates(stage, ("gate A", "gate B"))
        yield stage


async def start(stage, gate: DemoGate, mode: str = "connected") -> None:
    place = gate.daemon.seen
    await gate.daemon.start(stage.tasks)
    await gate.daemon.wait_for("its start", lambda one: one.get("event") == "gate ready", place)
    await gate.daemon.wait_for(  # what is read before it is there is lost, as on a real line
        "its reader", lambda one: one.get("event") == "reader is there", place
    )
    if mode == "connected":
        await gate.wait_mode(mode, place)


async def hears(gate: DemoGate, count: int, after: int = 0) -> None:
    await gate.daemon.wait_for(
        f"{count} neighbours",
        lambda one: one.get("event") == "neighbours heard" and one.get("count") == count,
        after,
    )


async def no_server(stage) -> None:
    places = [gate.daemon.seen for gate in stage.gates]
    await stage.server.kill()
    for gate, place in zip(stage.gates, places, strict=True):
        await gate.wait_mode("degraded", place)


def rows_of(path, sql, *values):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        rows = connection.execute(sql, values).fetchall()
    connection.close()
    return rows


async def test_without_the_server_a_ticket_used_at_one_gate_is_refused_at_the_other(
    tmp_path, unused_tcp_port_factory
):
    async with two_gates(tmp_path, unused_tcp_port_factory) as stage:
        a, b = stage.gates
        for gate in stage.gates:
            await start(stage, gate)
        await hears(a, 1)
        await hears(b, 1)
        await no_server(stage)
        first, second, third = (number.encode() for number in stage.cast.single[:3])

        assert (await a.show(first, "entry"))["answer"] == "granted"
        await asyncio.sleep(WALK_S)
        assert (await b.show(first, "entry"))["answer"] == "already_used"

        await asyncio.sleep(2.0)  # the person has gone through, the journal has followed
        await b.daemon.kill()
        place = b.daemon.seen
        await start(stage, b, "degraded")
        assert (await b.show(first, "entry"))["answer"] == "already_used"
        assert (await b.show(second, "entry"))["answer"] == "granted"
        await hears(b, 1, place)

        assert (await b.show(third, "entry"))["answer"] == "granted"
        await asyncio.sleep(WALK_S)
        assert (await a.show(third, "entry"))["answer"] == "already_used"


async def test_a_gate_without_a_link_reaches_the_server_through_its_neighbour(
    tmp_path, unused_tcp_port_factory
):
    async with two_gates(tmp_path, unused_tcp_port_factory) as stage:
        a, b = stage.gates
        for gate in stage.gates:
            await start(stage, gate)
        await hears(b, 1)
        await a.daemon.stop()
        dead = unused_tcp_port_factory()
        text = a.config.read_text()
        a.config.write_text(text.replace(stage.address, f"http://127.0.0.1:{dead}"))
        await start(stage, a, "degraded")
        for number in stage.cast.single[:3]:
            assert (await a.show(number.encode(), "entry"))["answer"] == "granted"
            await asyncio.sleep(1.0)  # somebody goes through
        (database,) = (tmp_path / "server").glob("*.db")
        ((name,),) = rows_of(database, JOURNAL, "gate A")
        async with asyncio.timeout(40):
            while len(held := rows_of(database, RECORDS, name)) < 8:  # noqa: ASYNC110 (a file)
                await asyncio.sleep(0.3)
        await a.daemon.stop()
        written = rows_of(a.folder / "data" / "journal.sqlite", WRITTEN)
        assert held == written[: len(held)]
        report = await stage.operator.get("report")
        assert report["occupancy"][stage.checkpoint] == 3
