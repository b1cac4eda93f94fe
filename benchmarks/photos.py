"""Photographs of real codes: what the gate's pipeline reads of them, beside single decoders.

The folder has an `index.json`: a list of objects with `file`, `symbology` and, where it is text,
`text`; files named `none/…` show no code. Each picture is held for up to eight frames before the
gate's pipeline; the other decoders see it once, as they would see every frame. One thread, CPU
time. A wrong text is told with both texts: look at the picture before you blame a decoder.

Usage: python benchmarks/photos.py FOLDER
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

from appliance.errors import ConfigError
from appliance.picture_trial import (
    TICKETS,
    is_told_to_hold_still,
    through_the_gate,
    ticket_decoding,
)
from appliance.readers.chain import open_decoder
from appliance.readers.decoding import Decoding, Frame, Read, Symbology
from appliance.readers.folder import BROKEN, load_picture
from appliance.readers.zxing import ZxingDecoder

HOLD_FRAMES = 75  # two and a half seconds
FOLDERS = {
    "aztec": Symbology.AZTEC,
    "code128": Symbology.CODE_128,
    "code39": Symbology.CODE_39,
    "datamatrix": Symbology.DATA_MATRIX,
    "ean13": Symbology.EAN_13,
    "itf": Symbology.ITF,
    "pdf417": Symbology.PDF417,
    "qr": Symbology.QR_CODE,
}


def plain(text: str) -> str:
    """Compare texts whatever their line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def pipeline(frame: Frame) -> list[str]:
    """Give the texts that the gate gets."""
    return [plain(read["text"]) for read in through_the_gate(frame)["reads"]]


def of(decode: Callable[[Frame], list[Read]]) -> Callable[[Frame], list[str]]:
    """Give the texts that a decoder sees at one look."""
    return lambda frame: [plain(read.text) for read in decode(frame)]


def decoders(folder: str) -> dict[str, Callable[[Frame], list[str]]]:
    """Give what is compared on the pictures of a folder."""
    own = FOLDERS.get(folder)
    chosen = {
        "the gate": pipeline,
        "zxing, eight kinds": of(ZxingDecoder(ticket_decoding()).decode),
    }
    if own is not None:
        lengths = ticket_decoding().itf_lengths if own is Symbology.ITF else frozenset()
        decoding = Decoding(frozenset({own}), lengths)
        chosen["zxing, this kind"] = of(ZxingDecoder(decoding).decode)
    try:
        from pyzbar import pyzbar
    except ImportError as exc:  # its shared library is not installed
        print(f"without pyzbar: {exc}", file=sys.stderr)
    else:
        kinds = [
            pyzbar.ZBarSymbol[name] for name in ("QRCODE", "CODE128", "CODE39", "I25", "EAN13")
        ]

        def zbar(frame: Frame) -> list[str]:
            try:
                found = pyzbar.decode(frame.pixels, symbols=kinds)
            except ValueError:  # an orientation that the binding does not know
                return []
            return [plain(read.data.decode("utf-8", "replace")) for read in found]

        chosen["pyzbar"] = zbar
    return chosen


def told_of(path: Path) -> bool:
    """Tell whether the gate asks to hold still what it cannot read."""
    try:
        pixels = load_picture(path)
    except BROKEN:
        return False
    return is_told_to_hold_still(open_decoder(ticket_decoding()), repeat(pixels, HOLD_FRAMES))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    folder = parser.parse_args().folder
    if folder is None:
        print("no folder of photographs was named: python benchmarks/photos.py FOLDER")
        return 0
    try:
        entries = json.loads((folder / "index.json").read_text("utf-8"))
    except (OSError, ValueError) as exc:
        print(f"{folder / 'index.json'}: {exc}", file=sys.stderr)
        return 1
    wanted: dict[str, list[tuple[Path, str | None]]] = {}
    for entry in entries:
        path = folder / entry["file"]
        wanted.setdefault(path.parent.name, []).append((path, entry.get("text")))
    wrong: list[str] = []
    held: dict[str, list[bool]] = {}
    print(f"{len(TICKETS)} kinds of ticket; read / pictures, CPU ms p50 / p95")
    sums: dict[str, list[int]] = {}
    for kind in sorted(wanted):
        held[kind] = [told_of(path) for path, _ in wanted[kind]]
        for name, decode in decoders(kind).items():
            read, times = 0, []
            for path, text in wanted[kind]:
                try:
                    frame = Frame(load_picture(path), 0)
                except BROKEN as exc:
                    print(f"{path}: {exc}", file=sys.stderr)
                    continue
                begun_ns = time.thread_time_ns()
                texts = decode(frame)
                times.append((time.thread_time_ns() - begun_ns) / 1e6)
                is_right = bool(texts) and (text is None or plain(text) in texts)
                read += is_right and kind != "none"
                if texts and (kind == "none" or not is_right):
                    wrong.append(f"{name}: {path.name}: {texts[0]!r}, not {text!r}")
            times.sort()
            middle, late = times[len(times) // 2], times[int(len(times) * 0.95)]
            print(f"{kind:11} {name:20} {read:4} / {len(times):3}  {middle:7.2f} / {late:7.2f}")
            total = sums.setdefault(name, [0, 0])
            total[0] += read
            total[1] += len(times) if kind != "none" else 0
    told = ", ".join(f"{kind} {sum(of)} / {len(of)}" for kind, of in held.items())
    print(f"told to hold still within {HOLD_FRAMES} frames, unread: {told}")
    for name, (read, count) in sums.items():
        print(f"{'all':11} {name:20} {read:4} / {count:3}")
    print(f"wrong texts: {len(wrong)}")
    print("\n".join(sorted(wrong)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConfigError as exc:
        sys.exit(str(exc))
