"""OLED panels on I2C or SPI, through luma. The only module that imports it; bound by `main`.

A frame of 128x64 takes 24 ms on I2C at 400 kHz and 95 ms at 100 kHz, so drawing and sending happen
in a thread of the display's own, and only frames that differ from the last are sent. A panel that
does not answer is given up and opened again, no sooner than RETRY_S later, by the next screen. What
keeps it from burning in (`care`) follows from the time at which a screen is shown, again and again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any, Final, Literal, Protocol

from luma.core.error import (  # type: ignore[import-untyped]
    DeviceAddressError,
    DeviceDisplayModeError,
)
from luma.core.error import Error as LumaError
from luma.core.interface.serial import i2c, spi  # type: ignore[import-untyped]
from luma.oled import device as drivers  # type: ignore[import-untyped]
from PIL import Image

from appliance.displays.care import Care, treatment
from appliance.displays.screens import Mode, draw, draw_wandering
from appliance.displays.words import check_language
from appliance.errors import ConfigError, DisplayLostError
from appliance.ports import Clock, Screen

RETRY_S: Final = 5.0
_SHOW_S_MAX: Final = 3.0  # opening a panel and two frames at 100 kHz take a tenth of this
_NS_PER_S: Final = 1_000_000_000
_LOST: Final = (LumaError, OSError)  # TimeoutError, which the kernel's bus driver raises, is one
_DISPLAY_OFF: Final = 0xAE  # one byte, the same on every controller listed here

CONTROLLERS: Final = {
    "ssd1306": drivers.ssd1306,
    "ssd1309": drivers.ssd1309,
    "ssd1315": drivers.ssd1315,
    "sh1106": drivers.sh1106,
    "ssd1322": drivers.ssd1322,
    "ssd1327": drivers.ssd1327,
}
_GREY: Final = ("ssd1322", "ssd1327")  # levels of one colour
_MHZ: Final = 1_000_000


class LumaDevice(Protocol):
    """What is used of a luma device."""

    mode: Literal["1", "RGB", "RGBA"]
    size: tuple[int, int]
    persist: bool

    def contrast(self, level: int) -> None:
        """Set how bright it is, 0 to 255."""
        ...

    def display(self, image: Image.Image) -> None:
        """Send a picture of the device's mode and size."""
        ...

    def cleanup(self) -> None:
        """Clear the panel and switch it off, unless it is to persist; close the bus."""
        ...


class SmBus(Protocol):
    """What luma uses of a bus that is handed in."""

    def write_i2c_block_data(self, address: int, register: int, data: list[int]) -> None:
        """Write up to 32 bytes."""
        ...


def open_i2c(
    controller: str,
    *,
    port: int = 1,
    address: int = 0x3C,
    size: tuple[int, int] = (128, 64),
    rotate: int = 0,
    bus: SmBus | None = None,
) -> LumaDevice:
    """Open a panel on the I2C bus and clear it.

    The panel is asked first whether it is there: luma keeps every device that it ever made until
    the process ends, also one whose making failed.

    Args:
        controller: one of CONTROLLERS. SSD1306 and SH1106 look alike and differ: the wrong one
            shows a picture shifted by two columns.
        port: the number of the bus.
        address: of the panel on it.
        size: width and height, pixels.
        rotate: quarter turns clockwise.
        bus: an opened bus to use instead of the port's.

    Raises:
        ConfigError: if the controller is not known, or has no such size or address.
        LumaError, OSError: if the panel does not answer.
    """
    make = _controller(controller)
    try:
        serial = i2c(bus=bus, port=port, address=address)
        with _closing_on_error(serial):
            serial.command(_DISPLAY_OFF)
            device: LumaDevice = make(serial, width=size[0], height=size[1], rotate=rotate)
    except (DeviceDisplayModeError, DeviceAddressError) as exc:
        raise ConfigError(f"display {controller} {size[0]}x{size[1]}: {exc}") from exc
    return device


class SpiBus(Protocol):
    """What luma uses of an SPI bus that is handed in; spidev's is one."""

    max_speed_hz: int

    def open(self, port: int, device: int) -> None:
        """Open a port's device."""
        ...

    def writebytes(self, data: list[int]) -> None:
        """Write bytes."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Lines:
    """What luma uses of RPi.GPIO, over gpiozero's pins: two outputs beside an SPI bus."""

    OUT: Final = "output"
    LOW: Final = 0
    HIGH: Final = 1

    def __init__(self, factory: Any, errors: tuple[type[Exception], ...]) -> None:
        """Take a pin factory, and all that it raises."""
        self._factory = factory
        self._errors = errors
        self._pins: dict[int, Any] = {}

    def setup(self, number: int, function: str) -> None:
        """Make a pin an output, low.

        Raises:
            OSError: if it cannot be.
        """
        del function  # an output is all that is asked for
        try:
            self._pins[number] = self._factory.pin(number)
            self._pins[number].output_with_state(self.LOW)
        except self._errors as exc:
            raise OSError(f"pin {number} cannot be had: {exc}") from exc

    def output(self, number: int, level: int) -> None:
        """Drive a pin.

        Raises:
            OSError: if it cannot be.
        """
        try:
            self._pins[number].state = level
        except self._errors as exc:
            raise OSError(f"pin {number} cannot be driven: {exc}") from exc


