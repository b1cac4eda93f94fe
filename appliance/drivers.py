"""Which driver stands behind which port: the gate's devices, opened from its configuration.

Called by `main` alone. Each library is imported only where its kind is configured, so that a gate
without a camera needs no camera library.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

from admission.scan import Direction
from appliance.arm_opening import open_arm, open_lane_inputs
from appliance.camera_opening import open_camera
from appliance.config import Config, ReaderConfig
from appliance.errors import ConfigError
from appliance.faces_config import Hours
from appliance.handheld_keeper import HandheldFace
from appliance.handheld_ports import Battery, Button
from appliance.page_ports import GateDesk
from appliance.ports import (
    Clock,
    Confirming,
    Display,
    LaneInputs,
    Reader,
    Signals,
    Task,
    Trigger,
    Turnstile,
)
from appliance.scanners_config import HidConfig, SerialConfig

log = logging.getLogger(__name__)

PAGE_SIZE: Final = (800, 480)  # of the picture on the gate's page


def _tell_nobody(direction: Direction) -> None:
    """Say nothing of codes that cannot be read."""


class Drivers:
    """Opens devices; each stays open for as long as the stack does.

    Attributes:
        config: the checked configuration.
        clock: the machine's.
        stack: closes what was opened, in reverse.
        desk: what the gate's own page looks at and may ask for.
        tasks: what the devices want to have run beside the gate.
        display_stays: whether what an OLED shows last stays there.
        triggers: of the readers that look for a code when they are asked to.
        confirming: where the steward says who went; None where an arm or nobody does.
        face: what a handheld's page shows; None on a gate that stands.
        tell_unread: told of every look of a camera that finds a code which cannot be read.
    """

    def __init__(self, config: Config, clock: Clock, stack: AsyncExitStack) -> None:
        """Open nothing yet."""
        self.config = config
        self.clock = clock
        self.stack = stack
        self.tasks: list[Task] = []
        self.triggers: list[Trigger] = []
        self.display_stays = False
        self.desk = GateDesk()
        self.confirming: Confirming | None = None
        self.face = HandheldFace() if config.is_handheld else None
        self.tell_unread: Callable[[Direction], None] = _tell_nobody
        self._pins: dict[str, Any] = {}
        self._pins_stack = stack

    def for_one_start(self, stack: AsyncExitStack) -> "Drivers":
        """Give drivers whose devices stay open for one start of the lane, over the same pins."""
        drivers = Drivers(self.config, self.clock, stack)
        drivers._pins, drivers._pins_stack = self._pins, self._pins_stack
        drivers.desk, drivers.face = self.desk, self.face
        return drivers

    def open_readers(self) -> list[Reader]:
        """Open every reader.

        Raises:
            ConfigError: if one cannot be as it is configured, or its library is missing.
        """
        return [READERS[reader.kind](self, reader) for reader in self.config.readers]

    def open_turnstile(self) -> Turnstile:
        """Open the arm.

        Raises:
            ConfigError: if its library is missing.
            TurnstileFaultError: if its pins cannot be had.
        """
        return open_arm(self)

    def open_inputs(self) -> LaneInputs | None:
        """Open what hangs beside the arm: the alarm's loop, the staff's inputs.

        Raises:
            ConfigError: if the pin library is missing.
            TurnstileFaultError: if a pin cannot be had.
        """
        return open_lane_inputs(self)

    async def open_displays(self) -> list[Display]:
        """Open the display, and the page that shows it where one is configured.

        Raises:
            ConfigError: if it cannot be as it is configured, or the page's port is taken.
        """
        displays: list[Display] = []
        if self.config.display.kind == "oled":
            displays.append(self._refreshed(await self._open_oled()))
        if self.config.display.kind == "picture" or self.config.page.port:
            displays.append(self._refreshed(await self._open_picture()))
        if self.face is not None:
            displays.append(self.face)
        return displays

    async def open_signals(self) -> list[Signals]:
        """Open light and sound.

        Raises:
            DeviceError: if their pins cannot be had.
        """
        signals: list[Signals] = []
        if self.config.signals.kind == "gpio":
            signals.append(await self._open_lamp())
        hand = self.config.handheld
        if self.config.is_handheld and hand.vibration_pin is not None:
            from appliance.handheld.vibration import open_vibration

            pins = self.pins(hand.pin_factory)
            opened = open_vibration(
                hand.vibration_pin, self.clock, factory=pins.factory, errors=pins.errors
            )
            signals.append(await self.stack.enter_async_context(opened))
        return signals

    def open_trigger(self) -> Button | None:
        """Open a handheld's trigger; None where it has none but the one on the screen.

        Raises:
            DeviceError: if its pin cannot be had.
        """
        hand = self.config.handheld
        if not self.config.is_handheld or hand.trigger_pin is None:
            return None
        from appliance.handheld.trigger_button import open_trigger

        pins = self.pins(hand.pin_factory)
        opened = open_trigger(
            hand.trigger_pin, self.clock, factory=pins.factory, errors=pins.errors
        )
        return self.stack.enter_context(opened)

    def open_battery(self) -> Battery | None:
        """Open a handheld's gauge; None where there is none."""
        hand = self.config.handheld
        if not self.config.is_handheld or hand.gauge == "none":
            return None
        from appliance.handheld.power_supply import PowerSupply

        return PowerSupply(hand.battery)

    async def _open_lamp(self) -> Signals:
        from appliance.displays.gpio_signals import SignalWiring, open_gpio_signals

        light = self.config.signals
        wiring = SignalWiring(
            light.red_pin,
            light.green_pin,
            light.blue_pin,
            dims=light.lamp_dims,
            active_high=light.lamp_active_high,
            buzzer=light.buzzer_pin,
            tonal=light.buzzer == "passive",
        )
        pins = self.pins(light.pin_factory)
        opened = open_gpio_signals(
            wiring,
            self.clock,
            factory=pins.factory,
            errors=pins.errors,
            volume=self._volume,
        )
        return await self.stack.enter_async_context(opened)

    def _volume(self) -> float:
        """Give how loud it may be now, 0 to 1."""
        config = self.config.signals
        is_quiet = self._is_within(config.quiet)
        return (config.quiet_volume if is_quiet else config.volume) / 100

    def pins(self, library: str) -> Any:
        """Open a pin library, once for turnstile and signals alike."""
        from appliance.turnstiles.pins import PinLibrary, open_pins

        if library not in self._pins:
            self._pins[library] = self._pins_stack.enter_context(open_pins(PinLibrary(library)))
        return self._pins[library]

    def worker(self) -> ThreadPoolExecutor:
        """Give a thread for a camera's frames."""
        return self.stack.enter_context(ThreadPoolExecutor(1, "frames"))

    async def _open_oled(self) -> Display:
        from appliance.displays.care import Care
        from appliance.displays.oled import Lines, open_i2c, open_oled, open_spi

        panel, size = self.config.display, self._display_size()
        if panel.wire == "i2c":
            open_device = partial(open_i2c, panel.chip, port=panel.bus, address=panel.address)
        else:
            pins = self.pins(panel.pin_factory)
            open_device = partial(
                open_spi,
                panel.chip,
                Lines(pins.factory, pins.errors),
                port=panel.bus,
                device=panel.device,
                dc_pin=panel.dc_pin,
                reset_pin=panel.reset_pin,
                mhz=panel.spi_mhz,
            )
        care = Care(
            contrast=panel.contrast,
            dim_contrast=panel.dim_contrast,
            dim_after_s=panel.dim_after_s,
            saver_after_s=panel.saver_after_s,
            shift_every_s=panel.shift_every_s,
        )
        opened = open_oled(
            partial(open_device, size=size, rotate=panel.rotate),
            self.config.language,
            self.clock,
            others=self.config.languages[1:],
            care=care,
            is_night=partial(self._is_within, panel.night),
            stays=self.display_stays,
        )
        return await self.stack.enter_async_context(opened)

    def _refreshed(self, display: Display) -> Display:
        """Have a display show its screen again now and then, and whose ticket it is to nobody."""
        from appliance.displays.refreshing import Discreet, Refreshed

        config = self.config.display
        refreshed = Refreshed(
            display,
            self.clock,
            every_s=config.alternate_s,
            languages=len(self.config.languages),
        )
        running = refreshed.run()
        self.tasks.append(running)
        self.stack.callback(running.close)  # also where the gate does not get as far as running it
        return refreshed if config.show_holder else Discreet(refreshed)

    def _is_within(self, hours: Hours | None) -> bool:
        return hours is not None and hours.hold(self.clock.now().astimezone(self.config.timezone))

    async def _open_picture(self) -> Display:
        from appliance.simulator.picture_display import PictureDisplay

        is_display = self.config.display.kind == "picture"
        size = self._display_size() if is_display else PAGE_SIZE
        picture = PictureDisplay(self.config.language, size, self.config.languages[1:])
        if self.config.page.port:
            from appliance.displays.told import told
            from appliance.page_opening import open_page

            self.desk.staff.tell = told
            await open_page(self.config, self.clock, self.desk, picture, self.stack)
        return picture

    def _display_size(self) -> tuple[int, int]:
        return self.config.display.width, self.config.display.height


