"""The image for boards, started on an emulated one: its file makes it a gate that admits a ticket.

As an integrator does it: the image on a card, `gate.toml` on the partition that any laptop opens.
The gate was enrolled before and holds tonight's list, which lies on its data partition. Its scanner
is a serial line on USB, outside; its relay hangs on the board's GPIO chip. Needs what `tools/setup
image` installs; a quarter of an hour for a new tree, five minutes for the rest.
"""

import asyncio
import base64
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pytest

from gate_for_guest import enrolled_gate
from imaging.generated import BOOT_CONFIG, DATA
from imaging.recipe import REPOSITORY, layout_of_repository
from tests.image.conftest import image_name

pytestmark = [pytest.mark.image, pytest.mark.slow]

HERE: Final = Path(__file__).parent
CARD_BYTES: Final = 4 * 1024**3
PROOF_S_MAX: Final = 1800  # emulated, on a machine that does other things too
AGAIN_S: Final = 15.0  # a ticket that the gate took for the same holding is held before it anew
GATE_USER: Final = 850  # of every image: sysusers.d/00-portillon-ids.conf
RELAY_PIN: Final = 5
ADDRESS: Final = "10.0.2.77/24"
GATE_TOML: Final = f"""\
server = "http://127.0.0.1:8443"
language = "en"

[[readers]]
kind = "serial"
name = "outside"
usb = "0403:6001"

[turnstile]
kind = "relay"
pin_factory = "gpiod"
entry_pin = {RELAY_PIN}
pulse_s = 1.0

[display]
kind = "none"

[page]
port = 0

[peers]
enabled = false

[machine]
name = "porte-1"

[machine.network]
address = "{ADDRESS}"
"""


def write_card(image: Path, card: Path) -> None:
    """Write the image to a card larger than it."""
    subprocess.run(["cp", "--sparse=always", f"{image}.img", card], check=True)
    with card.open("r+b") as file:
        file.truncate(CARD_BYTES)


def lay_data(gate: Path, folder: Path, card: Path) -> None:
    """Put the data of a gate that was enrolled onto a card's data partition."""
    data, partition = folder / "data", layout_of_repository().labelled(DATA)
    shutil.copytree(gate / "data", data / "gate")
    (data / "gate-secret").mkdir()
    shutil.copy(gate / "data.secret", data / "gate-secret/device")
    for name in ("gate", "gate-secret"):
        for path in (data / name, *(data / name).rglob("*")):
            shutil.chown(path, GATE_USER, GATE_USER)
        (data / name).chmod(0o700)
    packed = folder / "data.ext4"
    words = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-L", partition.label, "-J", "size=16"]
    words += ["-E", "resize=67108864", "-d", str(data), str(packed), f"{partition.size_mib}M"]
    subprocess.run(words, check=True)
    with card.open("r+b") as disk:
        disk.seek(partition.offset_bytes)
        disk.write(packed.read_bytes())


def lay_file(folder: Path, card: Path) -> None:
    """Put a gate.toml onto a card's first partition, as a laptop does."""
    path = folder / "gate.toml"
    path.write_bytes(GATE_TOML.replace("\n", "\r\n").encode())  # as Windows' own editor leaves it
    partition = layout_of_repository().labelled(BOOT_CONFIG)
    inside = f"{card}@@{partition.offset_bytes}"
    subprocess.run(["mcopy", "-i", inside, path, "::gate.toml"], check=True)


