"""Which ticket numbers somebody may have meant who typed one by hand. Pure.

Called by the gate for keyed codes alone: what a reader yields is compared as it is. A number is
tried as it was typed, then in at most SPELLINGS_MAX other spellings that the list's stated alphabet
allows; they differ in the case of letters, in spaces and in dashes, and in nothing else. Two
spellings that hit different tickets are ambiguous: nobody's ticket is ever guessed.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from itertools import product
from typing import Final

from admission.limits import NUMBER_CODE_POINTS_MAX

SPELLINGS_MAX: Final = 8  # beside the typed one; more of them would help whoever guesses


@unique
class Trait(StrEnum):
    """Something that numbers of a list may hold, as far as a hand gets it wrong."""

    UPPER = "upper"  # letters A to Z
    LOWER = "lower"  # letters a to z
    SPACE = "space"
    DASH = "dash"


Alphabet = frozenset[Trait]

_SPACES: Final = " \t\u00a0\u2007\u2009\u202f\u3000"  # as keyboards and copied texts have them
_DASHES: Final = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\uff0d"
_PLAIN: Final = {ord(c): " " for c in _SPACES} | {ord(c): "-" for c in _DASHES}
_SEPARATORS: Final = re.compile("[ -]+")
_LOWER: Final = {ord(c): c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_UPPER: Final = {ord(c): c.upper() for c in "abcdefghijklmnopqrstuvwxyz"}
_HOLDS: Final[dict[Trait, re.Pattern[str]]] = {
    Trait.UPPER: re.compile("[A-Z]"),
    Trait.LOWER: re.compile("[a-z]"),
    Trait.SPACE: re.compile(" "),
    Trait.DASH: re.compile("-"),
}


def traits_of(number: str) -> Alphabet:
    """Give what a number holds."""
    return frozenset(trait for trait, pattern in _HOLDS.items() if pattern.search(number))


def alphabet_of(numbers: Iterable[str]) -> Alphabet:
    """Give what some numbers hold between them."""
    return frozenset().union(*map(traits_of, numbers))


def spellings(typed: str, alphabet: Alphabet | None) -> tuple[str, ...]:
    """Give what a typed number may be meant as, likeliest first, the typed one before all.

    Args:
        typed: stripped.
        alphabet: what the list's numbers hold; None where the list does not state it: then case is
            folded and separators are left out, and none is put in.

    Returns:
        The typed one and at most SPELLINGS_MAX others, none twice.
    """
    if len(typed) > NUMBER_CODE_POINTS_MAX:
        return (typed,)
    plain = typed.translate(_PLAIN).strip(" ")
    separated = [plain, _SEPARATORS.sub("", plain)]
    if alphabet is not None:
        for trait, separator in ((Trait.DASH, "-"), (Trait.SPACE, " ")):
            if trait in alphabet:
                separated.append(_SEPARATORS.sub(separator, plain))
    cases: tuple[Callable[[str], str], ...] = (
        lambda text: text,
        lambda text: text.translate(_UPPER),
        lambda text: text.translate(_LOWER),
    )
    ways = sorted(product(range(len(cases)), range(len(separated))), key=sum)
    found = dict.fromkeys(cases[case](separated[separators]) for case, separators in ways)
    found.pop(typed, None)
    allowed = [one for one in found if one and (alphabet is None or traits_of(one) <= alphabet)]
    return (typed, *allowed[:SPELLINGS_MAX])


@dataclass(frozen=True, slots=True)
class Meant:
    """What a typed number is taken for.

    Attributes:
        number: what is judged; the typed one where no other spelling hits a single ticket.
        is_ambiguous: whether several spellings hit different tickets; none of them is taken.
        is_known: whether `number` hits a ticket.
    """

    number: str
    is_ambiguous: bool = False
    is_known: bool = True


def meant_by(
    typed: str,
    alphabets: Mapping[str, Alphabet | None],
    find: Callable[[str, str], Hashable | None],
) -> Meant:
    """Find out which number was meant.

    Args:
        typed: stripped.
        alphabets: what each held list's numbers hold, by performance.
        find: gives what names the ticket that a performance holds under a number, or None.
    """
    if any(find(performance, typed) is not None for performance in alphabets):
        return Meant(typed)
    hits: dict[str, set[tuple[str, Hashable]]] = {}
    for performance, alphabet in alphabets.items():
        for spelling in spellings(typed, alphabet)[1:]:
            ticket = find(performance, spelling)
            if ticket is not None:
                hits.setdefault(spelling, set()).add((performance, ticket))
    if not hits:
        return Meant(typed, is_known=False)
    first, *others = hits
    if any(hits[other] != hits[first] for other in others):
        return Meant(typed, is_ambiguous=True, is_known=False)
    return Meant(first)
