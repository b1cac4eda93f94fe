"""A TCP relay that can be cut and mended: a venue's way out, for tests of what lies behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

_CHUNK = 1 << 16


class CutWire:
    """Passes bytes on between whoever connects and one address; not a byte while it is cut."""

    def __init__(self, target: str) -> None:
        """Take the address that it leads to, as `https://HOST:PORT`."""
        parts = urlsplit(target)
        self.scheme, self._host, self._port = parts.scheme, parts.hostname, parts.port
        self.is_cut = False
        self.carried = 0  # connections
        self._ends: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Listen while the context lasts; give the address to use instead."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"{self.scheme}://127.0.0.1:{port}"
        finally:
            self.cut()
            server.close()
            await server.wait_closed()

    def cut(self) -> None:
        """End every connection, and take no other."""
        self.is_cut = True
        for end in list(self._ends):
            end.close()

    def mend(self) -> None:
        """Take connections again."""
        self.is_cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer = None
        try:
            if not self.is_cut:
                far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
                self.carried += 1
                self._ends |= {writer, far_writer}
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_pump(reader, far_writer))
                    tasks.create_task(_pump(far_reader, writer))
        except OSError:
            pass
        finally:
            for end in (writer, far_writer):
                if end is not None:
                    self._ends.discard(end)
                    end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()
