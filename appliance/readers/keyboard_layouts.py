"""What a key types: the layouts that a scanner may be set up to be a keyboard of. Tables.

Keys have the kernel's numbers (its input-event-codes.h, which never changes): they go by place.
The layouts are those of Windows, which scanners are made for; so an accent that waits for its
letter stands alone where no letter takes it.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ENTER: Final = 28
KEYPAD_ENTER: Final = 96
TAB: Final = 15
SPACE: Final = 57
CAPS_LOCK: Final = 58
NUM_LOCK: Final = 69
SHIFTS: Final = frozenset({42, 54})
CTRLS: Final = frozenset({29, 97})
ALT: Final = 56
ALT_GR: Final = 100
# Places of the keys, row by row as they lie: digits, letters above, letters in the middle, below.
_ROWS: Final = (
    (41, *range(2, 14)),
    tuple(range(16, 28)),
    (*range(30, 41), 43),
    (86, *range(44, 54)),
)
_LESS_THAN: Final = 86  # the key that a US keyboard has not
KEYPAD_DIGITS: Final[Mapping[int, int]] = {
    82: 0, 79: 1, 80: 2, 81: 3, 75: 4, 76: 5, 77: 6, 71: 7, 72: 8, 73: 9,
}  # fmt: skip
ROW_DIGITS: Final[Mapping[int, int]] = {key: (key - 1) % 10 for key in range(2, 12)}
# Where Ctrl makes a control character, by place on a US keyboard; letters go by layout.
CTRL_PLACES: Final[Mapping[int, str]] = {3: "@", 26: "[", 43: "\\", 27: "]", 7: "^", 12: "_"}
_COMBINING: Final = {"^": "\u0302", "¨": "\u0308", "´": "\u0301", "`": "\u0300", "~": "\u0303"}
_NONE: Final = "\0"  # in a row: nothing is typed there


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout.

    Attributes:
        typed: what a key types, by place and by whether Shift and AltGr are held.
        dead: those of them that wait for a letter.
        caps: places where Caps Lock is like Shift.
    """

    typed: Mapping[tuple[int, bool, bool], str]
    dead: frozenset[tuple[int, bool, bool]]
    caps: frozenset[int]


def compose(accent: str, letter: str) -> str:
    """Give what an accent that waited and what was typed next come to, as Windows does it."""
    if letter == " ":
        return accent
    both = unicodedata.normalize("NFC", letter + _COMBINING[accent])
    return both if len(both) == 1 and both in _COMPOSED else accent + letter


_COMPOSED: Final = frozenset("âêîôûÂÊÎÔÛäëïöüÿÄËÏÖÜáéíóúýÁÉÍÓÚÝàèìòùÀÈÌÒÙãñõÃÑÕ")


def _layout(
    plain: str,
    shift: str,
    alt_gr: Mapping[str, str],
    *,
    point: str,
    dead: str = "",
    dead_alt_gr: str = "",
    caps_is_shift: bool = False,
) -> Layout:
    """Lay out a keyboard.

    Args:
        plain: what its keys type, row by row, rows parted by a space.
        shift: likewise with Shift.
        alt_gr: by what a key types plain, what it types with AltGr.
        point: what the key-pad's point types.
        dead: accents that wait for a letter, plain or with Shift.
        dead_alt_gr: likewise with AltGr.
        caps_is_shift: whether Caps Lock reaches the keys that are no letters.
    """
    typed: dict[tuple[int, bool, bool], str] = {}
    places: dict[str, int] = {}
    for held, rows in ((False, plain), (True, shift)):
        for row, signs in zip(_ROWS, rows.split(" "), strict=True):
            for place, sign in zip(row, signs, strict=True):
                if sign == _NONE:
                    continue
                typed[place, held, False] = sign
                if not held:
                    places[sign] = place
    waits = {key for key, sign in typed.items() if sign in dead}
    for sign, other in alt_gr.items():
        typed[places[sign], False, True] = other
        if other in dead_alt_gr:
            waits.add((places[sign], False, True))
    letters = {place for sign, place in places.items() if sign.isalpha() and sign != "ß"}
    others = set(places.values()) - {_LESS_THAN} if caps_is_shift else set()
    typed[SPACE, False, False] = typed[SPACE, True, False] = " "
    for place, sign in {98: "/", 55: "*", 74: "-", 78: "+", 83: point}.items():
        typed[place, False, False] = sign
    for place, digit in KEYPAD_DIGITS.items():
        typed[place, False, False] = str(digit)
    return Layout(typed, frozenset(waits), frozenset(letters | others))


LAYOUTS: Final[Mapping[str, Layout]] = {
    "us": _layout(
        "`1234567890-= qwertyuiop[] asdfghjkl;'\\ \0zxcvbnm,./",
        '~!@#$%^&*()_+ QWERTYUIOP{} ASDFGHJKL:"| \0ZXCVBNM<>?',
        {},
        point=".",
    ),
    "fr": _layout(
        "²&é\"'(-è_çà)= azertyuiop^$ qsdfghjklmù* <wxcvbn,;:!",
        "\x001234567890°+ AZERTYUIOP¨£ QSDFGHJKLM%µ >WXCVBN?./§",
        {
            "é": "~", '"': "#", "'": "{", "(": "[", "-": "|", "è": "`", "_": "\\", "ç": "^",
            "à": "@", ")": "]", "=": "}", "e": "€", "$": "¤",
        },
        point=".",
        dead="^¨",
        dead_alt_gr="~`",
        caps_is_shift=True,
    ),
    "de": _layout(
        "^1234567890ß´ qwertzuiopü+ asdfghjklöä# <yxcvbnm,.-",
        "°!\"§$%&/()=?` QWERTZUIOPÜ* ASDFGHJKLÖÄ' >YXCVBNM;:_",
        {
            "2": "²", "3": "³", "7": "{", "8": "[", "9": "]", "0": "}", "ß": "\\", "q": "@",
            "e": "€", "+": "~", "<": "|", "m": "µ",
        },
        point=",",
        dead="^´`",
    ),
}  # fmt: skip
