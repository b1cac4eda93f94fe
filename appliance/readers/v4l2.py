"""What the kernel wants to be asked of a video device: V4L2's calls, as on 64-bit machines.

Called by `webcam`. Knows sizes, numbers and the places of fields; asks the kernel through a seam.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

_READ, _WRITE = 2, 1
_CAPTURE: Final = 1  # the type of buffer, and the bit of the capability
_STREAMING: Final = 0x0400_0000
_HAS_DEVICE_CAPS: Final = 0x8000_0000
_IN_MAPPED_MEMORY: Final = 1
_DAMAGED: Final = 0x40
_FORMAT: Final = struct.Struct("=II IIIIII")  # type, padding; width to sizeimage
_BUFFER: Final = struct.Struct("=IIII 44x I QI 12x")  # index to flags; memory; offset, length


def _call(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("V") << 8 | number


QUERYCAP: Final = _call(_READ, 0, 104)
S_FMT: Final = _call(_READ | _WRITE, 5, 208)
REQBUFS: Final = _call(_READ | _WRITE, 8, 20)
QUERYBUF: Final = _call(_READ | _WRITE, 9, 88)
QBUF: Final = _call(_READ | _WRITE, 15, 88)
DQBUF: Final = _call(_READ | _WRITE, 17, 88)
STREAMON: Final = _call(_WRITE, 18, 4)
STREAMOFF: Final = _call(_WRITE, 19, 4)
S_PARM: Final = _call(_READ | _WRITE, 22, 204)


class Memory(Protocol):
    """A buffer of the device's, seen from here."""

    def __buffer__(self, flags: int, /) -> memoryview:
        """Give its bytes."""
        ...

    def close(self) -> None:
        """Look at it no more."""
        ...


class Kernel(Protocol):
    """The calls that a video device takes. Implemented by the machine, and by tests."""

    def open(self, path: str) -> int:
        """Open a device without waiting; raises OSError."""
        ...

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> None:
        """Ask, and have the answer put in place; raises OSError."""
        ...

    def map(self, descriptor: int, length: int, offset: int) -> Memory:
        """See a buffer; raises OSError."""
        ...

    def close(self, descriptor: int) -> None:
        """Close it."""
        ...


class MachineKernel:
    """The machine's own."""

    def open(self, path: str) -> int:
        """Open a device without waiting; raises OSError."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> None:
        """Ask, and have the answer put in place; raises OSError."""
        fcntl.ioctl(descriptor, request, argument)

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        """See a buffer; raises OSError."""
        return mmap.mmap(descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset)

    def close(self, descriptor: int) -> None:
        """Close it."""
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Format:
    """How a device's pictures lie in memory.

    Attributes:
        fourcc: the kind, `GREY` or `MJPG` and the like.
        width, height: pixels.
        stride: bytes from one row to the next, of the first plane.
    """

    fourcc: str
    width: int
    height: int
    stride: int


class Device:
    """A video device that is open.

    Every call raises OSError if the device does not do it, or is gone.
    """

    def __init__(self, kernel: Kernel, path: str) -> None:
        self._kernel = kernel
        self.descriptor = kernel.open(path)
        self._buffers: list[Memory] = []
        self._is_streaming = False

    def is_camera(self) -> bool:
        """Tell whether it takes pictures and streams them."""
        answer = self._ask(QUERYCAP, bytearray(104))
        capabilities, device_caps = struct.unpack_from("=II", answer, 84)
        if capabilities & _HAS_DEVICE_CAPS:
            capabilities = device_caps
        return bool(capabilities & _CAPTURE and capabilities & _STREAMING)

    def choose(self, fourcc: str, width: int, height: int) -> Format:
        """Ask for a kind of picture and a size; what comes back is what the device makes of it."""
        argument = bytearray(208)
        kind = int.from_bytes(fourcc.encode("ascii"), "little")
        _FORMAT.pack_into(argument, 0, _CAPTURE, 0, width, height, kind, 1, 0, 0)
        self._ask(S_FMT, argument)
        _, _, width, height, kind, _, stride, _ = _FORMAT.unpack_from(argument)
        name = kind.to_bytes(4, "little").decode("latin-1")
        return Format(name, width, height, stride)

    def pace(self, frames_per_s: int) -> None:
        """Ask for pictures at a rate."""
        argument = bytearray(204)
        struct.pack_into("=I", argument, 0, _CAPTURE)
        struct.pack_into("=II", argument, 12, 1, frames_per_s)
        self._ask(S_PARM, argument)

    def stream(self, buffers: int) -> None:
        """Begin to take pictures into so many buffers, or as many as the device gives."""
        argument = bytearray(struct.pack("=III 8x", buffers, _CAPTURE, _IN_MAPPED_MEMORY))
        (count,) = struct.unpack_from("=I", self._ask(REQBUFS, argument))
        if count == 0:
            raise OSError("the device gives no buffer")
        for index in range(count):
            answer = self._ask(QUERYBUF, _buffer(index))
            *_, offset, length = _BUFFER.unpack_from(answer)
            self._buffers.append(self._kernel.map(self.descriptor, length, offset))
            self._ask(QBUF, _buffer(index))
        self._ask(STREAMON, bytearray(_CAPTURE.to_bytes(4, "little")))
        self._is_streaming = True

    @contextmanager
    def taken(self) -> Iterator[memoryview | None]:
        """Give the next picture's bytes, good until the end of the block; None if it is damaged.

        Raises:
            BlockingIOError: if there is none yet.
        """
        argument = self._ask(DQBUF, _buffer(0))
        index, _, used, flags, *_ = _BUFFER.unpack_from(argument)
        picture = memoryview(self._buffers[index])[:used]
        try:
            yield None if flags & _DAMAGED or not used else picture
        finally:
            picture.release()
            self._ask(QBUF, _buffer(index))

    def close(self) -> None:
        """Stop and let go."""
        try:
            if self._is_streaming:
                self._ask(STREAMOFF, bytearray(_CAPTURE.to_bytes(4, "little")))
        except OSError:
            pass  # it is gone: it streams no more
        finally:
            for buffer in self._buffers:
                buffer.close()
            self._kernel.close(self.descriptor)

    def _ask(self, request: int, argument: bytearray) -> bytearray:
        self._kernel.ioctl(self.descriptor, request, argument)
        return argument


def _buffer(index: int) -> bytearray:
    argument = bytearray(_BUFFER.size)
    _BUFFER.pack_into(argument, 0, index, _CAPTURE, 0, 0, _IN_MAPPED_MEMORY, 0, 0)
    return argument
