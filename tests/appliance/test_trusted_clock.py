"""A gate whose clock is wrong, set, dead or late: what it still refuses, and what it says."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from admission import journal
from admission.journal import Flag, Kind
from admission.operating_mode import Cause
from admission.ticketlist.manifest import Showing
from admission.trust.trusted_time import TimeQuality
from admission.verdict import Answer
from appliance.clock_watch import WATCH_S, ClockWatch
from appliance.simulator.box_office import BoxOffice, ListedNumber, multi
from appliance.simulator.virtual_clock import VirtualClock
from gate_answers import ENTRY, EXIT, GREEN, INSIDE_OUT, answers, red
from linked_gate import linked, live
from list_shelf import GATE, open_shelf

EVENING = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
TONIGHT = EVENING + timedelta(hours=6)
OTHER_BOOT = b"the next start.."
EXPIRED = red(Answer.LIST_EXPIRED)
DAY_S = 86_400


def a_clock(now=EVENING, quality=TimeQuality.RTC) -> VirtualClock:
    clock = VirtualClock(now, boot_ms=5_000)
    clock.quality = quality
    return clock


@pytest.fixture
def open_gate(open_gate):
    """Open a gate that hears of the time only what a test tells it."""
    return partial(open_gate, hears_time=False)


async def sign(gate, at: datetime, way_s: float = 0.0) -> bool:
    """Let the gate hear what time it is from its server."""
    now_ms = gate.clock.boot_ms()
    return await gate.time.note_signed_time(at, now_ms - round(way_s * 1000), now_ms)


# --- setting back revives nothing -----------------------------------------------------------------


async def test_an_expired_list_stays_expired_when_the_clock_is_set_back(open_gate):
    async with open_gate(not_after=TONIGHT) as gate:
        await gate.later(6 * 3600)
        assert answers(await gate.scan("T1")) == EXPIRED
        gate.clock.step_wall(-DAY_S)
        assert answers(await gate.scan("T1")) == EXPIRED


async def test_an_expired_list_stays_expired_when_the_clock_is_set_back_over_a_restart(open_gate):
    async with open_gate(not_after=TONIGHT) as gate:
        await gate.later(6 * 3600)
        assert answers(await gate.scan("T1")) == EXPIRED
    set_back = a_clock(EVENING - timedelta(days=1))
    async with open_gate(not_after=TONIGHT, clock=set_back, boot=OTHER_BOOT) as gate:
        assert answers(await gate.scan("T1")) == EXPIRED
        assert not gate.time.is_trusted


@pytest.mark.parametrize("quality", [TimeQuality.RTC, TimeQuality.SAVED, TimeQuality.FLOOR])
async def test_a_power_cut_loses_nothing_of_what_was_answered(open_gate, quality):
    async with open_gate(not_after=TONIGHT) as gate:
        await gate.later(7 * 3600)
        await gate.scan("T1")
    dead = a_clock(datetime(1970, 1, 1, tzinfo=UTC), quality)
    async with open_gate(not_after=TONIGHT, clock=dead, boot=OTHER_BOOT) as gate:
        assert gate.time.now() >= EVENING + timedelta(hours=7)
        assert answers(await gate.scan("T1")) == EXPIRED


async def test_whoever_is_inside_stays_inside_when_the_clock_is_set_back(open_gate):
    async with open_gate(INSIDE_OUT) as gate:
        await gate.scan("T1")
        await gate.later(60)
        await gate.scan("T1", EXIT)
        await gate.later(60)
        gate.clock.step_wall(-3600)
        assert answers(await gate.scan("T1")) == GREEN
        await gate.later(60)  # inside again, an hour before it went out, by the wall clock
        assert answers(await gate.scan("T1", ENTRY)) == red(Answer.ALREADY_INSIDE)
    async with open_gate(INSIDE_OUT, clock=a_clock(), boot=OTHER_BOOT) as gate:
        assert answers(await gate.scan("T1", ENTRY)) == red(Answer.ALREADY_INSIDE)


async def test_a_stale_list_stays_stale_when_the_clock_is_set_back(open_gate):
    async with open_gate(refresh_by=TONIGHT) as gate:
        await gate.later(DAY_S)  # as long is the status good that vouched for it
        gate.clock.step_wall(-2 * DAY_S)
        await gate.scan("T1")
        (record,) = [record for record in await gate.records() if record.kind == Kind.GRANTED]
        assert record.flags & Flag.STALE


async def test_the_wall_clock_is_written_down_as_it_was_beside_the_time_that_was_judged_by(
    open_gate,
):
    async with open_gate() as gate:
        gate.clock.step_wall(-3600)
        await gate.scan("T1")
        (record,) = await gate.records()
        assert journal.instant(record.wall_ms) == EVENING - timedelta(hours=1)
        assert journal.instant(record.trusted_ms) == EVENING


# --- no clock at all ------------------------------------------------------------------------------


def dead_clock() -> VirtualClock:
    return a_clock(datetime(1970, 1, 1, tzinfo=UTC), TimeQuality.FLOOR)


WINDOW = Showing(name="show", timezone="UTC", admits_until=EVENING - timedelta(days=100))


async def test_without_a_clock_rules_that_need_none_work_and_the_records_say_so(open_gate):
    async with open_gate(clock=dead_clock()) as gate:
        assert answers(await gate.scan("T1")) == GREEN
        await gate.later(10)
        assert answers(await gate.scan("T1")) == red(Answer.ALREADY_USED)
        assert all(record.flags & Flag.CLOCK_SUSPECT for record in await gate.records())


async def test_without_a_clock_a_window_admits_unless_the_gate_is_told_otherwise(open_gate):
    async with open_gate(clock=dead_clock(), showing=WINDOW) as gate:
        assert answers(await gate.scan("T1")) == GREEN


async def test_without_a_clock_a_window_refuses_where_the_gate_is_told_so(open_gate):
    told = {"clock_policy": "refuse"}
    async with open_gate(clock=dead_clock(), showing=WINDOW, assignment=told) as gate:
        assert answers(await gate.scan("T1")) == red(Answer.NO_LONGER_VALID)


async def test_without_a_clock_a_limit_by_day_refuses_where_the_gate_is_told_so(open_gate):
    daily = [ListedNumber("T1", multi(per_day=2))]
    told = {"clock_policy": "refuse"}
    async with open_gate(daily, clock=dead_clock(), assignment=told) as gate:
        assert answers(await gate.scan("T1")) == red(Answer.DAILY_LIMIT_REACHED)


@pytest.mark.parametrize("year", [1970, 2099])
async def test_a_battery_clock_that_cannot_be_right_is_not_believed(open_gate, year):
    wrong = a_clock(datetime(year, 1, 1, tzinfo=UTC))
    async with open_gate(clock=wrong, not_after=TONIGHT) as gate:
        assert answers(await gate.scan("T1")) == GREEN
        assert not gate.time.is_trusted
        assert gate.time.now().year == 2026


async def test_what_changes_with_time_is_judged_with_the_clocks_own_error(open_gate):
    async with open_gate() as gate:
        await sign(gate, EVENING, way_s=0.4)
        assert gate.health.conditions(gate.time.look()).clock_uncertainty == timedelta(seconds=0.4)
        await gate.later(60 * DAY_S)  # alone: nobody knows it to the second any more
        assert gate.health.conditions(gate.time.look()).clock_uncertainty == timedelta(minutes=5)


# --- steps and signed time ------------------------------------------------------------------------


async def test_a_step_forward_expires_a_list_early_until_the_server_signs_the_time(open_gate):
    async with open_gate(not_after=TONIGHT) as gate:
        gate.clock.step_wall(DAY_S)
        assert answers(await gate.scan("T1")) == EXPIRED
        assert await sign(gate, EVENING)
        assert answers(await gate.scan("T1")) == GREEN
        assert gate.time.is_trusted
    async with open_gate(not_after=TONIGHT, clock=a_clock(), boot=OTHER_BOOT) as gate:
        assert answers(await gate.scan("T2")) == GREEN


async def test_what_was_signed_is_never_gone_below(open_gate):
    async with open_gate(not_after=TONIGHT) as gate:
        assert await sign(gate, TONIGHT)
        assert not await sign(gate, EVENING)
        assert answers(await gate.scan("T1")) == EXPIRED
    async with open_gate(not_after=TONIGHT, clock=a_clock(), boot=OTHER_BOOT) as gate:
        assert answers(await gate.scan("T1")) == EXPIRED
        assert not await sign(gate, EVENING)


async def test_a_signed_time_counts_for_as_long_as_the_machine_runs(open_gate):
    async with open_gate() as gate:
        gate.clock.quality = TimeQuality.SAVED
        await sign(gate, EVENING + timedelta(hours=1), way_s=0.25)
    async with open_gate(clock=gate.clock) as gate:
        assert gate.time.is_trusted
        instant = gate.time.look()
        assert (instant.quality, instant.error_ms) == (TimeQuality.SIGNED, 250)


async def test_the_time_of_keys_that_were_revoked_is_given_up(open_gate):
    async with open_gate(not_after=TONIGHT) as gate:
        await sign(gate, TONIGHT + timedelta(days=9000))
        await gate.time.forget_signed_time()
    async with open_gate(not_after=TONIGHT, clock=a_clock(), boot=OTHER_BOOT) as gate:
        assert await sign(gate, EVENING)
        assert answers(await gate.scan("T1")) == GREEN


async def test_each_step_of_the_wall_clock_is_written_down_once(open_gate):
    async with open_gate() as gate:
        watch = ClockWatch(gate.time, gate.recorder, lambda: None)
        await watch.write_steps()
        gate.clock.step_wall(90)
        await gate.scan("T1")
        gate.clock.step_wall(-10)
        for _ in range(3):
            gate.time.look()
            await watch.write_steps()
        *_, step = await gate.records()
        assert (await gate.kinds()).count("CLOCK_STEP") == 1
        assert step.detail["step_ms"] == 80_000
        assert step.detail["new_offset_ms"] - step.detail["old_offset_ms"] == 80_000


async def test_a_step_is_noticed_while_nobody_is_there_and_told_on(open_gate):
    told = []
    async with open_gate() as gate:
        watch = ClockWatch(gate.time, gate.recorder, lambda: told.append(gate.time.is_trusted))
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(watch.run())
            await gate.settle()
            gate.clock.step_wall(-DAY_S)
            await gate.later(3 * WATCH_S)
            task.cancel()
        assert told == [False]
        assert await gate.kinds() == ["CLOCK_STEP"]


async def test_what_a_signed_time_took_back_is_written_down(open_gate):
    async with open_gate() as gate:
        gate.clock.step_wall(DAY_S)
        gate.time.look()
        await sign(gate, EVENING)
        await ClockWatch(gate.time, gate.recorder, lambda: None).write_steps()
        details = [record.detail for record in await gate.records()]
        assert {"taken_back_ms": DAY_S * 1000} in details


async def test_a_step_that_the_disk_did_not_take_is_written_when_it_does(open_gate):
    async with open_gate() as gate:
        watch = ClockWatch(gate.time, gate.recorder, lambda: None)
        gate.disk.fill()
        before = len(await gate.records())
        gate.clock.step_wall(90)
        gate.time.look()
        await watch.write_steps()
        gate.disk.make_room()
        await gate.later(2)
        gate.clock.step_wall(10)
        gate.time.look()
        await watch.write_steps()
        (step,) = [one for one in (await gate.records())[before:] if one.kind == Kind.CLOCK_STEP]
        assert step.detail["step_ms"] == 100_000


async def test_the_server_is_told_of_a_clock_that_contradicts_it(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        assert gate.server.statuses["gate-a"].faults == []
        gate.clock.step_wall(-DAY_S)
        await gate.later(6)
        status = gate.server.statuses["gate-a"]
        assert (status.faults, status.causes, status.clock) == (["GT-CLK"], ["clock"], "floor")
        assert Cause.CLOCK in gate.health.causes
        await sign(gate, EVENING)
        await gate.later(6)
        status = gate.server.statuses["gate-a"]
        assert (status.faults, status.causes, status.clock) == (["GT-CLK"], [], "signed")
        gate.clock.step_wall(DAY_S)
        await gate.later(6)
        assert gate.server.statuses["gate-a"].faults == []


# --- with a server that signs ---------------------------------------------------------------------


async def test_a_clock_set_past_the_roots_end_does_not_keep_a_gate_from_hearing_better(tmp_path):
    office = BoxOffice()
    office.rotate(expires_at=EVENING + timedelta(days=30))
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        shelf.clock.step_wall(60 * DAY_S)
        shelf.server.status_fields["time"] = EVENING
        shelf.server.publish(office.draw_up("show", ["T1"]))
        shelf.server.assign(GATE, 1, office.assign(GATE, ["show"]))
        assert await shelf.keeper.refresh(shelf.link)
        assert shelf.holdings.versions == {"show": 1}
        shelf.server.status_fields["time"] = EVENING + timedelta(days=31)
        assert not await shelf.keeper.refresh(shelf.link)  # by now it has truly run out
        shelf.server.status_fields["time"] = EVENING
        assert not await shelf.keeper.refresh(shelf.link)  # and what was signed is not unsaid
        assert "trust: ListExpiredError" in await shelf.refusals()
