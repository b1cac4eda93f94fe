"""One lane, whole: what is read, answered, written down and opened, and in which order."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from admission import journal
from admission.journal import Flag, Kind
from admission.operating_mode import Situation
from admission.passage import FreeCrossing
from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.manifest import Showing
from admission.verdict import Answer
from appliance.errors import TurnstileFaultError
from appliance.gate import WAITING_MAX
from appliance.lane_keeper import DISK_RETRY_S, OWED_MAX
from appliance.ports import LaneEvent, Look
from appliance.simulator.box_office import ENTRY_EXIT, BoxOffice, ListedNumber, multi
from appliance.simulator.virtual_clock import settle
from appliance.simulator.virtual_turnstile import Motion, Person, VirtualTurnstile

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
NOBODY = Person(passes_after_s=None)
INSIDE_OUT = [ListedNumber("T1", ENTRY_EXIT), ListedNumber("T2", ENTRY_EXIT)]


def answers(screen) -> tuple[Look, Answer | None]:
    return screen.look, screen.answer


GREEN = (Look.GRANTED, Answer.GRANTED)


def red(answer: Answer) -> tuple[Look, Answer]:
    return Look.DENIED, answer


# --- one scan -------------------------------------------------------------------------------------


async def test_a_valid_ticket_opens_the_arm_once_and_its_passage_is_written_when_sensed(open_gate):
    async with open_gate() as gate:
        assert answers(await gate.scan("T1")) == GREEN
        assert await gate.kinds() == ["GRANTED"]
        assert gate.turnstile.count(Motion.RELEASED) == 1
        await gate.later(1.0)
        granted, passed = await gate.records()
        assert (passed.kind, passed.refers_to) == (Kind.PASSED, granted.sequence)
        assert gate.inside == 1


async def test_all_that_follows_from_a_scan_carries_the_moment_of_the_scan(open_gate):
    async with open_gate(people=[Person(passes_after_s=4.0)]) as gate:
        await gate.later(60)
        at = journal.wall_ms(gate.clock.now())
        await gate.scan("T1")
        await gate.later(4)
        assert [record.wall_ms for record in await gate.records()] == [at, at]
        assert len({record.boot_ms for record in await gate.records()}) == 1


async def test_a_record_says_who_was_let_in_where_and_by_which_list(open_gate):
    async with open_gate(version=7) as gate:
        await gate.scan("T1")
        (record,) = await gate.records()
        assert (record.performance, record.checkpoint) == ("show", "checkpoint")
        assert (record.answer, record.list_version, record.reader) == ("granted", 7, "outside")
        assert record.ticket_class == ("standard", "single", None, None)
        assert journal.direction_of(record.direction) is ENTRY
        assert record.identifier == gate.holdings.identify("show", "T1")


async def test_once_somebody_went_through_the_display_is_free_for_the_next(open_gate):
    async with open_gate() as gate:
        await gate.scan("T1")
        assert gate.display.last.look is Look.GRANTED
        await gate.later(1)
        assert (gate.display.last.look, gate.display.last.occupancy) == (Look.IDLE, 1)


async def test_a_refused_ticket_leaves_one_record_and_a_closed_arm(open_gate):
    async with open_gate() as gate:
        assert answers(await gate.scan("nobody's")) == red(Answer.UNKNOWN_TICKET)
        assert await gate.kinds() == ["DENIED"]
        assert gate.turnstile.count(Motion.RELEASED) == 0
        await gate.later(30)
        assert await gate.kinds() == ["DENIED"]


async def test_a_ticket_that_was_used_is_refused_and_told_when(open_gate):
    async with open_gate(showing=Showing(name="Carmen", timezone="Europe/Paris")) as gate:
        await gate.scan("T1")
        await gate.later(10)
        screen = await gate.scan("T1")
        assert answers(screen) == red(Answer.ALREADY_USED)
        assert screen.detail == "20:00"  # 18:00 UTC on the venue's clock


async def test_nobody_goes_through_and_the_ticket_stays_unused(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await gate.later(6)
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]
        assert gate.display.last.look is Look.NOT_PASSED
        assert gate.inside == 0
        assert answers(await gate.scan("T1")) == GREEN


async def test_a_grant_waits_for_its_person_as_long_as_it_is_set_to_and_no_longer(open_gate):
    async with open_gate(people=[NOBODY], passage_timeout_s=3.0) as gate:
        await gate.scan("T1")
        await gate.later(2.99)
        assert await gate.kinds() == ["GRANTED"]
        await gate.later(0.02)
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]


async def test_whoever_turns_back_at_an_exit_is_told_so_at_the_exit(open_gate):
    async with open_gate(INSIDE_OUT, people=[Person(), NOBODY]) as gate:
        await gate.scan("T1")
        await gate.later(2)
        await gate.scan("T1", EXIT)
        await gate.later(6)
        assert (gate.display.last.look, gate.display.last.direction) == (Look.NOT_PASSED, EXIT)
        assert gate.inside == 1


async def test_without_a_sensor_the_passage_is_written_with_the_grant_in_one_commit(open_gate):
    async with open_gate(has_sensor=False) as gate:
        changes = gate.disk.connection.total_changes
        assert answers(await gate.scan("T1")) == GREEN
        granted, passed = await gate.records()
        assert (granted.kind, passed.kind) == (Kind.GRANTED, Kind.PASSED)
        assert passed.refers_to == granted.sequence
        assert passed.flags & Flag.NO_SENSOR
        assert gate.disk.connection.total_changes - changes == 2
        assert gate.inside == 1
        await gate.later(30)
        assert len(await gate.records()) == 2
        assert answers(await gate.scan("T1")) == red(Answer.ALREADY_USED)


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
        await gate.disk.fill(gate.recorder)
        written = await gate.kinds()
        screen = await gate.scan("T1")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, "GT-DSK")
        screen = await gate.scan("nobody's")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, "GT-DSK")
        await gate.later(60)
        assert gate.turnstile.count(Motion.RELEASED) == 0
        assert await gate.kinds() == written


async def test_as_soon_as_there_is_room_again_scans_are_answered_and_the_fault_is_over(open_gate):
    async with open_gate() as gate:
        await gate.disk.fill(gate.recorder)
        await gate.scan("T1")
        await gate.disk.make_room()
        assert answers(await gate.scan("T1")) == GREEN
        assert gate.health.faults == ()
        await gate.later(8)
        assert (await gate.kinds())[-2:] == ["GRANTED", "PASSED"]
        assert gate.display.last.look is Look.IDLE


async def test_an_answer_shown_to_one_person_is_not_shown_to_the_next_when_the_disk_fails(
    open_gate,
):
    async with open_gate() as gate:
        assert answers(await gate.scan("nobody's")) == red(Answer.UNKNOWN_TICKET)
        await gate.disk.fill(gate.recorder)
        assert (await gate.scan("T1")).look is Look.OUT_OF_SERVICE


async def test_a_passage_that_the_disk_did_not_take_counts_and_is_written_later(open_gate):
    async with open_gate() as gate:
        await gate.scan("T1")
        await gate.disk.fill(gate.recorder)
        await gate.later(1)
        assert (await gate.kinds()).count("PASSED") == 0
        assert gate.inside == 1
        assert gate.health.faults == ("GT-DSK",)
        await gate.disk.make_room()
        await gate.later(DISK_RETRY_S)
        granted, *_, passed = await gate.records()
        assert (passed.kind, passed.refers_to) == (Kind.PASSED, granted.sequence)
        assert passed.wall_ms == granted.wall_ms
        assert gate.inside == 1
        assert gate.health.faults == ()
        assert await gate.journal.open_grants() == []


async def test_a_ticket_whose_grant_has_no_end_yet_is_taken_for_used_until_it_has(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await gate.disk.fill(gate.recorder)
        await gate.later(6)
        assert gate.inside == 1
        await gate.disk.make_room()
        assert answers(await gate.scan("T2")) == GREEN  # what is owed is written first
        assert [kind for kind in await gate.kinds() if kind != "CLOCK_STEP"] == [
            "GRANTED",
            "NOT_PASSED",
            "GRANTED",
        ]
        await gate.later(2)
        assert gate.inside == 1  # T2
        assert answers(await gate.scan("T1")) == GREEN


async def test_turns_of_the_arm_are_owed_up_to_a_bound_while_the_disk_is_full(open_gate):
    async with open_gate() as gate:
        await gate.disk.fill(gate.recorder)
        for _ in range(OWED_MAX + 5):
            gate.turnstile.walk()
        await gate.until(lambda: not gate.lane._sensed and len(gate.lane._owed) >= OWED_MAX)
        await gate.disk.make_room()
        await gate.later(DISK_RETRY_S)
        await gate.until(lambda: not gate.lane._owed)
        assert (await gate.kinds()).count("FORCED") == OWED_MAX


# --- passages that nobody was let through for -----------------------------------------------------


async def test_an_arm_that_turns_without_a_grant_is_written_as_forced(open_gate):
    async with open_gate() as gate:
        gate.turnstile.walk()
        await gate.settle()
        (record,) = await gate.records()
        assert (record.kind, record.checkpoint) == (Kind.FORCED, "checkpoint")
        assert gate.inside == 0


async def test_a_second_person_on_one_grant_is_written_as_tailgating(open_gate):
    async with open_gate(people=[Person(1.0, followed_after_s=0.5)]) as gate:
        await gate.scan("T1")
        await gate.later(2)
        granted, _, tailgated = await gate.records()
        assert tailgated.kind == Kind.TAILGATED
        assert tailgated.detail == {"grant": granted.sequence}
        assert gate.inside == 1


async def test_somebody_who_comes_long_after_a_passage_is_forced_not_tailgating(open_gate):
    async with open_gate(people=[Person(1.0, followed_after_s=3.0)]) as gate:
        await gate.scan("T1")
        await gate.later(5)
        assert await gate.kinds() == ["GRANTED", "PASSED", "FORCED"]


# --- several scans at once ------------------------------------------------------------------------


async def test_a_scan_while_somebody_goes_through_waits_and_is_then_judged(open_gate):
    async with open_gate(people=[Person(3.0)]) as gate:
        await gate.scan("T1")
        await gate.later(1)
        await gate.scan("T2")
        assert await gate.kinds() == ["GRANTED"]
        assert gate.turnstile.count(Motion.RELEASED) == 1
        await gate.later(2)
        assert await gate.kinds() == ["GRANTED", "PASSED", "GRANTED"]
        assert answers(gate.display.last) == GREEN
        await gate.later(1)
        assert gate.inside == 2


async def test_a_ticket_that_waited_for_itself_to_pass_is_judged_by_what_happened_meanwhile(
    open_gate,
):
    async with open_gate(INSIDE_OUT, people=[Person(3.0)]) as gate:
        await gate.scan("T1")
        gate.exit.present(b"T1 ")  # not the same bytes, the same ticket
        await gate.settle()
        await gate.later(3)
        assert await gate.kinds() == ["GRANTED", "PASSED", "GRANTED"]
        assert gate.display.last.direction is EXIT


async def test_the_same_ticket_held_before_the_reader_while_pending_is_ignored(open_gate):
    async with open_gate(people=[Person(3.0)]) as gate:
        for _ in range(3):
            await gate.scan("T1")
            await gate.later(0.5)
        await gate.later(3)
        assert await gate.kinds() == ["GRANTED", "PASSED"]


async def test_a_ticket_read_twice_before_it_was_judged_is_one_scan(open_gate):
    async with open_gate() as gate:
        gate.entry.present(b"T1")
        gate.entry.present(b"T1")
        await gate.later(3)
        assert await gate.kinds() == ["GRANTED", "PASSED"]


async def test_a_flood_is_bounded_and_the_oldest_codes_are_dropped(open_gate):
    async with open_gate(people=[Person(3.0)]) as gate:
        await gate.scan("T1")
        for number in range(100):
            gate.entry.present(b"flood %d" % number)
        await gate.later(1)
        assert len(gate.gate._waiting) == WAITING_MAX
        await gate.later(3)
        assert await gate.kinds() == ["GRANTED", "PASSED"] + ["DENIED"] * WAITING_MAX
        assert answers(await gate.scan("T2")) == GREEN


async def test_a_flood_is_bounded_also_while_nobody_goes_through(open_gate):
    async with open_gate() as gate:
        async with gate.journal._writing:  # the disk is slow
            for number in range(100):
                gate.entry.present(b"flood %d" % number)
            await settle()
            assert WAITING_MAX - 1 <= len(gate.gate._waiting) <= WAITING_MAX  # one is judged
        await gate.until(lambda: not gate.gate._waiting)
        await gate.settle()
        assert len(await gate.kinds()) <= WAITING_MAX + 1


async def test_people_on_both_sides_go_through_one_after_the_other(open_gate):
    async with open_gate(INSIDE_OUT, assignment={"exit_policy": "none"}) as gate:
        await gate.scan("T1")
        await gate.later(2)
        gate.exit.present(b"T1")
        gate.entry.present(b"T2")
        gate.exit.present(b"nobody's")
        await gate.later(5)
        assert (await gate.kinds())[2:] == ["GRANTED", "PASSED", "DENIED", "GRANTED", "PASSED"]
        assert gate.inside == 1


# --- counting -------------------------------------------------------------------------------------


async def test_a_pending_grant_counts_in_occupancy(open_gate):
    async with open_gate(people=[NOBODY], assignment={"capacity": 1}) as gate:
        await gate.scan("T1")
        assert gate.inside == 1
        await gate.later(6)
        assert gate.inside == 0


async def test_a_full_house_lets_nobody_in_until_somebody_leaves(open_gate):
    async with open_gate(INSIDE_OUT, assignment={"capacity": 1}) as gate:
        await gate.scan("T1")
        await gate.later(2)
        assert answers(await gate.scan("T2")) == red(Answer.FULL)
        await gate.scan("T1", EXIT)
        await gate.later(2)
        assert answers(await gate.scan("T2")) == GREEN


async def test_what_others_let_in_fills_the_house_too(open_gate):
    async with open_gate(assignment={"capacity": 1}) as gate:
        gate.history.add(FreeCrossing("gate-b", 1, gate.clock.now(), "checkpoint", ENTRY))
        assert answers(await gate.scan("T1")) == red(Answer.FULL)


async def test_a_ticket_for_several_passages_is_good_for_so_many_and_no_more(open_gate):
    async with open_gate([ListedNumber("T1", multi(total=2))]) as gate:
        for way in (ENTRY, EXIT):
            assert answers(await gate.scan("T1", way)) == GREEN
            await gate.later(2)
        assert answers(await gate.scan("T1")) == red(Answer.NO_PASSES_LEFT)


async def test_a_ticket_for_one_passage_a_day_is_good_again_on_the_next(open_gate):
    async with open_gate([ListedNumber("T1", multi(per_day=1))]) as gate:
        await gate.scan("T1")
        await gate.later(2)
        assert answers(await gate.scan("T1")) == red(Answer.DAILY_LIMIT_REACHED)
        await gate.later(timedelta(hours=6).total_seconds())
        assert answers(await gate.scan("T1")) == GREEN


# --- exits ----------------------------------------------------------------------------------------


async def test_whoever_is_inside_is_let_out_even_if_the_list_has_expired(open_gate):
    ends = datetime(2026, 6, 1, 18, 10, tzinfo=UTC)
    async with open_gate(INSIDE_OUT, not_after=ends) as gate:
        await gate.scan("T1")
        await gate.later(601)
        assert answers(await gate.scan("T2")) == red(Answer.LIST_EXPIRED)
        assert answers(await gate.scan("T1", EXIT)) == GREEN
        await gate.later(2)
        assert gate.inside == 0


@pytest.mark.parametrize(
    ("policy", "number", "opens"),
    [
        ("listed", "T1", True),
        ("listed", "nobody's", False),
        ("any", "nobody's", True),
        ("any", "\x00", True),
        ("none", "T1", False),
    ],
)
async def test_an_exit_opens_on_a_refusal_as_its_policy_has_it(
    open_gate, policy: str, number: str, opens: bool
):
    async with open_gate(assignment={"exit_policy": policy}) as gate:
        screen = await gate.scan(number, EXIT)
        await gate.later(2)
        assert gate.turnstile.count(Motion.RELEASED) == int(opens)
        assert screen.look is (Look.GRANTED if opens else Look.DENIED)
        assert screen.answer is not Answer.GRANTED  # people are told the answer all the same
        assert await gate.kinds() == (["GRANTED", "PASSED"] if opens else ["DENIED"])
        if opens:
            granted, passed = await gate.records()
            assert granted.flags & passed.flags & Flag.EXIT_POLICY
            assert passed.answer == granted.answer == screen.answer


async def test_who_leaves_on_an_unknown_number_counts_in_occupancy_only(open_gate):
    async with open_gate(assignment={"exit_policy": "any"}) as gate:
        await gate.scan("nobody's", EXIT)
        await gate.later(2)
        _, passed = await gate.records()
        assert (passed.performance, passed.identifier) == ("", b"")
        assert gate.inside == -1


async def test_the_exit_policy_opens_no_entry(open_gate):
    async with open_gate(assignment={"exit_policy": "any"}) as gate:
        assert answers(await gate.scan("nobody's")) == red(Answer.UNKNOWN_TICKET)
        assert gate.turnstile.count(Motion.RELEASED) == 0


# --- payloads -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" \t\r\n",
        b"\xff\xfe",
        b"T\x001",
        b"T1\x1b[2J",
        b"x" * 513,
        b"x" * 4096,
        b"y" * 5000,
        "é".encode() * 2048,
        b"\xed\xa0\x80",
    ],
    ids=repr,
)
async def test_what_is_no_ticket_number_is_malformed_and_the_gate_goes_on(
    open_gate, payload: bytes
):
    async with open_gate() as gate:
        assert answers(await gate.scan(payload)) == red(Answer.MALFORMED)
        assert await gate.kinds() == ["DENIED"]
        assert answers(await gate.scan("T1")) == GREEN


async def test_spaces_and_line_ends_around_a_number_do_not_matter(open_gate):
    async with open_gate() as gate:
        assert answers(await gate.scan(b"\t T1\r\n")) == GREEN


@pytest.mark.parametrize("state", [state for state in TicketState if state != TicketState.VALID])
async def test_a_state_that_is_not_valid_is_its_own_answer(open_gate, state: TicketState):
    async with open_gate([ListedNumber("T1", state=state)]) as gate:
        assert answers(await gate.scan("T1")) == red(Answer(state.value))


async def test_a_ticket_for_another_performance_is_told_which(open_gate):
    office = BoxOffice()
    lists = [office.draw_up("show", ["T1"]), office.draw_up("matinee", ["M1"])]
    async with open_gate(lists=lists, assignment={"held": ["matinee"]}) as gate:
        screen = await gate.scan("M1")
        assert answers(screen) == red(Answer.WRONG_PERFORMANCE)
        assert screen.detail == "Name of matinee"


async def test_without_a_list_nobody_is_told_that_the_ticket_is_unknown(open_gate):
    async with open_gate(assignment={"performances": ["not published"]}) as gate:
        assert gate.display.last.look is Look.WAITING_LIST
        assert answers(await gate.scan("T1")) == red(Answer.LIST_UNTRUSTED)


async def test_a_stale_list_admits_and_says_so(open_gate):
    fresh_until = datetime(2026, 6, 1, 18, 1, tzinfo=UTC)
    async with open_gate(refresh_by=fresh_until) as gate:
        await gate.scan("T1")
        await gate.later(61)
        assert answers(await gate.scan("T2")) == GREEN
        first, _, second = await gate.records()
        assert not first.flags & Flag.STALE
        assert second.flags & Flag.STALE


async def test_what_is_written_while_degraded_says_so(open_gate):
    async with open_gate() as gate:
        gate.health.situation = lambda: Situation(live=False)
        gate.health.changed()
        assert answers(await gate.scan("T1")) == GREEN
        assert gate.display.last.degraded
        (record,) = await gate.records()
        assert record.flags & Flag.DEGRADED


async def test_no_ticket_number_reaches_a_log(open_gate, caplog: pytest.LogCaptureFixture):
    async with open_gate(["SECRET-1"]) as gate:
        await gate.scan("SECRET-1")
        await gate.scan("SECRET-2")
        await gate.scan(b"SECRET-3\xff")
    assert "SECRET" not in "".join(str(vars(record)) for record in caplog.records)


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


# --- the lane's shell itself ----------------------------------------------------------------------


async def test_the_timer_of_a_grant_that_was_used_at_the_last_moment_changes_nothing(open_gate):
    async with open_gate(people=[Person(4.999)], passage_timeout_s=5.0) as gate:
        await gate.scan("T1")
        await gate.later(8)
        assert await gate.kinds() == ["GRANTED", "PASSED"]


async def test_every_grant_ends_exactly_once_whatever_people_do(open_gate):
    people = [Person(1.0), NOBODY, Person(0.2, 0.3), Person(4.9), NOBODY, Person(2.0, 1.5)]
    tickets = [f"T{n}" for n in range(12)]
    async with open_gate(tickets, people=people) as gate:
        for n, number in enumerate(tickets):
            await gate.scan(number)
            if n % 4 == 3:
                gate.turnstile.walk(0.7)
            await gate.later(1.1 + n % 3)
        await gate.later(30)
        records = await gate.records()
    grants = [record.sequence for record in records if record.kind == Kind.GRANTED]
    ends = [record.refers_to for record in records if record.refers_to]
    assert sorted(ends) == grants
    assert len(grants) > 8
    passed = sum(record.kind == Kind.PASSED for record in records)
    others = sum(record.kind in (Kind.FORCED, Kind.TAILGATED) for record in records)
    assert passed + others == gate.turnstile.count(Motion.PASSED)
