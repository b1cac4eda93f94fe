"""The twin of the image for emulators: built twice, the same; started, and asked how it went.

Needs root and what `tools/setup image` installs; QEMU is fetched by tools/qemu. Some ten minutes.
PORTILLON_IMAGE names a folder with an image that was built already, to start that one.
"""

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from imaging.recipe import REPOSITORY
from tests.image.conftest import build_image, image_name

pytestmark = [pytest.mark.image, pytest.mark.slow]

NAME = image_name("amd64")
PROBE = Path(__file__).with_name("probe.service")
CARD_BYTES = 4 * 1024**3
START_S_MAX = 900  # emulated, on a machine that does other things too


@pytest.fixture(scope="module")
def told(built, tmp_path_factory) -> dict[str, str]:
    """Start it on a card larger than the image; give what the probe said."""
    folder = tmp_path_factory.mktemp("card")
    card, serial = folder / "card.img", folder / "serial.log"
    image = built("amd64") / NAME
    subprocess.run(["cp", "--sparse=always", f"{image}.img", card], check=True)
    with card.open("r+b") as file:
        file.truncate(CARD_BYTES)
    qemu = subprocess.run(
        [REPOSITORY / "tools/qemu", "x86_64"], check=True, capture_output=True, text=True
    ).stdout.strip()
    probe = base64.b64encode(PROBE.read_bytes()).decode()
    line = Path(f"{image}.cmdline.txt").read_text().strip()
    # Time goes by instructions, one a nanosecond: a busy machine makes no unit late by its clock.
    machine = "-machine q35 -accel tcg -icount shift=0,sleep=on -cpu max -m 1024 -display none"
    words = ["nice", qemu, *machine.split(), "-nic", "none", "-no-reboot", "-monitor", "none"]
    words += ["-kernel", f"{image}.vmlinuz"]
    words += ["-initrd", f"{image}.initrd.img"]
    words += ["-append", f"{line} portillon.partition=2 systemd.wants=probe.service"]
    words += ["-drive", f"file={card},format=raw,if=virtio,cache=unsafe"]
    words += ["-serial", f"file:{serial}"]
    credential = "io.systemd.credential.binary:systemd.extra-unit.probe.service"
    words += ["-smbios", f"type=11,value={credential}={probe}"]
    subprocess.run(words, check=True, timeout=START_S_MAX, stdin=subprocess.DEVNULL)
    text = serial.read_text(errors="replace")
    shutil.rmtree(folder)
    said = dict(re.findall(r"PROBE (\w+) ?(.*?)\r?\n", text))
    assert "end" in said, f"the probe did not run to its end:\n{text[-4000:]}"
    said["words"] = "\n".join(re.findall(r"\S+ said: .*", text))
    return said


def test_an_image_is_the_same_whenever_it_is_built(tmp_path):
    first = build_image(tmp_path / "first", "amd64", tmp_path / "trees-first")
    second = build_image(tmp_path / "second", "amd64", tmp_path / "trees-second")
    assert first == second


def test_a_new_card_starts_without_a_failed_unit(told):
    assert told["failed"] == "[]", told["words"]
    assert told["system"] == "running"


def test_the_gate_waits_for_its_configuration(told):
    assert told["gate"] == "inactive no"


def test_the_system_cannot_be_written_to(told):
    assert told["root"].startswith("squashfs ro")
    assert told["etc"] == "read-only"


def test_the_folders_of_the_data_partition_are_whose_they_are_to_be(told):
    assert told["folders"] == "root:755 portillon-gate:700 root:700"


def test_the_programs_are_there(told):
    assert "portillon" in told["program"]
    assert told["radio"].startswith("iw version")


def test_nobody_can_log_in_from_the_network_where_no_key_is_named(told):
    assert told["ssh"] == "inactive"
    assert told["listening"] == "[]"


def test_the_data_partition_took_the_room_of_the_card(told):
    assert int(told["data"].split()[0]) > CARD_BYTES // 2
