"""`portillon care first-boot`: once in a card's life, the data partition takes the room there is.

Its partition is grown to the end of the card, then its file system, while it is in use; the folders
are made; the last thing is a mark that it was done. Every step leaves alone what is done already,
so that one that was cut short is begun again. Keys are not made here: the gate makes its own when
it first needs them, and no image holds any.
"""

import argparse
import os
import pwd
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caretaker.errors import FileError, MachineError
from caretaker.kept_files import write_whole
from caretaker.places import Places

MARK: Final = ".provisioned"
GATE_USER: Final = "portillon-gate"
# folder below /data, whose it is, who may enter; an image mounts most of them below /var/lib
FOLDERS: Final = (
    ("config", "root", 0o755),
    ("gate", GATE_USER, 0o700),
    ("gate-secret", GATE_USER, 0o700),
    ("care", "root", 0o700),
)
_PROGRAM_S_MAX: Final = 240

Run = Callable[[Sequence[str], str], None]


@dataclass(frozen=True, slots=True)
class Partition:
    """Where the data lies.

    Attributes:
        device: the partition's, "/dev/mmcblk0p6".
        disk: what it is a part of, "/dev/mmcblk0".
        number: its place in the table.
    """

    device: str
    disk: str
    number: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments: none."""
    parser.set_defaults(places=Places())


def run(arguments: argparse.Namespace) -> int:
    """Run the action."""
    first_boot(arguments.places, run_program)
    return 0


def first_boot(places: Places, run_one: Run) -> None:
    """Do it, unless it was done.

    Raises:
        MachineError: if partition or file system cannot be grown; the next start tries again.
        FileError: if a folder cannot be made.
    """
    data = places.root / "data"
    if (data / MARK).exists():
        return
    partition = partition_of(places, data)
    if partition is not None:
        grow(partition, run_one)
    for name, owner, mode in FOLDERS:
        _make(data / name, owner, mode)
    write_whole(data / MARK, b"1\n", mode=0o644)


def grow(partition: Partition, run_one: Run) -> None:
    """Have a partition and its file system take the room that is behind them.

    Raises:
        MachineError: if a program refuses.
    """
    number = str(partition.number)
    # the table's second copy lies where the image ended: to the end of the card with it first
    run_one(("sfdisk", "--no-reread", "--relocate", "gpt-bak-std", partition.disk), "")
    run_one(("sfdisk", "--no-reread", "--no-tell-kernel", "-N", number, partition.disk), ", +\n")
    run_one(("partx", "--update", "--nr", number, partition.disk), "")
    run_one(("resize2fs", partition.device), "")


def partition_of(places: Places, data: Path) -> Partition | None:
    """Find what a folder is mounted from; None where that is no partition of a disk."""
    number = (places.root / data).stat().st_dev
    device = places.root / f"sys/dev/block/{os.major(number)}:{os.minor(number)}"
    try:
        place = int((device / "partition").read_text())
        real = device.resolve()
    except (OSError, ValueError):
        return None
    return Partition(f"/dev/{real.name}", f"/dev/{real.parent.name}", place)


def run_program(words: Sequence[str], said: str) -> None:
    """Run a program of the machine to its end.

    Raises:
        MachineError: in its own words, if it fails, hangs, or is not there.
    """
    try:
        done = subprocess.run(  # noqa: S603  # words of ours, no shell
            words, input=said, text=True, capture_output=True, check=False, timeout=_PROGRAM_S_MAX
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MachineError(f"{words[0]}: {exc}") from exc
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise MachineError(f"{words[0]}: {told[-1] if told else f'status {done.returncode}'}")


def _make(folder: Path, owner: str, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, exist_ok=True)
        if os.geteuid() == 0:
            user = pwd.getpwnam(owner)
            os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
        folder.chmod(mode)
    except (OSError, KeyError) as exc:
        raise FileError(f"{folder}: cannot be made: {exc}") from exc
