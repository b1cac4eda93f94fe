"""`portillon decode FILE…`: what each decoder sees on pictures. For support, and for judging.

With `--pipeline` it shows each picture to the gate's own decoder, as a still held before the
camera for up to eight frames, with all eight ticket symbologies, and prints what a gate would get.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from appliance.errors import ConfigError
from appliance.readers.chain import attempts_for, open_decoder
from appliance.readers.decoding import (
    ITF_LENGTHS_ANY,
    MATRIX,
    Decoding,
    Frame,
    Read,
    Strategy,
    Symbology,
)
from appliance.readers.folder import BROKEN, load_picture
from appliance.readers.remedies import halved
from appliance.readers.zxing import ZxingDecoder

FRAMES_MAX: Final = 8
TICKETS: Final = MATRIX | {
    Symbology.CODE_128, Symbology.CODE_39, Symbology.ITF, Symbology.EAN_13
}  # fmt: skip
_SENSOR_PIXELS_MAX: Final = 2304 * 1728  # of the largest frame a gate asks for, and a margin

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


def ticket_decoding() -> Decoding:
    """Everything a ticket may be, with the second opinion where its library is installed."""
    decoding = Decoding(TICKETS, ITF_LENGTHS_ANY)
    opinions = replace(decoding, strategies=(*decoding.strategies, Strategy.SECOND_OPINION))
    try:
        attempts_for(opinions)
    except ConfigError:
        return decoding
    return opinions


def through_the_gate(picture: Frame) -> Json:
    """Hold a picture before the gate's decoder until it reads something, or for eight frames."""
    decoder = open_decoder(ticket_decoding())
    began_ns = time.process_time_ns()
    reads: list[Read] = []
    frames = 0
    still = _as_sensed(picture)
    while frames < FRAMES_MAX and not reads:
        frames += 1
        is_last = frames == FRAMES_MAX
        reads = decoder.decode(picture if is_last else still)  # at last in all its detail
    cpu_ms = (time.process_time_ns() - began_ns) / 1e6
    return {"reads": [_told(read) for read in reads], "frames": frames, "cpu_ms": round(cpu_ms, 2)}


def by_each_decoder(picture: Frame) -> Json:
    """Show a picture once to zxing-cpp alone and to each of the gate's strategies.

    A read's confidence is the share of those looks that gave these very bytes.
    """
    decoding = ticket_decoding()
    looks: dict[str, Callable[[Frame], list[Read]]] = {
        "zxing_cpp": ZxingDecoder(decoding).decode,
        **{str(attempt.strategy): attempt.look for attempt in attempts_for(decoding)},
    }
    seen: dict[str, list[Read]] = {}
    cpu_ms: dict[str, float] = {}
    for name, look in looks.items():
        began_ns = time.process_time_ns()
        seen[name] = look(picture)
        cpu_ms[name] = round((time.process_time_ns() - began_ns) / 1e6, 2)
    found = [{read.data for read in reads} for reads in seen.values()]
    reads = [
        {
            "decoder": name,
            **_told(read),
            "confidence": round(sum(read.data in data for data in found) / len(found), 2),
        }
        for name, reads in seen.items()
        for read in reads
    ]
    return {"reads": reads, "cpu_ms": cpu_ms}


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


def _as_sensed(picture: Frame) -> Frame:
    """Give a large photograph at the size at which a gate's sensor would have taken it."""
    while picture.width * picture.height > _SENSOR_PIXELS_MAX:
        half = halved(picture)
        if half is None:  # a line of pixels: nothing is gained
            return picture
        picture = half
    return picture


def _told(read: Read) -> Json:
    return {"symbology": read.symbology.value, "text": read.text, "bytes": read.data.hex()}


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
