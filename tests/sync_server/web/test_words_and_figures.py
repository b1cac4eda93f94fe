"""Numbers, times, languages and charts."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_server.web.charts import HEIGHT, MINUTE_US, minute_chart, round_up
from sync_server.web.formats import Formats, instant, iso, percent
from sync_server.web.languages import choose

PARIS = ZoneInfo("Europe/Paris")
AT = instant(1_790_000_000_000_000)  # 21 September 2026, 14:13:20 UTC


def test_thousands_are_apart_as_each_language_writes_them():
    assert Formats("fr").number(1_234_567) == "1\u202f234\u202f567"
    assert Formats("en").number(1_234_567) == "1,234,567"
    assert Formats("en").number(-3) == "\u22123"


@pytest.mark.parametrize(
    ("minutes", "fr", "en"),
    [
        (0, "0 min", "0 min"),
        (59, "59 min", "59 min"),
        (65, "1 h 05", "1 h 05"),
        (47 * 60 + 59, "47 h 59", "47 h 59"),
        (48 * 60, "2 jours", "2 days"),
    ],
)
def test_ages_are_written_in_what_can_be_grasped(minutes, fr, en):
    at_us = 1_790_000_000_000_000
    since_ms = at_us // 1000 - minutes * 60_000
    written = [Formats(language).age(since_ms, at_us) for language in ("fr", "en")]
    assert [one.replace("\u00a0", " ") for one in written] == [fr, en]


def test_times_are_written_in_the_zone_given():
    assert Formats("fr").clock(AT, PARIS) == "16:13:20"
    assert Formats("fr").moment(AT, PARIS) == "21 sept. 2026, 16:13"
    assert Formats("en").day(AT, ZoneInfo("Pacific/Auckland")) == "22 Sep 2026"
    assert iso(AT, PARIS) == "2026-09-21T16:13:20+02:00"


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_share_is_0_for_none_only_and_100_for_all_only(part, whole):
    value = percent(part, whole)
    assert (value == 0) == (part == 0 or whole == 0)
    if 0 < part < whole:
        assert 1 <= value <= 99


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("en", "fr", "en"),
        (None, "en-US,en;q=0.9", "en"),
        (None, "de,en;q=0.5,fr;q=0.7", "fr"),
        (None, "en;q=0", "fr"),
        (None, "", "fr"),
        (None, ";;q=,,=;q=x", "fr"),
        ("tlh", "en", "en"),
    ],
)
def test_the_language_is_the_chosen_one_else_what_the_browser_asks_for(chosen, accepted, language):
    assert choose(chosen, accepted) == language


@given(st.text(max_size=300))
def test_any_header_gives_some_language(accepted):
    assert choose(None, accepted) in ("fr", "en")


@given(st.integers(0, 10**7))
def test_a_scale_reaches_what_it_has_to_show_and_can_be_halved(value):
    top = round_up(value)
    assert value <= top <= max(4, 2 * value)
    assert top % 2 == 0


@given(st.lists(st.integers(0, 5000), max_size=120))
def test_bars_stay_within_the_chart_and_nobody_is_lost(counts):
    chart = minute_chart([(n * MINUTE_US, count) for n, count in enumerate(counts)])
    assert chart.total == sum(counts[-60:])
    for bar in chart.bars:
        assert 0 <= bar.x < bar.x + bar.width <= chart.width
        assert 0 <= bar.y <= bar.y + bar.height == HEIGHT
        assert (bar.height > 0) == (bar.count > 0)


def test_an_hour_is_labelled_at_five_places():
    chart = minute_chart([(n * MINUTE_US, 1) for n in range(60)])
    assert [at // MINUTE_US for at in chart.labels] == [0, 15, 30, 44, 59]
