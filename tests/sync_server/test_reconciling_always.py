"""Whatever arrives, in whatever order, how often: the stored report is the one from scratch."""

import asyncio
import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from admission.journal import Flag, Kind, Record, fact_of
from admission.passage import FreeCrossing
from admission.reconcile import ListedTicket, StateChange, reconcile
from admission.sync.server_side import Head
from admission.ticket import EntryExit, Multi, Single, TicketState
from admission.ticketlist.identifiers import identify
from sync_server.account_ports import Role, User
from sync_server.entities import Checkpoint, Event, ImportMode, Organization, Venue, instant
from sync_server.importing import Importing
from sync_server.journal_ports import StatedFact
from sync_server.ledger import Ledger
from sync_server.reconciling import Reconciling, absorb, refold_tickets
from sync_server.reporting import Reporting
from sync_server.sources.file import read_tickets
from sync_server.stewarding import Stewarding
from sync_server.storage.accounts import SqlAccounts
from sync_server.storage.database import open_database
from tests.sync_server.conftest import HeardNews, SeededEntropy, SetClock, performance

NUMBERS = ("A1", "A2", "A3")
GATES = ("g1", "G1", "é")
RULES = {
    "single;;": Single(),
    "entry_exit;;": EntryExit(),
    "multi;2;": Multi(2, None),
    "multi;;1": Multi(None, 1),
}
START_MS = 1_780_000_000_000

moments = st.integers(0, 40).map(lambda n: START_MS + n * 1_800_000)
facts = st.fixed_dictionaries(
    {
        "journal": st.sampled_from(GATES),
        "sequence": st.integers(1, 12),
        "wall_ms": moments,
        "kind": st.sampled_from([Kind.PASSED] * 6 + [Kind.RESET, Kind.FREE]),
        "checkpoint": st.sampled_from(["c0", "c1"]),
        "performance": st.sampled_from(["p0", "p0", "p1", ""]),
        "number": st.sampled_from(NUMBERS),
        "direction": st.sampled_from([1, 1, 2]),
        "flags": st.sampled_from([0, 0, 0, int(Flag.OVERRIDE), int(Flag.UNRESOLVED)]),
    }
)
listings = st.tuples(st.sampled_from(NUMBERS), st.sampled_from(sorted(RULES)))
states = st.tuples(st.sampled_from(NUMBERS), st.sampled_from(list(TicketState)))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("facts"), st.lists(facts, min_size=1, max_size=6)),
        st.tuples(st.just("facts"), st.lists(facts, min_size=1, max_size=6)),
        st.tuples(st.just("list"), listings),
        st.tuples(st.just("state"), states),
    ),
    min_size=1,
    max_size=12,
)


class World:
    """The same happenings twice: in the database, and in plain dictionaries."""

    def __init__(self, database):
        self.database = database
        self.clock, entropy, news = SetClock(), SeededEntropy(), HeardNews()
        ledger = Ledger(self.clock, entropy)
        self.user = User("u", "root", "u", "U", "", Role.MASTER, "fr")
        self.accounts = SqlAccounts(database, entropy)
        self.reporting = Reporting(database, ledger)
        self.importing = Importing(database, read_tickets, refold_tickets, ledger, news)
        reconciling = Reconciling(database, self.clock)
        self.stewarding = Stewarding(database, ledger, news, reconciling)
        self.performances = {name: performance(name) for name in ("p0", "p1")}
        self.facts = []
        self.contents = {}
        self.tickets = {}

    async def build(self):
        async with self.database.write() as transaction:
            await transaction.organizations.add_organization(Organization("root", None, "R"))
            await transaction.organizations.add_venue(Venue("venue", "root", "H", "Europe/Paris"))
            await transaction.organizations.add_event(Event("event", "root", "venue", "S"))
            for one in self.performances.values():
                await transaction.performances.add_performance(one)
            for name, controlled in (("c0", ("p0",)), ("c1", ())):
                await transaction.checkpoints.add_checkpoint(
                    Checkpoint(name, "venue", name, None, None, controlled)
                )
            for name in GATES:
                await transaction.journals.add_journal(name, None, Head(0, bytes(32)))
        await self.accounts.add_user(self.user, 0)

    async def arrive(self, batch):
        stated = []
        for raw in batch:
            one = self._state(raw)
            identity = (one.fact.gate, one.fact.sequence)
            known = self.contents.setdefault(identity, [])
            self.facts.append(one.fact)
            if one.fact not in known:
                stated.append(StatedFact(one.fact, one.record, len(known), None, one.stream))
                known.append(one.fact)
        async with self.database.write() as transaction:
            await absorb(transaction, stated)

    def _state(self, raw):
        named = raw["performance"] if raw["kind"] is not Kind.FREE else ""
        if raw["kind"] is Kind.RESET:
            named = named or "p0"
        record = Record(
            kind=int(raw["kind"]),
            sequence=raw["sequence"],
            wall_ms=raw["wall_ms"],
            boot_ms=0,
            boot_id=b"",
            checkpoint=raw["checkpoint"],
            performance=named,
            identifier=self.identify(named, raw["number"]) if named else b"",
            direction=raw["direction"],
            flags=raw["flags"],
        )
        return StatedFact(fact_of(raw["journal"], record), record, 0, None, named or "p0")

    def identify(self, name, number):
        return identify(self.performances[name].list_key, number)

    async def list_ticket(self, number, rule):
        self.clock.advance(1800)
        await self.importing.import_file(
            self.user,
            "p0",
            f"number;rule;total_passes;daily_passes\n{number};{rule}\n".encode(),
            source_name="s",
            filename="f",
            mode=ImportMode.ADD,
        )
        key = ("p0", self.identify("p0", number))
        known = self.tickets.get(key)
        has_passed = any(
            not isinstance(fact, FreeCrossing)
            and (fact.performance, fact.identifier) == key
            and hasattr(fact, "direction")
            for fact in self.facts
        )
        if known is None:
            self.tickets[key] = ListedTicket(RULES[rule])
        elif not has_passed:
            self.tickets[key] = ListedTicket(RULES[rule], known.states)

    async def set_state(self, number, state):
        self.clock.advance(1800)
        key = ("p0", self.identify("p0", number))
        if key not in self.tickets:
            return
        if await self.stewarding.set_state(self.user, "p0", number, state):
            ticket = self.tickets[key]
            change = StateChange(instant(self.clock.at_us), state)
            self.tickets[key] = ListedTicket(ticket.rule, (*ticket.states, change))

    def from_scratch(self):
        shuffled = self.facts * 2
        random.Random(3).shuffle(shuffled)
        judged = {name: one.judged() for name, one in self.performances.items()}
        return reconcile(judged, ["c0", "c1"], self.tickets, shuffled)


@settings(max_examples=60)
@given(steps)
def test_the_stored_report_is_the_one_from_scratch(empty_database, taken):
    asyncio.run(_play(empty_database, taken))


async def _play(empty, taken):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "portillon.db"
        await asyncio.to_thread(path.write_bytes, empty)
        async with open_database(path) as database:
            world = World(database)
            await world.build()
            for what, how in taken:
                if what == "facts":
                    await world.arrive(how)
                elif what == "list":
                    await world.list_ticket(*how)
                else:
                    await world.set_state(*how)
            stored, expected = await world.reporting.rules("root"), world.from_scratch()
    assert [(one.gate, one.sequence, one.reason) for one in stored.anomalies] == [
        (one.passage.gate, one.passage.sequence, one.reason) for one in expected.anomalies
    ]
    assert stored.occupancy == dict(expected.occupancy)
    assert stored.attendance == dict(expected.attendance)
