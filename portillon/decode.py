"""`portillon decode FILE…`: what each decoder sees on pictures. For support, and for judging.

With `--pipeline` it shows each picture to the gate's own decoder, as a still held before the
camera for up to eight frames, with all eight ticket symbologies, and prints what a gate would get.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.picture_trial import by_each_decoder, through_the_gate
from appliance.readers.decoding import Frame
from appliance.readers.folder import BROKEN, load_picture

Json = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("file", type=Path, nargs="+", metavar="FILE", help="PNG, JPEG, WebP, GIF")
    parser.add_argument("--json", action="store_true", help="for a machine to read")
    parser.add_argument(
        "--pipeline", action="store_true", help="what the gate itself would get, held for 8 frames"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; see the module's text."""
    look = through_the_gate if arguments.pipeline else by_each_decoder
    entries = [_entry(path, look) for path in arguments.file]
    if arguments.json:
        json.dump(entries, sys.stdout)  # ASCII: it prints whatever the locale
        print()
    else:
        print("\n".join(_table(entries)))
    for entry in entries:
        if "error" in entry:
            print(f"portillon decode: {entry['file']}: {entry['error']}", file=sys.stderr)
    return 1 if any("error" in entry for entry in entries) else 0


def _entry(path: Path, look: Callable[[Frame], Json]) -> Json:
    try:
        picture = Frame(load_picture(path), received_ns=0)
    except BROKEN as exc:
        return {"file": str(path), "error": _why(exc)}
    return {"file": str(path), **look(picture)}


def _why(exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.strerror:
        return f"cannot be opened: {exc.strerror}"
    return f"is no picture that can be read: {exc}"


def _table(entries: list[Json]) -> list[str]:
    rows = [("file", "decoder", "ms", "confidence", "symbology", "text")]
    for entry in entries:
        rows += _rows(entry)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def _rows(entry: Json) -> list[tuple[str, str, str, str, str, str]]:
    if "error" in entry:
        return [(entry["file"], "", "", "", "", entry["error"])]
    if "frames" in entry:
        cost = {f"the gate, frame {entry['frames']}": entry["cpu_ms"]}
        reads = [{"decoder": name, "confidence": "", **read}
                 for name in cost for read in entry["reads"]]  # fmt: skip
    else:
        cost, reads = entry["cpu_ms"], entry["reads"]
    rows = []
    for decoder, cpu_ms in cost.items():
        mine = [read for read in reads if read["decoder"] == decoder]
        rows += [
            (
                entry["file"],
                decoder,
                str(cpu_ms),
                str(read["confidence"]),
                read["symbology"],
                _printable(read["text"]),
            )
            for read in mine
        ] or [(entry["file"], decoder, str(cpu_ms), "", "", "-")]
    return rows


def _printable(text: str) -> str:
    """One line that no terminal takes for a command."""
    return text.encode("unicode_escape").decode("ascii")
