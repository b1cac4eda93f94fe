"""What is shown to people: a pure value, as every display, light and sound takes it.

Made by the gate's services, drawn by `displays`. Imported from `ports`, whose protocols need it.
"""

from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

from admission.operating_mode import Cause
from admission.scan import Direction
from admission.verdict import Answer


@unique
class Look(StrEnum):
    """What kind of screen is shown; each has its picture, light and sound."""

    STARTING = "starting"
    SELF_TEST = "self_test"
    ENROLLING = "enrolling"  # belongs to no server yet; a link to set it up is shown as a QR code
    WAITING_LIST = "waiting_list"
    IDLE = "idle"
    READING = "reading"
    HOLD_STILL = "hold_still"  # a code is seen and cannot be read
    GRANTED = "granted"
    PLEASE_PASS = "please_pass"  # noqa: S105 (the arm is released and waits for its person)
    PASSED = "passed"
    DENIED = "denied"
    NOT_PASSED = "not_passed"
    OUT_OF_SERVICE = "out_of_service"
    FREE_PASSAGE = "free_passage"  # an emergency: everybody may leave, nobody shows a ticket
    LOCKED_DOWN = "locked_down"  # nobody goes through at all


ENROLLING_LINES: Final = ("show", "check", "refused", "strange", "unreached", "other_server")


@dataclass(frozen=True, slots=True)
class Screen:
    """All that a display needs to know; a pure value, drawn by `displays.screens`.

    Attributes:
        look: which screen.
        direction: of the lane or of the scan.
        answer: for GRANTED and DENIED, the verdict's code.
        degraded: whether the gate works with less than it should; a banner on every look.
        degraded_by: the most telling cause, None where none is told.
        degraded_min: for how many whole minutes, or how old what is known has become by it.
        title: for IDLE the performance's or event's name; for ENROLLING the short code that
            stands for the link where nobody can scan it; "" is none.
        detail: a second line for people: where to go instead, when first used; for ENROLLING the
            link, shown as a QR code; "" is none.
        fault: for OUT_OF_SERVICE, the code `GT-…`; for ENROLLING which line tells what to do, one
            of ENROLLING_LINES; "" is the one beside a code to type.
        occupancy: people inside the checkpoint now, or None if unknown.
        attention: for GRANTED, what a steward looks at, each thing a text; "!" where nothing more
            is said. Anything in it makes the admission one with attention.
        seat: for GRANTED, where the holder goes and sits, from the large to the small.
        holder: for GRANTED, whose ticket it is; only where a list may carry names, and only on
            displays that are set up to show them.
        doors: for IDLE, when the doors open, as the venue's clock shows it; "" is open.
        tongue: which of a display's languages, counted from its first and round again.
        gate: for repeats, the gate of the first use; "" is this one, None is not told.
    """

    look: Look
    direction: Direction = Direction.ENTRY
    answer: Answer | None = None
    degraded: bool = False
    degraded_by: Cause | None = None
    degraded_min: int = 0
    title: str = ""
    detail: str = ""
    fault: str = ""
    occupancy: int | None = None
    attention: tuple[str, ...] = ()
    seat: str = ""
    holder: str = field(default="", repr=False)
    gate: str | None = None
    doors: str = ""
    tongue: int = 0
