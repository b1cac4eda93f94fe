"""What the firmware started: which slot, and whether by its one-shot flag.

A Raspberry Pi's firmware leaves both in the device tree. Where there is none, the kernel's
arguments say it (`portillon.partition=2 portillon.tryboot=1`), as the tests' firmware gives them to
the twin of the image that runs in emulators. It is never guessed from what is mounted.
"""

import re
from typing import Final

from caretaker.autoboot import PARTITIONS
from caretaker.errors import FileError, MachineError
from caretaker.places import Places
from caretaker.update_machine import Booted

_TREE: Final = "proc/device-tree/chosen/bootloader"
_CELL_BYTES: Final = 4
_ARGUMENT: Final = re.compile(r"(?<!\S)portillon\.(partition|tryboot)=(\d{1,3})(?!\S)")


def read_booted(places: Places) -> Booted:
    """Give what runs.

    Raises:
        MachineError: if nothing says it, or it is no slot: this is no machine with two slots.
    """
    said = _from_tree(places) or _from_arguments(places)
    if "partition" not in said:
        raise MachineError(
            "nothing says which slot runs: neither the firmware, in the device tree, nor the "
            "kernel's arguments. Updates need the image, and a firmware that knows tryboot"
        )
    for slot, partition in PARTITIONS.items():
        if said["partition"] == partition:
            return Booted(slot, bool(said.get("tryboot")))
    raise MachineError(f"started from partition {said['partition']}, which is no slot's")


def read_built_s(places: Places) -> int:
    """Give when the boot loader was built, seconds since 1970; 0 where it does not tell."""
    try:
        cell = (places.root / _TREE / "build-timestamp").read_bytes()
    except OSError:  # another board, an older loader, an emulator
        return 0
    return int.from_bytes(cell, "big") if len(cell) == _CELL_BYTES else 0


def read_boot(places: Places) -> str:
    """Give the id of this start of the machine, as hex digits alone.

    Raises:
        MachineError: if the kernel does not tell.
    """
    path = places.root / "proc/sys/kernel/random/boot_id"
    try:
        return path.read_text(encoding="ascii").strip().replace("-", "")
    except (OSError, ValueError) as exc:
        raise MachineError(f"{path}: cannot be read: {exc}") from exc


def _from_tree(places: Places) -> dict[str, int]:
    said = {}
    for name in ("partition", "tryboot"):
        path = places.root / _TREE / name
        try:
            cell = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise MachineError(f"{path}: cannot be read: {exc.strerror}") from exc
        if len(cell) != _CELL_BYTES:
            raise MachineError(f"{path}: is no number of {_CELL_BYTES} bytes")
        said[name] = int.from_bytes(cell, "big")
    return said


def _from_arguments(places: Places) -> dict[str, int]:
    path = places.root / "proc/cmdline"
    try:
        line = path.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        raise FileError(f"{path}: cannot be read: {exc.strerror}") from exc
    return {name: int(value) for name, value in _ARGUMENT.findall(line)}
