"""Pins over libgpiod: no relay moves as its pin is claimed, and what cannot be is told plainly."""

import errno
import logging
import queue
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gpiod
import gpiozero
import pytest
from gpiod.line import Bias, Direction, Edge

from appliance.errors import ConfigError, TurnstileFaultError
from appliance.turnstiles import gpiod_pins
from appliance.turnstiles.gpiod_pins import CONSUMER, GpiodFactory, header_chip
from appliance.turnstiles.pins import PinLibrary, open_pins
from fake_gpiochip import FakeChip


@pytest.fixture
def chip() -> FakeChip:
    return FakeChip()


@pytest.fixture
def factory(chip: FakeChip) -> Iterator[GpiodFactory]:
    made = GpiodFactory(chip)
    yield made
    made.close()
    assert chip.is_closed
    assert all(line.consumer != CONSUMER for line in chip.lines)


def test_a_relay_is_claimed_as_an_output_at_rest_in_one_step(chip, factory):
    with gpiozero.OutputDevice(3, active_high=False, initial_value=False, pin_factory=factory):
        (claim,) = chip.lines[3].settings
        assert claim.direction is Direction.OUTPUT
        assert chip.lines[3].levels == [True]
        assert chip.lines[3].consumer == CONSUMER


def test_a_closed_relay_is_left_an_input_that_nothing_pulls(chip, factory):
    with gpiozero.OutputDevice(3, pin_factory=factory) as relay:
        relay.on()
    assert chip.lines[3].now.direction is Direction.INPUT
    assert chip.lines[3].now.bias is Bias.DISABLED
    assert chip.lines[3].consumer == ""


def test_a_factory_that_is_closed_lets_go_of_what_its_devices_still_held(chip):
    factory = GpiodFactory(chip)
    relay = gpiozero.OutputDevice(3, pin_factory=factory)
    contact = gpiozero.DigitalInputDevice(4, pull_up=True, pin_factory=factory)
    relay.on()
    factory.close()
    assert chip.lines[3].now.direction is Direction.INPUT
    assert chip.lines[4].now.edge_detection is Edge.NONE
    for device in (relay, contact):
        device.close()


def test_a_contact_is_debounced_by_the_kernel(chip, factory):
    with gpiozero.DigitalInputDevice(4, pull_up=True, bounce_time=0.05, pin_factory=factory) as one:
        assert chip.lines[4].now.debounce_period.total_seconds() == 0.05
        assert chip.lines[4].now.edge_detection is Edge.BOTH
        assert one.pull_up


def test_a_line_that_another_program_has_is_told_with_who_that_is(chip, factory):
    chip.lines[2].consumer = "hotspot"
    with pytest.raises(gpiozero.GPIOPinInUse, match=r"GPIO busy: GPIO2 is held by 'hotspot'"):
        gpiozero.OutputDevice(2, pin_factory=factory)


@pytest.mark.parametrize("name", [8, "GPIO99", "header", -1])
def test_a_number_that_the_chip_does_not_have_is_refused(factory, name):
    with pytest.raises(gpiozero.PinInvalidPin, match="0 to 7"):
        factory.pin(name)


def test_of_a_raspberry_pi_only_what_stands_on_its_header_is_had():
    factory = GpiodFactory(FakeChip("pinctrl-bcm2711", 58))
    assert factory.pin(27) is factory.pin("GPIO27")
    with pytest.raises(gpiozero.PinInvalidPin, match="0 to 27"):
        factory.pin(42)  # its green light
    factory.close()


def test_a_level_between_on_and_off_is_refused(factory):
    with (
        gpiozero.OutputDevice(1, pin_factory=factory) as lamp,
        pytest.raises(gpiozero.PinInvalidState, match="dims nothing"),
    ):
        lamp.pin.state = 0.3
    with pytest.raises(gpiozero.PinPWMUnsupported):
        gpiozero.PWMLED(1, pin_factory=factory)


def test_an_input_cannot_be_driven_nor_an_output_pulled(factory):
    pin = factory.pin(1)
    pin.function = "input"
    with pytest.raises(gpiozero.PinSetInput):
        pin.state = 1
    pin.function = "output"
    with pytest.raises(gpiozero.PinFixedPull):
        pin.pull = "up"
    with pytest.raises(gpiozero.PinInvalidFunction, match="input, output"):
        pin.function = "sideways"


