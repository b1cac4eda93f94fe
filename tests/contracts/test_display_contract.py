"""What every Display and every Signals must do, whichever device stands behind it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin
from PIL import Image

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.care import Care
from appliance.displays.gpio_signals import SignalWiring, open_gpio_signals
from appliance.displays.oled import Lines, open_i2c, open_oled, open_spi
from appliance.displays.screens import draw
from appliance.displays.signals import DARK, pattern_of
from appliance.ports import Display, Look, Screen, Signals
from appliance.simulator.i2c_panel import I2cPanel, Sh1106Panel
from appliance.simulator.picture_display import PictureDisplay, RecordedSignals
from appliance.simulator.spi_panel import SpiPanel, Ssd1322Panel
from appliance.simulator.virtual_clock import VirtualClock

# luma still reads pixels through a method that Pillow renamed; it works until Pillow 14.
pytestmark = pytest.mark.filterwarnings("ignore:Image.Image.getdata is deprecated")

SMALL = (128, 64)
SCREENS = [
    *(Screen(look, way) for look in Look if look is not Look.DENIED for way in Direction),
    *(Screen(Look.DENIED, answer=answer) for answer in Answer if answer is not Answer.GRANTED),
    Screen(Look.GRANTED, Direction.EXIT, Answer.NOT_INSIDE),
    Screen(Look.IDLE, title="Carmen 🎭 כרמן", detail="20:30", occupancy=1203, degraded=True),
]


@dataclass
class Shown:
    """A display, and a look at it from outside, as an RGB picture; None while it is blank."""

    display: Display
    look: Callable[[], Image.Image | None]
    size: tuple[int, int]
    mode: str

    def expected(self, screen: Screen) -> Image.Image:
        picture = draw(screen, "fr", self.size, self.mode)
        if self.mode == "L":  # the panel has sixteen levels
            picture = picture.point(lambda level: level // 16 * 17)
        return picture.convert("RGB")


@asynccontextmanager
async def picture_display(_) -> AsyncIterator[Shown]:
    display = PictureDisplay("fr", (320, 240))

    def look() -> Image.Image | None:
        return Image.open(BytesIO(display.png)).convert("RGB") if display.png else None

    yield Shown(display, look, (320, 240), "RGB")


def oled_over_a_bus(controller: str, panel: I2cPanel):
    @asynccontextmanager
    async def rig(_) -> AsyncIterator[Shown]:
        def look() -> Image.Image | None:
            lit = panel.lit()
            return Image.frombytes("1", SMALL, lit).convert("RGB") if any(lit) else None

        opening = open_oled(lambda: open_i2c(controller, bus=panel), "fr", VirtualClock())
        async with opening as display:
            yield Shown(display, look, SMALL, "1")

    return rig


def luma_emulator(mode: str, size: tuple[int, int]):
    """luma's emulator that writes every frame to a file, without a window."""

    @asynccontextmanager
    async def rig(folder) -> AsyncIterator[Shown]:
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        from luma.emulator.device import capture

        def open_device():
            template = str(folder / "{0:06}.png")
            return capture(*size, mode=mode, transform="none", scale=1, file_template=template)

        def look() -> Image.Image | None:
            files = sorted(folder.glob("*.png"))
            return Image.open(files[-1]).convert("RGB") if files else None

        opening = open_oled(open_device, "fr", VirtualClock(), care=Care(contrast=255))
        async with opening as display:
            yield Shown(display, look, size, mode)

    return rig


def oled_over_spi(controller: str, panel: I2cPanel | Ssd1322Panel, mode: str, size):
    @asynccontextmanager
    async def rig(_) -> AsyncIterator[Shown]:
        def look() -> Image.Image | None:
            lit = panel.lit()
            if not any(lit):
                return None
            if mode == "1":
                return Image.frombytes("1", size, lit).convert("RGB")
            return Image.frombytes("L", size, lit).point(lambda level: level * 17).convert("RGB")

        factory = MockFactory(pin_class=MockPWMPin)
        bus = SpiPanel(panel, lambda: bool(factory.pin(24).state))
        lines = Lines(factory, (OSError,))
        opening = open_oled(
            lambda: open_spi(controller, lines, size=size, bus=bus), "fr", VirtualClock()
        )
        async with opening as display:
            yield Shown(display, look, size, mode)
        factory.close()

    return rig


