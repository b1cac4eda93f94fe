"""The OLED driver down to the bytes on the bus: luma's real drivers, a panel that is not there."""

import asyncio
import atexit
import threading
import time

import pytest

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.oled import CONTROLLERS, RETRY_S, open_i2c, open_oled
from appliance.displays.screens import draw
from appliance.errors import ConfigError, DisplayLostError
from appliance.ports import Look, Screen
from appliance.simulator.i2c_panel import I2cPanel, Sh1106Panel
from appliance.simulator.virtual_clock import VirtualClock

# luma still reads pixels through a method that Pillow renamed; it works until Pillow 14.
pytestmark = pytest.mark.filterwarnings("ignore:Image.Image.getdata is deprecated")

IDLE = Screen(Look.IDLE, title="Carmen", occupancy=7)
GRANTED = Screen(Look.GRANTED)
DENIED = Screen(Look.DENIED, Direction.ENTRY, Answer.ALREADY_USED, detail="19:02")
FRAME_BYTES = 128 * 64 // 8
PANELS = {"ssd1306": I2cPanel, "ssd1309": I2cPanel, "ssd1315": I2cPanel, "sh1106": Sh1106Panel}
ERRORS = {
    "nobody answers": OSError(121, "Remote I/O error"),
    "the bus fails": OSError(5, "Input/output error"),
    "the bus hangs": TimeoutError(110, "Connection timed out"),
}


def seen(screen: Screen) -> bytes:
    return draw(screen, "fr", (128, 64), "1").tobytes()


def opener(panel: I2cPanel, controller: str = "ssd1306"):
    return lambda: open_i2c(controller, bus=panel)


@pytest.mark.parametrize("controller", PANELS)
async def test_the_panel_lights_exactly_what_was_drawn(controller):
    panel = PANELS[controller]()
    async with open_oled(opener(panel, controller), "fr", VirtualClock()) as display:
        for screen in (IDLE, GRANTED, DENIED):
            await display.show(screen)
            assert panel.lit() == seen(screen)


async def test_the_wrong_controller_shifts_the_picture():
    """Why the configuration must name it: the two differ in two columns of memory."""
    panel = Sh1106Panel()
    async with open_oled(opener(panel, "ssd1306"), "fr", VirtualClock()) as display:
        await display.show(IDLE)
        assert panel.lit() != seen(IDLE)


async def test_only_changed_frames_are_sent():
    panel = I2cPanel()
    async with open_oled(opener(panel), "fr", VirtualClock()) as display:
        await display.show(IDLE)
        sent = panel.data_bytes
        await display.show(IDLE)
        assert panel.data_bytes == sent
        await display.show(GRANTED)
        assert panel.data_bytes == sent + FRAME_BYTES


async def test_the_panel_is_opened_by_the_first_screen_and_dark_at_the_end():
    panel = I2cPanel()
    async with open_oled(opener(panel), "fr", VirtualClock()) as display:
        assert not panel.is_on
        await display.show(IDLE)
        assert panel.is_on
    assert not panel.is_on


@pytest.mark.parametrize("what", ERRORS)
async def test_a_panel_that_does_not_answer_is_lost_and_found_again(what):
    panel, clock = I2cPanel(), VirtualClock()
    async with open_oled(opener(panel), "fr", clock) as display:
        await display.show(IDLE)
        panel.fault = ERRORS[what]
        with pytest.raises(DisplayLostError, match="does not answer"):
            await display.show(GRANTED)
        panel.fault = None
        clock.advance(RETRY_S)
        await display.show(DENIED)
        assert panel.lit() == seen(DENIED)


async def test_the_frame_that_was_lost_is_sent_again():
    panel, clock = I2cPanel(), VirtualClock()
    async with open_oled(opener(panel), "fr", clock) as display:
        await display.show(IDLE)
        panel.fault = ERRORS["the bus hangs"]
        with pytest.raises(DisplayLostError):
            await display.show(GRANTED)
        panel.fault = None
        clock.advance(RETRY_S)
        await display.show(IDLE)  # what it showed before the loss; its memory may be empty by now
        assert panel.lit() == seen(IDLE)


async def test_a_lost_panel_is_left_alone_until_its_time():
    panel, clock, attempts = I2cPanel(), VirtualClock(), 0
    panel.fault = ERRORS["nobody answers"]

    def count_and_open():
        nonlocal attempts
        attempts += 1
        return open_i2c("ssd1306", bus=panel)

    async with open_oled(count_and_open, "fr", clock) as display:
        for _ in range(5):
            with pytest.raises(DisplayLostError):
                await display.show(IDLE)
        assert attempts == 1
        clock.advance(RETRY_S - 0.001)
        with pytest.raises(DisplayLostError, match=r"tried again in 0\.0 s"):
            await display.show(IDLE)
        assert attempts == 1
        clock.advance(0.001)
        with pytest.raises(DisplayLostError, match="cannot be opened"):
            await display.show(IDLE)
        assert attempts == 2


async def test_a_panel_that_is_away_all_night_leaves_nothing_behind():
    """luma keeps each device until the process ends: none may be made while nobody answers."""
    panel, clock = I2cPanel(), VirtualClock()
    panel.fault = ERRORS["nobody answers"]
    async with open_oled(opener(panel), "fr", clock) as display:
        kept = atexit._ncallbacks()
        for _ in range(50):
            clock.advance(RETRY_S)
            with pytest.raises(DisplayLostError):
                await display.show(IDLE)
        assert atexit._ncallbacks() == kept


