"""Runs the programs that an image is made with, and says which are missing before the first one."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from imaging.errors import BuildError

# program -> Debian's package of it
PROGRAMS: Final = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "sgdisk": "gdisk",
    "depmod": "kmod",
    "systemctl": "systemd",
    "systemd-sysusers": "systemd",
}
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LINES_KEPT: Final = 12


def missing(programs: Iterable[str] = PROGRAMS) -> list[str]:
    """Give the packages of programs that this machine lacks."""
    return sorted({PROGRAMS[p] for p in programs if shutil.which(p, path=PATH) is None})


def run(
    words: Sequence[str | Path],
    *,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end, and give what it printed.

    Args:
        words: the program and its arguments.
        folder: where it runs.
        variables: of its environment, beside a fixed time zone and language.

    Raises:
        BuildError: if it cannot be run or fails, with the last it said.
    """
    fixed = {"PATH": PATH, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    environment = {**os.environ, **fixed, **(variables or {})}
    try:
        done = subprocess.run(  # noqa: S603 - words of the builder's own
            [str(word) for word in words],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    except OSError as exc:
        raise BuildError(f"{words[0]}: cannot be run: {exc.strerror}") from exc
    except subprocess.CalledProcessError as exc:
        said = "\n".join((exc.stdout + exc.stderr).strip().splitlines()[-_LINES_KEPT:])
        raise BuildError(f"{words[0]} failed ({exc.returncode}):\n{said}") from exc
    return done.stdout
