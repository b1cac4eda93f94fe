"""A decoder in a process of its own, which may hang, crash or grow without harm to the gate.

Opened by `main` in place of the decoder itself. Called in a camera's worker thread, where it waits;
the event loop never does. What goes wrong ends the process; another is started with the next
frame, or later if that goes wrong again and again.
"""

import fcntl
import logging
import mmap
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import numpy as np

from appliance.errors import DecoderLostError
from appliance.ports import Clock
from appliance.readers.decoder_wire import Answer, Ask, pack_decoding, receive, send, unpack_answer
from appliance.readers.decoding import Decoding, Frame, Read

log = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-P", "-m", "appliance.readers.decoder_child")
DECODE_S_MAX: Final = 2.0
START_S_MAX: Final = 30.0  # of a small board that has just been switched on
PAUSE_S: Final = 0.25  # before another is started; doubled each time
PAUSE_S_MAX: Final = 5.0
STEADY_S: Final = 30.0  # one that lived as long did not fall over the next picture at once
_ENDING_S: Final = 1.0
_KILL_S_MAX: Final = 5.0
_PIXELS_PER_SHARE: Final = 2_000_000  # larger pictures are given the time once more for each
_ONE_THREAD: Final = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
_NS_PER_S: Final = 1_000_000_000


class ProcessDecoder:
    """The port `Decoder` over a process of its own.

    Args:
        decoding: what to look for and what to believe.
        clock: counts pauses.
        decode_s_max: seconds for a frame before the process counts as hanging.
        command: what is started; descriptors of line and memory are put behind it.

    Attributes:
        starts: how many processes were started.
        unread: codes seen on the last frame that could not be read; their data is empty.
    """

    def __init__(
        self,
        decoding: Decoding,
        clock: Clock,
        decode_s_max: float = DECODE_S_MAX,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._decoding = decoding
        self._clock = clock
        self._decode_s_max = decode_s_max
        self._command = command
        self._child: _Child | None = None
        self._busy = threading.Lock()
        self._is_closed = False
        self._started_ns = self._free_from_ns = 0
        self._pause_s = PAUSE_S
        self.starts = 0
        self.unread: list[Read] = []

    def decode(self, frame: Frame) -> list[Read]:
        """Return every believable code on the frame; waits for the process.

        Raises:
            DecoderLostError: if the process hangs, crashes or answers nonsense on this frame, or
                has done so lately and is not started again yet.
        """
        with self._busy:
            try:
                child = self._child or self._start()
                answer = child.ask(frame, self._s_max(frame))
            except (OSError, EOFError, ValueError) as exc:
                raise DecoderLostError(self._lose(exc)) from exc
            self.unread = answer.unread
            return answer.reads

    def close(self) -> None:
        """End the process, also from another thread while that waits for an answer."""
        self._is_closed = True
        child = self._child
        if child is not None:
            child.kill()
        with self._busy:
            if self._child is not None:
                self._child.close()
                self._child = None

    def _s_max(self, frame: Frame) -> float:
        return self._decode_s_max * (1 + frame.width * frame.height // _PIXELS_PER_SHARE)

    def _start(self) -> "_Child":
        now_ns = self._clock.monotonic_ns()
        if self._is_closed or now_ns < self._free_from_ns:
            raise DecoderLostError("the decoder is not running")
        self._started_ns = now_ns
        self.starts += 1
        self._child = child = _Child(self._command)
        child.wait_ready(self._decoding)
        if self._is_closed:
            raise DecoderLostError("the decoder is not wanted any more")
        return child

    def _lose(self, exc: Exception) -> str:
        """End what is left of the process; say what became of it."""
        how = "hangs" if isinstance(exc, TimeoutError) else "crashed"
        status = None
        if self._child is not None:
            status = self._child.close(_ENDING_S if isinstance(exc, EOFError) else 0)
            self._child = None
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._started_ns >= STEADY_S * _NS_PER_S:
            self._pause_s = PAUSE_S
        self._free_from_ns = now_ns + round(self._pause_s * _NS_PER_S)
        if not self._is_closed:
            fields = {"how": how, "status": status, "retry_s": self._pause_s}
            log.warning("decoder lost", extra=fields)
        self._pause_s = min(2 * self._pause_s, PAUSE_S_MAX)
        return f"the decoder {how} (status {status}): {exc}"


class _Child:
    """One process, from its start to its end."""

    def __init__(self, command: Sequence[str]) -> None:
        self._memory = _SharedMemory()
        self._line, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own program, no shell
                [*command, str(theirs.fileno()), str(self._memory.descriptor)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), self._memory.descriptor),
                env={**os.environ, **_ONE_THREAD},
            )
        except OSError:
            self._line.close()
            self._memory.close()
            raise
        finally:
            theirs.close()

    def wait_ready(self, decoding: Decoding) -> None:
        """Tell what to look for and wait until that is loaded."""
        self._line.settimeout(START_S_MAX)
        send(self._line, pack_decoding(decoding))
        receive(self._line)

    def ask(self, frame: Frame, s_max: float) -> Answer:
        """Have a frame decoded."""
        memory_bytes = self._memory.lay(frame)
        ask = Ask(memory_bytes, frame.width, frame.height, frame.received_ns, s_max)
        self._line.settimeout(s_max)
        send(self._line, ask.to_bytes())
        return unpack_answer(receive(self._line))

    def kill(self) -> None:
        """End the process; safe from another thread."""
        self._process.kill()

    def close(self, ending_s: float = 0) -> int | None:
        """End the process and give back what it held; return its status, None if it has none.

        Args:
            ending_s: how long it may take to end by itself, and so to say why.
        """
        self._line.close()  # it notices this too, if it is well
        self._memory.close()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(ending_s)
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_KILL_S_MAX)
        return None


class _SharedMemory:
    """Memory without a name, so that nothing of it is left wherever a process ends.

    Attributes:
        descriptor: for the other process.
    """

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("portillon-frame", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        # nobody can take a part away that the gate is about to write to
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        self._map: mmap.mmap | None = None
        self._size = 0

    def lay(self, frame: Frame) -> int:
        """Copy a frame in, its rows one after another; return how large the memory is."""
        needed = frame.width * frame.height
        if self._map is None or needed > self._size:
            if self._map is not None:
                self._map.close()
            os.ftruncate(self.descriptor, needed)
            self._map, self._size = mmap.mmap(self.descriptor, needed), needed
        there = np.frombuffer(self._map, np.uint8, needed).reshape(frame.pixels.shape)
        np.copyto(there, frame.pixels)
        return self._size

    def close(self) -> None:
        """Give it back."""
        if self._map is not None:
            self._map.close()
            self._map = None
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
