"""A handheld's own life: trigger, last answer, battery. Made by `main`; `run` is a task.

The last answer stays where the steward reads it until the trigger is pulled again, long after the
display has gone back to rest. A battery that runs low is told; one that runs out ends entering
while there is still power to finish with the person who is going through: every record is on the
disk already when its effect begins, so nothing is owed then.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from admission.scan import Direction
from appliance.errors import DeviceError
from appliance.fault_codes import BATTERY_FAULT
from appliance.handheld_ports import Battery, BatteryReading, Button
from appliance.health import Health
from appliance.ports import Clock, Confirming, Look, Screen, Trigger

log = logging.getLogger(__name__)

LOOK_S: Final = 15.0  # between two looks at the battery
RECOVERED: Final = 5  # percent above a bound that end what began there: gauges waver
_ANSWERS: Final = frozenset({Look.GRANTED, Look.DENIED, Look.NOT_PASSED})


@dataclass(frozen=True, slots=True)
class BatteryBounds:
    """When a battery is low.

    Attributes:
        warn_percent: from here down it is told.
        rest_percent: from here down nobody enters.
    """

    warn_percent: int = 20
    rest_percent: int = 5


class HandheldFace:
    """The port `Display` of a handheld's page: what is shown now, and the last answer."""

    def __init__(self) -> None:
        self.now: Screen | None = None
        self.last: Screen | None = None

    async def show(self, screen: Screen) -> None:
        """Take a screen; never fails."""
        self.now = screen
        if screen.look in _ANSWERS:
            self.last = screen

    def forget(self) -> None:
        """Show the last answer no more."""
        self.last = None


class HandheldKeeper:
    """The service; implements `handheld_ports.HandheldView`."""

    def __init__(
        self,
        *,
        face: HandheldFace,
        health: Health,
        clock: Clock,
        triggers: Sequence[Trigger] = (),
        trigger_s: float = 5.0,
        button: Button | None = None,
        battery: Battery | None = None,
        bounds: BatteryBounds | None = None,
        confirming: Confirming | None = None,
    ) -> None:
        """Take what the handheld has.

        Args:
            face: what its page shows.
            health: told of the battery.
            clock: counts.
            triggers: of readers that look for a code when they are asked to.
            trigger_s: for how long at the most.
            button: the trigger under the finger; None leaves the one on the screen.
            battery: its gauge; None is none.
            bounds: when it is low.
            confirming: where the steward says who went; None where a grant is a passage.
        """
        self._face = face
        self._health = health
        self._clock = clock
        self._triggers = triggers
        self._trigger_s = trigger_s
        self._button = button
        self._gauge = battery
        self._bounds = bounds or BatteryBounds()
        self._confirming = confirming
        self._reading: BatteryReading | None = None
        self._is_gauge_lost = False
        self._until_ns: int | None = None
        self._pulled = asyncio.Event()

    # --- what the page looks at -------------------------------------------------------------------

    @property
    def now(self) -> Screen | None:
        """What is shown at the gate now; None before anything is."""
        return self._face.now

    @property
    def last(self) -> Screen | None:
        """The last answer; it stays until the trigger is pulled again."""
        return self._face.last

    @property
    def battery(self) -> BatteryReading | None:
        """How the battery is, None where that is not known."""
        return self._reading

    @property
    def has_trigger(self) -> bool:
        """Whether a reader waits to be triggered."""
        return bool(self._triggers)

    @property
    def is_triggered(self) -> bool:
        """Whether a reader looks for a code because of the trigger."""
        return self._until_ns is not None

    @property
    def awaits(self) -> Direction | None:
        """Which way somebody was let through whose going the steward confirms; None for nobody."""
        return None if self._confirming is None else self._confirming.awaits

    # --- what hands do ----------------------------------------------------------------------------

    def pull(self) -> None:
        """Pull the trigger: readers look for a code for a while, and the last answer goes."""
        self._face.forget()
        if not self._triggers:
            return
        self._until_ns = self._clock.monotonic_ns() + round(self._trigger_s * 1e9)
        for trigger in self._triggers:
            trigger.start()
        self._pulled.set()

    def release(self) -> None:
        """Let the trigger go: readers look no more."""
        if self._until_ns is None:
            return
        self._until_ns = None
        for trigger in self._triggers:
            trigger.stop()

    def went(self, *, has_passed: bool) -> bool:
        """Say whether the person who was let through went; tell whether anybody was awaited."""
        if self._confirming is None:
            return False
        return self._confirming.passed() if has_passed else self._confirming.not_passed()

    # --- what goes on by itself -------------------------------------------------------------------

    async def run(self) -> None:
        """Listen to the trigger and look at the battery until cancelled; triggers rest then."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._end_pulls())
                if self._button is not None:
                    tasks.create_task(self._listen(self._button))
                if self._gauge is not None:
                    tasks.create_task(self._watch(self._gauge))
        finally:
            self.release()

    async def _listen(self, button: Button) -> None:
        async for is_down in button.presses():
            if is_down:
                self.pull()
            else:
                self.release()

    async def _end_pulls(self) -> None:
        """Stop what nobody stopped: a light that stays on blinds people and empties the battery."""
        while True:
            await self._pulled.wait()
            self._pulled.clear()
            while self._until_ns is not None:
                left_s = (self._until_ns - self._clock.monotonic_ns()) / 1e9
                if left_s <= 0:
                    self.release()
                else:
                    await self._clock.sleep(left_s)

    async def _watch(self, gauge: Battery) -> None:
        while True:
            try:
                reading = await gauge.read()
            except DeviceError as exc:
                if not self._is_gauge_lost:
                    log.warning("battery not read", extra={"reason": str(exc)})
                self._is_gauge_lost, reading = True, None
            else:
                self._is_gauge_lost = False
            self._reading = reading
            if reading is not None:
                self._judge(reading)
            await self._clock.sleep(LOOK_S)

    def _judge(self, reading: BatteryReading) -> None:
        """Tell a low battery, and rest on an empty one; without a figure nothing changes."""
        percent, bounds = reading.percent, self._bounds
        is_resting = BATTERY_FAULT in self._health.broken_faults
        is_low = BATTERY_FAULT in self._health.faults
        if reading.is_plugged:
            if is_low:
                self._health.mended(BATTERY_FAULT)
        elif percent is None:
            return
        elif percent <= bounds.rest_percent or (
            is_resting and percent < bounds.rest_percent + RECOVERED
        ):
            self._health.broken(BATTERY_FAULT)
        elif percent <= bounds.warn_percent or (
            is_low and percent < bounds.warn_percent + RECOVERED
        ):
            if is_resting:
                self._health.mended(BATTERY_FAULT)
            self._health.noted(BATTERY_FAULT)
        elif is_low:
            self._health.mended(BATTERY_FAULT)
