"""The camera reader: pictures are decoded beside the event loop, each presentation is one scan.

Bound by `main` to a source of pictures and a decoder. While one picture is being decoded newer
ones overtake each other in the source, so that the gate always looks at what is there now. A code's
first sight is yielded as a look; once it was read alike again, it is yielded for certain.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from admission.scan import Direction
from appliance.beat import Beat
from appliance.errors import DecoderLostError, ReaderLostError
from appliance.page_ports import Glimpse
from appliance.ports import Clock, Payload
from appliance.readers.confirming import CONFIRM_READS, Confirming
from appliance.readers.debounce import Debounce
from appliance.readers.decoding import Decoder, Frame, Read
from appliance.readers.flood import TokenBucket
from appliance.readers.frames import FrameSource, OpensFrames
from appliance.readers.glimpsing import Glimpsing
from appliance.readers.idling import Idling
from appliance.readers.presence import Presence
from appliance.readers.region import Region
from appliance.readers.unread import UnreadWatch

HEARTBEAT_S: Final = 2.0  # a camera that gives no picture for this long has silently stopped
REOPEN_S: Final = 2.0  # opening a camera again and again leaks memory in its driver

IDLE_FRAMES_PER_S: Final = 10


@dataclass(frozen=True, slots=True)
class Looking:
    """How pictures are looked at.

    Attributes:
        region: what part of them.
        confirm_reads: equal reads, each on its own picture, that a refusal takes.
        idle_frames_per_s: how many are looked at once nothing has changed for a minute.
    """

    region: Region = field(default_factory=Region)
    confirm_reads: int = CONFIRM_READS
    idle_frames_per_s: int = IDLE_FRAMES_PER_S


def _tell_nobody(direction: Direction) -> None:
    """Leave whoever holds an unreadable code to find out."""


class CameraReader:
    """The port `Reader` over pictures.

    Args:
        name: the reader's configured name.
        direction: the way it lets people go.
        open_frames: opens the camera, or whatever stands in for it.
        decoder: finds codes; runs in `worker`.
        worker: an executor of one thread, owned by the caller.
        clock: counts heartbeats and pauses.
        looking: how pictures are looked at.
        tell_unread: called in the event loop with every look that finds a code which has been in
            view for a while and cannot be read; given the reader's direction.
    """

    def __init__(
        self,
        name: str,
        direction: Direction,
        open_frames: OpensFrames,
        decoder: Decoder,
        worker: Executor,
        clock: Clock,
        looking: Looking | None = None,
        tell_unread: Callable[[Direction], None] = _tell_nobody,
    ) -> None:
        self._name = name
        self._direction = direction
        self._open_frames = open_frames
        self._decoder = decoder
        self._worker = worker
        self._clock = clock
        looking = looking or Looking()
        self._region = looking.region
        self._debounce = Debounce[bytes]()
        self._confirming = Confirming(looking.confirm_reads)
        self._idling = Idling(looking.idle_frames_per_s)
        self._glimpsing = Glimpsing(clock)
        self._bucket = TokenBucket()
        self._presence = Presence(name)
        self.beat = Beat()
        self._unread = UnreadWatch()
        self._tell_unread = tell_unread

    def is_alive(self) -> bool:
        """Tell whether pictures come in and are decoded."""
        return self._presence.is_here

    @property
    def trouble(self) -> str:
        """Why no pictures come in, or none are decoded; "" while they are."""
        return self._presence.why

    async def glimpse(self) -> Glimpse | None:
        """Give a small picture of what the camera sees now, for people who look after it."""
        return await self._glimpsing.glimpse()

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield each code as a look and then for certain, once for each time it is presented.

        A camera that is lost is opened again; a decoder that is lost is waited for.

        Cancel: closes the camera.
        """
        try:
            while True:
                self.beat.round()  # opening is no being away: a camera's library is known to hang
                try:
                    async with self._open_frames() as source:
                        while True:
                            self.beat.round()
                            for payload in await self._next_scans(source):
                                yield payload
                except ReaderLostError as exc:
                    self._presence.lost(str(exc), REOPEN_S)
                self.beat.away()
                await self._clock.sleep(REOPEN_S)
        finally:
            self.beat.away()
            self._presence.closed()
            self._glimpsing.forget()

    async def _next_scans(self, source: FrameSource) -> list[Payload]:
        frame = await source.newest(HEARTBEAT_S)
        looked_at = self._region.of(frame)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._worker, self._decoder.decode, looked_at)
        except DecoderLostError as exc:
            self._presence.lost(str(exc), REOPEN_S)
            return []
        self._presence.here()
        placed = self._region.placed(frame, found)
        self._glimpsing.see(frame, tuple(placed))
        reads = {read.data: read for read in placed}
        self._watch_unread(frame, has_read=bool(reads))
        scans = self._new_scans(frame, reads)
        pause_s = self._idling.pause_s(looked_at, has_codes=bool(reads))
        if pause_s and not scans:
            await self._clock.sleep(pause_s)
        return scans

    def _watch_unread(self, frame: Frame, *, has_read: bool) -> None:
        unread = self._region.placed(frame, self._decoder.unread)
        if self._unread.see(has_read=has_read, has_unread=bool(unread), now_ns=frame.received_ns):
            self._tell_unread(self._direction)

    def _new_scans(self, frame: Frame, reads: dict[bytes, Read]) -> list[Payload]:
        new = self._debounce.see(reads, frame.received_ns)
        certain = self._confirming.see(reads, self._debounce.held.difference(new))
        scans = [self._payload(frame, reads[data]) for data in certain]
        for data in new:
            if not self._bucket.admit(frame.received_ns):
                self._debounce.forget(data)  # still in view: it comes again when there is room
                continue
            self._confirming.begin(reads[data])
            is_look = not self._confirming.is_first_look_certain
            scans.append(self._payload(frame, reads[data], is_tentative=is_look))
        return scans

    def _payload(self, frame: Frame, read: Read, *, is_tentative: bool = False) -> Payload:
        return Payload(
            reader=self._name,
            direction=self._direction,
            data=read.data,
            symbology=read.symbology.value,
            received_ns=frame.received_ns,
            is_tentative=is_tentative,
        )
