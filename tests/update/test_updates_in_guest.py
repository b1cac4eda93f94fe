"""Updates on an emulated machine with two slots: whatever goes wrong, it is back on a version.

One card goes through six starts: real RAUC, systemd, the caretaker's own units. The firmware is
played by the test (tests/support/pi_firmware.py), the gate is a stand-in that says how it is.
"""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from caretaker.autoboot import document
from pi_firmware import Firmware, Start
from update_card import (
    Slot,
    flip_a_bit,
    make_bundle,
    make_card,
    make_slot,
    make_tree,
)
from update_keys import Authority

pytestmark = [pytest.mark.update, pytest.mark.slow]

PROGRAMS = ("rauc", "mksquashfs", "mcopy", "sgdisk", "mkfs.vfat", "mkfs.ext4", "systemd-sysusers")
OF_THE_SYSTEM = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
REFUSED = ("foreign", "expired", "flipped", "wrong", "old")


def cards(folder: Path) -> Path:
    missing = [name for name in PROGRAMS if shutil.which(name, path=OF_THE_SYSTEM) is None]
    assert not missing, f"needs {missing}; run: tools/setup update"
    assert os.geteuid() == 0, "needs root, to unpack a Debian with its owners"
    ours, stranger = Authority("ours", folder), Authority("stranger", folder)
    signer = ours.signer("release")
    tree = folder / "tree"
    make_tree(tree, ours.keyring)
    first = make_slot(tree, "1.0.0", folder / "first")
    good = make_slot(tree, "2.0.0", folder / "good")
    sick = make_slot(tree, "3.0.0", folder / "sick", is_sick=True)
    small = Slot(folder / "small/rootfs.squashfs", folder / "small/boot.vfat")
    small.root.parent.mkdir()
    for file in (small.root, small.boot):  # for bundles that no slot ever has whole
        file.write_bytes(os.urandom(1 << 20))
    bundles = [
        make_bundle(folder / "good-2.0.0.raucb", "2.0.0", good, signer),
        make_bundle(folder / "sick-3.0.0.raucb", "3.0.0", sick, signer),
        make_bundle(folder / "foreign-2.0.1.raucb", "2.0.1", small, stranger.signer("release")),
        make_bundle(
            folder / "expired-2.0.2.raucb", "2.0.2", small, ours.signer("gone", days=(-400, -30))
        ),
        make_bundle(folder / "flipped-2.0.3.raucb", "2.0.3", small, signer),
        make_bundle(
            folder / "wrong-2.0.4.raucb", "2.0.4", small, signer, "portillon-gate-rpi-arm64"
        ),
        make_bundle(folder / "old-0.9.0.raucb", "0.9.0", small, signer),
    ]
    flip_a_bit(folder / "flipped-2.0.3.raucb")
    make_card(folder / "card.img", first, bundles)
    shutil.rmtree(tree)
    return folder / "card.img"


def last(start: Start) -> dict[str, Any]:
    assert start.told, start.log[-3000:]
    machine: dict[str, Any] = start.told[-1]["machine"]
    return machine


def reason(start: Start, at: str) -> tuple[str, str]:
    """What became of a request."""
    said = [one["machine"]["update"] for one in start.told if one["at"] == at]
    return said[-1]["state"], said[-1]["reason"]


def test_a_gate_comes_back_on_a_version_that_works_whatever_happens(tmp_path, capfd):
    firmware = Firmware(cards(tmp_path))
    took = []

    def start(plan: str, cut=lambda _: False) -> Start:
        done = firmware.start(plan, cut)
        took.append(round(done.seconds))
        with capfd.disabled():
            print(f"\n{plan}: {done.seconds:.0f} s, {done.states()}")
        return done

    installing: list[float] = []

    def in_the_install(said: dict[str, Any]) -> bool:
        update = said["machine"].get("update", {})
        if (update.get("state"), update.get("version")) == ("installing", "2.0.0"):
            installing.append(time.monotonic())
            time.sleep(4)  # the emulator's disk is in the midst of it
            return True
        return False

    # --- what is refused, and a cut in the midst of an installation
    one = start(",".join((*REFUSED, "good")), in_the_install)
    assert (last(one)["version"], last(one)["slot"]) == ("1.0.0", "a")
    assert one.is_cut, one.log[-3000:]
    assert installing
    assert all(reason(one, name)[0] == "refused" for name in REFUSED), one.told
    assert "signature" in reason(one, "foreign")[1]
    assert "expired" in reason(one, "expired")[1]
    assert "Input/output error" in reason(one, "flipped")[1]  # the kernel found it, block by block
    assert "is for portillon-gate-rpi-arm64" in reason(one, "wrong")[1]
    assert "older than" in reason(one, "old")[1]

    # --- it starts as before; asked again it installs; the flag is lost on the way
    two = start("good")
    assert two.states()[0] == ("idle", "2.0.0")
    assert two.states()[-1] == ("armed", "2.0.0")
    assert firmware.flag
    firmware.flag = False  # the power was cut before the firmware could act on it

    # --- it is tried once more
    three = start("again")
    assert (three.partition, last(three)["version"]) == (2, "1.0.0")
    assert firmware.flag

    # --- the new version is well and committed; then one is installed that is not
    four = start("sick")
    assert (four.partition, four.is_tryboot, last(four)["version"]) == (3, True, "2.0.0")
    assert ("committed", "2.0.0") in four.states()
    assert firmware.autoboot() == document("b")
    assert firmware.flag

    # --- the sick one is left by itself
    five = start("")
    assert (five.partition, last(five)["version"]) == (2, "3.0.0")
    assert not firmware.flag
    assert firmware.autoboot() == document("b")

    # --- and the machine is where it was, and knows why
    six = start("end")
    assert (six.partition, last(six)["version"], last(six)["slot"]) == (3, "2.0.0", "b")
    assert last(six)["update"]["state"] == "rolled_back"
    assert "GT-RLY" in last(six)["update"]["reason"]
    assert last(six)["blocked"] == ["3.0.0"]
    assert six.told[-1]["failed"] == [""]
    with capfd.disabled():
        print(f"\nsix starts: {sum(took)} s")
