"""Which way the live connection goes: a WebSocket where one can be had and lasts, else long polls.

Called by the client for each live connection. A socket that is refused or hangs is replaced by
polls at once; sockets that die young twice in a row are not asked for again for a while. While
polls are used, the socket is tried now and then beside them; once it speaks, the polls end.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from admission.sync.messages import Live, Status
from appliance.errors import LinkError
from appliance.link_ports import LiveConnection

log = logging.getLogger(__name__)

YOUNG_S: Final = 10.0  # a socket that dies by then did not last
YOUNG_DEATHS_MAX: Final = 2
SOCKET_RETRY_S_MIN: Final = 180.0
SOCKET_RETRY_S_MAX: Final = 3600.0  # each time in vain doubles the wait up to this
Open = Callable[[], AbstractAsyncContextManager[LiveConnection]]


class LiveChoice:
    """Remembers, over one link's life, what its live connections came to."""

    def __init__(
        self, socket: Open, polls: Open, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with a socket.

        Args:
            socket: opens a WebSocket.
            polls: opens a connection by long polls.
            monotonic: seconds on a clock that never steps.
        """
        self._socket = socket
        self._polls = polls
        self._monotonic = monotonic
        self._young_deaths = 0
        self._retry_s = SOCKET_RETRY_S_MIN
        self._socket_at = 0.0  # not before is a socket asked for

    @asynccontextmanager
    async def open(self) -> AsyncIterator[LiveConnection]:
        """Open the live connection, one way or the other.

        Raises:
            LinkError: if it can be had neither way; what is said is of the socket if it was tried.
        """
        async with AsyncExitStack() as stack:
            trouble: LinkError | None = None
            if self._monotonic() >= self._socket_at:
                try:
                    connection = await stack.enter_async_context(self._socket())
                except LinkError as exc:
                    trouble = exc
                else:
                    await stack.enter_async_context(self._watched())
                    yield connection
                    return
            polling = await self._open_polls(stack, trouble)
            log.info("the live connection goes by polls")
            yield _Trying(polling, self)

    async def _open_polls(self, stack: AsyncExitStack, trouble: LinkError | None) -> LiveConnection:
        try:
            polling = await stack.enter_async_context(self._polls())
        except LinkError:
            if trouble is not None:  # it is not the socket: nothing gets through
                raise trouble from None
            raise
        if trouble is not None:
            self._put_off(trouble)
        return polling

    async def try_socket(self) -> None:
        """Try a socket where it is time to.

        Raises:
            LinkError: if one can be had and speaks: whoever uses polls is to begin anew.
        """
        if self._monotonic() < self._socket_at:
            return
        self._put_off_further()
        try:
            async with self._socket() as connection:
                await connection.receive()
        except LinkError:
            return
        self._socket_at, self._young_deaths = 0.0, 0
        raise LinkError("a WebSocket can be had again")

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """See how long a socket lives that is used now."""
        born = self._monotonic()
        try:
            yield
        except LinkError as exc:
            if self._monotonic() - born >= YOUNG_S:
                self._young_deaths, self._retry_s = 0, SOCKET_RETRY_S_MIN
                raise
            self._young_deaths += 1
            if self._young_deaths >= YOUNG_DEATHS_MAX:
                self._put_off(exc)
            raise

    def _put_off(self, exc: LinkError) -> None:
        log.warning("no WebSocket can be had", extra={"reason": str(exc)})
        self._young_deaths = 0
        self._put_off_further()

    def _put_off_further(self) -> None:
        self._socket_at = self._monotonic() + self._retry_s
        self._retry_s = min(SOCKET_RETRY_S_MAX, 2 * self._retry_s)


class _Trying:
    """Polls, beside which a socket is tried now and then."""

    def __init__(self, polling: LiveConnection, choice: LiveChoice) -> None:
        self._polling = polling
        self._choice = choice

    async def send(self, message: Live) -> None:
        """Send a message; the gate's own reports come often enough to try a socket with them."""
        await self._polling.send(message)
        if isinstance(message, Status):
            await self._choice.try_socket()

    async def receive(self) -> Live:
        """Wait for the next message."""
        return await self._polling.receive()
