"""The decoder's own process: decodes one frame after another, until nobody asks any more.

Started by `decoder_process` with two descriptors: the line, and the memory that frames lie in. It
ends when the gate is gone, whatever became of it: at rest because the line ends, and in the middle
of a picture that it hangs on by an alarm of the kernel's.
"""

import mmap
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from appliance.readers.decoder_wire import Answer, Ask, pack_answer, receive, send, unpack_decoding
from appliance.readers.decoding import Decoder, Decoding, Frame

_GROWTH_BYTES: Final = 256 << 20  # what decoding a camera's pictures may add to what is loaded
_GROWTH_BYTES_PER_PIXEL: Final = 48  # of larger ones
_GRACE_S: Final = 1.0  # beyond the time that the gate itself waits before it kills
_FIRST_TO_GO: Final = "800"  # where memory is short the kernel ends this process, never the gate


def serve(open_decoder: Callable[[Decoding], Decoder], line_fd: int, memory_fd: int) -> None:
    """Decode what is asked for until the line ends.

    A fault in the decoder ends the process; the gate then starts another.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # meant for the gate, which ends the line
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with suppress(OSError):  # where the kernel does not let it be said, nothing is lost
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, "ascii")
    with socket.socket(fileno=line_fd) as line, suppress(EOFError, ConnectionError):
        decoder = open_decoder(unpack_decoding(receive(line)))
        loaded_bytes = _data_bytes()
        memory = _Memory(memory_fd)
        _allow(loaded_bytes + _GROWTH_BYTES)
        send(line, b"")  # ready
        while True:
            ask = Ask.from_bytes(receive(line))
            signal.setitimer(signal.ITIMER_REAL, ask.s_max + _GRACE_S)
            _allow(loaded_bytes + _GROWTH_BYTES + _GROWTH_BYTES_PER_PIXEL * memory.size)
            reads = decoder.decode(memory.frame(ask))
            signal.setitimer(signal.ITIMER_REAL, 0)
            send(line, pack_answer(Answer(reads, decoder.unread)))


class _Memory:
    """The memory that frames lie in.

    Attributes:
        size: bytes that are seen of it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self.size = 0

    def frame(self, ask: Ask) -> Frame:
        """Copy a frame out, since a decoder may keep it while the next one is laid there."""
        if self._map is None or ask.memory_bytes > self.size:
            self._map = mmap.mmap(self._descriptor, ask.memory_bytes, prot=mmap.PROT_READ)
            self.size = ask.memory_bytes
        shape = (ask.height, ask.width)
        pixels = np.frombuffer(self._map, np.uint8, ask.height * ask.width).reshape(shape)
        return Frame(pixels.copy(), ask.received_ns)


def _data_bytes() -> int:
    """Tell how much memory of its own the process has, as RLIMIT_DATA counts it."""
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmData:")]
    return int(line.split()[1]) << 10


def _allow(data_bytes: int) -> None:
    """Bound the memory: beyond, an allocation fails, the process ends, and the board does not."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = data_bytes if hard == resource.RLIM_INFINITY else min(data_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def main() -> None:
    """Serve with the gate's decoder."""
    from appliance.readers.chain import open_decoder

    serve(open_decoder, int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
