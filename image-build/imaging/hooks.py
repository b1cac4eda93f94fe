"""What is done to a tree of Debian so that it becomes a gate's: numbered steps.

Each is a function of the tree and the recipe, may be run again, and looks at nothing else, so that
tests run it on a tree of a few files.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from imaging import generated
from imaging.errors import BuildError
from imaging.recipe import FOLDER, REPOSITORY, Recipe
from imaging.running import run

# Whom a program may run as another user for. mount and su of Debian are not: nobody logs in here.
SETUID_ALLOWED: Final = ("usr/lib/dbus-1.0/dbus-daemon-launch-helper",)
GONE: Final = (
    "etc/apt",
    "etc/cron.d",
    "etc/cron.daily",
    "etc/fstab",
    "etc/motd",
    "etc/resolv.conf",
    "etc/.pwd.lock",
    "usr/share/bash-completion",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/pixmaps",
    "usr/share/zsh",
    "usr/bin/apt*",
    "usr/lib/apt",
    "usr/lib/*/libapt-*",
    "usr/lib/python3*/ensurepip",
    "usr/lib/python3*/idlelib",
    "usr/lib/python3*/test",
    "usr/lib/python3*/turtledemo",
    "boot",
)
SSH_GENERATOR_MASK: Final = "etc/systemd/system-generators/systemd-ssh-generator"
RELEASE_FILE: Final = "etc/portillon-release"
_ACTION: Final = re.compile(r"^Exec\w+=.*/portillon care ([\w-]+)", re.MULTILINE)


def identity(tree: Path, recipe: Recipe) -> None:
    """Take away what would make two machines one, or one of them a known one."""
    write(tree / "etc/machine-id", "")
    for path in (tree / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    for name in ("etc/shadow", "etc/shadow-"):
        path = tree / name
        if path.exists():  # nobody has a password, and none can be set on a read-only root
            rows = [line.split(":") for line in path.read_text().splitlines()]
            day = str(recipe.epoch // 86400)
            kept = [":".join([row[0], "*", day, *row[3:]]) for row in rows]
            path.write_text("".join(f"{line}\n" for line in kept))


def leftovers(tree: Path, recipe: Recipe) -> None:
    """Take away what a gate has no use for, and what was written when the tree was made."""
    del recipe
    for pattern in GONE:
        for path in sorted(tree.glob(pattern)):
            remove(path)
    for path in (tree / "etc").glob("*-"):
        path.unlink()
    for module in sorted(tree.glob("usr/lib/python3*/**/__pycache__")):
        if not any(module.parent.glob("*.py")):
            shutil.rmtree(module)


def units(tree: Path, recipe: Recipe) -> None:
    """Lay units, users, device names and settings of systemd/ into the tree."""
    del recipe
    run([REPOSITORY / "tools/units", "image", "--root", tree])
    # It would open ssh to an emulator's host and on a socket, whatever gate.toml says.
    link(tree / SSH_GENERATOR_MASK, "/dev/null")


def overlay(tree: Path, recipe: Recipe) -> None:
    """Lay rootfs/ over it."""
    del recipe
    for source in sorted((FOLDER / "rootfs").rglob("*")):
        target = tree / source.relative_to(FOLDER / "rootfs")
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink():
                target.unlink()
            shutil.copyfile(source, target)
            target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def layout(tree: Path, recipe: Recipe) -> None:
    """Write what follows from layout.toml, and the places where something is mounted."""
    write(tree / "etc/fstab", generated.fstab(recipe.layout))
    write(tree / generated.FOLDERS_FILE, generated.data_folders(recipe.layout))
    system = generated.rauc_system(recipe.layout, recipe.compatible)
    write(tree / "etc/rauc/system.conf", system)
    places = [p.mount for p in recipe.layout.partitions if p.mount]
    places += [folder.at for folder in recipe.layout.folders]
    for place in places:
        if not place.startswith("/var/"):
            (tree / place.removeprefix("/")).mkdir(parents=True, exist_ok=True)
    keyring = tree / generated.KEYRING.removeprefix("/")
    if recipe.keyring is None:
        remove(keyring)
    else:
        write(keyring, recipe.keyring.read_text(encoding="ascii"))


def certificates(tree: Path, recipe: Recipe) -> None:
    """Put the certificates of Debian's package into the one file that programs read."""
    del recipe
    found = sorted(tree.glob("usr/share/ca-certificates/mozilla/*.crt"))
    if not found:
        raise BuildError("no certificates: the flavour has to unpack ca-certificates")
    text = "".join(path.read_text(encoding="ascii").strip() + "\n" for path in found)
    write(tree / "etc/ssl/certs/ca-certificates.crt", text)


def wireless(tree: Path, recipe: Recipe) -> None:
    """Choose Debian's table of what radios may do where, as its package would have."""
    del recipe
    folder = tree / "usr/lib/firmware"
    for name in ("regulatory.db", "regulatory.db.p7s"):
        if (folder / f"{name}-debian").exists():
            link(folder / name, f"{name}-debian")


