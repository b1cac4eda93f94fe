"""An OLED's long life: pixels that move, a picture that is dimmed and then wanders, and SPI."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from gpiozero.pins.mock import MockFactory
from PIL import Image, ImageChops

from admission.verdict import Answer
from appliance.displays.care import CALM, Care, treatment, wandering_place
from appliance.displays.oled import Lines, open_i2c, open_oled, open_spi
from appliance.displays.screens import draw, draw_wandering
from appliance.errors import ConfigError, DisplayLostError
from appliance.ports import Look, Screen
from appliance.simulator.i2c_panel import I2cPanel
from appliance.simulator.spi_panel import SpiPanel, Ssd1322Panel
from appliance.simulator.virtual_clock import VirtualClock

# luma still reads pixels through a method that Pillow renamed; it works until Pillow 14.
pytestmark = pytest.mark.filterwarnings("ignore:Image.Image.getdata is deprecated")

IDLE = Screen(Look.IDLE, title="Carmen", occupancy=7)
FAULT = Screen(Look.OUT_OF_SERVICE, fault="GT-CAM")
CARE = Care()
SIZE = (128, 64)


def treated(look=Look.IDLE, *, running_s=0.0, shown_s=0.0, is_night=False, care=CARE):
    return treatment(care, look, running_s=running_s, shown_s=shown_s, is_night=is_night)


# --- the arithmetic ---------------------------------------------------------------------------


def test_a_picture_moves_by_one_pixel_a_minute_and_comes_home():
    shifts = [treated(running_s=60.0 * minute).shift for minute in range(10)]
    assert shifts[0] == shifts[9] == (0, 0)
    assert len(set(shifts)) == 9
    assert all(max(map(abs, shift)) <= 1 for shift in shifts)
    for one, other in pairwise(shifts):
        assert max(abs(one[0] - other[0]), abs(one[1] - other[1])) <= 2
    assert treated(running_s=59.9).shift == (0, 0)


def test_a_picture_is_dimmed_when_nobody_comes_and_bright_for_whoever_does():
    assert treated(shown_s=119.9).contrast == CARE.contrast
    assert treated(shown_s=120.0).contrast == CARE.dim_contrast
    for look in (Look.GRANTED, Look.DENIED, Look.FREE_PASSAGE, Look.LOCKED_DOWN, Look.PLEASE_PASS):
        assert treated(look, shown_s=4000.0).contrast == CARE.contrast


def test_at_night_it_is_dim_whoever_comes():
    assert treated(Look.GRANTED, is_night=True).contrast == CARE.dim_contrast


@pytest.mark.parametrize("look", Look)
def test_only_a_gate_at_rest_is_told_by_its_mark_alone(look):
    assert treated(look, shown_s=899.9).wanders is None
    assert (treated(look, shown_s=900.0).wanders is not None) == (look in CALM)
    assert {Look.IDLE, Look.WAITING_LIST} >= CALM


def test_care_can_be_left_to_others():
    off = Care(dim_after_s=0, saver_after_s=0, shift_every_s=0)
    day = treated(running_s=86_400.0, shown_s=86_400.0, care=off)
    assert (day.shift, day.contrast, day.wanders) == ((0, 0), off.contrast, None)


@pytest.mark.parametrize("room", [(128, 64), (256, 64), (128, 32), (64, 64)])
def test_a_wandering_mark_stays_on_the_panel_and_comes_everywhere(room):
    side = min(room) * 6 // 10
    places = [wandering_place(step, room, side) for step in range(2000)]
    assert all(0 <= x <= room[0] - side and 0 <= y <= room[1] - side for x, y in places)
    columns = {x + offset for x, _ in places for offset in range(side)}
    rows = {y + offset for _, y in places for offset in range(side)}
    assert len(columns) > room[0] * 0.9 or room[0] == side
    assert len(rows) > room[1] * 0.9


def test_no_pixel_of_an_idle_night_burns_much_longer_than_the_others():
    """Ten hours of an idle gate, weighed by brightness: the worst pixel against one left alone."""
    worn, alone = [0] * (SIZE[0] * SIZE[1]), 0
    for minute in range(0, 600, 2):
        now = treated(running_s=minute * 60.0, shown_s=minute * 60.0)
        if now.wanders is None:
            picture = ImageChops.offset(draw(IDLE, "fr", SIZE, "1"), *now.shift)
        else:
            picture = draw_wandering(IDLE, SIZE, "1", now.wanders)
        for place, lit in enumerate(picture.convert("L").tobytes()):
            worn[place] += now.contrast if lit else 0
        alone += CARE.contrast
    assert max(worn) < alone / 10


# --- the panel --------------------------------------------------------------------------------


def expected(screen: Screen, shift: tuple[int, int] = (0, 0), language: str = "fr") -> bytes:
    picture = draw(screen, language, SIZE, "1")
    moved = Image.new("1", SIZE, picture.getpixel((0, 0)))
    moved.paste(picture, shift)
    return moved.tobytes()


async def test_an_idle_panel_moves_then_dims_then_shows_its_mark_and_wakes():
    panel, clock = I2cPanel(), VirtualClock()
    async with open_oled(lambda: open_i2c("ssd1306", bus=panel), "fr", clock) as display:
        await display.show(IDLE)
        assert (panel.lit(), panel.contrast) == (expected(IDLE), CARE.contrast)
        clock.advance(60)
        await display.show(IDLE)
        assert panel.lit() == expected(IDLE, (1, 0))
        clock.advance(60)
        await display.show(IDLE)
        assert panel.contrast == CARE.dim_contrast
        clock.advance(780)
        await display.show(IDLE)
        assert panel.lit() == draw_wandering(IDLE, SIZE, "1", 0).tobytes()
        await display.show(Screen(Look.GRANTED))
        assert panel.contrast == CARE.contrast
        assert panel.lit() == expected(Screen(Look.GRANTED), _shift_at(900))
        await display.show(IDLE)
        assert panel.lit() == expected(IDLE, _shift_at(900))


def _shift_at(seconds: float) -> tuple[int, int]:
    return treated(running_s=seconds).shift


async def test_another_language_is_the_same_screen_to_the_panels_care():
    panel, clock = I2cPanel(), VirtualClock()
    opening = open_oled(lambda: open_i2c("ssd1306", bus=panel), "fr", clock, others=("en",))
    async with opening as display:
        for tongue in (0, 1, 2):
            await display.show(Screen(Look.OUT_OF_SERVICE, fault="GT-CAM", tongue=tongue))
            language = "en" if tongue == 1 else "fr"
            shift = _shift_at(59.0 * tongue)
            assert panel.lit() == expected(FAULT, shift, language)
            clock.advance(59)
        await display.show(FAULT)
        assert panel.contrast == CARE.dim_contrast


async def test_a_panel_that_was_lost_has_its_brightness_set_again():
    panel, clock = I2cPanel(), VirtualClock()
    async with open_oled(lambda: open_i2c("ssd1306", bus=panel), "fr", clock) as display:
        await display.show(IDLE)
        panel.fault = OSError(121, "Remote I/O error")
        with pytest.raises(DisplayLostError):
            await display.show(FAULT)
        panel.fault = None
        clock.advance(5)
        await display.show(FAULT)
        assert (panel.contrast, panel.lit()) == (CARE.contrast, expected(FAULT))


async def test_a_night_is_asked_for_at_each_screen():
    panel, nights = I2cPanel(), [False, True]
    opening = open_oled(
        lambda: open_i2c("ssd1306", bus=panel),
        "fr",
        VirtualClock(datetime(2026, 6, 1, tzinfo=UTC)),
        is_night=lambda: nights.pop(0),
    )
    async with opening as display:
        await display.show(IDLE)
        assert panel.contrast == CARE.contrast
        await display.show(Screen(Look.DENIED, answer=Answer.BLOCKED))
        assert panel.contrast == CARE.dim_contrast


# --- SPI --------------------------------------------------------------------------------------


@pytest.fixture
def factory():
    pins = MockFactory()
    yield pins
    pins.close()


def test_a_panel_on_spi_is_reset_and_opened_at_its_speed(factory):
    panel = I2cPanel()
    bus = SpiPanel(panel, lambda: bool(factory.pin(5).state))
    device = open_spi(
        "ssd1306",
        Lines(factory, (OSError,)),
        port=0,
        device=1,
        dc_pin=5,
        reset_pin=6,
        mhz=4,
        bus=bus,
    )
    assert bus.opened == (0, 1)
    assert bus.max_speed_hz == 4_000_000
    assert [state.state for state in factory.pin(6).states] == [False, True]
    assert panel.is_on
    device.cleanup()
    assert bus.opened is None


async def test_a_panel_may_be_built_in_upside_down(factory):
    panel = I2cPanel()
    bus = SpiPanel(panel, lambda: bool(factory.pin(24).state))
    lines = Lines(factory, (OSError,))
    opening = open_oled(lambda: open_spi("ssd1306", lines, rotate=2, bus=bus), "fr", VirtualClock())
    async with opening as display:
        await display.show(IDLE)
        turned = draw(IDLE, "fr", SIZE, "1").transpose(Image.Transpose.ROTATE_180)
        assert panel.lit() == turned.tobytes()


async def test_a_grey_panel_is_dimmed_by_its_own_command(factory):
    panel, clock = Ssd1322Panel(), VirtualClock()
    bus = SpiPanel(panel, lambda: bool(factory.pin(24).state))
    lines = Lines(factory, (OSError,))
    opening = open_oled(lambda: open_spi("ssd1322", lines, size=(256, 64), bus=bus), "fr", clock)
    async with opening as display:
        await display.show(FAULT)
        assert panel.contrast == CARE.contrast
        levels = set(panel.lit())
        assert {0, 15} < levels  # smooth edges between
        clock.advance(120)
        await display.show(FAULT)
        assert panel.contrast == CARE.dim_contrast


async def test_a_bus_that_fails_is_a_lost_display_and_found_again(factory):
    panel, clock = I2cPanel(), VirtualClock()
    bus = SpiPanel(panel, lambda: bool(factory.pin(24).state))
    lines = Lines(factory, (OSError,))
    async with open_oled(lambda: open_spi("ssd1306", lines, bus=bus), "fr", clock) as display:
        await display.show(IDLE)
        bus.fault = OSError(5, "Input/output error")
        with pytest.raises(DisplayLostError):
            await display.show(FAULT)
        bus.fault = None
        clock.advance(5)
        await display.show(FAULT)
        assert panel.lit() == expected(FAULT)


class NoPinError(Exception):
    """What a pin library raises of its own."""


class NoPins:
    """A factory whose chip is not there."""

    def pin(self, number: int):
        raise NoPinError(f"GPIO{number} is not there")


async def test_pins_that_cannot_be_had_are_a_lost_display():
    lines = Lines(NoPins(), (NoPinError,))
    bus = SpiPanel(I2cPanel(), lambda: False)
    opening = open_oled(lambda: open_spi("ssd1306", lines, bus=bus), "fr", VirtualClock())
    async with opening as display:
        with pytest.raises(DisplayLostError, match="pin 24 cannot be had: GPIO24 is not there"):
            await display.show(IDLE)


def test_a_size_that_a_controller_has_not_is_told_as_such(factory):
    bus = SpiPanel(Ssd1322Panel(), lambda: bool(factory.pin(24).state))
    with pytest.raises(ConfigError, match="display ssd1322 200x64: Unsupported"):
        open_spi("ssd1322", Lines(factory, (OSError,)), size=(200, 64), bus=bus)
    assert bus.opened is None
