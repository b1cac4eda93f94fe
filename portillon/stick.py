"""`portillon stick export|import`: the server's side of a USB stick: lists out, journals in."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from sync_server.errors import ServerError
from sync_server.stick_main import export_stick, import_stick


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    out = actions.add_parser("export", help="write lists and what gates are told onto a stick")
    out.add_argument("--to", type=Path, required=True, help="where the stick is mounted")
    out.add_argument(
        "--gate", action="append", default=[], metavar="ID", help="of a gate; all without any"
    )
    back = actions.add_parser("import", help="take the journals that gates wrote onto a stick")
    back.add_argument("--from", type=Path, required=True, dest="source", metavar="FOLDER")
    for sub in (out, back):
        sub.add_argument("--data", type=Path, default=Path("data"), help="the server's folder")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        if arguments.action == "export":
            return _export(arguments)
        return _import(arguments)
    except ServerError as exc:
        print(f"portillon stick: {exc.message}", file=sys.stderr)
        return 1


def _export(arguments: argparse.Namespace) -> int:
    for one in asyncio.run(export_stick(arguments.data, arguments.to, arguments.gate)):
        print(f"{one.gate}: {one.lists} list(s)")
    print("The stick is good for a day; list keys on it are sealed, each for its own gate.")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    found = asyncio.run(import_stick(arguments.data, arguments.source))
    for one in found:
        print(f"{one.gate or one.path}: {one.records} record(s): {one.said}")
    if not found:
        print("There are no journals on this stick.")
    return 0 if all(one.said in ("taken", "held apart") for one in found) else 1
