"""A TCP relay whose connections each end after so many bytes towards the gate: a poor line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class FrailWire:
    """Passes bytes on until a connection has had its share of them.

    Attributes:
        share: bytes that one connection carries towards the gate before it is reset.
        is_down: whether new connections are reset at once.
        carried: bytes that went towards the gate in all.
        broken: connections that were reset.
    """

    def __init__(self, target: str, share: int = 1 << 60) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname, parts.port
        self.share, self.is_down = share, False
        self.carried = self.broken = 0
        self._tasks: set[asyncio.Task] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Listen while the context lasts; give the address to use instead."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        far_writer = None
        try:
            if not self.is_down:
                far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
                async with asyncio.TaskGroup() as group:
                    up = group.create_task(_pump(reader, far_writer))
                    await self._down(far_reader, writer)
                    up.cancel()
        except (OSError, asyncio.CancelledError):
            pass  # the end of the test, or of the line
        finally:
            self._tasks.discard(task)
            for end in (writer, far_writer):
                if end is not None:
                    end.close()  # what was written still arrives; the rest never does

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.share
        with suppress(OSError):
            while left > 0 and (data := await reader.read(min(left, 16_384))):
                left -= len(data)
                self.carried += len(data)
                writer.write(data)
                await writer.drain()
        self.broken += left <= 0


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
