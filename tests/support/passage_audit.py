"""The final audit of an evening: what people did, what journals say, what the server reports.

Reads the databases that gates and server left behind, after they have stopped.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from admission import journal
from admission.journal import Flag, Kind, Record, fact_of
from admission.reconcile import ListedTicket, distinct, reconcile
from admission.sync.messages import FeedItem
from admission.ticket import EntryExit, Single
from admission.ticketlist.identifiers import identify
from sync_server.ledger import Ledger
from sync_server.reporting import Reporting
from sync_server.storage.database import open_database

RULES = {"single": Single(), "entry_exit": EntryExit()}
_FACTS = (Kind.PASSED, Kind.RESET, Kind.FREE)


@dataclass(frozen=True)
class GateJournal:
    """One of a gate's journals.

    Attributes:
        id: its id.
        rows: sequence, chain and blob of each record, in order.
        records: what the blobs say.
    """

    id: str
    rows: list[tuple[int, bytes, bytes]]
    records: list[Record]


@dataclass(frozen=True)
class Card:
    """What a stopped gate's card holds.

    Attributes:
        journals: all that it ever wrote, the present one last.
        learned: (journal, sequence) of each fact that the feed brought.
    """

    journals: list[GateJournal]
    learned: set[tuple[str, int]]

    def of_kind(self, *kinds):
        """Give its records of some kinds, each with its journal's id."""
        return [(own.id, one) for own in self.journals for one in own.records if one.kind in kinds]

    @property
    def passages(self):
        return self.of_kind(Kind.PASSED)

    @property
    def facts(self):
        return {(name, one.sequence) for name, one in self.of_kind(*_FACTS)}


def read_card(data: Path) -> Card:
    """Read a gate's database."""
    with closing(sqlite3.connect(data / "journal.sqlite")) as database:
        begun = database.execute(
            "SELECT journal, base FROM former_journals "
            "UNION SELECT journal, base FROM identity ORDER BY base"
        ).fetchall()
        rows = database.execute("SELECT sequence, chain, blob FROM journal ORDER BY 1").fetchall()
        items = database.execute("SELECT item FROM feed").fetchall()
    journals = []
    for place, (name, base) in enumerate(begun):
        end = begun[place + 1][1] if place + 1 < len(begun) else rows[-1][0]
        own = [(number - base, *rest) for number, *rest in rows if base < number <= end]
        journals.append(GateJournal(name, own, [journal.decode(blob) for *_, blob in own]))
    told = [msgspec.msgpack.decode(raw, type=FeedItem) for (raw,) in items]
    return Card(journals, {(item.gate, item.sequence) for item in told})


def check_whole(card: Card) -> None:
    """No journal has a gap, every chain value is right, every grant has one end."""
    for own in card.journals:
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


def check_people(card: Card, walked: int, *, was_ended: bool) -> None:
    """Whoever went through is a passage, nobody was made up, nobody entered twice by one gate."""
    certain, noted = len(_certain(card.passages)), len(card.passages)
    assert certain <= walked <= noted, f"{walked} walked; {certain} of {noted} are certain"
    assert was_ended or certain == walked == noted, f"{walked} walked; {certain} of {noted}"
    check_no_second_entry(card)


def check_people_of_copies(cards: list[Card], walked: int) -> None:
    """The same of a card and its copies, which begin alike."""
    crossings = {(name, one.sequence, journal.encode(one)): (name, one)
                for card in cards for name, one in card.passages}  # fmt: skip
    assert len(_certain(list(crossings.values()))) <= walked <= len(crossings)


def check_no_second_entry(card: Card) -> None:
    """Nobody entered twice on a ticket for one entry by the gate that knew of it."""
    entries = Counter(
        one.identifier
        for _, one in card.passages
        if one.ticket_class is not None and one.ticket_class[1] == "single"
    )
    assert set(entries.values()) <= {1}


def _certain(passages):
    return [one for _, one in passages if not one.flags & Flag.UNRESOLVED]


def check_handed_in(database: Path, cards: list[Card]) -> None:
    """The server has every journal byte for byte, on its main line or on a side line."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        for own in (one for card in cards for one in card.journals):
            held = _main_line(opened, own.id) | _side_lines(opened, own.id)
            late = [row for row in own.rows if row not in held]
            assert late == own.rows[len(own.rows) - len(late) :]
            told = own.records[len(own.rows) - len(late) :]  # what a gate writes while it stops
            assert not any(one.kind in (Kind.GRANTED, *_FACTS) for one in told)


def _main_line(opened: sqlite3.Connection, name: str) -> set[tuple[int, bytes, bytes]]:
    return set(
        opened.execute(
            "SELECT sequence, chain, blob FROM journal_records WHERE journal_id = ?", (name,)
        )
    )


def _side_lines(opened: sqlite3.Connection, name: str) -> set[tuple[int, bytes, bytes]]:
    found = opened.execute(
        "SELECT side.sequence, side.chain, coalesce(fork.blob, main.blob) FROM side_records side "
        "LEFT JOIN journal_forks fork USING (journal_id, sequence, blob_sha256) "
        "LEFT JOIN journal_records main ON main.journal_id = side.journal_id "
        "AND main.sequence = side.sequence WHERE side.journal_id = ?",
        (name,),
    )
    return set(found)


def check_all_know_all(cards: list[Card]) -> None:
    """Every gate knows every fact: by its own journal, or by the feed."""
    everything = {fact for card in cards for fact in card.facts}
    for card in cards:
        assert card.learned | card.facts == everything


class FixedClock:
    """A clock for services that only read."""

    def now_us(self) -> int:
        return 0


async def check_report(database: Path, cards: list[Card], tickets) -> dict[str, int]:
    """The stored report is the fold of the gates' journals, from scratch; give its figures.

    Args:
        database: the server's.
        cards: the gates'.
        tickets: the rule's name by number, of the only performance.
    """
    async with open_database(database) as opened:
        reporting = Reporting(opened, Ledger(FixedClock(), bytes))
        async with opened.read() as transaction:
            root = await transaction.organizations.root()
            (place,) = await transaction.checkpoints.checkpoints([root.id])
            (performance,) = await transaction.performances.performances([root.id])
            names = {own.id for card in cards for own in card.journals}
            clocks = {name: await transaction.journals.clock(name) for name in names}
        stored = await reporting.rules(root.id)
    listed = {
        (performance.id, identify(performance.list_key, number)): ListedTicket(RULES[rule])
        for number, rule in tickets.items()
    }
    facts = [
        fact_of(name, one, clocks[name].corrected(one)[0])
        for card in cards
        for name, one in card.of_kind(*_FACTS)
    ]
    scratch = reconcile({performance.id: performance.judged()}, [place.id], listed, facts)
    assert [(one.gate, one.sequence, one.reason) for one in stored.anomalies] == [
        (one.passage.gate, one.passage.sequence, one.reason) for one in scratch.anomalies
    ]
    assert stored.occupancy == dict(scratch.occupancy)
    assert stored.attendance == dict(scratch.attendance)
    return {
        "passages": len(distinct(facts)),
        "anomalies": len(stored.anomalies),
        "occupancy": stored.occupancy[place.id],
        "attendance": stored.attendance[performance.id],
    }
