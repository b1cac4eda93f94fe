"""QR codes on a screen: which modules are dark, and how large they can be. Called by `layout`.

Telephones want dark modules on a light ground with a quiet zone around; how many pixels a module
has decides whether they see it at all.
"""

from functools import lru_cache
from typing import Final

import segno

Modules = tuple[tuple[bool, ...], ...]

QUIET_MODULES: Final = 4  # on each side, as the standard has it
QUIET_MODULES_MIN: Final = 2  # on panels of few pixels; telephones still find the code
MODULE_PX_MIN: Final = 2  # of the smallest panels in use a third of a millimetre; below, a blur
_TEXTS_KEPT: Final = 4


@lru_cache(maxsize=_TEXTS_KEPT)
def modules_of(text: str) -> Modules | None:
    """Give the rows of a code, True where it is dark; None if the text is too long for any.

    The lowest level of correction: a screen has no stains, and fewer modules are larger ones.
    """
    try:
        code = segno.make_qr(text, error="l", boost_error=False)
    except segno.DataOverflowError:
        return None
    return tuple(tuple(bool(module) for module in row) for row in code.matrix)


def module_px(modules: Modules, room: tuple[int, int], *, is_tight: bool = False) -> int:
    """Give how many pixels a module may have in a room, its quiet zone included; 0 is too few.

    Args:
        modules: of the code.
        room: width and height, pixels.
        is_tight: whether a quiet zone of QUIET_MODULES_MIN does.
    """
    quiet = QUIET_MODULES_MIN if is_tight else QUIET_MODULES
    px = min(room) // (len(modules) + 2 * quiet)
    return px if px >= MODULE_PX_MIN else 0
