"""`portillon selftest`: whether this gate's card, clock and devices work, each by itself.

Exit status: 0 all that admission needs works (what else is wrong is in the table), 1 it does not.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Final

from appliance.clock import SystemClock
from appliance.config import Config, load_config
from appliance.errors import ApplianceError
from appliance.gate_facts import move_arm
from appliance.main import DATABASE_FILE, LISTS_FOLDER
from appliance.page_ports import CheckLine, CheckOutcome
from appliance.self_test import is_wrong
from appliance.self_test_main import Trial, admits, try_all
from portillon import hardware_report, log_lines

_WORDS: Final = {
    CheckOutcome.GOOD: "good",
    CheckOutcome.NOTE: "look at it",
    CheckOutcome.FAULT: "FAILS",
    CheckOutcome.ABSENT: "not here",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("--config", type=Path, default=Path("/etc/portillon/gate.toml"))
    parser.add_argument("--json", action="store_true", help="for a machine to read")
    report = parser.add_argument_group(
        "evidence of a real board (docs/operations/physical-checklist.md)"
    )
    report.add_argument(
        "--hardware-report", action="store_true", help="look, measure, ask, and write a report"
    )
    report.add_argument("--no-questions", action="store_true", help="nobody is there to answer")
    report.add_argument(
        "--move-the-arm", action="store_true", help="release it once, after one more question"
    )
    report.add_argument("--out", type=Path, default=Path(), help="folder of the report's files")
    report.add_argument(
        "--check-report", type=Path, metavar="FILE", help="show one, and who signed"
    )
    parser.add_argument("--log", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    log_lines.set_up(arguments.log)
    try:
        return _check(arguments.check_report) if arguments.check_report else _test(arguments)
    except ApplianceError as exc:
        print(f"portillon selftest: {exc}", file=sys.stderr)
        return 1


def _test(arguments: argparse.Namespace) -> int:
    if arguments.hardware_report:
        return _report(arguments)
    lines = asyncio.run(try_all(_trial(load_config(arguments.config))))
    print(as_json(lines) if arguments.json else as_table(lines))
    return 0 if admits(lines) else 1


def _report(arguments: argparse.Namespace) -> int:
    is_asking = not arguments.no_questions and sys.stdin.isatty()
    if arguments.move_the_arm and not is_asking:
        print("portillon selftest: --move-the-arm needs somebody to answer", file=sys.stderr)
        return 2
    config = _config_if_any(arguments.config)
    lines = asyncio.run(try_all(_trial(config))) if config else ()
    arm = _moved(config) if arguments.move_the_arm and config else "not asked to"
    text, files = hardware_report.make(config, lines, arguments.out, is_asking=is_asking, arm=arm)
    print(text)
    print("\nWritten: " + ", ".join(map(str, files)))
    return 0 if admits(lines) else 1


def _moved(config: Config) -> str:
    """Release the arm where somebody confirms it; say what became of it."""
    if not hardware_report.may_move(input):
        return "not confirmed"
    try:
        asyncio.run(move_arm(config, SystemClock(config.clock.has_battery)))
    except ApplianceError as exc:
        return f"failed: {exc}"
    return "yes"


def _config_if_any(path: Path) -> Config | None:
    """Read the configuration; a machine without one is looked at all the same."""
    if path.exists():
        return load_config(path)
    print(f"portillon selftest: no {path}: only the machine is looked at", file=sys.stderr)
    return None


def _trial(config: Config) -> Trial:
    clock = SystemClock(config.clock.has_battery)
    return Trial(config, clock, config.data / DATABASE_FILE, config.data / LISTS_FOLDER)


def _check(path: Path) -> int:
    text, signer = hardware_report.check(path)
    print(text)
    print(f"\nSigned with the gate's key {signer}" if signer else "\nNot signed")
    return 0


def as_json(lines: tuple[CheckLine, ...]) -> str:
    """Give what was found, for a machine to read."""
    checks = [
        {
            "check": line.name,
            "outcome": line.outcome.value,
            "code": line.code if is_wrong(line) else "",
            "figure": line.figure,
        }
        for line in lines
    ]
    return json.dumps({"admits": admits(lines), "checks": checks}, ensure_ascii=False, indent=2)


def as_table(lines: tuple[CheckLine, ...]) -> str:
    """Give what was found, for people."""
    rows = [
        f"{line.name:24} {_WORDS[line.outcome]:10} {line.code if is_wrong(line) else '':8}"
        f" {line.figure}".rstrip()
        for line in lines
    ]
    last = "This gate can admit." if admits(lines) else "This gate cannot admit."
    if any(is_wrong(line) for line in lines):
        last += " What each code means: docs/operations/faults.md"
    return "\n".join([*rows, "", last])