def open_spi(
    controller: str,
    lines: Lines,
    *,
    port: int = 0,
    device: int = 0,
    dc_pin: int = 24,
    reset_pin: int = 25,
    mhz: int = 8,
    size: tuple[int, int] = (128, 64),
    rotate: int = 0,
    bus: SpiBus | None = None,
) -> LumaDevice:
    """Open a panel on the SPI bus and clear it. Nobody can tell whether it is there.

    Args:
        controller: one of CONTROLLERS.
        lines: of the two pins.
        port: the number of the bus.
        device: the number of its chip select.
        dc_pin: what tells commands from data.
        reset_pin: resets the panel.
        mhz: the bus's clock.
        size: width and height, pixels.
        rotate: quarter turns clockwise.
        bus: a bus to use instead of the kernel's.

    Raises:
        ConfigError: as `open_i2c`, or if the bus's library is missing.
        LumaError, OSError: if the bus or a pin cannot be had.
    """
    make = _controller(controller)
    try:
        serial = spi(
            spi=bus,
            gpio=lines,
            port=port,
            device=device,
            bus_speed_hz=mhz * _MHZ,
            gpio_DC=dc_pin,
            gpio_RST=reset_pin,
        )
    except ImportError as exc:
        raise ConfigError(
            "display: SPI needs spidev; install the Debian package python3-spidev"
        ) from exc
    try:
        with _closing_on_error(serial):
            opened: LumaDevice = make(serial, width=size[0], height=size[1], rotate=rotate)
    except DeviceDisplayModeError as exc:
        raise ConfigError(f"display {controller} {size[0]}x{size[1]}: {exc}") from exc
    return opened


def _controller(name: str) -> Any:
    if name not in CONTROLLERS:
        known = ", ".join(sorted(CONTROLLERS))
        raise ConfigError(f"display controller {name!r} is not known; known are {known}")
    return CONTROLLERS[name]


class OledDisplay:
    """The port `Display` over a panel; made by `open_oled`."""

    def __init__(self, panel: "_Panel", worker: ThreadPoolExecutor) -> None:
        self._panel = panel
        self._worker = worker
        self._stuck: Future[None] | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether the panel's thread still waits for the bus, long after its time."""
        return self._stuck is not None and not self._stuck.done()

    async def show(self, screen: Screen) -> None:
        """Draw and send a screen; returns when the panel has taken it.

        Cancel: a frame that is being sent is still sent, in the background.

        Raises:
            DisplayLostError: if the panel does not answer, or was given up less than RETRY_S ago.
        """
        if self.is_stuck:
            raise DisplayLostError("the panel still does not take the last picture")
        job = self._worker.submit(self._panel.show, screen)
        try:
            async with asyncio.timeout(_SHOW_S_MAX):
                await asyncio.wrap_future(job)
        except TimeoutError:  # the panel's own are DisplayLostError by now
            self._stuck = job
            raise DisplayLostError(f"the panel took no picture for {_SHOW_S_MAX} s") from None


@asynccontextmanager
async def open_oled(
    open_device: Callable[[], LumaDevice],
    language: str,
    clock: Clock,
    *,
    others: tuple[str, ...] = (),
    care: Care | None = None,
    is_night: Callable[[], bool] = lambda: False,
    stays: bool = False,
) -> AsyncIterator[OledDisplay]:
    """Keep a panel for as long as the context lasts; on the way out it is cleared and dark.

    The panel itself is opened by the first screen: a gate without its display still admits people.

    Args:
        open_device: opens the panel, as `open_i2c` does; called again after a loss.
        language: of the texts.
        clock: for the delay between two attempts, and for what keeps the panel from burning in.
        others: further languages, which take turns as `Screen.tongue` counts.
        care: what keeps it from burning in; None is the ordinary care.
        is_night: tells whether it is dark around the gate.
        stays: whether the last picture stays on the panel after all, until somebody opens it.

    Raises:
        ValueError: if there are no words in this language.
    """
    languages = tuple(check_language(one) for one in (language, *others))
    panel = _Panel(open_device, languages, clock, care or Care(), is_night)
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="oled")
    display = OledDisplay(panel, worker)
    try:
        yield display
    finally:
        worker.submit(panel.close, stays=stays)
        worker.shutdown(wait=not display.is_stuck)


