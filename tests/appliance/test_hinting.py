"""A gate tells of what it grants at once, and refuses what another has just granted."""

import pytest
from msgspec.structs import replace

from admission.journal import Flag, Kind
from admission.scan import Direction
from admission.sync.messages import Claimed, Hint
from appliance.hinting import QUEUED_MAX, ExpressQueue
from appliance.ports import Look
from appliance.simulator.box_office import ENTRY_EXIT, ListedNumber
from appliance.simulator.virtual_turnstile import Person
from linked_gate import OWN, OtherGate, linked, live, own_records
from signed_server import GATE


def hint_from_b(bench, number, **fields):
    known = {
        "gate": "gate-b",
        "journal": "journal-b",
        "sequence": 3,
        "checkpoint": "checkpoint",
        "performance": "show",
        "identifier": bench.holdings.identify("show", number),
        "direction": 1,
        "at_ms": bench.time.look().now_ms,
    }
    return Hint(**{**known, **fields})


async def hear(gate, *hints):
    for hint in hints:
        gate.server.hint(hint)
    await gate.settle()


async def test_a_grant_is_told_once_it_is_durable(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        await gate.scan("T1")
        (hint,) = gate.server.hints
        granted = next(one for one in await own_records(gate) if one.kind == Kind.GRANTED)
        assert (hint.gate, hint.journal, hint.sequence) == (GATE, OWN, granted.sequence)
        assert hint.identifier == granted.identifier
        assert hint.at_ms == granted.trusted_ms
        assert not hint.withdrawn


async def test_a_refusal_is_told_to_nobody(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        await gate.scan("unknown")
        assert gate.server.hints == []


async def test_a_grant_that_nobody_took_is_taken_back(open_gate):
    async with linked(open_gate, people=[Person(None)]) as gate:
        await live(gate)
        await gate.scan("T1")
        await gate.later(7.0)
        granted, withdrawn = gate.server.hints
        assert withdrawn == replace(granted, withdrawn=True)


async def test_nothing_is_kept_for_a_link_that_is_down(open_gate):
    async with linked(open_gate, prepare=lambda gate: gate.link.cut()) as gate:
        await gate.scan("T1")
        gate.link.mend()
        await gate.later(5.0)
        assert gate.uplink.live
        assert gate.server.hints == []


async def test_a_ticket_just_granted_elsewhere_is_refused_with_the_time_of_it(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        hint = hint_from_b(gate, "T1")
        await hear(gate, hint)
        await gate.scan("T1")
        denied = (await own_records(gate))[-1]
        assert (denied.kind, denied.answer) == (Kind.DENIED, "already_used")
        assert denied.flags & Flag.HINTED
        assert gate.display.last.look is Look.DENIED
        assert gate.display.last.detail == "18:00"
        assert "GRANTED" not in await gate.kinds()


async def test_a_verdict_that_no_hint_changed_is_not_marked(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        await hear(gate, hint_from_b(gate, "T2"))
        await gate.scan("T1")
        await gate.scan("unknown")
        records = await own_records(gate)
        assert not any(record.flags & Flag.HINTED for record in records)
        assert any(record.kind == Kind.GRANTED for record in records)


async def test_what_the_journal_confirms_is_no_hint_any_more(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        other = OtherGate(gate)
        await hear(gate, hint_from_b(gate, "T1"))
        assert len(gate.hinting.board) == 1
        other.write(replace(other.passage("T1"), refers_to=3))
        await gate.settle()
        assert len(gate.hinting.board) == 0
        await gate.scan("T1")
        assert (await own_records(gate))[-1].answer == "already_used"


async def test_a_hint_taken_back_lets_the_ticket_in(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        hint = hint_from_b(gate, "T1")
        await hear(gate, hint, replace(hint, withdrawn=True))
        await gate.scan("T1")
        assert gate.display.last.look is not Look.DENIED


async def test_a_hint_that_nothing_confirms_is_over_after_a_minute(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        await hear(gate, hint_from_b(gate, "T1"))
        await gate.later(61.0)
        await gate.scan("T1")
        assert any(record.kind == Kind.GRANTED for record in await own_records(gate))
        assert gate.hinting.board.unconfirmed == 1


@pytest.mark.parametrize("fields", [{"gate": GATE}, {"journal": OWN}])
async def test_our_own_word_is_no_news(open_gate, fields):
    async with linked(open_gate) as gate:
        await live(gate)
        gate.hinting.hear(hint_from_b(gate, "T1", **fields))
        assert len(gate.hinting.board) == 0


async def test_another_gates_nonsense_does_not_end_our_link(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        await hear(gate, hint_from_b(gate, "T1", direction=7))
        await gate.later(3.0)
        assert gate.uplink.live
        assert gate.hinting.nonsense == 1


async def test_every_lane_is_told(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        lan = ExpressQueue()
        lan.open()
        gate.hinting.lanes.append(lan)
        await gate.scan("T1")
        assert await lan.next() == gate.server.hints[0]


async def test_the_newest_goes_out_first_and_the_oldest_makes_room(open_gate):
    async with linked(open_gate) as gate:
        queue = ExpressQueue()
        hints = [hint_from_b(gate, "T1", sequence=n) for n in range(1, QUEUED_MAX + 3)]
        queue.offer(hints[0])
        queue.open()
        for hint in hints:
            queue.offer(hint)
        sent = [await queue.next() for _ in range(QUEUED_MAX)]
        assert sent == hints[:1:-1]
        assert queue.dropped == 2


STRICT = {"assignment": {"strict": True}}


async def test_a_strict_gate_refuses_what_the_server_says_is_taken(open_gate):
    async with linked(open_gate, **STRICT) as gate:
        await live(gate)
        gate.server.claim_answer = "already_used"
        await gate.scan("T1")
        (claim,) = gate.server.claims
        assert claim.identifier == gate.holdings.identify("show", "T1")
        assert claim.ticket_class == ("standard", "single", None, None)
        denied = (await own_records(gate))[-1]
        assert (denied.kind, denied.answer) == (Kind.DENIED, "already_used")
        assert denied.flags & Flag.HINTED
        assert "GRANTED" not in await gate.kinds()


async def test_a_strict_gate_opens_when_the_server_says_so(open_gate):
    async with linked(open_gate, **STRICT) as gate:
        await live(gate)
        await gate.scan("T1")
        assert len(gate.server.claims) == 1
        assert any(record.kind == Kind.GRANTED for record in await own_records(gate))


@pytest.mark.parametrize("answer", [None, "a word of a later version"])
async def test_without_an_answer_that_it_understands_its_own_rule_holds(open_gate, answer):
    async with linked(open_gate, **STRICT) as gate:
        await live(gate)
        gate.server.claim_answer = answer
        await gate.scan("T1")
        await gate.later(0.16)
        assert any(record.kind == Kind.GRANTED for record in await own_records(gate))
        assert gate.claiming.unanswered == (1 if answer is None else 0)


async def test_a_late_answer_is_to_a_claim_that_is_over(open_gate):
    async with linked(open_gate, **STRICT) as gate:
        await live(gate)
        gate.server.claim_answer = None
        await gate.scan("T1")
        await gate.later(0.2)
        gate.claiming.hear(Claimed(1, "already_used"))
        gate.server.claim_answer = "granted"
        await gate.later(8.0)
        await gate.scan("T2")
        grants = [one for one in await own_records(gate) if one.kind == Kind.GRANTED]
        assert len(grants) == 2


async def test_a_strict_gate_without_a_link_asks_nobody(open_gate):
    async with linked(open_gate, prepare=lambda gate: gate.link.cut(), **STRICT) as gate:
        await gate.scan("T1")
        assert any(record.kind == Kind.GRANTED for record in await own_records(gate))
        assert gate.claiming.unanswered == 0


async def test_a_refusal_of_its_own_is_not_claimed(open_gate):
    async with linked(open_gate, **STRICT) as gate:
        await live(gate)
        await gate.scan("unknown")
        assert gate.server.claims == []


async def test_whoever_is_inside_leaves_without_anybody_being_asked(open_gate):
    async with linked(open_gate, [ListedNumber("T1", ENTRY_EXIT)], **STRICT) as gate:
        await live(gate)
        await gate.scan("T1")
        await gate.later(5.0)
        gate.server.claim_answer = None
        await gate.scan("T1", Direction.EXIT)
        assert len(gate.server.claims) == 1
        last = [one for one in await own_records(gate) if one.kind == Kind.GRANTED][-1]
        assert last.direction == 2


async def test_a_link_that_goes_ends_the_wait(open_gate):
    async with linked(open_gate, **STRICT) as gate:
        await live(gate)
        gate.server.claim_answer = None
        await gate.scan("T1")
        gate.link.cut()
        await gate.settle()
        assert any(record.kind == Kind.GRANTED for record in await own_records(gate))
