"""What lies under systemd/: read by systemd's own tools, and held to the documented bounds."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd" / "system"
PAGE = ROOT / "docs" / "operations" / "systemd.md"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
ROW = re.compile(r"^\| `(portillon-[a-z@-]+\.service)` \| ([0-9.]+) \| (.*) \|$", re.MULTILINE)
PROGRAM = "/usr/bin/portillon"


def ran(*words: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    assert found, "needs systemd-analyze, of Debian's package systemd; run: tools/setup"
    return found


def laid(root: Path, what: str, *more: str) -> str:
    """Lay files into a tree by the tool that does it everywhere; give what it printed."""
    done = ran(ROOT / "tools" / "units", what, "--root", root, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """Make a tree with every unit, and all that they start as empty programs."""
    root = tmp_path_factory.mktemp("tree")
    for what in ("image", "server"):
        laid(root, what)
    units = root / "usr/lib/systemd/system"
    for unit in units.rglob("*"):
        if unit.is_file():
            for program in re.findall(r"^Exec\w+=[-+]*(/\S+)", unit.read_text(), re.MULTILINE):
                path = root / program.removeprefix("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("#!/bin/sh\n")
                path.chmod(0o755)
    for target in Path("/usr/lib/systemd/system").glob("*.target"):
        shutil.copy(target, units, follow_symlinks=True)
    return root


def test_systemd_understands_every_unit(analyze, tree):
    units = sorted(path.name for path in UNITS.iterdir() if path.is_file())
    assert len(units) > 20
    done = ran(analyze, "verify", f"--root={tree}", *units)
    assert done.stderr == ""
    assert done.returncode == 0


def documented() -> dict[str, tuple[float, str]]:
    return {name: (float(bound), why) for name, bound, why in ROW.findall(PAGE.read_text())}


def test_every_service_has_its_bound_on_the_page():
    assert sorted(documented()) == SERVICES


def test_bounds_above_two_are_for_root_helpers_and_say_why():
    for name, (bound, why) in documented().items():
        assert bound <= 4.5, name
        assert len(why) > 10, name
        if bound > 2:
            assert "User=root" in (UNITS / name).read_text(), name


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_no_more_exposed_than_the_page_says(analyze, tree, name):
    bound, _ = documented()[name]
    done = ran(
        analyze,
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={round(bound * 10)}",
        tree / "usr/lib/systemd/system" / name,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_laying_the_files_again_changes_nothing(tmp_path):
    assert "portillon-gate.service" in laid(tmp_path, "gate")
    assert laid(tmp_path, "gate") == ""


def test_one_source_serves_image_and_installation(tmp_path):
    laid(tmp_path, "image")
    laid(tmp_path, "gate", "--prefix", "/usr/local", "--program", "/opt/portillon/bin/portillon")
    of_image = (tmp_path / "usr/lib/systemd/system/portillon-gate.service").read_text()
    installed = (tmp_path / "usr/local/lib/systemd/system/portillon-gate.service").read_text()
    assert PROGRAM in of_image
    assert PROGRAM not in installed
    assert installed == of_image.replace(PROGRAM, "/opt/portillon/bin/portillon")


def test_an_ordinary_gate_gets_nothing_that_keeps_a_machine(tmp_path):
    laid(tmp_path, "gate")
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert "portillon-gate.service" in names
    assert not {name for name in names if "update" in name or "factory" in name}
    assert "20-reboot.conf" not in names  # a machine with other work is not started anew


def test_every_file_has_its_place_and_the_image_gets_all_but_the_servers(tmp_path):
    laid(tmp_path, "image")
    laid(tmp_path, "server")
    there = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    source = {path.name for path in (ROOT / "systemd").rglob("*") if path.is_file()}
    assert source - there == {"masked"}


def test_what_is_masked_starts_nothing(tmp_path):
    laid(tmp_path, "image")
    for line in (ROOT / "systemd" / "masked").read_text().splitlines():
        if not line.startswith("#"):
            mask = tmp_path / "etc/systemd/system" / line
            assert mask.readlink() == Path("/dev/null")


def test_a_preset_names_only_units_that_are_there_and_can_be_enabled():
    preset = (ROOT / "systemd" / "system-preset" / "80-portillon.preset").read_text()
    named = re.findall(r"^enable (portillon-\S+)$", preset, re.MULTILINE)
    can_be = {
        path.name for path in UNITS.iterdir() if path.is_file() and "[Install]" in path.read_text()
    }
    assert set(named) == can_be - {"portillon-server.service"}


def test_what_is_asked_wrongly_is_refused():
    for words in (
        [],
        ["gates"],
        ["gate", "--root"],
        ["gate", "--colour", "red"],
    ):
        done = ran(ROOT / "tools" / "units", *words)
        assert (done.returncode, "usage: tools/units" in done.stderr) == (1, True), words
