"""`portillon bench`: what this device can do: decoding, commits, memory. For sizing and support."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from appliance.device_bench import (
    Effort,
    Table,
    commit_table,
    decoding_table,
    machine,
    memory_table,
)
from appliance.errors import ApplianceError

_QUICK = Effort(frames=3, commits=20, tickets=1_000)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="on the disk whose commits are timed"
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds; rough figures")
    parser.add_argument("--json", action="store_true", help="for a machine to read")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    effort = _QUICK if arguments.quick else Effort()
    try:
        commits = asyncio.run(commit_table(effort, arguments.folder))
    except (OSError, ApplianceError) as exc:
        print(f"portillon bench: {arguments.folder}: {exc}", file=sys.stderr)
        return 1
    tables = [memory_table(effort), decoding_table(effort), commits]
    if arguments.json:
        print(json.dumps({"machine": machine(), "tables": [asdict(table) for table in tables]}))
        return 0
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    for table in tables:
        print()
        print("\n".join(_lines(table)))
    return 0


def _lines(table: Table) -> list[str]:
    label = max(len(name) for name, _ in table.rows)
    widths = [max(8, len(column)) for column in table.columns]
    head = "  ".join(
        column.rjust(width) for column, width in zip(table.columns, widths, strict=True)
    )
    lines = [table.title, f"  {'':{label}}  {head}"]
    for name, figures in table.rows:
        cells = [
            ("" if figure is None else f"{figure:.2f}").rjust(width)
            for figure, width in zip(figures, widths, strict=True)
        ]
        lines.append(f"  {name:{label}}  {'  '.join(cells)}")
    return lines
