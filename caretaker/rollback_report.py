"""`portillon care rollback-report`: first thing of a start, says what runs and why.

Run by portillon-rollback-report.service before the gate. A new version that came up is noted as
being on trial; an old one that finds such a note knows that the new one did not hold.
"""

import argparse
import time
from pathlib import Path

from caretaker.errors import MachineError
from caretaker.firmware import read_booted, read_built_s
from caretaker.kept_files import remove
from caretaker.machine_file import tell
from caretaker.places import Places
from caretaker.rauc import compatible
from caretaker.update_file import advance, held, load, report, running_version
from caretaker.updating import COPY


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the machine's files")


def run(arguments: argparse.Namespace) -> int:
    """Note the start; see the module's text."""
    print(note_start(Places(arguments.root), time.time_ns() // 1_000_000))
    return 0


def note_start(places: Places, now_ms: int) -> str:
    """Move the update on by this start of the machine; gives what is to be told of it.

    Raises:
        CareError: if the state cannot be read or written, or the image does not say its version.
    """
    try:
        booted = read_booted(places)
    except MachineError as exc:
        return f"{exc}"  # an ordinary Debian: nothing to note, and nothing wrong
    version = running_version(places)
    # told before the state is read: also a machine whose state is damaged says what it runs
    tell(
        places,
        version=version,
        slot=booted.slot,
        compatible=compatible(places),
        firmware_s=read_built_s(places),
    )
    with held(places):
        remove(places.care / COPY)
        kept, _ = advance(places, load(places), booted, now_ms)
        report(places, kept)
    update = kept.update
    said = f"slot {booted.slot} runs version {version}"
    return f"{said}; update to {update.version}: {update.phase} {update.reason}".rstrip()