def test_a_chip_that_goes_away_is_told_once_and_whoever_reads_a_line_is_told(caplog):
    chip, heard = FakeChip(), queue.Queue()
    factory = GpiodFactory(chip)
    contact = gpiozero.DigitalInputDevice(4, pull_up=True, pin_factory=factory)
    with caplog.at_level(logging.WARNING):
        lost = chip.lines[4].request
        lost.break_off()
        factory.watcher._thread.join(0.2)
    assert [record.message for record in caplog.records] == ["pin lost"]
    with pytest.raises(OSError, match="No such device"):
        _ = contact.value
    assert heard.empty()
    with pytest.raises(OSError, match="No such device"):
        contact.close()
    factory.close()


# --- which chip -----------------------------------------------------------------------------------


@pytest.fixture
def chips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Chips of this machine: device name to label."""
    labels: dict[str, str] = {}

    class Opened:
        def __init__(self, path: str) -> None:
            self.label = labels[Path(path).name]

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def get_info(self):
            return SimpleNamespace(label=self.label, num_lines=54)

    monkeypatch.setattr(gpiod, "Chip", Opened)
    monkeypatch.setattr(gpiod, "is_gpiochip_device", lambda path: Path(path).name in labels)
    return labels


def found(chips: dict[str, str], folder: Path) -> str:
    for name in chips:
        (folder / name).touch()
    return header_chip(folder).name


def test_the_header_of_a_raspberry_pi_is_found_by_its_name_wherever_it_is(chips, tmp_path):
    chips.update(gpiochip0="raspberrypi-exp-gpio", gpiochip4="pinctrl-rp1", gpiochip9="cp2112_gpio")
    assert found(chips, tmp_path) == "gpiochip4"


def test_the_only_chip_of_another_board_is_taken(chips, tmp_path):
    chips.update(gpiochip3="9030000.pl061")
    assert found(chips, tmp_path) == "gpiochip3"


def test_a_second_name_of_one_chip_is_no_second_chip(chips, tmp_path):
    chips.update(gpiochip0="9030000.pl061", gpiochip4="9030000.pl061")
    assert found(chips, tmp_path) == "gpiochip0"


def test_among_several_chips_nothing_is_guessed(chips, tmp_path):
    chips.update(gpiochip0="one", gpiochip1="two")
    with pytest.raises(
        TurnstileFaultError, match=r"several chips .*: one, two; unplug all but one"
    ):
        found(chips, tmp_path)


def test_a_machine_without_a_chip_is_told_so(chips, tmp_path):
    with pytest.raises(TurnstileFaultError, match="no chip with pins"):
        found(chips, tmp_path)


# --- as the configuration asks for it -------------------------------------------------------------


def test_the_library_that_was_asked_for_is_opened_and_no_other(monkeypatch, tmp_path):
    monkeypatch.setattr(gpiod_pins, "header_chip", lambda: tmp_path / "gpiochip0")
    monkeypatch.setattr(gpiod, "Chip", lambda path: FakeChip())
    with open_pins(PinLibrary.GPIOD) as pins:
        assert type(pins.factory) is GpiodFactory
        assert OSError in pins.errors


def test_a_chip_that_may_not_be_opened_is_a_fault_and_no_other_library_is_tried(monkeypatch):
    def refused() -> Path:
        raise PermissionError(errno.EACCES, "Permission denied", "/dev/gpiochip0")

    monkeypatch.setattr(gpiod_pins, "header_chip", refused)
    with (
        pytest.raises(TurnstileFaultError, match="Permission denied"),
        open_pins(PinLibrary.GPIOD),
    ):
        pass


def test_where_gpiod_is_missing_or_too_old_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(gpiod, "api_version", "1.6.3")
    with pytest.raises(ConfigError, match=r"1\.6\.3; it must be 2"), open_pins(PinLibrary.GPIOD):
        pass
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(ConfigError, match="python3-libgpiod"), open_pins(PinLibrary.GPIOD):
        pass
