"""Cameras through the real libraries and on a real kernel, from a picture to an opened arm."""

import asyncio

import pytest

from gate_for_guest import enrolled_gate, save_film, save_picture

pytestmark = [pytest.mark.slow, pytest.mark.vm]

ON_NO_LIST = "NOT-ON-ANY-LIST"


async def test_a_ticket_before_libcameras_virtual_camera_opens_the_arm_through_either_library(
    camera_guest, tmp_path
):
    (camera_guest.job / "gate").mkdir()
    tickets = await enrolled_gate(tmp_path / "stage", camera_guest.job / "gate")
    libraries = ("picamera2", "libcamera")
    for library, ticket in zip(libraries, tickets, strict=True):
        save_film(camera_guest.job / "films" / library, 7, ticket, ON_NO_LIST)
    proof = await asyncio.to_thread(camera_guest.run, "camera_proof.py")
    for library in libraries:
        assert proof[library]["library"] == library
        assert proof[library]["answers"].count("granted") == 1
        assert set(proof[library]["answers"]) == {"granted", "unknown_ticket", "already_used"}
        assert proof[library]["relay"] == [True, False]
        assert 0.45 < proof[library]["pulse_s"] < 1.5
    kinds = proof["journal"]["kinds"]
    assert kinds.count("GRANTED") == kinds.count("PASSED") == 2


async def test_a_webcam_that_falls_silent_or_is_pulled_out_is_opened_again_and_reads_a_ticket(
    guest, tmp_path
):
    (guest.job / "gate").mkdir()
    ticket, _ = await enrolled_gate(tmp_path / "stage", guest.job / "gate")
    save_picture(guest.job / "pictures/listed.png", 7, ticket)
    save_picture(guest.job / "pictures/unlisted.png", 8, ON_NO_LIST)
    proof = await asyncio.to_thread(guest.run, "webcam_proof.py")
    assert proof["there"]["format"] == ["GREY", 1280, 720]  # no colour is asked for, nor converted
    assert proof["silent"]["why"] == "no picture for 2.0 s"
    assert proof["silent"]["lost_after_s"] > 1.9
    assert "No such device" in proof["unplugged"]["why"]
    assert proof["unplugged"]["lost_after_s"] < 1
    assert proof["shown"]["answers"] == ["granted", "unknown_ticket"]
    assert proof["shown"]["relay"] == [True, False]
    assert sorted(proof["journal"]["kinds"]) == ["DENIED", "GRANTED", "PASSED"]
