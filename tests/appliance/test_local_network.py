"""Gates of one local network, server or none: what one lets in, the others know."""

from dataclasses import replace
from datetime import timedelta

import pytest

from admission import journal
from admission.journal import Kind
from admission.sync.feed_items import item_of
from admission.sync.messages import Hint
from admission.sync.peer_messages import Grown, Hello, Piece, Stranger, decode_spoken, encode
from admission.sync.peer_proof import shout
from appliance.answering import ASKED_A_SECOND, BURST_S, Allowance
from appliance.feed_keeper import take_told
from appliance.neighbours import FORK_FAULT, LIE_FAULT, MISSES_MAX, NEIGHBOURS_MAX, TWIN_FAULT
from appliance.simulator.box_office import BoxOffice
from local_gates import LocalGate, a_town


@pytest.fixture
async def town(tmp_path):
    async with a_town(tmp_path) as opened:
        yield opened


async def test_what_one_gate_lets_in_the_others_know_within_the_second(town):
    a, b, c = await town.of("a", "b", "c")
    await town.later(3)
    await a.let_through("T1")
    await town.later(1)
    assert (b.used("T1"), c.used("T1")) == (1, 1)
    assert await b.known() == await c.known() == await a.known()


async def test_a_grant_is_heard_at_once_and_confirmed_by_the_journal(town):
    a, b = await town.of("a", "b")
    await town.later(3)
    granted = await a.grant("T1")
    await town.settle()
    assert b.hinted("T1")
    await a.write(journal.ending(granted, Kind.PASSED, granted.sequence))
    await town.later(1)
    assert not b.hinted("T1")
    assert b.used("T1") == 1
    assert b.board.unconfirmed == 0


async def test_a_grant_that_nobody_used_is_taken_back_by_the_journal(town):
    a, b = await town.of("a", "b")
    await town.later(3)
    granted = await a.grant("T1")
    await town.later(1)
    assert b.hinted("T1")
    await a.write(journal.ending(granted, Kind.NOT_PASSED, granted.sequence))
    await town.later(1)
    assert not b.hinted("T1")
    assert b.used("T1") == 0


async def test_a_grant_whose_datagram_was_lost_is_a_hint_from_the_journal(town):
    a, b = await town.of("a", "b")
    await town.later(3)
    await a.write(a.draft(Kind.GRANTED, "T1"))
    await town.later(3)
    assert b.hinted("T1")
    assert b.used("T1") == 0


