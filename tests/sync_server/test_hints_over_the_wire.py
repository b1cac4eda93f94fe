"""Hints and claims at a real server, over real sockets: at once, ahead of everything, no lies."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from msgspec.structs import replace

from admission.errors import RemoteProtocolError
from admission.sync.assignment import accept_assignment
from admission.sync.hint_guard import HintGuard
from admission.sync.messages import Claim, Claimed, Feed, Hint, Lists, Moment, Status, Subscribe
from admission.sync.server_side import LiveSide
from admission.trust.root import Role, signers
from appliance.errors import LinkError
from journal_books import BOOT, NOW_MS, Book, record
from sync_server.gate_desk import GateDesk
from sync_server.web.live_room import EXPRESS_MAX, Connection, LiveRoom
from trial_gates import furnish

TICKET = b"i" * 16


@pytest.fixture
async def house(operator):
    return await furnish(operator)


def passage(house, sequence=1, **fields):
    return record(sequence, checkpoint=house.checkpoint, performance=house.performance, **fields)


def a_hint(house, **fields):
    known = {
        "gate": house.gates[0].id,
        "journal": "ja",
        "sequence": 7,
        "checkpoint": house.checkpoint,
        "performance": house.performance,
        "identifier": TICKET,
        "direction": 1,
        "at_ms": NOW_MS,
    }
    return Hint(**{**known, **fields})


def a_claim(house, number=1, **fields):
    known = {
        "number": number,
        "checkpoint": house.checkpoint,
        "performance": house.performance,
        "identifier": TICKET,
        "direction": 1,
        "at_ms": NOW_MS,
        "ticket_class": ("standard", "single", None, None),
    }
    return Claim(**{**known, **fields})


class Both:
    """The live connections of the two gates, subscribed; A's journal is known."""

    def __init__(self, house):
        self.house = house

    async def __aenter__(self):
        self._stack = AsyncExitStack()
        enter = self._stack.enter_async_context
        self.links = [await enter(gate.link()) for gate in self.house.gates]
        await self.links[0].upload(Book("ja", passage(self.house)).batch())
        self.a, self.b = [await enter(link.live()) for link in self.links]
        for one in (self.a, self.b):
            await one.send(Subscribe({self.house.performance: 1}))
            await heard(one, Lists)
        await enter(asyncio.timeout(20))
        return self

    async def __aexit__(self, *exc):
        return await self._stack.__aexit__(*exc)


async def heard(live, kind):
    while not isinstance(message := await live.receive(), kind):
        pass
    return message


async def claim_for_ever(live, claim):
    while True:
        await live.send(claim)
        assert not await heard(live, Claimed)


async def test_a_hint_goes_to_the_others_as_it_is(house):
    async with Both(house) as both:
        hint = a_hint(house, ticket_class=("vip", "multi", 3, None))
        await both.a.send(hint)
        assert await heard(both.b, Hint) == hint
        await both.a.send(replace(hint, withdrawn=True))
        assert await heard(both.b, Hint) == replace(hint, withdrawn=True)


async def test_nobody_speaks_for_another(house):
    async with Both(house) as both:
        for lie in (
            {"gate": house.gates[1].id},
            {"journal": "server"},
            {"performance": "another house's"},
        ):
            await both.a.send(a_hint(house, **lie))
        await both.a.send(a_hint(house, sequence=99))
        assert (await heard(both.b, Hint)).sequence == 99


async def test_a_journal_begun_anew_is_known_after_its_first_hint(house):
    async with Both(house) as both:
        await both.links[0].upload(Book("jnew", passage(house)).batch())
        await both.a.send(a_hint(house, journal="jnew", sequence=1))  # too early: lost
        while True:
            await both.a.send(a_hint(house, journal="jnew", sequence=2))
            try:
                async with asyncio.timeout(0.05):
                    hint = await heard(both.b, Hint)
            except TimeoutError:
                continue
            break
        assert (hint.journal, hint.sequence) == ("jnew", 2)


