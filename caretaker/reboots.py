"""The restarts of the machine that the caretaker asked for, written down so that they stay few."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from caretaker.errors import FileError
from caretaker.kept_files import read_small, write_whole

NOTE_FILE: Final = "reboots.json"  # in the caretaker's own folder
FORMAT: Final = 1
HOUR_MS: Final = 3_600_000
REBOOTS_KEPT: Final = 32


def is_one_more_allowed(reboots_ms: Sequence[int], now_ms: int, an_hour: int) -> bool:
    """Tell whether the machine may be started anew once more.

    Args:
        reboots_ms: wall-clock times of the restarts of the machine so far.
        now_ms: the wall clock now. It may have gone back: a time that lies ahead counts as recent,
            so that a clock that starts over can never make restarts endless.
        an_hour: how many are allowed.
    """
    return len([at for at in reboots_ms if at > now_ms - HOUR_MS]) < an_hour


def noted(note: Path) -> list[int]:
    """Give the times that were written down; a note that cannot be read says none."""
    try:
        said = json.loads(read_small(note) or b"{}")
    except (FileError, ValueError, RecursionError):
        return []
    times = said.get("reboots_ms") if isinstance(said, dict) else None
    return [at for at in times if type(at) is int] if isinstance(times, list) else []


def write_down(note: Path, reboots_ms: Sequence[int], now_ms: int) -> None:
    """Write down one more, before it is done.

    Raises:
        FileError: if it cannot be.
    """
    kept = [*reboots_ms, now_ms][-REBOOTS_KEPT:]
    write_whole(note, json.dumps({"format": FORMAT, "reboots_ms": kept}).encode())
