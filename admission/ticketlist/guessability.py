"""How guessable ticket numbers are: what a thief with a gate's list and its key would have to try.

A number's identifier tells nothing by itself; whoever has the list *and* the list key tries
numbers until one fits. Whoever has the list alone must try at a gate, whose readers take some
twenty a second. So the measure is the number of tries for one ticket, by somebody who knows what
the numbers look like and owns one of them. It is an estimate, and meant to be low rather than high.

Pure; called by the importer with a sample, so that a list of millions costs what a small one does.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

SAMPLE_MAX: Final = 10_000  # numbers of one length: more of them move the estimate by nothing
SAMPLE_CHARACTERS_MAX: Final = 400_000  # of one length: some 0.1 s, however long numbers are
GUESSES_PER_S: Final = 1e10  # one graphics card of today: two SHA-256 blocks a guess
GATE_GUESSES_PER_S: Final = 20.0  # a reader's scans are bounded to this

# 2^80 tries: four million years of one graphics card, four thousand of a thousand.
STRONG_BITS: Final = 80.0
# 2^60 tries: four years of one card; days for whoever rents a thousand. A showing is over by then.
FAIR_BITS: Final = 60.0
# 2^20 tries: fifteen hours at a gate's own reader, so the stolen card is not even needed.
WEAK_BITS: Final = 20.0

SHORT_BITS: Final = 40.0  # a number so short is a reason by itself
LONG_PREFIX: Final = 3  # characters that all numbers share
CLUSTERED_BITS: Final = 3.0  # neighbours this much nearer than chance would have them
_NEIGHBOURS: Final = 8  # a spacing is told by so many: single ones vary too much
_DENSEST: Final = 0.05  # the thief goes where numbers lie closest
_CHECKED_MIN: Final = 4  # numbers that fit a check digit: not by chance


@unique
class Strength(StrEnum):
    """How hard it is to find one valid number with the list and its key."""

    STRONG = "strong"  # a stolen card gives nothing away
    FAIR = "fair"  # more than a night's work
    WEAK = "weak"  # the list key is all that protects them
    OPEN = "open"  # guessed at the gate itself, without any card


@unique
class Reason(StrEnum):
    """What makes numbers guessable."""

    DIGITS_ONLY = "digits_only"
    SHORT = "short"
    COMMON_PREFIX = "common_prefix"
    CHECK_DIGIT = "check_digit"
    CLOSE_TOGETHER = "close_together"
    MANY_TICKETS = "many_tickets"
    PART_OF_THEM = "part_of_them"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class Guessability:
    """What was measured; of the easiest kind of number where there are several.

    Attributes:
        bits_per_number: log2 of the tries that surely find one certain number.
        bits_per_ticket: log2 of the tries that find any one ticket, on average.
        bits_for_all: log2 of the tries that find all of them.
        reasons: why it is not more.
        numbers: tickets measured of, whether or not they were in the sample.
        easiest: tickets of the kind that the figures are about.
    """

    bits_per_number: float
    bits_per_ticket: float
    bits_for_all: float
    reasons: tuple[Reason, ...]
    numbers: int
    easiest: int

    @property
    def strength(self) -> Strength:
        """The class of the figures; the thresholds are explained where they stand."""
        if self.bits_per_ticket >= STRONG_BITS:
            return Strength.STRONG
        if self.bits_per_ticket >= FAIR_BITS:
            return Strength.FAIR
        return Strength.WEAK if self.bits_per_ticket >= WEAK_BITS else Strength.OPEN

    @property
    def guesses_per_ticket(self) -> float:
        """Tries for one ticket, on average."""
        return math.exp2(min(self.bits_per_ticket, 1000.0))

    @property
    def seconds_with_key(self) -> float:
        """Time for one ticket on one graphics card, for a thief with the list and its key."""
        return self.guesses_per_ticket / GUESSES_PER_S

    @property
    def seconds_at_gate(self) -> float:
        """Time for one ticket at a gate's reader, for a thief without the key."""
        return self.guesses_per_ticket / GATE_GUESSES_PER_S


