"""A card with the real image: enrols by its file, is updated by its server, and comes back.

The image's own systemd, caretaker, RAUC and gate in an emulated machine; a real server on this one,
which the guest reaches by a pipe and nothing else. What happened is asked of the server, as an
operator does. Only waiting is made shorter, by drop-ins that the machine is given from outside.

PORTILLON_IMAGES names a folder to keep what is built in, for another run.
"""

import asyncio
import base64
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from admission.sync.enrolment_link import read_link, write_link
from gate_in_container import LANE_TOML, PICTURES
from imaging.recipe import FOLDER, layout_of_repository
from pi_firmware import Board, Firmware, Start
from portillon.demo.stage import Stage, open_stage
from portillon.demo.tickets import as_csv, make_tickets
from update_card import Slot, make_bundle
from update_keys import Authority, Signer

pytestmark = [pytest.mark.update, pytest.mark.slow]

FIRST, GOOD, SICK = "0.1.0+1", "0.1.0+2", "0.1.0+3"
COMPATIBLE = "portillon-gate-debian-amd64"
CARD_BYTES = 4 * 1024**3
GUEST_SEES = "10.0.2.100:8443"
WAIT_S_MAX = 1500  # emulated, on a machine that does other things too
KERNEL_WORDS = os.environ.get("PORTILLON_KERNEL_WORDS", "")  # to look into what goes wrong
PIPE = Path(__file__).parents[1] / "support/near_pipe.py"
GATE_TOML = f"""\
{LANE_TOML.replace(PICTURES, "/run/portillon-gate")}
[machine]
name = "door-1"
enrol = "{{link}}"
"""
# A gate looks for updates every few minutes, and waits until nobody has come for ten.
HASTY = (
    "import sys, appliance.bundle_fetching as f; f.POLL_S = 10.0; f.RETRY_S = 5.0; f.QUIET_S = 0.0;"
    "f.CALM_S = 5.0; from portillon.__main__ import main; sys.exit(main())"
)
PATIENT = "[Service]\nTimeoutStartSec=300\n"
DROPINS = {
    "portillon-gate.service": f"""\
[Service]
ExecStart=
ExecStart=/usr/bin/python3 -IB -c "{HASTY}" gate run
TimeoutStartSec=600
WatchdogSec=120
""",
    "portillon-health.service": """\
[Service]
ExecStart=
ExecStart=/usr/bin/portillon care health --window-s 20 --patience-s 240 --look-s 3
""",
    "portillon-tryboot.service": """\
[Service]
PrivateDevices=no
ExecStartPre=/bin/sh -c 'echo tryboot >/dev/virtio-ports/portillon.firmware'
""",
    # An emulated processor is so much slower than a board's that a start of Python takes its time.
    "portillon-relay-safe.service": PATIENT,
    "portillon-time-restore.service": PATIENT,
    "portillon-rollback-report.service": PATIENT,
    "portillon-provision.service": PATIENT,
    "portillon-update.timer": """\
[Timer]
OnBootSec=
OnUnitInactiveSec=
OnBootSec=60
OnUnitInactiveSec=20
""",
}


def kept_or_built(folder: Path, version: str, keyring: Path) -> Path:
    """Give the folder of an image of a version."""
    out = folder / version
    if not (out / f"{named(version)}.json").exists():
        words = [FOLDER / "portillon-image", "--arch", "amd64", "--version", version]
        words += ["--keyring", keyring, "--out", out]
        subprocess.run(["nice", *map(str, words)], check=True)
    return out


def named(version: str) -> str:
    return f"portillon-gate-debian-amd64-{version}"


def slot_of(image: Path, version: str) -> Slot:
    return Slot(image / f"{named(version)}.system", image / f"{named(version)}.boot")


