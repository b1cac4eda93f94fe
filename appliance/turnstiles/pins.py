"""The pins of the board, through gpiozero, from the library that was asked for and no other.

Opened by `main`, used by the relay driver. gpiozero would quietly try one library after another
until one loads, and end with one that cannot work on this board; here that is a fault, told at
the start.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum, unique
from importlib.metadata import version
from typing import Any, Final, assert_never

import gpiozero  # type: ignore[import-untyped]

from appliance.errors import ConfigError, TurnstileFaultError

_BROKEN_VERSIONS: Final = frozenset({"2.0.1", "2.0.1.post1", "2.0.1.post2"})
_GOOD_VERSION: Final = "2.0.1.post3"


@unique
class PinLibrary(StrEnum):
    """What drives the pins."""

    LGPIO = "lgpio"  # the board's own
    GPIOD = "gpiod"  # libgpiod 2, where there is no lgpio
    MOCK = "mock"  # none: for tests and demonstrations


@dataclass(frozen=True, slots=True)
class Pins:
    """An open pin library.

    Attributes:
        factory: gpiozero's pin factory.
        errors: all that it raises.
    """

    factory: Any
    errors: tuple[type[Exception], ...]

    def pin(self, number: int) -> Any:
        """Return gpiozero's pin object of a GPIO number."""
        return self.factory.pin(number)


@contextmanager
def open_pins(library: PinLibrary) -> Iterator[Pins]:
    """Open the pins for as long as the context lasts.

    Raises:
        ConfigError: if the library is not installed, or gpiozero is of a broken version.
        TurnstileFaultError: if the library does not find the board's pins.
    """
    refuse_broken_gpiozero(version("gpiozero"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", gpiozero.PinFactoryFallback)
        pins = _opened(library)
    try:
        yield pins
    finally:
        pins.factory.close()


def refuse_broken_gpiozero(installed: str) -> None:
    """Refuse the releases that open a wrong chip, or fall back to another library, on a Pi 5.

    Raises:
        ConfigError: if `installed` is one of them.
    """
    if installed in _BROKEN_VERSIONS:
        raise ConfigError(
            f"gpiozero {installed} drives wrong pins on a Raspberry Pi 5;"
            f" install gpiozero {_GOOD_VERSION} or newer"
        )


def _opened(library: PinLibrary) -> Pins:
    match library:
        case PinLibrary.LGPIO:
            return _opened_lgpio()
        case PinLibrary.GPIOD:
            return _opened_gpiod()
        case PinLibrary.MOCK:
            from gpiozero.pins.mock import MockFactory  # type: ignore[import-untyped]

            return Pins(MockFactory(), (gpiozero.GPIOZeroError, OSError))
        case _:
            assert_never(library)


def _opened_lgpio() -> Pins:
    # lgpio makes a pipe in its working directory while it is imported; by default that is ours.
    os.environ.setdefault("LG_WD", os.environ.get("RUNTIME_DIRECTORY", tempfile.gettempdir()))
    try:
        import lgpio
        from gpiozero.pins.lgpio import LGPIOFactory  # type: ignore[import-untyped]
    except ImportError as exc:
        raise ConfigError(
            'the relay needs lgpio: pip install "portillon[pi]", or apt install python3-lgpio'
        ) from exc
    errors = (gpiozero.GPIOZeroError, OSError, lgpio.error)
    try:
        return Pins(LGPIOFactory(), errors)
    except errors as exc:
        raise TurnstileFaultError(f"lgpio does not find this board's pins: {exc}") from exc


def _opened_gpiod() -> Pins:
    try:
        import gpiod
    except ImportError as exc:
        raise ConfigError(
            'the pins need gpiod: pip install "portillon[pi]", or apt install python3-libgpiod'
        ) from exc
    if not gpiod.api_version.startswith("2."):
        raise ConfigError(
            f"gpiod is of libgpiod {gpiod.api_version}; it must be 2, of 2023 or later"
        )
    from appliance.turnstiles.gpiod_pins import GpiodFactory, header_chip

    lost = (gpiod.ChipClosedError, gpiod.RequestReleasedError)
    errors = (gpiozero.GPIOZeroError, OSError, *lost)
    try:
        return Pins(GpiodFactory(gpiod.Chip(str(header_chip()))), errors)
    except errors as exc:
        raise TurnstileFaultError(f"gpiod does not find this board's pins: {exc}") from exc
