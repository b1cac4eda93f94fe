"""The final audit of an evening: what people did, what journals say, what the server reports.

Reads the databases that gates and server left behind, after they have stopped.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from admission import journal
from admission.journal import Flag, Kind, Record, fact_of
from admission.reconcile import ListedTicket, reconcile
from admission.ticket import EntryExit, Single
from admission.ticketlist.identifiers import identify
from sync_server.ledger import Ledger
from sync_server.reporting import Reporting
from sync_server.storage.database import open_database

RULES = {"single": Single(), "entry_exit": EntryExit()}
_FACTS = (Kind.PASSED, Kind.RESET, Kind.FREE)


@dataclass(frozen=True)
class GateJournal:
    """A stopped gate's journal.

    Attributes:
        id: its id.
        rows: sequence, chain and blob of each record, in order.
        records: what the blobs say.
        learned: (journal, sequence) of each fact that the feed brought.
    """

    id: str
    rows: list[tuple[int, bytes, bytes]]
    records: list[Record]
    learned: set[tuple[str, int]]

    @property
    def passages(self):
        return [record for record in self.records if record.kind == Kind.PASSED]

    @property
    def facts(self):
        return {(self.id, record.sequence) for record in self.records if record.kind in _FACTS}


def read_gate(data: Path) -> GateJournal:
    """Read a gate's database."""
    with closing(sqlite3.connect(data / "journal.sqlite")) as database:
        (name,) = database.execute("SELECT journal FROM identity").fetchone()
        rows = database.execute(
            "SELECT sequence, chain, blob FROM journal ORDER BY sequence"
        ).fetchall()
        items = database.execute("SELECT item FROM feed").fetchall()
    learned = {(item.gate, item.sequence) for (raw,) in items for item in [_item(raw)]}
    return GateJournal(name, rows, [journal.decode(row[2]) for row in rows], learned)


def _item(raw):
    import msgspec

    from admission.sync.messages import FeedItem

    return msgspec.msgpack.decode(raw, type=FeedItem)


def check_whole(own: GateJournal) -> None:
    """The journal has no gap, every chain value is right, every grant has one end."""
    assert [row[0] for row in own.rows] == list(range(1, len(own.rows) + 1))
    value = journal.genesis(own.id)
    for _, chain, blob in own.rows:
        value = journal.chain(value, blob)
        assert chain == value
    assert [one.sequence for one in own.records] == [row[0] for row in own.rows]
    grants = {one.sequence for one in own.records if one.kind == Kind.GRANTED}
    ends = Counter(one.refers_to for one in own.records if one.refers_to)
    assert set(ends) == grants
    assert set(ends.values()) <= {1}


def check_people(own: GateJournal, walked: int, *, was_ended: bool) -> None:
    """Whoever went through is a passage, nobody was made up, nobody entered twice by one gate."""
    certain = [one for one in own.passages if not one.flags & Flag.UNRESOLVED]
    assert len(certain) <= walked <= len(own.passages)
    assert was_ended or len(certain) == walked == len(own.passages)
    entries = Counter(
        one.identifier
        for one in own.passages
        if one.ticket_class is not None and one.ticket_class[1] == "single"
    )
    assert set(entries.values()) <= {1}


def server_rows(database: Path, name: str) -> list[tuple[int, bytes, bytes]]:
    """Give what the server has of a journal."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        return opened.execute(
            "SELECT sequence, chain, blob FROM journal_records WHERE journal_id = ? "
            "ORDER BY sequence",
            (name,),
        ).fetchall()


def check_handed_in(database: Path, journals: list[GateJournal]) -> None:
    """The server has every journal byte for byte, and nobody else's."""
    for own in journals:
        held = server_rows(database, own.id)
        assert held == own.rows[: len(held)]
        rest = own.records[len(held) :]  # what a gate writes while it stops
        assert not any(one.kind in (Kind.GRANTED, *_FACTS) for one in rest)


def check_all_know_all(journals: list[GateJournal]) -> None:
    """Every gate knows every fact: by its own journal, or by the feed."""
    everything = {fact for own in journals for fact in own.facts}
    for own in journals:
        assert own.learned | own.facts == everything


class FixedClock:
    """A clock for services that only read."""

    def now_us(self) -> int:
        return 0


async def check_report(database: Path, journals: list[GateJournal], tickets) -> dict[str, int]:
    """The stored report is the fold of the gates' journals, from scratch; give its figures.

    Args:
        database: the server's.
        journals: the gates'.
        tickets: the rule's name by number, of the only performance.
    """
    async with open_database(database) as opened:
        reporting = Reporting(opened, Ledger(FixedClock(), bytes))
        async with opened.read() as transaction:
            root = await transaction.organizations.root()
            (place,) = await transaction.checkpoints.checkpoints([root.id])
            (performance,) = await transaction.performances.performances([root.id])
            clocks = {own.id: await transaction.journals.clock(own.id) for own in journals}
        stored = await reporting.rules(root.id)
    listed = {
        (performance.id, identify(performance.list_key, number)): ListedTicket(RULES[rule])
        for number, rule in tickets.items()
    }
    facts = [
        fact_of(own.id, one, clocks[own.id].corrected(one)[0])
        for own in journals
        for one in own.records
        if one.kind in _FACTS
    ]
    scratch = reconcile({performance.id: performance.judged()}, [place.id], listed, facts)
    assert [(one.gate, one.sequence, one.reason) for one in stored.anomalies] == [
        (one.passage.gate, one.passage.sequence, one.reason) for one in scratch.anomalies
    ]
    assert stored.occupancy == dict(scratch.occupancy)
    assert stored.attendance == dict(scratch.attendance)
    return {
        "passages": len(facts),
        "anomalies": len(stored.anomalies),
        "occupancy": stored.occupancy[place.id],
        "attendance": stored.attendance[performance.id],
    }