def made_sick(slot: Slot, folder: Path) -> Slot:
    """Give the same with a gate that never starts, as another version."""
    tree, root = folder / "sick", folder / "sick.system"
    subprocess.run(["unsquashfs", "-q", "-n", "-d", tree, slot.root], check=True)
    unit = tree / "usr/lib/systemd/system/portillon-gate.service.d/99-sick.conf"
    unit.parent.mkdir(exist_ok=True)
    unit.write_text("[Service]\nType=exec\nExecStart=\nExecStart=/bin/false\n")
    release = tree / "usr/lib/os-release"
    release.write_text(release.read_text().replace(GOOD, SICK))
    words = ["mksquashfs", tree, root, "-comp", "zstd", "-Xcompression-level", "1", "-noappend"]
    subprocess.run([*words, "-quiet", "-no-progress"], check=True)
    shutil.rmtree(tree)
    return Slot(root, slot.boot)


def authority(folder: Path) -> tuple[Path, Signer]:
    """Give keyring and signer; those of another run, where its images trust them."""
    kept = folder / "ours"
    if (kept / "keyring.pem").exists():
        return kept / "keyring.pem", Signer(kept / "release.pem", kept / "release.key")
    ours = Authority("ours", folder)
    return ours.keyring, ours.signer("release")


def board(port: int) -> Board:
    """Give the machine: a card, a line to the server, and what shortens its waiting."""
    offsets = {p.number: p.offset_bytes for p in layout_of_repository().partitions}
    pipe = f"{sys.executable} {PIPE} {port}"
    words = ["-nic", f"user,model=virtio-net-pci,restrict=on,guestfwd=tcp:{GUEST_SEES}-cmd:{pipe}"]
    for unit, text in DROPINS.items():
        said = base64.b64encode(text.encode()).decode()
        name = f"io.systemd.credential.binary:systemd.unit-dropin.{unit}~90-hasty"
        words += ["-smbios", f"type=11,value={name}={said}"]
    return Board(offsets, "initrd.img", 1024, words, roots=False, start_s_max=3000)


async def set_up(stage: Stage) -> str:
    """Make a venue with a performance far off; give the enrolment link of its gate."""
    operator = stage.operator
    venue = await operator.create("venues", name="Port", timezone="Europe/Paris")
    event = await operator.create("events", name="La Traversée", venue_id=venue)
    far = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    show = await operator.create(
        "performances", event_id=event, name="Loin", starts_at=far.isoformat()
    )
    checkpoint = await operator.create(
        "checkpoints", venue_id=venue, name="Parvis", performances=[show]
    )
    await operator.upload(show, "far.csv", as_csv(make_tickets()[0]))
    await operator.post(f"performances/{show}/publish")
    gate = await operator.create(
        "gates", checkpoint_id=checkpoint, name="Porte 1", direction="entry"
    )
    made = await operator.post(f"gates/{gate}/enrolment-code")
    link = replace(read_link(str(made["link"])), servers=(f"https://{GUEST_SEES}",))
    return write_link(link)


async def release(stage: Stage, bundle: Path, version: str) -> None:
    """Add a bundle and bring it to the gate."""
    (gate,) = [one["id"] for one in (await stage.operator.get("fleet"))["gates"]]
    path = f"releases?version={version.replace('+', '%2B')}&compatible={COMPATIBLE}"
    url = f"{stage.address}/api/v1/{path}"
    with bundle.open("rb") as file:
        headers = {"X-CSRF-Token": stage.operator.csrf}
        async with stage.operator.session.post(url, data=file, headers=headers) as response:
            assert response.status == 201, await response.text()
    await stage.operator.post(
        "rollouts",
        {
            "version": version,
            "canaries": [gate],
            "steps": ["100"],
            "healthy_h": 0,
            "automatic": True,
        },
    )


async def machine_of(stage: Stage) -> dict[str, Any]:
    """Give what the server says of the one machine; {} before it enrolled, or said anything."""
    gates: list[dict[str, Any]] = (await stage.operator.get("fleet"))["gates"]
    return (gates[0]["machine"] if gates else None) or {}


