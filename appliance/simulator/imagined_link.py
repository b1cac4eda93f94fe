"""Links to an imagined server, with troubles of their own. Bound by tests."""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from admission import journal
from admission.errors import RemoteProtocolError
from admission.sync.messages import (
    Ack,
    Batch,
    Beat,
    Carried,
    Claimed,
    Enrol,
    Enrolled,
    Feed,
    Heads,
    Live,
    Renew,
    Renewed,
)
from admission.sync.server_side import (
    AnswerClaim,
    Command,
    ForwardHint,
    LiveSide,
    NoteStatus,
    ReadFeed,
    Send,
)
from admission.trust.sealing import agreement_public_key, seal
from appliance.alarm import wait_set
from appliance.errors import LinkAnswerError, LinkError
from appliance.key_cabinet import SEALED_KEY_CONTEXT
from appliance.simulator.box_office import SignedList
from appliance.simulator.imagined_server import ImaginedServer

BEAT_S: Final = 2.0
SILENCE_S_MAX: Final = 6.0  # as the real link has it


class ImaginedConnection:
    """The port `LiveConnection` to an imagined server."""

    def __init__(self, server: ImaginedServer, link: "ImaginedLink", gate: str) -> None:
        self.gate = gate
        self.side = LiveSide(frozenset(server.lists), server.numbering)
        self._server = server
        self._link = link
        self._arrived: deque[Live] = deque()
        self._stirred = asyncio.Event()

    async def send(self, message: Live) -> None:
        """Take a message of the gate.

        Raises:
            LinkError: if the link is in trouble.
        """
        self._link.check()
        self.carry_out(self.side.receive(message))

    async def receive(self) -> Live:
        """Give the next message, a beat where there is none for a while.

        Raises:
            LinkError: if the link is in trouble, or silent for too long.
        """
        silent_s = 0.0
        while not self._arrived:
            self._link.check()
            self._stirred.clear()
            if await wait_set(self._stirred, self._server.clock, BEAT_S):
                continue
            silent_s += BEAT_S
            if not self._link.is_silent:
                self._arrived.append(Beat(journal.wall_ms(self._server.clock.now())))
            elif silent_s >= SILENCE_S_MAX:
                raise LinkError(f"live connection silent for {SILENCE_S_MAX} s")
        self._link.check()
        return self._arrived.popleft()

    def deliver(self, message: Live) -> None:
        """Let a message arrive at the gate, whatever it is."""
        self._arrived.append(message)
        self._stirred.set()

    def carry_out(self, commands: list[Command]) -> None:
        """Do what the server's machine says."""
        todo = deque(commands)
        while todo:
            match todo.popleft():
                case Send(message):
                    if not self._link.is_silent:
                        self.deliver(message)
                case ReadFeed(stream, after):
                    todo += self.side.page(self._server.page(stream, after))
                case NoteStatus(status):
                    self._server.statuses[self.gate] = status
                case ForwardHint(hint):
                    self._server.hint(hint)
                case AnswerClaim(claim):
                    self._server.claims.append(claim)
                    if self._server.claim_answer is not None and not self._link.is_silent:
                        self.deliver(Claimed(claim.number, self._server.claim_answer))

    def stir(self) -> None:
        """Let the gate look at the link again."""
        self._stirred.set()


