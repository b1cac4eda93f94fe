"""Live connections of gates that cannot have a WebSocket: the same messages, by long polls.

A gate hands its messages in with requests that are answered at once, and has one request wait for
what the server says. Both directions are numbered: what is not known to have arrived is said
again, and what arrives twice is dropped, so that a lost request or answer loses nothing. One
session a gate, bounded in messages, bytes and silence.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from admission.errors import RemoteProtocolError
from admission.sync import codec
from admission.sync.messages import POLL_FRAMES_MAX, POLL_MS_MAX, Live, Poll, Polled
from sync_server.errors import NotFoundError
from sync_server.supervision import contained
from sync_server.web.live_room import LIVE_S_MAX, LiveDesk, LiveRoom, serve_live

log = logging.getLogger(__name__)

ANSWER_BYTES_MAX: Final = 1024 * 1024  # of one answer, unless a single message is longer
WAITING_FRAMES_MAX: Final = POLL_FRAMES_MAX  # that the gate has not confirmed, or we not read


class PollChannel:
    """The port `Channel` over a gate's polls.

    Attributes:
        session: as the gate calls it.
        is_closed: whether nothing is carried any more.
    """

    def __init__(self, session: str) -> None:
        """Begin with nothing said."""
        self.session = session
        self.is_closed = False
        self._sent = 0  # number of the last message of ours
        self._outbox: deque[bytes] = deque()  # the last ones, up to that number
        self._received = 0  # number of the gate's last message
        self._inbox: asyncio.Queue[Live | None] = asyncio.Queue(WAITING_FRAMES_MAX + 1)
        self._room = asyncio.Event()
        self._waiting: asyncio.Event | None = None  # of the poll that is held

    async def send(self, message: Live) -> None:
        """Say something; waits while the gate has not confirmed enough of what was said before.

        Raises:
            ConnectionResetError: if the gate confirms nothing for too long, or is gone.
        """
        await self.say(codec.encode(message))

    async def say(self, raw: bytes) -> None:
        """Say something that is encoded already, likewise.

        Raises:
            ConnectionResetError: if the gate confirms nothing for too long, or is gone.
        """
        try:
            async with asyncio.timeout(LIVE_S_MAX):
                while self._is_full and not self.is_closed:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError as exc:
            raise ConnectionResetError("the gate confirms nothing") from exc
        if self.is_closed:
            raise ConnectionResetError("the session is over")
        self._outbox.append(raw)
        self._sent += 1
        if self._waiting is not None:
            self._waiting.set()

    async def beat(self) -> None:
        """Say nothing: each answer shows that the server is there."""

    async def receive(self) -> Live | None:
        """Wait for the gate's next message; None when the session is over."""
        if self.is_closed:
            return None
        try:
            async with asyncio.timeout(LIVE_S_MAX):
                return await self._inbox.get()
        except TimeoutError:
            return None

    async def close(self) -> None:
        """End the session."""
        self.end()

    def end(self) -> None:
        """End the session, now: whoever waits for something of it goes on."""
        if not self.is_closed:
            self.is_closed = True
            self._inbox.put_nowait(None)  # there is always room for this one
            self._room.set()
            if self._waiting is not None:
                self._waiting.set()

    async def exchange(self, poll: Poll) -> Polled:
        """Take what a gate says in a request, and give what it is to be told.

        Raises:
            NotFoundError: if the session is over.
            RemoteProtocolError: if its messages have a gap, or are none.
        """
        self._confirm(poll.seen)
        self._take(poll)
        if poll.wait_ms:
            await self._wait(min(poll.wait_ms, POLL_MS_MAX) / 1000)
        if self.is_closed:
            raise NotFoundError("live session")
        frames = self._due(poll.seen) if poll.wait_ms else []
        return Polled(poll.seen + len(frames), frames, self._received)

    @property
    def _is_full(self) -> bool:
        held = sum(map(len, self._outbox))
        return len(self._outbox) >= WAITING_FRAMES_MAX or held >= ANSWER_BYTES_MAX

    def _confirm(self, seen: int) -> None:
        if seen > self._sent:
            raise RemoteProtocolError(f"message {seen} was never sent")
        while self._sent - len(self._outbox) < seen:
            self._outbox.popleft()
            self._room.set()

    def _take(self, poll: Poll) -> None:
        """Take the new ones of the gate's messages, as far as there is room."""
        if poll.first > self._received + 1:
            raise RemoteProtocolError(f"messages {self._received + 1} to {poll.first - 1} missing")
        for raw in poll.frames[self._received + 1 - poll.first :]:
            message = codec.decode_live(raw)
            if self._inbox.qsize() >= WAITING_FRAMES_MAX or self.is_closed:
                return  # the gate is told how far we came, and says the rest again
            self._inbox.put_nowait(message)
            self._received += 1

    async def _wait(self, seconds: float) -> None:
        """Hold a poll until there is something to say; a later poll relieves an earlier one."""
        if self._waiting is not None:
            self._waiting.set()
        self._waiting = event = asyncio.Event()
        if self._outbox or self.is_closed:
            return
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass  # the answer says nothing but that the server is there

    def _due(self, seen: int) -> list[bytes]:
        frames: list[bytes] = []
        for raw in list(self._outbox)[max(0, seen - (self._sent - len(self._outbox))) :]:
            if frames and sum(map(len, frames)) + len(raw) > ANSWER_BYTES_MAX:
                break
            frames.append(raw)
        return frames


class PollRoom:
    """The sessions of this process, each served in a task of its own.

    Args:
        desk: what a live connection needs.
        room: told of each session as of any live connection.
    """

    def __init__(self, desk: LiveDesk, room: LiveRoom) -> None:
        self._desk = desk
        self._room = room
        self._sessions: dict[str, PollChannel] = {}
        self._tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serve sessions while the context lasts."""
        async with asyncio.TaskGroup() as self._tasks:
            try:
                yield
            finally:
                for channel in list(self._sessions.values()):
                    channel.end()

    async def answer(self, gate: str, poll: Poll) -> Polled:
        """Answer a request; the first of a session begins it and ends the one before.

        Raises:
            NotFoundError: if the session is over: the gate begins another.
            RemoteProtocolError: if what the gate says cannot be.
        """
        channel = self._sessions.get(gate)
        if channel is None or channel.session != poll.session or channel.is_closed:
            channel = self._begin(gate, poll)
        return await channel.exchange(poll)

    def _begin(self, gate: str, poll: Poll) -> PollChannel:
        if poll.first != 1 or poll.seen or self._tasks is None:
            raise NotFoundError("live session")
        before = self._sessions.get(gate)
        if before is not None:
            before.end()
        channel = self._sessions[gate] = PollChannel(poll.session)
        self._tasks.create_task(self._serve(gate, channel))
        return channel

    async def _serve(self, gate: str, channel: PollChannel) -> None:
        try:
            served = serve_live(gate, channel, self._desk, self._room)
            await contained(served, "live session failed", gate)
        finally:
            channel.end()
            if self._sessions.get(gate) is channel:
                del self._sessions[gate]