async def test_no_feed_that_is_read_and_no_status_that_is_written_holds_a_hint_up(
    house, monkeypatch
):
    never = asyncio.Event()
    asked = asyncio.Event()

    async def stuck(*_):
        asked.set()
        await never.wait()

    async with Both(house) as both:
        monkeypatch.setattr(GateDesk, "feed", stuck)
        monkeypatch.setattr(GateDesk, "note_status", stuck)
        await both.b.send(Subscribe({house.performance: 0}))
        await both.a.send(Status("connected", [], 3, {}, Moment(NOW_MS, 1000, BOOT)))
        await asked.wait()
        await both.a.send(a_hint(house))
        assert await heard(both.b, Hint) == a_hint(house)


async def test_a_flood_of_hints_ends_at_the_guard(house):
    async with Both(house) as both:
        for sequence in range(1, 301):
            await both.a.send(a_hint(house, sequence=sequence))
        got = 0
        try:
            async with asyncio.timeout(0.6):
                while True:
                    await heard(both.b, Hint)
                    got += 1
        except TimeoutError:
            pass
        assert 64 <= got <= 110


async def test_the_feed_says_which_grant_a_passage_ended(house):
    async with Both(house) as both:
        book = Book("ja", passage(house), passage(house, 2, refers_to=1))
        await both.links[0].upload(book.batch(2))
        feed = await heard(both.b, Feed)
        while not feed.items:
            feed = await heard(both.b, Feed)
        assert feed.items[-1].refers_to == 1


async def test_the_second_of_two_gates_is_told_that_the_ticket_is_taken(house):
    async with Both(house) as both:
        claim = a_claim(house, identifier=b"k" * 16)
        await both.a.send(claim)
        assert await heard(both.a, Claimed) == Claimed(1, "granted")
        await both.b.send(replace(claim, number=5))
        assert await heard(both.b, Claimed) == Claimed(5, "already_used")


async def test_a_revoked_gate_is_told_nothing(house):
    async with Both(house) as both:
        await house.call("POST", f"gates/{house.gates[0].id}/revoke")
        with pytest.raises(LinkError):
            await claim_for_ever(both.a, a_claim(house, identifier=b"k" * 16))
        await both.b.send(a_claim(house, identifier=b"m" * 16))
        assert (await heard(both.b, Claimed)).answer == "granted"


async def test_an_operator_makes_a_gate_strict_and_it_learns_of_it(house):
    gate = house.gates[0]
    async with gate.link() as link:
        for strict in (False, True):
            status, _, _ = await house.call("PATCH", f"gates/{gate.id}", json={"strict": strict})
            assert status == 200
            assignment = accept_assignment(
                await link.assignment(),
                gate=gate.id,
                trusted=signers(gate.root, Role.STATUS),
                version_installed=0,
            )
            assert assignment.strict is strict
    _, gates, _ = await house.call("GET", "gates")
    assert [one["strict"] for one in gates] == [True, False]


def a_connection(gate, streams=("show",)):
    side = LiveSide(frozenset(streams))
    side.receive(Subscribe({}))
    return Connection(gate, side, HintGuard(gate, ["j"]))


async def test_a_connection_that_takes_nothing_loses_its_oldest_hints():
    connection = a_connection("b")
    for number in range(EXPRESS_MAX + 5):
        connection.say(str(number).encode())
    assert len(connection.express) == EXPRESS_MAX
    assert connection.express[0] == b"5"
    assert connection.dropped == 5


async def test_hints_go_to_who_may_follow_the_performance_and_has_subscribed():
    room, others = LiveRoom(), [a_connection("a"), a_connection("b"), a_connection("c", ["else"])]
    others.append(Connection("d", LiveSide(frozenset(["show"])), HintGuard("d", [])))
    async with AsyncExitStack() as stack:
        for one in others:
            await stack.enter_async_context(room.join(one))
        room.hint(Hint("a", "j", 1, "door", "show", b"T", 1, 0))
    assert [len(one.express) for one in others] == [0, 1, 0, 0]
    assert room.hints == 1


def test_a_server_says_no_claimed_to_a_server():
    with pytest.raises(RemoteProtocolError):
        LiveSide(frozenset()).receive(Claimed(1, "granted"))
