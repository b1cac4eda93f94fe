"""Which colour and which shape a screen has: the tables of what people see before they read.

Called by `layout` (pictures) and `signals` (light). Pure; draws nothing. Every answer has a shape
of its own, so that the picture tells without its colour, and answers of one kind share a colour,
so that it tells from far away.
"""

from enum import StrEnum, unique
from typing import Final, NamedTuple

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.palette import Hue
from appliance.ports import Look, Screen


@unique
class Shape(StrEnum):
    """Every mark that `icons` can draw."""

    TICK = "tick"
    LEAVING_ARROW = "leaving_arrow"
    QUESTION = "question"
    QUESTION_IN_FINDER = "question_in_finder"
    QUESTION_IN_DOOR = "question_in_door"
    SWAP = "swap"
    SIGNPOST = "signpost"
    CROSS = "cross"
    CALENDAR_CROSS = "calendar_cross"
    TWO_TICKETS = "two_tickets"
    NO_ENTRY = "no_entry"
    EURO = "euro"
    INFORMATION = "information"
    ARROW_AT_BAR = "arrow_at_bar"
    TURNED_BACK = "turned_back"
    TURNED_BACK_PERSON = "turned_back_person"
    HASH = "hash"
    CALENDAR_HASH = "calendar_hash"
    FUNNEL = "funnel"
    CLOCK = "clock"
    CLOCK_STRUCK = "clock_struck"
    FULL_HOUSE = "full_house"
    LOCK = "lock"
    RENEW_LIST = "renew_list"
    RENEW_ALARM = "renew_alarm"
    SPINNER = "spinner"
    LIST_COMING = "list_coming"
    TICKET_TO_READER = "ticket_to_reader"
    HOURGLASS = "hourglass"
    NOBODY = "nobody"
    SPANNER = "spanner"
    WAY_IN = "way_in"
    WAY_OUT = "way_out"
    PERSON = "person"
    UNCONNECTED = "unconnected"
    TICK_ALARM = "tick_alarm"
    CHECKLIST = "checklist"
    KEY = "key"
    CODE_IN_FINDER = "code_in_finder"
    STRAIGHT_ON = "straight_on"
    PERSON_TICKED = "person_ticked"
    RUNNING = "running"
    PORTCULLIS = "portcullis"


class Appearance(NamedTuple):
    """The colour and the shape of a screen."""

    hue: Hue
    shape: Shape


ANSWERS: Final[dict[Answer, Appearance]] = {
    Answer.GRANTED: Appearance(Hue.GREEN, Shape.TICK),
    Answer.MALFORMED: Appearance(Hue.RED, Shape.QUESTION_IN_FINDER),
    Answer.WRONG_PERFORMANCE: Appearance(Hue.ORANGE, Shape.SWAP),
    Answer.UNKNOWN_TICKET: Appearance(Hue.RED, Shape.QUESTION),
    Answer.PERFORMANCE_CANCELED: Appearance(Hue.RED, Shape.CALENDAR_CROSS),
    Answer.CANCELED: Appearance(Hue.RED, Shape.CROSS),
    Answer.REISSUED: Appearance(Hue.RED, Shape.TWO_TICKETS),
    Answer.BLOCKED: Appearance(Hue.RED, Shape.NO_ENTRY),
    Answer.UNPAID: Appearance(Hue.RED, Shape.EURO),
    Answer.INCOMPLETE: Appearance(Hue.BLUE, Shape.INFORMATION),
    Answer.EXIT_NOT_ALLOWED: Appearance(Hue.YELLOW, Shape.ARROW_AT_BAR),
    Answer.ALREADY_USED: Appearance(Hue.YELLOW, Shape.TURNED_BACK),
    Answer.ALREADY_INSIDE: Appearance(Hue.YELLOW, Shape.TURNED_BACK_PERSON),
    Answer.NOT_INSIDE: Appearance(Hue.YELLOW, Shape.QUESTION_IN_DOOR),
    Answer.NO_PASSES_LEFT: Appearance(Hue.YELLOW, Shape.HASH),
    Answer.DAILY_LIMIT_REACHED: Appearance(Hue.YELLOW, Shape.CALENDAR_HASH),
    Answer.CATEGORY_EXCLUDED: Appearance(Hue.RED, Shape.FUNNEL),
    Answer.WRONG_CHECKPOINT: Appearance(Hue.ORANGE, Shape.SIGNPOST),
    Answer.NOT_YET_VALID: Appearance(Hue.ORANGE, Shape.CLOCK),
    Answer.NO_LONGER_VALID: Appearance(Hue.ORANGE, Shape.CLOCK_STRUCK),
    Answer.FULL: Appearance(Hue.ORANGE, Shape.FULL_HOUSE),
    Answer.GATE_LOCKED: Appearance(Hue.BLACK, Shape.LOCK),
    Answer.LIST_UNTRUSTED: Appearance(Hue.BLUE, Shape.RENEW_ALARM),
    Answer.LIST_EXPIRED: Appearance(Hue.BLUE, Shape.RENEW_LIST),
}