async def test_a_loose_cable_leaves_only_empty_shells_behind():
    panel, clock, devices = I2cPanel(), VirtualClock(), []

    def open_and_keep():
        devices.append(open_i2c("ssd1306", bus=panel))
        return devices[-1]

    async with open_oled(open_and_keep, "fr", clock) as display:
        for _ in range(3):
            panel.fault = None
            clock.advance(RETRY_S)
            await display.show(IDLE)
            panel.fault = ERRORS["the bus fails"]
            with pytest.raises(DisplayLostError):
                await display.show(GRANTED)
    assert len(devices) == 3
    assert [vars(device) for device in devices] == [{}, {}, {}]


async def test_the_bus_of_a_lost_panel_is_closed():
    """Else each reopening would hold one more file open."""
    panel, closed = I2cPanel(), []

    def open_and_watch():
        device = open_i2c("ssd1306", bus=panel)
        device._serial_interface.cleanup = lambda: closed.append(device)
        return device

    async with open_oled(open_and_watch, "fr", VirtualClock()) as display:
        await display.show(IDLE)
        panel.fault = ERRORS["the bus fails"]
        with pytest.raises(DisplayLostError):
            await display.show(GRANTED)
        assert len(closed) == 1


async def test_a_panel_that_is_lost_on_the_way_out_holds_nobody_up():
    panel = I2cPanel()
    async with open_oled(opener(panel), "fr", VirtualClock()) as display:
        await display.show(IDLE)
        panel.fault = ERRORS["the bus fails"]


async def test_drawing_and_sending_leave_the_loop_free():
    panel = I2cPanel()
    threads = set()
    write = panel.write_i2c_block_data

    def note_thread(*arguments):
        threads.add(threading.current_thread())
        write(*arguments)

    panel.write_i2c_block_data = note_thread
    async with open_oled(opener(panel), "fr", VirtualClock()) as display:
        await display.show(IDLE)
        await display.show(GRANTED)
    assert len(threads) == 1
    assert threading.main_thread() not in threads


def wait_until(is_so) -> None:
    for _ in range(1000):
        if is_so():
            return
        time.sleep(0.001)
    raise AssertionError("it did not become so within a second")


class StuckPanel(I2cPanel):
    """A bus that takes a write and never comes back, until it is let go."""

    def __init__(self):
        super().__init__()
        self.let_go = threading.Event()
        self.is_stuck = False

    def write_i2c_block_data(self, *arguments):
        if self.is_stuck:
            self.let_go.wait(10)
        super().write_i2c_block_data(*arguments)


async def test_a_bus_that_never_returns_is_given_up_and_not_piled_upon(monkeypatch):
    monkeypatch.setattr("appliance.displays.oled._SHOW_S_MAX", 0.02)
    panel = StuckPanel()
    async with open_oled(opener(panel), "fr", VirtualClock()) as display:
        panel.is_stuck = True
        try:
            with pytest.raises(DisplayLostError, match=r"took no picture for 0\.02 s"):
                await display.show(IDLE)
            assert display.is_stuck
            with pytest.raises(DisplayLostError, match="still does not take"):
                await display.show(GRANTED)
        finally:
            panel.is_stuck = False
            panel.let_go.set()
        await asyncio.to_thread(wait_until, lambda: not display.is_stuck)
        monkeypatch.setattr("appliance.displays.oled._SHOW_S_MAX", 3.0)
        await display.show(DENIED)
        assert panel.lit() == seen(DENIED)


async def test_cancelling_a_screen_leaves_the_next_one_right():
    panel = StuckPanel()
    async with open_oled(opener(panel), "fr", VirtualClock()) as display:
        await display.show(GRANTED)
        panel.is_stuck = True
        async with asyncio.TaskGroup() as tasks:
            showing = tasks.create_task(display.show(IDLE))
            await asyncio.sleep(0.001)
            showing.cancel()
        panel.is_stuck = False
        panel.let_go.set()
        await display.show(DENIED)
        assert panel.lit() == seen(DENIED)


@pytest.mark.parametrize(
    ("controller", "size", "complaint"),
    [
        ("ssd9999", (128, 64), "known are sh1106, ssd1306, ssd1309"),
        ("ssd1306", (100, 64), "Unsupported display mode"),
    ],
)
def test_a_wrong_configuration_is_told_as_such_and_not_retried(controller, size, complaint):
    with pytest.raises(ConfigError, match=complaint):
        open_i2c(controller, size=size, bus=I2cPanel())


def test_a_bus_that_is_not_there_is_a_lost_display():
    """No /dev/i2c-99: what a Pi says whose I2C is not switched on."""
    panel_class = CONTROLLERS["ssd1306"]
    assert panel_class.__name__ == "ssd1306"
    with pytest.raises(Exception, match="I2C device not found"):
        open_i2c("ssd1306", port=99)


async def test_a_gate_without_i2c_is_told_at_its_first_screen():
    async with open_oled(lambda: open_i2c("ssd1306", port=99), "fr", VirtualClock()) as display:
        with pytest.raises(DisplayLostError, match="cannot be opened: I2C device not found"):
            await display.show(IDLE)


async def test_a_display_in_a_language_without_words_is_refused_at_once():
    with pytest.raises(ValueError, match="no words for language"):
        async with open_oled(opener(I2cPanel()), "xx", VirtualClock()):
            raise AssertionError("the context must not be entered")
