"""What a gate's configuration says of its display, its light and its sound. Called by `config`."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from appliance.config_section import PIN_FACTORIES, PIN_MAX, Section

DISPLAY_KINDS: Final = ("oled", "picture", "none")
SIGNAL_KINDS: Final = ("gpio", "none")
CHIPS: Final = ("ssd1306", "sh1106", "ssd1309", "ssd1322")
WIRES: Final = ("i2c", "spi")
BUZZERS: Final = ("passive", "active")
LANGUAGES: Final = ("fr", "en")
_WIDE: Final = "ssd1322"  # has 256 pixels across where the others have 128
_I2C_PINS: Final = {0: (0, 1), 1: (2, 3)}  # of the Pi's header; other buses are set up elsewhere
_SPI_PINS: Final = {0: (10, 11), 1: (20, 21)}  # what goes out, and the clock
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_DAY_MIN: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of every day, by the clock of the venue; it may go over midnight.

    Attributes:
        begin_min: minutes after midnight.
        end_min: likewise, itself outside.
    """

    begin_min: int
    end_min: int

    def hold(self, at: datetime) -> bool:
        """Tell whether a local time is within."""
        minute = at.hour * 60 + at.minute
        return (minute - self.begin_min) % _DAY_MIN < (self.end_min - self.begin_min) % _DAY_MIN


@dataclass(frozen=True, slots=True)
class DisplayConfig:
    """Where people read the answer.

    Attributes:
        kind: one of DISPLAY_KINDS.
        chip: for `oled`, luma's name of the controller.
        wire: for `oled`, one of WIRES.
        bus: number of the I2C bus, or of the SPI port.
        address: on I2C.
        device: on SPI, the number of its chip select.
        dc_pin: on SPI, what tells commands from data.
        reset_pin: on SPI.
        spi_mhz: on SPI, the clock.
        pin_factory: on SPI, gpiozero's factory for those pins.
        width: pixels.
        height: pixels.
        rotate: for `oled`, quarter turns clockwise.
        contrast: for `oled`, 1 to 255.
        dim_contrast: likewise, at night and where nobody has come for a while.
        dim_after_s: how long nobody comes before an OLED is dimmed; 0 is never.
        saver_after_s: likewise, before only its mark is shown, which wanders; 0 is never.
        shift_every_s: how often an OLED's picture moves by a pixel; 0 is never.
        night: when an OLED is dim whoever comes; None is never.
        alternate_s: how long an idle gate shows one of several languages.
        show_holder: whether a ticket's name is shown, where the list may carry it.
    """

    kind: str = "none"
    chip: str = "ssd1306"
    wire: str = "i2c"
    bus: int = 1
    address: int = 0x3C
    device: int = 0
    dc_pin: int = 24
    reset_pin: int = 25
    spi_mhz: int = 8
    pin_factory: str = "lgpio"
    width: int = 128
    height: int = 64
    rotate: int = 0
    contrast: int = 200
    dim_contrast: int = 16
    dim_after_s: int = 120
    saver_after_s: int = 900
    shift_every_s: int = 60
    night: Hours | None = None
    alternate_s: float = 6.0
    show_holder: bool = False

    def pins(self) -> list[tuple[str, str, int | None]]:
        """Give every pin in use: on which header, by which key, its number."""
        if self.kind != "oled":
            return []
        if self.wire == "i2c":
            return [("lgpio", "display.bus", pin) for pin in _I2C_PINS.get(self.bus, ())]
        header = self.pin_factory
        return [
            *((header, "display.bus", pin) for pin in _SPI_PINS.get(self.bus, ())),
            (header, "display.dc_pin", self.dc_pin),
            (header, "display.reset_pin", self.reset_pin),
        ]


@dataclass(frozen=True, slots=True)
class SignalsConfig:
    """Light and sound.

    Attributes:
        kind: one of SIGNAL_KINDS.
        red_pin, green_pin, blue_pin: of the RGB light, or of three lamps.
        lamp_dims: whether the light shows mixed colours; three lamps are on or off.
        lamp_active_high: whether a high pin lights it.
        buzzer_pin: None is none.
        buzzer: one of BUZZERS: an active one has a tone of its own.
        volume: of a passive buzzer, percent; 0 is silence, for either.
        quiet: when it is quieter; None is never.
        quiet_volume: how loud it is then, percent.
        pin_factory: gpiozero's factory.
    """

    kind: str = "none"
    red_pin: int = 5
    green_pin: int = 6
    blue_pin: int = 13
    lamp_dims: bool = True
    lamp_active_high: bool = True
    buzzer_pin: int | None = None
    buzzer: str = "passive"
    volume: int = 100
    quiet: Hours | None = None
    quiet_volume: int = 20
    pin_factory: str = "lgpio"

    def pins(self) -> list[tuple[str, str, int | None]]:
        """Give every pin in use: on which header, by which key, its number."""
        if self.kind != "gpio":
            return []
        return [
            (self.pin_factory, "signals.red_pin", self.red_pin),
            (self.pin_factory, "signals.green_pin", self.green_pin),
            (self.pin_factory, "signals.blue_pin", self.blue_pin),
            (self.pin_factory, "signals.buzzer_pin", self.buzzer_pin),
        ]


