"""Tickets before a gate's camera, made from seeds: what is read, how soon, and what a frame costs.

A ticket on a phone before a wall (`appliance.simulator.lens`), under fourteen conditions, at three
frame sizes, QR codes of 20, 110 and 320 characters at 25, 40 and 65 % of the frame's height; those
whose modules are under 1.5 pixels are left out, since no camera set up by the manual sees them.
Each is held still, under another grain in every frame, for up to eight frames before the gate's
pipeline; the single decoders see the first frame, and, to be fair, all eight in the column `x8`.
Then who is told to hold still, of those who are not read and of empty scenes, and
the cost of an empty frame, the frames a second of one core, and the event loop's delay while
another thread decodes, beside an idle loop's in the same run. One thread, CPU time.

Usage: python benchmarks/gate_scenes.py [--scenes N] [--seconds S]
"""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import numpy as np

from appliance.picture_trial import is_told_to_hold_still
from appliance.readers.chain import open_decoder
from appliance.readers.decoding import (
    ITF_LENGTHS_ANY,
    MATRIX,
    Decoder,
    Decoding,
    Frame,
    Pixels,
    Symbology,
)
from appliance.readers.zxing import ZxingDecoder
from appliance.simulator.lens import Condition, empty, grained, scene

SIZES = ((640, 480), (1280, 720), (1456, 1088))
SHARES = (0.25, 0.4, 0.65)
LENGTHS = (20, 110, 320)
FRAMES = 8
HOLD_FRAMES = 75  # two and a half seconds
MODULE_PX_MIN = 1.5
EIGHT = MATRIX | {Symbology.CODE_128, Symbology.CODE_39, Symbology.ITF, Symbology.EAN_13}
QR = Decoding(frozenset({Symbology.QR_CODE}))


def plain_decoders() -> dict[str, Callable[[], Decoder]]:
    """Give the single decoders."""
    eight = Decoding(EIGHT, ITF_LENGTHS_ANY)
    return {"zxing, QR": lambda: ZxingDecoder(QR), "zxing, eight": lambda: ZxingDecoder(eight)}


def pipelines() -> dict[str, Callable[[], Decoder]]:
    """Give the gate's pipelines: as it is usually set up, and for QR alone."""
    return {"gate, QR": lambda: open_decoder(QR), "gate": lambda: open_decoder(Decoding())}


def zbar(frame: Frame) -> set[bytes]:
    """Read QR codes as pyzbar does."""
    from pyzbar import pyzbar

    try:
        found = pyzbar.decode(frame.pixels, symbols=[pyzbar.ZBarSymbol.QRCODE])
    except ValueError:
        return set()
    return {bytes(read.data) for read in found}


