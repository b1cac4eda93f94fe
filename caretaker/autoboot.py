"""`autoboot.txt`: the one sector that says which slot starts. Read here, written at a commit alone.

The firmware reads it from the FAT partition: the boot partition of each start, and of a start by
the one-shot `tryboot` flag. The file is always of one size and below a sector, and it is written
over where it lies: on FAT, putting a new file in the old one's place leaves names that point at
freed clusters (docs/adr/0034-updates.md). The image's builder writes the first one with `document`.
"""

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from caretaker.errors import FileError, MachineError
from caretaker.kept_files import read_small, write_in_place
from caretaker.update_machine import SLOTS

AUTOBOOT_FILE: Final = "autoboot.txt"
BYTES: Final = 496  # the firmware reads 512 at the most; one size for ever, well inside a sector
PARTITIONS: Final = {"a": 2, "b": 3}  # of `boot_a` and `boot_b` on the card
_REMOUNT: Final = 32  # MS_REMOUNT
# these are the same numbers for mount(2)
_KEPT_FLAGS: Final = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_SYNCHRONOUS | os.ST_NOATIME


def document(slot: str) -> bytes:
    """Give the file that starts a slot, and the other one on trial.

    Args:
        slot: "a" or "b".
    """
    other = SLOTS[1 - SLOTS.index(slot)]
    text = (
        f"[all]\ntryboot_a_b=1\nboot_partition={PARTITIONS[slot]}\n"
        f"[tryboot]\nboot_partition={PARTITIONS[other]}\n"
    )
    return text.encode().ljust(BYTES, b"\n")


def primary_slot(content: bytes) -> str:
    """Give the slot that a file starts.

    Raises:
        FileError: if it is not one of the two files that `document` makes: nothing is installed
            on a machine whose next start is not known.
    """
    for slot in SLOTS:
        if content == document(slot):
            return slot
    kinds = re.findall(rb"boot_partition=\d+", content[:BYTES])
    raise FileError(
        f"{AUTOBOOT_FILE} is not as this program writes it ({len(content)} bytes, "
        f"{b' '.join(kinds[:4]).decode()}): somebody edited it. Write the card anew, or put back "
        "what the other gates have"
    )


def read_primary(folder: Path) -> str:
    """Give the slot that starts, from the card.

    Raises:
        FileError: if the file is missing or not as it has to be.
    """
    content = read_small(folder / AUTOBOOT_FILE)
    if content is None:
        raise FileError(f"{folder / AUTOBOOT_FILE}: is missing; is the boot partition mounted?")
    return primary_slot(content)


def commit(folder: Path, slot: str) -> None:
    """Have a slot start from now on: one write in place, synced, read back and compared.

    Args:
        folder: where the FAT partition is mounted.
        slot: "a" or "b"; the one that starts already changes nothing.

    Raises:
        FileError: if the file is not as it has to be, or cannot be written.
        MachineError: if it reads otherwise than it was written.
    """
    if read_primary(folder) == slot:
        return
    path = folder / AUTOBOOT_FILE
    write_in_place(path, document(slot))
    _forget(path)
    if read_small(path) != document(slot):
        raise MachineError(f"{path}: reads otherwise than it was written; the card is at its end")


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Have the boot partition mounted to be written for as long as the context lasts.

    Raises:
        MachineError: if it cannot be mounted so, or not read-only again.
    """
    if not folder.is_mount() or not os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield
        return
    _remount(folder, "rw")
    try:
        yield
    finally:
        _remount(folder, "ro")


def _remount(folder: Path, how: str) -> None:
    """Ask the kernel itself: `mount` looks for the device, which a sandbox hides."""
    kept = os.statvfs(folder).f_flag & _KEPT_FLAGS
    flags = _REMOUNT | kept | (os.ST_RDONLY if how == "ro" else 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(None, os.fsencode(folder), None, ctypes.c_ulong(flags), None):
        reason = os.strerror(ctypes.get_errno())
        raise MachineError(f"{folder}: cannot be mounted {how}: {reason}")


def _forget(path: Path) -> None:
    """Have what is read next come from the card, not from what the kernel remembers of it."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)
