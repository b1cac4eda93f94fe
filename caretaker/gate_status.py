"""`status.json`: what the gate says of itself. Written by the gate, perhaps of another version.

Read as a stranger's: bounded, and each value that is not of its kind is left out.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from caretaker.errors import FileError
from caretaker.kept_files import read_small
from caretaker.places import Places

STATUS_FILE: Final = "status.json"
FORMAT: Final = 1
FAULTS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class GateStatus:
    """How the gate is, in its own words. Times are of the wall clock.

    Attributes:
        written_ms: when it said so.
        boot: of the start of the machine in which it said so.
        is_ready: whether it serves.
        faults: codes of what is wrong.
        tickets: in all lists that it holds.
        server_reached_ms: of the server's last answer; None for none yet.
        last_scan_ms: when somebody last came; None for nobody yet.
        on_until_ms: until when a performance is on; None for none.
    """

    written_ms: int = 0
    boot: str = ""
    is_ready: bool = False
    faults: frozenset[str] = frozenset()
    tickets: int = 0
    server_reached_ms: int | None = None
    last_scan_ms: int | None = None
    on_until_ms: int | None = None


def read_status(places: Places) -> GateStatus | None:
    """Give what the gate says; None where it says nothing that can be read."""
    try:
        said = json.loads(read_small(places.gate_run / STATUS_FILE) or b"null")
    except (FileError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        return None
    faults = said.get("faults")
    codes = faults[:FAULTS_MAX] if isinstance(faults, list) else []
    return GateStatus(
        written_ms=_whole(said, "written_ms") or 0,
        boot=boot if isinstance(boot := said.get("boot_id"), str) else "",
        is_ready=said.get("ready") is True,
        faults=frozenset(code for code in codes if isinstance(code, str)),
        tickets=_whole(said, "tickets") or 0,
        server_reached_ms=_whole(said, "server_reached_ms"),
        last_scan_ms=_whole(said, "last_scan_ms"),
        on_until_ms=_whole(said, "on_until_ms"),
    )


def _whole(said: dict[str, Any], name: str) -> int | None:
    value = said.get(name)
    return value if type(value) is int and 0 <= value < 1 << 63 else None
