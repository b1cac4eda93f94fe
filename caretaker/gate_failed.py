"""`portillon care gate-failed`: what follows once systemd has given up starting the gate.

The machine is started anew where that may help, a few times an hour at the most; else the gate
alone is tried again after a while, for ever. Meanwhile the arm is at rest, as its fail policy has
it. Run by portillon-gate-failed.service.
"""

import argparse
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from caretaker.errors import MachineError
from caretaker.places import Places
from caretaker.reboots import NOTE_FILE, is_one_more_allowed, noted, write_down

EX_CONFIG: Final = 78  # what the gate ends with where a person has to mend its configuration
GIVEN_UP: Final = "failed"
ABOUT_TO_START: Final = "auto-restart"
PROPERTIES: Final = "ActiveState,SubState,Result,ExecMainStatus"
LOOK_S: Final = 0.5
LOOKS_MAX: Final = 40  # the unit waits a second before it starts the gate again
COMMAND_S_MAX: Final = 30
GATE: Final = "portillon-gate.service"
RETRY: Final = "portillon-gate-retry.timer"
DISPLAY: Final = "portillon-display-failed.service"


@unique
class Course(StrEnum):
    """What is done."""

    NOTHING = "nothing: systemd itself starts it again"
    REBOOT = "the machine is started anew"
    RETRY = "the gate is tried again in a while"


@dataclass(frozen=True, slots=True)
class Failure:
    """How the gate failed, in systemd's words.

    Attributes:
        state: `failed` once it is given up; another while it is started again.
        detail: of the state; `auto-restart` while systemd is about to start it again, or to find
            that it may not.
        result: `start-limit-hit`, `exit-code`, `watchdog` and so on.
        status: what it ended with, where it ended by itself.
    """

    state: str
    detail: str
    result: str
    status: int


def course_after(
    failure: Failure, reboots_ms: Sequence[int], now_ms: int, reboots_an_hour: int
) -> Course:
    """Decide what is done.

    Args:
        failure: how the gate failed.
        reboots_ms: wall-clock times of the restarts of the machine so far.
        now_ms: the wall clock now, which may have gone back.
        reboots_an_hour: how many are allowed.
    """
    if failure.state != GIVEN_UP:
        return Course.NOTHING  # newer systemds tell of each failure, older ones of the last
    if failure.status == EX_CONFIG:
        return Course.RETRY
    is_allowed = is_one_more_allowed(reboots_ms, now_ms, reboots_an_hour)
    return Course.REBOOT if is_allowed else Course.RETRY


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument(
        "--reboots-an-hour", type=int, default=0, help="how often the machine may be started anew"
    )
    parser.add_argument("--root", type=Path, default=Path("/"), help="of the machine's files")


def run(arguments: argparse.Namespace) -> int:
    """Do what is to be done; see the module's text."""
    note = Places(arguments.root).care / NOTE_FILE
    return follow(
        note, arguments.reboots_an_hour, time.time_ns() // 1_000_000, systemctl, time.sleep
    )


def follow(
    note: Path,
    reboots_an_hour: int,
    now_ms: int,
    command: Callable[[Sequence[str]], str],
    wait: Callable[[float], None],
) -> int:
    """Look at how the gate failed and act on it.

    The try in a while is set up first, whatever follows: a failure that comes while this runs does
    not start it once more, and is seen then. A gate that serves by that time does not notice.

    Args:
        note: where the restarts of the machine are written down, before each.
        reboots_an_hour: how many are allowed.
        now_ms: the wall clock.
        command: runs systemctl with arguments, and gives what it printed.
        wait: waits so many seconds.

    Raises:
        CareError: if systemd does not do as it is told, or the note cannot be written: without it
            the machine is not started anew.
    """
    command(["start", RETRY])
    failure = _settled(command, wait)
    reboots_ms = noted(note)
    course = course_after(failure, reboots_ms, now_ms, reboots_an_hour)
    print(f"the gate failed ({failure.result}, status {failure.status}): {course.value}")
    if course is Course.REBOOT:
        write_down(note, reboots_ms, now_ms)
        command(["reboot"])
    elif course is Course.RETRY:
        command(["start", "--no-block", DISPLAY])
    return 0


def systemctl(arguments: Sequence[str]) -> str:
    """Run systemctl.

    Raises:
        MachineError: if it fails, in its own words.
    """
    try:
        done = subprocess.run(  # noqa: S603 - words of this program's own
            ["/usr/bin/systemctl", "--no-ask-password", *arguments],
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            check=True,
        )
    except subprocess.CalledProcessError as exc:
        raise MachineError(f"systemctl {' '.join(arguments)}: {exc.stderr.strip()}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MachineError(f"systemctl {' '.join(arguments)}: {exc}") from exc
    return done.stdout


def _settled(command: Callable[[Sequence[str]], str], wait: Callable[[float], None]) -> Failure:
    """Give how the gate failed, once it is known whether systemd starts it again."""
    for _ in range(LOOKS_MAX):
        failure = _failure(command(["show", f"--property={PROPERTIES}", GATE]))
        if failure.detail != ABOUT_TO_START:
            break
        wait(LOOK_S)
    return failure


def _failure(shown: str) -> Failure:
    said = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    status = said.get("ExecMainStatus", "")
    return Failure(
        said.get("ActiveState", ""),
        said.get("SubState", ""),
        said.get("Result", ""),
        int(status) if status.isdecimal() else 0,
    )
