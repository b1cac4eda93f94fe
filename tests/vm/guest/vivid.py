"""A webcam of the kernel's own: `vivid`, whose output hangs on its input as by a cable.

While nothing is shown it gives its test pattern. It can be pulled out, put back, and made silent.
"""

import mmap
import os
import struct
import subprocess
import threading
from fcntl import ioctl
from pathlib import Path
from typing import Final

import numpy as np
from steps import wait_until

from appliance.readers.v4l2 import DQBUF, QBUF, QUERYBUF, REQBUFS, S_FMT, STREAMON

CAMERA: Final = Path("/dev/v4l/by-path/platform-vivid.0-video-index0")
SCREEN: Final = Path("/dev/v4l/by-path/platform-vivid.0-video-index1")
SIZE: Final = (1280, 720)  # what an HDMI input has at first, whatever is asked of it
_DRIVER: Final = Path("/sys/bus/platform/drivers/vivid")
_DEVICE: Final = "vivid.0"
# one input and one output, both HDMI, and none of the device's other kinds of nodes
_OPTIONS: Final = (
    *("n_devs=1", "node_types=0x101"),
    *("num_inputs=1", "input_types=3", "num_outputs=1", "output_types=1"),
)

# of linux/videodev2.h
_OUTPUT: Final = 2
_NEXT_CONTROL: Final = 0x8000_0000
_G_FMT, _S_CTRL, _QUERYCTRL = 0xC0D05604, 0xC008561C, 0xC0445624
_FORMAT: Final = struct.Struct("=II IIII")  # type, padding; width, height, kind, field
_CONTROL: Final = struct.Struct(
    "=II32siiiiI8x"
)  # id, type, name, least, most, step, default, flags
_BUFFER: Final = struct.Struct("=IIIII40xIQI12x")  # index to field; memory; offset, length
_PROGRESSIVE: Final = 1
_MAPPED: Final = 1
_BUFFERS: Final = 4
# Linux 6.11 has a choice in place of the switch; the output is the last in it.
_CABLES: Final = (b"Loop Video", b"HDMI 000-0 Is Connected To")


class Vivid:
    """The device. Ends with the machine."""

    def __init__(self) -> None:
        subprocess.run(["modprobe", "vivid", *_OPTIONS], check=True)
        self._picture = b""

    async def plugged_in(self) -> float:
        """Wait until it has its names; give the seconds."""
        return await wait_until(SCREEN.exists, "the name of vivid's output")

    def pull_out(self) -> None:
        """Have it disconnected, in the midst of whatever it does."""
        (_DRIVER / "unbind").write_text(_DEVICE)

    def put_back(self) -> None:
        """Have it connected anew."""
        (_DRIVER / "bind").write_text(_DEVICE)

    def set_silent(self, is_silent: bool) -> None:
        """Have it stream on without a picture, or with."""
        self._control((b"Percentage of Dropped Buffers",), 100 if is_silent else 0)

    def format(self) -> tuple[str, int, int]:
        """Give the kind of its pictures, as its reader has chosen it, their width and height."""
        argument = bytearray(208)
        argument[:4] = struct.pack("=I", 1)
        with CAMERA.open("rb", buffering=0) as device:
            ioctl(device, _G_FMT, argument)
        _, _, width, height, kind, _ = _FORMAT.unpack_from(argument)
        return kind.to_bytes(4, "little").decode(), width, height

    def show(self, picture: np.ndarray) -> None:
        """Show a picture of SIZE from now on, in place of the pattern or of the one before."""
        is_first = not self._picture
        self._picture = picture.tobytes()
        if is_first:
            self._control(_CABLES, None)
            threading.Thread(target=self._play, daemon=True).start()

    def _play(self) -> None:
        """Stream to the output, each buffer anew when its sixtieth of a second is over."""
        argument = bytearray(208)
        kind = int.from_bytes(b"GREY", "little")
        _FORMAT.pack_into(argument, 0, _OUTPUT, 0, *SIZE, kind, _PROGRESSIVE)
        screen = os.open(SCREEN, os.O_RDWR)
        ioctl(screen, S_FMT, argument)
        ioctl(screen, REQBUFS, bytearray(struct.pack("=III8x", _BUFFERS, _OUTPUT, _MAPPED)))
        buffers = [self._mapped(screen, index) for index in range(_BUFFERS)]
        for index in range(_BUFFERS):
            self._queue(screen, index, buffers[index])
        ioctl(screen, STREAMON, _OUTPUT.to_bytes(4, "little"))
        while True:
            done = _buffer(0)
            ioctl(screen, DQBUF, done)  # waits
            (index,) = struct.unpack_from("=I", done)
            self._queue(screen, index, buffers[index])

    def _mapped(self, screen: int, index: int) -> mmap.mmap:
        answer = _buffer(index)
        ioctl(screen, QUERYBUF, answer)
        *_, offset, length = _BUFFER.unpack(answer)
        return mmap.mmap(screen, length, offset=offset)

    def _queue(self, screen: int, index: int, buffer: mmap.mmap) -> None:
        buffer[: len(self._picture)] = self._picture
        ioctl(screen, QBUF, _buffer(index, len(self._picture)))

    def _control(self, names: tuple[bytes, ...], value: int | None) -> None:
        """Set the control that has one of the names; None is the most that it takes."""
        argument = bytearray(_CONTROL.size)
        number = 0
        with CAMERA.open("rb", buffering=0) as device:
            while True:
                struct.pack_into("=I", argument, 0, number | _NEXT_CONTROL)
                ioctl(device, _QUERYCTRL, argument)  # fails behind the last one
                number, _, name, _, most, *_ = _CONTROL.unpack(argument)
                if name.rstrip(b"\0") in names:
                    setting = most if value is None else value
                    ioctl(device, _S_CTRL, struct.pack("=Ii", number, setting))
                    return


def _buffer(index: int, used: int = 0) -> bytearray:
    packed = _BUFFER.pack(index, _OUTPUT, used, 0, _PROGRESSIVE, _MAPPED, 0, 0)
    return bytearray(packed)
