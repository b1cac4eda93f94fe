"""The live connections of gates: who is there, what is due to each, and how one is served.

Called by the device API, over whatever carries the messages: a WebSocket, or long polls
(`live_polls`). What goes wrong with one gate ends that gate's connection and nothing else.

Four tasks serve one, so that nothing urgent waits for anything slow: one hears the gate and waits
for nothing else; one sends the express (hints, answers to claims), which is bytes already; one
sends news, which it reads from the database; one writes down what the gate says of itself.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from aiohttp import WSMsgType, web

from admission.errors import ProtocolError
from admission.sync import codec
from admission.sync.hint_guard import HintGuard
from admission.sync.messages import Beat, Claim, Claimed, Feed, Hint, Lists, Live, Ordered, Status
from admission.sync.server_side import (
    AnswerClaim,
    Command,
    ForwardHint,
    LiveSide,
    NoteStatus,
    ReadFeed,
    Send,
)
from sync_server.errors import NotFoundError
from sync_server.web.shared_pages import SharedPages

log = logging.getLogger(__name__)

BEAT_S: Final = 2.0  # a gate takes three missed beats for a lost link
LIVE_S_MAX: Final = 20.0  # a gate that says nothing for so long is gone: it reports every 5 s
CLAIMS_AT_ONCE: Final = 4  # of one gate; a lane has one, and one that it waits for no longer
EXPRESS_MAX: Final = 128  # messages; beyond, the oldest is dropped: a hint is old in a second


class LiveDesk(Protocol):
    """What a live connection needs of the services; NotFoundError for what is not the gate's."""

    async def feed(self, gate: str, stream: str, after: int) -> Feed:
        """Read a stream after a cursor."""
        ...

    async def numbering(self) -> str:
        """Give the name of the feeds' numbers."""
        ...

    async def streams(self, gate: str) -> frozenset[str]:
        """Give the streams that a gate may follow."""
        ...

    async def lists(self, gate: str) -> Lists:
        """Give the versions that are published for a gate now."""
        ...

    def hinted(self, hint: Hint) -> None:
        """Know of a grant that a gate may speak of; never waits."""
        ...

    async def claim(self, gate: str, claim: Claim) -> Claimed | None:
        """Say whether a ticket is free; None says nothing."""
        ...

    async def journals(self, gate: str) -> list[str]:
        """Give the ids of a gate's journals."""
        ...

    async def standing_order(self, gate: str) -> bytes | None:
        """Give the signed lock or unlock that still stands for a gate, or None."""
        ...

    async def note_status(self, gate: str, status: Status) -> None:
        """Remember how a gate is."""
        ...

    async def note_gone(self, gate: str) -> None:
        """Remember that a gate's live connection has ended."""
        ...


class Channel(Protocol):
    """What carries one gate's live messages. Raises ConnectionError when the gate is gone."""

    async def send(self, message: Live) -> None:
        """Send a message; waits while the gate takes none."""
        ...

    async def say(self, raw: bytes) -> None:
        """Send a message that is encoded already."""
        ...

    async def beat(self) -> None:
        """Let the gate see that the server is there, where silence would not say so."""
        ...

    async def receive(self) -> Live | None:
        """Wait for the next message; None when the gate is gone or silent for too long.

        Raises:
            ProtocolError: if it is no message.
        """
        ...

    async def close(self) -> None:
        """End it; more than once does no harm."""
        ...


