"""A card that is slow, full, read-only or failing: what people see, what is written, what opens."""

import asyncio
import sqlite3

import pytest

from admission.journal import Flag, Kind
from admission.verdict import Answer
from appliance.card_keeper import RETRY_S_MAX, CardLimits, SlowCardPolicy
from appliance.commit_times import CommitTimes
from appliance.errors import StorageError
from appliance.fault_codes import DISK_FAULT, FULL_FAULT, JOURNAL_FAULT, SLOW_FAULT
from appliance.ports import Look
from appliance.simulator.virtual_turnstile import Motion
from gate_answers import EXIT, GREEN, INSIDE_OUT, NOBODY, answers, red
from linked_gate import linked, live

MB = 1 << 20
STOP = CardLimits(policy=SlowCardPolicy.STOP, look_s=1e6)
LOOKS = CardLimits(look_s=10.0)


def released(gate) -> int:
    return gate.turnstile.count(Motion.RELEASED)


async def hung_scan(gate, number: str, seconds: float):
    """Show a ticket to a card that does not come back, let time go on, then let it come back."""
    gate.disk.card.hang()
    gate.entry.present(number.encode())
    for _ in range(round(seconds * 20)):
        await ticks(gate)
        gate.clock.advance(0.05)
    await ticks(gate)


async def ticks(gate) -> None:
    """Let the loop run; the database's thread is not waited for, since it hangs."""
    for _ in range(60):
        await asyncio.sleep(0)
    await asyncio.sleep(0.001)


# --- slow -----------------------------------------------------------------------------------------


async def test_while_a_commit_takes_long_the_display_says_that_the_gate_is_working(open_gate):
    async with open_gate() as gate:
        await hung_scan(gate, "T1", 1)
        assert gate.display.last.look is Look.READING
        assert released(gate) == 0
        gate.disk.card.let_go()
        await gate.settle()
        assert answers(gate.display.last) == GREEN
        assert released(gate) == 1


async def test_a_slow_commit_is_a_fault_that_is_shown_written_and_over_when_a_probe_is_fast(
    open_gate,
):
    async with open_gate(people=[NOBODY]) as gate:
        await hung_scan(gate, "T1", 1)
        gate.disk.card.let_go()
        await gate.settle()
        assert gate.health.faults == (SLOW_FAULT,)
        assert not gate.health.is_stopped  # people wait as long as it takes
        await gate.later(20)
        assert gate.health.faults == ()
        assert await gate.faults_written() == [(SLOW_FAULT, "begun"), (SLOW_FAULT, "over")]
        assert gate.display.last.look is Look.IDLE


async def test_at_rest_the_code_of_a_slow_card_stands_on_the_screen(open_gate):
    async with open_gate() as gate:
        gate.recorder.times.on_slow(300_000_000)
        await gate.settle()
        assert (gate.display.last.look, gate.display.last.fault) == (Look.IDLE, SLOW_FAULT)


async def test_where_the_policy_is_to_stop_nobody_enters_until_the_card_is_fast_again(open_gate):
    async with open_gate(INSIDE_OUT, card_limits=STOP) as gate:
        assert answers(await gate.scan("T1")) == GREEN
        await gate.later(8)
        gate.recorder.times.on_slow(400_000_000)
        screen = await gate.scan("T2")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, SLOW_FAULT)
        assert released(gate) == 1
        assert answers(await gate.scan("T1", EXIT)) == GREEN  # who is inside leaves
        await gate.later(30)
        assert answers(await gate.scan("T2")) == GREEN


async def test_a_commit_that_does_not_come_back_takes_the_lane_out_of_service(open_gate):
    async with open_gate() as gate:
        await hung_scan(gate, "T1", 6)
        assert (gate.display.last.look, gate.display.last.fault) == (
            Look.OUT_OF_SERVICE,
            SLOW_FAULT,
        )
        gate.disk.card.let_go()
        await gate.settle()


async def test_a_grant_that_comes_too_late_opens_nothing_and_uses_nothing_up(open_gate):
    async with open_gate() as gate:
        await hung_scan(gate, "T1", 6)
        gate.entry.present(b"T2")  # somebody else, who has gone too when the card comes back
        await ticks(gate)
        gate.disk.card.let_go()
        await gate.settle()
        assert released(gate) == 0
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]
        assert gate.inside == 0
        await gate.later(20)
        assert gate.health.faults == ()
        assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]  # nothing of T2
        assert answers(await gate.scan("T1")) == GREEN


