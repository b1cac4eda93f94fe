"""What is read of a board: all of it, whatever becomes of one file, and nobody's business never."""

import json
from pathlib import Path

import pytest

from appliance.board_facts import read_board
from fake_board import FILES, SECRETS, make_board


@pytest.fixture
def root(tmp_path):
    return make_board(tmp_path)


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_a_whole_board_is_told(root):
    assert read_board(root) == {
        "board": {
            "model": "Raspberry Pi 4 Model B Rev 1.4",
            "compatible": "not told",
            "revision": "b03114",
            "processor": "not told",
            "memory": "1855 MB, 1464 MB free",
        },
        "firmware": {
            "built": "2024-12-11",
            "updated": "never",
            "version": "a1b2c3d4e5f6",
            "boot mode": "1",
            "partition": "3",
            "tryboot": "yes",
            "reset by": "not told",
        },
        "system": {
            "debian": "Debian GNU/Linux 13 (trixie)",
            "image": "0.2.0+1",
            "flavour": "debian",
            "experimental": "no",
            "architecture": "aarch64",
            "kernel": "6.12.0-arm64",
            "up s": "731",
        },
        "slots": {
            "version": "not told",
            "slot": "b",
            "update": "trying 0.2.0+1",
            "root": "squashfs ro,relatime,errors=continue",
            "data": "ext4 rw,noatime,commit=5,errors=remount-ro",
            "boot": "not told",
        },
        "supply and heat": {
            "temperature": "51.2 °C",
            "under voltage now": "yes",
            "under voltage since start": "yes",
            "throttled": "yes",
            "firmware word": (
                "0x50005: under-voltage now, throttled now, "
                "under-voltage since start, throttled since start"
            ),
        },
        "card": {
            "mmcblk0": (
                "29.7 GiB, type SD, name SN32G, manfid 0x000003, oemid 0x5344, date 05/2024, "
                "hwrev 0x8, fwrev 0x0"
            )
        },
        "clocks": {"rtc0": "rtc-ds1307 1-0068, set the time", "counted by": "arch_sys_counter"},
        "watchdogs": {
            "watchdog0": "Broadcom BCM2835 Watchdog timer, bites after 15 s, active",
        },
        "pins": {"gpiochip0": "pinctrl-bcm2711, brcm,bcm2711-gpio"},
        "buses": {"1-0068": "ds3231", "i2c-1": "bcm2835 (i2c@7e804000)"},
        "scanners": {"usb 1-1 0c2e:0b61": "serial, types (HID)", "ttyACM0": ""},
        "cameras": {"video0": "unicam-image"},
        "network": {"wired": "1", "wireless": "1", "with a link": "1"},
    }


def test_no_serial_number_no_address_and_no_name_is_told(root):
    said = json.dumps(read_board(root))
    assert [word for word in SECRETS if word in said] == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "harm",
    [
        Path.unlink,
        as_a_folder,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\x00\x1b[31m=:, /" * 9_000),
        lambda path: path.write_bytes(b"9" * 70_000),
        lambda path: path.write_bytes(b"--5\n"),
    ],
    ids=["gone", "folder", "empty", "garbage", "endless", "odd"],
)
def test_whatever_one_file_is_the_others_are_told_and_nothing_unprintable_is(root, name, harm):
    whole = read_board(root)
    harm(root / name)
    found = read_board(root)
    assert found.keys() == whole.keys()
    kept = [section for section in whole if found[section] == whole[section]]
    assert len(kept) >= len(whole) - 3
    words = [word for facts in found.values() for pair in facts.items() for word in pair]
    assert all(word.isprintable() and len(word) <= 1_000 for word in words)


def test_a_file_that_is_there_and_cannot_be_read_says_why(root):
    (root / "proc/device-tree/chosen/bootloader/tryboot").write_bytes(b"1")
    as_a_folder(root / "proc/device-tree/model")
    found = read_board(root)
    assert found["firmware"]["tryboot"] == "not understood"
    assert found["board"]["model"] == "cannot be read: Is a directory"


def test_a_board_that_nothing_held_back_says_so(root):
    (root / "sys/devices/platform/soc/soc:firmware/get_throttled").write_bytes(b"0\n")
    assert read_board(root)["supply and heat"]["firmware word"] == "0x0: nothing"
