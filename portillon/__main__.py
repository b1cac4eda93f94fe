"""`portillon`: one command for everything. Thin: each command imports its house when it is called.

Exit status: 0 done, 1 it failed (the message says why and what to do), 2 wrong arguments.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final
from zoneinfo import reset_tzpath

from portillon import __version__

# command -> (module with `add_arguments` and `run`, one line of help)
COMMANDS: Final = {
    "gate": ("portillon.gate", "run or enrol a gate"),
    "server": ("portillon.server", "set up or run the sync server"),
    "trust": ("portillon.trust", "the key ceremony: who may sign what, and with which keys"),
    "stick": ("portillon.stick", "carry lists to gates and journals back, on a USB stick"),
    "bench": ("portillon.bench", "what this device can do: decoding, commits, memory"),
    "selftest": ("portillon.selftest", "whether this gate's card, clock and devices work"),
    "care": ("portillon.care", "what units call to keep a gate's machine"),
    "demo": ("portillon.demo", "two gates, a server, and their pages, on this machine"),
    "conformance": ("portillon.conformance", "replay scenarios of the passage rules"),
    "decode": ("portillon.decode", "print what the decoders see on pictures"),
    "pictures": ("portillon.pictures", "draw the pictures of the README"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None takes the process's own.

    Returns:
        The exit status.
    """
    reset_tzpath(to=())  # time zones come from the pinned tzdata, wherever the program runs
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(words[0] if words else "")
    chosen = parser.parse_args(words)
    run: Callable[[argparse.Namespace], int] = chosen.run
    return run(chosen)


def _parser(command: str) -> argparse.ArgumentParser:
    """Make the parser; only the chosen command's house is imported."""
    parser = argparse.ArgumentParser(prog="portillon", description=__doc__)
    parser.add_argument("--version", action="version", version=f"portillon {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, words) in COMMANDS.items():
        sub = commands.add_parser(name, help=words, description=words)
        if name == command:
            house = import_module(module)
            house.add_arguments(sub)
            if sub.get_default("run") is None:
                sub.set_defaults(run=house.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