def scenes(per_cell: int) -> Iterator[tuple[Condition, bytes, list[Pixels]]]:
    """Make the scenes, each as the frames of a phone held still."""
    for condition in Condition:
        for width, height in SIZES:
            for share in SHARES:
                for turn in range(per_cell):
                    rng = np.random.default_rng([hash_of(condition), width, int(share * 100), turn])
                    length = LENGTHS[turn % len(LENGTHS)]
                    data = bytes(rng.choice(list(b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789"), length))
                    made = scene(data, "QRCode", condition, (width, height), share, rng)
                    if made.module_px < MODULE_PX_MIN:
                        continue
                    frames = [made.pixels]
                    frames += [grained(made.pixels, rng, 1.5) for _ in range(FRAMES - 1)]
                    yield condition, data, frames


def hash_of(condition: Condition) -> int:
    """Give a number of a condition's own, the same in every run."""
    return list(Condition).index(condition)


def first_read(
    decoder: Decoder, frames: list[Pixels], data: bytes
) -> tuple[int, list[float], bool]:
    """Give the frame of the first read (0 for none), the CPU ms of each, and whether one lied."""
    times, is_wrong = [], False
    for place, pixels in enumerate(frames, 1):
        begun_ns = time.thread_time_ns()
        found = {read.data for read in decoder.decode(Frame(pixels, 0))}
        times.append((time.thread_time_ns() - begun_ns) / 1e6)
        is_wrong |= bool(found - {data})
        if data in found:
            return place, times, is_wrong
    return 0, times, is_wrong


def reading(per_cell: int) -> None:
    """Print read rates by condition, and in how many frames."""
    count: Counter[str] = Counter()
    read: Counter[tuple[str, str]] = Counter()
    places: dict[str, list[int]] = {}
    times: dict[str, list[float]] = {}
    wrong: Counter[str] = Counter()
    for condition, data, frames in scenes(per_cell):
        count[condition] += 1
        for name, make in {**plain_decoders(), **pipelines()}.items():
            place, cost, lied = first_read(make(), frames, data)
            wrong[name] += lied
            times.setdefault(name, []).extend(cost)
            read[name, condition] += place == 1 if name.startswith("zxing") else place > 0
            read[f"{name} x8", condition] += place > 0
            if place:
                places.setdefault(name, []).append(place)
        begun_ns = time.thread_time_ns()
        read["pyzbar, QR", condition] += data in zbar(Frame(frames[0], 0))
        times.setdefault("pyzbar, QR", []).append((time.thread_time_ns() - begun_ns) / 1e6)
    names = ["zxing, QR", "zxing, eight", "pyzbar, QR", "zxing, QR x8", "gate, QR", "gate"]
    print(f"QR codes read, % of {count.total()} scenes; the gate's within {FRAMES} frames")
    print(f"{'':14}" + "".join(f"{name:>14}" for name in names))
    for condition in Condition:
        rates = [100 * read[name, condition] / max(1, count[condition]) for name in names]
        print(f"{condition:14}" + "".join(f"{rate:14.0f}" for rate in rates))
    all_of = [
        100 * sum(read[name, one] for one in Condition) / max(1, count.total()) for name in names
    ]
    print(f"{'all':14}" + "".join(f"{rate:14.1f}" for rate in all_of))
    print("\nframes to the first read p50 / p95, CPU ms a frame p50 / p95, wrong texts")
    for name in ("zxing, QR", "zxing, eight", "gate, QR", "gate"):
        ranks, costs = sorted(places.get(name, [0])), sorted(times[name])
        print(
            f"{name:14} {at(ranks, 0.5):3.0f} / {at(ranks, 0.95):3.0f}"
            f"   {at(costs, 0.5):6.1f} / {at(costs, 0.95):6.1f}   {wrong[name]}"
        )


def emptiness(frames_a_size: int) -> None:
    """Print what a frame with nothing on it costs, once the scene is known."""
    print("\nempty frames, CPU ms a frame: mean, p95; and the gate's over zxing's, eight kinds")
    for size in SIZES:
        rng = np.random.default_rng(size[0])
        wall = empty(size, rng, 0)
        frames = [Frame(grained(wall, rng), 0) for _ in range(6)]
        means = {}
        for name, make in {**plain_decoders(), **pipelines()}.items():
            decoder, costs = make(), []
            for turn in range(frames_a_size + 16):
                begun_ns = time.thread_time_ns()
                decoder.decode(frames[turn % len(frames)])
                costs.append((time.thread_time_ns() - begun_ns) / 1e6)
            costs = costs[16:]  # a scene is looked at thoroughly before it is known
            means[name] = sum(costs) / len(costs)
            print(
                f"{size[0]}x{size[1]} {name:14} {means[name]:7.2f} {at(sorted(costs), 0.95):7.2f}"
                f"   {1000 / means[name]:7.0f} frames/s"
            )
        print(f"{size[0]}x{size[1]} ratio {means['gate'] / means['zxing, eight']:.2f}")


def holding(per_cell: int) -> None:
    """Print who is told to hold still: of those who are not read in time, and of nobody."""
    unread: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for condition, data, frames in scenes(per_cell):
        place, _, _ = first_read(open_decoder(Decoding()), frames, data)
        if place:
            continue
        unread[condition] += 1
        shown = islice(cycle(frames), HOLD_FRAMES)
        told[condition] += is_told_to_hold_still(open_decoder(Decoding()), shown)
    print(f"\ntold to hold still within {HOLD_FRAMES} frames, of those not read within {FRAMES}")
    for condition in Condition:
        if unread[condition]:
            print(f"{condition:14} {told[condition]:4} / {unread[condition]:3}")
    print(f"{'all':14} {told.total():4} / {unread.total():3}")
    count = wrongly = 0
    for size in SIZES:
        for turn in range(4 * per_cell):
            rng = np.random.default_rng([size[0], turn])
            wall = empty(size, rng, 0)
            frames = [grained(wall, rng) for _ in range(6)]
            shown = islice(cycle(frames), HOLD_FRAMES)
            count += 1
            wrongly += is_told_to_hold_still(open_decoder(Decoding()), shown)
    print(f"{'empty scenes':14} {wrongly:4} / {count:3}")


async def delays(seconds: float) -> None:
    """Print how late the event loop wakes, idle and while the pipeline decodes in a thread."""
    print("\nevent loop's delay, ms p50 / p99")
    rng = np.random.default_rng(1)
    made = scene(b"HELD BEFORE THE GATE", "QRCode", Condition.COMBINED, (1280, 720), 0.4, rng)
    frames = [Frame(grained(made.pixels, rng, 1.5), 0) for _ in range(8)]
    decoder = open_decoder(Decoding())
    with ThreadPoolExecutor(1) as worker:
        for name in ("idle", "decoding"):
            late, turn, busy = [], 0, None
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if name == "decoding" and (busy is None or busy.done()):
                    busy = worker.submit(decoder.decode, frames[turn % len(frames)])
                    turn += 1
                begun = time.monotonic()
                await asyncio.sleep(0.001)
                late.append(1000 * (time.monotonic() - begun) - 1)
            late.sort()
            print(f"{name:9} {at(late, 0.5):6.2f} / {at(late, 0.99):6.2f}   {turn} frames decoded")


def at(ordered: list[float] | list[int], part: float) -> float:
    """Give the value at a part of a sorted list."""
    return float(ordered[min(len(ordered) - 1, int(part * len(ordered)))])


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=6, help="for each condition, size and height")
    parser.add_argument("--seconds", type=float, default=5.0, help="of the loop's delay, each")
    chosen = parser.parse_args()
    reading(chosen.scenes)
    holding(chosen.scenes)
    emptiness(60 if chosen.scenes > 1 else 6)
    asyncio.run(delays(chosen.seconds))


if __name__ == "__main__":
    main()
