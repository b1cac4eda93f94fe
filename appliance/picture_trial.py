"""What decoders, and the gate itself, make of a picture. Called by `portillon decode`, for support.

A picture is shown whole, as the folder reader shows it: a still held before the camera.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from appliance.errors import ConfigError
from appliance.readers.chain import attempts_for, open_decoder
from appliance.readers.decoding import (
    ITF_LENGTHS_ANY,
    MATRIX,
    Decoder,
    Decoding,
    Frame,
    Pixels,
    Read,
    Strategy,
    Symbology,
)
from appliance.readers.unread import UnreadWatch
from appliance.readers.zxing import ZxingDecoder

FRAMES_MAX: Final = 8
_FRAMES_PER_S: Final = 30
_NS: Final = 1_000_000_000
TICKETS: Final = MATRIX | {
    Symbology.CODE_128, Symbology.CODE_39, Symbology.ITF, Symbology.EAN_13
}  # fmt: skip


def ticket_decoding() -> Decoding:
    """Everything a ticket may be, with the second opinion where its library is installed."""
    decoding = Decoding(TICKETS, ITF_LENGTHS_ANY)
    opinions = replace(decoding, strategies=(*decoding.strategies, Strategy.SECOND_OPINION))
    try:
        attempts_for(opinions)
    except ConfigError:
        return decoding
    return opinions


def through_the_gate(picture: Frame) -> dict[str, Any]:
    """Hold a picture before the gate's decoder until it reads something, or for eight frames."""
    decoder = open_decoder(ticket_decoding())
    began_ns = time.process_time_ns()
    reads: list[Read] = []
    frames = 0
    while frames < FRAMES_MAX and not reads:
        frames += 1
        reads = decoder.decode(picture)
    cpu_ms = (time.process_time_ns() - began_ns) / 1e6
    return {"reads": [_told(read) for read in reads], "frames": frames, "cpu_ms": round(cpu_ms, 2)}


def is_told_to_hold_still(decoder: Decoder, pictures: Iterable[Pixels]) -> bool:
    """Hold pictures before the gate, thirty a second; tell whether it asks to hold still.

    Args:
        decoder: a fresh one of the gate's.
        pictures: what the camera sees, one after the other; seen until one is read.
    """
    watch = UnreadWatch()
    for place, pixels in enumerate(pictures):
        frame = Frame(pixels, place * _NS // _FRAMES_PER_S)
        reads, unread = decoder.decode(frame), decoder.unread
        told = watch.see(has_read=bool(reads), has_unread=bool(unread), now_ns=frame.received_ns)
        if told or reads:
            return told
    return False


def by_each_decoder(picture: Frame) -> dict[str, Any]:
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


def _told(read: Read) -> dict[str, Any]:
    return {"symbology": read.symbology.value, "text": read.text, "bytes": read.data.hex()}
