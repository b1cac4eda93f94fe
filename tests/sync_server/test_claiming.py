"""Strict gates: of all that claim one ticket, one is told that it is free. I13."""

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from admission.journal import Kind
from admission.scan import Direction
from admission.sync.messages import Claim, Hint
from admission.ticket import TicketState
from journal_books import NOW_MS, Book, record
from sync_server.claiming import Claiming
from sync_server.entities import Checkpoint, Gate, Venue
from sync_server.errors import NotFoundError
from sync_server.reconciling import Reconciling
from sync_server.storage.tables import ticket_classes, ticket_states, tickets

TICKET = b"i" * 16
GATES = [f"g{n}" for n in range(1, 9)]
SINGLE = ("standard", "single", None, None)


class Watch:
    def __init__(self):
        self.now_ms = 0

    def __call__(self):
        return self.now_ms


class SlowStore:
    """A store whose readers are overtaken by whatever else is under way."""

    def __init__(self, store, chance):
        self._store, self._chance = store, chance

    @asynccontextmanager
    async def read(self):
        await self._be_overtaken()
        async with self._store.read() as transaction:
            await self._be_overtaken()
            yield transaction
            await self._be_overtaken()

    async def _be_overtaken(self):
        for _ in range(self._chance.randrange(8)):
            await asyncio.sleep(0)


def a_claim(number=1, ticket=TICKET, at_ms=NOW_MS, rule=SINGLE, **fields):
    known = {
        "number": number,
        "checkpoint": "c0",
        "performance": "p0",
        "identifier": ticket,
        "direction": 1,
        "at_ms": at_ms,
        "ticket_class": rule,
    }
    return Claim(**{**known, **fields})


@pytest.fixture
async def gates(venue):
    async with venue.write() as transaction:
        for name in GATES:
            await transaction.gates.add_gate(
                Gate(name, "venue", name, "c0", Direction.ENTRY, public_key=name.encode() * 16)
            )
    return venue


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def claiming(gates, watch):
    return Claiming(gates, watch)


@pytest.fixture
def reconciling(gates, clock):
    clock.at_us = NOW_MS * 1000
    return Reconciling(gates, clock)


async def answer(claiming, gate, *args, **fields):
    claimed = await claiming.claim(gate, a_claim(*args, **fields))
    return None if claimed is None else claimed.answer


async def list_ticket(store, state=None, mode="single"):
    async with store.write() as transaction:
        source = await transaction.tickets.add_source("p0", "file", "s")
        row = ticket_classes.insert().values(performance_id="p0", category="a", mode=mode)
        made = await transaction.connection.execute(row)
        await transaction.connection.execute(
            tickets.insert().values(
                identifier=TICKET,
                number="T",
                class_id=made.inserted_primary_key[0],
                source_id=source.id,
            )
        )
        if state is not None:
            await transaction.connection.execute(
                ticket_states.insert().values(
                    identifier=TICKET, ordinal=0, state=state.value, origin="source"
                )
            )


async def test_the_first_is_told_yes_and_the_next_no(claiming):
    assert await answer(claiming, "g1") == "granted"
    assert await answer(claiming, "g2") == "already_used"
    assert await answer(claiming, "g3", ticket=b"k" * 16) == "granted"


async def test_the_number_of_the_claim_comes_back(claiming):
    claimed = await claiming.claim("g1", a_claim(number=17))
    assert (claimed.number, claimed.answer) == (17, "granted")


async def test_what_the_facts_know_is_refused(claiming, reconciling):
    await reconciling.take("g1", Book("j", record(1)).batch())
    assert await answer(claiming, "g2") == "already_used"


async def test_the_facts_take_over_what_was_held(claiming, reconciling, watch):
    assert await answer(claiming, "g1") == "granted"
    passed = record(1, trusted_ms=NOW_MS, refers_to=1)
    batch = Book("j", passed).batch()
    await reconciling.take("g1", batch)
    claiming.settle("g1", batch)
    assert await answer(claiming, "g2") == "already_used"
    watch.now_ms += 120_000
    assert await answer(claiming, "g2") == "already_used"


async def test_a_grant_that_nobody_took_is_free_again(claiming):
    assert await answer(claiming, "g1") == "granted"
    granted = Hint("g1", "j", 1, "c0", "p0", TICKET, 1, NOW_MS)
    claiming.hear(granted)
    assert await answer(claiming, "g2") == "already_used"
    claiming.hear(Hint("g1", "j", 1, "c0", "p0", TICKET, 1, NOW_MS, withdrawn=True))
    assert await answer(claiming, "g2") == "granted"


