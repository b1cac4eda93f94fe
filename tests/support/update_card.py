"""Makes what the machine of the update tier runs: a small Debian in a slot, bundles, a card.

The caretaker, its units and RAUC are the real ones; the gate is a stand-in that says how it is
(tests/update/guest). Nothing is mounted: file systems are made from folders.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caretaker.autoboot import document
from update_keys import Signer

ROOT: Final = Path(__file__).resolve().parents[2]
GUEST: Final = ROOT / "tests/update/guest"
PACKAGES: Final = (
    "systemd-sysv", "udev", "dbus", "kmod", "python3", "linux-image-cloud-amd64",
    "initramfs-tools", "zstd", "rauc", "rauc-service",
)  # fmt: skip
COMPATIBLE: Final = "portillon-gate-trial-amd64"
MIB: Final = 1 << 20
SECTOR: Final = 512
# name, type, first MiB, MiB
PARTITIONS: Final = (
    ("bootcfg", "0700", 1, 16),
    ("boot_a", "0700", 17, 80),
    ("boot_b", "0700", 97, 80),
    ("system_a", "8300", 177, 160),
    ("system_b", "8300", 337, 160),
    ("data", "8300", 497, 900),
)
ARGUMENTS: Final = "console=ttyS0 quiet ro panic=5 systemd.volatile=state systemd.show_status=0"
UNITS: Final = (
    "portillon-rollback-report.service", "portillon-update.path", "portillon-update.timer",
    "portillon-health.service", "portillon-commit.service", "portillon-gate.service",
    "trial.service",
)  # fmt: skip


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a program; what it said is in the failure."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Slot:
    """Images of one version: root and boot partition."""

    root: Path
    boot: Path


def make_tree(tree: Path, keyring: Path) -> None:
    """Lay caretaker, units and the stand-ins into a Debian 13."""
    packed = run(ROOT / "tools/trixie-tree", *PACKAGES).strip()
    tree.mkdir(parents=True)
    run("tar", "-C", tree, "-xf", packed)
    for folder in ("usr/share/perl", "usr/lib/x86_64-linux-gnu/perl-base", "usr/share/zoneinfo"):
        shutil.rmtree(tree / folder, ignore_errors=True)
    library = tree / "usr/lib/python3/dist-packages"
    for house in ("admission", "caretaker", "portillon"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / house, library / house, ignore=ignored)
    run(ROOT / "tools/units", "image", "--root", tree)
    shutil.copytree(GUEST / "tree", tree, dirs_exist_ok=True, symlinks=True)
    for program in ("usr/bin/portillon", "usr/lib/portillon-image/boot-backend"):
        (tree / program).chmod(0o755)
    shutil.copy(keyring, tree / "etc/rauc/keyring.pem")
    for folder in ("boot/cfg", "data", "var/lib/portillon-care", "var/lib/portillon-gate"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    run("systemd-sysusers", f"--root={tree}")
    run("systemctl", f"--root={tree}", "set-default", "multi-user.target")
    run("systemctl", f"--root={tree}", "enable", *UNITS)
    waste = (
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "getty@tty1.service",
        "e2scrub_all.timer",
    )
    run("systemctl", f"--root={tree}", "mask", *waste, "serial-getty@ttyS0.service")


def make_slot(tree: Path, version: str, folder: Path, is_sick: bool = False) -> Slot:
    """Make the images of a version; a sick one's gate does not serve."""
    folder.mkdir(parents=True)
    release = tree / "usr/lib/os-release"
    kept = [one for one in release.read_text().splitlines() if not one.startswith("IMAGE_VERSION")]
    release.write_text("\n".join([*kept, f"IMAGE_VERSION={version}", ""]))
    sick = tree / "usr/lib/trial/sick"
    sick.unlink(missing_ok=True)
    if is_sick:
        sick.touch()
    made = Slot(folder / "rootfs.squashfs", folder / "boot.vfat")
    run(
        "mksquashfs", tree, made.root, "-comp", "zstd", "-Xcompression-level", "1", "-noappend",
        "-quiet", "-no-progress", "-wildcards", "-e", "boot/vmlinuz*", "boot/initrd*",
        "boot/System.map*", "boot/config*", "var/cache/*",
    )  # fmt: skip
    made.boot.unlink(missing_ok=True)
    run("/usr/sbin/mkfs.vfat", "-C", "-n", "BOOT", made.boot, str(79 * 1024))
    for kind, name in (("vmlinuz", "vmlinuz"), ("initrd.img", "initrd")):
        (file,) = (tree / "boot").glob(f"{kind}-*")
        run("mcopy", "-i", made.boot, file, f"::{name}")
    (folder / "cmdline.txt").write_text(ARGUMENTS)
    run("mcopy", "-i", made.boot, folder / "cmdline.txt", "::cmdline.txt")
    return made


def make_bundle(
    target: Path, version: str, slot: Slot, signer: Signer, compatible: str = COMPATIBLE
) -> Path:
    """Make a signed verity bundle."""
    run(
        ROOT / "tools/portillon-bundle", "--compatible", compatible, "--version", version,
        "--root", slot.root, "--boot", slot.boot, "--cert", signer.certificate,
        "--key", signer.key, target,
    )  # fmt: skip
    return target


def flip_a_bit(bundle: Path) -> None:
    """Alter the payload, which the signature covers by its hashes alone."""
    with bundle.open("r+b") as file:
        file.seek(bundle.stat().st_size // 3)
        (byte,) = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def make_card(card: Path, slot: Slot, bundles: Sequence[Path]) -> None:
    """Make a card that starts slot A, with bundles in the gate's folder."""
    with card.open("wb") as file:
        file.truncate((PARTITIONS[-1][2] + PARTITIONS[-1][3] + 2) * MIB)
    words: list[str] = []
    for number, (name, kind, first, size) in enumerate(PARTITIONS, start=1):
        end = (first + size) * MIB // SECTOR - 1
        words += [f"-n{number}:{first * MIB // SECTOR}:{end}", f"-t{number}:{kind}"]
        words += [f"-c{number}:{name}"]
    run("/usr/sbin/sgdisk", *words, card)
    folder = card.parent
    config, data = folder / "bootcfg.vfat", folder / "data.ext4"
    run("/usr/sbin/mkfs.vfat", "-C", "-n", "BOOTCFG", config, str(16 * 1024))
    (folder / "autoboot.txt").write_bytes(document("a"))
    run("mcopy", "-i", config, folder / "autoboot.txt", "::autoboot.txt")
    tree = folder / "data"
    (tree / "care").mkdir(parents=True)
    (tree / "gate/bundles").mkdir(parents=True)
    for bundle in bundles:
        shutil.copy(bundle, tree / "gate/bundles")
    run("/usr/sbin/mkfs.ext4", "-q", "-F", "-L", "data", "-d", tree, data, "900m")
    images = (config, slot.boot, None, slot.root, None, data)
    for (_, _, first, _), image in zip(PARTITIONS, images, strict=True):
        if image is not None:
            run("dd", f"if={image}", f"of={card}", "bs=1M", f"seek={first}", "conv=notrunc,sparse")
    shutil.rmtree(tree)
