"""What a supervisor may do at the gate: each with who and why, on the disk before its effect."""

import asyncio

import pytest

from admission.journal import Flag, Kind
from admission.sync.assignment import CheckpointRow
from admission.verdict import Answer
from appliance.ports import Look
from appliance.simulator.virtual_turnstile import Motion, Person
from appliance.steward_ports import (
    Done,
    GrantEnd,
    Keyed,
    LetThrough,
    MoveTo,
    Refusal,
    Refused,
    ResetLast,
    SetFree,
    SetLock,
    Turn,
)
from appliance.stewarding import ANSWER_S_MAX, WAITING_MAX
from gate_answers import ENTRY, EXIT, GREEN, INSIDE_OUT, NOBODY, answers, red
from linked_gate import linked

FOREVER = Person(passes_after_s=None)


async def ask(gate, request):
    """Ask, and let everything happen that needs no time."""
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(gate.stewarding.ask(request))
        await gate.until(asked.done)
    return asked.result()


def released(gate):
    return gate.turnstile.count(Motion.RELEASED)


def opening(direction=ENTRY, reason="a wheelchair"):
    return LetThrough(direction, "Anna", reason)


# --- letting through ----------------------------------------


@pytest.mark.parametrize("direction", [ENTRY, EXIT])
async def test_letting_somebody_through_is_an_override_with_who_and_why(open_gate, direction):
    async with open_gate() as gate:
        assert isinstance(await ask(gate, opening(direction)), Done)
        assert answers(gate.display.last) == GREEN
        await gate.later(2)
        granted, passed = await gate.records()
        assert granted.detail == {
            "action": "open",
            "operator": "Anna",
            "why": "a wheelchair",
            "source": "page",
        }
        assert granted.flags & passed.flags & Flag.OVERRIDE
        assert gate.turnstile.count(Motion.RELEASED) == 1
        assert gate.inside == (1 if direction is ENTRY else -1)


async def test_nobody_is_let_through_without_a_reason(open_gate):
    async with open_gate() as gate:
        assert await ask(gate, opening(reason="  ")) == Refused(Refusal.NO_REASON)
        assert await gate.records() == []


async def test_nobody_is_let_through_while_the_card_does_not_write(open_gate):
    async with open_gate() as gate:
        gate.disk.fill()
        assert await ask(gate, opening()) == Refused(Refusal.CARD)
        assert released(gate) == 0


async def test_nobody_is_let_out_where_the_arm_has_no_exit(open_gate):
    async with open_gate(ways=frozenset({ENTRY})) as gate:
        assert await ask(gate, opening(EXIT)) == Refused(Refusal.NO_WAY)
        assert await ask(gate, Turn(EXIT, "Anna")) == Refused(Refusal.NO_WAY)


async def test_whoever_goes_through_is_not_disturbed(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(gate.stewarding.ask(opening()))
            await gate.later(5)
            assert released(gate) == 1
            await gate.later(2)
            await gate.until(asked.done)
        assert released(gate) == 2


async def test_what_nobody_waits_for_any_more_is_never_done(open_gate):
    async with open_gate(people=[FOREVER], passage_timeout_s=60.0) as gate:
        await gate.scan("T1")
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(gate.stewarding.ask(opening()))
            left = group.create_task(gate.stewarding.ask(opening()))
            await gate.settle()
            left.cancel()
            await gate.later(ANSWER_S_MAX + 1)
            assert asked.result() == Refused(Refusal.NOT_IN_TIME)
        await gate.later(60)
        assert released(gate) == 1
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]


async def test_too_much_at_once_is_refused(open_gate):
    async with open_gate(people=[FOREVER], passage_timeout_s=60.0) as gate:
        await gate.scan("T1")
        async with asyncio.TaskGroup() as group:
            waiting = [
                group.create_task(gate.stewarding.ask(opening())) for _ in range(WAITING_MAX)
            ]
            await gate.settle()
            assert await gate.stewarding.ask(opening()) == Refused(Refusal.BUSY)
            for one in waiting:
                one.cancel()


# --- taking the last one back ----------------------------------------