async def test_a_grant_that_the_journal_says_nobody_took_is_free_again(claiming):
    assert await answer(claiming, "g1") == "granted"
    ended = record(1, Kind.NOT_PASSED, trusted_ms=NOW_MS, refers_to=1)
    claiming.settle("g1", Book("j", b"no record", ended).batch())
    assert await answer(claiming, "g2") == "granted"


async def test_a_grant_of_a_gate_that_is_not_strict_counts(claiming):
    claiming.hear(Hint("g9", "j", 1, "c0", "p0", TICKET, 1, NOW_MS))
    claiming.hear(Hint("g9", "j", 2, "c0", "p0", TICKET, 9, NOW_MS))  # no direction: nothing
    assert await answer(claiming, "g2") == "already_used"


async def test_what_no_journal_confirms_is_free_after_a_minute(claiming, watch):
    assert await answer(claiming, "g1") == "granted"
    watch.now_ms = 60_000
    assert await answer(claiming, "g2") == "granted"


async def test_the_servers_own_list_is_what_counts(claiming, gates):
    await list_ticket(gates, TicketState.BLOCKED)
    assert await answer(claiming, "g1", rule=("standard", "multi", 9, 9)) == "blocked"
    assert await answer(claiming, "g2") == "blocked"


async def test_a_numbered_ticket_has_as_many_takers_as_passes(claiming):
    rule = ("standard", "multi", 3, None)
    said = [await answer(claiming, gate, rule=rule) for gate in GATES[:5]]
    assert said == ["granted"] * 3 + ["no_passes_left"] * 2


async def test_nobody_inside_is_held_in(claiming, reconciling):
    rule = ("standard", "entry_exit", None, None)
    await reconciling.take("g1", Book("j", record(1, ticket_class=rule)).batch())
    claiming.hear(Hint("g3", "k", 1, "c0", "p0", TICKET, 2, NOW_MS + 5000))
    later = {"rule": rule, "at_ms": NOW_MS + 9000}
    assert await answer(claiming, "g2", direction=2, **later) == "granted"
    assert await answer(claiming, "g2", **later) == "already_inside"


async def test_a_gate_that_was_revoked_is_told_nothing_and_holds_nothing(claiming, gates):
    async with gates.write() as transaction:
        gate = await transaction.gates.gate("g1")
        await transaction.gates.save_gate(replace(gate, revoked_ms=1))
    with pytest.raises(NotFoundError):
        await claiming.claim("g1", a_claim())
    assert await answer(claiming, "g2") == "granted"


async def test_a_gate_that_a_supervisor_moved_claims_at_the_other_checkpoint(claiming, gates):
    async with gates.write() as transaction:
        await transaction.organizations.add_venue(Venue("far", "root", "Far", "Europe/Paris"))
        for name, where in (("c1", "venue"), ("c8", "far")):
            await transaction.checkpoints.add_checkpoint(
                Checkpoint(name, where, name, None, None, ("p0",))
            )
    assert await answer(claiming, "g1", checkpoint="c1") == "granted"
    assert await answer(claiming, "g2", checkpoint="c1") == "already_used"
    assert await answer(claiming, "g3", checkpoint="c8") is None  # of another venue


@pytest.mark.parametrize("fields", [{"checkpoint": "c9"}, {"performance": "p9"}, {"rule": None}])
async def test_what_the_server_cannot_judge_is_left_to_the_gate(claiming, fields):
    assert await answer(claiming, "g1", **fields) is None


@pytest.mark.parametrize("seed", range(4))
async def test_of_all_that_claim_a_ticket_at_once_one_is_told_it_is_free(
    gates, reconciling, watch, seed
):
    chance = random.Random(seed)
    claiming = Claiming(SlowStore(gates, chance), watch)
    granted = {}

    async def come(gate, place, ticket, at_ms):
        for _ in range(chance.randrange(20)):
            await asyncio.sleep(0)
        if await answer(claiming, gate, place + 1, ticket=ticket, at_ms=at_ms) != "granted":
            return
        granted.setdefault(ticket, []).append(gate)
        name = f"j{gate}{place}"
        passed = record(1, identifier=ticket, wall_ms=at_ms, trusted_ms=at_ms, refers_to=1)
        batch = Book(name, passed).batch()
        await reconciling.take(gate, batch)
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        claiming.settle(gate, batch)

    wanted = [bytes([n]) * 16 for n in range(5)]
    visits = [(gate, ticket) for gate in GATES for ticket in wanted]  # what a gate granted it knows
    chance.shuffle(visits)
    async with asyncio.TaskGroup() as everybody:
        for place, (gate, ticket) in enumerate(visits):
            everybody.create_task(come(gate, place, ticket, NOW_MS + place))
    assert {ticket: len(takers) for ticket, takers in granted.items()} == dict.fromkeys(wanted, 1)