class SocketChannel:
    """The port `Channel` over a WebSocket."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        """Take a socket that is open."""
        self._socket = socket

    async def send(self, message: Live) -> None:
        """Send a message."""
        await self._socket.send_bytes(codec.encode(message))

    async def say(self, raw: bytes) -> None:
        """Send a message that is encoded already."""
        await self._socket.send_bytes(raw)

    async def beat(self) -> None:
        """Send a beat."""
        await self.send(Beat(time.time_ns() // 1_000_000))

    async def receive(self) -> Live | None:
        """Wait for the next message."""
        try:
            message = await self._socket.receive(timeout=LIVE_S_MAX)
        except TimeoutError:
            return None
        return codec.decode_live(message.data) if message.type is WSMsgType.BINARY else None

    async def close(self) -> None:
        """Say good-bye."""
        await self._socket.close()


class LiveRoom:
    """The live connections of this process; told what has changed by whoever changed it.

    Attributes:
        hints: how many were handed on.
        pages: of feeds, read once for all who ask at once.
        onward: given every hint of a gate here, for those that are connected elsewhere.
    """

    def __init__(self) -> None:
        """Begin with nobody there."""
        self.hints = 0
        self.pages = SharedPages()
        self.onward: Callable[[Hint], None] = lambda _: None
        self._connections: dict[Connection, None] = {}  # told in the order they came

    def streams_grew(self, streams: Iterable[str]) -> None:
        """Wake every connection that follows one of these streams; never waits."""
        grown = set(streams)
        for connection in self._connections:
            connection.wake(grown)

    def lists_changed(self) -> None:
        """Have every connection look whether its lists or its assignment are new; never waits."""
        for connection in self._connections:
            connection.look()

    def hint(self, hint: Hint, *, onward: bool = True) -> None:
        """Hand a hint on to every other gate that may follow its performance; never waits.

        Args:
            hint: as it came.
            onward: whether it is of a gate that is connected here.
        """
        raw = codec.encode(hint)  # once for all
        self.hints += 1
        if onward:
            self.onward(hint)
        for connection in self._connections:
            if connection.gate != hint.gate and connection.side.may_hear(hint.performance):
                connection.say(raw)

    def order(self, gates: Iterable[str], envelope: bytes) -> int:
        """Send a command to those of some gates that are connected; tell how many; never waits."""
        wanted = set(gates)
        reached = [one for one in self._connections if one.gate in wanted]
        for connection in reached:
            connection.order(envelope)
        return len({one.gate for one in reached})

    def has(self, gate: str) -> bool:
        """Tell whether a gate is there."""
        return any(connection.gate == gate for connection in self._connections)

    def close(self) -> None:
        """End every connection: the server stops."""
        for connection in self._connections:
            connection.end()

    @asynccontextmanager
    async def join(self, connection: "Connection") -> AsyncIterator[None]:
        """Keep a connection in the room while the context lasts."""
        self._connections[connection] = None
        try:
            yield
        finally:
            self._connections.pop(connection, None)


@dataclass(eq=False, slots=True)
class Connection:
    """One gate's live connection: what is to be done next, and the wake-up for it.

    Attributes:
        gate: its id.
        side: the protocol's machine.
        guard: which of its hints go on.
        grown: feeds that have grown.
        orders: commands that go out next.
        reads: what a new subscription has to be read.
        lists_due: whether its lists or its assignment may be others now.
        status: what the gate said of itself last, to be noted.
        journals_due: whether it may have other journals now.
        express: encoded messages that go out first.
        dropped: of those, how many had to make room.
        claims: how many are being answered.
        ended: whether the connection is to end.
        due: set where there is news.
        express_due: set where there is something in the express.
        chore_due: set where something is to be noted or looked up.
    """

    gate: str
    side: LiveSide
    guard: HintGuard
    grown: set[str] = field(default_factory=set)
    orders: deque[bytes] = field(default_factory=deque)
    reads: list[ReadFeed] = field(default_factory=list)
    lists_due: bool = True
    status: Status | None = None
    journals_due: bool = False
    express: deque[bytes] = field(default_factory=deque)
    dropped: int = 0
    claims: int = 0
    ended: bool = False
    due: asyncio.Event = field(default_factory=asyncio.Event)
    express_due: asyncio.Event = field(default_factory=asyncio.Event)
    chore_due: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, streams: set[str]) -> None:
        """Note that some feeds have grown."""
        self.grown |= streams
        self.due.set()

    def order(self, envelope: bytes) -> None:
        """Have a command go out."""
        self.orders.append(envelope)
        self.due.set()

    def look(self) -> None:
        """Have lists and assignment looked at."""
        self.lists_due = True
        self.due.set()

    def read(self, reads: list[ReadFeed]) -> None:
        """Read for a new subscription; what an earlier one wanted is of no use any more."""
        self.reads = reads
        self.due.set()

    def note(self, status: Status) -> None:
        """Have a status noted; the one before, if it was not yet, is old."""
        self.status = status
        self.chore_due.set()

    def say(self, raw: bytes) -> None:
        """Have an encoded message go out ahead of everything else."""
        if len(self.express) == EXPRESS_MAX:
            self.express.popleft()
            self.dropped += 1
        self.express.append(raw)
        self.express_due.set()

    def end(self) -> None:
        """End the connection."""
        self.ended = True
        self.due.set()


async def serve_live(gate: str, channel: Channel, desk: LiveDesk, room: LiveRoom) -> None:
    """Serve a gate's live connection to its end; the channel is closed then."""
    connection = Connection(gate, LiveSide(frozenset()), HintGuard(gate, ()))
    try:
        async with room.join(connection), asyncio.TaskGroup() as tasks:
            express = tasks.create_task(_send_express(channel, connection))
            await _look_up(desk, connection)
            beside = [
                express,
                tasks.create_task(_send_news(channel, desk, room, connection)),
                tasks.create_task(_do_chores(desk, connection)),
            ]
            await _receive(channel, desk, room, connection, tasks)
            for task in beside:
                task.cancel()
    except* (ProtocolError, NotFoundError) as group:
        log.warning("gate broke the protocol", extra={"gate": gate, "reason": str(group)})
    except* ConnectionError:
        pass  # the gate went: it is degraded now and comes back by itself
    finally:
        if not room.has(gate):  # it may have come back by another way already
            await desk.note_gone(gate)
        await channel.close()


