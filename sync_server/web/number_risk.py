"""How guessable ticket numbers are and what gates do with the list key, in a reader's words.

Called by the handlers of the performance's and the import's page; decides nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from admission.ticketlist.guessability import Guessability, Strength
from admission.ticketlist.key_storage import KeyStorage
from sync_server.entities import Gate, Performance
from sync_server.web.formats import Formats
from sync_server.web.rendering import Words

_KINDS: Final = {
    Strength.STRONG: "good",
    Strength.FAIR: "info",
    Strength.WEAK: "warn",
    Strength.OPEN: "bad",
}
_GUESSABLE: Final = frozenset({Strength.WEAK, Strength.OPEN})
_ON_CARD: Final = frozenset({"file", "sealed_file_beside"})  # a stolen card gives the key away
_DIGITS_SHOWN: Final = 1e9  # above, a power of ten says more
_SUPERSCRIPT: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_YEARS_SHOWN: Final = 10_000
_MINUTE: Final = 60.0
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365.25 * _DAY


@dataclass(frozen=True, slots=True)
class NumberRisk:
    """A measure, told.

    Attributes:
        kind: of badge: `good`, `info`, `warn` or `bad`.
        strength: the class in a word or two.
        told: what it means for the box office.
        advice: what to do, "" where there is nothing to do.
        figures: (name, value) pairs.
        reasons: what makes the numbers guessable.
    """

    kind: str
    strength: str
    told: str
    advice: str
    figures: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What one gate says it does with the list key.

    Attributes:
        gate: its name.
        kind: of badge.
        told: in words.
    """

    gate: str
    kind: str
    told: str


def number_risk(words: Words, language: str, measured: Guessability | None) -> NumberRisk | None:
    """Tell a measure; None where nothing was measured yet."""
    if measured is None:
        return None
    strength = measured.strength
    return NumberRisk(
        _KINDS[strength],
        words.known("strength", strength.value),
        words.known("strength_told", strength.value),
        words.known("strength_advice", strength.value),
        _figures(words, language, measured),
        tuple(words.known("guessable", reason.value) for reason in measured.reasons),
    )


def kept_keys(words: Words, performance: Performance, gates: Sequence[Gate]) -> list[KeptKey]:
    """Tell what gates said last of where they keep a performance's key."""
    measured = performance.guessability
    guessable = measured is not None and measured.strength in _GUESSABLE
    told = []
    for gate in gates:
        keys = (gate.last_status or {}).get("keys")
        code = keys.get(performance.id) if isinstance(keys, dict) else None
        if not isinstance(code, str) or gate.revoked_ms is not None:
            continue
        text = words.known("key_kept", code) or words("keeps it in a way unknown here")
        allowed = not (code == "file" and performance.key_storage_in_force is not KeyStorage.FILE)
        kind = "warn" if not allowed or (guessable and code in _ON_CARD) else "good"
        told.append(KeptKey(gate.name, kind, text))
    return told


def _figures(words: Words, language: str, measured: Guessability) -> tuple[tuple[str, str], ...]:
    figures = [
        (words("Guesses for one valid number"), _tries(words, language, measured.bits_per_ticket)),
        (
            words("With a stolen card and its key, on one graphics card"),
            _time(words, measured.seconds_with_key),
        ),
        (words("Without the key, at a gate's reader"), _time(words, measured.seconds_at_gate)),
        (words("Guesses for all numbers"), _tries(words, language, measured.bits_for_all)),
    ]
    if measured.easiest < measured.numbers:
        form = Formats(language)
        of = words(
            "%(easiest)s of %(numbers)s",
            easiest=form.number(measured.easiest),
            numbers=form.number(measured.numbers),
        )
        figures.insert(0, (words("The most guessable numbers"), of))
    return tuple(figures)


def _tries(words: Words, language: str, bits: float) -> str:
    """Write a number of tries with the two digits that mean something."""
    ten = bits * math.log10(2)
    if ten >= math.log10(_DIGITS_SHOWN):
        return words("about %(tries)s", tries="10" + str(round(ten)).translate(_SUPERSCRIPT))
    tries = max(1, round(math.exp2(bits)))
    place = max(0, len(str(tries)) - 2)
    return words("about %(tries)s", tries=Formats(language).number(round(tries, -place)))


def _time(words: Words, seconds: float) -> str:
    years = seconds / _YEAR
    if seconds < 1:
        return words("under a second")
    if years >= _YEARS_SHOWN:
        return words("more than ten thousand years")
    if years >= 1:
        return words.plural("%(num)s year", "%(num)s years", round(years))
    if seconds >= 2 * _DAY:
        return words.plural("%(num)s day", "%(num)s days", round(seconds / _DAY))
    if seconds >= 2 * _HOUR:
        return words.plural("%(num)s hour", "%(num)s hours", round(seconds / _HOUR))
    if seconds >= 2 * _MINUTE:
        return words.plural("%(num)s minute", "%(num)s minutes", round(seconds / _MINUTE))
    return words.plural("%(num)s second", "%(num)s seconds", round(seconds))
