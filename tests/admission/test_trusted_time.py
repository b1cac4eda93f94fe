"""Trusted time: what moves it, what does not, and that nothing revives what was over."""

from dataclasses import replace

import pytest

from admission.journal import Kind, Record
from admission.trust.trusted_time import (
    BEHIND_MS_MAX,
    HORIZON_MS,
    ROUND_TRIP_MS_MAX,
    STEP_MS,
    Reading,
    StoredTime,
    TimeQuality,
    TrustedInstant,
    TrustedTime,
    begin,
    forget_signed,
    read,
    store,
    take_signed,
)

BUILT = 1_767_225_600_000  # 2026-01-01
NOW = 1_780_336_800_000  # 2026-06-01 18:00
SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
YEAR = 366 * DAY
HERE, BEFORE = b"this start", b"the one before"
RTC, SYNCED, SAVED, FLOOR, SIGNED = (
    TimeQuality.RTC,
    TimeQuality.SYNCED,
    TimeQuality.SAVED,
    TimeQuality.FLOOR,
    TimeQuality.SIGNED,
)


def a_record(trusted_ms, boot_ms=0, boot_id=BEFORE, sequence=1, wall_ms=None):
    return Record(
        kind=int(Kind.BOOT),
        sequence=sequence,
        wall_ms=trusted_ms if wall_ms is None else wall_ms,
        boot_ms=boot_ms,
        boot_id=boot_id,
        trusted_ms=trusted_ms,
    )


def started(*records, stored=None, boot_ms=0, built=BUILT):
    return begin(stored, records, boot_id=HERE, boot_ms=boot_ms, earliest_ms=built)


def told(state, wall_ms, boot_ms=SECOND, quality=RTC) -> TrustedInstant:
    return read(state, Reading(wall_ms, boot_ms, quality))[1]


def after(state, wall_ms, boot_ms=SECOND, quality=RTC) -> TrustedTime:
    return read(state, Reading(wall_ms, boot_ms, quality))[0]


def signed_at(state, server_ms, boot_ms=SECOND, way_ms=0) -> TrustedTime:
    taken = take_signed(state, server_ms, boot_ms - way_ms, boot_ms)
    assert taken is not None
    return taken[0]


# --- sources ----------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [RTC, SYNCED])
def test_a_plausible_clock_is_believed(quality):
    instant = told(started(), NOW, quality=quality)
    assert (instant.now_ms, instant.quality, instant.is_trusted) == (NOW, quality, True)
    assert not instant.is_suspect


def test_a_clock_of_which_nobody_knows_how_far_it_is_behind_is_used_but_not_trusted():
    instant = told(started(), NOW, quality=SAVED)
    assert (instant.now_ms, instant.quality, instant.error_ms) == (NOW, SAVED, None)
    assert not instant.is_trusted
    assert instant.is_suspect


@pytest.mark.parametrize(
    "wall_ms",
    [0, -YEAR, BUILT - DAY, BUILT + HORIZON_MS + DAY, NOW + 73 * YEAR],
    ids=["1970", "before 1970", "before the software", "beyond the horizon", "2099"],
)
def test_a_clock_that_cannot_be_right_is_not_believed(wall_ms):
    instant = told(started(), wall_ms)
    assert (instant.now_ms, instant.quality) == (BUILT + SECOND, FLOOR)
    assert not instant.is_trusted
    assert instant.is_suspect


def test_without_any_clock_it_is_at_least_as_late_as_ever_and_as_long_as_the_machine_runs():
    state = started(a_record(NOW, boot_ms=9 * HOUR))
    assert told(state, 0, 2 * HOUR, FLOOR).now_ms == NOW + 2 * HOUR


def test_a_floor_that_is_ten_years_old_keeps_a_right_clock_waiting_for_the_server():
    state = started(a_record(NOW - 10 * YEAR), built=BUILT - 20 * YEAR)
    assert told(state, NOW).quality is FLOOR
    assert told(signed_at(state, NOW), NOW).quality is SIGNED


def test_newer_software_lifts_a_floor_that_is_ten_years_old():
    instant = told(started(a_record(NOW - 10 * YEAR)), NOW)
    assert (instant.now_ms, instant.quality) == (NOW, RTC)


# --- setting back -----------------------------------------------------------------------------


def test_a_clock_set_back_moves_nothing_and_is_not_trusted_any_more():
    state = after(started(), NOW)
    instant = told(state, NOW - DAY, 2 * SECOND)
    assert (instant.now_ms, instant.quality) == (NOW + SECOND, FLOOR)
    assert instant.step_ms == -DAY - SECOND


def test_a_clock_set_back_over_a_restart_moves_nothing():
    instant = told(started(a_record(NOW)), NOW - DAY)
    assert (instant.now_ms, instant.quality) == (NOW + SECOND, FLOOR)


