"""What a gate's configuration says of its arm and of the inputs beside it. Called by `config`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config_section import PIN_FACTORIES, PIN_MAX, Section

TURNSTILE_KINDS: Final = ("relay", "serial", "none", "confirm", "simulated")
DRIVES: Final = ("pulse", "level")
FAILS: Final = ("secure", "safe")


@dataclass(frozen=True, slots=True)
class TurnstileConfig:
    """The arm.

    Attributes:
        kind: one of TURNSTILE_KINDS.
        entry_pin: BCM number of the relay that opens for an entry.
        exit_pin: likewise for an exit; None where the arm has no exit.
        free_pin: of the relay that keeps the turnstile free for as long as it is on, or None.
        sensor_pin: passage contact, None where there is none; of entries alone where there is
            also an `exit_sensor_pin`.
        exit_sensor_pin: passage contact of exits, None where one contact tells of both.
        turning_pin: contact that is active while the arm is not home, or None.
        sensor_pull_up: whether the contacts pull the pin to ground; else they pull it up.
        sensor_normally_closed: whether the passage contacts open for a passage.
        stuck_s: a passage contact that stays active for so long is a fault.
        active_high: whether the relay board switches on a high level.
        drive: one of DRIVES: a short pulse, or on until somebody goes through.
        fail: one of FAILS: what the relay at rest does to the arm, lock it or free it.
        pulse_s: length of the relay pulse.
        passage_timeout_s: how long a grant waits for its person; in drive `level`, how long the
            relay stays on at the most.
        fire_pin: the fire alarm's loop, closed while there is none; or None.
        staff_open_pin: button that lets one person in, or None.
        staff_hold_pin: switch that frees the passage, or None.
        staff_lock_pin: switch that lets nobody in, or None.
        port: for `serial`, the controller's device, by-id where possible.
        baud: for `serial`, as the controller has it.
        address: for `serial`, of the controller on its line.
        pin_factory: gpiozero's factory; `mock` only for trials.
        person_delay_s: for `simulated`, how long its person takes; below 0 nobody ever goes.
        person_log: for `simulated`, a file that gets a line for everybody who went through, so
            that a trial can hold the journal against it; None is none.
    """

    kind: str = "none"
    entry_pin: int = 17
    exit_pin: int | None = None
    free_pin: int | None = None
    sensor_pin: int | None = None
    exit_sensor_pin: int | None = None
    turning_pin: int | None = None
    sensor_pull_up: bool = True
    sensor_normally_closed: bool = False
    stuck_s: float = 20.0
    active_high: bool = True
    drive: str = "pulse"
    fail: str = "secure"
    pulse_s: float = 0.2
    passage_timeout_s: float = 6.0
    fire_pin: int | None = None
    staff_open_pin: int | None = None
    staff_hold_pin: int | None = None
    staff_lock_pin: int | None = None
    port: str = ""
    baud: int = 19_200
    address: int = 1
    pin_factory: str = "lgpio"
    person_delay_s: float = 0.3
    person_log: Path | None = None

    @property
    def is_on_pins(self) -> bool:
        """Whether relays open it."""
        return self.kind in ("relay", "simulated")

    @property
    def has_exit(self) -> bool:
        """Whether it lets people out, too."""
        return not self.is_on_pins or self.exit_pin is not None

    @property
    def has_inputs(self) -> bool:
        """Whether an alarm's loop or an input of the staff hangs beside it."""
        return any(getattr(self, key) is not None for key in _PINS_OF_ANY_KIND)

    def pins(self) -> list[tuple[str, str, int | None]]:
        """Give every pin that may be in use: on which header, by which key, its number."""
        header = "mock" if self.kind == "simulated" else self.pin_factory
        used = [
            (f"turnstile.{key}", getattr(self, key))
            for key in (*(_RELAY_PINS if self.is_on_pins else ()), *_INPUT_PINS)
            if self.is_on_pins or key in _PINS_OF_ANY_KIND
        ]
        return [(header, key, pin) for key, pin in used]


_RELAY_PINS: Final = ("entry_pin", "exit_pin", "free_pin")
_PINS_OF_ANY_KIND: Final = ("fire_pin", "staff_open_pin", "staff_hold_pin", "staff_lock_pin")
_INPUT_PINS: Final = ("sensor_pin", "exit_sensor_pin", "turning_pin", *_PINS_OF_ANY_KIND)


def read_turnstile(section: Section) -> TurnstileConfig:
    """Read the table of the arm.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    kind = section.choice("kind", TURNSTILE_KINDS, "none")
    config = TurnstileConfig(
        kind=kind,
        entry_pin=section.integer("entry_pin", 17, 0, PIN_MAX),
        exit_pin=section.pin("exit_pin", None),
        free_pin=section.pin("free_pin", None),
        sensor_pin=section.pin("sensor_pin", None),
        exit_sensor_pin=section.pin("exit_sensor_pin", None),
        turning_pin=section.pin("turning_pin", None),
        sensor_pull_up=section.flag("sensor_pull_up", True),
        sensor_normally_closed=section.flag("sensor_normally_closed", False),
        stuck_s=section.seconds("stuck_s", 20.0, 2.0, 600.0),
        active_high=section.flag("active_high", True),
        drive=section.choice("drive", DRIVES, "pulse"),
        fail=section.choice("fail", FAILS, "secure"),
        pulse_s=section.seconds("pulse_s", 0.2, 0.1, 1.0),
        passage_timeout_s=section.seconds("passage_timeout_s", 6.0, 0.1, 60.0),
        fire_pin=section.pin("fire_pin", None),
        staff_open_pin=section.pin("staff_open_pin", None),
        staff_hold_pin=section.pin("staff_hold_pin", None),
        staff_lock_pin=section.pin("staff_lock_pin", None),
        port=section.text("port") if kind == "serial" else section.text("port", ""),
        baud=section.integer("baud", 19_200, 1200, 115_200),
        address=section.integer("address", 1, 1, 247),
        pin_factory=section.choice("pin_factory", PIN_FACTORIES, "lgpio"),
        person_delay_s=section.seconds("person_delay_s", 0.3, -1.0, 60.0),
        person_log=Path(person_log) if (person_log := section.text("person_log", "")) else None,
    )
    _check(section, config)
    section.finish()
    return config


def _check(section: Section, config: TurnstileConfig) -> None:
    if config.exit_sensor_pin is not None and config.sensor_pin is None:
        raise section.error("exit_sensor_pin", "tells of exits alone; add sensor_pin for entries")
    if config.kind == "simulated" and config.exit_sensor_pin is not None:
        raise section.error("exit_sensor_pin", "is walked past by nobody simulated; remove it")
    if config.turning_pin is not None and config.sensor_pin is None:
        raise section.error("turning_pin", "does not tell of a passage; add sensor_pin")
    if config.fail == "safe" and config.drive != "level":
        raise section.error("fail", 'an arm that locks by power wants drive = "level"; write that')
    if config.fail == "safe" and config.free_pin is not None:
        raise section.error("free_pin", "an arm that is free without power needs none; remove it")
