"""The demonstration's tickets: 2,000 numbers for tonight, some for tomorrow, made from a seed."""

import csv
import io
import random
from dataclasses import dataclass
from typing import Final

TONIGHT_TICKETS: Final = 2000
TOMORROW_TICKETS: Final = 50
_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that look alike
_SEED: Final = 20260613


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket of the CSV file."""

    number: str
    category: str
    rule: str
    total_passes: str
    status: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays in the story, by the part."""

    single: tuple[str, ...]
    entry_exit: str
    multi: str
    canceled: str
    tomorrow: str
    unknown: str


def make_tickets() -> tuple[list[Row], list[Row], Cast]:
    """Make tonight's rows, tomorrow's, and the cast."""
    chance = random.Random(_SEED)
    numbers = _numbers(chance, TONIGHT_TICKETS + TOMORROW_TICKETS + 1)
    tonight = [_row(place, number) for place, number in enumerate(numbers[:TONIGHT_TICKETS])]
    tomorrow = [
        Row(number, "standard", "single", "", "valid")
        for number in numbers[TONIGHT_TICKETS : TONIGHT_TICKETS + TOMORROW_TICKETS]
    ]
    by_rule = {
        rule: [row for row in tonight if row.rule == rule and row.status == "valid"]
        for rule in ("single", "entry_exit", "multi")
    }
    cast = Cast(
        single=tuple(row.number for row in by_rule["single"][:100]),
        entry_exit=by_rule["entry_exit"][0].number,
        multi=by_rule["multi"][0].number,
        canceled=next(row.number for row in tonight if row.status == "canceled"),
        tomorrow=tomorrow[0].number,
        unknown=numbers[-1],
    )
    return tonight, tomorrow, cast


def as_csv(rows: list[Row]) -> bytes:
    """Write rows as the file a ticket shop would hand over."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(("number", "category", "rule", "total_passes", "status"))
    for row in rows:
        writer.writerow((row.number, row.category, row.rule, row.total_passes, row.status))
    return out.getvalue().encode()


def _numbers(chance: random.Random, count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choices(_ALPHABET, k=16))] = None
    return list(found)


def _row(place: int, number: str) -> Row:
    if place % 50 == 10:
        return Row(number, "subscriber", "multi", "2", "valid")
    if place % 20 == 5:
        return Row(number, "staff", "entry_exit", "", "valid")
    return Row(number, "standard", "single", "", "canceled" if place % 100 == 99 else "valid")
