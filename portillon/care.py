"""`portillon care …`: what systemd units call to keep a gate's machine; see the caretaker.

Exit status: 0 done, 1 it failed (the message says why and what to do), 2 wrong arguments.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

from caretaker.errors import CareError
from portillon import log_lines

# action -> (module with `add_arguments` and `run`, one line of help). The module of an action is
# imported when it is called: a unit that runs every minute must not load all the others.
ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "factory-reset": ("portillon.care_reset", "erase keys and data, if that was asked for"),
    "first-boot": ("caretaker.first_boot", "grow the data partition, make its folders"),
    "provision": ("portillon.care_provision", "apply the gate.toml that somebody brought"),
    "restore-clock": ("caretaker.clock_restoring", "find the time again at a start"),
    "save-clock": ("caretaker.clock_saving", "write down what time it is"),
    "rollback-report": ("caretaker.rollback_report", "say which version runs, and why"),
    "update": ("caretaker.updating", "install the update that was asked for, or brought"),
    "health": ("caretaker.health_watch", "watch a version that is on trial"),
    "commit": ("caretaker.committing", "have a version that is well start from now on"),
    "boot-backend": ("caretaker.boot_backend", "answer RAUC about the choice of the slot"),
    "boot-display": ("portillon.care_display", "what people read while no daemon runs"),
    "gate-failed": ("caretaker.gate_failed", "what follows once systemd has given up on the gate"),
    "machine-failed": ("caretaker.machine_failed", "what follows where the machine cannot start"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(f"  {name:18} {words}" for name, (_, words) in ACTIONS.items())
    parser.add_argument("--log", choices=("text", "json"), default="text")
    parser.add_argument("action", choices=tuple(ACTIONS), metavar="ACTION")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="see: portillon care ACTION -h")


def run(arguments: argparse.Namespace) -> int:
    """Run the action; see the module's text."""
    log_lines.set_up(arguments.log)
    module_name, words = ACTIONS[arguments.action]
    module = import_module(module_name)
    parser = argparse.ArgumentParser(prog=f"portillon care {arguments.action}", description=words)
    module.add_arguments(parser)
    act: Callable[[argparse.Namespace], int] = module.run
    try:
        return act(parser.parse_args(arguments.words))
    except CareError as exc:
        print(f"portillon care: {exc}", file=sys.stderr)
        return 1
