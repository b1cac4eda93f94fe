"""`portillon care health`: watches a version that is on trial until it is known whether it is well.

Run at each start by portillon-health.service, and over at once where nothing is on trial. Status 1
says that it is not well: the unit then starts the machine anew, which is the old version's start.
"""

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caretaker.errors import MachineError
from caretaker.firmware import read_boot, read_booted
from caretaker.gate_failed import GATE, systemctl
from caretaker.gate_status import read_status
from caretaker.places import Places
from caretaker.update_file import advance, held, load
from caretaker.update_health import Course, Seen, Trial, what_is_wrong
from caretaker.update_machine import Healthy, Phase, Sick

_FAILED_MAX: Final = 8
_REASON_MAX: Final = 180


@dataclass(frozen=True, slots=True)
class Eyes:
    """How the machine is looked at; the tests have others.

    Attributes:
        look: gives what is seen, and how often systemd started the daemon again.
        sleep_s: lets time pass.
        now_ms: gives the wall clock.
    """

    look: Callable[[Places], tuple[Seen, int]]
    sleep_s: Callable[[float], None] = time.sleep
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    usual = Course()
    parser.add_argument(
        "--window-s", type=float, default=usual.window_s, help="for which nothing may be wrong"
    )
    parser.add_argument(
        "--patience-s", type=float, default=usual.patience_s, help="in which something may be"
    )
    parser.add_argument("--look-s", type=float, default=usual.look_s, help="between two looks")
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the machine's files")


def run(arguments: argparse.Namespace) -> int:
    """Watch; see the module's text."""
    course = Course(arguments.window_s, arguments.patience_s, arguments.look_s)
    return watch(Places(arguments.root), course, Eyes(look))


def watch(places: Places, course: Course, eyes: Eyes) -> int:
    """Look until it is known; gives 0 for well, or nothing to watch, 1 for not well.

    Raises:
        CareError: if the state cannot be read or written, on a machine on trial.
    """
    if not is_on_trial(places):
        print("nothing is on trial")
        return 0
    before = load(places).before
    trial, told = Trial(), [""]
    while not trial.is_passed(course):
        eyes.sleep_s(course.look_s)
        seen, restarts = eyes.look(places)
        wrong = what_is_wrong(seen, before)
        trial = trial.after(wrong, restarts, course)
        if wrong != told:
            print("; ".join(wrong) or "all is well", flush=True)
            told = wrong
        if trial.is_failed(course):
            return _end(places, eyes, Sick(("; ".join(wrong) or "restarts")[:_REASON_MAX]), 1)
    return _end(places, eyes, Healthy(), 0)


def is_on_trial(places: Places) -> bool:
    """Tell whether a version is on trial in this start of the machine.

    A machine without two slots, or started as usual, is not, whatever its files say: the units end
    a trial by a restart, and must never begin a chain of them.

    Raises:
        FileError: if that cannot be known, on a machine that was started by the flag.
    """
    try:
        booted = read_booted(places)
    except MachineError:
        return False
    if not booted.is_tryboot:
        return False
    update = load(places).update
    return update.phase is Phase.TRYING and update.target == booted.slot


def look(places: Places) -> tuple[Seen, int]:
    """Look at the machine.

    Raises:
        MachineError: if systemd or the kernel do not tell.
    """
    failed = systemctl(["list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"])
    shown = systemctl(["show", "--property=NRestarts", GATE])
    restarts = re.search(r"NRestarts=(\d+)", shown)
    seen = Seen(
        status=read_status(places),
        now_ms=time.time_ns() // 1_000_000,
        boot=read_boot(places),
        failed_units=tuple(line.split()[0] for line in failed.splitlines() if line.split())[
            :_FAILED_MAX
        ],
        memory_percent=_memory_percent(places),
        temperature_c=_temperature_c(places),
    )
    return seen, int(restarts[1]) if restarts else 0


def _end(places: Places, eyes: Eyes, event: Healthy | Sick, status: int) -> int:
    with held(places):
        advance(places, load(places), event, eyes.now_ms())
    return status


def _memory_percent(places: Places) -> float:
    path = places.root / "proc/meminfo"
    try:
        said = dict(re.findall(r"(\w+):\s+(\d+)", path.read_text(encoding="ascii")))
        return 100.0 * int(said["MemAvailable"]) / int(said["MemTotal"])
    except (OSError, ValueError, KeyError, ZeroDivisionError) as exc:
        raise MachineError(f"{path}: cannot be read: {exc!r}") from exc


def _temperature_c(places: Places) -> float:
    """Give the hottest part's; 0 where nothing measures it, as in emulators."""
    hottest = 0.0
    for path in places.root.glob("sys/class/thermal/thermal_zone*/temp"):
        try:
            hottest = max(hottest, int(path.read_text(encoding="ascii")) / 1000)
        except (OSError, ValueError):
            continue  # a sensor that is off says an error, which tells nothing of a version
    return hottest
