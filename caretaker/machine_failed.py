"""`portillon care machine-failed`: what follows when the machine itself could not start.

Where a file system of its own cannot be had, systemd would ask for the password of root, at a
keyboard that no gate has, and wait for ever. Here it is said what failed, and waited; the machine
is started anew by systemd once this ends, however it does (emergency.service.d, rescue.service.d).
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from caretaker.errors import CareError
from caretaker.gate_failed import systemctl
from caretaker.places import Places
from caretaker.reboots import NOTE_FILE, is_one_more_allowed, noted, write_down

SOON_S: Final = 30  # long enough to read the display, and to pull the card
LATER_S: Final = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument(
        "--reboots-an-hour", type=int, default=0, help="how often the machine starts anew soon"
    )
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the machine's files")


def run(arguments: argparse.Namespace) -> int:
    """Do what is to be done; see the module's text."""
    care = Places(arguments.root).care
    note = care / NOTE_FILE if care.is_mount() else None
    now_ms = time.time_ns() // 1_000_000
    return tell_and_wait(note, arguments.reboots_an_hour, now_ms, systemctl, time.sleep)


def tell_and_wait(
    note: Path | None,
    reboots_an_hour: int,
    now_ms: int,
    command: Callable[[Sequence[str]], str],
    wait: Callable[[float], None],
) -> int:
    """Say what failed, and wait until the machine is to be started anew.

    Args:
        note: where restarts are written down; None where nothing lasts, since the data partition
            is not there: what cannot be counted is not done soon.
        reboots_an_hour: how many of them come soon.
        now_ms: the wall clock.
        command: runs systemctl with arguments, and gives what it printed.
        wait: waits so many seconds.
    """
    wait_s = SOON_S if _counted(note, reboots_an_hour, now_ms) else LATER_S
    print(f"the machine did not start: {_failed(command)}", flush=True)
    print(f"it is started anew in {wait_s} s", flush=True)
    wait(wait_s)
    return 0


def _counted(note: Path | None, reboots_an_hour: int, now_ms: int) -> bool:
    """Count a restart among those that come soon; False if it is none."""
    if note is None:
        return False
    reboots_ms = noted(note)
    if not is_one_more_allowed(reboots_ms, now_ms, reboots_an_hour):
        return False
    try:
        write_down(note, reboots_ms, now_ms)
    except CareError as exc:
        print(exc, flush=True)
        return False
    return True


def _failed(command: Callable[[Sequence[str]], str]) -> str:
    try:
        shown = command(["list-units", "--failed", "--plain", "--no-legend", "--no-pager"])
    except CareError as exc:
        return str(exc)
    units = [line.split()[0] for line in shown.splitlines() if line.strip()]
    return ", ".join(units) or "somebody asked for it"