async def until(stage: Stage, firmware: Firmware, running: asyncio.Task[Start], **wanted: object):
    """Wait until the server says so of the machine, while it runs."""
    late_s = time.monotonic() + WAIT_S_MAX
    while True:
        said = await machine_of(stage)
        if all(said.get(key) == value for key, value in wanted.items()):
            return said
        if running.done():
            pytest.fail(f"it ended: {said}\n{running.result().log[-6000:]}")
        if time.monotonic() > late_s:
            pytest.fail(f"wanted {wanted}, the server says {said}\n{firmware.console[-6000:]}")
        await asyncio.sleep(2)


@dataclass(frozen=True)
class Prepared:
    """A card with the first version, and bundles of the two that follow."""

    card: Path
    good: Path
    sick: Path

    def take(self, link: str) -> None:
        """Put the file on the card's small partition that makes it a gate."""
        text = self.card.with_name("gate.toml")
        text.write_text(GATE_TOML.format(link=link))
        place = f"{self.card}@@{layout_of_repository().labelled('bootcfg').offset_bytes}"
        subprocess.run(["mcopy", "-i", place, text, "::gate.toml"], check=True)


@pytest.fixture
def prepared(tmp_path) -> Prepared:
    assert os.geteuid() == 0, "building an image needs root"
    folder = Path(os.environ.get("PORTILLON_IMAGES", tmp_path / "images"))
    folder.mkdir(parents=True, exist_ok=True)
    keyring, signer = authority(folder)
    first, good = (kept_or_built(folder, version, keyring) for version in (FIRST, GOOD))
    slot, card = slot_of(good, GOOD), tmp_path / "card.img"
    bundle = make_bundle(tmp_path / "good.raucb", GOOD, slot, signer, COMPATIBLE)
    sick = made_sick(slot, tmp_path)
    made = make_bundle(tmp_path / "sick.raucb", SICK, sick, signer, COMPATIBLE)
    words = ["cp", "--sparse=always", first / f"{named(FIRST)}.img", card]
    subprocess.run(words, check=True)
    with card.open("r+b") as file:
        file.truncate(CARD_BYTES)
    return Prepared(card, bundle, made)


async def test_a_server_brings_a_version_to_a_card_and_a_sick_one_goes_back(
    prepared, tmp_path, capfd
):
    began = time.monotonic()

    def tell(words: str) -> None:
        with capfd.disabled():
            print(f"\n{time.monotonic() - began:.0f} s: {words}", flush=True)

    async with asyncio.timeout(7200), open_stage(tmp_path / "stage", 0, tls=True) as stage:
        prepared.take(await set_up(stage))
        firmware = Firmware(prepared.card, board(int(stage.address.rpartition(":")[2])))

        def start() -> asyncio.Task[Start]:
            return stage.tasks.create_task(asyncio.to_thread(firmware.start, KERNEL_WORDS))

        running = start()
        try:
            await until(stage, firmware, running, version=FIRST, slot="a", provision="applied")
            tell("its file was applied, it enrolled, and the server knows what it runs")
            await release(stage, prepared.good, GOOD)
            ended = await running
            assert (ended.partition, firmware.flag) == (2, True), ended.log[-6000:]
            tell(f"{GOOD} was fetched, checked and installed, and is started on trial")
            running = start()
            said = await until(stage, firmware, running, slot="b", update="committed")
            assert (said["version"], said["blocked"]) == (GOOD, [])
            tell("it is well, and stays")
            await release(stage, prepared.sick, SICK)
            ended = await running
            assert (ended.partition, firmware.flag) == (3, True), ended.log[-6000:]
            tell(f"{SICK} is started on trial")
            ended = await start()
            assert (ended.partition, ended.is_tryboot, firmware.flag) == (2, True, False)
            tell("it was left by itself")
            running = start()
            said = await until(stage, firmware, running, update="rolled_back")
            assert (said["version"], said["slot"], said["blocked"]) == (GOOD, "b", [SICK])
            fleet = await stage.operator.get("fleet")
            states = {one["version"]: one["state"] for one in fleet["rollouts"]}
            assert (states[GOOD], states[SICK]) == ("done", "halted")
            tell(f"and the server knows: {said['update_reason']}")
        finally:
            firmware.cut()
            await running