def test_a_clock_that_lags_a_little_after_weeks_alone_is_still_one():
    instant = told(started(a_record(NOW)), NOW - BEHIND_MS_MAX + 2 * SECOND)
    assert (instant.now_ms, instant.quality) == (NOW + SECOND, RTC)
    assert instant.error_ms > BEHIND_MS_MAX


def test_a_daemon_started_anew_in_one_start_of_the_machine_counts_on_from_there():
    state = started(a_record(NOW, boot_ms=HOUR, boot_id=HERE), boot_ms=2 * HOUR)
    assert told(state, 0, 2 * HOUR, FLOOR).now_ms == NOW + HOUR


def test_an_imaged_machine_that_is_woken_before_its_own_record_has_no_earlier_time():
    state = started(a_record(NOW, boot_ms=5 * HOUR, boot_id=HERE), boot_ms=HOUR)
    assert told(state, 0, HOUR, FLOOR).now_ms == NOW


# --- stepping forward -------------------------------------------------------------------------


def test_a_step_forward_without_a_server_counts_and_costs_the_clock_its_trust():
    state, instant = read(after(started(), NOW), Reading(NOW + DAY, 2 * SECOND, RTC))
    assert (instant.now_ms, instant.quality) == (NOW + DAY, SAVED)
    assert instant.step_ms == DAY - SECOND
    assert told(state, NOW + DAY + SECOND, 3 * SECOND).step_ms == 0  # told once


def test_a_step_forward_by_a_time_server_that_arrives_late_is_the_truth():
    state = after(started(), NOW - 100 * DAY, quality=SAVED)
    instant = told(state, NOW, 2 * SECOND, SYNCED)
    assert (instant.now_ms, instant.quality, instant.is_suspect) == (NOW, SYNCED, False)


def test_a_time_server_makes_up_for_a_step_by_somebody_unknown():
    state = after(after(started(), NOW), NOW + DAY, 2 * SECOND)
    instant = told(state, NOW + DAY + SECOND, 3 * SECOND, SYNCED)
    assert instant.quality is SYNCED
    assert instant.step_ms == 0


def test_the_next_signed_time_takes_back_what_a_step_forward_claimed():
    state = after(after(started(), NOW), NOW + DAY, 2 * SECOND)
    healed, back_ms = take_signed(state, NOW + 3 * SECOND, 3 * SECOND, 4 * SECOND)
    assert back_ms == DAY - SECOND
    instant = told(healed, NOW + DAY, 4 * SECOND)
    assert (instant.now_ms, instant.quality) == (NOW + 3 * SECOND, SIGNED)
    assert instant.is_suspect  # the wall clock is still a day ahead


def test_while_a_signed_time_is_held_no_wall_clock_moves_anything():
    state = signed_at(started(), NOW)
    for quality in (RTC, SYNCED, SAVED):
        instant = told(state, NOW + HOUR, 2 * SECOND, quality)
        assert (instant.now_ms, instant.quality) == (NOW + SECOND, SIGNED)
        assert instant.is_suspect


def test_a_leap_second_is_no_step_and_many_small_ones_are():
    state = after(started(), NOW)
    assert told(state, NOW + SECOND - 1_000, 2 * SECOND).step_ms == 0
    for nth in range(1, 9):
        instant = told(state, NOW + nth * 600, SECOND)
        state = after(state, NOW + nth * 600, SECOND)
        if instant.step_ms:
            assert instant.step_ms > STEP_MS
            return
    raise AssertionError("a clock that creeps ahead is never noticed")


def test_a_machine_that_slept_has_not_stepped():
    state = after(started(), NOW)
    instant = told(state, NOW + 9 * HOUR, SECOND + 9 * HOUR)
    assert (instant.step_ms, instant.quality, instant.now_ms) == (0, RTC, NOW + 9 * HOUR)


def test_a_step_while_the_daemon_was_down_is_noticed_when_it_is_back():
    state = started(a_record(NOW, boot_ms=HOUR, boot_id=HERE), boot_ms=2 * HOUR)
    assert told(state, NOW + 3 * HOUR, 2 * HOUR).step_ms == 2 * HOUR


# --- signed time ------------------------------------------------------------------------------


def test_signed_time_goes_on_by_the_machines_own_count():
    instant = told(signed_at(started(), NOW, way_ms=80), 0, SECOND + DAY)
    assert (instant.now_ms, instant.quality, instant.age_ms) == (NOW + DAY, SIGNED, DAY)
    assert instant.error_ms == 80 + DAY // 10_000  # the way, and the quartz


