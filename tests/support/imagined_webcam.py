"""A kernel with one video device, for the driver of USB cameras: V4L2's calls, answered in memory.

Bound by tests. It holds the driver to the order of the calls and gives back only buffers that were
handed in. What it cannot show is a real device's timing.
"""

import errno
import os
import struct
from collections import deque

from appliance.readers import v4l2

_BUFFER_BYTES = 1 << 20


class Buffer(bytearray):
    """Memory of the device's."""

    def close(self) -> None:
        """Look at it no more."""


class ImaginedWebcam:
    """The protocol `Kernel` with one camera.

    Attributes:
        formats: the kinds of picture that it gives.
        padding: bytes behind each row.
        is_there: whether it is plugged in.
        is_open: whether somebody holds it.
        capabilities: what it says that it can.
        refuses: calls that it answers with an error.
    """

    def __init__(self, formats: tuple[str, ...] = ("YUYV", "MJPG"), padding: int = 0) -> None:
        self.formats = formats
        self.padding = padding
        self.is_there = True
        self.is_open = False
        self.is_streaming = False
        self.capabilities = 0x8520_0001
        self.device_caps = 0x0420_0001
        self.refuses: dict[int, int] = {}
        self.size = (0, 0)
        self.fourcc = ""
        self.openings = 0
        self._buffers: list[Buffer] = []
        self._queued: deque[int] = deque()
        self._filled: deque[tuple[int, int, int]] = deque()
        self._bell = (-1, -1)

    def take(self, picture: bytes, *, damaged: bool = False) -> None:
        """Play the sensor: fill the next buffer that the driver handed in; none is a lost frame."""
        if not self._queued:
            return
        index = self._queued.popleft()
        self._buffers[index][: len(picture)] = picture
        self._filled.append((index, len(picture), 0x40 if damaged else 0))
        os.write(self._bell[1], b"!")

    def unplug(self) -> None:
        """Pull the cable: the descriptor wakes, and every call fails."""
        self.is_there = False
        os.write(self._bell[1], b"!")

    def open(self, path: str) -> int:
        """Open it."""
        if not self.is_there:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.is_open = True
        self.openings += 1
        self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        return self._bell[0]

    def close(self, descriptor: int) -> None:
        """Close it."""
        assert descriptor == self._bell[0]
        for end in self._bell:
            os.close(end)
        self.is_open = self.is_streaming = False
        self._buffers, self._queued, self._filled = [], deque(), deque()

    def map(self, descriptor: int, length: int, offset: int) -> Buffer:
        """See a buffer."""
        assert (descriptor, length) == (self._bell[0], _BUFFER_BYTES)
        return self._buffers[offset >> 12]

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> None:
        """Answer a call."""
        assert descriptor == self._bell[0]
        assert len(argument) == request >> 16 & 0x3FFF
        wrong = self.refuses.get(request, 0 if self.is_there else errno.ENODEV)
        if wrong:
            raise OSError(wrong, os.strerror(wrong))
        _ANSWERS[request](self, argument)

    def _capability(self, argument: bytearray) -> None:
        struct.pack_into("=II", argument, 84, self.capabilities, self.device_caps)

    def _set_format(self, argument: bytearray) -> None:
        width, height = struct.unpack_from("=II", argument, 8)
        wanted = bytes(argument[16:20]).decode()
        self.size = (width, height)
        self.fourcc = wanted if wanted in self.formats else self.formats[0]
        stride = 0 if self.fourcc == "MJPG" else width * (1 + (self.fourcc == "YUYV"))
        argument[16:20] = self.fourcc.encode()
        struct.pack_into("=I", argument, 24, stride + self.padding)

    def _set_pace(self, argument: bytearray) -> None:
        assert struct.unpack_from("=I", argument) == (1,)

    def _request_buffers(self, argument: bytearray) -> None:
        (count,) = struct.unpack_from("=I", argument)
        self._buffers = [Buffer(_BUFFER_BYTES) for _ in range(count)]

    def _query(self, argument: bytearray) -> None:
        (index,) = struct.unpack_from("=I", argument)
        struct.pack_into("=QI", argument, 64, index << 12, _BUFFER_BYTES)

    def _hand_in(self, argument: bytearray) -> None:
        (index,) = struct.unpack_from("=I", argument)
        assert index not in self._queued
        self._queued.append(index)

    def _take_out(self, argument: bytearray) -> None:
        assert self.is_streaming
        if not self._filled:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        os.read(self._bell[0], 1)
        index, used, flags = self._filled.popleft()
        struct.pack_into("=IIII", argument, 0, index, 1, used, flags)

    def _begin(self, argument: bytearray) -> None:
        assert self._queued, "no buffer was handed in"
        self.is_streaming = True

    def _end(self, argument: bytearray) -> None:
        self.is_streaming = False


_ANSWERS = {
    v4l2.QUERYCAP: ImaginedWebcam._capability,
    v4l2.S_FMT: ImaginedWebcam._set_format,
    v4l2.S_PARM: ImaginedWebcam._set_pace,
    v4l2.REQBUFS: ImaginedWebcam._request_buffers,
    v4l2.QUERYBUF: ImaginedWebcam._query,
    v4l2.QBUF: ImaginedWebcam._hand_in,
    v4l2.DQBUF: ImaginedWebcam._take_out,
    v4l2.STREAMON: ImaginedWebcam._begin,
    v4l2.STREAMOFF: ImaginedWebcam._end,
}