class _Panel:
    """The panel as the worker thread knows it; nothing here is called from anywhere else."""

    def __init__(
        self,
        open_device: Callable[[], LumaDevice],
        languages: tuple[str, ...],
        clock: Clock,
        care: Care,
        is_night: Callable[[], bool],
    ) -> None:
        self._open_device = open_device
        self._languages = languages
        self._clock = clock
        self._care = care
        self._is_night = is_night
        self._device: LumaDevice | None = None
        self._sent = b""
        self._contrast = -1
        self._screen: Screen | None = None  # in the first language
        self._began_ns = self._since_ns = self._retry_ns = clock.monotonic_ns()

    def show(self, screen: Screen) -> None:
        picture, contrast = self._drawn(screen, device := self._opened())
        frame = picture.tobytes()
        try:
            if contrast != self._contrast:
                device.contrast(contrast)
                self._contrast = contrast
            if frame != self._sent:
                device.display(picture if picture.mode == device.mode else _as(picture, device))
        except _LOST as exc:
            self._give_up(device)
            raise DisplayLostError(f"the panel does not answer: {exc}") from exc
        self._sent = frame

    def _drawn(self, screen: Screen, device: LumaDevice) -> tuple[Image.Image, int]:
        """Draw a screen as it is shown now, and give how bright that is."""
        now_ns = self._clock.monotonic_ns()
        told = replace(screen, tongue=0)
        if told != self._screen:
            self._screen, self._since_ns = told, now_ns
        treated = treatment(
            self._care,
            screen.look,
            running_s=(now_ns - self._began_ns) / _NS_PER_S,
            shown_s=(now_ns - self._since_ns) / _NS_PER_S,
            is_night=self._is_night(),
        )
        mode = _mode(device)
        if treated.wanders is not None:
            picture = draw_wandering(screen, device.size, mode, treated.wanders)
        else:
            language = self._languages[screen.tongue % len(self._languages)]
            picture = _shifted(draw(screen, language, device.size, mode), treated.shift)
        return picture, treated.contrast

    def close(self, *, stays: bool) -> None:
        if self._device is not None:
            self._device.persist = stays
            with suppress(*_LOST):  # a panel that is gone is dark
                self._device.cleanup()
            _forget(self._device)
            self._device = None

    def _opened(self) -> LumaDevice:
        if self._device is not None:
            return self._device
        wait_s = (self._retry_ns - self._clock.monotonic_ns()) / _NS_PER_S
        if wait_s > 0:
            raise DisplayLostError(f"the panel is lost; it is tried again in {wait_s:.1f} s")
        try:
            self._device = self._open_device()
        except _LOST as exc:
            self._retry_later()
            raise DisplayLostError(f"the panel cannot be opened: {exc}") from exc
        return self._device

    def _give_up(self, device: LumaDevice) -> None:
        device.persist = True  # only close the bus: nobody is there to be switched off
        with suppress(*_LOST):
            device.cleanup()
        _forget(device)
        self._device, self._sent, self._contrast = None, b"", -1
        self._retry_later()

    def _retry_later(self) -> None:
        self._retry_ns = self._clock.monotonic_ns() + round(RETRY_S * _NS_PER_S)


def _mode(device: LumaDevice) -> Mode:
    if device.mode == "1":
        return "1"
    return "L" if type(device) in [CONTROLLERS[name] for name in _GREY] else "RGB"


def _as(picture: Image.Image, device: LumaDevice) -> Image.Image:
    return picture.convert(device.mode)


def _shifted(picture: Image.Image, shift: tuple[int, int]) -> Image.Image:
    """Move a picture by a pixel or so; what comes in at the edge is as its corner is."""
    if shift == (0, 0):
        return picture
    corner = picture.getpixel((0, 0))
    moved = Image.new(picture.mode, picture.size, corner)
    moved.paste(picture, shift)
    return moved


def _forget(device: LumaDevice) -> None:
    """Empty a device that is done with.

    luma registers each one to be cleaned up when the process ends, and so keeps it: 130 KB for
    every time that a loose cable comes and goes, and at the end a write to a panel long reopened.
    """
    vars(device).clear()


@contextmanager
def _closing_on_error(serial: i2c) -> Iterator[None]:
    """Close the bus again if the panel behind it does not answer."""
    try:
        yield
    except (LumaError, OSError):
        serial.cleanup()
        raise