@pytest.mark.parametrize(
    ("asked", "received"), [(0, ROUND_TRIP_MS_MAX + 1), (2, 1)], ids=["too long", "before it"]
)
def test_an_answer_that_took_too_long_says_nothing_of_now(asked, received):
    assert take_signed(started(), NOW, asked, received) is None


@pytest.mark.parametrize("server_ms", [0, BUILT - 1, 1 << 60])
def test_a_signed_time_that_cannot_be_one_is_not_taken(server_ms):
    assert take_signed(started(), server_ms, 0, 0) is None


def test_a_time_that_was_signed_before_is_never_gone_below():
    state = signed_at(started(), NOW, SECOND)
    assert take_signed(state, NOW - 1, 2 * SECOND, 2 * SECOND) is None


def test_the_more_exact_of_two_signed_times_counts_until_the_quartz_may_be_worse():
    exact = signed_at(started(), NOW, SECOND, way_ms=10)
    slow = signed_at(exact, NOW + 1_500, 3 * SECOND, way_ms=900)
    assert slow.signed == exact.signed
    late = signed_at(slow, NOW + DAY - 500, SECOND + DAY, way_ms=900)
    assert late.signed.error_ms == 900


def test_of_two_signed_times_that_contradict_each_other_the_later_counts():
    exact = signed_at(started(), NOW, SECOND, way_ms=10)
    ahead = signed_at(exact, NOW + HOUR, 2 * SECOND, way_ms=900)
    assert told(ahead, 0, 2 * SECOND).now_ms == NOW + HOUR


def test_a_signed_time_that_came_a_little_later_than_the_last_does_not_set_time_back():
    state = signed_at(started(), NOW, SECOND, way_ms=10)
    slower, back_ms = take_signed(state, NOW + 900, 1_900, 2_500)
    assert back_ms == 0
    assert told(slower, 0, 2_500).now_ms == NOW + 1_500


def test_revoked_keys_take_with_them_the_time_that_they_claimed():
    poisoned = signed_at(started(), NOW + 50 * YEAR)
    assert take_signed(poisoned, NOW, 2 * SECOND, 2 * SECOND) is None
    free = forget_signed(poisoned)
    assert told(free, NOW, 2 * SECOND).quality is FLOOR
    assert told(signed_at(free, NOW, 2 * SECOND), 0, 2 * SECOND).now_ms == NOW


# --- over restarts ----------------------------------------------------------------------------


def test_a_signed_time_outlives_the_daemon_but_not_the_machine():
    row = store(signed_at(started(), NOW, SECOND, way_ms=7), HERE, SECOND, 4)
    same = told(started(stored=row, boot_ms=HOUR), 0, HOUR)
    assert (same.now_ms, same.quality) == (NOW + HOUR - SECOND, SIGNED)
    other = told(started(stored=replace(row, boot_id=BEFORE)), NOW + DAY)
    assert (other.now_ms, other.quality, other.age_ms) == (NOW + DAY, RTC, DAY)


def test_what_a_signed_time_took_back_does_not_come_again_from_the_journal():
    claimed = a_record(NOW + DAY, boot_ms=SECOND, sequence=3)
    late_ending = a_record(NOW + DAY, boot_ms=SECOND, sequence=5)
    row = StoredTime(BEFORE, 2 * SECOND, NOW, NOW, None, 4)
    state = started(claimed, late_ending, stored=row)
    assert told(state, 0, 0, FLOOR).now_ms == NOW


def test_what_was_written_after_a_signed_time_counts():
    row = StoredTime(BEFORE, 2 * SECOND, NOW, NOW, None, 4)
    state = started(a_record(NOW + HOUR, boot_ms=3 * SECOND, sequence=5), stored=row)
    assert told(state, 0, 0, FLOOR).now_ms == NOW + HOUR


def test_a_record_without_a_trusted_time_is_no_floor():
    state = started(a_record(0, boot_id=HERE, wall_ms=NOW + DAY))
    assert told(state, 0, 0, FLOOR).now_ms == BUILT


def test_a_battery_clock_is_the_less_exact_the_longer_nobody_signed():
    row = StoredTime(BEFORE, 0, NOW, NOW, None, 0)
    soon, late = (told(started(stored=row), NOW + n * DAY).error_ms for n in (1, 30))
    never = told(started(), NOW).error_ms
    assert soon < late
    assert never >= 60_000


def test_who_set_the_clock_at_the_start_says_how_far_off_it_was():
    state = after(started(), NOW)
    at = [Reading(NOW + ms, ms, RTC, 62_000) for ms in (0, DAY)]
    assert [read(state, one)[1].error_ms for one in at] == [62_000, 62_000 + DAY // 10_000]


def test_no_battery_is_believed_to_be_better_than_it_counts():
    assert read(after(started(), NOW), Reading(NOW, 0, RTC, 0))[1].error_ms == 5_000
