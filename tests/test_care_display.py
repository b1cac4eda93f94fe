"""`portillon care boot-display`: a picture that stays on the panel when the program has ended."""

from functools import partial
from pathlib import Path

import pytest

from appliance.displays import oled
from appliance.displays.screens import draw
from appliance.ports import Look, Screen
from appliance.simulator.i2c_panel import I2cPanel
from caretaker.machine_file import tell
from caretaker.places import Places
from portillon import care_display
from portillon.__main__ import main

# luma still reads pixels through a method that Pillow renamed; it works until Pillow 14.
pytestmark = pytest.mark.filterwarnings("ignore:Image.Image.getdata is deprecated")
OPEN_I2C = oled.open_i2c


@pytest.fixture
def panel(tmp_path, monkeypatch):
    panel = I2cPanel()

    def opened(chip, *, port, address, **more):
        return OPEN_I2C(chip, bus=panel, **more)

    monkeypatch.setattr(oled, "open_i2c", opened)
    monkeypatch.setattr(care_display, "Places", partial(Places, tmp_path))
    configured(tmp_path, "oled")
    return panel


def configured(root: Path, kind: str) -> None:
    path = Places(root).config
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        'data = "d"\nlanguage = "en"\n[[readers]]\nkind = "folder"\nfolder = "p"\n'
        f'[display]\nkind = "{kind}"\n'
    )


@pytest.mark.parametrize(
    ("words", "look"), [([], Look.STARTING), (["--say", "failed"], Look.OUT_OF_SERVICE)]
)
def test_the_picture_stays_on_the_panel(panel, words, look):
    assert main(["care", "boot-display", *words]) == 0
    assert panel.is_on
    assert panel.lit() == draw(Screen(look), "en", (128, 64), "1").tobytes()


def test_a_gate_whose_display_is_a_page_shows_nothing_without_its_daemon(panel, tmp_path):
    configured(tmp_path, "picture")
    assert main(["care", "boot-display"]) == 0
    assert not panel.is_on


def test_a_panel_that_does_not_answer_is_told(panel, capsys):
    panel.fault = OSError(121, "Remote I/O error")
    assert main(["care", "boot-display"]) == 1
    assert "the panel" in capsys.readouterr().err


def not_set_up(root: Path, provision: dict[str, object] | None) -> None:
    Places(root).config.unlink()
    if provision is not None:
        tell(Places(root), provision=provision)


def test_a_machine_without_a_file_says_that_it_waits_for_one(panel, tmp_path):
    not_set_up(tmp_path, None)
    assert main(["care", "boot-display", "--say", "not-set-up"]) == 0
    shown = Screen(Look.OUT_OF_SERVICE, fault="GT-CFG", detail="gate.toml ?")
    assert panel.lit() == draw(shown, "fr", (128, 64), "1").tobytes()


def test_a_file_that_was_refused_is_told_by_its_first_fault_in_its_own_language(panel, tmp_path):
    lines = ["line 3: name: is missing", "line 9: server: is missing"]
    not_set_up(tmp_path, {"outcome": "refused", "lines": lines, "language": "en"})
    assert main(["care", "boot-display", "--say", "not-set-up"]) == 0
    shown = Screen(Look.OUT_OF_SERVICE, fault="GT-CFG", detail=lines[0])
    assert panel.lit() == draw(shown, "en", (128, 64), "1").tobytes()


@pytest.mark.parametrize(
    "said",
    [{"outcome": "refused", "lines": "odd"}, {"outcome": "none", "lines": []}, "odd", {}],
)
def test_whatever_the_caretaker_left_the_machine_says_that_it_is_not_set_up(panel, tmp_path, said):
    not_set_up(tmp_path, said)
    assert main(["care", "boot-display", "--say", "not-set-up"]) == 0
    assert panel.is_on
