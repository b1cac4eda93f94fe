"""`portillon care commit`: a version that was well for its whole trial is the one that starts.

Run by portillon-commit.service behind `care health`, and over at once where nothing is on trial.
The one program that writes `autoboot.txt`. Status 1 has the unit start the machine anew.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from caretaker import rauc
from caretaker.autoboot import commit, writable
from caretaker.errors import CareError
from caretaker.health_watch import is_on_trial
from caretaker.places import Places
from caretaker.update_file import advance, held, load
from caretaker.update_machine import Committed, Sick


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the machine's files")


def run(arguments: argparse.Namespace) -> int:
    """Commit; see the module's text."""
    return commit_trial(Places(arguments.root), time.time_ns() // 1_000_000, rauc.mark_good)


def commit_trial(places: Places, now_ms: int, mark_good: Callable[[], None]) -> int:
    """Have the boot partition name the version on trial, if it was found well.

    Args:
        places: where things lie.
        now_ms: the wall clock.
        mark_good: tells RAUC.

    Raises:
        CareError: if the state cannot be read or written.
    """
    if not is_on_trial(places):
        print("nothing is on trial")
        return 0
    with held(places):
        kept = load(places)
        if not kept.update.healthy:
            print(f"version {kept.update.version} was not found well: it is not committed")
            return 1
        try:
            with writable(places.boot_partition):
                commit(places.boot_partition, kept.update.target)
        except CareError as exc:
            print(exc)
            advance(places, kept, Sick(str(exc)), now_ms)
            return 1
        kept, _ = advance(places, kept, Committed(), now_ms)
    try:
        mark_good()
    except CareError as exc:
        # RAUC's own note of its slots decides nothing here; the boot partition does
        print(f"committed all the same: {exc}")
    print(f"version {kept.update.version} starts from now on")
    return 0
