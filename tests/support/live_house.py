"""A sync server that has live connections and nothing else, and networks that spoil them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from admission.limits import MESSAGE_BYTES_MAX
from admission.sync import codec
from admission.sync.messages import Feed, FeedItem, Lists, Poll, Status
from sync_server.errors import NotFoundError
from sync_server.web.live_polls import PollRoom
from sync_server.web.live_room import LiveRoom, SocketChannel, serve_live

GATE = "gate-a"
STREAM = "show"


def item(number: int) -> FeedItem:
    return FeedItem(number, 12, "journal-b", number, 0, "door", STREAM, bytes(16), 1, 0)


@dataclass
class LiveHouse:
    """What gates are told, and what they said. The port `LiveDesk`, and the routes over it."""

    url: str = ""
    items: list[FeedItem] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    gone: int = 0
    room: LiveRoom = field(default_factory=LiveRoom)

    def grow(self, count: int = 1) -> None:
        """Bring facts, and wake whoever is there."""
        start = len(self.items)
        self.items += [item(start + place) for place in range(1, count + 1)]
        self.room.streams_grew([STREAM])

    async def feed(self, gate: str, stream: str, after: int) -> Feed:
        return Feed(stream, after, self.items[after : after + 3], len(self.items), "n")

    async def numbering(self) -> str:
        return "n"

    async def streams(self, gate: str) -> frozenset[str]:
        return frozenset({STREAM})

    async def lists(self, gate: str) -> Lists:
        return Lists({STREAM: 1}, 1)

    async def journals(self, gate: str) -> list[str]:
        return []

    async def standing_order(self, gate: str) -> bytes | None:
        return None

    async def note_status(self, gate: str, status: Status) -> None:
        self.statuses.append(status)

    async def note_gone(self, gate: str) -> None:
        self.gone += 1


@asynccontextmanager
async def live_house() -> AsyncIterator[LiveHouse]:
    """Serve live connections over real sockets."""
    house = LiveHouse()
    polls = PollRoom(house, house.room)

    async def live(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES_MAX, timeout=0.05)
        await socket.prepare(request)
        await serve_live(GATE, SocketChannel(socket), house, house.room)
        return socket

    async def poll(request: web.Request) -> web.StreamResponse:
        try:
            answer = await polls.answer(GATE, codec.decode(await request.read(), Poll))
        except NotFoundError as exc:
            raise web.HTTPNotFound(text=exc.message) from None
        return web.Response(body=codec.encode(answer), content_type=codec.CONTENT_TYPE)

    app = web.Application(client_max_size=MESSAGE_BYTES_MAX)
    app.router.add_get("/sync/v1/live", live)
    app.router.add_post("/sync/v1/live/poll", poll)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    async with polls.open():
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        house.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield house
        finally:
            house.room.close()
            await runner.cleanup()


@dataclass
class Network:
    """What is between a gate and its server.

    Attributes:
        url: where the gate finds it.
        sockets: what becomes of a WebSocket: `pass`, `refuse`, `hang`, or `strip` (the server is
            asked for a plain page).
        answers_lost: so many answers to polls are lost from now on, each with its connection.
        requests_lost: so many polls are lost before they get there.
        asked: how often a WebSocket was asked for.
        polls: how many polls went through.
    """

    url: str = ""
    sockets: str = "pass"
    answers_lost: int = 0
    requests_lost: int = 0
    asked: int = 0
    polls: int = 0
    _sockets: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut_sockets(self) -> None:
        """Break every WebSocket that goes through."""
        for writer in self._sockets:
            writer.transport.abort()


REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def network(server: str) -> AsyncIterator[Network]:
    """Stand between a gate and its server; each request is small enough to come in one piece."""
    between = Network()
    host, _, port = server.removeprefix("http://").partition(":")
    tasks: set[asyncio.Task] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            back_reader, back = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        try:
            await relay(reader, writer, back_reader, back)
        finally:
            writer.transport.abort()
            back.transport.abort()

    async def relay(
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back_reader: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        asked_poll = False

        async def answers() -> None:
            while data := await back_reader.read(65536):
                if asked_poll and between.answers_lost:
                    between.answers_lost -= 1
                    break
                writer.write(data)
            writer.close()

        async with asyncio.TaskGroup() as group:
            answering = group.create_task(_quietly(answers()))
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    asked_poll = data.startswith(b"POST /sync/v1/live/poll")
                    between.polls += asked_poll
                    if asked_poll and between.requests_lost:
                        between.requests_lost -= 1
                        break
                    if b"upgrade: websocket" in data.lower():
                        between.asked += 1
                        between._sockets.add(writer)
                        if between.sockets == "refuse":
                            writer.write(REFUSED)
                            continue
                        if between.sockets == "hang":
                            continue
                        if between.sockets == "strip":
                            data = data.replace(b"websocket", b"nonsense")
                    back.write(data)
            answering.cancel()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        between.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield between
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed then


async def _quietly(work) -> None:
    with suppress(ConnectionError):
        await work
