"""The booted Debian 13 that units are proved in, with a venue's data made outside.

Needs root, systemd-nspawn and mmdebstrap; what is missing fails the tests and is named. The tree is
made once and kept under var/container by what it was made of.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from booted import Booted, missing_programs
from gate_in_container import LANE_TOML, Card, units_of_the_image
from portillon.demo.stage import build_venue, enrol_gates, open_stage

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = (
    "systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2", "nftables", "procps", "mount",
    "passwd", "make", "python3", "python3-venv", "libzbar0t64", "fonts-dejavu-core",
    "ca-certificates", "libfaketime",
)  # fmt: skip
AT_RUN_TIME: Final = "usr/local/lib/systemd/system"  # where a test binds more units
PORT: Final = 8443
SHORT_WATCHDOG: Final = "[Service]\nWatchdogSec=2\n"
SERVER_TOML: Final = """\
data = "/var/lib/portillon-server"
host = "127.0.0.1"
port = {port}
tls = "off"
"""
GATE_TOML: Final = """\
data = "/var/lib/portillon-gate"
device_secret = "/var/lib/portillon-gate-secret/key"
server = "http://127.0.0.1:{port}"
"""


def _made(*words: str) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{words[0]}: {done.stderr.strip()}", pytrace=False)
    return done.stdout.strip()


def _need() -> None:
    missing = missing_programs()
    if os.geteuid() != 0:
        pytest.fail("booting a container needs root: sudo make test-container", pytrace=False)
    if missing:
        pytest.fail(
            f"missing here: {', '.join(missing)}; run: tools/setup container", pytrace=False
        )


@pytest.fixture(scope="session")
def bare() -> Path:
    """A folder with a bare Debian 13; not to be written to."""
    _need()
    tree = Path(_made("tools/trixie-tree", *PACKAGES))
    root = ROOT / "var/container" / tree.stem
    if not (root / "usr").exists():
        unfinished = root.with_name(root.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _made("tar", "--extract", f"--file={tree}", f"--directory={unfinished}")
        unfinished.rename(root)
    return root


@pytest.fixture(scope="session")
def root(bare: Path) -> Iterator[Path]:
    """The same with this checkout's program and units laid into it."""
    digest = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    root = ROOT / "var/container" / f"portillon-{digest}"
    shutil.rmtree(root, ignore_errors=True)
    _made("cp", "--archive", "--reflink=auto", str(bare), str(root))
    _made("tools/program", "x86_64", str(root), "gate", "server")
    _made("tools/units", "gate", "--root", str(root))
    _made("tools/units", "server", "--root", str(root))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True)
class Venue:
    """What the machines of a venue have on their disks: a server and an enrolled gate."""

    folder: Path
    port: int
    tickets: tuple[str, ...]

    def put_into(self, machine: Booted) -> None:
        """Give a machine that is up the data of server and gate, and their configurations."""
        machine.write("/etc/portillon/server.toml", SERVER_TOML.format(port=self.port))
        machine.write("/etc/portillon/gate.toml", GATE_TOML.format(port=self.port) + LANE_TOML)
        for name in ("server", "gate", "gate-secret"):
            archive = subprocess.run(
                ["tar", "--create", f"--directory={self.folder / name}", "."],
                capture_output=True,
                check=True,
            )
            machine.unpack(archive.stdout, f"/var/lib/portillon-{name}")
        machine.run("mkdir", "-p", "/var/lib/portillon-gate/pictures")
        for name, user in (("server", "server"), ("gate", "gate"), ("gate-secret", "gate")):
            owner = f"portillon-{user}:portillon-{user}"
            machine.run("chown", "--recursive", owner, f"/var/lib/portillon-{name}")


@pytest.fixture(scope="session")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Venue:
    """A venue that was set up, and a gate that holds tonight's list."""
    folder = tmp_path_factory.mktemp("venue")

    async def build() -> tuple[str, ...]:
        async with asyncio.timeout(180), open_stage(folder / "stage", PORT) as stage:
            await build_venue(stage)
            await stage.operator.post(f"performances/{stage.tonight}/publish")
            await enrol_gates(stage, ("gate A", "gate B"))
            gate = stage.gates[0]
            await gate.daemon.start(stage.tasks)
            await gate.wait_mode("connected")
            await gate.daemon.stop()
            shutil.copytree(gate.folder / "data", folder / "gate")
            (folder / "gate-secret").mkdir()
            shutil.copy(gate.folder / "data.secret", folder / "gate-secret/key")
            return tuple(stage.cast.single)

    tickets = asyncio.run(build())
    shutil.copytree(folder / "stage/server", folder / "server")
    return Venue(folder, PORT, tickets)


@pytest.fixture(scope="module")
def machine(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine that is up, with nothing set up yet."""
    with Booted(root, tmp_path_factory.mktemp("machine")) as booted:
        yield booted


@pytest.fixture(scope="session")
def image(bare: Path) -> Iterator[Path]:
    """The root of an image: the gate's program, its units, and nothing that is one machine's."""
    root = ROOT / "var/container/image"
    shutil.rmtree(root, ignore_errors=True)
    for words in (
        ["cp", "--archive", "--reflink=auto", bare, root],
        ["tools/program", "x86_64", root, "gate"],
        ["tools/units", "image", "--root", root],
        ["systemd-sysusers", f"--root={root}"],
        ["systemctl", f"--root={root}", "preset", *units_of_the_image()],
    ):
        subprocess.run(list(map(str, words)), cwd=ROOT, capture_output=True, check=True)
    for folder in ("boot/cfg", "etc/portillon", "data", AT_RUN_TIME):
        (root / folder).mkdir(parents=True, exist_ok=True)
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def blank(image: Path, tmp_path: Path) -> Card:
    """The card of a machine that was never started."""
    return Card.blank(tmp_path / "card", image)


@pytest.fixture
def enrolled(blank: Card, venue: Venue) -> Card:
    """The card of a gate that belongs to a venue and holds tonight's list, but no configuration."""
    shutil.copytree(venue.folder / "gate", blank.folder / "gate", dirs_exist_ok=True)
    shutil.copy(venue.folder / "gate-secret/key", blank.folder / "secret/device")
    (blank.folder / "gate/pictures").mkdir()
    blank.give_to_the_gate()
    return blank