def _open_serial(drivers: Drivers, config: ReaderConfig) -> Reader:
    from appliance.readers.profiles import serial_port
    from appliance.readers.serial_port import SerialReader

    scanner = config.serial or SerialConfig()
    try:
        port = serial_port(scanner)
    except ValueError as exc:
        raise ConfigError(f"{drivers.config.path}: readers: {config.name}: {exc}") from exc
    worker = ThreadPoolExecutor(1, "serial")
    drivers.stack.callback(worker.shutdown, wait=False)  # a device that hangs keeps nobody waiting
    reader = SerialReader(config.name, config.direction, port, drivers.clock, worker)
    if scanner.trigger == "host":
        drivers.triggers.append(reader)
    return reader


def _open_hid(drivers: Drivers, config: ReaderConfig) -> Reader:
    from appliance.readers.hid import HidKeyboard, HidReader, evdev_devices
    from appliance.readers.usb_names import UsbName

    scanner = config.hid or HidConfig()
    usb = UsbName.read(scanner.usb) if scanner.usb else None
    keyboard = HidKeyboard(scanner.port, usb, scanner.layout, scanner.duplicates_s)
    return HidReader(config.name, config.direction, keyboard, drivers.clock, evdev_devices())


READERS: Final[dict[str, Callable[[Drivers, ReaderConfig], Reader]]] = {
    "serial": _open_serial,
    "hid": _open_hid,
    "camera": open_camera,
    "webcam": open_camera,
    "clip": open_camera,
    "folder": open_camera,
}
