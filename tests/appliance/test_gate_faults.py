"""Durable before the arm moves; what a full disk, a failing relay and a power cut leave behind."""

import asyncio

import pytest

from admission import journal
from admission.journal import Flag, Kind
from admission.scan import Direction
from admission.verdict import Answer
from appliance.card_keeper import RETRY_S_MAX, RETRY_S_MIN
from appliance.errors import TurnstileFaultError
from appliance.lane_records import OWED_MAX
from appliance.ports import LaneEvent, Look
from appliance.simulator.box_office import ENTRY_EXIT, ListedNumber
from appliance.simulator.virtual_turnstile import Motion, Person, VirtualTurnstile
from gate_answers import EXIT, GREEN, INSIDE_OUT, NOBODY, answers, red

# --- durable before the arm moves -----------------------------------------------------------------


class Witness(VirtualTurnstile):
    """Looks into the journal's file whenever it is told to open."""

    def __init__(self, bench, **options) -> None:
        super().__init__(bench.clock, **options)
        self.bench = bench
        self.seen: list[list[Kind]] = []

    async def release(self, direction: Direction) -> None:
        rows = await self.bench.journal.rows(self.bench.begun, 100)
        self.seen.append([Kind(journal.decode(row.blob).kind) for row in rows])
        await super().release(direction)


async def test_the_grant_is_on_the_disk_before_the_arm_moves(open_gate):
    async with open_gate(turnstile=Witness) as gate:
        await gate.scan("T1")
        assert gate.turnstile.seen == [[Kind.GRANTED]]


async def test_without_a_sensor_the_passage_too_is_on_the_disk_before_the_arm_moves(open_gate):
    def witness(bench):
        return Witness(bench, has_sensor=False)

    async with open_gate(turnstile=witness) as gate:
        await gate.scan("T1")
        assert gate.turnstile.seen == [[Kind.GRANTED, Kind.PASSED]]


@pytest.mark.parametrize("has_sensor", [True, False])
async def test_with_a_full_disk_the_arm_never_moves_and_the_display_says_why(
    open_gate, has_sensor: bool
):
    async with open_gate(has_sensor=has_sensor) as gate:
        gate.disk.fill()
        written = await gate.kinds()
        screen = await gate.scan("T1")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, "GT-FUL")
        screen = await gate.scan("nobody's")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, "GT-FUL")
        await gate.later(60)
        assert gate.turnstile.count(Motion.RELEASED) == 0
        assert await gate.kinds() == written


async def test_as_soon_as_there_is_room_again_scans_are_answered_and_the_fault_is_over(open_gate):
    async with open_gate() as gate:
        gate.disk.fill()
        await gate.scan("T1")
        gate.disk.make_room()
        await gate.later(RETRY_S_MIN)
        assert gate.health.faults == ()
        assert answers(await gate.scan("T1")) == GREEN
        await gate.later(8)
        assert (await gate.kinds())[-2:] == ["GRANTED", "PASSED"]
        assert gate.display.last.look is Look.IDLE


async def test_an_answer_shown_to_one_person_is_not_shown_to_the_next_when_the_disk_fails(
    open_gate,
):
    async with open_gate() as gate:
        assert answers(await gate.scan("nobody's")) == red(Answer.UNKNOWN_TICKET)
        gate.disk.fill()
        assert (await gate.scan("T1")).look is Look.OUT_OF_SERVICE


async def test_a_passage_that_the_disk_did_not_take_counts_and_is_written_later(open_gate):
    async with open_gate() as gate:
        await gate.scan("T1")
        gate.disk.fill()
        await gate.later(1)
        assert (await gate.kinds()).count("PASSED") == 0
        assert gate.inside == 1
        assert gate.health.faults == ("GT-FUL",)
        gate.disk.make_room()
        await gate.later(RETRY_S_MIN)
        granted, passed, *_ = await gate.records()
        assert (passed.kind, passed.refers_to) == (Kind.PASSED, granted.sequence)
        assert passed.wall_ms == granted.wall_ms
        assert gate.inside == 1
        assert gate.health.faults == ()
        assert await gate.journal.open_grants() == []


async def test_a_ticket_whose_grant_has_no_end_yet_is_taken_for_used_until_it_has(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        gate.disk.fill()
        await gate.later(6)
        assert gate.inside == 1
        gate.disk.make_room()
        await gate.later(RETRY_S_MAX)
        assert answers(await gate.scan("T2")) == GREEN  # what is owed is written first
        assert await gate.kinds() == [
            "GRANTED",
            "NOT_PASSED",
            "GRANTED",
        ]
        await gate.later(2)
        assert gate.inside == 1  # T2
        assert answers(await gate.scan("T1")) == GREEN


async def test_turns_of_the_arm_are_owed_up_to_a_bound_while_the_disk_is_full(open_gate):
    async with open_gate() as gate:
        gate.disk.fill()
        for _ in range(OWED_MAX + 5):
            gate.turnstile.walk()
        await gate.until(lambda: not gate.lane._sensed and len(gate.lane.records._owed) >= OWED_MAX)
        gate.disk.make_room()
        await gate.later(RETRY_S_MAX)
        await gate.until(lambda: not gate.lane.records._owed)
        assert (await gate.kinds()).count("FORCED") == OWED_MAX


# --- faults of the arm ----------------------------------------------------------------------------


async def test_a_relay_that_fails_is_told_and_leaves_the_ticket_unused(open_gate):
    async with open_gate() as gate:
        gate.turnstile.break_down()
        screen = await gate.scan("T1")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, "GT-RLY")
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]
        assert gate.inside == 0
        assert Look.GRANTED not in gate.display.looks


