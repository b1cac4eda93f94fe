"""What the configuration says of display, light and sound, and that it reaches the drivers."""

from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time

import pytest

from appliance.config import load_config
from appliance.drivers import Drivers
from appliance.errors import ConfigError, DisplayLostError
from appliance.faces_config import Hours
from appliance.ports import Look, Screen
from appliance.simulator.virtual_clock import VirtualClock

GATE = 'data = "d"\nserver = "http://127.0.0.1:1"\n'
READER = '[[readers]]\nkind = "folder"\nfolder = "f"\n'
GPIOD = '[signals]\nkind = "gpio"\npin_factory = "gpiod"\n'
SPI = '[display]\nkind = "oled"\nwire = "spi"\npin_factory = "mock"\n'


def load(tmp_path, head="", tables=""):
    path = tmp_path / "gate.toml"
    path.write_text(GATE + head + READER + tables, "utf-8")
    return load_config(path)


def refused(tmp_path, match, head="", tables=""):
    with pytest.raises(ConfigError, match=match):
        load(tmp_path, head, tables)


@pytest.mark.parametrize(
    ("head", "languages"),
    [
        ("", ("fr",)),
        ('language = "en"\n', ("en",)),
        ('languages = ["en", "fr"]\n', ("en", "fr")),
        ('language = "en"\nlanguages = ["en", "fr"]\n', ("en", "fr")),
    ],
)
def test_a_gate_speaks_its_own_language_first(tmp_path, head, languages):
    config = load(tmp_path, head)
    assert (config.language, config.languages) == (languages[0], languages)


@pytest.mark.parametrize(
    ("head", "match"),
    [
        ('languages = ["fr", "de"]\n', r"languages: 'de' is unknown; choose among fr, en"),
        ('languages = ["fr", "fr"]\n', r"languages: names one twice"),
        ('language = "en"\nlanguages = ["fr", "en"]\n', r"language: is not the first of languages"),
        ('timezone = "Paris"\n', r"timezone: 'Paris' is unknown; write a name like Europe/Paris"),
    ],
)
def test_languages_and_time_zones_that_are_none_are_refused(tmp_path, head, match):
    refused(tmp_path, match, head)


@pytest.mark.parametrize("hours", ["22:00", "24:00-07:00", "7:00-8:00", "22:00-22:00", "night"])
@pytest.mark.parametrize(("table", "key"), [("display", "night"), ("signals", "quiet")])
def test_hours_that_are_no_part_of_a_day_are_refused(tmp_path, table, key, hours):
    refused(tmp_path, rf"{table}\.{key}: ", tables=f'[{table}]\n{key} = "{hours}"\n')


@pytest.mark.parametrize(
    ("hours", "within", "outside"),
    [
        (Hours(22 * 60, 7 * 60), ("22:00", "23:59", "00:00", "06:59"), ("07:00", "21:59", "12:00")),
        (Hours(8 * 60, 12 * 60), ("08:00", "11:59"), ("12:00", "07:59", "00:00")),
    ],
)
def test_hours_may_go_over_midnight(hours, within, outside):
    for clock, holds in ((within, True), (outside, False)):
        for at in clock:
            day = datetime.combine(date(2026, 6, 1), time.fromisoformat(at), UTC)
            assert hours.hold(day) is holds


@pytest.mark.parametrize(
    ("tables", "match"),
    [
        ('[display]\nkind = "oled"\nchip = "ssd1322"\n', r"display\.wire: ssd1322 has no I2C"),
        (SPI + "spi_mhz = 3\n", r"display\.spi_mhz: must be 1, 2, 4, 8 or 16"),
        (SPI + "bus = 2\n", r"display\.bus: must be a whole number from 0 to 1"),
        (SPI + "dc_pin = 25\n", r"display\.reset_pin: pin 25 is used by display\.dc_pin too"),
        (SPI + "dc_pin = 11\n", r"display\.dc_pin: pin 11 is used by display\.bus too"),
        ('[display]\nwire = "usb"\n', r"display\.wire: 'usb' is unknown; choose one of i2c, spi"),
        ('[signals]\nbuzzer = "loud"\n', r"signals\.buzzer: 'loud' is unknown"),
        (GPIOD, r"signals\.lamp_dims: gpiod lights lamps fully or not; write false"),
        (GPIOD + "lamp_dims = false\nbuzzer_pin = 12\n", r"signals\.buzzer: gpiod plays no tones"),
        (
            GPIOD + "lamp_dims = false\n[turnstile]\nkind = 'relay'\nentry_pin = 5\n",
            r"signals\.red_pin: pin 5 is used by turnstile\.entry_pin too",
        ),
        ("[signals]\nvolume = 101\n", r"signals\.volume: must be a whole number from 0 to 100"),
    ],
)
def test_what_cannot_be_wired_so_is_refused_by_name(tmp_path, tables, match):
    refused(tmp_path, match, tables=tables)


def test_lamps_that_are_on_or_off_and_a_buzzer_with_its_own_tone_hang_on_gpiod(tmp_path):
    tables = GPIOD + 'lamp_dims = false\nbuzzer_pin = 12\nbuzzer = "active"\n'
    assert load(tmp_path, tables=tables).signals.pin_factory == "gpiod"


def test_a_wide_panel_has_its_own_width(tmp_path):
    panel = load(tmp_path, tables=SPI + 'chip = "ssd1322"\n').display
    assert (panel.width, panel.height) == (256, 64)


def drivers(stack: AsyncExitStack, tmp_path, clock, head="", tables="") -> Drivers:
    return Drivers(load(tmp_path, head, tables), clock, stack)


async def test_a_panel_that_is_not_there_is_a_lost_display_on_either_bus(tmp_path):
    async with AsyncExitStack() as stack:
        for tables in (SPI, '[display]\nkind = "oled"\nbus = 31\n'):
            opened = drivers(stack, tmp_path, VirtualClock(), tables=tables)
            (display,) = await opened.open_displays()
            with pytest.raises((DisplayLostError, ConfigError)):
                await display.show(Screen(Look.IDLE))


async def test_a_buzzer_is_quiet_in_the_quiet_hours_of_the_venue(tmp_path):
    tables = '[signals]\nkind = "gpio"\nbuzzer_pin = 12\npin_factory = "mock"\n'
    tables += 'quiet = "22:00-08:00"\nquiet_volume = 0\nbuzzer = "active"\nlamp_dims = false\n'
    loud = []
    for hour in (19, 20, 21):  # UTC; in June Paris is two hours ahead
        clock = VirtualClock(datetime(2026, 6, 1, hour, tzinfo=UTC))
        async with AsyncExitStack() as stack:
            zone = 'timezone = "Europe/Paris"\n'
            opened = drivers(stack, tmp_path, clock, zone, tables)
            (signals,) = await opened.open_signals()
            await signals.signal(Screen(Look.GRANTED))
            loud.append(bool(opened.pins("mock").factory.pin(12).state))
    assert loud == [True, False, False]
