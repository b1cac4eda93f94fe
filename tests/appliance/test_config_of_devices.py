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


CAMERA = GATE.replace('kind = "folder"\nfolder = "f"', 'kind = "{}"')


def test_how_a_camera_takes_pictures_is_configured(tmp_path):
    text = "width = 1456\nheight = 1088\nframes_per_s = 60\nexposure_us = 2000\ngain = 4\n"
    text = CAMERA.format("camera") + text + "lens_position = 8\nbuffers = 3\n"
    camera = load(tmp_path, text).readers[0].camera
    assert (camera.width, camera.height, camera.frames_per_s) == (1456, 1088, 60)
    assert (camera.exposure_us, camera.gain, camera.lens_position) == (2000, 4.0, 8.0)
    assert camera.buffers == 3
    assert load(tmp_path, CAMERA.format("camera")).readers[0].camera.lens_position is None


def test_a_webcam_and_a_clip_name_what_they_are(tmp_path):
    webcam = load(tmp_path, CAMERA.format("webcam") + 'device = "/dev/video0"\nwidth = 640\n')
    assert (webcam.readers[0].camera.device, webcam.readers[0].camera.width) == ("/dev/video0", 640)
    clip = load(tmp_path, CAMERA.format("clip") + 'clip = "night.mjpeg"\n')
    assert str(clip.readers[0].camera.clip) == "night.mjpeg"


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("camera", "width = 641\n", "width: 641 is odd, which no camera gives; write 642"),
        ("camera", "gain = 100\n", "gain: must be from 0.0 to 64.0, got 100"),
        ("camera", 'gain = "4"\n', "gain: must be a number, got '4'"),
        ("camera", 'decoder = "gpu"\n', "decoder: 'gpu' is unknown; choose one of process, thread"),
        ("webcam", "", r"device: is missing; add device = …"),
        ("webcam", 'device = "d"\nexposure_us = 1\n', "exposure_us: is not a setting here"),
        ("clip", "", "clip: is missing; add clip = …"),
        ("clip", 'clip = "c"\nwidth = 640\n', "width: is not a setting here"),
    ],
)
def test_what_no_camera_can_be_asked_is_refused_by_name(tmp_path, kind, text, told):
    with pytest.raises(ConfigError, match=rf"readers\[1\]\.{told}"):
        load(tmp_path, CAMERA.format(kind) + text)
