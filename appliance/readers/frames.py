"""Where frames come from, as a protocol, and the slot in which the newest one waits.

Called by the camera reader and by the sources. Knows no device.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from appliance.alarm import wait_set
from appliance.errors import ReaderLostError
from appliance.ports import Clock
from appliance.readers.decoding import Frame


class FrameSource(Protocol):
    """A device that is open and makes pictures."""

    async def newest(self, wait_s_max: float) -> Frame:
        """Return the newest picture that was not returned before, waiting for one if need be.

        Args:
            wait_s_max: seconds after which silence means that the device is lost.

        Raises:
            ReaderLostError: if there is no picture in time, or the device is gone.

        Cancel: loses no more than one picture.
        """
        ...


class OpensFrames(Protocol):
    """Opens a device; called again each time it was lost."""

    def __call__(self) -> AbstractAsyncContextManager[FrameSource]:
        """Return a context in which the device is open.

        Raises:
            ReaderLostError: on entering, if the device is not there.
        """
        ...


class FrameSlot:
    """A mailbox for one picture: a new one takes the place of one that nobody fetched.

    Attributes:
        overtaken: pictures that nobody fetched in time; this is normal on a slow machine.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._frame: Frame | None = None
        self._filled = asyncio.Event()
        self.overtaken = 0

    def put(self, frame: Frame) -> None:
        """Leave a picture; from the loop's own thread only."""
        self.overtaken += self._frame is not None
        self._frame = frame
        self._filled.set()

    async def newest(self, wait_s_max: float) -> Frame:
        """Fetch the picture, waiting for one if need be.

        Raises:
            ReaderLostError: if none came within `wait_s_max` seconds.
        """
        await wait_set(self._filled, self._clock, wait_s_max)
        frame, self._frame = self._frame, None
        self._filled.clear()
        if frame is None:
            raise ReaderLostError(f"no picture for {wait_s_max} s")
        return frame
