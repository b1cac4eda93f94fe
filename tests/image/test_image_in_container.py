"""The system of a built image, booted in a container: who can log in, and who cannot.

It is the very tree that a card gets, with a folder in place of its data partition: sshd, its
settings, the units. Needs what `tools/setup image` and `tools/setup container` install.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from booted import Booted, missing_programs
from gate_in_container import LANE_TOML
from tests.image.conftest import image_name

pytestmark = [pytest.mark.image, pytest.mark.slow]

GATE_TOML: Final = f"""\
server = "http://127.0.0.1:8443"
{LANE_TOML}
[machine]
name = "porte-1"
ssh_keys = ["{{key}}"]
"""
LISTENING: Final = ("ss", "-Hltn", "sport = :22")
# No agent, no questions: one key, and what sshd says.
SSH: Final = (
    "ssh", "-v", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
    "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20",
)  # fmt: skip


@pytest.fixture(scope="module")
def system(built, tmp_path_factory) -> Iterator[Path]:
    lacking = missing_programs()
    assert lacking == [], f"missing: {', '.join(lacking)}; run: tools/setup container"
    root = tmp_path_factory.mktemp("system") / "root"
    packed = built("amd64") / f"{image_name('amd64')}.system"
    words = ["unsquashfs", "-quiet", "-no-progress", "-dest", root, packed]
    subprocess.run(words, check=True, capture_output=True)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def card(tmp_path) -> dict[str, Path]:
    """A new card: what lies on it, by where it is mounted."""
    places = {"/data": tmp_path / "data", "/boot/cfg": tmp_path / "boot"}
    for folder in places.values():
        folder.mkdir()
    return places


def make_key(folder: Path) -> tuple[Path, str]:
    """Make a key of somebody's; give its file, and the public part."""
    path = folder / "key"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "somebody", "-f", path]
    subprocess.run(words, check=True)
    return path, path.with_suffix(".pub").read_text().strip()


def start(system: Path, card: dict[str, Path], tmp_path: Path) -> Booted:
    return Booted(system, tmp_path / "machine", card, volatile="state")


def log_in(machine: Booted, key: Path, user: str = "root", *more: str):
    """Try to log in with a key, from the machine itself; the key's file is put there first."""
    machine.write("/run/somebody/key", key.read_text(), "600")
    return machine.run(
        *SSH, *more, "-i", "/run/somebody/key", f"{user}@127.0.0.1", "id", "-un", check=False
    )


def test_without_a_key_in_its_file_nothing_listens(system, card, tmp_path):
    with start(system, card, tmp_path) as machine:
        assert machine.failed == []
        assert machine.run(*LISTENING).stdout == ""
        shown = machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "*ssh*")
        running = [line for line in shown.stdout.splitlines() if " running " in line]
        listening = [line for line in shown.stdout.splitlines() if " listening " in line]
        assert (running, listening) == ([], [])


def test_the_key_of_its_file_logs_in_and_no_other_and_no_password(system, card, tmp_path):
    key, public = make_key(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = make_key(tmp_path / "other")
    (card["/boot/cfg"] / "gate.toml").write_text(GATE_TOML.format(key=public))
    with start(system, card, tmp_path) as machine:
        machine.wait_active("ssh.service")
        assert machine.failed == []
        done = log_in(machine, key)
        assert (done.returncode, done.stdout.strip()) == (0, "root"), done.stderr
        for refused in (log_in(machine, other), log_in(machine, key, "portillon-gate")):
            assert refused.returncode == 255
            assert "Permission denied (publickey)" in refused.stderr  # no other way is offered
        rules = machine.run("nft", "list", "chain", "inet", "portillon", "openings").stdout
        assert "tcp dport 22 accept" in rules
    host_key = card["/data"] / "ssh/ed25519"
    made = host_key.read_bytes()
    with start(system, card, tmp_path / "again") as machine:  # the card's own, at every start
        machine.wait_active("ssh.service")
    assert host_key.read_bytes() == made


def test_a_key_that_is_brought_while_it_runs_opens_ssh_without_another_start(
    system, card, tmp_path
):
    key, public = make_key(tmp_path)
    with start(system, card, tmp_path) as machine:
        assert machine.run(*LISTENING).stdout == ""
        (card["/boot/cfg"] / "gate.toml").write_text(GATE_TOML.format(key=public))
        machine.wait_active("ssh.service")
        assert log_in(machine, key).stdout.strip() == "root"
        assert machine.failed == []
