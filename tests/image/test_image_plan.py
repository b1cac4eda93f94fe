"""Flavours, arguments, the plan, and the texts that a slot starts from."""

import re
import subprocess
from pathlib import Path

import pytest

from image_makers import recipe
from imaging.building import boot_texts
from imaging.errors import RecipeError
from imaging.flavours import read_flavour
from imaging.recipe import FOLDER, flavour_of_repository, rest_pins

PROGRAM = FOLDER / "portillon-image"
DEBIAN = (FOLDER / "flavours/debian.toml").read_text(encoding="utf-8")


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *words], capture_output=True, text=True, check=False, timeout=60
    )


def test_flavour_debian_is_for_boards_and_for_emulators():
    flavour = flavour_of_repository("debian")
    assert sorted(flavour.machines) == ["amd64", "arm64"]
    assert not flavour.experimental
    assert not flavour.vendor


def test_flavour_rpi_says_that_it_is_experimental_and_names_no_archive():
    flavour = flavour_of_repository("rpi")
    assert flavour.experimental
    assert flavour.vendor
    assert "://" not in (FOLDER / "flavours/rpi.toml").read_text()
    assert "python3-picamera2" in flavour.packages


def test_what_takes_tens_of_minutes_under_emulation_is_not_installed():
    for name in ("debian", "rpi"):
        installed = set(flavour_of_repository(name).packages)
        assert not installed & {"ca-certificates", "initramfs-tools", "python3-venv", "python3-pip"}
        assert not {
            name for name in installed if name.startswith(("linux-image", "libcamera-tools"))
        }


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ('"dbus",', '"DBus!",', "no names of packages: DBus!"),
        ('"dbus",', '"zzz",', "in order"),
        ("format = 1", "format = 3", "format has to be 1"),
        ("experimental = false", "experimental = false\nvendor = true", "go together"),
        ("[arch.amd64]", "[arch.mips]", "unknown: mips"),
        ('console = "tty1"\n', "", "console is missing"),
        ('"usr/lib/raspi-firmware/overlays -> overlays"', '"overlays"', "from -> folder"),
    ],
)
def test_a_flavour_that_cannot_be_is_refused_in_words(tmp_path: Path, was, becomes, words):
    path = tmp_path / "debian.toml"
    assert was in DEBIAN
    path.write_text(DEBIAN.replace(was, becomes, 1))
    with pytest.raises(RecipeError, match=words):
        read_flavour(path)


def test_a_boards_start_rests_the_relays_and_keeps_a_watchdog(tmp_path: Path):
    config = boot_texts(recipe(tmp_path, arch="arm64", pins="17=dl,27=dh"))["config.txt"]
    assert "gpio=17=op,dl\ngpio=27=op,dh\n" in config
    assert "dtparam=watchdog=on" in config
    assert "@" not in config


def test_a_kernel_that_panics_starts_the_machine_anew(tmp_path: Path):
    line = boot_texts(recipe(tmp_path, arch="arm64"))["cmdline.txt"]
    assert line.count("\n") == 1  # the firmware reads one line
    assert {"panic=10", "oops=panic", "ro", "console=tty1"} <= set(line.split())
    assert not re.search(r"debug|init=|console=tty(S|AMA)|systemd\.confirm", line)


def test_the_twin_for_emulators_has_no_boards_settings(tmp_path: Path):
    texts = boot_texts(recipe(tmp_path, arch="amd64"))
    assert list(texts) == ["cmdline.txt"]
    assert "console=ttyS0" in texts["cmdline.txt"]


@pytest.mark.parametrize("text", ["17", "17=high", "x=dl", "99=dl", "17=dl;27=dl"])
def test_pins_at_rest_are_numbers_and_levels(text):
    with pytest.raises(RecipeError, match="pins at rest read"):
        rest_pins(text)


def test_the_plan_shows_steps_and_generated_files_and_does_nothing(tmp_path: Path):
    out = tmp_path / "out"
    done = ran("--plan", "--arch", "arm64", "--version", "0.2.0+7", "--out", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "portillon-gate-debian-arm64-0.2.0+7",
        "95-empty-var",
        "/etc/fstab",
        "gpio=17=op,dl",
    ):
        assert words in done.stdout
    assert "EXPERIMENTAL" not in done.stdout
    assert not out.exists()


def test_the_plan_of_an_experimental_flavour_says_so(tmp_path: Path):
    keys = tmp_path / "keys.gpg"
    keys.write_text("")
    done = ran(
        "--plan", "--flavour", "rpi", "--version", "0.2.0",
        "--vendor-archive", "https://archive.example.org/", "--vendor-keys", str(keys),
    )  # fmt: skip
    assert done.returncode == 0
    assert "EXPERIMENTAL: nobody has reported a start" in done.stdout
    assert "linux-image-rpi-v8" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--version", "latest"], "--version reads 0.2.0"),
        (
            ["--version", "1.0.0", "--flavour", "rpi", "--arch", "amd64"],
            "is for arm64, not for amd64",
        ),
        (["--version", "1.0.0", "--vendor-archive", "x"], "go together"),
        (["--version", "1.0.0", "--keyring", "/nowhere.pem"], "no such file"),
    ],
)
def test_arguments_that_cannot_be_end_with_status_2(words, said):
    done = ran("--plan", *words)
    assert done.returncode == 2
    assert said in done.stderr
