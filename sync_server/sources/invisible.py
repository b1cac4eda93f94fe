"""Characters that nobody sees: they part a number on paper from the number in a file. Pure."""

import re
import unicodedata
from typing import Final

# Besides controls (those of ASCII no reader yields anyway), marks of direction and joiners, line
# separators and odd spaces: letters and marks that are drawn as nothing.
_BLANK: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
_SUSPECT: Final = re.compile(
    "[\x80-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680"
    f"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb{_BLANK}"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)


def find_invisible(text: str) -> str:
    """Name the first character that cannot be seen: `U+202E RIGHT-TO-LEFT OVERRIDE`; "" for none.

    An ordinary space inside a text is seen well enough.
    """
    if text.isascii():
        return ""
    found = _SUSPECT.search(text)
    if found is None:
        return ""
    return f"U+{ord(found[0]):04X} {unicodedata.name(found[0], 'control character')}"
