"""What a handheld needs of its hardware, and what its page looks at."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from admission.scan import Direction
from appliance.ports import Screen
from appliance.steward_ports import Steward, Told


@dataclass(frozen=True, slots=True)
class BatteryReading:
    """How the battery is.

    Attributes:
        percent: 0 to 100; None where the gauge does not say.
        is_plugged: whether the charger gives power: then nothing runs out.
    """

    percent: int | None
    is_plugged: bool


class Battery(Protocol):
    """The gauge of a battery."""

    async def read(self) -> BatteryReading:
        """Read it.

        Raises:
            DeviceError: if there is no battery, or it does not answer.
        """
        ...


class Button(Protocol):
    """A button under a finger."""

    def presses(self) -> AsyncIterator[bool]:
        """Yield True for each press and False for each release, debounced, until cancelled."""
        ...


class HandheldView(Protocol):
    """What a handheld's page shows and works. Implemented by `handheld_keeper`."""

    @property
    def now(self) -> Screen | None:
        """What is shown at the gate now; None before anything is."""
        ...

    @property
    def last(self) -> Screen | None:
        """The last answer; it stays until the trigger is pulled again."""
        ...

    @property
    def battery(self) -> BatteryReading | None:
        """How the battery is, None where that is not known."""
        ...

    @property
    def has_trigger(self) -> bool:
        """Whether a reader waits to be triggered."""
        ...

    @property
    def is_triggered(self) -> bool:
        """Whether a reader looks for a code because of the trigger."""
        ...

    @property
    def awaits(self) -> Direction | None:
        """Which way somebody was let through whose going the steward confirms; None for nobody."""
        ...

    def pull(self) -> None:
        """Pull the trigger: readers look for a code for a while, and the last answer goes."""
        ...

    def went(self, *, has_passed: bool) -> bool:
        """Say whether the person who was let through went; tell whether anybody was awaited."""
        ...


@dataclass(slots=True)
class StaffDesk:
    """What pages for stewards and supervisors look at and ask for; None while nothing is served.

    Attributes:
        steward: serves people.
        handheld: on a handheld, what its page shows and works.
        tell: gives a screen in words, in a language.
    """

    steward: Steward | None = None
    handheld: HandheldView | None = None
    tell: Callable[[Screen, str], Told] | None = None

    def clear(self) -> None:
        """Forget what belongs to the lane that was served."""
        self.steward = self.handheld = None