def sample_size(length: int) -> int:
    """Give how many numbers of one length are worth looking at."""
    return max(_NEIGHBOURS * 4, min(SAMPLE_MAX, SAMPLE_CHARACTERS_MAX // max(length, 1)))


def guessability(sample: Iterable[str], listed: Mapping[int, int]) -> Guessability | None:
    """Measure ticket numbers.

    Args:
        sample: some of the numbers of each length, chosen without regard to what they are; all of
            them where there are no more than `sample_size` says. Those beyond it are not looked at.
        listed: how many there are, by length in characters.

    Returns:
        None where there are no numbers.
    """
    kinds = [
        _measured(numbers, max(len(numbers), round(listed.get(length, 0) * share)))
        for length, kept in sorted(_by_length(sample).items())
        for numbers, share in _by_shape(kept)
    ]
    if not kinds:
        return None
    easiest = min(kinds, key=lambda kind: kind.bits_per_ticket)
    total = sum(listed.values())
    reasons = list(easiest.reasons)
    if easiest.easiest < total and len(kinds) > 1 and easiest.strength is not Strength.STRONG:
        reasons.append(Reason.PART_OF_THEM)
    return Guessability(
        easiest.bits_per_number,
        easiest.bits_per_ticket,
        _log2_sum([kind.bits_for_all for kind in kinds]),
        tuple(reasons),
        total,
        easiest.easiest,
    )


def _by_length(sample: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for number in sample:
        kept = found.setdefault(len(number), [])
        if len(kept) < sample_size(len(number)):
            kept.append(number)
    return found


def _by_shape(numbers: list[str]) -> list[tuple[list[str], float]]:
    """Tell numbers of digits from others of their length, each with its share of them."""
    digits = [number for number in numbers if number.isdecimal() and number.isascii()]
    if not digits or len(digits) == len(numbers):
        return [(numbers, 1.0)]
    expected = len(numbers) * (10 / 16) ** len(numbers[0])  # of hexadecimal ones, by chance
    if len(digits) <= 2 * expected + 1:
        return [(numbers, 1.0)]
    others = [number for number in numbers if not (number.isdecimal() and number.isascii())]
    return [(kind, len(kind) / len(numbers)) for kind in (digits, others)]


def _measured(numbers: Sequence[str], listed: int) -> Guessability:
    """Measure numbers of one length and shape.

    Args:
        numbers: the sample.
        listed: how many such tickets there are.
    """
    reasons: list[Reason] = []
    columns: list[tuple[str, ...]] = list(zip(*numbers, strict=True))
    if not columns:
        return Guessability(0.0, 0.0, 0.0, (Reason.SHORT,), listed, listed)
    if len(numbers) >= _CHECKED_MIN and all(map(_has_check_digit, numbers)):
        reasons.append(Reason.CHECK_DIGIT)
        del columns[-1]
    alphabets = _alphabets(columns)
    bits = _bits_of(columns, alphabets)
    spread = max(0.0, sum(bits))
    by_space = max(0.0, spread - math.log2(listed))
    nearest = _bits_between_neighbours(columns, alphabets, bits, listed)
    per_ticket = min(by_space, nearest) if nearest < by_space - CLUSTERED_BITS else by_space
    if all(map(_is_digits, numbers)):
        reasons.insert(0, Reason.DIGITS_ONLY)
    if spread < SHORT_BITS:
        reasons.append(Reason.SHORT)
    prefix = next((place for place, own in enumerate(bits) if own > 0), 0)
    if prefix >= LONG_PREFIX:
        reasons.append(Reason.COMMON_PREFIX)
    if per_ticket < by_space or (len(numbers) > 1 and nearest < CLUSTERED_BITS):
        reasons.append(Reason.CLOSE_TOGETHER)
    elif any(spread >= bound > per_ticket for bound in (WEAK_BITS, FAIR_BITS, STRONG_BITS)):
        reasons.append(Reason.MANY_TICKETS)
    if len(numbers) < _NEIGHBOURS:
        reasons.append(Reason.TOO_FEW)
    if per_ticket >= STRONG_BITS:
        reasons = [reason for reason in reasons if reason is Reason.TOO_FEW]
    for_all = min(spread, per_ticket + math.log2(listed)) if per_ticket < by_space else spread
    return Guessability(spread, per_ticket, for_all, tuple(reasons), listed, listed)


def _alphabets(columns: Sequence[Sequence[str]]) -> list[str]:
    """Give each position's alphabet: what occurs there and in the other positions like it."""
    occurring = [frozenset(column) for column in columns]
    kinds = [_kind(own) for own in occurring]
    if len(columns[0]) == 1:
        return [_PLAIN[kind] for kind in kinds]
    pools: dict[str, set[str]] = {kind: set() for kind in kinds}
    for own, kind in zip(occurring, kinds, strict=True):
        if len(own) > 1:
            pools[kind] |= own
    return ["".join(sorted(pools[kind] | own)) for own, kind in zip(occurring, kinds, strict=True)]


def _bits_of(columns: Sequence[Sequence[str]], alphabets: Sequence[str]) -> list[float]:
    """Give what each position adds to the work; a column that another one repeats adds nothing.

    It is the collision entropy, which is never above Shannon's and needs few numbers to be right:
    the chance that two tickets have the same character there.
    """
    seen: set[Sequence[str]] = set()
    bits = []
    for column, alphabet in zip(columns, alphabets, strict=True):
        if column in seen:
            bits.append(0.0)
            continue
        if len(column) > _NEIGHBOURS:
            seen.add(column)
        bits.append(_collision_bits(Counter(column), len(column), len(alphabet)))
    return bits


def _collision_bits(counts: Counter[str], total: int, pool: int) -> float:
    if len(counts) == 1 < total:
        return 0.0
    most = math.log2(pool)
    pairs = sum(count * (count - 1) for count in counts.values())
    return min(most, -math.log2(pairs / (total * (total - 1)))) if pairs else most


_DIGITS: Final = "0123456789"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_PLAIN: Final = {  # what a single number's characters are taken from; punctuation from nothing
    "digits": _DIGITS,
    "hex": _DIGITS + "abcdef",
    "lower": _LETTERS,
    "upper": _LETTERS.upper(),
    "mixed": _DIGITS + _LETTERS + _LETTERS.upper(),
    "other": "-",
}
_KINDS: Final = (
    ("digits", re.compile(r"[0-9]+")),
    ("hex", re.compile(r"[0-9a-f]+|[0-9A-F]+")),
    ("lower", re.compile(r"[0-9a-z]+")),
    ("upper", re.compile(r"[0-9A-Z]+")),
    ("mixed", re.compile(r"[0-9A-Za-z]+")),
)


def _kind(occurring: Iterable[str]) -> str:
    text = "".join(occurring)
    return next((name for name, pattern in _KINDS if pattern.fullmatch(text)), "other")


def _bits_between_neighbours(
    columns: Sequence[Sequence[str]],
    alphabets: Sequence[str],
    bits: Sequence[float],
    listed: int,
) -> float:
    """Give the tries from one ticket to the next where they lie closest, as log2.

    Numbers are read as counters over their alphabets; what they all share counts
    nothing. In a sample, neighbours are further apart than in the list by what it leaves out.
    """
    count = len(columns[0])
    if count == 1:
        return math.inf
    values = [0] * count
    for column, alphabet, own in zip(columns, alphabets, bits, strict=True):
        if own <= 0.0:
            continue
        digits = {character: place for place, character in enumerate(alphabet)}
        base = len(digits)
        values = [
            value * base + digits[character]
            for value, character in zip(values, column, strict=True)
        ]
    values.sort()
    apart = min(_NEIGHBOURS, count - 1)
    widths = sorted(high - low for low, high in zip(values, values[apart:], strict=False))
    width = widths[int(len(widths) * _DENSEST)]
    return max(0.0, math.log2(max(width, 1)) - math.log2(apart * listed / count))


def _is_digits(number: str) -> bool:
    return number.isascii() and number.isdecimal()


def _has_check_digit(number: str) -> bool:
    """Tell whether the last digit follows from the others: GS1 (EAN, UPC, GTIN) or Luhn."""
    if not _is_digits(number) or len(number) < LONG_PREFIX:
        return False
    digits = [ord(character) - 48 for character in reversed(number)]
    gs1 = sum(digits[::2]) + 3 * sum(digits[1::2])
    if gs1 % 10 == 0:
        return True
    luhn = sum(digits[::2]) + sum(2 * digit % 10 + digit // 5 for digit in digits[1::2])
    return luhn % 10 == 0


def _log2_sum(bits: Sequence[float]) -> float:
    most = max(bits)
    return most + math.log2(sum(math.exp2(own - most) for own in bits))
