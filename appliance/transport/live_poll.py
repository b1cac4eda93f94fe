"""A live connection by long polls, for networks that let no WebSocket through.

Implements `link_ports.LiveConnection` with the messages that would have gone over the socket. What
the gate says goes out at once, in requests of its own; one request waits for what the server says.
Both directions are numbered, so that a request or an answer that is lost costs nothing but time.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from admission.errors import ProtocolError
from admission.sync import codec
from admission.sync.messages import POLL_FRAMES_MAX, POLL_MS_MAX, Beat, Live, Poll, Polled
from appliance.errors import LinkAnswerError, LinkError, LinkRefusedError

TRIES: Final = 2  # of one request; what is lost twice in a row is a lost link
Exchange = Callable[[Poll], Awaitable[Polled]]


class PollConnection:
    """The port `LiveConnection` over requests."""

    def __init__(self, exchange: Exchange, session: str) -> None:
        """Begin with nothing said.

        Args:
            exchange: sends one request; LinkError where no answer comes.
            session: a name that no connection of this gate had before.
        """
        self._exchange = exchange
        self._session = session
        self._pending: deque[bytes] = deque()  # said, and not known to have arrived
        self._said = 0  # number of the last message of ours
        self._seen = 0  # number of the server's last message that arrived
        self._inbox: deque[Live] = deque()
        self._sending = asyncio.Lock()

    async def open(self) -> None:
        """Make sure that the server takes polls.

        Raises:
            LinkError: if it does not.
        """
        await self._tell()

    async def send(self, message: Live) -> None:
        """Send a message; returns when the server has it, whatever the waiting request does.

        Raises:
            LinkError: if the server cannot be reached, or knows nothing of this connection.
        """
        self._pending.append(codec.encode(message))
        self._said += 1
        mine = self._said
        async with self._sending:
            while self._arrived < mine:  # whoever was before us may have taken ours along
                await self._tell()

    async def receive(self) -> Live:
        """Wait for the next message; an answer without any counts as a beat.

        Raises:
            LinkError: if no answer comes, or it is nonsense.
        """
        if not self._inbox:
            poll = Poll(self._session, self._seen, self._arrived + 1, wait_ms=POLL_MS_MAX)
            self._take(await self._ask(poll))
        return self._inbox.popleft() if self._inbox else Beat()

    @property
    def _arrived(self) -> int:
        """Number of the last of our messages that the server is known to have."""
        return self._said - len(self._pending)

    async def _tell(self) -> None:
        before = self._arrived
        some = [raw for raw, _ in zip(self._pending, range(POLL_FRAMES_MAX), strict=False)]
        answer = await self._ask(Poll(self._session, self._seen, before + 1, some))
        if not before <= answer.received <= self._said or (some and answer.received == before):
            raise LinkError("live connection: the server does not take what it is told")
        while self._arrived < answer.received:
            self._pending.popleft()

    async def _ask(self, poll: Poll) -> Polled:
        """Send a request, and again if no answer comes: what has arrived already is dropped."""
        for attempt in range(1, TRIES + 1):
            try:
                return await self._exchange(poll)
            except (LinkAnswerError, LinkRefusedError):
                raise
            except LinkError:
                if attempt == TRIES:
                    raise
        raise AssertionError("the last try returns or raises")

    def _take(self, answer: Polled) -> None:
        first = answer.number - len(answer.frames) + 1
        if first > self._seen + 1:
            raise LinkError(f"live connection: messages {self._seen + 1} to {first - 1} missing")
        for number, raw in enumerate(answer.frames, first):
            if number > self._seen:
                try:
                    self._inbox.append(codec.decode_live(raw))
                except ProtocolError as exc:
                    raise LinkError(f"live connection: {exc}") from exc
                self._seen = number
