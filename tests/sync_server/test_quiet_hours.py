"""When a venue is quiet enough for its gates to start anew."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync_server.entities import Performance
from sync_server.fleet_entities import Night
from sync_server.quiet_hours import AFTER_MS, ANY_TIME, BEFORE_MS, busy_until, install_window

START = 1_790_000_000_000
HOUR = 3_600_000
PARIS = ZoneInfo("Europe/Paris")


def performance(starts_ms=START, **changes):
    known = {
        "id": "p",
        "event_id": "e",
        "name": "Tonight",
        "starts_ms": starts_ms,
        "timezone": "Europe/Paris",
        "day_starts_at": "00:00",
        "excluded_categories": (),
        "admits_from_us": None,
        "admits_until_us": None,
        "canceled": False,
        "list_key": b"k" * 32,
    }
    return Performance(**known | changes)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (START - BEFORE_MS - 1, None),
        (START - BEFORE_MS, START + AFTER_MS),
        (START, START + AFTER_MS),
        (START + AFTER_MS - 1, START + AFTER_MS),
        (START + AFTER_MS, None),
    ],
)
def test_a_performance_keeps_its_venue_busy_from_before_its_doors_until_after_its_end(at, until):
    assert busy_until([performance()], at) == until


def test_doors_that_open_earlier_and_close_later_count():
    long = performance(
        admits_from_us=(START - 5 * HOUR) * 1000, admits_until_us=(START + 20 * HOUR) * 1000
    )
    assert busy_until([long], START - 5 * HOUR - BEFORE_MS) == START + 20 * HOUR
    assert busy_until([long], START - 5 * HOUR - BEFORE_MS - 1) is None


def test_the_latest_end_counts_where_several_are_on():
    assert busy_until([performance(), performance(START + HOUR)], START) == START + HOUR + AFTER_MS


def test_what_is_canceled_or_has_no_time_keeps_nobody_busy():
    assert busy_until([performance(canceled=True), performance(None)], START) is None
    assert busy_until([performance(None, admits_from_us=START * 1000)], START) is None
    assert busy_until([], START) is None


def test_one_without_a_start_is_on_while_it_admits():
    open_dated = performance(
        None, admits_from_us=START * 1000, admits_until_us=(START + HOUR) * 1000
    )
    assert busy_until([open_dated], START) == START + HOUR
    assert busy_until([open_dated], START + HOUR) is None


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("night", "now", "since", "until"),
    [
        (Night(120, 360), "2026-12-01T01:30", "2026-12-01T01:00", "2026-12-01T05:00"),
        (Night(120, 360), "2026-12-01T05:00", "2026-12-02T01:00", "2026-12-02T05:00"),
        (Night(120, 360), "2026-12-01T00:59", "2026-12-01T01:00", "2026-12-01T05:00"),
        # over midnight: 23:00 to 04:00 in Paris
        (Night(1380, 240), "2026-12-01T02:30", "2026-11-30T22:00", "2026-12-01T03:00"),
        (Night(1380, 240), "2026-12-01T03:00", "2026-12-01T22:00", "2026-12-02T03:00"),
        # summer: the same hours are earlier by UTC
        (Night(120, 360), "2026-07-01T12:00", "2026-07-02T00:00", "2026-07-02T04:00"),
        # the night in which an hour is missing, and the one that has an hour twice
        (Night(60, 300), "2026-03-28T23:00", "2026-03-29T00:00", "2026-03-29T03:00"),
        (Night(60, 300), "2026-10-24T22:00", "2026-10-24T23:00", "2026-10-25T04:00"),
    ],
)
def test_the_hours_of_a_night_are_the_venues(night, now, since, until):
    assert install_window(night, PARIS, at(now)) == (at(since), at(until))


def test_without_a_night_any_time_is_good():
    now = at("2026-12-01T12:00")
    assert install_window(None, PARIS, now) == (now, now + ANY_TIME)


def test_now_is_never_after_the_window():
    now = at("2026-10-20T00:00")
    for minutes in range(0, 14 * 24 * 60, 37):
        moment = now + timedelta(minutes=minutes)
        for night in (Night(120, 360), Night(1380, 240), Night(0, 1439)):
            since, until = install_window(night, PARIS, moment)
            assert moment < until
            assert timedelta(hours=3) <= until - since <= timedelta(hours=25)
            assert since - moment < timedelta(hours=25)
