"""Figures as people read them: spans of time, moments, states. Called by the pages. Pure."""

from datetime import datetime

from appliance.local_page.markup import Markup, element
from appliance.local_page.visits import Visit

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def span(visit: Visit, seconds: float | None) -> str:
    """Give a span of time, rounded down to what matters: `12 s`, `5 min`, `3 h 05`, `4 d`."""
    if seconds is None:
        return visit.words("figure.unknown")
    whole = int(max(0, seconds))
    if whole < _MINUTE_S:
        return visit.words("figure.seconds", n=whole)
    if whole < _HOUR_S:
        return visit.words("figure.minutes", n=whole // _MINUTE_S)
    if whole < _DAY_S:
        hours, rest = divmod(whole, _HOUR_S)
        return visit.words("figure.hours", n=hours, minutes=f"{rest // _MINUTE_S:02}")
    return visit.words("figure.days", n=whole // _DAY_S)


def decimal(visit: Visit, value: float) -> str:
    """Give a figure with one decimal, as the visitor's language writes it."""
    return f"{value:.1f}".replace(".", visit.words("figure.point"))


def moment(at: datetime, *, has_day: bool = True) -> Markup:
    """Give a moment in the venue's time."""
    shown = f"{at:%Y-%m-%d %H:%M:%S}" if has_day else f"{at:%H:%M:%S}"
    return element("time", shown, datetime=at.isoformat(timespec="seconds"))


def state(kind: str, words: str) -> Markup:
    """Give a state by word, colour and shape.

    Args:
        kind: `good`, `warn`, `bad` or `quiet`.
        words: what it is.
    """
    shape = {"good": "✓", "warn": "!", "bad": "✕"}.get(kind, "–")
    mark = element("span", shape, aria_hidden="true")
    return element("span", mark, words, class_=f"state {kind}")


def facts(*pairs: tuple[str, Markup | str]) -> Markup:
    """Give names and what they are, in two columns."""
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in pairs]
    return element("dl", rows, class_="facts")


def card(title: str, *children: Markup | str | None, name: str = "") -> Markup:
    """Give a part of a page with its heading."""
    heading = element("h2", title, id=f"{name}-title" if name else None)
    return element(
        "section",
        heading,
        *children,
        class_="card",
        aria_labelledby=f"{name}-title" if name else None,
    )
