"""What a row of a ticket file says besides number, class and state. Pure; called by `file`.

Nothing here can refuse a row: a text that is too long is cut, one that cannot be shown is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from admission.limits import ATTRIBUTE_CHARACTERS_MAX
from admission.ticketlist.attributes import Attributes

ATTENTION: Final = "!"  # a mere yes
_YES: Final = frozenset({"1", "true", "yes", "y", "oui", "o", "vrai", "x"})
_NO: Final = frozenset({"", "0", "false", "no", "n", "non", "faux"})


class Sayings:
    """Reads the attributes of rows.

    Args:
        fields: place of each field that the file has.
        extras: place of each further text, by its name.
    """

    def __init__(self, fields: Mapping[str, int], extras: Mapping[str, int]) -> None:
        self._fields = dict(fields)
        self._extras = dict(extras)

    def read(self, cells: Sequence[str]) -> Attributes | None:
        """Give what a row says, None where the file says nothing of any ticket."""
        if not self._fields and not self._extras:
            return None
        said = {name: _text(cells, place) for name, place in self._fields.items()}
        if "attention" in said:
            said["attention"] = _attention(said["attention"])
        extra = {name: _text(cells, place) for name, place in self._extras.items()}
        return Attributes(**said, extra={name: text for name, text in extra.items() if text})


def _text(cells: Sequence[str], place: int) -> str:
    """Read a cell, on one line; a row may end before it."""
    if place >= len(cells):
        return ""
    words = "".join(c if c.isprintable() else " " for c in cells[place]).split()
    return " ".join(words)[:ATTRIBUTE_CHARACTERS_MAX]


def _attention(text: str) -> str:
    """Read a cell that may be a word for yes or no, or say what it is about."""
    word = text.casefold()
    if word in _NO:
        return ""
    return ATTENTION if word in _YES else text
