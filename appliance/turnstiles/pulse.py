"""One relay that opens for a moment and never stays open. Called by the relay driver.

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
LEVEL_S_MAX: Final = 60.0  # where the relay itself keeps the arm open for a person


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

    At rest the relay is off. That locks a fail-secure arm; it frees a fail-safe one, which is
    locked by power: there a pulse is the relay's being off, and `lock` begins the service.

    Args:
        output: the relay's pin, off.
        pulse_s: seconds that a pulse lasts.
        errors: what `output` raises.
        after: makes the call that ends a pulse.
        is_level: whether the relay keeps the arm open itself, and may do so longer.
        frees_at_rest: whether the arm is fail-safe.

    Raises:
        ValueError: if the pulse is shorter or longer than any turnstile wants.
    """

    def __init__(
        self,
        output: Output,
        pulse_s: float,
        errors: tuple[type[Exception], ...],
        after: After = after_in_thread,
        *,
        is_level: bool = False,
        frees_at_rest: bool = False,
    ) -> None:
        pulse_s_max = LEVEL_S_MAX if is_level else PULSE_S_MAX
        if not PULSE_S_MIN <= pulse_s <= pulse_s_max:
            raise ValueError(f"pulse_s must be {PULSE_S_MIN} to {pulse_s_max}, got {pulse_s}")
        self._open = output.off if frees_at_rest else output.on
        self._shut = output.on if frees_at_rest else output.off
        self._is_held = False
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
        """Open for one pulse; does nothing while one is running, or while it is held open.

        Raises:
            TurnstileFaultError: if the relay cannot be switched, or did not switch off before.
        """
        with self._lock:
            if self._timer is not None or self._is_held:
                return
            if self._is_stuck:
                raise TurnstileFaultError("the relay did not switch off after its last pulse")
            try:
                self._pulses += 1
                self._timer = self._after(self._pulse_s, partial(self._end, self._pulses))
                self._open()
            except self._errors as exc:
                self._shut_locked()
                raise TurnstileFaultError(f"the relay cannot be switched on: {exc}") from exc

    def lock(self) -> None:
        """Lock a fail-safe arm, whose relay is off until then; a fail-secure one is locked.

        Raises:
            TurnstileFaultError: if the relay cannot be switched.
        """
        with self._lock:
            self._switch(self._shut)

    def close(self) -> None:
        """End the pulse now; a relay that does not obey is told at the next pulse."""
        with self._lock:
            if self._timer is not None:
                self._shut_locked()

    def hold(self, is_open: bool) -> None:
        """Keep open until told otherwise, or no longer.

        Raises:
            TurnstileFaultError: if the relay cannot be switched.
        """
        with self._lock:
            self._take_timer_back()
            self._is_held = is_open
            self._switch(self._open if is_open else self._shut)

    def rest(self) -> None:
        """Switch off now, whatever was going on.

        Raises:
            TurnstileFaultError: if the relay cannot be switched off.
        """
        with self._lock:
            self._is_held = False
            self._end_by(self._output.off)
            if self._is_stuck:
                raise TurnstileFaultError("the relay cannot be switched off")

    def _end(self, pulse: int) -> None:
        with self._lock:
            if pulse == self._pulses:  # else it was taken back too late; the next has its own end
                self._shut_locked()

    def _switch(self, switch: Callable[[], None]) -> None:
        try:
            switch()
        except self._errors as exc:
            raise TurnstileFaultError(f"the relay cannot be switched: {exc}") from exc

    def _take_timer_back(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._pulses += 1  # a call that is under way already finds that it is none of its own

    def _shut_locked(self) -> None:
        self._end_by(self._shut)

    def _end_by(self, switch: Callable[[], None]) -> None:
        self._take_timer_back()
        try:
            switch()
        except self._errors as exc:
            self._is_stuck = True
            log.critical("relay does not switch back", extra={"why": str(exc)})
        else:
            self._is_stuck = False