LOOKS: Final[dict[Look, Appearance]] = {
    Look.STARTING: Appearance(Hue.NIGHT, Shape.SPINNER),
    Look.SELF_TEST: Appearance(Hue.NIGHT, Shape.CHECKLIST),
    Look.ENROLLING: Appearance(Hue.NIGHT, Shape.KEY),
    Look.WAITING_LIST: Appearance(Hue.NIGHT, Shape.LIST_COMING),
    Look.IDLE: Appearance(Hue.NIGHT, Shape.TICKET_TO_READER),
    Look.READING: Appearance(Hue.NIGHT, Shape.HOURGLASS),
    Look.HOLD_STILL: Appearance(Hue.NIGHT, Shape.CODE_IN_FINDER),
    Look.PLEASE_PASS: Appearance(Hue.GREEN, Shape.STRAIGHT_ON),
    # Not green: whoever comes next would take it for his own.
    Look.PASSED: Appearance(Hue.NIGHT, Shape.PERSON_TICKED),
    Look.NOT_PASSED: Appearance(Hue.GREY, Shape.NOBODY),
    Look.OUT_OF_SERVICE: Appearance(Hue.BLACK, Shape.SPANNER),
    Look.FREE_PASSAGE: Appearance(Hue.GREEN, Shape.RUNNING),
    Look.LOCKED_DOWN: Appearance(Hue.BLACK, Shape.PORTCULLIS),
}
WITH_ATTENTION: Final = Appearance(Hue.BLUE, Shape.TICK_ALARM)

WAYS: Final[dict[Direction, Shape]] = {
    Direction.ENTRY: Shape.WAY_IN,
    Direction.EXIT: Shape.WAY_OUT,
}


def answer_of(screen: Screen) -> Answer | None:
    """Give the answer that a screen tells, or None if its look tells none.

    Raises:
        ValueError: if a refusal has no answer, or the answer `granted`.
    """
    if screen.look is Look.GRANTED:
        return screen.answer or Answer.GRANTED
    if screen.look is not Look.DENIED:
        return None
    if screen.answer is None or screen.answer is Answer.GRANTED:
        raise ValueError(f"a denied screen needs the reason, got {screen.answer}")
    return screen.answer


def goes_anyway(screen: Screen) -> bool:
    """Tell whether the arm opens on a refusal, as the gate's exit policy may have it."""
    return screen.look is Look.GRANTED and answer_of(screen) is not Answer.GRANTED


def asks_attention(screen: Screen) -> bool:
    """Tell whether somebody is let in whom a steward should look at."""
    return answer_of(screen) is Answer.GRANTED and bool(screen.attention)


def appearance_of(screen: Screen) -> Appearance:
    """Give the colour and the shape of a screen.

    Raises:
        ValueError: as `answer_of`.
    """
    answer = answer_of(screen)
    if answer is None:
        return LOOKS[screen.look]
    if asks_attention(screen):
        return WITH_ATTENTION
    if answer is Answer.GRANTED and screen.direction is Direction.EXIT:
        return Appearance(Hue.GREEN, Shape.LEAVING_ARROW)
    return ANSWERS[answer]
