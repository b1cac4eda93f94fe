"""Nights that other systems record in two or three ways: here in one, whatever came first.

Gates N, S and W were alone and showed green each time. Their journals come to the real store in
every order that keeps each gate's own, in every division into batches, some of them twice. Each
case has one report, the same bytes for every way, and the bytes of the report from scratch.
"""

import itertools
import json
from dataclasses import dataclass, field

import pytest
from sqlalchemy import insert

from admission import journal
from admission.journal import Flag, Kind
from admission.passage import fold_key
from admission.reconcile import ListedTicket, StateChange, reconcile
from admission.scan import Direction
from admission.sync.messages import Batch, Moment
from admission.ticket import EntryExit, Multi, PassRule, Single, TicketState
from sync_server.entities import Checkpoint, Event, Gate, Organization, Venue, instant
from sync_server.ledger import Ledger
from sync_server.reconciling import Reconciling
from sync_server.reporting import Reporting
from sync_server.storage.tables import ticket_classes, ticket_states, tickets
from tests.sync_server.conftest import performance

EVENING_MS = journal.wall_ms(instant(1_780_000_000_000_000).replace(hour=17, minute=0))
GATES = ("N", "S", "W")
ENTRY, EXIT = 1, 2
TWICE = 3  # every so many batches is sent again, with each that follows


def moment(text):
    """Give milliseconds since 1970 of a time of day, an hour ahead of UTC's."""
    hours, minutes = (int(part) for part in text.split(":"))
    return EVENING_MS + (hours - 18) * 3_600_000 + minutes * 60_000


@dataclass(frozen=True)
class Shown:
    """A ticket shown at a gate, all of them green there."""

    gate: str
    at: str
    direction: int = ENTRY
    passed: bool = True  # whether somebody went through


@dataclass(frozen=True)
class Case:
    """A night, and what is true of it."""

    rule: PassRule
    shown: list[Shown]
    anomalies: list[tuple[str, str, str]]  # gate, time of day, reason
    occupancy: int
    states: list[tuple[str, str]] = field(default_factory=list)
    attendance: int = 1


CASES = {
    "D01 one ticket, two gates": Case(
        Single(),
        [Shown("N", "19:30"), Shown("S", "19:35")],
        [("S", "19:35", "already_used")],
        2,
    ),
    "D02 two entries and one exit": Case(
        EntryExit(),
        [Shown("N", "19:30"), Shown("S", "19:35"), Shown("N", "20:00", EXIT)],
        [("S", "19:35", "already_inside")],
        1,
    ),
    "D03 an exit that is sent after the entry that it makes legal": Case(
        EntryExit(),
        [Shown("N", "19:30"), Shown("N", "19:40", EXIT), Shown("S", "19:50")],
        [],
        1,
    ),
    "D04 an exit of somebody who was outside": Case(
        EntryExit(),
        [Shown("N", "19:40", EXIT), Shown("S", "19:50")],
        [("N", "19:40", "not_inside")],
        0,
    ),
    "D05 three entries where two a day are allowed": Case(
        Multi(None, 2),
        [Shown("N", "19:30"), Shown("S", "19:35"), Shown("W", "19:40")],
        [("W", "19:40", "daily_limit_reached")],
        3,
    ),
    "D06 two passages in all, in either direction": Case(
        Multi(2, None),
        [Shown("N", "19:30"), Shown("S", "19:35"), Shown("N", "19:36", EXIT), Shown("W", "19:40")],
        [("N", "19:36", "no_passes_left"), ("W", "19:40", "no_passes_left")],
        2,
    ),
    "D07 in and out at two gates by turns": Case(
        EntryExit(),
        [
            Shown("N", "19:30"),
            Shown("S", "19:40", EXIT),
            Shown("N", "19:50"),
            Shown("S", "20:00", EXIT),
        ],
        [],
        0,
    ),
    "D08 a first passage that is sent last": Case(
        Single(),
        [Shown("N", "19:30"), Shown("S", "19:35")],
        [("S", "19:35", "already_used")],
        2,
    ),
    "D09 canceled before the scan": Case(
        Single(),
        [Shown("N", "19:30")],
        [("N", "19:30", "canceled")],
        1,
        [("19:20", "canceled")],
    ),
    "D10 canceled after the scan": Case(
        Single(),
        [Shown("N", "19:30")],
        [],
        1,
        [("19:50", "canceled")],
    ),
    "D12 two passages at one instant": Case(
        Single(),
        [Shown("N", "19:30"), Shown("S", "19:30")],
        [("S", "19:30", "already_used")],
        2,
    ),
    "D17 an arm that did not turn": Case(
        Single(),
        [Shown("N", "19:30", passed=False), Shown("S", "19:35")],
        [],
        1,
    ),
}

WAYS_MAX = 12  # of each case in the everyday suite; the slow test takes them all