def modules(tree: Path, recipe: Recipe) -> None:
    """Leave out drivers that no gate has a use for, and list those that stay."""
    for folder in sorted(tree.glob("usr/lib/modules/*")):
        for dropped in recipe.machine.drop_modules:
            remove(folder / dropped)
        run(["depmod", "--basedir", tree, folder.name])


def users(tree: Path, recipe: Recipe) -> None:
    """Make the users that sysusers.d names: the root cannot be written later."""
    del recipe
    run(["systemd-sysusers", f"--root={tree}"])
    for path in (tree / "etc").glob("*-"):
        path.unlink()
    remove(tree / "etc/.pwd.lock")


def enabled(tree: Path, recipe: Recipe) -> None:
    """Enable what an image starts; leave out units whose action this Portillon does not have."""
    wanted = [*recipe.flavour.enable]
    for preset in sorted(tree.glob("usr/lib/systemd/system-preset/*-portillon.preset")):
        wanted += re.findall(r"^enable (\S+)$", preset.read_text(), re.MULTILINE)
    wanted = [unit for unit in dict.fromkeys(wanted) if unit not in not_offered(tree)]
    run(["systemctl", f"--root={tree}", "--quiet", "enable", *wanted])
    run(["systemctl", f"--root={tree}", "--quiet", "set-default", "multi-user.target"])


def not_offered(tree: Path) -> list[str]:
    """Give the units that call an action of the caretaker's that this checkout does not have."""
    offered = set(
        re.findall(r'^    "([\w-]+)": \(', (REPOSITORY / "portillon/care.py").read_text(), re.M)
    )
    folder = tree / "usr/lib/systemd/system"
    lacking = {
        path.stem
        for path in folder.glob("portillon-*.service")
        if set(_ACTION.findall(path.read_text())) - offered
    }
    units = (
        folder / f"{stem}{kind}" for stem in lacking for kind in (".service", ".path", ".timer")
    )
    return sorted(unit.name for unit in units if unit.exists())


def names(tree: Path, recipe: Recipe) -> None:
    """Say what this is, where people and programs look for it."""
    lines = {
        "PORTILLON_VERSION": recipe.version,
        "PORTILLON_COMPATIBLE": recipe.compatible,
        "PORTILLON_FLAVOUR": recipe.flavour.name,
        "PORTILLON_EXPERIMENTAL": "yes" if recipe.flavour.experimental else "no",
        "PORTILLON_TAKES_UPDATES": "no" if recipe.keyring is None else "yes",
        "PORTILLON_BOARDS": '"' + ", ".join(recipe.machine.boards) + '"',
    }
    write(tree / RELEASE_FILE, "".join(f"{name}={value}\n" for name, value in lines.items()))
    # os-release(5) has a field for it; updates ask the slot itself which version it is.
    release = tree / "usr/lib/os-release"
    own = [row for row in release.read_text().splitlines() if not row.startswith("IMAGE_VERSION=")]
    write(release, "\n".join([*own, f"IMAGE_VERSION={recipe.version}", ""]))
    write(tree / "usr/lib/clock-epoch", "")
    link(tree / "etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
    link(tree / "etc/localtime", "/usr/share/zoneinfo/UTC")
    link(tree / "etc/mtab", "../proc/self/mounts")  # as tmpfiles would


def rights(tree: Path, recipe: Recipe) -> None:
    """Take the right to become somebody else from every program that is not on the list."""
    del recipe
    for path in sorted(tree.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        mode = path.stat().st_mode
        if mode & 0o6000 and str(path.relative_to(tree)) not in SETUID_ALLOWED:
            path.chmod(mode & 0o1777)


def empty_var(tree: Path, recipe: Recipe) -> None:
    """Leave nothing in /var: it is in memory, and made anew at every start."""
    del recipe
    for place in ("dev", "home", "root", "run", "tmp", "var"):
        folder = tree / place
        folder.mkdir(exist_ok=True)
        for path in sorted(folder.iterdir()):
            remove(path)


HOOKS: Final[dict[str, Callable[[Path, Recipe], None]]] = {
    "10-identity": identity,
    "20-leftovers": leftovers,
    "30-units": units,
    "40-overlay": overlay,
    "45-layout": layout,
    "50-certificates": certificates,
    "55-wireless": wireless,
    "60-modules": modules,
    "70-users": users,
    "75-enabled": enabled,
    "80-names": names,
    "85-identity": identity,
    "90-rights": rights,
    "95-empty-var": empty_var,
}


def write(path: Path, text: str) -> None:
    """Write a file that everybody may read, and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def link(path: Path, target: str) -> None:
    """Put a symbolic link in a file's place."""
    remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def remove(path: Path) -> None:
    """Take away a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
