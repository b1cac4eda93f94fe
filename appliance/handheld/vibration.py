"""A motor that shakes the handheld, through gpiozero: what a quiet hall has in place of a buzzer.

Bound by `main`. Each outcome has its rhythm: an admission is one short shake, what wants a look is
two, a refusal is one long one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import gpiozero  # type: ignore[import-untyped]

from appliance.errors import DeviceError
from appliance.ports import Clock, Look, Screen

# seconds on, off, on …
ONE_SHORT: Final = (0.12,)
TWO_SHORT: Final = (0.12, 0.1, 0.12)
ONE_LONG: Final = (0.6,)
_BY_LOOK: Final = {Look.DENIED: ONE_LONG, Look.NOT_PASSED: TWO_SHORT, Look.OUT_OF_SERVICE: ONE_LONG}


def shakes_of(screen: Screen) -> tuple[float, ...]:
    """Give how the motor tells a screen: seconds on and off in turn; () is not at all."""
    if screen.look is Look.GRANTED:
        return TWO_SHORT if screen.attention else ONE_SHORT
    return _BY_LOOK.get(screen.look, ())


class Vibration:
    """The port `Signals` over a motor; made by `open_vibration`."""

    def __init__(
        self,
        motor: Any,
        errors: tuple[type[Exception], ...],
        clock: Clock,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._motor = motor
        self._errors = errors
        self._clock = clock
        self._tasks = tasks
        self._playing: asyncio.Task[None] | None = None
        self._told: Screen | None = None

    async def signal(self, screen: Screen) -> None:
        """Shake as a screen wants it, in place of what shakes now.

        Raises:
            DeviceError: if the pin cannot be driven.
        """
        if screen == self._told:
            return  # what stays on the display, a fault above all, shakes once
        self._told = screen
        self._stop()
        self._drive(is_on=False)
        shakes = shakes_of(screen)
        if shakes:
            self._drive(is_on=True)
            self._playing = self._tasks.create_task(self._play(shakes))

    def rest(self) -> None:
        """Still, now."""
        self._stop()
        with suppress(DeviceError):  # a pin that cannot be driven cannot be brought to rest either
            self._drive(is_on=False)

    async def _play(self, shakes: tuple[float, ...]) -> None:
        with suppress(DeviceError):  # the next `signal` meets the fault and tells it
            for place, seconds in enumerate(shakes):
                self._drive(is_on=place % 2 == 0)
                await self._clock.sleep(seconds)
            self._drive(is_on=False)

    def _stop(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None

    def _drive(self, *, is_on: bool) -> None:
        try:
            self._motor.value = is_on
        except self._errors as exc:
            raise DeviceError(f"the motor cannot be driven: {exc}") from exc


@asynccontextmanager
async def open_vibration(
    pin: int, clock: Clock, *, factory: Any, errors: tuple[type[Exception], ...]
) -> AsyncIterator[Vibration]:
    """Keep the motor for as long as the context lasts, and leave it still.

    Args:
        pin: GPIO number.
        clock: times the shakes.
        factory: gpiozero's pin factory.
        errors: all that it raises.

    Raises:
        DeviceError: if the pin cannot be had.
    """
    try:
        motor = gpiozero.OutputDevice(pin, initial_value=False, pin_factory=factory)
    except errors as exc:
        raise DeviceError(f"the motor's pin {pin} cannot be had: {exc}") from exc
    tasks = asyncio.TaskGroup()
    await tasks.__aenter__()  # not as a context: a fault of the body would be wrapped
    vibration = Vibration(motor, errors, clock, tasks)
    try:
        yield vibration
    finally:
        vibration.rest()
        await tasks.__aexit__(None, None, None)
        motor.close()
