"""The camera reader: pictures are decoded in one worker thread, and each presentation is one scan.

Bound by `main` to a source of pictures and a decoder. While one picture is being decoded newer
ones overtake each other in the source, so that the gate always looks at what is there now.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from typing import Final

from admission.scan import Direction
from appliance.errors import ReaderLostError
from appliance.ports import Clock, Payload
from appliance.readers.debounce import Debounce
from appliance.readers.decoding import Decoder, Frame, Read
from appliance.readers.flood import TokenBucket
from appliance.readers.frames import FrameSource, OpensFrames
from appliance.readers.presence import Presence

HEARTBEAT_S: Final = 2.0  # a camera that gives no picture for this long has silently stopped
REOPEN_S: Final = 2.0  # opening a camera again and again leaks memory in its driver


class CameraReader:
    """The port `Reader` over pictures.

    Args:
        name: the reader's configured name.
        direction: the way it lets people go.
        open_frames: opens the camera, or whatever stands in for it.
        decoder: finds codes; runs in `worker`.
        worker: an executor of one thread, owned by the caller.
        clock: counts heartbeats and pauses.
        debounce: makes one presentation one scan.
    """

    def __init__(
        self,
        name: str,
        direction: Direction,
        open_frames: OpensFrames,
        decoder: Decoder,
        worker: Executor,
        clock: Clock,
        debounce: Debounce[bytes] | None = None,
    ) -> None:
        self._name = name
        self._direction = direction
        self._open_frames = open_frames
        self._decoder = decoder
        self._worker = worker
        self._clock = clock
        self._debounce = debounce or Debounce[bytes]()
        self._bucket = TokenBucket()
        self._presence = Presence(name)

    def is_alive(self) -> bool:
        """Tell whether pictures come in."""
        return self._presence.is_here

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield each code once for each time it is presented; reopens a camera that is lost.

        Cancel: closes the camera.
        """
        try:
            while True:
                try:
                    async with self._open_frames() as source:
                        while True:
                            for payload in await self._next_scans(source):
                                yield payload
                except ReaderLostError as exc:
                    self._presence.lost(str(exc), REOPEN_S)
                await self._clock.sleep(REOPEN_S)
        finally:
            self._presence.closed()

    async def _next_scans(self, source: FrameSource) -> list[Payload]:
        frame = await source.newest(HEARTBEAT_S)
        self._presence.here()
        loop = asyncio.get_running_loop()
        reads = await loop.run_in_executor(self._worker, self._decoder.decode, frame)
        return self._new_scans(frame, reads)

    def _new_scans(self, frame: Frame, reads: list[Read]) -> list[Payload]:
        symbologies = {read.data: read.symbology for read in reads}
        scans = []
        for data in self._debounce.see(symbologies, frame.received_ns):
            if not self._bucket.admit(frame.received_ns):
                self._debounce.forget(data)  # still in view: it comes again when there is room
                continue
            scans.append(
                Payload(
                    reader=self._name,
                    direction=self._direction,
                    data=data,
                    symbology=symbologies[data].value,
                    received_ns=frame.received_ns,
                )
            )
        return scans