class Night:
    """One way in which a case's journals reach the server, apart from all others in its database.

    It has journals, a ticket and a checkpoint of its own.
    """

    def __init__(self, case, way):
        self.case, self.way = case, way
        self.place, self.identifier = f"door {way}", way.to_bytes(16, "big")
        self.blobs = {gate: [] for gate in GATES}
        self.facts = []
        for shown in case.shown:
            self._write(shown)

    def _write(self, shown):
        grant = self._record(shown, Kind.GRANTED)
        end = journal.ending(
            grant, Kind.PASSED if shown.passed else Kind.NOT_PASSED, grant.sequence
        )
        written = self.blobs[shown.gate]
        for record in (grant, end):
            placed = journal.placed(record, len(written) + 1, 0)
            written.append(journal.encode(placed))
            fact = journal.fact_of(self.journal(shown.gate), placed)
            self.facts += [] if fact is None else [fact]

    def _record(self, shown, kind):
        return journal.Record(
            kind=int(kind),
            sequence=len(self.blobs[shown.gate]) + 1,
            wall_ms=moment(shown.at),
            boot_ms=0,
            boot_id=b"",
            checkpoint=self.place,
            performance="p0",
            identifier=self.identifier,
            direction=shown.direction,
            flags=int(Flag.DEGRADED),
        )

    def journal(self, gate):
        return f"{gate} {self.way}"

    def batches(self, gate, ends):
        """Divide a gate's journal into batches that end at these sequences."""
        chains = [journal.genesis(self.journal(gate))]
        for blob in self.blobs[gate]:
            chains.append(journal.chain(chains[-1], blob))
        found, before = [], 0
        for end in ends:
            blobs = self.blobs[gate][before:end]
            sent = Moment(0, 1 << 60, b"")  # no contact: their clocks were right
            found.append(Batch(self.journal(gate), before + 1, chains[before], blobs, sent))
            before = end
        return found


def ways(case):
    """Give every division into batches, with every order that keeps each gate's own."""
    lengths = {gate: 2 * sum(one.gate == gate for one in case.shown) for gate in GATES}
    present = [gate for gate in GATES if lengths[gate]]
    for ends in itertools.product(*(divisions(lengths[gate]) for gate in present)):
        turns = [gate for gate, some in zip(present, ends, strict=True) for _ in some]
        for order in sorted(set(itertools.permutations(turns))):
            yield dict(zip(present, ends, strict=True)), order


def divisions(length):
    """Give the ends of batches: a scan's two records stay together, or do not, or all at once."""
    pairs = list(range(2, length + 1, 2))
    for cut in itertools.chain.from_iterable(
        itertools.combinations(pairs[:-1], count) for count in range(len(pairs))
    ):
        yield [*cut, length]
    yield [1, length]