DISPLAYS = {
    "picture": lambda: picture_display,
    "ssd1306 over a bus": lambda: oled_over_a_bus("ssd1306", I2cPanel()),
    "sh1106 over a bus": lambda: oled_over_a_bus("sh1106", Sh1106Panel()),
    "ssd1306 over spi": lambda: oled_over_spi("ssd1306", I2cPanel(), "1", SMALL),
    "sh1106 over spi": lambda: oled_over_spi("sh1106", Sh1106Panel(), "1", SMALL),
    "ssd1322 over spi": lambda: oled_over_spi("ssd1322", Ssd1322Panel(), "L", (256, 64)),
    "luma emulator, one bit": lambda: luma_emulator("1", SMALL),
    "luma emulator, colour": lambda: luma_emulator("RGB", (256, 160)),
}


@pytest.fixture(params=DISPLAYS)
async def shown(request, tmp_path):
    async with DISPLAYS[request.param]()(tmp_path) as rig:
        yield rig


async def test_a_display_is_blank_until_its_first_screen(shown):
    assert shown.look() is None


async def test_a_screen_is_visible_when_show_returns(shown):
    for screen in SCREENS:
        await shown.display.show(screen)
        assert shown.look().tobytes() == shown.expected(screen).tobytes(), screen


async def test_the_same_screen_again_changes_nothing(shown):
    for _ in range(3):
        await shown.display.show(SCREENS[0])
        assert shown.look().tobytes() == shown.expected(SCREENS[0]).tobytes()


async def test_of_screens_shown_at_once_the_last_stays(shown):
    async with asyncio.TaskGroup() as tasks:
        for screen in SCREENS[:6]:
            tasks.create_task(shown.display.show(screen))
    assert shown.look().tobytes() == shown.expected(SCREENS[5]).tobytes()


async def test_a_cancelled_screen_does_not_spoil_the_next(shown):
    for screen in SCREENS[:3]:
        async with asyncio.TaskGroup() as tasks:
            showing = tasks.create_task(shown.display.show(screen))
            await asyncio.sleep(0)
            showing.cancel()
    await shown.display.show(SCREENS[-1])
    assert shown.look().tobytes() == shown.expected(SCREENS[-1]).tobytes()


async def test_a_screen_that_makes_no_sense_is_refused_and_the_last_one_stays(shown):
    await shown.display.show(SCREENS[0])
    with pytest.raises(ValueError, match="needs the reason"):
        await shown.display.show(Screen(Look.DENIED))
    assert shown.look().tobytes() == shown.expected(SCREENS[0]).tobytes()
    await shown.display.show(SCREENS[1])
    assert shown.look().tobytes() == shown.expected(SCREENS[1]).tobytes()


# --- light and sound --------------------------------------------------------------------------


@dataclass
class Played:
    """Signals, and what is seen and heard of them now: a colour and whether there is a sound."""

    signals: Signals
    sense: Callable[[], tuple[tuple[float, float, float], bool]]


@asynccontextmanager
async def recorded() -> AsyncIterator[Played]:
    signals = RecordedSignals()
    yield Played(signals, lambda: (signals.now.light[0].colour, bool(signals.now.sound)))


@asynccontextmanager
async def on_pins() -> AsyncIterator[Played]:
    factory = MockFactory(pin_class=MockPWMPin)
    pins = [factory.pin(number) for number in (17, 27, 22, 13)]
    wiring = SignalWiring(17, 27, 22, buzzer=13)
    async with open_gpio_signals(wiring, VirtualClock(), factory=factory) as signals:
        yield Played(
            signals, lambda: (tuple(pin.state for pin in pins[:3]), pins[3].frequency is not None)
        )
    factory.close()


@pytest.fixture(params=[recorded, on_pins])
async def played(request):
    async with request.param() as rig:
        yield rig


async def test_light_and_sound_have_begun_when_signal_returns(played):
    for screen in SCREENS:
        await played.signals.signal(screen)
        pattern = pattern_of(screen)
        assert played.sense() == (pattern.light[0].colour, bool(pattern.sound)), screen


async def test_rest_is_dark_and_silent_however_often_it_is_called(played):
    await played.signals.signal(Screen(Look.GRANTED))
    for _ in range(2):
        played.signals.rest()
        assert played.sense() == (DARK, False)


async def test_signals_play_again_after_a_rest(played):
    played.signals.rest()
    await played.signals.signal(Screen(Look.GRANTED))
    assert played.sense() != (DARK, False)
