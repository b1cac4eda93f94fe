"""What it costs a frame that its decoder runs in a process of its own, beside one in a thread.

Both decode the same empty frames in turns. Of each, the time on the clock is that of the quickest
fifth of the rounds, since whatever else runs on the machine only ever adds; the time of the
processor is that of both processes together, over all rounds.
"""

import argparse
import time

import numpy as np
import psutil

from appliance.clock import SystemClock
from appliance.readers.chain import open_decoder
from appliance.readers.decoder_process import ProcessDecoder
from appliance.readers.decoding import Decoder, Decoding, Frame, Symbology

SIZES = ((640, 480), (1280, 720), (1456, 1088), (2304, 1296))


def timed_ms(decoder: Decoder, frame: Frame) -> tuple[float, float]:
    """Give the milliseconds that a frame takes: on the clock, and of the processor here."""
    begun, busy = time.perf_counter(), time.process_time()
    decoder.decode(frame)
    return (time.perf_counter() - begun) * 1000, (time.process_time() - busy) * 1000


def quick(times: list[float]) -> float:
    quickest = sorted(times)[: -(-len(times) // 5)]
    return sum(quickest) / len(quickest)


def busy_ms(child: psutil.Process) -> float:
    times = child.cpu_times()
    return (times.user + times.system) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    count = parser.parse_args().rounds
    decoding = Decoding(frozenset({Symbology.QR_CODE}), strategies=())
    in_thread, in_process = open_decoder(decoding), ProcessDecoder(decoding, SystemClock(None))
    try:
        print("ms a frame      on the clock: thread, process    of the processor: thread, process")
        for width, height in SIZES:
            frame = Frame(np.full((height, width), 120, np.uint8), 0)
            in_process.decode(frame)
            (child,) = psutil.Process().children()
            before_ms = busy_ms(child)
            threads, processes = [], []
            for _ in range(count):
                threads.append(timed_ms(in_thread, frame))
                processes.append(timed_ms(in_process, frame))
            clock = [quick([one for one, _ in rounds]) for rounds in (threads, processes)]
            busy = [sum(one for _, one in rounds) / count for rounds in (threads, processes)]
            busy[1] += (busy_ms(child) - before_ms) / count
            size = f"{width}x{height}"
            print(f"{size:<16}{clock[0]:>20.2f}{clock[1]:>9.2f}{busy[0]:>26.2f}{busy[1]:>9.2f}")
    finally:
        in_process.close()


if __name__ == "__main__":
    main()
