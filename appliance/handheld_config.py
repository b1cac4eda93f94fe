"""What a gate's configuration says of a handheld. Called by `config`."""

from dataclasses import dataclass
from typing import Final

from appliance.config_section import PIN_FACTORIES, Section

PROFILES: Final = ("gate", "handheld")
GAUGES: Final = ("sysfs", "none")


@dataclass(frozen=True, slots=True)
class HandheldConfig:
    """A steward's handheld.

    Attributes:
        trigger_pin: BCM number of the button that pulls it to ground; None leaves the one on the
            screen.
        trigger_s: for how long a pull makes readers look at the most.
        vibration_pin: BCM number of the motor's transistor; None is none.
        pin_factory: gpiozero's factory; `mock` only for trials.
        gauge: one of GAUGES: where the battery is read.
        battery: for `sysfs`, the supply's name; "" is the first battery.
        warn_percent: from here down the battery is told.
        rest_percent: from here down nobody enters.
    """

    trigger_pin: int | None = None
    trigger_s: float = 5.0
    vibration_pin: int | None = None
    pin_factory: str = "lgpio"
    gauge: str = "sysfs"
    battery: str = ""
    warn_percent: int = 20
    rest_percent: int = 5


def read_handheld(section: Section) -> HandheldConfig:
    """Read the table of a handheld.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    config = HandheldConfig(
        trigger_pin=section.pin("trigger_pin", None),
        trigger_s=section.seconds("trigger_s", 5.0, 0.5, 60.0),
        vibration_pin=section.pin("vibration_pin", None),
        pin_factory=section.choice("pin_factory", PIN_FACTORIES, "lgpio"),
        gauge=section.choice("gauge", GAUGES, "sysfs"),
        battery=section.text("battery", ""),
        warn_percent=section.integer("warn_percent", 20, 1, 95),
        rest_percent=section.integer("rest_percent", 5, 0, 50),
    )
    if "/" in config.battery or config.battery in {".", ".."}:
        raise section.error("battery", "is a supply's name, not a path; write BAT0 or the like")
    if config.rest_percent >= config.warn_percent:
        raise section.error("rest_percent", "must be below warn_percent; lower it")
    section.finish()
    return config
