"""What has to hold of a tree before it becomes an image; each is a sentence about what does not."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from imaging.doors import open_doors
from imaging.errors import BuildError
from imaging.hooks import SETUID_ALLOWED

# Programs that turn a hole in a gate into a foothold.
UNWANTED_PROGRAMS: Final = (
    "apt", "apt-get", "cc", "curl", "g++", "gcc", "make", "pip", "pip3", "sudo", "tcc", "wget",
)  # fmt: skip
NEEDED: Final = (
    "etc/fstab",
    "etc/machine-id",
    "etc/rauc/system.conf",
    "etc/ssl/certs/ca-certificates.crt",
    "usr/bin/portillon",
    "usr/lib/clock-epoch",
    "usr/lib/portillon/portillon/__main__.py",
    "usr/lib/systemd/system/portillon-gate.service",
    "usr/lib/systemd/systemd",
    "usr/sbin/iw",
    "usr/sbin/nft",
    "usr/sbin/sshd",
)
PLACES_FOR_ALL: Final = ("tmp", "var/tmp", "run/lock")  # whoever may write there, all may


def complaints(tree: Path) -> Iterator[str]:
    """Give what is wrong with a tree."""
    for name in NEEDED:
        if not (tree / name).exists():
            yield f"/{name} is missing"
    for name in UNWANTED_PROGRAMS:
        for folder in ("usr/bin", "usr/sbin"):
            if (tree / folder / name).exists():
                yield f"/{folder}/{name} has no business on a gate"
    if (tree / "etc/machine-id").exists() and (tree / "etc/machine-id").read_text().strip():
        yield "/etc/machine-id is filled: all cards would be one machine"
    if any((tree / "etc/ssh").glob("ssh_host_*")):
        yield "/etc/ssh holds a host's key, the same on all cards"
    if any((tree / "var").iterdir() if (tree / "var").is_dir() else ()):
        yield "/var is not empty, and is never seen"
    yield from open_doors(tree)
    yield from _passwords(tree)
    yield from _rights(tree)


def check(tree: Path) -> None:
    """Check a tree.

    Raises:
        BuildError: if something is wrong with it, naming all of it.
    """
    if found := list(complaints(tree)):
        raise BuildError("the tree is not fit for a gate:\n  " + "\n  ".join(found))


def _passwords(tree: Path) -> Iterator[str]:
    path = tree / "etc/shadow"
    for line in path.read_text().splitlines() if path.exists() else ():
        user, secret = line.split(":")[:2]
        if secret.strip("!*"):
            yield f"{user} has a password, the same on all cards"
        elif not secret:
            yield f"{user} needs no password"


def _rights(tree: Path) -> Iterator[str]:
    for path in tree.rglob("*"):
        mode = path.lstat().st_mode
        name = str(path.relative_to(tree))
        if stat.S_ISREG(mode) and mode & 0o6000 and name not in SETUID_ALLOWED:
            yield f"/{name} runs as another user than who calls it"
        if not stat.S_ISLNK(mode) and mode & 0o002 and name not in PLACES_FOR_ALL:
            yield f"/{name} may be written to by everybody"