def command(image: Path, card: Path, folder: Path) -> list[str]:
    """Give the emulator's command line; it plays the firmware and chooses slot A."""
    qemu = subprocess.run(
        [REPOSITORY / "tools/qemu", "aarch64"], check=True, capture_output=True, text=True
    ).stdout.strip()
    line = Path(f"{image}.cmdline.txt").read_text().strip()
    words = ["nice", qemu, "-M", "virt", "-cpu", "cortex-a53", "-accel", "tcg"]
    # Time goes by instructions, one a nanosecond: a busy machine makes a gate late by our clock,
    # never by its own, and no watchdog bites.
    words += ["-icount", "shift=0,sleep=on"]
    words += ["-smp", "1", "-m", "1024", "-display", "none", "-no-reboot", "-nodefaults"]
    words += ["-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net"]
    words += ["-kernel", f"{image}.vmlinuz", "-initrd", f"{image}.initrd.img"]
    probe = base64.b64encode((HERE / "arm_probe.service").read_bytes()).decode()
    line += f" systemd.set_credential_binary=systemd.extra-unit.probe.service:{probe}"
    words += ["-append", f"{line} portillon.partition=2 systemd.wants=probe.service"]
    words += ["-drive", f"file={card},format=raw,if=none,id=card,cache=unsafe"]
    words += ["-device", "virtio-blk-pci,drive=card", "-serial", f"file:{folder / 'console'}"]
    words += ["-device", "virtio-serial-pci", "-chardev", f"file,id=told,path={folder / 'told'}"]
    words += ["-device", "virtserialport,chardev=told,name=probe", "-device", "qemu-xhci"]
    words += ["-chardev", f"socket,id=scanner,path={folder / 'scanner'},server=on,wait=off"]
    words += ["-device", "usb-serial,chardev=scanner,always-plugged=on"]
    words += ["-fw_cfg", f"name=opt/io.systemd.credentials/probe.py,file={HERE / 'arm_probe.py'}"]
    return words


def steps(folder: Path) -> dict[str, dict[str, Any]]:
    """Give what the probe has told so far."""
    path = folder / "told"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return {step["step"]: step for step in found}


def hold(line: socket.socket, ticket: str, folder: Path, step: str, until: float) -> None:
    """Hold a ticket before the scanner, again and again, until the probe has told of it."""
    while step not in steps(folder) and time.monotonic() < until:
        line.sendall(ticket.encode() + b"\r")
        again = time.monotonic() + AGAIN_S
        while step not in steps(folder) and time.monotonic() < again:
            time.sleep(0.5)


def run_to_its_end(words: list[str], folder: Path, ticket: str) -> dict[str, dict[str, Any]]:
    """Start the machine, hold the ticket before its scanner twice, and wait until it is off."""
    machine = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    until = time.monotonic() + PROOF_S_MAX
    try:
        while "ready" not in steps(folder) and machine.poll() is None:
            assert time.monotonic() < until, "the gate was not ready in time"
            time.sleep(1)
        if machine.poll() is None:
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(folder / "scanner"))
                line.sendall(ticket.encode() + b"\r")
                while "admitted" not in steps(folder) and machine.poll() is None:
                    assert time.monotonic() < until, "the ticket was not answered in time"
                    time.sleep(0.5)
                hold(line, ticket, folder, "refused", until)
                machine.wait(max(1, until - time.monotonic()))
    finally:
        machine.kill()
        machine.wait()
    found = steps(folder)
    if "end" not in found:
        said = (folder / "console").read_text(errors="replace").splitlines()[-60:]
        pytest.fail(f"it came to {found} and not to its end\n" + "\n".join(said))
    return found


async def test_the_image_for_boards_becomes_a_gate_by_its_file_and_admits_each_ticket_once(
    built, tmp_path, record_property
):
    image = await asyncio.to_thread(built, "arm64") / image_name("arm64")
    card = tmp_path / "card.img"
    write_card(image, card)
    (tmp_path / "gate").mkdir()
    ticket, *_ = await enrolled_gate(tmp_path / "stage", tmp_path / "gate")
    lay_data(tmp_path / "gate", tmp_path, card)
    lay_file(tmp_path, card)
    words = command(image, card, tmp_path)
    proof = await asyncio.to_thread(run_to_its_end, words, tmp_path, ticket)
    record_property("up_s", proof["started"]["up_s"])
    assert proof["begin"]["machine"] == "aarch64"
    assert (proof["started"]["state"], proof["started"]["failed"]) == ("running", [])
    assert proof["started"]["root"].startswith("squashfs ro")
    assert "porte-1" in proof["started"]["result"]
    assert "pl061" in proof["started"]["chip"]
    assert proof["ready"]["addresses"] == [ADDRESS]
    assert sorted(proof["ready"]["gate"]) == ["0", "active"]  # never started anew
    rest, up = ["out", "lo"], ["out", "hi"]
    assert proof["ready"]["relay"] == rest
    assert (proof["admitted"]["said"], proof["admitted"]["relay"]) == (True, [rest, up, rest])
    assert (proof["refused"]["said"], proof["refused"]["relay"]) == (True, [rest])
    assert proof["end"]["failed"] == []
    shutil.rmtree(tmp_path)
