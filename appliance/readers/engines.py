"""What each make of scan engine speaks on a serial line: a table. Read by `main`'s drivers.

Each engine's entry says where it comes from. None of it was tried on the hardware itself, so every
part of a profile can be overridden by a key of the configuration. What is sent when a port is
opened is forgotten by the engine at its next start: nothing here writes to an engine's flash, which
wears out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

_ACK_OR_NAK: Final = re.compile(rb"[\x05\x06\x15]+")


@unique
class TriggerMode(StrEnum):
    """Who decides when an engine looks for a code."""

    PRESENTATION = "presentation"  # the engine, when something is held before it
    HOST = "host"  # the gate, by `Trigger`


@unique
class Source(StrEnum):
    """What a profile rests on."""

    NOTHING = "nothing is sent"  # there is nothing to be wrong
    MANUAL = "manual"  # its maker's manual says so
    PUBLIC_CODE = "public code"  # several public programs agree; no manual was at hand
    RECALLED = "recalled"  # from general knowledge; try it before relying on it


@dataclass(frozen=True, slots=True)
class Engine:
    """How one make is spoken to.

    Attributes:
        title: what people call it.
        baud: bits a second as it is delivered; of no effect on USB.
        data_format: bits, parity and stop bits as it is delivered.
        start: command that makes it look for a code, in host mode; b"" is none known.
        stop: command that ends that.
        openings: by mode and whether its own beep is off, what is sent when the port is opened;
            a missing pair must be set once by its setup codes.
        answers: what it says to commands, at the beginning of a run; taken off. None: nothing.
        source: what all this rests on.
        remark: what a person has to set, in a few words.
    """

    title: str
    baud: int
    data_format: str = "8N1"
    start: bytes = b""
    stop: bytes = b""
    openings: Mapping[tuple[TriggerMode, bool], bytes] = field(default_factory=dict)
    answers: re.Pattern[bytes] | None = None
    source: Source = Source.MANUAL
    remark: str = ""


def _gm65(register: int, value: int) -> bytes:
    """Write one setting, until the module is switched off; `AB CD` stands for no checksum."""
    return bytes.fromhex("7e 00 08 01") + register.to_bytes(2, "big") + bytes([value, 0xAB, 0xCD])


def _gm65_opening(mode: int, *, beeps: bool) -> bytes:
    """Setup codes off, so that nobody reprograms it with a printed code; then the mode.

    The mode's register: light on a good read, beep, aim and lamp as usual, and how it is triggered.
    """
    return _gm65(0x0003, 0x02) + _gm65(0x0000, (0xD4 if beeps else 0x94) | mode)


def _honeywell(menu: str) -> bytes:
    """Make a menu command; `!` keeps it out of the flash. Of a manual; the menus are recalled."""
    return b"\x16M\r" + menu.encode("ascii") + b"!"


def _ssi(*content: int) -> bytes:
    """Make a packet of Zebra's Simple Serial Interface: length, content, two's complement sum."""
    packet = bytes([len(content) + 1, *content])
    return packet + (0x10000 - sum(packet)).to_bytes(2, "big")


_HOST, _PRESENTATION = TriggerMode.HOST, TriggerMode.PRESENTATION
_NEWLAND_QUIET: Final = b"~\x010000#GRBENA0;\x03"

ENGINES: Final[Mapping[str, Engine]] = {
    "plain": Engine(
        title="any scanner that sends codes by itself",
        baud=115_200,
        openings={(_PRESENTATION, False): b""},
        source=Source.NOTHING,
        remark="set it to a serial mode and to end codes with CR",
    ),
    "honeywell": Engine(
        title="Honeywell imagers (N36xx, N66xx, Xenon, Vuquest)",
        baud=115_200,
        start=b"\x16T\r",
        stop=b"\x16U\r",
        openings={
            (_PRESENTATION, False): b"",
            (_HOST, False): b"",
            (_PRESENTATION, True): _honeywell("BEPBEP0"),
            (_HOST, True): _honeywell("BEPBEP0"),
        },
        # the command comes back with a status before its punctuation mark
        answers=re.compile(rb"(?:[0-9A-Z]{3,20}[\x05\x06\x15][.!,;])+|[\x05\x06\x15]+"),
        remark="set presentation mode, or manual (serial) trigger mode, once by its setup codes",
    ),
    "zebra": Engine(
        title="Zebra and Symbol engines on SSI, decode data sent raw",
        baud=9_600,
        start=_ssi(0xE4, 0x04, 0x00),
        stop=_ssi(0xE5, 0x04, 0x00),
        openings={(_PRESENTATION, False): b"", (_HOST, False): b""},
        answers=re.compile(
            rb"(?:\x04\xd0\x00.\xff.|\x05\xd1\x00..[\xfe\xff].)+", re.DOTALL
        ),  # CMD_ACK, CMD_NAK and its cause
        remark="set raw decode data, no ACK/NAK handshake and no low-power mode",
    ),
    "newland": Engine(
        title="Newland scanners (FM, HR, EM series)",
        baud=9_600,
        start=b"\x01T\x04",
        stop=b"\x01P\x04",
        openings={
            (_PRESENTATION, False): b"",
            (_HOST, False): b"",
            (_PRESENTATION, True): _NEWLAND_QUIET,
            (_HOST, True): _NEWLAND_QUIET,
        },
        answers=re.compile(
            rb"(?:\x02\x010000[@#][^\x02\x03]{0,250}\x03"  # to settings
            rb"|\x02\x00[\x00-\x07]\x01\x00(?:\x33\x31|\x04\x01|\x6a\x61)"  # OEM engines
            rb"|[\x05\x06\x15])+"  # to triggers
        ),
        source=Source.RECALLED,
        remark="OEM engines (EM3xxx) take the commands of gm65; switch serial triggers on",
    ),
    "datalogic": Engine(
        title="Datalogic scanners (Gryphon, PowerScan, Magellan)",
        baud=9_600,
        start=b"T",
        stop=b"X",
        openings={(_PRESENTATION, False): b"", (_HOST, False): b""},
        remark="set it to obey host commands; presentation is its stand or automatic mode",
    ),
    "gm65": Engine(
        title="GROW GM6x and GM8x, Waveshare and DFRobot modules, and their clones",
        baud=9_600,
        start=_gm65(0x0002, 1),
        stop=_gm65(0x0002, 0),
        openings={
            (_PRESENTATION, False): _gm65_opening(3, beeps=True),
            (_PRESENTATION, True): _gm65_opening(3, beeps=False),
            (_HOST, False): _gm65_opening(1, beeps=True),
            (_HOST, True): _gm65_opening(1, beeps=False),
        },
        # done; wrong checksum; no such command. Each ends with the CRC of what is before.
        answers=re.compile(rb"(?:\x02\x00[\x00-\x03]\x01\x00(?:\x33\x31|\x04\x01|\x6a\x61))+"),
        source=Source.PUBLIC_CODE,  # of a manual: the trigger and its answers
        remark="set its serial mode once, by its setup code or its solder bridge",
    ),
    "de2120": Engine(
        title="DE2120 modules (SparkFun, SB Components)",
        baud=115_200,
        start=b"^_^SCAN.",
        stop=b"^_^SLEEP.",
        openings={(_PRESENTATION, False): b"", (_HOST, False): b""},
        answers=_ACK_OR_NAK,
        source=Source.PUBLIC_CODE,
        remark="set POR232 or PORVIC, 232UTF1 (it sends GBK else), and SCMMDH or SCMMAN",
    ),
}


def opening(engine: Engine, mode: TriggerMode, *, is_quiet: bool) -> bytes:
    """Give what to send when the port is opened.

    Raises:
        ValueError: if its beep cannot be turned off from here; the message says what to do.
    """
    command = engine.openings.get((mode, is_quiet), b"")
    if is_quiet and not command:
        raise ValueError("it is turned off by a setup code alone; do that, and leave beeper out")
    return command
