"""What a gate's screen says, in short, and the people and tickets that several tests share."""

from admission.scan import Direction
from admission.verdict import Answer
from appliance.ports import Look, Screen
from appliance.simulator.box_office import ENTRY_EXIT, ListedNumber
from appliance.simulator.virtual_turnstile import Person

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
NOBODY = Person(passes_after_s=None)
INSIDE_OUT = [ListedNumber("T1", ENTRY_EXIT), ListedNumber("T2", ENTRY_EXIT)]
GREEN = (Look.GRANTED, Answer.GRANTED)


def answers(screen: Screen) -> tuple[Look, Answer | None]:
    """Give what kind of screen it is, and its answer."""
    return screen.look, screen.answer


def red(answer: Answer) -> tuple[Look, Answer]:
    """Give what `answers` says of a refusal."""
    return Look.DENIED, answer