@pytest.mark.parametrize("name", CASES)
async def test_a_night_has_one_record_whatever_came_first(name, database, clock):
    chosen = list(ways(CASES[name]))
    await play(CASES[name], chosen[:: len(chosen) // WAYS_MAX + 1], database, clock)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
async def test_a_night_has_one_record_in_every_way_that_it_can_come(name, database, clock):
    await play(CASES[name], list(ways(CASES[name])), database, clock)


async def play(case, chosen, database, clock):
    nights = [Night(case, way) for way in range(len(chosen))]
    await build(database, nights)
    reconciling = Reconciling(database, clock)
    for night, (ends, order) in zip(nights, chosen, strict=True):
        batches = {gate: iter(night.batches(gate, some)) for gate, some in ends.items()}
        sent = []
        for gate in order:
            sent.append((gate, next(batches[gate])))
            again = sent[night.way % TWICE :: TWICE]  # the first, or a later one, once more
            for whose, batch in (*again, sent[-1], *again):
                await reconciling.take(f"gate {whose}", batch)
    found = await Reporting(database, Ledger(None, None)).rules("root")
    reports = {stored_bytes(found, night) for night in nights}
    assert reports == {true_bytes(case)}
    assert {scratch_bytes(night) for night in nights} == reports
    assert found.attendance == {"p0": case.attendance * len(nights)}


async def build(database, nights):
    async with database.write() as transaction:
        await transaction.organizations.add_organization(Organization("root", None, "Root"))
        await transaction.organizations.add_venue(Venue("venue", "root", "Hall", "Europe/Paris"))
        await transaction.organizations.add_event(Event("event", "root", "venue", "Show"))
        await transaction.performances.add_performance(performance("p0", timezone="Etc/GMT-1"))
        for night in nights:
            await transaction.checkpoints.add_checkpoint(
                Checkpoint(night.place, "venue", night.place, None, None, ("p0",))
            )
        for gate in GATES:
            await transaction.gates.add_gate(
                Gate(f"gate {gate}", "venue", gate, nights[0].place, Direction.ENTRY)
            )
        await list_tickets(transaction, nights)


async def list_tickets(transaction, nights):
    source = await transaction.tickets.add_source("p0", "file", "s")
    rule = nights[0].case.rule
    mode = {Single: "single", EntryExit: "entry_exit", Multi: "multi"}[type(rule)]
    total, per_day = (rule.total, rule.per_day) if isinstance(rule, Multi) else (None, None)
    class_id = await transaction.connection.scalar(
        insert(ticket_classes)
        .values(performance_id="p0", category="c", mode=mode, total=total, per_day=per_day)
        .returning(ticket_classes.c.id)
    )
    for night in nights:
        await transaction.connection.execute(
            insert(tickets).values(
                identifier=night.identifier,
                number=str(night.way),
                class_id=class_id,
                source_id=source.id,
            )
        )
        for ordinal, (since, state) in enumerate(night.case.states):
            await transaction.connection.execute(
                insert(ticket_states).values(
                    identifier=night.identifier,
                    ordinal=ordinal,
                    from_us=moment(since) * 1000,
                    state=state,
                    origin="operator",
                )
            )


def written(anomalies, occupancy):
    return json.dumps({"anomalies": anomalies, "occupancy": occupancy}).encode()


def true_bytes(case):
    counts = dict.fromkeys(GATES, 0)
    sequences = {}
    for shown in case.shown:
        counts[shown.gate] += 2
        sequences[shown.gate, shown.at] = counts[shown.gate]
    return written(
        [[gate, sequences[gate, at], reason] for gate, at, reason in case.anomalies],
        case.occupancy,
    )


def stored_bytes(report, night):
    suffix = f" {night.way}"
    mine = [
        [one.gate.removesuffix(suffix), one.sequence, one.reason]
        for one in report.anomalies
        if one.gate.endswith(suffix)
    ]
    return written(mine, report.occupancy[night.place])


def scratch_bytes(night):
    case = night.case
    changes = [
        StateChange(instant(moment(since) * 1000), TicketState(state))
        for since, state in case.states
    ]
    report = reconcile(
        {"p0": performance("p0", timezone="Etc/GMT-1").judged()},
        [night.place],
        {("p0", night.identifier): ListedTicket(case.rule, tuple(changes))},
        sorted(night.facts, key=fold_key, reverse=True),
    )
    anomalies = [
        [one.passage.gate.split()[0], one.passage.sequence, one.reason.value]
        for one in report.anomalies
    ]
    assert report.attendance == {"p0": case.attendance}
    return written(anomalies, report.occupancy[night.place])


async def test_d11_a_clock_400_days_fast_does_not_make_a_first_passage_the_second(database, clock):
    """The gate was started anew before it reached the server: the next contact sets it right."""
    night = Night(CASES["D01 one ticket, two gates"], 0)
    await build(database, [night])
    reconciling = Reconciling(database, clock)
    fast_ms = 400 * 86_400_000
    clock.at_us = (moment("20:00")) * 1000
    records = [journal.decode(blob) for blob in night.blobs["N"]]
    night.blobs["N"] = [
        journal.encode(changed(one, wall_ms=one.wall_ms + fast_ms, boot_id=b"1" * 16))
        for one in records
    ]
    (north,), (south,) = night.batches("N", [2]), night.batches("S", [2])
    contact = Moment(moment("20:00") + fast_ms, 60_000, b"2" * 16)
    await reconciling.take("gate S", south)
    await reconciling.take("gate N", changed(north, sent=contact))
    found = await Reporting(database, Ledger(None, None)).rules("root")
    assert stored_bytes(found, night) == true_bytes(night.case)
    items = (await reconciling.feed("p0", 0)).items
    assert {item.gate: item.at_us // 1000 for item in items} == {
        "N 0": moment("19:30"),
        "S 0": moment("19:35"),
    }


def changed(struct, **fields):
    values = {name: getattr(struct, name) for name in struct.__struct_fields__}
    return type(struct)(**values | fields)


async def test_d13_a_batch_that_is_sent_three_times_is_sent_once(database, clock):
    night = Night(CASES["D05 three entries where two a day are allowed"], 0)
    await build(database, [night])
    reconciling = Reconciling(database, clock)
    for _ in range(3):
        for gate in ("W", "N", "S"):
            (batch,) = night.batches(gate, [2])
            taken = await reconciling.take(f"gate {gate}", batch)
            assert (taken.ack.head, taken.ack.conflict) == (2, False)
    found = await Reporting(database, Ledger(None, None)).rules("root")
    assert stored_bytes(found, night) == true_bytes(night.case)
    assert len((await reconciling.feed("p0", 0)).items) == 3


async def test_d14_one_malformed_item_keeps_no_other_back(database, clock):
    night = Night(CASES["D07 in and out at two gates by turns"], 0)
    await build(database, [night])
    reconciling = Reconciling(database, clock)
    night.blobs["N"].insert(2, b"\xc1 no record")
    night.blobs["N"][3:] = [
        journal.encode(changed(one, sequence=place, refers_to=one.refers_to and one.refers_to + 1))
        for place, one in enumerate(map(journal.decode, night.blobs["N"][3:]), start=4)
    ]
    (north,), (south,) = night.batches("N", [5]), night.batches("S", [4])
    taken = await reconciling.take("gate N", north)
    assert [bad.sequence for bad in taken.ack.malformed] == [3]
    assert taken.ack.head == 5
    await reconciling.take("gate S", south)
    found = await Reporting(database, Ledger(None, None)).rules("root")
    assert stored_bytes(found, night) == true_bytes(night.case)
