"""Opens the arm and what hangs beside it, as the configuration has them. Called by `drivers`."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from admission.scan import Direction
from appliance.config import Config
from appliance.errors import ConfigError
from appliance.ports import Clock, Confirming, LaneEvent, LaneInputs, Task, Turnstile
from appliance.turnstile_config import TurnstileConfig

if TYPE_CHECKING:
    from appliance.turnstiles.relay import Wiring


class Opening(Protocol):
    """What an arm is opened with.

    Attributes:
        config: the checked configuration.
        clock: the machine's.
        stack: closes what was opened.
        tasks: what is to be run beside the gate.
        confirming: where the steward says who went, once that is opened.
    """

    config: Config
    clock: Clock
    stack: AsyncExitStack
    tasks: list[Task]
    confirming: Confirming | None

    def pins(self, library: str) -> Any:
        """Open a pin library, once for all who hang on it."""
        ...


def open_arm(opening: Opening) -> Turnstile:
    """Open the arm.

    Raises:
        ConfigError: if its library is missing.
        TurnstileFaultError: if its pins cannot be had.
    """
    return TURNSTILES[opening.config.turnstile.kind](opening)


def open_lane_inputs(opening: Opening) -> LaneInputs | None:
    """Open what hangs beside the arm; None for nothing.

    Raises:
        ConfigError: if the pin library is missing.
        TurnstileFaultError: if a pin cannot be had.
    """
    config = opening.config.turnstile
    if not config.has_inputs:
        return None
    from appliance.turnstiles.inputs import button, fire_loop, open_inputs, switch

    specs = []
    if config.fire_pin is not None:
        specs.append(fire_loop(config.fire_pin))
    if config.staff_open_pin is not None:
        specs.append(button(config.staff_open_pin, LaneEvent.OPEN_ENTRY))
    if config.staff_hold_pin is not None:
        specs.append(switch(config.staff_hold_pin, LaneEvent.HOLD, LaneEvent.HOLD_OVER))
    if config.staff_lock_pin is not None:
        specs.append(switch(config.staff_lock_pin, LaneEvent.LOCK, LaneEvent.LOCK_OVER))
    pins = opening.pins("mock" if config.kind == "simulated" else config.pin_factory)
    return opening.stack.enter_context(open_inputs(specs, pins, opening.clock))


def _open_no_arm(opening: Opening) -> Turnstile:
    from appliance.turnstiles.free import FreePassage

    del opening
    return FreePassage()


def _open_confirmed(opening: Opening) -> Turnstile:
    from appliance.turnstiles.confirmed import ConfirmedPassage

    passage = opening.confirming = ConfirmedPassage()
    return passage


def _open_serial(opening: Opening) -> Turnstile:
    from appliance.turnstiles.controller import open_controller
    from appliance.turnstiles.serial_line import SerialLine

    config = opening.config.turnstile
    opened = open_controller(
        lambda: SerialLine(config.port, config.baud), config.address, opening.clock
    )
    return opening.stack.enter_context(opened)


def _open_relay(opening: Opening) -> Turnstile:
    return _relay(opening, opening.pins(opening.config.turnstile.pin_factory))


def _open_simulated(opening: Opening) -> Turnstile:
    """The relay's own driver over mock pins, and somebody who walks through."""
    from appliance.simulator.demo_person import DemoPerson
    from appliance.simulator.virtual_turnstile import Person

    config, pins = opening.config.turnstile, opening.pins("mock")
    turnstile = _relay(opening, pins)
    if config.sensor_pin is not None:
        people = repeat(Person(None if config.person_delay_s < 0 else config.person_delay_s))
        numbers = [pin for pin in (config.entry_pin, config.exit_pin) if pin is not None]
        relays = [pins.pin(number) for number in numbers]
        contact = pins.pin(config.sensor_pin)
        walked = _note_walks(config.person_log, opening.stack)
        person = DemoPerson(relays, contact, opening.clock, people, walked)
        opening.tasks.append(person.run())
    return turnstile


def _note_walks(path: Path | None, stack: AsyncExitStack) -> Callable[[], None]:
    """Give a call that appends a line to a file, or one that does nothing."""
    if path is None:
        return lambda: None
    file = stack.enter_context(path.open("ab", buffering=0))

    def note() -> None:
        file.write(b"passed\n")  # one write call: a kill leaves a whole line or none

    return note


def _relay(opening: Opening, pins: Any) -> Turnstile:
    from appliance.turnstiles.relay import open_relay_turnstile

    wiring = _wiring(opening.config.turnstile)
    return opening.stack.enter_context(open_relay_turnstile(wiring, pins, opening.clock))


def _wiring(config: TurnstileConfig) -> "Wiring":
    from appliance.turnstiles.relay import Drive, Fail, RelayPin, SensorPin, Wiring

    def relay(pin: int | None) -> RelayPin | None:
        return None if pin is None else RelayPin(pin, config.active_high)

    def sensor(pin: int | None, way: Direction | None = None) -> SensorPin | None:
        if pin is None:
            return None
        return SensorPin(pin, config.sensor_pull_up, config.sensor_normally_closed, way)

    relays = {Direction.ENTRY: relay(config.entry_pin), Direction.EXIT: relay(config.exit_pin)}
    is_two = config.exit_sensor_pin is not None
    sensors = (
        sensor(config.sensor_pin, Direction.ENTRY if is_two else None),
        sensor(config.exit_sensor_pin, Direction.EXIT),
    )
    drive = Drive(config.drive)
    return Wiring(
        relays={direction: pin for direction, pin in relays.items() if pin is not None},
        sensors=tuple(one for one in sensors if one is not None),
        turning=sensor(config.turning_pin),
        free=relay(config.free_pin),
        open_s=config.pulse_s if drive is Drive.PULSE else config.passage_timeout_s,
        drive=drive,
        fail=Fail(config.fail),
        stuck_s=config.stuck_s,
    )


def rest_arm(config: Config) -> None:
    """Bring the relays of a gate whose daemon was killed to rest.

    Raises:
        ConfigError: if the gate has no relays, or their library is missing.
        TurnstileFaultError: if a pin cannot be claimed: its daemon runs.
    """
    from appliance.turnstiles.pins import PinLibrary, open_pins
    from appliance.turnstiles.relay import rest_relays

    if config.turnstile.kind != "relay":
        raise ConfigError(f"{config.path}: turnstile.kind is no relay: nothing can be left on")
    with open_pins(PinLibrary(config.turnstile.pin_factory)) as pins:
        rest_relays(_wiring(config.turnstile), pins)


TURNSTILES: Final[dict[str, Callable[[Opening], Turnstile]]] = {
    "none": _open_no_arm,
    "confirm": _open_confirmed,
    "relay": _open_relay,
    "serial": _open_serial,
    "simulated": _open_simulated,
}
