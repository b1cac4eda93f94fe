"""The whole gate in the guest: its folder, its daemon, what it says and what it wrote down."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from admission.journal import Flag, Kind, decode
from portillon.demo.processes import Daemon, Event

FOLDER: Final = Path("/tmp/gate")
START_S_MAX: Final = 90.0
_OF_PEOPLE: Final = {
    *(Kind.GRANTED, Kind.PASSED, Kind.NOT_PASSED, Kind.DENIED, Kind.FORCED),
    *(Kind.ALARM, Kind.FREE),
}


def lay_out_gate(config: str) -> None:
    """Put the data of the gate that was enrolled outside, and its configuration, into FOLDER."""
    shutil.copytree("/job/gate", FOLDER)
    (FOLDER / "gate.toml").write_text(config)


def gate_daemon() -> Daemon:
    """Give its daemon, not started; its log is shown on the console."""
    arguments = ["gate", "run", "--config", str(FOLDER / "gate.toml"), "--log", "json"]
    return Daemon("gate", arguments, Path("/dev/ttyS0"))


def event_is(name: str) -> Callable[[Event], bool]:
    """Tell an event of the daemon's log by its name."""
    return lambda event: event.get("event") == name


def journal_kinds() -> list[str]:
    """Give the kinds of the journal's records on people and alarms, in order."""
    with closing(sqlite3.connect(FOLDER / "data/journal.sqlite")) as connection:
        rows = connection.execute("SELECT blob FROM journal ORDER BY sequence").fetchall()
    records = [decode(blob) for (blob,) in rows]
    return [
        Kind(one.kind).name + (" UNRESOLVED" if one.flags & Flag.UNRESOLVED else "")
        for one in records
        if one.kind in _OF_PEOPLE
    ]
