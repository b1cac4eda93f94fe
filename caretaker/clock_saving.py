"""`portillon care save-clock`: writes down what time it is, every few minutes and at each stop.

The other half is `clock_restoring`, at the next start. systemd-timesyncd saves a time only while it
has a time server: a gate in a venue without a network would lose all that it knew.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caretaker.errors import FileError
from caretaker.kept_files import read_small, write_in_place, write_whole
from caretaker.places import Places
from caretaker.saved_clock import SAVED_BYTES, Saved, read_saved, to_save, write_saved

SAVED_FILE: Final = "clock"
_EPOCH_MARK: Final = "usr/lib/clock-epoch"  # its date is that of the image
_SYNCED_MARK: Final = "run/systemd/timesync/synchronized"
_RELEASE_MS: Final = 1_767_225_600_000  # 2026-01-01, where no image has a date of its own


def _set(ms: int) -> None:
    time.clock_settime_ns(time.CLOCK_REALTIME, ms * 1_000_000)


@dataclass(frozen=True, slots=True)
class MachineClock:
    """The machine's clock, as far as the caretaker touches it.

    Attributes:
        wall_ms: milliseconds since 1970, whoever set it.
        set_ms: sets it.
        wait: waits so many seconds.
    """

    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    set_ms: Callable[[int], None] = _set
    wait: Callable[[float], None] = time.sleep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments: none."""
    parser.set_defaults(places=Places())


def run(arguments: argparse.Namespace) -> int:
    """Run the action."""
    save_clock(arguments.places, MachineClock())
    return 0


def save_clock(places: Places, clock: MachineClock) -> bool:
    """Write the time down; tell whether it was worth it.

    Raises:
        FileError: if it cannot be written.
    """
    path = places.care / SAVED_FILE
    is_synced = (places.root / _SYNCED_MARK).exists()
    saved = to_save(clock.wall_ms(), built_ms(places), saved_in(path), is_synced=is_synced)
    if saved is None:
        return False
    content = write_saved(saved)
    if path.is_symlink() or not path.is_file() or path.stat().st_size != SAVED_BYTES:
        write_whole(path, content)
    else:
        write_in_place(path, content)  # one sector, old or new: no new file every few minutes
    return True


def built_ms(places: Places) -> int:
    """Give the software's own date, milliseconds since 1970."""
    try:
        marked_ms = (places.root / _EPOCH_MARK).stat().st_mtime_ns // 1_000_000
    except OSError:
        return _RELEASE_MS
    return max(marked_ms, _RELEASE_MS)


def saved_in(path: Path) -> Saved | None:
    """Give what was written last; None where there is nothing that can be read."""
    try:
        return read_saved(read_small(path, SAVED_BYTES))
    except FileError:  # it is written anew, and a start goes on without it
        return None
