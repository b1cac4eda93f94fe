"""The pictures of the wiring are what the configuration says today, whole, and readable."""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import wiring_diagrams  # noqa: E402
import wiring_pins  # noqa: E402
from wiring_diagrams import PICTURES  # noqa: E402
from wiring_drawing import Box, Drawing, Terminal, TooWideError  # noqa: E402
from wiring_pins import GROUNDS, HEADER, SUPPLIES, pins_in_use, shown  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
PAGE = (ROOT / "docs/operations/wiring.md").read_text("utf-8")


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_in_the_documentation_is_what_the_configuration_says(name):
    kept = (ROOT / "docs/pictures" / name).read_text("utf-8")
    assert PICTURES[name]().svg() == kept, "run: python tools/wiring_diagrams.py"
    assert f"](../pictures/{name})" in PAGE


def test_the_page_and_the_folder_have_no_other_picture():
    named = set(re.findall(r"\.\./pictures/(wiring-[\w-]+\.svg)", PAGE))
    kept = {path.name for path in (ROOT / "docs/pictures").glob("wiring-*")}
    assert named == kept == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_no_wire_goes_through_a_text(name):
    assert PICTURES[name]().crossed() == []


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_read_out_by_its_title_and_what_it_shows(name):
    root = ET.fromstring(PICTURES[name]().svg())
    named = {one.get("id"): one.text for one in (root.find(f"{SVG}title"), root.find(f"{SVG}desc"))}
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == list(named)
    assert len(named["about"]) > 100


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_texts_and_wires_stand_out_in_light_and_in_dark():
    style = ET.fromstring(PICTURES["wiring-arm.svg"]().svg()).find(f"{SVG}style").text
    light, dark = style.split("@media")
    for part in (light, dark):
        colours = dict(re.findall(r"--(\w+):(#\w+)", part))
        for words in ("ink", "soft"):
            assert min(contrast(colours[words], colours[at]) for at in ("paper", "box")) >= 4.5
        for wire in ("power", "ground", "signal", "contact", "alarm"):
            assert contrast(colours[wire], colours["paper"]) >= 3


def test_every_pin_of_the_header_is_one_thing():
    every = [*HEADER.values(), *SUPPLIES, *GROUNDS]
    assert sorted(every) == list(range(1, 41))
    assert sorted(HEADER) == list(range(28))


def test_the_pins_are_those_of_the_configuration(monkeypatch, tmp_path):
    used = pins_in_use()
    assert used[17] == "turnstile.entry_pin"
    assert used[16] == "turnstile.fire_pin"
    other = tmp_path / "gate.toml"
    text = wiring_pins.EXAMPLE.read_text("utf-8")
    other.write_text(text.replace("entry_pin = 17", "entry_pin = 26", 1))
    monkeypatch.setattr(wiring_pins, "EXAMPLE", other)
    monkeypatch.setattr(wiring_pins, "shown", shown.__wrapped__)
    assert pins_in_use()[26] == "turnstile.entry_pin"
    assert "GPIO 26" in PICTURES["wiring-arm.svg"]().svg()


def test_a_setting_that_the_example_does_not_show_is_an_error():
    with pytest.raises(KeyError, match=r"turnstile\.no_pin"):
        shown("turnstile", "no_pin")


def test_what_does_not_fit_is_refused():
    drawing = Drawing("Small", "about", 300, 200)
    with pytest.raises(TooWideError, match="may have"):
        drawing.text(10, 40, "a text that is wider than its place", 16, room=100)
    with pytest.raises(TooWideError, match="leaves the picture"):
        drawing.box(Box(10, 10, 200, "High", left=[Terminal("one")] * 9))
    with pytest.raises(TooWideError, match="above the picture"):
        drawing.text(10, 199, "low", 16, room=100)


def test_a_text_that_a_wire_goes_through_is_found():
    drawing = Drawing("Small", "about", 300, 200)
    drawing.text(100, 100, "crossed", 16, room=100)
    drawing.text(150, 150, "free", 16, room=100)
    drawing.wire((10, 60), (290, 180), "signal", lane=110)
    assert drawing.crossed() == ["crossed"]
    with pytest.raises(ValueError, match="needs a lane"):
        drawing.wire((0, 0), (9, 9), "signal")


def test_the_command_writes_all_of_them(tmp_path, capsys):
    wiring_diagrams.main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(PICTURES)
    assert capsys.readouterr().out.count(".svg") == len(PICTURES)
