"""A decoder's process that is ill in the way its first argument says. Started by tests.

The grey level of a frame's first pixel says when: 0 is well and reads nothing, 1 is well and reads,
anything else makes it do what it is ill of.
"""

import os
import sys
import time
from typing import ClassVar

from appliance.readers.decoder_child import serve
from appliance.readers.decoding import Decoding, Frame, Read, Symbology

WELL, READS, ILL = 0, 1, 2


class SickDecoder:
    unread: ClassVar[list[Read]] = []

    def __init__(self, illness: str) -> None:
        self._illness = illness
        self._kept: list[bytearray] = []

    def decode(self, frame: Frame) -> list[Read]:
        level = int(frame.pixels[0, 0])
        if level >= ILL:
            self._fall_ill()
        if level == WELL:
            return []
        height, width = frame.pixels.shape
        return [Read(Symbology.AZTEC, b"%d x %d, \x00\xff" % (width, height), ((1, 2), (3, 4)))]

    def _fall_ill(self) -> None:
        match self._illness:
            case "hangs":
                while True:
                    time.sleep(60)
            case "aborts":
                os.abort()
            case "raises":
                raise RuntimeError("a bug in a decoder")
            case "grows":
                self._kept.append(bytearray(100 << 20))
            case "babbles":
                os.write(int(sys.argv[2]), b"\xff\xff\xff\xff")
            case "lies":
                os.write(int(sys.argv[2]), b"\x01\x00\x00\x00\xc0")


def open_sick(decoding: Decoding) -> SickDecoder:
    return SickDecoder(sys.argv[1])


if __name__ == "__main__":
    serve(open_sick, int(sys.argv[2]), int(sys.argv[3]))
