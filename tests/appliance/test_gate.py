"""One lane, whole: what is read, answered and written down, and who is counted."""

from datetime import UTC, datetime, timedelta

import pytest

from admission import journal
from admission.journal import Flag, Kind
from admission.operating_mode import Situation
from admission.passage import FreeCrossing, Passage
from admission.ticket import TicketState
from admission.ticketlist.manifest import Showing
from admission.verdict import Answer
from appliance.lane_keeper import WORD_S
from appliance.ports import Look, Screen
from appliance.simulator.box_office import BoxOffice, ListedNumber, multi
from appliance.simulator.virtual_turnstile import Motion, Person
from gate_answers import ENTRY, EXIT, GREEN, INSIDE_OUT, NOBODY, answers, red

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
        assert gate.display.last == Screen(Look.PASSED)
        await gate.later(1)
        assert (gate.display.last.look, gate.display.last.occupancy) == (Look.IDLE, 1)


async def test_whoever_does_not_go_is_asked_to_and_told_when_it_is_over(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await gate.later(9)
        looks = [Look.GRANTED, Look.PLEASE_PASS, Look.NOT_PASSED, Look.IDLE]
        assert gate.display.looks[-4:] == looks


async def test_a_lane_without_a_sensor_asks_nobody_to_pass(open_gate):
    async with open_gate(has_sensor=False) as gate:
        await gate.scan("T1")
        await gate.later(9)
        assert gate.display.looks[-2:] == [Look.GRANTED, Look.IDLE]


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


@pytest.mark.parametrize(
    ("journal_id", "gate_told"),
    [("journal-a", ""), ("journal-n", "Porte Nord"), ("a later one", None)],
)
async def test_a_ticket_that_was_used_is_told_at_which_gate(open_gate, journal_id, gate_told):
    duty = {"gate_names": {"journal-n": "Porte Nord", "journal-s": "Porte Sud"}}
    async with open_gate(assignment=duty) as gate:
        passage = Passage(
            gate=journal_id,
            sequence=7,
            at=gate.clock.now() - timedelta(minutes=5),
            checkpoint="checkpoint",
            performance="show",
            identifier=gate.holdings.identify("show", "T1"),
            direction=ENTRY,
        )
        gate.history.add(passage)
        screen = await gate.scan("T1")
        assert answers(screen) == red(Answer.ALREADY_USED)
        assert screen.gate == gate_told


async def test_a_gate_at_rest_says_when_its_doors_open(open_gate):
    opens = datetime(2026, 6, 1, 18, 30, tzinfo=UTC)
    showing = Showing(name="Carmen", timezone="Europe/Paris", admits_from=opens)
    for now, doors in ((opens - timedelta(hours=1), "20:30"), (opens, "")):
        async with open_gate(showing=showing, now=now) as gate:
            assert (gate.display.last.look, gate.display.last.doors) == (Look.IDLE, doors)


async def test_nobody_goes_through_and_the_ticket_stays_unused(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        await gate.later(7)
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]
        assert gate.display.last.look is Look.NOT_PASSED
        assert gate.inside == 0
        assert answers(await gate.scan("T1")) == GREEN


async def test_a_grant_waits_for_its_person_as_long_as_it_is_set_to_and_no_longer(open_gate):
    async with open_gate(people=[NOBODY], passage_timeout_s=3.0) as gate:
        await gate.scan("T1")
        await gate.later(2.99)
        assert await gate.kinds() == ["GRANTED"]
        await gate.later(0.02 + WORD_S)
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]


async def test_whoever_goes_through_in_the_last_moment_has_gone_through(open_gate):
    async with open_gate(people=[NOBODY], passage_timeout_s=3.0) as gate:
        await gate.scan("T1")
        await gate.later(3.0)
        gate.turnstile.walk()  # in time, but heard of after it
        await gate.later(1)
        assert await gate.kinds() == ["GRANTED", "PASSED"]


async def test_whoever_goes_through_while_the_machine_stands_still_has_gone_through(open_gate):
    async with open_gate(people=[NOBODY], passage_timeout_s=3.0) as gate:
        await gate.scan("T1")
        gate.clock.advance(30)  # nothing ran meanwhile, also not what hears the sensor
        await gate.settle()
        assert await gate.kinds() == ["GRANTED"]
        gate.turnstile.walk()
        await gate.settle()
        assert await gate.kinds() == ["GRANTED", "PASSED"]


async def test_after_standing_still_a_grant_that_nobody_used_ends(open_gate):
    async with open_gate(people=[NOBODY], passage_timeout_s=3.0) as gate:
        await gate.scan("T1")
        for _ in range(2):  # and stands still again, before the sensor's word is waited for
            gate.clock.advance(30)
            await gate.settle()
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]


async def test_whoever_turns_back_at_an_exit_is_told_so_at_the_exit(open_gate):
    async with open_gate(INSIDE_OUT, people=[Person(), NOBODY]) as gate:
        await gate.scan("T1")
        await gate.later(2)
        await gate.scan("T1", EXIT)
        await gate.later(7)
        assert (gate.display.last.look, gate.display.last.direction) == (Look.NOT_PASSED, EXIT)
        assert gate.inside == 1


async def test_without_a_sensor_the_passage_is_written_with_the_grant_in_one_commit(open_gate):
    async with open_gate(has_sensor=False) as gate:
        changes = gate.disk.database.connection.total_changes
        assert answers(await gate.scan("T1")) == GREEN
        granted, passed = await gate.records()
        assert (granted.kind, passed.kind) == (Kind.GRANTED, Kind.PASSED)
        assert passed.refers_to == granted.sequence
        assert passed.flags & Flag.NO_SENSOR
        assert gate.disk.database.connection.total_changes - changes == 2
        assert gate.inside == 1
        await gate.later(30)
        assert len(await gate.records()) == 2
        assert answers(await gate.scan("T1")) == red(Answer.ALREADY_USED)


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
        await gate.later(61)  # the status that named it as the newest is good for longer
        await gate.scan("T1")
        await gate.later(24 * 3600)
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


# --- counting -------------------------------------------------------------------------------------


async def test_a_pending_grant_counts_in_occupancy(open_gate):
    async with open_gate(people=[NOBODY], assignment={"capacity": 1}) as gate:
        await gate.scan("T1")
        assert gate.inside == 1
        await gate.later(7)
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


async def test_whoever_comes_after_another_journal_was_begun_is_let_through_like_everybody(
    open_gate,
):
    async with open_gate(people=[Person(passes_after_s=0.5), Person(passes_after_s=2.0)]) as gate:
        assert (await gate.scan("T1")).look is Look.GRANTED
        await gate.later(0.5)
        gate.succession.ask(gate.journal.head)
        await gate.later(0.1)
        assert gate.journal.head == 2  # its beginning and why; a grant's number is low again
        assert (await gate.scan("T2")).look is Look.GRANTED
        await gate.later(2.0)
        # the first grant's time runs out meanwhile, and is not taken for the second one's
        kinds = [journal.decode(row.blob).kind for row in await gate.journal.rows(2, 9)]
        assert kinds == [Kind.GRANTED, Kind.PASSED]
