"""What the caretaker says of the machine: version, slot, the last update. Read from its one file.

Called for each status that goes to the server, and by the fetcher of bundles. The file may be of
another version, half a file, or no file at all: whatever cannot be read is left out, and the gate
serves people all the same.
"""

import json
from pathlib import Path
from typing import Final

from admission.sync.machine_messages import BLOCKED_MAX, Fetching, Machine

MACHINE_FILE: Final = Path("run/portillon-care/machine.json")
SYSTEM_FILE: Final = Path("etc/rauc/system.conf")  # where the image says which bundles are for it
FILE_BYTES_MAX: Final = 64 * 1024
FORMAT: Final = 1
UPDATE_STATES: Final = frozenset(
    {"idle", "installing", "armed", "trying", "committed", "rolled_back", "abandoned", "refused"}
)
PROVISIONED: Final = frozenset({"applied", "refused"})
_WORD_MAX: Final = 40  # as the messages bound them
_WORDS_MAX: Final = 200
_COMPATIBLE_MAX: Final = 100
_NOTHING: Final = Fetching()
_INTEGER_MAX: Final = (1 << 63) - 1


def read_machine_report(fetching: Fetching = _NOTHING, root: Path = Path("/")) -> Machine | None:
    """Give what the caretaker says; None where there is none, or it says nothing to be read.

    Args:
        fetching: how far the gate has come with an update, to be told with it.
        root: where `run` and `etc` are.
    """
    said = _document(root / MACHINE_FILE)
    if said is None or said.get("format") != FORMAT:
        return None
    update = said.get("update")
    update = update if isinstance(update, dict) else {}
    state = _text(update.get("state"), _WORD_MAX)
    blocked = said.get("blocked")
    provision = said.get("provision")
    provision = provision if isinstance(provision, dict) else {}
    outcome = _text(provision.get("outcome"), _WORD_MAX)
    wrong = provision.get("lines") if outcome == "refused" else None
    return Machine(
        version=_text(said.get("version"), _WORD_MAX),
        slot=_text(said.get("slot"), _WORD_MAX),
        compatible=_text(said.get("compatible"), _COMPATIBLE_MAX) or _compatible(root),
        update=state if state in UPDATE_STATES else "",
        update_version=_text(update.get("version"), _WORD_MAX),
        update_reason=_text(update.get("reason"), _WORDS_MAX),
        update_since_ms=_whole(update.get("since_ms")),
        blocked=[
            version
            for one in (blocked if isinstance(blocked, list) else [])[:BLOCKED_MAX]
            if (version := _text(one, _WORD_MAX))
        ],
        fetching=fetching,
        provision=outcome if outcome in PROVISIONED else "",
        provision_reason=_text(wrong[0], _WORDS_MAX) if isinstance(wrong, list) and wrong else "",
        firmware_s=_whole(said.get("firmware_s")),
    )


def _document(path: Path) -> dict[str, object] | None:
    raw = _bytes(path)
    try:
        said = json.loads(raw.decode("utf-8")) if raw else None
    except (ValueError, RecursionError):  # a UnicodeDecodeError is a ValueError
        return None
    return said if isinstance(said, dict) else None


def _compatible(root: Path) -> str:
    """Read it from the updater's own settings: `compatible=` of its section `[system]`."""
    section = ""
    for line in _bytes(root / SYSTEM_FILE).decode("utf-8", "replace").splitlines():
        name, _, value = line.strip().partition("=")
        if name.startswith("["):
            section = name
        elif section == "[system]" and name.strip() == "compatible":
            return _text(value.strip(), _COMPATIBLE_MAX)
    return ""


def _bytes(path: Path) -> bytes:
    """Give a small file's bytes; b"" where there is none, or it is no small file."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError:
        return b""
    return raw if len(raw) <= FILE_BYTES_MAX else b""


def _text(value: object, characters_max: int) -> str:
    """Give a text cut to what a message holds, with nothing in it that would not print."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[:characters_max]).strip()


def _whole(value: object) -> int:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= _INTEGER_MAX else 0  # type: ignore[operator,return-value]
