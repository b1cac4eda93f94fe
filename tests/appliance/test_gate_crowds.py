"""Several people at one lane: who waits, who is let through, who goes through unasked."""

from admission.journal import Kind
from appliance.gate import WAITING_MAX
from appliance.simulator.virtual_clock import settle
from appliance.simulator.virtual_turnstile import Motion, Person
from gate_answers import EXIT, GREEN, INSIDE_OUT, NOBODY, answers

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
