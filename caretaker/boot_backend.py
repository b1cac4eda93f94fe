"""`portillon care boot-backend …`: what RAUC asks and tells about the choice of the boot slot.

RAUC calls it as its custom boot loader backend. At the end of each installation RAUC makes the new
slot the primary one. Here that writes nothing: only a version that is well is named by the boot
partition, by `committing`, and a trial is asked for by `updating`.
"""

import argparse
import json
from pathlib import Path
from typing import Final

from caretaker.errors import CareError, FileError
from caretaker.firmware import read_booted
from caretaker.kept_files import read_small, write_whole
from caretaker.places import Places
from caretaker.update_file import primary
from caretaker.update_machine import SLOTS

STATES: Final = ("good", "bad")
_STATES_FILE: Final = "slots.json"
_NAMES: Final = {slot.upper(): slot for slot in SLOTS}  # RAUC's names of the slots


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the machine's files")
    parser.add_argument(
        "verb", choices=("get-primary", "set-primary", "get-state", "set-state", "get-current")
    )
    parser.add_argument("slot", nargs="?", choices=tuple(_NAMES))
    parser.add_argument("state", nargs="?", choices=STATES)


def run(arguments: argparse.Namespace) -> int:
    """Answer RAUC; see the module's text."""
    places = Places(arguments.root)
    said = answer(places, arguments.verb, arguments.slot, arguments.state)
    if said:
        print(said)
    return 0


def answer(places: Places, verb: str, slot: str | None, state: str | None) -> str:
    """Give what is printed; "" for nothing.

    Raises:
        CareError: if a word is missing, or the machine does not tell.
    """
    match verb, slot, state:
        case "get-primary", None, None:
            return primary(places).upper()
        case "get-current", None, None:
            return read_booted(places).slot.upper()
        case "set-primary", str(), None:
            return ""  # see the module's text
        case "get-state", str() as name, None:
            return _states(places).get(_NAMES[name], "good")
        case "set-state", str() as name, str() as told:
            said = _states(places) | {_NAMES[name]: told}
            places.care.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(places.care / _STATES_FILE, json.dumps(said).encode())
            return ""
    raise CareError(f"boot-backend: {verb} wants other words")


def _states(places: Places) -> dict[str, str]:
    """Give what RAUC said of the slots; a file that cannot be read says nothing."""
    try:
        said = json.loads(read_small(places.care / _STATES_FILE) or b"{}")
    except (FileError, ValueError, RecursionError):
        return {}
    known = said.items() if isinstance(said, dict) else ()
    return {slot: state for slot, state in known if slot in SLOTS and state in STATES}
