"""Keeps a name from turning the words around it, where a screen is told as text. Pure."""

import unicodedata
from typing import Final

_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def isolated(text: str) -> str:
    """Take out of a name what is not drawn: controls, marks of direction, half characters.

    One with letters from right to left is put between U+2068 and U+2069, which let it run its own
    way and end there.
    """
    if text.isascii() and text.isprintable():
        return text
    plain = "".join(
        " " if unicodedata.category(sign) in _UNSEEN and sign.isspace() else sign
        for sign in text
        if unicodedata.category(sign) not in _UNSEEN or sign.isspace()
    )
    if any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in plain):
        return f"\u2068{plain}\u2069"
    return plain