async def _look_up(desk: LiveDesk, connection: Connection) -> None:
    """Get what the gate may say and hear; it hears beats meanwhile, and is not listened to."""
    gate, side = connection.gate, connection.side
    side.allowed, side.numbering = await desk.streams(gate), await desk.numbering()
    connection.guard.know(await desk.journals(gate))
    standing = await desk.standing_order(gate)
    if standing is not None:
        connection.order(standing)


async def _receive(
    channel: Channel,
    desk: LiveDesk,
    room: LiveRoom,
    connection: Connection,
    tasks: asyncio.TaskGroup,
) -> None:
    while not connection.ended and (message := await channel.receive()) is not None:
        reads = []
        for command in connection.side.receive(message):
            match command:
                case ForwardHint(hint):
                    _forward(hint, desk, room, connection)
                case AnswerClaim(claim):
                    if connection.claims < CLAIMS_AT_ONCE:  # else the gate's own rule holds
                        connection.claims += 1
                        tasks.create_task(_answer(claim, desk, connection))
                case ReadFeed():
                    reads.append(command)
                case NoteStatus(status):
                    connection.note(status)
                case _:
                    pass  # nothing else follows at once from what a gate says
        if reads:
            connection.read(reads)
        connection.due.set()


async def _answer(claim: Claim, desk: LiveDesk, connection: Connection) -> None:
    try:
        claimed = await desk.claim(connection.gate, claim)
    finally:
        connection.claims -= 1
    if claimed is not None:
        connection.say(codec.encode(claimed))


def _forward(hint: Hint, desk: LiveDesk, room: LiveRoom, connection: Connection) -> None:
    """Hand a hint on at once: no database, no waiting."""
    guard, now_ms = connection.guard, time.monotonic_ns() // 1_000_000
    if guard.passes(hint, now_ms):
        room.hint(hint)
        desk.hinted(hint)
    elif guard.held_back == 1:
        log.warning("hint held back", extra={"gate": connection.gate})
    if guard.wants_journals(now_ms):
        connection.journals_due = True
        connection.chore_due.set()


async def _send_express(channel: Channel, connection: Connection) -> None:
    """Send what cannot wait, and a beat where nothing of that is for a while.

    A beat says that the server is there. It waits for no database: of a thousand gates that come at
    once none may go again because its turn to be read for is late.
    """
    while True:
        try:
            async with asyncio.timeout(BEAT_S):
                await connection.express_due.wait()
        except TimeoutError:
            await channel.beat()
            continue
        connection.express_due.clear()
        while connection.express:
            await channel.say(connection.express.popleft())


async def _do_chores(desk: LiveDesk, connection: Connection) -> None:
    """Write down how the gate is, and look up which journals it has, when it speaks of others."""
    while True:
        await connection.chore_due.wait()
        connection.chore_due.clear()
        status, connection.status = connection.status, None
        if status is not None:
            await desk.note_status(connection.gate, status)
        if connection.journals_due:
            connection.journals_due = False
            connection.guard.know(await desk.journals(connection.gate))


async def _send_news(
    channel: Channel, desk: LiveDesk, room: LiveRoom, connection: Connection
) -> None:
    """Send what is due."""
    side = connection.side
    while not connection.ended:
        await connection.due.wait()
        connection.due.clear()
        while connection.orders and side.is_subscribed:
            await channel.send(Ordered(connection.orders.popleft()))
        grown, connection.grown = connection.grown, set()
        reads, connection.reads = connection.reads, []
        await _carry_out(reads, channel, desk, room, connection)
        if connection.lists_due and side.is_subscribed:
            connection.lists_due = False
            side.allowed = await desk.streams(connection.gate)
            announced = side.announce(await desk.lists(connection.gate))
            await _carry_out(announced, channel, desk, room, connection)
        await _carry_out(side.wake(sorted(grown)), channel, desk, room, connection)
    await channel.close()


async def _carry_out(
    commands: Sequence[Command],
    channel: Channel,
    desk: LiveDesk,
    room: LiveRoom,
    connection: Connection,
) -> None:
    todo = list(commands)
    while todo:
        match todo.pop(0):
            case Send(message):
                await channel.send(message)
            case ReadFeed(stream, after):
                read = partial(desk.feed, connection.gate, stream, after)
                page = await room.pages.read(stream, after, read)
                todo += connection.side.page(page)
            case _:
                pass  # what a gate says is dealt with where it is heard
