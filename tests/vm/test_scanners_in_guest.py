"""Scanners on real USB, from the device's bytes to the gate's payloads."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.vm]

BINARY = bytes(range(0x80, 0xA0)) + b"\x1d\x00"


def test_a_serial_scanner_is_found_by_its_id_read_and_found_again_under_another_number(guest):
    proof = guest.run("serial_proof.py")
    assert proof["nothing"]["is_alive"] is False
    assert proof["read"]["device"] == "/dev/ttyACM0"
    assert proof["read"]["codes"] == [b"TKT-a1B2-99X".hex(), BINARY.hex()]
    assert proof["read"]["symbologies"] == ["QRCode", "DataMatrix"]
    assert proof["unplugged"]["gone_s"] < 5
    assert proof["unplugged"]["names"] == []
    assert proof["replugged"]["device"] == "/dev/ttyACM1"
    assert proof["replugged"]["code"] == "TKT-AGAIN"
    assert proof["replugged"]["codes"] == 3


def test_a_scanner_that_types_is_grabbed_read_and_found_again_under_another_number(guest):
    proof = guest.run("hid_proof.py")
    assert proof["read"]["codes"] == ["TKT-a1B2-99X"]
    assert proof["read"]["second_grab"] == "Device or resource busy"
    assert proof["read"]["seen_by_others"] is False  # no ticket is typed into a console
    assert proof["unplugged"]["gone_s"] < 5
    assert proof["replugged"]["device"] != proof["found"]["device"]
    assert proof["replugged"]["code"] == "tkt-AGAIN"
    assert proof["replugged"]["codes"] == 2