async def test_once_the_relay_works_again_the_same_ticket_opens(open_gate):
    async with open_gate() as gate:
        gate.turnstile.break_down()
        await gate.scan("T1")
        await gate.scan("T1")
        gate.turnstile.repair()
        assert answers(await gate.scan("T1")) == GREEN
        await gate.later(8)
        assert gate.health.faults == ()
        assert gate.inside == 1
        assert gate.display.last.look is Look.IDLE
        assert (await gate.kinds())[-2:] == ["GRANTED", "PASSED"]


async def test_while_the_relay_fails_refusals_are_still_told(open_gate):
    async with open_gate() as gate:
        gate.turnstile.break_down()
        await gate.scan("T1")
        assert answers(await gate.scan("nobody's")) == red(Answer.UNKNOWN_TICKET)


async def test_without_a_sensor_a_relay_that_fails_shows_the_fault_too(open_gate):
    async with open_gate(has_sensor=False) as gate:
        gate.turnstile.break_down()
        screen = await gate.scan("T1")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, "GT-RLY")
        gate.turnstile.repair()
        assert answers(await gate.scan("T2")) == GREEN


class Stuck(VirtualTurnstile):
    """Cannot even be brought to rest."""

    def __init__(self, bench) -> None:
        super().__init__(bench.clock)
        self.tried = 0

    def rest(self) -> None:
        self.tried += 1
        raise TurnstileFaultError("the relay sticks")


async def test_the_arm_is_brought_to_rest_on_the_way_out(open_gate):
    async with open_gate() as gate:
        await gate.scan("T1")
    assert gate.turnstile.history[-1].motion is Motion.RESTED


async def test_lights_go_out_even_if_the_arm_cannot_be_brought_to_rest(open_gate, monkeypatch):
    rested = []
    with pytest.raises(ExceptionGroup) as caught:
        async with open_gate(turnstile=Stuck) as gate:
            monkeypatch.setattr(gate.announcer, "rest", lambda: rested.append(True))
    assert caught.group_contains(TurnstileFaultError)
    assert rested == [True]


class Gone(VirtualTurnstile):
    """Its sensor's line breaks at once."""

    def __init__(self, bench) -> None:
        super().__init__(bench.clock)

    async def events(self):
        raise TurnstileFaultError("no sensor")
        yield LaneEvent.PASSED


async def test_a_fault_that_nobody_foresaw_ends_the_daemon_rather_than_going_unnoticed(open_gate):
    with pytest.raises(ExceptionGroup) as caught:
        async with open_gate(turnstile=Gone):
            await asyncio.sleep(0)
    assert caught.group_contains(TurnstileFaultError)


# --- restarts -------------------------------------------------------------------------------------


async def test_a_grant_without_an_end_counts_after_a_restart_as_a_passage_marked_unresolved(
    open_gate,
):
    async with open_gate() as gate:
        await gate.scan("T1")
        (granted,) = await gate.records()
    async with open_gate() as gate:
        (passed,) = await gate.journal.facts()
        assert (passed.kind, passed.refers_to) == (Kind.PASSED, granted.sequence)
        assert passed.flags & Flag.UNRESOLVED
        assert passed.wall_ms == granted.wall_ms
        assert gate.inside == 1
        assert answers(await gate.scan("T1")) == red(Answer.ALREADY_USED)
    async with open_gate() as gate:
        assert len(await gate.journal.facts()) == 1  # once, however often it starts


async def test_passages_are_remembered_over_a_restart_and_unused_grants_are_not(open_gate):
    async with open_gate(people=[Person(), NOBODY]) as gate:
        await gate.scan("T1")
        await gate.later(2)
        await gate.scan("T2")
        await gate.later(7)
    async with open_gate() as gate:
        assert gate.inside == 1
        assert answers(await gate.scan("T1")) == red(Answer.ALREADY_USED)
        assert answers(await gate.scan("T2")) == GREEN


async def test_a_number_that_passed_is_let_out_when_a_new_list_leaves_it_out(open_gate):
    async with open_gate(INSIDE_OUT) as gate:
        await gate.scan("T1")
        await gate.later(2)
    async with open_gate([ListedNumber("T2", ENTRY_EXIT)], version=2) as gate:
        assert gate.holdings.versions == {"show": 2}
        assert answers(await gate.scan("T1")) == red(Answer.CANCELED)
        assert answers(await gate.scan("T1", EXIT)) == GREEN
