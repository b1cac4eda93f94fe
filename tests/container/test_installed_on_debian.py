"""`make install-gate` and `make install-server` on an ordinary Debian 13, as its user would."""

import subprocess
import sys
from pathlib import Path

import pytest

from booted import Booted
from tests.container.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.container]
CHECKOUT, WHEELS = "/srv/portillon", "/srv/wheels"


@pytest.fixture(scope="module")
def wheels() -> Path:
    """What pip installs from, where there is no network."""
    folder = ROOT / "var/wheels/x86_64-gate-pi-server"
    subprocess.run(
        [ROOT / "tools/target-wheels", "x86_64", folder, "gate", "pi", "server"], check=True
    )
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = next(line.split(" ")[0] for line in lines if line.startswith("packaging=="))
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--dest", folder]
    subprocess.run([*pip, pinned], check=True)
    return folder


@pytest.fixture(scope="module")
def debian(bare, wheels, tmp_path_factory):
    """A Debian that is up, with the checkout and the wheels beside it."""
    binds = {CHECKOUT: ROOT, WHEELS: wheels}
    with Booted(bare, tmp_path_factory.mktemp("debian"), binds) as machine:
        yield machine


def install(machine, what):
    pip = [f"PIP_FIND_LINKS={WHEELS}", "PIP_NO_INDEX=1", "PYTHONDONTWRITEBYTECODE=1"]
    return machine.run("env", *pip, "make", "-C", CHECKOUT, f"install-{what}", timeout_s=600).stderr


@pytest.fixture(scope="module")
def installed(debian):
    """What each installation said."""
    return {what: install(debian, what) for what in ("server", "gate")}


def test_it_says_what_to_do_next(installed):
    assert "gate.toml.example" in installed["gate"]
    assert "server.toml" in installed["server"]


def test_nothing_runs_before_it_is_configured_and_nothing_failed(debian, installed):
    for unit in ("portillon-gate.service", "portillon-server.service"):
        assert debian.shows(unit, "ActiveState", "UnitFileState") == {
            "ActiveState": "inactive",
            "UnitFileState": "enabled",
        }
    assert debian.failed == []


def test_both_are_up_once_they_are(debian, installed, venue):
    venue.put_into(debian)
    debian.run("systemctl", "start", "portillon-server.service", "portillon-gate.service")
    debian.wait_active("portillon-server.service")
    debian.wait_active("portillon-gate.service")
    assert debian.failed == []
    shown = debian.shows("portillon-gate.service", "MainPID", "User")
    assert shown["User"] == "portillon-gate"
    program = debian.run("readlink", "-f", f"/proc/{shown['MainPID']}/exe").stdout
    assert "python3" in program


def test_the_same_again_changes_nothing_and_restarts_nothing(debian, installed):
    before = debian.shows("portillon-gate.service", "MainPID")
    install(debian, "gate")
    assert debian.shows("portillon-gate.service", "MainPID") == before


def test_what_it_laid_is_roots_alone(debian, installed):
    words = ["find", "/opt/portillon", "/usr/local/lib", "/etc/portillon"]
    writable = debian.run(*words, "!", "-type", "l", "-perm", "/022").stdout
    foreign = debian.run(*words, "!", "-user", "root").stdout
    assert (writable, foreign) == ("", "")
