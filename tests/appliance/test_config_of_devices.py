"""Settings of devices that few gates need, and that they reach the driver."""

import pytest

from appliance.config import load_config
from appliance.errors import ConfigError

GATE = 'data = "d"\nserver = "http://127.0.0.1:1"\n[[readers]]\nkind = "folder"\nfolder = "f"\n'


def load(tmp_path, text):
    path = tmp_path / "gate.toml"
    path.write_text(text, "utf-8")
    return load_config(path)


def test_itf_is_read_with_the_lengths_that_are_tickets(tmp_path):
    config = load(tmp_path, GATE + 'symbologies = ["ITF"]\nitf_lengths = [14, 16]\n')
    assert config.readers[0].itf_lengths == (14, 16)


@pytest.mark.parametrize("value", ['"14"', "[1]", "[true]", '["14"]', "[14, 2000]"])
def test_lengths_that_are_none_are_refused_by_name(tmp_path, value):
    with pytest.raises(ConfigError, match=r"itf_lengths: must be a list of whole numbers"):
        load(tmp_path, GATE + f"itf_lengths = {value}\n")


def test_a_contact_may_open_for_a_passage_and_pull_up(tmp_path):
    text = GATE + "[turnstile]\nsensor_normally_closed = true\nsensor_pull_up = false\n"
    arm = load(tmp_path, text).turnstile
    assert (arm.sensor_normally_closed, arm.sensor_pull_up) == (True, False)


def test_how_pictures_are_looked_at_is_configured(tmp_path):
    text = "region_percent = [10, 20, 80, 60]\ncode_percent_min = 5\nconfirm_refusals = 3\n"
    camera = load(tmp_path, GATE + text + "idle_frames_per_s = 5\n").readers[0].camera
    assert (camera.region_percent, camera.code_percent_min) == ((10, 20, 80, 60), 5)
    assert (camera.confirm_refusals, camera.idle_frames_per_s) == (3, 5)


@pytest.mark.parametrize(
    ("region", "told"),
    [
        ("[1, 2, 3]", "must be left, top, width, height; write four"),
        ("[50, 0, 51, 10]", "reaches out of the picture or is empty; correct it"),
        ("[0, 0, 0, 10]", "reaches out of the picture or is empty; correct it"),
        ("[0, 0, 10, 101]", "must be a list of whole numbers from 0 to 100"),
    ],
)
def test_a_region_that_is_none_is_refused_by_name(tmp_path, region, told):
    with pytest.raises(ConfigError, match=rf"readers\[1\]\.region_percent: {told}"):
        load(tmp_path, GATE + f"region_percent = {region}\n")
