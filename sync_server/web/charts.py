"""The geometry of the live page's charts, in whole units of an SVG view box. Pure.

The template draws what is computed here, so that charts need no script and scale with the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MINUTE_US: Final = 60_000_000
HEIGHT: Final = 100
STEP: Final = 10  # one minute's width
_GAP: Final = 2
_SMALL: Final = 10
_NICE: Final = (1, 2, 3, 4, 5, 6, 8)


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute.

    Attributes:
        x: left edge.
        y: upper edge; the chart's ground is at HEIGHT.
        width: of the bar.
        height: of the bar, at least 1 where anybody entered.
        at_us: start of the minute.
        count: entries in it.
    """

    x: int
    y: int
    width: int
    height: int
    at_us: int
    count: int


@dataclass(frozen=True, slots=True)
class MinuteChart:
    """Entries per minute.

    Attributes:
        width: of the view box; its height is HEIGHT.
        top: the count at the upper edge: a round number, at least the busiest minute's.
        bars: oldest first.
        labels: starts of the minutes to be named below, evenly spread, oldest first.
        busiest: the busiest minute, or None when nobody entered.
        total: entries in all.
    """

    width: int
    top: int
    bars: tuple[Bar, ...]
    labels: tuple[int, ...]
    busiest: Bar | None
    total: int


def minute_chart(entries: Sequence[tuple[int, int]], minutes_max: int = 60) -> MinuteChart:
    """Lay the newest minutes out.

    Args:
        entries: (start of the minute in microseconds, entries), oldest first, no gaps.
        minutes_max: how many of the newest are shown.
    """
    shown = entries[-minutes_max:]
    top = round_up(max((count for _, count in shown), default=0))
    bars = tuple(_bar(n, at_us, count, top) for n, (at_us, count) in enumerate(shown))
    busiest = max(bars, key=lambda bar: bar.count, default=None)
    return MinuteChart(
        width=max(1, len(bars)) * STEP,
        top=top,
        bars=bars,
        labels=_labels([at_us for at_us, _ in shown]),
        busiest=busiest if busiest is not None and busiest.count > 0 else None,
        total=sum(count for _, count in shown),
    )


def round_up(value: int) -> int:
    """Give the next round number (4, 6, 8, 10, 20, 30, ...) that is not below a value."""
    if value <= _SMALL:
        return max(4, value + value % 2)  # even: the scale also names its half
    magnitude = _SMALL
    while True:
        for step in _NICE:
            if value <= step * magnitude:
                return step * magnitude
        magnitude *= 10


def _bar(n: int, at_us: int, count: int, top: int) -> Bar:
    height = max(1, round(count * HEIGHT / top)) if count > 0 else 0
    return Bar(n * STEP + _GAP // 2, HEIGHT - height, STEP - _GAP, height, at_us, count)


def _labels(minutes: Sequence[int]) -> tuple[int, ...]:
    """Name the first and the last minute and up to three between, evenly."""
    if len(minutes) < 5:  # too few to spread
        return tuple(minutes[:1])
    last = len(minutes) - 1
    return tuple(minutes[round(last * n / 4)] for n in range(5))
