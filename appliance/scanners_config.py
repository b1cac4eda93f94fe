"""Settings of scanners that send what they read: on a serial line, or as a keyboard.

Part of `config`. What an engine's name stands for is known to `readers.engines`; here a setting
that the file leaves out stays None, and is the engine's.
"""

import re
from dataclasses import dataclass
from typing import Final

from appliance.config_section import Section

ENGINES: Final = ("plain", "honeywell", "zebra", "newland", "datalogic", "gm65", "de2120")
DATA_FORMATS: Final = ("8N1", "8N2", "8E1", "8O1", "7N1", "7N2", "7E1", "7O1")
TRIGGERS: Final = ("presentation", "host")
BEEPERS: Final = ("keep", "off")
LAYOUTS: Final = ("us", "fr", "de")
COMMAND_BYTES_MAX: Final = 256  # no engine takes a longer one
_USB: Final = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(:.+)?")


@dataclass(frozen=True, slots=True)
class SerialConfig:
    """A scanner on a serial line.

    Attributes:
        port: its device, by-id where possible; "" where it is found by `usb`.
        usb: `VENDOR:PRODUCT` or `VENDOR:PRODUCT:SERIAL` of a scanner on USB; "" where `port` says.
        engine: one of ENGINES; gives what is None here.
        baud: bits a second.
        data_format: one of DATA_FORMATS.
        prefix: text that it puts before each code.
        suffix: likewise behind, before the line's end.
        aim_identifier: whether it sends `]Q1` and the like.
        trigger: one of TRIGGERS: whether it looks by itself, or when it is asked to.
        beeper: one of BEEPERS: whether its own beep for a code it read is turned off.
        opening: what is sent to it when its port is opened; b"" is nothing.
        trigger_start: what makes it look for a code.
        trigger_stop: what ends that.
        duplicates_s: seconds within which its repeating of a code is not a new scan.
    """

    port: str = ""
    usb: str = ""
    engine: str = "plain"
    baud: int | None = None
    data_format: str | None = None
    prefix: str = ""
    suffix: str = ""
    aim_identifier: bool = False
    trigger: str = "presentation"
    beeper: str = "keep"
    opening: bytes | None = None
    trigger_start: bytes | None = None
    trigger_stop: bytes | None = None
    duplicates_s: float = 1.0

    @property
    def device(self) -> str:
        """What of the machine it is; no two readers may be the same."""
        return self.port or self.usb


@dataclass(frozen=True, slots=True)
class HidConfig:
    """A scanner that types what it reads.

    Attributes:
        port: its event device, by-id where possible; "" where it is found by `usb`.
        usb: `VENDOR:PRODUCT` or `VENDOR:PRODUCT:SERIAL`; "" where `port` says.
        layout: one of LAYOUTS: the keyboard that the scanner is set up to be.
        duplicates_s: seconds within which its repeating of a code is not a new scan.
    """

    port: str = ""
    usb: str = ""
    layout: str = "us"
    duplicates_s: float = 1.0

    @property
    def device(self) -> str:
        """What of the machine it is; no two readers may be the same."""
        return self.port or self.usb


def read_serial(section: Section) -> SerialConfig:
    """Read the keys of a serial scanner.

    Raises:
        ConfigError: if one is wrong, or it is not said where the scanner is.
    """
    port, usb = _device(section)
    trigger = section.choice("trigger", TRIGGERS, "presentation")
    return SerialConfig(
        port=port,
        usb=usb,
        engine=section.choice("engine", ENGINES, "plain"),
        baud=section.integer("baud", 0, 300, 4_000_000) if section.has("baud") else None,
        data_format=_optional_choice(section, "data_format", DATA_FORMATS),
        prefix=section.text("prefix", ""),
        suffix=section.text("suffix", ""),
        aim_identifier=section.flag("aim_identifier", False),
        trigger=trigger,
        beeper=section.choice("beeper", BEEPERS, "keep"),
        opening=_command(section, "opening"),
        trigger_start=_command(section, "trigger_start"),
        trigger_stop=_command(section, "trigger_stop"),
        duplicates_s=section.seconds("duplicates_s", 1.0, 0.0, 60.0),
    )


def read_hid(section: Section) -> HidConfig:
    """Read the keys of a scanner that types.

    Raises:
        ConfigError: if one is wrong, or it is not said where the scanner is.
    """
    port, usb = _device(section)
    return HidConfig(
        port=port,
        usb=usb,
        layout=section.choice("layout", LAYOUTS, "us"),
        duplicates_s=section.seconds("duplicates_s", 1.0, 0.0, 60.0),
    )


def _device(section: Section) -> tuple[str, str]:
    """Give port and USB name, of which one is there."""
    if not section.has("usb"):
        return section.text("port"), ""
    usb = section.text("usb")
    if section.has("port"):
        raise section.error("usb", "stands beside port; leave one of the two out")
    if not _USB.fullmatch(usb):
        raise section.error(
            "usb", f'{usb!r} is no USB name; write "VENDOR:PRODUCT" as lsusb shows it'
        )
    vendor, product, *serial = usb.split(":", 2)
    return "", ":".join([vendor.lower(), product.lower(), *serial])


def _optional_choice(section: Section, key: str, allowed: tuple[str, ...]) -> str | None:
    return section.choice(key, allowed) if section.has(key) else None


def _command(section: Section, key: str) -> bytes | None:
    """Give a command, written as hexadecimal bytes; None where the engine's own holds."""
    if not section.has(key):
        return None
    text = section.text(key, "")
    try:
        command = bytes.fromhex(text)
    except ValueError:
        raise section.error(
            key, f'{text!r} is not hexadecimal; write bytes as in "16 54 0d"'
        ) from None
    if len(command) > COMMAND_BYTES_MAX:
        raise section.error(key, f"is over {COMMAND_BYTES_MAX} bytes; shorten it")
    return command
