"""What makes one presentation of a ticket one scan, across looks and readers. Called by the gate.

A reader already yields a code once for each time it is shown to it (`readers.debounce`). Two things
only the gate can know: that a ticket was shown to two of its readers at once, and that a camera's
second look only confirms a first look that was answered. Pure; knows no clock.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from admission.scan import Direction
from appliance.ports import Payload

AT_ONCE_NS: Final = 1_500_000_000  # a hand is at two readers within this, a second person is not
_REMEMBERED_MAX: Final = 32  # more tickets than one sheet of paper shows


@dataclass(frozen=True, slots=True)
class _Answered:
    name: bytes
    reader: str
    direction: Direction
    received_ns: int
    was_tentative: bool


class Presentations:
    """Remembers what was answered lately."""

    def __init__(self) -> None:
        self._answered: deque[_Answered] = deque(maxlen=_REMEMBERED_MAX)

    def is_again(self, payload: Payload, name: bytes) -> bool:
        """Tell whether a payload belongs to a presentation that has had its answer.

        Args:
            payload: as it was read.
            name: what the gate knows its ticket by, whatever a rotating code shows of it.
        """
        return any(
            self._is_of(answered, payload) for answered in self._answered if answered.name == name
        )

    def answered(self, payload: Payload, name: bytes) -> None:
        """Note that a payload has its answer.

        Args:
            payload: as it was read.
            name: as for `is_again`.
        """
        self.undecided(payload, name)
        self._answered.append(
            _Answered(
                name, payload.reader, payload.direction, payload.received_ns, payload.is_tentative
            )
        )

    def undecided(self, payload: Payload, name: bytes) -> None:
        """Note that a first look had no answer: its second look is to have one.

        Args:
            payload: as it was read.
            name: as for `is_again`.
        """
        kept = [one for one in self._answered if (one.name, one.reader) != (name, payload.reader)]
        self._answered = deque(kept, maxlen=_REMEMBERED_MAX)

    @staticmethod
    def _is_of(answered: _Answered, payload: Payload) -> bool:
        if answered.reader == payload.reader:
            # every presentation begins with a first look, so this second one is of the same
            return answered.was_tentative and not payload.is_tentative
        if answered.direction is not payload.direction:
            return False  # somebody who wants out is never kept waiting for what was said inwards
        return abs(payload.received_ns - answered.received_ns) < AT_ONCE_NS


def waiting_with(waiting: deque[Payload], payload: Payload) -> deque[Payload]:
    """Give what waits for its answer, and a payload: a second look takes its first look's place."""
    for place, other in enumerate(waiting):
        if (other.reader, other.data, other.is_tentative) == (payload.reader, payload.data, True):
            waiting[place] = payload
            return waiting
    waiting.append(payload)
    return waiting
