"""A trigger on a GPIO pin, through gpiozero. Bound by `main`."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import gpiozero  # type: ignore[import-untyped]

from appliance.errors import DeviceError
from appliance.ports import Clock

DEBOUNCE_S: Final = 0.03  # cheap buttons chatter for 5 to 20 ms
_WAITING_MAX: Final = 16  # nobody presses faster than this is taken; beyond, the oldest goes


class TriggerButton:
    """The port `Button` over a pin that the button pulls to ground; for one running loop."""

    def __init__(self, button: Any, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self._button = button
        self._clock = clock
        self._changes: deque[bool] = deque(maxlen=_WAITING_MAX)
        self._stirred = asyncio.Event()
        button.when_activated = lambda: loop.call_soon_threadsafe(self._note, True)
        button.when_deactivated = lambda: loop.call_soon_threadsafe(self._note, False)

    async def presses(self) -> AsyncIterator[bool]:
        """Yield True for each press and False for each release, debounced, until cancelled."""
        is_down = False
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._changes:
                change = self._changes.popleft()
                if change is is_down:
                    continue
                is_down = change
                yield is_down
                await self._clock.sleep(DEBOUNCE_S)  # what chatters meanwhile is looked at as one
                settled = self._changes[-1] if self._changes else is_down
                self._changes.clear()
                if settled is not is_down:
                    is_down = settled
                    yield is_down

    def _note(self, is_down: bool) -> None:
        self._changes.append(is_down)
        self._stirred.set()


@contextmanager
def open_trigger(
    pin: int, clock: Clock, *, factory: Any, errors: tuple[type[Exception], ...]
) -> Iterator[TriggerButton]:
    """Keep the trigger for as long as the context lasts.

    Args:
        pin: GPIO number.
        clock: times what is debounced.
        factory: gpiozero's pin factory.
        errors: all that it raises.

    Raises:
        DeviceError: if the pin cannot be had.
    """
    try:
        button = gpiozero.DigitalInputDevice(pin, pull_up=True, pin_factory=factory)
    except errors as exc:
        raise DeviceError(f"the trigger's pin {pin} cannot be had: {exc}") from exc
    try:
        yield TriggerButton(button, clock, asyncio.get_running_loop())
    finally:
        button.close()
