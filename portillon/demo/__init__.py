"""`portillon demo`: the main job, running: a server, two gates, real input, a cut, and the merge.

Nothing in it is played: the server and the gates are the daemons that a venue runs, as processes
of their own, with their embedded defaults. Only the person at the turnstile is simulated.
"""

import argparse
import asyncio
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "--folder", type=Path, default=Path("var/demo"), help="where it works; emptied first"
    )
    parser.add_argument("--port", type=int, default=0, help="of the server; 0 takes a free one")
    parser.add_argument(
        "--stay", action=argparse.BooleanOptionalAction, default=None,
        help="keep server and gates running at the end (default: on a terminal)",
    )  # fmt: skip
    parser.add_argument(
        "--picture", type=Path, help="write a picture of the server's page there (needs chromium)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; 0 only if every answer and the merged report are what they should be."""
    from portillon.demo.narrator import Narrator
    from portillon.demo.story import tell

    stay = sys.stdout.isatty() if arguments.stay is None else arguments.stay
    narrator = Narrator(sys.stdout, colour=sys.stdout.isatty())
    return asyncio.run(tell(arguments.folder, arguments.port, stay, narrator, arguments.picture))