async def test_after_a_restart_a_gate_knows_what_the_others_did(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await town.later(5)
    await b.close()
    await a.close()
    await b.open()
    assert b.used("T1") == 1


async def test_a_gate_that_joins_late_gets_everything_from_any_one(town):
    a, b = await town.of("a", "b")
    await a.write(*(a.draft(Kind.PASSED, f"T{n}") for n in range(600)))
    await b.let_through("T1")
    await town.later(5)
    await a.close()
    late = await town.gate("late")
    late.meet(b)
    await town.later(5)
    assert await late.known() == await b.known()
    assert late.used("T599") == 1


async def test_two_islands_agree_once_they_see_each_other(town):
    a, b, c, d = gates = await town.of("a", "b", "c", "d")
    await town.later(3)
    town.network.move(1, c.address, d.address)
    await a.let_through("T1")
    await c.let_through("T1")
    await town.later(25)
    assert (b.used("T1"), d.used("T1")) == (1, 1)
    assert [gate.network.neighbours.heard for gate in gates] == [1, 1, 1, 1]
    town.network.move(0, c.address, d.address)
    await town.later(31)
    assert [gate.used("T1") for gate in (b, d)] == [2, 2]
    known = [await gate.known() for gate in gates]
    assert known == [known[0]] * 4
    assert not any(gate.noted for gate in gates)


async def test_a_gate_behind_another_one_is_heard_through_it(town):
    a, b, c = await town.gate("a"), await town.gate("b"), await town.gate("c")
    town.network.is_lost = lambda one, two: {one, two} == {a.address, c.address}
    a.meet(b)
    c.meet(b)
    await a.let_through("T1")
    await town.later(10)
    assert c.used("T1") == 1


async def test_who_was_asked_asks_back(town):
    a, b = await town.gate("a"), await town.gate("b")
    a.meet(b)
    await a.let_through("T1")
    await town.later(6)
    assert b.used("T1") == 1
    assert b.network.neighbours.heard == 1


async def test_a_gate_that_finds_itself_leaves_itself_alone(town):
    (a,) = await town.of("a")
    a.meet(a)
    await town.later(30)
    assert a.network.neighbours.heard == 0
    assert len(town.network.questions) == 1
    assert not a.noted


async def test_a_copy_of_the_card_that_meets_its_own_is_noted(town):
    (a,) = await town.of("a")
    copy = LocalGate(town, "a", 9)
    copy.folder = town.folder / "copy"
    copy.folder.mkdir()
    town.gates["copy"] = copy
    await copy.open()
    a.meet(copy)
    await town.later(5)
    assert [code for code, _ in a.noted] == [TWIN_FAULT]


async def test_a_gate_whose_card_was_copied_forks_its_journal_and_others_hold_what_they_held(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await town.later(5)
    held = await b.known()
    await a.close()
    copy = LocalGate(town, "a", 9)  # begun anew under the same identity and name of journal
    copy.folder = town.folder / "copy"
    copy.folder.mkdir()
    town.gates["copy"] = copy
    await copy.open()
    await copy.write(*(copy.draft(Kind.PASSED, f"U{n}") for n in range(5)))
    b.meet(copy)
    await town.later(10)
    assert await b.known() == held
    assert [code for code, _ in b.noted] == [FORK_FAULT]


async def test_a_gate_of_another_house_is_left_alone_and_is_no_fault(town):
    (a,) = await town.of("a")
    town.office, office = BoxOffice("another house"), town.office
    stranger = await town.gate("stranger")
    town.office = office
    await stranger.let_through("T1")
    a.meet(stranger)
    await town.later(30)
    assert a.used("T1") == 0
    assert a.network.neighbours.heard == 0
    assert not a.noted


async def test_a_revoked_gate_is_not_heard_also_after_a_restart_without_the_server(town):
    a, b = await town.of("a", "b")
    await town.later(3)
    b.told_revoked = {"a"}
    await town.later(10)
    await a.let_through("T1")
    await town.later(10)
    assert b.used("T1") == 0
    assert not b.hinted("T1")
    await b.close()
    b.told_revoked = None
    await b.open()
    b.meet(a)
    await town.later(10)
    assert b.used("T1") == 0


async def test_a_gate_that_lies_is_put_aside_noted_once_and_stops_nothing(town):
    a, b, c = await town.of("a", "b", "c")
    await town.later(3)

    def alter(sender, raw):
        return raw[:-1] + bytes([raw[-1] ^ 1]) if sender == c.address else raw

    town.network.alter = alter
    await a.let_through("T1")
    await c.let_through("T2")
    await town.later(30)
    assert b.used("T1") == 1
    assert b.used("T2") == 0
    assert [code for code, _ in b.noted] == [LIE_FAULT]
    asked = town.network.questions.count((b.address, c.address))
    await town.later(20)
    assert town.network.questions.count((b.address, c.address)) == asked
    town.network.alter = lambda _, raw: raw
    await town.later(60)
    assert b.used("T2") == 1


async def test_a_gate_that_was_given_another_key_is_greeted_anew_and_is_no_liar(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await town.later(5)
    a.certify(serial=2)
    await a.let_through("T2")
    await town.later(20)
    assert b.used("T2") == 1
    assert not a.noted
    assert not b.noted
    await a.grant("T3")
    await town.settle()
    assert b.hinted("T3")


async def test_a_gate_with_a_new_card_gets_back_what_it_wrote_on_the_old_one(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await town.later(5)
    await a.close()
    a.folder = town.folder / "new card"
    a.folder.mkdir()
    await a.open(journal_id="another journal of a")
    a.meet(b)
    await town.later(5)
    assert a.used("T1") == 1
    await a.let_through("T2")
    await town.later(10)
    assert b.used("T2") == 1
    assert not b.noted


async def test_what_the_server_tells_takes_the_place_of_what_the_neighbours_told(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await town.later(5)
    (told,) = [fact for fact in b.history if fact.identifier == b"T1"]
    right = replace(told, at=told.at - timedelta(days=400))
    for _ in range(2):
        record = (await a.journal.facts())[0]
        take_told(b.history, "own".__eq__, item_of(1, a.journal.id, record, right.at))
        assert [fact for fact in b.history if fact.identifier == b"T1"] == [right]
        await b.network.neighbours.learn()


async def test_who_promises_much_and_gives_nothing_is_asked_no_more_for_a_while(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")

    async def nothing(_):
        return Piece()

    a.network.answering._piece = nothing
    await town.later(20)
    assert b.used("T1") == 0
    assert not b.noted
    assert b.network.neighbours.heard == 1


async def test_a_gate_that_is_gone_is_forgotten_and_tried_again_when_it_is_found(town):
    a, b = await town.of("a", "b")
    await town.later(3)
    await a.close()
    await town.later(MISSES_MAX * 30)
    asked = len(town.network.questions)
    await town.later(100)
    assert len(town.network.questions) == asked
    assert b.network.neighbours.addresses == ()
    await a.open()
    b.meet(a)
    await town.later(3)
    assert b.network.neighbours.heard == 1


async def test_no_more_addresses_are_tended_to_than_a_venue_has_gates(town):
    (a,) = await town.of("a")
    for number in range(NEIGHBOURS_MAX * 2):
        a.network.neighbours.found(f"10.1.{number // 250}.{number % 250}:7678")
    await town.settle()
    assert len(a.network.neighbours._neighbours) == NEIGHBOURS_MAX


async def test_addresses_where_nobody_is_make_room_for_gates(town):
    a, b = await town.gate("a"), await town.gate("b")
    for number in range(NEIGHBOURS_MAX):
        a.network.neighbours.found(f"10.1.{number // 250}.{number % 250}:7678")
    a.meet(b)
    await town.later(1)
    assert a.network.neighbours.heard == 0
    await town.later(30)
    a.meet(b)
    await town.later(3)
    assert a.network.neighbours.heard == 1


async def test_a_disk_without_room_carries_nothing_but_hears_hints(town):
    a = await town.gate("a")
    b = await town.gate("b", free_bytes_min=1 << 60)
    b.meet(a)
    await town.later(3)
    await a.grant("T1")
    await town.later(3)
    assert b.network.neighbours.is_full
    assert b.hinted("T1")
    assert not await b.known()


# --- the door -----------------------------------------------------------------------------------


async def test_one_machine_cannot_ask_for_ever(town):
    (a,) = await town.of("a")
    raw = encode(Stranger())
    ask = a.network.answering.answer
    for _ in range(round(ASKED_A_SECOND * BURST_S)):
        await ask("10.9.9.9", raw)
    greeting = encode(Hello(a.certificate, bytes(16)))
    assert await ask("10.9.9.9", greeting) is None
    assert await ask("10.9.9.8", greeting) is not None
    town.clock.advance(1)
    assert await ask("10.9.9.9", greeting) is not None


def test_an_allowance_is_used_up_and_comes_back():
    allowance = Allowance(2.0, burst_s=2.0)
    assert [allowance.take(0) for _ in range(5)] == [True] * 4 + [False]
    assert allowance.take(500_000_000)
    assert not allowance.take(500_000_000)


@pytest.mark.parametrize("raw", [b"", b"\xc0", bytes(5000), encode(Stranger())])
async def test_what_makes_no_sense_is_not_answered(town, raw):
    (a,) = await town.of("a")
    assert await a.network.answering.answer("10.9.9.9", raw) is None


async def test_a_question_before_a_greeting_is_told_to_greet(town):
    a, b = await town.of("a", "b")
    await town.later(3)
    await a.close()
    await a.open()  # it knows nobody now
    said = b.network.neighbours._neighbours[a.address].visitor.ask(await _heads(b))
    answer = await a.network.answering.answer(b.host, said)
    assert decode_spoken(answer) == Stranger()


async def _heads(gate):
    return await gate.network.answering.heads()


# --- the ear ------------------------------------------------------------------------------------


def hint_from(gate, sequence=1, ticket="T1", **fields):
    plain = {
        "gate": gate.name,
        "journal": gate.journal.id,
        "sequence": sequence,
        "checkpoint": "checkpoint",
        "performance": "show",
        "identifier": ticket.encode(),
        "direction": 1,
        "at_ms": 0,
        "ticket_class": ("standard", "single", None, None),
    }
    return Hint(**plain | fields)


async def test_a_hint_in_the_name_of_another_gate_says_nothing(town):
    a, b, c = await town.of("a", "b", "c")
    await town.later(3)
    b.network.shouting.hear(shout(c.own, hint_from(a)))
    assert not b.hinted("T1")
    b.network.shouting.hear(shout(a.own, hint_from(a)))
    assert b.hinted("T1")


async def test_a_hint_of_what_the_journal_has_told_is_an_old_one(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await town.later(3)
    b.network.shouting.hear(shout(a.own, hint_from(a, 1, "T9")))
    assert not b.hinted("T9")
    b.network.shouting.hear(shout(a.own, hint_from(a, 9, "T9")))
    assert b.hinted("T9")


async def test_a_flood_of_datagrams_costs_few_signatures(town):
    a, b = await town.of("a", "b")
    await town.later(3)
    tried = []
    heard = b.network.shouting._door.heard
    b.network.shouting._door.heard = lambda said: tried.append(said) or heard(said)
    raw = shout(a.own, hint_from(a))
    for _ in range(1000):
        b.network.shouting.hear(raw)  # the same again
    assert len(tried) == 1
    for number in range(1000):
        b.network.shouting.hear(shout(a.own, Grown(a.journal.id, number + 1)))
    assert len(tried) < 100
    for number in range(1000):
        b.network.shouting.hear(number.to_bytes(2) * 40)  # of nobody
    assert len(tried) < 100


async def test_a_datagram_of_any_bytes_breaks_nothing(town):
    (a,) = await town.of("a")
    for raw in (b"", b"\x00", bytes(2000), b"\x93\xa1a\xc4\x00\xc4\x00"):
        a.network.shouting.hear(raw)


async def test_nothing_is_sent_where_nobody_is(town):
    (a,) = await town.of("a")
    await a.grant("T1")
    await town.later(3)
    assert town.network.datagrams == []


async def test_how_often_growth_is_told_is_bounded(town):
    a, _b = await town.of("a", "b")
    await town.later(3)
    before = len(town.network.datagrams)
    for number in range(50):
        await a.write(a.draft(Kind.PASSED, f"T{number}"))
        await town.later(0.02)
    assert len(town.network.datagrams) - before <= 4
