"""Numbers, shares, times and days as people of a language write them. Called by templates only.

The venue's time zone is an argument everywhere: neither the server's nor the browser's counts.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NARROW_SPACE: Final = "\u202f"  # never breaks
_HARD_SPACE: Final = "\u00a0"
_DAYS_FROM_H: Final = 48  # from here on, hours say less than days
_MINUS: Final = "\u2212"
_MONTHS: Final = {
    "fr": (
        "janv.", "févr.", "mars", "avr.", "mai", "juin",
        "juil.", "août", "sept.", "oct.", "nov.", "déc.",
    ),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Formats:
    """How one language writes figures and times.

    Attributes:
        language: `fr` or `en`.
    """

    language: str

    def number(self, value: int) -> str:
        """Write a whole number with its thousands apart."""
        grouped = f"{abs(value):,}"
        if self.language == "fr":
            grouped = grouped.replace(",", _NARROW_SPACE)
        return (_MINUS if value < 0 else "") + grouped

    def share(self, part: int, whole: int) -> str:
        """Write a part of a whole as a percentage; never 100 for less, nor 0 for more than none."""
        return self.percent(percent(part, whole))

    def percent(self, value: int) -> str:
        """Write a percentage."""
        return f"{value}{_NARROW_SPACE}%" if self.language == "fr" else f"{value}%"

    def age(self, since_ms: int, at_us: int) -> str:
        """Write how long ago something was, in minutes, hours and minutes, or days."""
        minutes = max(0, (at_us // 1000 - since_ms) // 60_000)
        hours, rest = divmod(minutes, 60)
        if hours >= _DAYS_FROM_H:
            days = hours // 24
            return f"{self.number(days)}{_HARD_SPACE}{'jours' if self.language == 'fr' else 'days'}"
        if hours:
            return f"{hours}{_HARD_SPACE}h{_HARD_SPACE}{rest:02}"
        return f"{minutes}{_HARD_SPACE}min"

    def clock(self, at: datetime, zone: tzinfo) -> str:
        """Write the time of day to the second."""
        return at.astimezone(zone).strftime("%H:%M:%S")

    def exact(self, at: datetime, zone: tzinfo) -> str:
        """Write the time of day to the millisecond: two gates may be that close."""
        point = "," if self.language == "fr" else "."
        return at.astimezone(zone).strftime(f"%H:%M:%S{point}") + f"{at.microsecond // 1000:03}"

    def minute(self, at: datetime, zone: tzinfo) -> str:
        """Write the time of day to the minute."""
        return at.astimezone(zone).strftime("%H:%M")

    def day(self, at: datetime, zone: tzinfo) -> str:
        """Write a date."""
        local = at.astimezone(zone)
        return f"{local.day} {_MONTHS[self.language][local.month - 1]} {local.year}"

    def moment(self, at: datetime, zone: tzinfo) -> str:
        """Write a date and its time of day to the minute."""
        return f"{self.day(at, zone)}, {self.minute(at, zone)}"


_MARKS_OF_DIRECTION: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})


def isolated(text: str) -> str:
    """Keep a name from turning the words around it, where there is no element to put it into.

    Marks of direction are taken out of it; one with letters from right to left is put between
    U+2068 and U+2069, which let it run its own way and end there.
    """
    plain = _MARKS_OF_DIRECTION.sub("", text)
    if any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in plain):
        return f"\u2068{plain}\u2069"
    return plain


def instant(at_us: int) -> datetime:
    """Give an aware UTC instant from microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=at_us)


def iso(at: datetime, zone: tzinfo) -> str:
    """Write an instant for machines, with the offset of its zone."""
    return at.astimezone(zone).isoformat(timespec="seconds")


def percent(part: int, whole: int) -> int:
    """Give a part of a whole in per cent; never 100 for less, nor 0 for more than none."""
    if whole <= 0 or part <= 0:
        return 0
    if part >= whole:
        return part * 100 // whole
    return min(99, max(1, round(part * 100 / whole)))