async def test_without_a_sensor_a_late_grant_opens_nothing_and_stays_a_passage(open_gate):
    async with open_gate(has_sensor=False) as gate:
        await hung_scan(gate, "T1", 6)
        gate.disk.card.let_go()
        await gate.settle()
        assert released(gate) == 0
        assert await gate.kinds() == ["GRANTED", "PASSED"]
        await gate.later(20)
        assert answers(await gate.scan("T1")) == red(Answer.ALREADY_USED)


async def test_the_server_is_told_of_the_faults_the_commits_and_the_room(open_gate):
    async with linked(open_gate) as gate:
        gate.uplink.device_faults = lambda: gate.health.faults
        gate.uplink.card = gate.card.report
        await live(gate)
        gate.disk.watched.free = 700 * MB
        gate.health.noted(SLOW_FAULT)
        gate.recorder.times._last.append(301_000_000)
        status = gate.uplink.status()
        assert (status.faults, status.commit_ms, status.free_mb) == ([SLOW_FAULT], 301, 700)


async def test_the_self_test_tells_a_slow_card_before_anybody_is_served(open_gate, caplog):
    async with open_gate() as gate:
        await gate.card.self_test()
        assert gate.health.faults == ()
        real = gate.disk.watched.probe

        async def slow() -> None:
            gate.clock.advance(0.3)
            await real()

        gate.disk.watched.probe = slow
        await gate.card.self_test()
        assert gate.health.faults == (SLOW_FAULT,)
    (tried,) = [one for one in caplog.records if getattr(one, "p99_ms", None) == 300]
    assert tried.message == "card tried"


def test_quantiles_of_the_last_commits_are_whole_milliseconds_rounded_up():
    now = [0]
    times = CommitTimes(lambda: now[0])
    assert times.quantile_ms(0.99) == 0
    for took_us in (100, 2_100, 900):
        commit = times.begin(is_awaited=False)
        now[0] += took_us * 1000
        times.end(commit)
    assert (times.quantile_ms(0.5), times.quantile_ms(0.99)) == (1, 3)
    assert times.waiting_ns is None


# --- failing --------------------------------------------------------------------------------------


async def test_after_an_error_the_file_is_opened_anew_and_granting_goes_on_after_a_probe(open_gate):
    async with open_gate() as gate:
        opened = gate.disk.card.opened
        gate.disk.card.fail(sqlite3.SQLITE_IOERR)
        screen = await gate.scan("T1")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, DISK_FAULT)
        assert released(gate) == 0
        gate.disk.card.work()
        await gate.later(1)
        assert gate.disk.card.opened == opened + 2  # one that failed, one that did not
        assert gate.health.faults == ()
        assert answers(await gate.scan("T1")) == GREEN
        await gate.later(8)
        assert await gate.faults_written() == [(DISK_FAULT, "begun"), (DISK_FAULT, "over")]


async def test_a_card_that_stays_broken_is_tried_with_waits_that_are_bounded(open_gate):
    async with open_gate() as gate:
        gate.disk.card.fail(sqlite3.SQLITE_IOERR)
        await gate.scan("T1")
        opened = gate.disk.card.opened
        await gate.later(300)
        assert 300 / RETRY_S_MAX <= gate.disk.card.opened - opened < 20
        gate.disk.card.work()
        await gate.later(RETRY_S_MAX)
        assert answers(await gate.scan("T2")) == GREEN


@pytest.mark.parametrize("has_sensor", [True, False])
async def test_a_grant_that_is_on_the_disk_though_its_commit_failed_is_accounted_for(
    open_gate, has_sensor: bool
):
    async with open_gate(has_sensor=has_sensor) as gate:
        gate.disk.card.fail(sqlite3.SQLITE_IOERR, is_written=True)
        await gate.scan("T1")
        assert released(gate) == 0
        gate.disk.card.work()
        await gate.later(2)
        if has_sensor:  # nobody went through: the arm has not moved
            assert await gate.kinds() == ["GRANTED", "NOT_PASSED"]
            assert answers(await gate.scan("T1")) == GREEN
        else:  # the passage was written with it: nobody may be let in twice
            assert await gate.kinds() == ["GRANTED", "PASSED"]
            assert answers(await gate.scan("T1")) == red(Answer.ALREADY_USED)


