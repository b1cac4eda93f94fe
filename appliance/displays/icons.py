"""Every mark of the screens as a mask of any size. Called by `screens`.

They are drawn and not taken from a font, whose symbols vary with its version and are missing
where it is not installed.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from PIL import Image

from appliance.displays import answer_icons, gate_icons
from appliance.displays.appearance import Shape
from appliance.displays.pen import Pen, render

_CACHE_MASKS: Final = 128  # every shape at the few sizes that one display uses

_STROKES: Final[dict[Shape, Callable[[Pen], None]]] = {
    Shape.TICK: answer_icons.tick,
    Shape.LEAVING_ARROW: answer_icons.leaving_arrow,
    Shape.QUESTION: answer_icons.question,
    Shape.QUESTION_IN_FINDER: answer_icons.question_in_finder,
    Shape.QUESTION_IN_DOOR: answer_icons.question_in_door,
    Shape.SWAP: answer_icons.swap,
    Shape.SIGNPOST: answer_icons.signpost,
    Shape.CROSS: answer_icons.cross,
    Shape.CALENDAR_CROSS: answer_icons.calendar_cross,
    Shape.TWO_TICKETS: answer_icons.two_tickets,
    Shape.NO_ENTRY: answer_icons.no_entry,
    Shape.EURO: answer_icons.euro,
    Shape.INFORMATION: answer_icons.information,
    Shape.ARROW_AT_BAR: answer_icons.arrow_at_bar,
    Shape.TURNED_BACK: answer_icons.turned_back,
    Shape.TURNED_BACK_PERSON: answer_icons.turned_back_person,
    Shape.HASH: answer_icons.hash_sign,
    Shape.CALENDAR_HASH: answer_icons.calendar_hash,
    Shape.FUNNEL: answer_icons.funnel,
    Shape.CLOCK: answer_icons.clock,
    Shape.CLOCK_STRUCK: answer_icons.clock_struck,
    Shape.FULL_HOUSE: answer_icons.full_house,
    Shape.LOCK: answer_icons.lock,
    Shape.RENEW_LIST: answer_icons.renew_list,
    Shape.RENEW_ALARM: answer_icons.renew_alarm,
    Shape.SPINNER: gate_icons.spinner,
    Shape.LIST_COMING: gate_icons.list_coming,
    Shape.TICKET_TO_READER: gate_icons.ticket_to_reader,
    Shape.HOURGLASS: gate_icons.hourglass,
    Shape.NOBODY: gate_icons.nobody,
    Shape.SPANNER: gate_icons.spanner,
    Shape.WAY_IN: gate_icons.way_in,
    Shape.WAY_OUT: gate_icons.way_out,
    Shape.PERSON: gate_icons.person,
    Shape.UNCONNECTED: gate_icons.unconnected,
    Shape.TICK_ALARM: answer_icons.tick_alarm,
    Shape.CHECKLIST: gate_icons.checklist,
    Shape.KEY: gate_icons.key,
    Shape.CODE_IN_FINDER: gate_icons.code_in_finder,
    Shape.STRAIGHT_ON: gate_icons.straight_on,
    Shape.PERSON_TICKED: gate_icons.person_ticked,
    Shape.RUNNING: gate_icons.running,
    Shape.PORTCULLIS: gate_icons.portcullis,
}


@lru_cache(maxsize=_CACHE_MASKS)
def mask(shape: Shape, side: int) -> Image.Image:
    """Give a shape as a square mask, 0 (bare) to 255 (ink); not to be altered.

    Args:
        shape: which.
        side: of the square, in pixels, at least 1.
    """
    return render(_STROKES[shape], side)
