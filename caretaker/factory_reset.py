"""Back to how a machine left the factory: keys first, since without them the rest is noise.

Run by `portillon care factory-reset` at each start, before anything uses what is kept, and does
nothing unless it was asked for: by a file on the card's partition that any laptop opens, by the
kernel's command line, by a command, or by a button that is held for ten seconds.

Keys are written over where they lie, then removed; then everything else is removed. It can be cut
short at any point: what asked for it is removed last, and the next start begins again. What a
memory card keeps of a sector that was written over is the card's own affair, and out of reach; see
docs/operations/first-boot.md.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caretaker.errors import FileError, MachineError
from caretaker.kept_files import read_small, remove, write_in_place, write_whole
from caretaker.machine_file import tell
from caretaker.machine_settings import SETTINGS_FILE, kept_settings
from caretaker.places import Places

FLAG_FILE: Final = "factory-reset"  # on the card's partition, and in the caretaker's folder
KEEP_IDENTITY: Final = b"keep-identity"
ARGUMENT: Final = "portillon.factory_reset"
HOLD_S: Final = 10.0
FIRST_BOOT_MARK: Final = "data/.provisioned"
_IDENTITY: Final = "identity.json"
_KEY_FILES: Final = (_IDENTITY, "enrolling.json", "enrol.link", "page-pins.json", "page-tls.pem")
_KEY_BYTES_MAX: Final = 1 << 20  # of a file that is written over; longer ones hold no keys


@dataclass(frozen=True, slots=True)
class Demand:
    """What was asked.

    Attributes:
        by: who asked: "card", "kernel", "command" or "button".
        keeps_identity: whether the gate stays the server's gate, with its keys.
    """

    by: str
    keeps_identity: bool = False


def demand(places: Places, is_held: Callable[[int, float], bool]) -> Demand | None:
    """Tell whether a reset is asked for, and which; None for no.

    Args:
        places: where things lie.
        is_held: tells of a button to ground on this GPIO whether it stays closed for so long.
    """
    for by, path in (
        ("command", places.care / FLAG_FILE),
        ("card", places.boot_partition / FLAG_FILE),
    ):
        try:
            said = read_small(path, 4096)
        except FileError:  # a link, a folder: nothing that anybody of the house has put there
            continue
        if said is not None:
            return Demand(by, KEEP_IDENTITY in said)
    for word in _kernel_words(places):
        name, _, value = word.partition("=")
        if name == ARGUMENT and value != "0":
            return Demand("kernel", value.encode() == KEEP_IDENTITY)
    pin = kept_settings(places).reset_pin
    if pin is not None and is_held(pin, HOLD_S):
        return Demand("button")
    return None


def ask(places: Places, *, keeps_identity: bool) -> None:
    """Have the next start do it.

    Raises:
        FileError: if the demand cannot be written.
    """
    write_whole(places.care / FLAG_FILE, KEEP_IDENTITY if keeps_identity else b"all")


def reset(places: Places, wanted: Demand, at_step: Callable[[str], None] = lambda _: None) -> None:
    """Erase.

    Args:
        places: where things lie.
        wanted: what was asked.
        at_step: is told what comes next; a test cuts there.

    Raises:
        FileError: if something cannot be erased; the next start tries again.
    """
    at_step("demand")
    if wanted.by != "command":  # from here on it goes on whatever became of button and card
        ask(places, keeps_identity=wanted.keeps_identity)
    for path in _keys(places, wanted):
        at_step(f"key {path.name}")
        _erase(path)
    for path in _rest(places, wanted):
        at_step(f"data {path.name}")
        _remove(path)
    tell(places, provision={"outcome": "none", "lines": [], "at_ms": 0})
    for path in (
        places.root / FIRST_BOOT_MARK,
        places.boot_partition / "gate.toml",
        places.boot_partition / FLAG_FILE,
        places.care / FLAG_FILE,
    ):
        at_step(f"mark {path.name}")
        if os.path.lexists(path):
            remove(path)


def _keys(places: Places, wanted: Demand) -> Iterator[Path]:
    """Give what has to be gone first, what opens the most before the rest."""
    if not wanted.keeps_identity:
        yield places.device_secret
    yield places.care / SETTINGS_FILE
    for name in _KEY_FILES:
        if name != _IDENTITY or not wanted.keeps_identity:
            yield places.state / name


def _rest(places: Places, wanted: Demand) -> Iterator[Path]:
    """Give everything else that was kept."""
    config = places.config
    if config.is_symlink():
        config = places.root / config.parent.joinpath(config.readlink()).relative_to("/")
    yield config
    yield config.with_name(config.name + ".before")
    kept = {places.care / FLAG_FILE}
    if wanted.keeps_identity:
        kept |= {places.state / _IDENTITY, places.device_secret}
    for folder in (places.state, places.device_secret.parent, places.care):
        with suppress(FileNotFoundError):
            yield from sorted(path for path in folder.iterdir() if path not in kept)


def _erase(path: Path) -> None:
    """Write a file over where it lies, then remove it."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(found.st_mode) and found.st_size <= _KEY_BYTES_MAX:
        write_in_place(path, secrets.token_bytes(found.st_size))
    _remove(path)


def _remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; a link goes, not where it leads."""
    if path.is_dir() and not path.is_symlink():
        try:
            shutil.rmtree(path)
        except OSError as exc:
            raise FileError(f"{path}: cannot be removed: {exc.strerror}") from exc
    else:
        remove(path)


def _kernel_words(places: Places) -> list[str]:
    try:
        return (places.root / "proc/cmdline").read_text("ascii", errors="replace").split()
    except OSError as exc:
        raise MachineError(f"/proc/cmdline cannot be read: {exc.strerror}") from exc
