"""Numbers typed by hand: judged like a scan, found as they were meant, never guessed."""

import asyncio
import logging

from admission.journal import Flag, Kind
from admission.scan import KEYED_READER
from admission.ticketlist.attributes import Attributes
from admission.verdict import Answer
from appliance.ports import Look
from appliance.simulator.box_office import ENTRY_EXIT, ListedNumber
from appliance.simulator.virtual_turnstile import Motion
from appliance.steward_ports import Checked, Done, Keyed, Refusal, Refused
from gate_answers import ENTRY, EXIT, GREEN, NOBODY, answers, red

UPPER_AND_DASH = ("upper", "dash")


async def ask(gate, request):
    """Ask, and let everything happen that needs no time."""
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(gate.stewarding.ask(request))
        await gate.until(asked.done)
    return asked.result()


def released(gate):
    return gate.turnstile.count(Motion.RELEASED)


async def test_a_typed_number_opens_the_arm_and_is_written_as_typed(open_gate):
    async with open_gate() as gate:
        outcome = await ask(gate, Keyed("T1"))
        assert isinstance(outcome, Done)
        assert answers(outcome.screen) == answers(gate.display.last) == GREEN
        assert released(gate) == 1
        await gate.later(2)
        granted, passed = await gate.records()
        assert (granted.reader, granted.kind, passed.kind) == (
            KEYED_READER,
            Kind.GRANTED,
            Kind.PASSED,
        )
        assert granted.flags & Flag.KEYED
        assert granted.identifier == gate.holdings.identify("show", "T1")
        await gate.scan("T2")
        *_, scanned = await gate.records()
        assert not scanned.flags & Flag.KEYED


async def test_what_a_hand_gets_wrong_is_found_by_the_lists_alphabet(open_gate):
    async with open_gate(["AB-12"], alphabet=UPPER_AND_DASH) as gate:
        outcome = await ask(gate, Keyed("ab 12"))
        assert answers(outcome.screen) == GREEN


async def test_a_list_without_an_alphabet_is_tried_in_both_cases(open_gate):
    async with open_gate(["AB12"]) as gate:
        outcome = await ask(gate, Keyed("ab-12"))
        assert answers(outcome.screen) == GREEN


async def test_two_tickets_spelled_alike_are_ambiguous_and_neither_is_used(open_gate):
    async with open_gate(["ab1", "AB1"]) as gate:
        assert await ask(gate, Keyed("Ab1")) == Refused(Refusal.AMBIGUOUS)
        assert released(gate) == 0
        (record,) = await gate.records()
        assert (record.kind, record.answer) == (Kind.DENIED, "unknown_ticket")
        outcome = await ask(gate, Keyed("AB1"))
        assert answers(outcome.screen) == GREEN


async def test_a_number_that_no_list_holds_is_refused_like_any(open_gate):
    async with open_gate() as gate:
        outcome = await ask(gate, Keyed("nothing"))
        assert answers(outcome.screen) == red(Answer.UNKNOWN_TICKET)
        assert await ask(gate, Keyed("   ")) == Refused(Refusal.EMPTY)
        assert await gate.kinds() == ["DENIED"]


async def test_a_typed_exit_lets_out(open_gate):
    async with open_gate([ListedNumber("T1", ENTRY_EXIT)]) as gate:
        await ask(gate, Keyed("T1"))
        await gate.later(3)
        assert gate.inside == 1
        await ask(gate, Keyed("t1", EXIT))
        await gate.later(3)
        assert gate.inside == 0


async def test_a_typed_number_waits_while_somebody_goes_through(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(gate.stewarding.ask(Keyed("T2")))
            await gate.later(3)
            assert (released(gate), asked.done()) == (1, False)
            await gate.later(4)
            assert released(gate) == 2
            await gate.until(asked.done)


async def test_guessing_is_slow(open_gate):
    async with open_gate() as gate:
        outcomes = [await ask(gate, Keyed(f"guess{n}", is_check=True)) for n in range(20)]
        assert outcomes[-1] == Refused(Refusal.TOO_MANY)
        tried = sum(isinstance(outcome, Checked) for outcome in outcomes)
        assert tried <= 4
        await gate.later(60)
        outcomes = [await ask(gate, Keyed(f"more{n}")) for n in range(20)]
        assert sum(isinstance(outcome, Done) for outcome in outcomes) <= 4


async def test_numbers_typed_off_real_tickets_are_not_held_up(open_gate):
    async with open_gate([f"N{n}" for n in range(10)]) as gate:
        for n in range(10):
            assert isinstance(await ask(gate, Keyed(f"n{n}", is_check=True)), Checked)


async def test_no_log_line_holds_a_typed_number(open_gate, caplog):
    caplog.set_level(logging.DEBUG)
    async with open_gate(["SECRET1"]) as gate:
        for typed in ("secret1", "secret2"):
            await ask(gate, Keyed(typed, is_check=True))
            await ask(gate, Keyed(typed))
            await gate.later(2)
    lines = " ".join(str(vars(record)) for record in caplog.records if record.name != "asyncio")
    assert "secret" not in lines.lower()
    assert "secret" not in repr(Keyed("secret")).lower()


# --- checking without using up ----------------------------------------


async def test_checking_says_what_would_be_answered_and_uses_nothing_up(open_gate):
    async with open_gate() as gate:
        for _ in range(3):
            outcome = await ask(gate, Keyed("t1", is_check=True))
            assert answers(outcome.screen) == GREEN
            assert (outcome.category, outcome.passages) == ("standard", 0)
        assert released(gate) == 0
        assert await gate.records() == []
        assert gate.display.last.look is Look.IDLE
        assert answers(await gate.scan("T1")) == GREEN


async def test_checking_a_used_ticket_says_when_and_where_it_was_used_first(open_gate):
    async with open_gate() as gate:
        at = gate.clock.now()
        await gate.scan("T1")
        await gate.later(600)
        checked = await ask(gate, Keyed("T1", is_check=True))
        assert answers(checked.screen) == red(Answer.ALREADY_USED)
        assert abs((checked.first_used_at - at).total_seconds()) < 1
        assert (checked.first_used_by, checked.passages) == ("", 1)


async def test_checking_tells_what_the_ticket_says_and_never_in_a_repr(open_gate):
    said = Attributes(zone="A", seat="12", attention="proof of age", holder_last="Martin")
    async with open_gate([ListedNumber("T1", said=said)]) as gate:
        checked = await ask(gate, Keyed("T1", is_check=True))
        assert (checked.attention, checked.seat, checked.holder) == (
            "proof of age",
            "A · 12",
            "Martin",
        )
        assert "Martin" not in repr(checked)


async def test_checking_needs_no_turn_while_somebody_goes_through(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        outcome = await ask(gate, Keyed("T2", is_check=True))
        assert answers(outcome.screen) == GREEN
        assert released(gate) == 1


async def test_an_ambiguous_check_is_refused_too(open_gate):
    async with open_gate(["ab1", "AB1"]) as gate:
        refused = await ask(gate, Keyed("Ab1", ENTRY, is_check=True))
        assert refused == Refused(Refusal.AMBIGUOUS)


async def test_a_gate_without_duty_says_so(open_gate):
    async with open_gate(is_offline=True) as gate:
        assert await ask(gate, Keyed("T1")) == Refused(Refusal.NO_DUTY)
        assert await ask(gate, Keyed("T1", is_check=True)) == Refused(Refusal.NO_DUTY)