def read_display(section: Section) -> DisplayConfig:
    """Read the table of the display.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    chip = section.choice("chip", CHIPS, "ssd1306")
    wire = section.choice("wire", WIRES, "i2c")
    config = DisplayConfig(
        kind=section.choice("kind", DISPLAY_KINDS, "none"),
        chip=chip,
        wire=wire,
        bus=section.integer("bus", 1 if wire == "i2c" else 0, 0, 32 if wire == "i2c" else 1),
        address=section.integer("address", 0x3C, 0x08, 0x77),
        device=section.integer("device", 0, 0, 2),
        dc_pin=section.integer("dc_pin", 24, 0, PIN_MAX),
        reset_pin=section.integer("reset_pin", 25, 0, PIN_MAX),
        spi_mhz=section.integer("spi_mhz", 8, 1, 16),
        pin_factory=section.choice("pin_factory", PIN_FACTORIES, "lgpio"),
        width=section.integer("width", 256 if chip == _WIDE else 128, 64, 3840),
        height=section.integer("height", 64, 32, 3840),
        rotate=section.integer("rotate", 0, 0, 3),
        contrast=section.integer("contrast", 200, 1, 255),
        dim_contrast=section.integer("dim_contrast", 16, 0, 255),
        dim_after_s=section.integer("dim_after_s", 120, 0, 86_400),
        saver_after_s=section.integer("saver_after_s", 900, 0, 86_400),
        shift_every_s=section.integer("shift_every_s", 60, 0, 3600),
        night=_hours(section, "night"),
        alternate_s=section.seconds("alternate_s", 6.0, 2.0, 60.0),
        show_holder=section.flag("show_holder", False),
    )
    if config.spi_mhz not in (1, 2, 4, 8, 16):
        raise section.error("spi_mhz", "must be 1, 2, 4, 8 or 16")
    if chip == _WIDE and wire == "i2c" and config.kind == "oled":
        raise section.error("wire", f'{chip} has no I2C; write wire = "spi"')
    section.finish()
    return config


def read_signals(section: Section) -> SignalsConfig:
    """Read the table of light and sound.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    config = SignalsConfig(
        kind=section.choice("kind", SIGNAL_KINDS, "none"),
        red_pin=section.integer("red_pin", 5, 0, PIN_MAX),
        green_pin=section.integer("green_pin", 6, 0, PIN_MAX),
        blue_pin=section.integer("blue_pin", 13, 0, PIN_MAX),
        lamp_dims=section.flag("lamp_dims", True),
        lamp_active_high=section.flag("lamp_active_high", True),
        buzzer_pin=section.pin("buzzer_pin", None),
        buzzer=section.choice("buzzer", BUZZERS, "passive"),
        volume=section.integer("volume", 100, 0, 100),
        quiet=_hours(section, "quiet"),
        quiet_volume=section.integer("quiet_volume", 20, 0, 100),
        pin_factory=section.choice("pin_factory", PIN_FACTORIES, "lgpio"),
    )
    if config.kind == "gpio" and config.pin_factory == "gpiod":
        _refuse_dimming(section, config)
    section.finish()
    return config


def _refuse_dimming(section: Section, config: SignalsConfig) -> None:
    """Refuse what only lgpio can do: pulses so short that a lamp dims and a buzzer sings."""
    if config.lamp_dims:
        raise section.error("lamp_dims", "gpiod lights lamps fully or not; write false")
    if config.buzzer_pin is not None and config.buzzer == "passive":
        raise section.error("buzzer", 'gpiod plays no tones; take an active one: "active"')


def read_languages(root: Section) -> tuple[str, ...]:
    """Read in which languages people are told, the gate's own first.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    known = ", ".join(LANGUAGES)
    several = root.texts("languages")
    for language in several:
        if language not in LANGUAGES:
            raise root.error("languages", f"{language!r} is unknown; choose among {known}")
    if len(set(several)) < len(several):
        raise root.error("languages", "names one twice; leave it out")
    own = root.choice("language", LANGUAGES, several[0] if several else "fr")
    if several and own != several[0]:
        raise root.error("language", f"is not the first of languages; write {several[0]!r} or none")
    return several or (own,)


def read_timezone(root: Section) -> ZoneInfo:
    """Read the time zone that the hours of this file are meant in.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    name = root.text("timezone", "UTC")
    if name not in available_timezones():
        raise root.error("timezone", f"{name!r} is unknown; write a name like Europe/Paris")
    return ZoneInfo(name)


def _hours(section: Section, key: str) -> Hours | None:
    text = section.text(key, "")
    if not text:
        return None
    found = _HOURS.fullmatch(text)
    if found is None:
        raise section.error(key, f'{text!r} is no part of a day; write {key} = "22:00-07:00"')
    begin_h, begin, end_h, end = (int(part) for part in found.groups())
    hours = Hours(begin_h * 60 + begin, end_h * 60 + end)
    if hours.begin_min == hours.end_min:
        raise section.error(key, "begins when it ends; leave it out, or write other hours")
    return hours