async def test_the_last_admission_is_taken_back_and_its_ticket_goes_again(open_gate):
    async with open_gate() as gate:
        await gate.scan("T1")
        await gate.later(2)
        last = gate.stewarding.last()
        assert (last.category, last.end, last.direction) == ("standard", GrantEnd.PASSED, ENTRY)
        assert await ask(gate, ResetLast(last.grant, "Anna", "wrong door")) == Done()
        assert gate.inside == 0
        *_, reset = await gate.records()
        assert (reset.kind, reset.detail["why"], reset.detail["grant"]) == (
            Kind.RESET,
            "wrong door",
            last.grant,
        )
        again = ResetLast(last.grant, "Anna", "wrong door")
        assert await ask(gate, again) == Refused(Refusal.WAS_RESET)
        assert answers(await gate.scan("T1")) == GREEN


async def test_only_the_admission_that_was_meant_is_taken_back(open_gate):
    async with open_gate() as gate:
        await gate.scan("T1")
        await gate.later(2)
        meant = gate.stewarding.last().grant
        await gate.scan("T2")
        await gate.later(2)
        assert await ask(gate, ResetLast(meant, "Anna", "x")) == Refused(Refusal.NEWER)
        assert "RESET" not in await gate.kinds()


async def test_what_used_nothing_up_cannot_be_taken_back(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        assert await ask(gate, ResetLast(1, "Anna", "x")) == Refused(Refusal.NO_LAST)
        await gate.scan("T1")
        await gate.later(7)
        grant = gate.stewarding.last().grant
        assert await ask(gate, ResetLast(grant, "Anna", "x")) == Refused(Refusal.NOT_USED)
        await ask(gate, opening())
        await gate.later(3)
        grant = gate.stewarding.last().grant
        assert await ask(gate, ResetLast(grant, "Anna", "x")) == Refused(Refusal.NO_TICKET)


async def test_the_last_admission_is_known_after_a_restart(open_gate, tmp_path):
    async with open_gate() as gate:
        await gate.scan("T1")
        await gate.later(2)
        before = gate.stewarding.last()
    async with open_gate() as gate:
        assert gate.stewarding.last() == before
        assert await ask(gate, ResetLast(before.grant, "Anna", "x")) == Done()
        assert answers(await gate.scan("T1")) == GREEN


# --- turning and locking ----------------------------------------


async def test_a_reader_that_was_turned_lets_out_and_stays_so_over_a_restart(open_gate):
    async with open_gate(INSIDE_OUT) as gate:
        await gate.scan("T1")
        await gate.later(2)
        assert await ask(gate, Turn(EXIT, "Anna", "outside")) == Done()
        (*_, noted) = await gate.records()
        assert (noted.kind, noted.detail["action"], noted.detail["reader"]) == (
            Kind.COMMAND,
            "turn",
            "outside",
        )
        assert gate.display.last.direction is EXIT
        await gate.scan("T1")
        await gate.later(2)
        assert gate.inside == 0
    async with open_gate(INSIDE_OUT) as gate:
        assert gate.stewarding.directions["outside"] is EXIT
        assert gate.display.last.direction is EXIT
        await ask(gate, Turn(ENTRY, "Anna"))
        assert set(gate.stewarding.directions.values()) == {ENTRY}
        assert await ask(gate, Turn(ENTRY, "Anna", "none such")) == Refused(Refusal.NO_READER)


async def test_a_turn_that_cannot_be_written_does_not_happen(open_gate):
    async with open_gate(INSIDE_OUT) as gate:
        gate.disk.fill()
        assert await ask(gate, Turn(EXIT, "Anna", "outside")) == Refused(Refusal.CARD)
        assert gate.stewarding.directions["outside"] is ENTRY


VIP_DOOR = CheckpointRow(
    id="vip", name="VIP door", performances=("show",), allowed_categories=("vip",)
)


async def test_a_gate_that_was_moved_judges_and_writes_by_the_other_checkpoint(open_gate):
    duty = {"alternatives": (VIP_DOOR,)}
    async with open_gate(assignment=duty) as gate:
        assert gate.stewarding.checkpoints == {
            "checkpoint": "Name of checkpoint",
            "vip": "VIP door",
        }
        assert await ask(gate, MoveTo("vip", "Anna", "queue at the side")) == Done()
        (noted,) = await gate.records()
        assert noted.detail == {
            "action": "move",
            "operator": "Anna",
            "why": "queue at the side",
            "source": "page",
            "from": "checkpoint",
            "to": "vip",
        }
        assert gate.display.last.detail == "VIP door"
        assert answers(await gate.scan("T1")) == red(Answer.WRONG_CHECKPOINT)
        (*_, denied) = await gate.records()
        assert (denied.kind, denied.checkpoint) == (Kind.DENIED, "vip")
    async with open_gate(assignment=duty) as gate:  # and stays there over a restart
        assert list(gate.stewarding.checkpoints) == ["vip", "checkpoint"]
        assert await ask(gate, MoveTo("checkpoint", "Anna", "over")) == Done()
        assert answers(await gate.scan("T1")) == GREEN


async def test_a_gate_is_moved_only_where_its_duty_lets_it(open_gate):
    async with open_gate(assignment={"alternatives": (VIP_DOOR,)}) as gate:
        for elsewhere in ("checkpoint", "far away"):
            refused = await ask(gate, MoveTo(elsewhere, "Anna", "x"))
            assert refused == Refused(Refusal.NO_CHECKPOINT)
        assert await ask(gate, MoveTo("vip", "Anna", " ")) == Refused(Refusal.NO_REASON)
        gate.disk.fill()
        assert await ask(gate, MoveTo("vip", "Anna", "x")) == Refused(Refusal.CARD)
        assert list(gate.stewarding.checkpoints) == ["checkpoint", "vip"]


async def test_the_server_is_told_where_a_gate_works(open_gate):
    async with linked(open_gate, assignment={"alternatives": (VIP_DOOR,)}) as gate:
        assert gate.uplink.status().checkpoint == "checkpoint"
        await ask(gate, MoveTo("vip", "Anna", "x"))
        assert gate.uplink.status().checkpoint == "vip"


async def test_what_the_office_assigns_goes_before_what_was_chosen_at_the_gate(open_gate):
    async with open_gate(assignment={"alternatives": (VIP_DOOR,)}) as gate:
        await ask(gate, MoveTo("vip", "Anna", "x"))
    async with open_gate(
        assignment={"version": 2, "checkpoint": "stairs", "alternatives": (VIP_DOOR,)}
    ) as gate:
        assert list(gate.stewarding.checkpoints) == ["stairs", "vip"]
    async with open_gate(assignment={"version": 3}) as gate:
        assert gate.stewarding.checkpoints == {"checkpoint": "Name of checkpoint"}


async def test_a_lock_refuses_entries_stays_over_a_restart_and_is_taken_back(open_gate):
    async with open_gate() as gate:
        assert await ask(gate, SetLock(True, "Anna", "full stairs")) == Done()
        assert answers(await gate.scan("T1")) == red(Answer.GATE_LOCKED)
    async with open_gate() as gate:
        assert gate.stewarding.is_locked
        assert await ask(gate, SetLock(False, "Anna", "free again")) == Done()
        assert answers(await gate.scan("T1")) == GREEN
        details = [one.detail for one in await gate.records() if one.kind == Kind.COMMAND]
        assert [(one["action"], one["why"]) for one in details] == [("unlock", "free again")]


# --- free passage ----------------------------------------


async def test_free_passage_is_begun_and_ended_with_who_and_why(open_gate):
    async with open_gate() as gate:
        begin, end = SetFree(True, "Anna", "smoke"), SetFree(False, "Anna", "over")
        assert await ask(gate, end) == Refused(Refusal.NOT_FREE)
        assert await ask(gate, begin) == Done()
        assert gate.stewarding.is_free
        assert await ask(gate, begin) == Refused(Refusal.NOT_FREE)
        assert await ask(gate, opening()) == Refused(Refusal.FREE_NOW)
        assert await ask(gate, Keyed("T1")) == Refused(Refusal.FREE_NOW)
        await gate.later(10)
        assert await ask(gate, end) == Done()
        details = [one.detail for one in await gate.records() if one.kind == Kind.FREE_PASSAGE]
        assert [one["why"] for one in details] == ["Anna: smoke", "Anna: over"]
        assert answers(await gate.scan("T2")) == GREEN


# --- counting ----------------------------------------


async def test_statistics_count_what_was_answered(open_gate):
    async with open_gate(people=[Person(), Person(), NOBODY]) as gate:
        await gate.scan("T1")
        await gate.later(60)
        await gate.scan("T1")
        await gate.scan("nothing")
        await ask(gate, opening())
        await gate.later(10)
        await ask(gate, Keyed("T2"))
        await gate.later(10)
        told = gate.stewarding.statistics()
        assert (told.granted, told.overrides, told.not_passed) == (2, 1, 1)
        assert told.refused == {"already_used": 1, "unknown_ticket": 1}
        assert told.occupancy == 2
        assert sum(told.per_minute) == 3
        assert told.per_minute[-2:] == (1, 2)
        assert gate.stewarding.queue == gate.journal.head
        assert gate.display.last.look is Look.IDLE
