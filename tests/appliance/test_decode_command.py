"""`portillon decode`: what each decoder sees on pictures, and what the gate would get."""

import json

import numpy as np
import pytest
from PIL import Image

from appliance.picture_trial import FRAMES_MAX
from appliance.simulator.ticket_pictures import beside, draw_code
from portillon.__main__ import main


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "ticket.png"
    draw_code(b"T-0123456789").save(path)
    return path


def said(capsys, *arguments, status=0):
    assert main(["decode", *map(str, arguments)]) == status
    return json.loads(capsys.readouterr().out)


def test_the_pipeline_says_what_the_gate_would_get(picture, capsys):
    (entry,) = said(capsys, "--json", "--pipeline", picture)
    cpu_ms = entry.pop("cpu_ms")
    assert cpu_ms > 0
    assert entry == {
        "file": str(picture),
        "reads": [{"symbology": "QRCode", "text": "T-0123456789", "bytes": b"T-0123456789".hex()}],
        "frames": 1,
    }


def test_every_kind_of_ticket_is_read_with_its_exact_bytes(tmp_path, capsys):
    codes = {
        "QRCode": bytes(range(128, 188)), "Aztec": b"\x00\xff\x80 bytes", "DataMatrix": b"D\xe9M",
        "PDF417": b"P\xffDF", "Code128": b"CODE-128", "Code39": b"CODE39", "ITF": b"12345678901231",
        "EAN13": b"4006381333931",
    }  # fmt: skip
    paths = []
    for symbology, data in codes.items():
        paths.append(tmp_path / f"{symbology}.png")
        draw_code(data, symbology).save(paths[-1])
    entries = said(capsys, "--json", "--pipeline", *paths)
    found = {entry["reads"][0]["symbology"]: entry["reads"][0]["bytes"] for entry in entries}
    assert found == {symbology: data.hex() for symbology, data in codes.items()}


def test_a_familys_tickets_on_one_page_are_all_told(tmp_path, capsys):
    path = tmp_path / "four.png"
    beside(*(draw_code(b"FAMILY-%d" % number) for number in range(4))).save(path)
    (entry,) = said(capsys, "--json", "--pipeline", path)
    assert sorted(read["text"] for read in entry["reads"]) == [f"FAMILY-{n}" for n in range(4)]


def test_a_picture_without_a_code_is_held_for_all_frames(tmp_path, capsys):
    path = tmp_path / "nothing.webp"
    Image.fromarray(np.full((300, 400), 90, np.uint8)).save(path)
    (entry,) = said(capsys, "--json", "--pipeline", path)
    assert (entry["reads"], entry["frames"]) == ([], FRAMES_MAX)


def test_what_cannot_be_opened_is_named_and_the_others_are_read(tmp_path, picture, capsys):
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:80])
    missing = tmp_path / "missing.jpg"
    entries = said(capsys, "--json", "--pipeline", broken, missing, picture, status=1)
    assert ["error" in entry for entry in entries] == [True, True, False]
    assert entries[2]["reads"][0]["text"] == "T-0123456789"


def test_each_decoder_is_asked_and_told_with_its_time_and_confidence(picture, capsys):
    (entry,) = said(capsys, "--json", picture)
    assert {"zxing_cpp", "stretch", "half_size"} <= entry["cpu_ms"].keys()
    decoders = {read["decoder"] for read in entry["reads"]}
    assert "zxing_cpp" in decoders
    assert all(0 < read["confidence"] <= 1 for read in entry["reads"])


def test_people_get_a_table_that_no_code_can_disturb(tmp_path, capsys):
    path = tmp_path / "escape.png"
    draw_code(b"\x1b[31mred\n").save(path)
    for options in ([], ["--pipeline"]):
        assert main(["decode", *options, str(path)]) == 0
        table = capsys.readouterr().out
        assert "\x1b" not in table
        assert "\\x1b[31mred\\n" in table


def test_a_large_photograph_is_looked_at_in_all_its_detail(tmp_path, capsys):
    path = tmp_path / "large.png"
    paper = Image.new("L", (4200, 3200), 230)
    paper.paste(draw_code(b"SMALL ON A LARGE PAGE").resize((110, 110)), (2000, 1500))
    paper.save(path)
    (entry,) = said(capsys, "--json", "--pipeline", path)
    assert [read["text"] for read in entry["reads"]] == ["SMALL ON A LARGE PAGE"]