class ImaginedLink:
    """The port `ServerLink` to an imagined server, with troubles of its own.

    Args:
        server: where requests go.
        gate: id of the gate.
        agreement_key: its private X25519 key; only the public half is used.

    Attributes:
        is_silent: whether the live connection says nothing.
        answers_lost: how many of the next uploads arrive while their answer does not.
        requests: names of the requests made, in order.
        pins: what the gate takes for the server's certificates, once it was told others.
        bytes_fetched: what the pieces of lists came to that were downloaded.
    """

    def __init__(self, server: ImaginedServer, gate: str, agreement_key: bytes) -> None:
        self.is_silent = False
        self.answers_lost = 0
        self.requests: list[str] = []
        self.bytes_fetched = 0
        self.pins: tuple[bytes, ...] = ()
        self._server = server
        self._gate = gate
        self._agreement_public = agreement_public_key(agreement_key)
        self._trouble: LinkError | None = None
        self._known: dict[str, bytes] = {}
        self._connections: list[ImaginedConnection] = []

    def cut(self, trouble: LinkError | None = None) -> None:
        """Let every request fail from now on, and end what stands."""
        self._trouble = trouble or LinkError("the cable is cut")
        for connection in self._connections:
            connection.stir()

    def mend(self) -> None:
        """Let everything work again."""
        self._trouble = None
        self.is_silent = False

    def check(self) -> None:
        """Raise the trouble that there is, if any."""
        if self._trouble is not None:
            raise self._trouble

    async def enrol(self, request: Enrol) -> Enrolled:
        """Take any code."""
        self._ask("enrol")
        office = self._server.office
        certificate = office.certify(self._gate, request.public_key, request.agreement_key)
        return Enrolled(
            self._gate,
            f"Name of {self._gate}",
            office.roots[-1],
            "000000",
            0,
            certificate=certificate,
        )

    async def renew(self, request: Renew) -> Renewed:
        """Certify any keys."""
        self._ask("renew")
        office = self._server.office
        now = self._server.clock.now()
        return Renewed(
            office.certify(
                self._gate,
                request.public_key,
                request.agreement_key,
                issued_at=now,
                not_after=now + timedelta(days=365),
            )
        )

    def take_pins(self, pins: tuple[bytes, ...]) -> None:
        """Remember what the gate takes for the server's from now on."""
        self.pins = pins

    async def root(self, version: int) -> bytes | None:
        """Give one root, None if there is none of that version."""
        self._ask(f"root {version}")
        roots = self._server.office.roots
        return roots[version - 1] if version <= len(roots) else None

    async def status(self, nonce: str) -> bytes:
        """Sign what is the newest now."""
        self._ask("status")
        return self._server.status(nonce)

    async def assignment(self) -> bytes | None:
        """Give the gate's assignment if it is new."""
        self._ask("assignment")
        if self._gate not in self._server.assignments:
            raise LinkAnswerError("the server answers 404: no assignment yet")
        return self._if_new("", self._server.assignments[self._gate][1])

    async def manifest(self, performance: str) -> bytes | None:
        """Give a manifest if it is new."""
        self._ask(f"manifest {performance}")
        return self._if_new(performance, self._list(performance).envelope)

    def forget(self, performance: str) -> None:
        """Give a manifest in full next time."""
        self._known.pop(performance, None)

    def forget_assignment(self) -> None:
        """Give the assignment in full next time."""
        self._known.pop("", None)

    async def list_key(self, performance: str) -> bytes:
        """Seal a list key for the gate."""
        self._ask(f"list_key {performance}")
        context = SEALED_KEY_CONTEXT + performance.encode()
        ephemeral = hashlib.sha256(b"ephemeral" + context + self._gate.encode()).digest()
        return seal(self._list(performance).list_key, self._agreement_public, context, ephemeral)

    async def download(self, performance: str, sha256: str, size: int, to: Path) -> None:
        """Write a piece of a list into a file."""
        self._ask(f"download {performance}")
        piece = self._list(performance).piece(sha256)
        if len(piece) > size:
            raise LinkError(f"snapshot is over the {size} bytes that were signed")
        self.bytes_fetched += len(piece)
        to.write_bytes(piece)  # noqa: ASYNC240 (a few bytes)

    async def upload(self, batch: Batch) -> Ack:
        """Hand records over."""
        self._ask(f"upload {batch.first}")
        try:
            ack = self._server.take(batch)
        except RemoteProtocolError as exc:
            raise LinkAnswerError(f"the server answers 400: {exc}") from exc
        if self.answers_lost:
            self.answers_lost -= 1
            raise LinkError("the answer was lost")
        return ack

    async def carry(self, carried: Carried) -> Ack:
        """Hand another gate's records over."""
        self._ask(f"carry {carried.batch.journal} {carried.batch.first}")
        try:
            return self._server.carry(carried)
        except RemoteProtocolError as exc:
            raise LinkAnswerError(f"the server answers 400: {exc}") from exc

    async def heads(self, journals: Sequence[str]) -> Heads:
        """Ask how far the server has some journals."""
        self._ask("heads")
        return self._server.heads(journals)

    async def feed(self, stream: str, after: int) -> Feed:
        """Fetch what follows a cursor."""
        self._ask(f"feed {stream} {after}")
        return self._server.page(stream, after)

    @asynccontextmanager
    async def live(self) -> AsyncIterator[ImaginedConnection]:
        """Open a live connection."""
        self._ask("live")
        connection = ImaginedConnection(self._server, self, self._gate)
        self._connections.append(connection)
        self._server.connections.append(connection)
        try:
            yield connection
        finally:
            self._connections.remove(connection)
            self._server.connections.remove(connection)

    def _ask(self, request: str) -> None:
        self.requests.append(request)
        self.check()

    def _list(self, performance: str) -> SignedList:
        if performance not in self._server.lists:
            raise LinkAnswerError("the server answers 404: not published yet")
        return self._server.lists[performance]

    def _if_new(self, name: str, raw: bytes) -> bytes | None:
        if self._known.get(name) == raw:
            return None
        self._known[name] = raw
        return raw
