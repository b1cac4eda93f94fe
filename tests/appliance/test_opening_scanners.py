"""From the configuration file to the reader of a scanner; what an engine cannot do is told then."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from appliance.config import load_config
from appliance.drivers import Drivers
from appliance.errors import ConfigError
from appliance.readers.hid import HidReader
from appliance.readers.serial_port import SerialReader
from appliance.simulator.virtual_clock import VirtualClock

HEAD = 'data = "data"\nserver = "https://tickets.example.org"\n'
SERIAL = '[[readers]]\nkind = "serial"\nport = "/dev/null"\n'


@pytest.fixture
def drivers(tmp_path: Path):
    def of(text: str) -> Drivers:
        path = tmp_path / "gate.toml"
        path.write_text(HEAD + text, encoding="utf-8")
        return Drivers(load_config(path), VirtualClock(), AsyncExitStack())

    return of


def test_a_scanner_that_looks_by_itself_has_no_trigger(drivers):
    made = drivers(SERIAL + 'engine = "gm65"\n')
    (reader,) = made.open_readers()
    assert isinstance(reader, SerialReader)
    assert made.triggers == []


def test_the_scanner_of_a_handheld_is_its_trigger(drivers):
    made = drivers(SERIAL + 'engine = "gm65"\ntrigger = "host"\n')
    assert made.open_readers() == made.triggers


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('trigger = "host"\n', "readers: serial: trigger: no command is known that starts engine"),
        ('engine = "zebra"\nbeeper = "off"\n', "readers: serial: beeper: of engine 'zebra': it is"),
        ('prefix = "a\\r"\n', "readers: serial: prefix and suffix go without CR and LF"),
    ],
)
def test_what_an_engine_cannot_do_is_told_with_the_file(drivers, text: str, told: str):
    with pytest.raises(ConfigError) as caught:
        drivers(SERIAL + text).open_readers()
    assert f"gate.toml: {told}" in str(caught.value)


def test_a_scanner_that_types_is_opened(drivers):
    pytest.importorskip("evdev", reason="python-evdev is not installed")
    text = '[[readers]]\nkind = "hid"\nusb = "0c2e:0b81"\nlayout = "de"\n'
    (reader,) = drivers(text).open_readers()
    assert isinstance(reader, HidReader)
    assert not reader.is_alive()
