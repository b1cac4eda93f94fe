"""Lamp and buzzer on GPIO pins, through gpiozero. Bound by `main`; plays what `signals` says.

One pattern plays at a time; a new one takes over at once. The patterns are timed here, by the
gate's clock, not by gpiozero's threads, so that nothing is still to come once `rest` was called.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from typing import Any, Final

import gpiozero  # type: ignore[import-untyped]

from appliance.displays.signals import DARK, Flash, Pattern, Rgb, Tone, pattern_of
from appliance.errors import DeviceError
from appliance.ports import Clock, Screen

_MIDDLE_TONE: Final = "D6"  # 1175 Hz; two octaves each way hold every tone of the tables
_OCTAVES: Final = 2
_ON_FROM: Final = 0.5  # a lamp that cannot be dimmed is on from here


@dataclass(frozen=True, slots=True)
class SignalWiring:
    """How lamp and buzzer are connected.

    Attributes:
        red, green, blue: GPIO numbers of the lamp's three colours, or three lamps.
        dims: whether the lamp is driven by pulse width and shows mixed colours.
        active_high: whether a high pin lights it.
        buzzer: GPIO number, or None where there is none.
        tonal: whether the buzzer is passive and plays tones; an active one only sounds or not.
    """

    red: int
    green: int
    blue: int
    dims: bool = True
    active_high: bool = True
    buzzer: int | None = None
    tonal: bool = True


class GpioSignals:
    """The port `Signals` over a lamp and a buzzer; made by `open_gpio_signals`."""

    def __init__(
        self,
        lamp: "_Lamp",
        sounder: "_Sounder",
        clock: Clock,
        tasks: asyncio.TaskGroup,
        volume: Callable[[], float],
    ) -> None:
        self._volume = volume
        self._lamp = lamp
        self._sounder = sounder
        self._clock = clock
        self._tasks = tasks
        self._playing: list[asyncio.Task[None]] = []

    async def signal(self, screen: Screen) -> None:
        """Play the light and sound of a screen in place of what plays now.

        Raises:
            DeviceError: if the pins cannot be driven.
        """
        self._stop()
        pattern = pattern_of(screen)
        self._begin(pattern)
        if len(pattern.light) > 1:
            self._playing.append(self._tasks.create_task(self._flash(pattern.light)))
        if pattern.sound:
            self._playing.append(self._tasks.create_task(self._sound(pattern.sound)))

    def rest(self) -> None:
        """Everything dark and silent, now."""
        self._stop()
        # Pins that cannot be driven cannot be brought to rest either; closing lets go of them.
        with suppress(DeviceError):
            self._sounder.play(0)
        with suppress(DeviceError):
            self._lamp.show(DARK)

    def _begin(self, pattern: Pattern) -> None:
        """Start both within this very call: people wait for it."""
        self._sounder.volume = self._volume()
        self._lamp.show(pattern.light[0].colour)
        self._sounder.play(pattern.sound[0].hz if pattern.sound else 0)

    async def _flash(self, light: tuple[Flash, ...]) -> None:
        with suppress(DeviceError):  # ends the part; the next `signal` meets the fault and tells it
            while True:
                for flash in light:
                    self._lamp.show(flash.colour)
                    await self._clock.sleep(flash.seconds)

    async def _sound(self, sound: tuple[Tone, ...]) -> None:
        with suppress(DeviceError):  # likewise
            for tone in sound:
                self._sounder.play(tone.hz)
                await self._clock.sleep(tone.seconds)
            self._sounder.play(0)

    def _stop(self) -> None:
        """End what plays: a cancelled task runs no further, not even to its next step."""
        for task in self._playing:
            task.cancel()
        self._playing.clear()


@asynccontextmanager
async def open_gpio_signals(
    wiring: SignalWiring,
    clock: Clock,
    *,
    factory: Any,
    errors: tuple[type[Exception], ...] = (gpiozero.GPIOZeroError, OSError),
    volume: Callable[[], float] = lambda: 1.0,
) -> AsyncIterator[GpioSignals]:
    """Keep lamp and buzzer for as long as the context lasts, and leave them dark and silent.

    Args:
        wiring: which pins.
        clock: times the patterns.
        factory: gpiozero's pin factory.
        errors: all that it raises.
        volume: gives how loud a sound may be when it begins, 0 to 1; one that only sounds or not is
            silent at 0.

    Raises:
        DeviceError: if a pin cannot be claimed or driven.
    """
    with (
        closing(_Lamp(wiring, factory, errors)) as lamp,
        closing(_Sounder(wiring, factory, errors)) as sounder,
    ):
        async with _task_group() as tasks:
            signals = GpioSignals(lamp, sounder, clock, tasks, volume)
            try:
                yield signals
            finally:
                signals.rest()


@asynccontextmanager
async def _task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """Give a task group that lets a fault of the body through as it is.

    As a plain context it would wrap whatever ends the gate into an ExceptionGroup on the way out.
    """
    tasks = asyncio.TaskGroup()
    await tasks.__aenter__()
    try:
        yield tasks
    finally:
        await tasks.__aexit__(None, None, None)


def _duty(volume: float) -> float:
    """Give for how much of a wave a passive buzzer is driven; half is the loudest.

    The tone that is heard is as strong as the sine of half a turn's share.
    """
    return math.asin(min(1.0, max(0.0, volume))) / math.pi


class _Lamp:
    def __init__(
        self, wiring: SignalWiring, factory: Any, errors: tuple[type[Exception], ...]
    ) -> None:
        self._errors = errors
        self._dims = wiring.dims
        try:
            self._led = gpiozero.RGBLED(
                wiring.red,
                wiring.green,
                wiring.blue,
                active_high=wiring.active_high,
                initial_value=DARK,
                pwm=wiring.dims,
                pin_factory=factory,
            )
        except errors as exc:
            raise DeviceError(f"the lamp's pins cannot be had: {exc}") from exc

    def show(self, colour: Rgb) -> None:
        try:
            self._led.value = colour if self._dims else tuple(int(v >= _ON_FROM) for v in colour)
        except self._errors as exc:
            raise DeviceError(f"the lamp cannot be driven: {exc}") from exc

    def close(self) -> None:
        self._led.close()


class _Sounder:
    def __init__(
        self, wiring: SignalWiring, factory: Any, errors: tuple[type[Exception], ...]
    ) -> None:
        self._errors = errors
        self._tonal = wiring.tonal
        self.volume = 1.0
        self._buzzer: Any = None
        if wiring.buzzer is None:
            return
        try:
            self._buzzer = (
                gpiozero.TonalBuzzer(
                    wiring.buzzer,
                    initial_value=None,
                    mid_tone=_MIDDLE_TONE,
                    octaves=_OCTAVES,
                    pin_factory=factory,
                )
                if wiring.tonal
                else gpiozero.Buzzer(wiring.buzzer, initial_value=False, pin_factory=factory)
            )
        except errors as exc:
            raise DeviceError(f"the buzzer's pin cannot be had: {exc}") from exc

    def play(self, hz: int) -> None:
        """Sound at a pitch, or fall silent at 0 Hz."""
        if self._buzzer is None:
            return
        if self.volume <= 0:
            hz = 0
        try:
            if not self._tonal:
                self._buzzer.value = hz > 0
            elif hz > 0:
                self._buzzer.play(gpiozero.tones.Tone.from_frequency(hz))
                self._buzzer.pwm_device.value = _duty(self.volume)
            else:
                self._buzzer.stop()
        except self._errors as exc:
            raise DeviceError(f"the buzzer cannot be driven: {exc}") from exc

    def close(self) -> None:
        if self._buzzer is not None:
            self._buzzer.close()
