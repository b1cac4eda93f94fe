"""The figures of the live report, from what gates have journalled."""

from dataclasses import replace

import pytest

from admission.journal import Flag, Kind, Record, chain, encode, genesis
from admission.scan import Direction
from admission.sync.messages import Batch, Moment
from sync_server.entities import Checkpoint, Gate, ImportMode, Organization
from sync_server.errors import NotFoundError
from sync_server.importing import Importing
from sync_server.reconciling import Reconciling, refold_tickets
from sync_server.reporting import (
    AnomalyPassage,
    GateState,
    PassageLine,
    PerformanceStatus,
    Reporting,
)
from sync_server.sources.file import read_tickets
from sync_server.storage.tables import tickets

MINUTE_US = 60_000_000


@pytest.fixture
def reporting(venue, ledger):
    return Reporting(venue, ledger)


@pytest.fixture
def journal_of(venue, clock):
    reconciling = Reconciling(venue, clock)

    async def journal_of(gate, *records):
        name = f"journal of {gate}"
        blobs = [
            encode(
                Record(
                    sequence=place,
                    boot_ms=0,
                    boot_id=b"",
                    **{"checkpoint": "c0", "direction": 1, "performance": "p0"} | one,
                )
            )
            for place, one in enumerate(records, start=1)
        ]
        moment = Moment(clock.at_us // 1000, 2**62, b"")
        taken = await reconciling.take(gate, Batch(name, 1, genesis(name), blobs, moment))
        assert not taken.ack.malformed
        return taken

    return journal_of


def _passed(at_us, identifier, **more):
    return {
        "kind": int(Kind.PASSED),
        "wall_ms": at_us // 1000,
        "identifier": identifier,
        "answer": "granted",
    } | more


def _denied(at_us, answer, **more):
    return {"kind": int(Kind.DENIED), "wall_ms": at_us // 1000, "answer": answer} | more


async def test_an_empty_organization_has_an_empty_report(database, ledger):
    async with database.write() as transaction:
        await transaction.organizations.add_organization(Organization("root", None, "Root"))
    report = await Reporting(database, ledger).live("root")
    assert (report.performances, report.gates, report.anomalies) == ((), (), ())
    assert len(report.entries_per_minute) == 60
    assert (await Reporting(database, ledger).rules("root")).occupancy == {}


async def test_before_anybody_came_every_line_is_there_with_zeros(reporting):
    report = await reporting.live("root")
    line = report.performances[0]
    assert (line.id, line.name, line.event) == ("p0", "Name of p0", "Show")
    assert (line.listed, line.attendance, line.refused) == (0, 0, 0)
    assert line.status is PerformanceStatus.DRAFT
    (gate,) = report.gates
    assert (gate.state, gate.mode, gate.queue, gate.admitted) == (GateState.NEVER, "", 0, 0)
    assert [(one.id, one.occupancy, one.capacity) for one in report.checkpoints] == [
        ("c0", 0, None)
    ]


async def test_one_ticket_at_two_gates_is_one_anomaly_with_both_passages(
    reporting, venue, journal_of, clock, ledger, news, master
):
    importing = Importing(venue, read_tickets, refold_tickets, ledger, news)
    await importing.import_file(
        master,
        "p0",
        b"number\nA1\nA2\n",
        source_name="s",
        filename="f",
        mode=ImportMode.ADD,
    )
    async with venue.write() as transaction:
        await transaction.gates.add_gate(Gate("g1", "venue", "Gate B", "c0", Direction.EXIT))
        found = await transaction.connection.scalars(
            tickets.select().with_only_columns(tickets.c.identifier).order_by(tickets.c.number)
        )
        one, two = found.all()
    t = clock.at_us
    await journal_of("g0", _passed(t, one), _passed(t + 1000, two))
    await journal_of("g1", _passed(t + 5000, one, flags=int(Flag.UNRESOLVED)))
    report = await reporting.live("root")
    (anomaly,) = report.anomalies
    assert (anomaly.reason, anomaly.performance, anomaly.checkpoint) == (
        "already_used",
        "Name of p0",
        "North",
    )
    assert anomaly.ticket == one.hex()[:4]
    assert anomaly.passages == (
        AnomalyPassage("Gate A", t, Direction.ENTRY, is_anomaly=False),
        AnomalyPassage("Gate B", t + 5000, Direction.ENTRY, is_anomaly=True),
    )
    assert (report.performances[0].listed, report.performances[0].attendance) == (2, 2)
    assert report.checkpoints[0].occupancy == 3
    assert [(line.name, line.admitted) for line in report.gates] == [("Gate A", 2), ("Gate B", 1)]
    assert report.last_passages[0] == PassageLine(
        at_us=t + 5000,
        gate="Gate B",
        checkpoint="North",
        direction=Direction.ENTRY,
        performance="Name of p0",
        ticket=one.hex()[:4],
        answer="granted",
        override=False,
        unresolved=True,
    )
    assert [line.at_us for line in report.last_passages] == [t + 5000, t + 1000, t]


async def test_refusals_are_counted_by_answer_gate_and_performance(reporting, journal_of, clock):
    t = clock.at_us
    await journal_of(
        "g0",
        _denied(t, "already_used"),
        _denied(t, "already_used"),
        _denied(t, "unknown_ticket", performance=""),
    )
    report = await reporting.live("root")
    assert report.refusals == (("already_used", 2), ("unknown_ticket", 1))
    assert report.gates[0].refused == 3
    assert {line.id: line.refused for line in report.performances} == {"p0": 2, "p1": 0}


async def test_entries_are_counted_by_the_minute_without_gaps(reporting, journal_of, clock):
    clock.at_us += MINUTE_US - clock.at_us % MINUTE_US  # the first instant of a minute
    now = clock.at_us
    records = [
        _passed(now, b"1"),
        _passed(now - 1000, b"2"),
        _passed(now - 2 * MINUTE_US, b"3"),
        _passed(now - 2 * MINUTE_US, b"3", direction=2),
        _passed(now - 59 * MINUTE_US, b"4"),
        _passed(now - 60 * MINUTE_US, b"5"),
        {"kind": int(Kind.FREE), "wall_ms": now // 1000, "performance": ""},
    ]
    await journal_of("g0", *records)
    chart = (await reporting.live("root")).entries_per_minute
    assert [at for at, _ in chart] == [now - back * MINUTE_US for back in range(59, -1, -1)]
    assert {back: count for back, (_, count) in enumerate(reversed(chart)) if count} == {
        0: 2,
        1: 1,
        2: 1,
        59: 1,
    }


async def test_a_gate_shows_what_it_last_said_and_whether_it_is_there(reporting, venue, clock):
    lists = {"p0": 3, "p1": "x"}
    said = {"mode": "degraded", "queue": 12, "lists": lists, "causes": [], "peers": 5}
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        await transaction.gates.save_gate(replace(gate, enrolled_ms=1, public_key=b"k" * 32))
        await transaction.gates.note_gate("g0", 77, said)
    line = (await reporting.live("root")).gates[0]
    assert (line.state, line.mode, line.queue) == (GateState.OFFLINE, "degraded", 12)
    assert (line.list_versions, line.last_seen_ms, line.peers) == ({"p0": 3}, 77, 5)
    assert line.checkpoint == "North"
    reporting.connected.add("g0")
    assert (await reporting.live("root")).gates[0].state is GateState.ONLINE
    async with venue.write() as transaction:
        await transaction.checkpoints.add_checkpoint(
            Checkpoint("vip", "venue", "VIP door", None, None, ("p0",))
        )
        await transaction.gates.note_gate("g0", 78, said | {"checkpoint": "vip"})
    assert (await reporting.live("root")).gates[0].checkpoint == "VIP door"  # it was moved there
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        await transaction.gates.save_gate(replace(gate, revoked_ms=2))
    assert (await reporting.live("root")).gates[0].state is GateState.REVOKED


async def test_a_performance_is_draft_published_or_canceled(reporting, venue):
    async with venue.write() as transaction:
        await transaction.performances.note_published("p0", 4)
        performance = await transaction.performances.performance("p1")
        await transaction.performances.save_performance(replace(performance, canceled=True))
    lines = (await reporting.live("root")).performances
    assert [(one.status, one.published_version) for one in lines] == [
        (PerformanceStatus.PUBLISHED, 4),
        (PerformanceStatus.CANCELED, 0),
    ]


async def test_a_branch_sees_its_own_figures_only(reporting, venue, journal_of, clock):
    async with venue.write() as transaction:
        await transaction.organizations.add_organization(Organization("below", "root", "Below"))
        await transaction.checkpoints.add_checkpoint(
            Checkpoint("c1", "venue", "South", None, None, ())
        )
    await journal_of("g0", _passed(clock.at_us, b"x"))
    assert len((await reporting.live("root")).anomalies) == 1
    below = await reporting.live("below")
    assert (below.performances, below.gates, below.anomalies, below.last_passages) == (
        (),
        (),
        (),
        (),
    )
    assert (await reporting.rules("below")).anomalies == ()
    assert await reporting.organization_name("below") == "Below"
    assert list(await reporting.zones("root")) == ["Europe/Paris"]
    assert list(await reporting.zones("below")) == []
    with pytest.raises(NotFoundError):
        await reporting.organization_name("nowhere")


async def test_no_ticket_number_is_in_the_report(reporting, venue, journal_of, clock):
    identifier = b"\xab\xcd" + bytes(14)
    await journal_of("g0", _passed(clock.at_us, identifier))
    report = repr(await reporting.live("root"))
    assert "abcd" in report
    assert identifier.hex()[:6] not in report
    assert chain(b"", b"").hex() not in report
