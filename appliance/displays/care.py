"""What keeps an OLED from wearing its picture in: pure arithmetic of time. Called by `oled`.

Each pixel of an OLED ages by the light it gave. So the picture moves by a pixel now and then, is
dimmed where nobody has come for a while, and at last is only its mark, which wanders over the
panel. It is never shown inverted: lit all over means "go".
"""

from dataclasses import dataclass
from typing import Final

from appliance.ports import Look

# Round the middle, one step of one pixel at a time; the first is where the picture was drawn.
_SHIFTS: Final = ((0, 0), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
# What may be told by its mark alone: a fault's code and an emergency may not.
CALM: Final = frozenset({Look.IDLE, Look.WAITING_LIST})
_DIMMED: Final = CALM | {Look.STARTING, Look.ENROLLING, Look.OUT_OF_SERVICE}
_STEP_S: Final = 10


@dataclass(frozen=True, slots=True)
class Care:
    """How a panel is taken care of.

    Attributes:
        contrast: 1 to 255.
        dim_contrast: likewise.
        dim_after_s: how long one screen is shown before it is dimmed; 0 is never.
        saver_after_s: likewise, before its mark wanders; 0 is never.
        shift_every_s: how often the picture moves; 0 is never.
    """

    contrast: int = 200
    dim_contrast: int = 16
    dim_after_s: int = 120
    saver_after_s: int = 900
    shift_every_s: int = 60


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to a picture now.

    Attributes:
        shift: pixels to the right and down.
        contrast: of the panel.
        wanders: the number of the step where the mark alone wanders; None is the whole picture.
    """

    shift: tuple[int, int]
    contrast: int
    wanders: int | None = None


def treatment(
    care: Care, look: Look, *, running_s: float, shown_s: float, is_night: bool
) -> Treatment:
    """Give what is done to a picture.

    Args:
        care: how the panel is taken care of.
        look: of the screen.
        running_s: since the panel's program began.
        shown_s: since this screen has been shown without another in between.
        is_night: whether it is dark around the gate.
    """
    shift = (0, 0)
    if care.shift_every_s:
        shift = _SHIFTS[int(running_s // care.shift_every_s) % len(_SHIFTS)]
    is_long = bool(care.dim_after_s) and shown_s >= care.dim_after_s
    is_dim = is_night or (is_long and look in _DIMMED)
    wanders = None
    if care.saver_after_s and shown_s >= care.saver_after_s and look in CALM:
        wanders = int((shown_s - care.saver_after_s) // _STEP_S)
    return Treatment(shift, care.dim_contrast if is_dim else care.contrast, wanders)


def wandering_place(step: int, room: tuple[int, int], side: int) -> tuple[int, int]:
    """Give where a mark stands at a step: to and fro, and down a little each time it turns.

    Args:
        step: as `Treatment.wanders`.
        room: width and height of the panel, pixels.
        side: of the mark.
    """
    across, down = max(1, room[0] - side), max(1, room[1] - side)
    stride = max(1, side // 3)
    return _to_and_fro(step * stride, across), _to_and_fro(step * stride // 5, down)


def _to_and_fro(way: int, length: int) -> int:
    place = way % (2 * length)
    return place if place <= length else 2 * length - place