async def test_a_record_that_is_on_the_disk_though_its_commit_failed_is_not_written_twice(
    open_gate,
):
    async with open_gate() as gate:
        await gate.scan("T1")
        gate.disk.card.fail(sqlite3.SQLITE_IOERR, is_written=True)
        await gate.later(1)  # the passage
        gate.disk.card.work()
        await gate.later(3)
        assert await gate.kinds() == ["GRANTED", "PASSED"]
        assert gate.inside == 1
        assert not gate.lane.records._owed
        assert not (await gate.records())[1].flags & Flag.UNRESOLVED


async def test_an_error_that_only_the_uplink_met_stops_the_lane_too(open_gate):
    async with open_gate() as gate:
        gate.disk.card.fail(sqlite3.SQLITE_IOERR)
        with pytest.raises(StorageError):
            await gate.memory.remember_assignment(9, b"x")
        await gate.settle()
        assert gate.health.is_stopped
        gate.disk.card.work()
        await gate.later(2)
        assert not gate.health.is_stopped


async def test_a_journal_that_is_found_damaged_in_service_ends_this_start(open_gate):
    async with open_gate() as gate:
        gate.disk.card.fail(sqlite3.SQLITE_CORRUPT)
        screen = await gate.scan("T1")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, JOURNAL_FAULT)
        assert gate.card.damaged.is_set()
        gate.disk.card.work()


# --- full -----------------------------------------------------------------------------------------


async def test_below_the_floor_nobody_enters_and_who_is_inside_leaves(open_gate):
    async with open_gate(INSIDE_OUT, card_limits=LOOKS) as gate:
        assert answers(await gate.scan("T1")) == GREEN
        await gate.later(8)
        gate.disk.watched.free = 15 * MB
        await gate.later(10)
        screen = await gate.scan("T2")
        assert (screen.look, screen.fault) == (Look.OUT_OF_SERVICE, FULL_FAULT)
        assert answers(await gate.scan("T1", EXIT)) == GREEN
        await gate.later(8)
        assert gate.inside == 0
        gate.disk.watched.free = 16 * MB
        await gate.later(10)
        assert gate.health.is_stopped  # a little more than the floor, or it would come and go
        gate.disk.watched.free = 18 * MB
        await gate.later(10)
        assert answers(await gate.scan("T2")) == GREEN


async def test_on_a_full_card_the_reserve_is_given_up_and_what_is_owed_is_written(open_gate):
    async with open_gate(card_limits=LOOKS, reserve_bytes=MB) as gate:
        reserve = gate.disk.database.path.with_name("reserve")
        await gate.later(10)
        await gate.until(reserve.exists)
        assert reserve.stat().st_blocks * 512 >= MB  # taken, not a hole
        await gate.scan("T1")
        gate.disk.watched.free = 0
        free_reserve = gate.disk.watched.free_reserve

        def give_up() -> None:
            free_reserve()
            gate.disk.card.work()

        gate.disk.watched.free_reserve = give_up
        gate.disk.fill()
        await gate.later(2)
        assert not reserve.exists()
        assert (await gate.kinds())[-1] == "PASSED"
        assert gate.health.is_stopped  # there is no room for more people
        gate.disk.watched.free = 17 * MB + MB
        await gate.later(11)
        await gate.until(lambda: not gate.health.is_stopped)
        assert reserve.exists()
        assert (await gate.faults_written())[0] == (FULL_FAULT, "begun")


async def test_every_fault_of_the_gate_is_written_when_it_begins_and_when_it_is_over(open_gate):
    async with open_gate() as gate:
        gate.turnstile.break_down()
        await gate.scan("T1")
        gate.turnstile.repair()
        await gate.scan("T1")
        await gate.later(8)
        assert await gate.faults_written() == [("GT-RLY", "begun"), ("GT-RLY", "over")]
        (begun, _) = [one for one in await gate.records() if one.kind == Kind.FAULT]
        assert begun.wall_ms > 0
