"""One relay that is switched on for a moment and never stays on. Called by the relay driver.

The end of a pulse is set before its beginning, in a thread of its own: neither an event loop that
is held up nor a task that is cancelled can keep the arm open.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from appliance.errors import TurnstileFaultError

log = logging.getLogger(__name__)

PULSE_S: Final = 0.2  # what turnstile controllers expect by default
PULSE_S_MIN: Final = 0.1  # less is not noticed by every controller
PULSE_S_MAX: Final = 1.0  # more would be an open arm


class Output(Protocol):
    """A pin that is switched."""

    def on(self) -> None:
        """Switch it on."""
        ...

    def off(self) -> None:
        """Switch it off."""
        ...


class Timer(Protocol):
    """A call that is due."""

    def cancel(self) -> object:
        """Take it back, if it was not made yet."""
        ...


After = Callable[[float, Callable[[], None]], Timer]


def after_in_thread(delay_s: float, call: Callable[[], None]) -> Timer:
    """Make a call later, in a thread of its own.

    Raises:
        RuntimeError: if there can be no more threads.
    """
    timer = threading.Timer(delay_s, call)
    timer.daemon = True
    timer.start()
    return timer


class PulsedRelay:
    """A relay and its one timer.

    Args:
        output: the relay's pin, off.
        pulse_s: seconds that a pulse lasts.
        errors: what `output` raises.
        after: makes the call that ends a pulse.

    Raises:
        ValueError: if the pulse is shorter or longer than any turnstile wants.
    """

    def __init__(
        self,
        output: Output,
        pulse_s: float,
        errors: tuple[type[Exception], ...],
        after: After = after_in_thread,
    ) -> None:
        if not PULSE_S_MIN <= pulse_s <= PULSE_S_MAX:
            raise ValueError(f"pulse_s must be {PULSE_S_MIN} to {PULSE_S_MAX}, got {pulse_s}")
        self._output = output
        self._pulse_s = pulse_s
        self._errors: tuple[type[Exception], ...] = (*errors, RuntimeError)  # no more threads
        self._after = after
        self._lock = threading.Lock()
        self._timer: Timer | None = None
        self._pulses = 0
        self._is_stuck = False

    @property
    def is_on(self) -> bool:
        """Whether a pulse is running."""
        return self._timer is not None

    def pulse(self) -> None:
        """Switch on for one pulse; does nothing while one is running.

        Raises:
            TurnstileFaultError: if the relay cannot be switched, or did not switch off before.
        """
        with self._lock:
            if self._timer is not None:
                return
            if self._is_stuck:
                raise TurnstileFaultError("the relay did not switch off after its last pulse")
            try:
                self._pulses += 1
                self._timer = self._after(self._pulse_s, partial(self._end, self._pulses))
                self._output.on()
            except self._errors as exc:
                self._rest_locked()
                raise TurnstileFaultError(f"the relay cannot be switched on: {exc}") from exc

    def rest(self) -> None:
        """Switch off now, whatever was going on.

        Raises:
            TurnstileFaultError: if the relay cannot be switched off.
        """
        with self._lock:
            self._rest_locked()
            if self._is_stuck:
                raise TurnstileFaultError("the relay cannot be switched off")

    def _end(self, pulse: int) -> None:
        with self._lock:
            if pulse == self._pulses:  # else it was taken back too late; the next has its own end
                self._rest_locked()

    def _rest_locked(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self._output.off()
        except self._errors as exc:
            self._is_stuck = True
            log.critical("relay does not switch off", extra={"why": str(exc)})
        else:
            self._is_stuck = False
