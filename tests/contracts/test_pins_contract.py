"""What every pin library keeps to under gpiozero's devices: the mock's, and ours over libgpiod."""

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from appliance.turnstiles.gpiod_pins import GpiodFactory
from fake_gpiochip import FakeChip

PIN, OTHER = 4, 5


@dataclass
class Board:
    """A pin factory and the wires at its pins."""

    factory: Any
    pull: Callable[[int, bool], None]
    driven: Callable[[int], list[bool]]


def mock_board() -> Board:
    factory = MockFactory()

    def pull(number: int, level: bool) -> None:
        pin = factory.pin(number)
        pin.drive_high() if level else pin.drive_low()

    def driven(number: int) -> list[bool]:
        return [bool(state.state) for state in factory.pin(number).states][1:]  # [0] is as made

    return Board(factory, pull, driven)


def gpiod_board() -> Board:
    chip = FakeChip()
    return Board(GpiodFactory(chip), chip.pull, lambda number: chip.lines[number].levels)


@pytest.fixture(params=[mock_board, gpiod_board], ids=["mock", "gpiod"])
def board(request: pytest.FixtureRequest) -> Iterator[Board]:
    made = request.param()
    yield made
    made.factory.close()


@pytest.mark.parametrize("active_high", [True, False])
def test_an_output_is_at_rest_from_the_first_moment_on(board: Board, active_high: bool):
    with gpiozero.OutputDevice(
        PIN, active_high=active_high, initial_value=False, pin_factory=board.factory
    ) as relay:
        assert relay.value == 0
        assert set(board.driven(PIN)) <= {not active_high}
        relay.on()
        assert relay.value == 1
        relay.off()
    assert board.driven(PIN)[-2:] == [active_high, not active_high]


@pytest.mark.parametrize("pull_up", [True, False])
def test_an_input_is_pulled_and_hears_its_wire_both_ways(board: Board, pull_up: bool):
    heard: queue.Queue[bool] = queue.Queue()
    with gpiozero.DigitalInputDevice(PIN, pull_up=pull_up, pin_factory=board.factory) as contact:
        assert contact.value == 0
        contact.when_activated = lambda: heard.put(True)
        contact.when_deactivated = lambda: heard.put(False)
        for _ in range(3):
            board.pull(PIN, not pull_up)
            assert heard.get(timeout=5) is True
            board.pull(PIN, pull_up)
            assert heard.get(timeout=5) is False
        assert heard.empty()


def test_a_pin_belongs_to_one_device_until_that_is_closed(board: Board):
    with (
        gpiozero.OutputDevice(PIN, pin_factory=board.factory),
        pytest.raises(gpiozero.GPIOPinInUse),
    ):
        gpiozero.DigitalInputDevice(PIN, pull_up=True, pin_factory=board.factory)
    with gpiozero.DigitalInputDevice(PIN, pull_up=True, pin_factory=board.factory) as contact:
        assert contact.value == 0


def test_two_contacts_do_not_hear_each_other(board: Board):
    heard: queue.Queue[str] = queue.Queue()
    with (
        gpiozero.DigitalInputDevice(PIN, pull_up=True, pin_factory=board.factory) as one,
        gpiozero.DigitalInputDevice(OTHER, pull_up=True, pin_factory=board.factory) as other,
    ):
        one.when_activated = lambda: heard.put("one")
        other.when_activated = lambda: heard.put("other")
        board.pull(OTHER, False)
        assert heard.get(timeout=5) == "other"
        board.pull(PIN, False)
        assert heard.get(timeout=5) == "one"


def test_a_closed_contact_hears_nothing_and_may_be_opened_again(board: Board):
    heard: queue.Queue[bool] = queue.Queue()
    for _ in range(3):
        with gpiozero.DigitalInputDevice(PIN, pull_up=True, pin_factory=board.factory) as contact:
            contact.when_activated = lambda: heard.put(True)
            board.pull(PIN, False)
            assert heard.get(timeout=5)
            board.pull(PIN, True)
        board.pull(PIN, False)
        board.pull(PIN, True)
        assert heard.empty()
