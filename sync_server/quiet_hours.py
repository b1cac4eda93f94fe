"""When a venue is quiet: no performance is on or near, and it is the hour for gates to start anew.

Pure; called by `rolling_out`. Performances without a time of their own say nothing: of those the
hours of the plan have to know.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sync_server.entities import Performance
from sync_server.fleet_entities import Night

BEFORE_MS: Final = 3 * 3_600_000  # doors, and the hour in which somebody still could mend a gate
AFTER_MS: Final = 6 * 3_600_000  # the longest night; who comes late still has to get in
ANY_TIME: Final = timedelta(hours=12)
_MINUTE: Final = timedelta(minutes=1)


def busy_until(performances: Iterable[Performance], now_ms: int) -> int | None:
    """Give until when performances keep a venue busy; None where none is on or near.

    Args:
        performances: of the venue, whether or not their list is published.
        now_ms: the time.
    """
    spans = [span for one in performances if (span := busy_span(one)) is not None]
    return max((until for since, until in spans if since <= now_ms < until), default=None)


def busy_span(performance: Performance) -> tuple[int, int] | None:
    """Give the first instant at which a performance keeps its venue busy, and the first after it.

    None for one that is canceled or has no time.
    """
    starts_ms = performance.starts_ms
    if performance.canceled:
        return None
    opens_ms = None if performance.admits_from_us is None else performance.admits_from_us // 1000
    ends_ms = None if performance.admits_until_us is None else performance.admits_until_us // 1000
    if starts_ms is None:
        return None if opens_ms is None or ends_ms is None else (opens_ms - BEFORE_MS, ends_ms)
    since = min(one for one in (starts_ms, opens_ms) if one is not None) - BEFORE_MS
    return since, max(starts_ms + AFTER_MS, ends_ms or 0)


def install_window(night: Night | None, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """Give the hours in which gates may install: those that are now, else the next.

    Args:
        night: on the venue's clock face; None for any time.
        zone: the venue's.
        now: aware.
    """
    if night is None:
        return now, now + ANY_TIME
    today = now.astimezone(zone).date()
    length = (night.until_min - night.from_min) % (24 * 60)
    for day in (-1, 0, 1, 2):
        midnight = datetime(today.year, today.month, today.day, tzinfo=zone) + timedelta(days=day)
        # on the clock face, which a day of summer time's beginning or end has less or more of
        since = midnight + night.from_min * _MINUTE
        until = since + length * _MINUTE
        if now < until:
            return since.astimezone(now.tzinfo), until.astimezone(now.tzinfo)
    raise AssertionError("one of four nights ends after now")
