"""The settings of scanners: where they are, their make, and what of it is overridden."""

from pathlib import Path

import pytest

from appliance import scanners_config
from appliance.config import load_config
from appliance.errors import ConfigError
from appliance.readers.keyboard_layouts import LAYOUTS
from appliance.scanners_config import HidConfig, SerialConfig

HEAD = 'data = "data"\nserver = "https://tickets.example.org"\n'
SERIAL = HEAD + '[[readers]]\nkind = "serial"\n'
PORT = 'port = "/dev/serial/by-id/a"\n'


@pytest.fixture
def load(tmp_path: Path):
    def load_text(text: str):
        path = tmp_path / "gate.toml"
        path.write_text(text, encoding="utf-8")
        return load_config(path).readers

    return load_text


@pytest.fixture
def complaint(load):
    def told(text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text)
        return str(caught.value).partition("gate.toml: ")[2]

    return told


def test_a_port_alone_is_enough(load):
    (reader,) = load(SERIAL + PORT)
    assert reader.serial == SerialConfig(port="/dev/serial/by-id/a")
    assert reader.hid is None


def test_every_setting_of_a_serial_scanner(load):
    (reader,) = load(
        SERIAL + 'usb = "0C2E:0b61:A:1"\nengine = "honeywell"\nbaud = 9600\ndata_format = "7E1"\n'
        'prefix = "<"\nsuffix = ">"\naim_identifier = true\ntrigger = "host"\nbeeper = "off"\n'
        'opening = ""\ntrigger_start = "16 54 0d"\ntrigger_stop = "16550D"\nduplicates_s = 2\n'
    )
    assert reader.serial == SerialConfig(
        usb="0c2e:0b61:A:1", engine="honeywell", baud=9600, data_format="7E1", prefix="<",
        suffix=">", aim_identifier=True, trigger="host", beeper="off", opening=b"",
        trigger_start=b"\x16T\r", trigger_stop=b"\x16U\r", duplicates_s=2.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("", "port: is missing"),
        (PORT + 'usb = "0c2e:0b61"\n', "usb: stands beside port; leave one of the two out"),
        ('usb = "ttyACM0"\n', "usb: 'ttyACM0' is no USB name; write \"VENDOR:PRODUCT\""),
        (PORT + 'engine = "gm66"\n', "engine: 'gm66' is unknown; choose one of plain, honeywell"),
        (PORT + "baud = 1\n", "baud: must be a whole number from 300 to 4000000, got 1"),
        (PORT + 'data_format = "9N1"\n', "data_format: '9N1' is unknown; choose one of 8N1"),
        (PORT + 'trigger = "yes"\n', "trigger: 'yes' is unknown; choose one of presentation, host"),
        (PORT + 'trigger_start = "SYN"\n', "trigger_start: 'SYN' is not hexadecimal; write bytes"),
        (PORT + f'opening = "{"00" * 257}"\n', "opening: is over 256 bytes; shorten it"),
        (PORT + 'symbologies = ["QRCode"]\n', "symbologies: is not a setting here; remove it"),
        (PORT + "duplicates_s = -1\n", "duplicates_s: must be from 0.0 to 60.0 seconds, got -1"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(complaint, wrong: str, told: str):
    assert complaint(SERIAL + wrong).startswith(f"readers[1].{told}")


@pytest.mark.parametrize("where", [PORT, 'usb = "0c2e:0b61"\n'])
def test_two_readers_of_one_scanner_are_told(complaint, where: str):
    second = '[[readers]]\nkind = "serial"\nname = "other"\n' + where
    told = complaint(SERIAL + where + second)
    assert told == "readers: 'serial' and 'other' read one serial; leave one out"


HID = HEAD + '[[readers]]\nkind = "hid"\n'


def test_a_scanner_that_types_has_a_layout(load):
    (reader,) = load(HID + 'usb = "0C2E:0B81"\nlayout = "fr"\nduplicates_s = 0\n')
    assert reader.hid == HidConfig(usb="0c2e:0b81", layout="fr", duplicates_s=0.0)
    assert reader.serial is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("", "port: is missing"),
        (PORT + 'layout = "es"\n', "layout: 'es' is unknown; choose one of us, fr, de"),
        (PORT + "baud = 9600\n", "baud: is not a setting here; remove it"),
    ],
)
def test_what_is_wrong_with_one_that_types_is_told_with_its_key(complaint, wrong, told):
    assert complaint(HID + wrong).startswith(f"readers[1].{told}")


def test_the_layouts_are_those_that_there_are_tables_of():
    assert set(scanners_config.LAYOUTS) == set(LAYOUTS)
