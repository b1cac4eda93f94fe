"""The day of a venue: its wall clock decides, also on the two days when the clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admission.ticket import Multi, Performance

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

PARIS, NEW_YORK, LORD_HOWE = "Europe/Paris", "America/New_York", "Australia/Lord_Howe"


def day_of(instant, zone, starts_at="00:00"):
    performance = Performance("show", ZoneInfo(zone), time.fromisoformat(starts_at))
    return performance.civil_day(datetime.fromisoformat(instant)).isoformat()


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        ("2026-07-14T21:59:59.999999+00:00", PARIS, "2026-07-14"),
        ("2026-07-14T22:00:00+00:00", PARIS, "2026-07-15"),
        ("2026-12-14T22:30:00+00:00", PARIS, "2026-12-14"),
        ("2026-12-14T23:00:00+00:00", PARIS, "2026-12-15"),
        ("2026-07-15T03:59:59+00:00", NEW_YORK, "2026-07-14"),
        ("2026-07-15T04:00:00+00:00", NEW_YORK, "2026-07-15"),
        ("2026-07-14T13:29:59+00:00", LORD_HOWE, "2026-07-14"),
        ("2026-07-14T13:30:00+00:00", LORD_HOWE, "2026-07-15"),
    ],
)
def test_the_day_is_the_date_on_the_venues_wall_clock(instant, zone, day):
    assert day_of(instant, zone) == day


def test_an_instants_own_offset_does_not_matter():
    for instant in ("2026-07-15T07:00:00+09:00", "2026-07-14T22:00:00Z", "2026-07-14T12:00-10:00"):
        assert day_of(instant, PARIS) == "2026-07-15"


@pytest.mark.parametrize(
    ("wall", "starts_at", "day"),
    [
        ("05:59:59.999999", "06:00", "2026-07-13"),
        ("06:00:00", "06:00", "2026-07-14"),
        ("23:58:59", "23:59", "2026-07-13"),
        ("23:59:00", "23:59", "2026-07-14"),
        ("00:00:00", "00:01", "2026-07-13"),
        ("00:00:00", "00:00", "2026-07-14"),
    ],
)
def test_before_the_day_starts_it_is_still_the_day_before(wall, starts_at, day):
    assert day_of(f"2026-07-14T{wall}+02:00", PARIS, starts_at) == day


# the wall clocks of the two days: Paris leaves out 02:00-03:00 and has it twice, New York as
# well, Lord Howe leaves out 02:00-02:30 and has 01:30-02:00 twice


@pytest.mark.parametrize(
    ("instant", "zone", "starts_at", "day"),
    [
        # Paris, 29 March: from 01:59:59 to 03:00
        ("2026-03-29T00:59:59+00:00", PARIS, "02:30", "2026-03-28"),
        ("2026-03-29T01:00:00+00:00", PARIS, "02:30", "2026-03-29"),
        ("2026-03-29T01:00:00+00:00", PARIS, "03:01", "2026-03-28"),
        ("2026-03-29T03:59:59+00:00", PARIS, "06:00", "2026-03-28"),
        ("2026-03-29T04:00:00+00:00", PARIS, "06:00", "2026-03-29"),
        # New York, 8 March: from 01:59:59 to 03:00
        ("2026-03-08T06:59:59+00:00", NEW_YORK, "02:30", "2026-03-07"),
        ("2026-03-08T07:00:00+00:00", NEW_YORK, "02:30", "2026-03-08"),
        ("2026-03-08T09:59:59+00:00", NEW_YORK, "06:00", "2026-03-07"),
        ("2026-03-08T10:00:00+00:00", NEW_YORK, "06:00", "2026-03-08"),
        # Lord Howe, 4 October: from 01:59:59 to 02:30
        ("2026-10-03T15:29:59+00:00", LORD_HOWE, "02:15", "2026-10-03"),
        ("2026-10-03T15:30:00+00:00", LORD_HOWE, "02:15", "2026-10-04"),
        ("2026-10-03T15:30:00+00:00", LORD_HOWE, "02:31", "2026-10-03"),
        ("2026-10-03T15:31:00+00:00", LORD_HOWE, "02:31", "2026-10-04"),
    ],
)
def test_a_start_of_day_that_the_clock_leaves_out_has_passed_when_it_jumps(
    instant, zone, starts_at, day
):
    assert day_of(instant, zone, starts_at) == day


@pytest.mark.parametrize(
    ("zone", "starts_at", "walk"),
    [
        # Paris, 25 October: 02:00-03:00 twice
        (
            PARIS,
            "02:30",
            [
                ("2026-10-25T00:29:59+00:00", "2026-10-24"),
                ("2026-10-25T00:30:00+00:00", "2026-10-25"),
                ("2026-10-25T00:59:59+00:00", "2026-10-25"),
                ("2026-10-25T01:00:00+00:00", "2026-10-24"),
                ("2026-10-25T01:30:00+00:00", "2026-10-25"),
            ],
        ),
        # New York, 1 November: 01:00-02:00 twice
        (
            NEW_YORK,
            "01:30",
            [
                ("2026-11-01T05:29:59+00:00", "2026-10-31"),
                ("2026-11-01T05:30:00+00:00", "2026-11-01"),
                ("2026-11-01T06:00:00+00:00", "2026-10-31"),
                ("2026-11-01T06:30:00+00:00", "2026-11-01"),
            ],
        ),
        # Lord Howe, 5 April: 01:30-02:00 twice
        (
            LORD_HOWE,
            "01:45",
            [
                ("2026-04-04T14:44:59+00:00", "2026-04-04"),
                ("2026-04-04T14:45:00+00:00", "2026-04-05"),
                ("2026-04-04T15:00:00+00:00", "2026-04-04"),
                ("2026-04-04T15:15:00+00:00", "2026-04-05"),
            ],
        ),
    ],
)
def test_the_clock_face_decides_so_the_day_before_comes_back_when_the_clock_goes_back(
    zone, starts_at, walk
):
    assert [day_of(instant, zone, starts_at) for instant, _ in walk] == [day for _, day in walk]


def test_a_start_of_day_outside_the_doubled_hour_comes_once_only():
    first, last = datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC)
    performance = Performance("show", ZoneInfo(PARIS), time(6, 0))
    days = []
    while first < last:
        days.append(performance.civil_day(first))
        first += timedelta(minutes=30)
    assert days == sorted(days)
    assert days.count(date(2026, 10, 24)) == 2 * (25 - 8)  # noon is 14:00, and one hour is doubled
    assert days.count(date(2026, 10, 25)) == 2 * 24


def test_the_daily_limit_follows_the_venues_day_over_the_doubled_hour(new_scene):
    scene = new_scene()
    scene.hold("show", zone=ZoneInfo(PARIS), day_starts_at=time(2, 30))
    scene.list_ticket(rule=Multi(per_day=1))
    walk = ("00:15", "00:45", "01:15", "01:45", "02:45")  # 02:15, 02:45, 02:15 again, 02:45, 03:45
    at = [datetime.fromisoformat(f"2026-10-25T{wall}+00:00") for wall in walk]
    assert [scene.play(at=instant) for instant in at] == [
        "granted",  # the 24th
        "granted",  # the 25th
        "daily_limit_reached",  # the 24th again
        "daily_limit_reached",  # the 25th
        "daily_limit_reached",
    ]


@half
@given(
    at=st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    zone=st.sampled_from((PARIS, NEW_YORK, LORD_HOWE, "Pacific/Apia", "Asia/Kathmandu", "UTC")),
    starts_at=st.times().map(lambda wall: wall.replace(second=0, microsecond=0)),
)
def test_the_day_is_that_of_the_clock_face_less_the_start_of_day(at, zone, starts_at):
    face = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    back = timedelta(hours=starts_at.hour, minutes=starts_at.minute)
    assert Performance("show", ZoneInfo(zone), starts_at).civil_day(at) == (face - back).date()
