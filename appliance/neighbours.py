"""Keeps this gate and the others of its local network at one: a task for each of them.

Each is greeted, asked what it has, and asked for what is missing here, one question at a time.
What is proven is kept and then learned from. One that lies is put aside for a while and noted; one
that cannot be reached is tried again. Nothing here can hold a person up.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from admission.errors import AdmissionError, RemoteProtocolError, SignatureError
from admission.sync.peer import Circle, ForkProven, Taken, UnprovenError, check_piece
from admission.sync.peer_messages import Grown, Heads, Piece, Told, Wanted
from admission.sync.peer_proof import (
    Doorkeeper,
    Enrolment,
    NotEnrolledError,
    Self,
    StrangerError,
    Visitor,
)
from appliance.alarm import wait_set
from appliance.errors import ApplianceError, LinkError, StorageError
from appliance.peer_facts import PeerFacts
from appliance.peer_ports import CarriedStore, PeerWire
from appliance.ports import Clock

log = logging.getLogger(__name__)

NEIGHBOURS_MAX: Final = 128  # addresses tended to; a venue's gates
POLL_S: Final = 2.0  # each is asked so often what it has,
POLL_S_FOR_EACH: Final = 0.2  # or more seldom where they are many: five questions a second in all
RETRY_S_MAX: Final = 30.0
MISSES_MAX: Final = 20  # of one that nobody configured; then it is forgotten until found again,
MISSES_NEW_MAX: Final = 3  # and much sooner one that has never proven to be a gate
FOREIGN_S: Final = 120.0  # a gate of another house is tried again after so long
HEARD_S: Final = 10.0  # who answered within it counts as heard
NOTES_S: Final = 60.0  # no more often is a fault written into the journal
FAULT_S: Final = 3600.0  # so long the server is told of it
LIE_FAULT: Final = "GT-PER"  # a gate of the local network gives what is not proven
FORK_FAULT: Final = "GT-FRK"  # a gate of it has sealed two histories of one journal: a copied card
TWIN_FAULT: Final = "GT-TWN"  # a gate of it has this gate's own identity: a copied card
_NS: Final = 1_000_000_000

Note = Callable[[str, str], Awaitable[None]]
"""Writes a fault down: its code, and what is to be said of it."""


@dataclass(slots=True)
class _Neighbour:
    address: str
    is_configured: bool
    visitor: Visitor
    gate: str = ""
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    misses: int = 0
    is_doubted: bool = False
    heard_ns: int | None = None
    is_over: bool = False


class Neighbours:
    """The other gates of the local network.

    Attributes:
        changed: called when more or fewer are heard, or there is something new to judge by.
        is_full: whether nothing more is carried, for want of room.
    """

    def __init__(
        self,
        *,
        own: Self,
        enrolment: Enrolment,
        door: Doorkeeper,
        circle: Circle,
        wire: PeerWire,
        carried: CarriedStore,
        facts: PeerFacts,
        heads: Callable[[], Awaitable[Heads]],
        note: Note,
        nonce: Callable[[], bytes],
        jitter: Callable[[], float],
        clock: Clock,
    ) -> None:
        """Take what this works with.

        Args:
            own: what this gate shows and signs with.
            enrolment: what is believed of others' certificates.
            door: told of every gate that has proven itself.
            circle: says what to ask of whom.
            wire: brings questions.
            carried: keeps what comes.
            facts: learns from it.
            heads: gives what this gate has.
            note: writes a fault down.
            nonce: gives 16 random bytes.
            jitter: gives a random number from 0 to 1.
            clock: counts waits.
        """
        self.changed: Callable[[], None] = lambda: None
        self.is_full = False
        self._own = own
        self._enrolment = enrolment
        self._door = door
        self._circle = circle
        self._wire = wire
        self._carried = carried
        self._facts = facts
        self._heads = heads
        self._note = note
        self._nonce = nonce
        self._jitter = jitter
        self._clock = clock
        self._neighbours: dict[str, _Neighbour] = {}
        self._new: asyncio.Queue[_Neighbour] = asyncio.Queue(NEIGHBOURS_MAX)
        self._told_heard = 0
        self._noted_ns: dict[str, int] = {}
        self._said: set[tuple[str, str]] = set()

    @property
    def heard(self) -> int:
        """How many gates of the local network are heard now."""
        since = self._clock.monotonic_ns() - round(max(HEARD_S, 3 * self._poll_s) * _NS)
        gates = {
            one.gate
            for one in self._neighbours.values()
            if one.gate and one.heard_ns is not None and one.heard_ns >= since
        }
        return len(gates)

    @property
    def faults(self) -> list[str]:
        """Codes of what was wrong with them within the last hour."""
        since = self._clock.monotonic_ns() - round(FAULT_S * _NS)
        return sorted(code for code, at_ns in self._noted_ns.items() if at_ns >= since)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where gates are that have proven themselves, one address each."""
        return tuple({one.gate: one.address for one in self._proven()}.values())

    def found(self, address: str, *, is_configured: bool = False) -> None:
        """Tend to whoever is at an address, if it is a gate of ours; known ones are left alone."""
        if address in self._neighbours or len(self._neighbours) >= NEIGHBOURS_MAX:
            return
        visitor = Visitor(self._own, self._enrolment)
        neighbour = _Neighbour(address, is_configured, visitor)
        self._neighbours[address] = neighbour
        self._new.put_nowait(neighbour)

    def came(self, host: str, gate: str, heads: Heads) -> None:
        """Take what a gate tells of itself when it asks us; it has proven who it is.

        Args:
            host: where it asks from.
            gate: its id.
            heads: what it has, and at which port it can be asked.
        """
        if not heads.port:
            return
        address = f"[{host}]:{heads.port}" if ":" in host else f"{host}:{heads.port}"
        tended = [one for one in self._proven() if one.gate == gate]
        if not tended:
            self.found(address)
        for one in tended:
            self._circle.heard(one.address, gate, heads.heads)
            self._stir(one)

    def grown(self, gate: str, news: Grown) -> None:
        """Take a gate's word that its journal has grown."""
        for one in self._proven():
            if one.gate == gate:
                self._circle.grown(one.address, news.journal, news.head)
                self._stir(one)

    def _stir(self, one: _Neighbour) -> None:
        """Have a gate asked now, if it has what is missing here: two must not stir each other."""
        if self._circle.misses(one.address, self._now_s()):
            one.stirred.set()

    async def learn(self) -> None:
        """Learn from what is carried already.

        Raises:
            StorageError: if it cannot be read.
        """
        await self._facts.follow(self._carried)

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._tend(await self._new.get()))

    @property
    def _poll_s(self) -> float:
        return max(POLL_S, POLL_S_FOR_EACH * len(self._neighbours))

    def _proven(self) -> list[_Neighbour]:
        return [one for one in self._neighbours.values() if one.gate]

    async def _tend(self, one: _Neighbour) -> None:
        while not one.is_over:
            one.stirred.clear()
            wait_s = await self._round(one)
            self._tell()
            await wait_set(one.stirred, self._clock, wait_s)
        self._circle.lost(one.address)
        del self._neighbours[one.address]
        self._tell()

    async def _round(self, one: _Neighbour) -> float:
        """Be at one with a gate once; give how long to wait then, seconds."""
        try:
            await self._exchange(one)
        except LinkError as exc:
            return self._missed(one, exc)
        except NotEnrolledError as exc:
            self._say("gate of another house", one.address, str(exc))
            one.gate, one.is_over = "", not one.is_configured  # found again, it is asked again
            return FOREIGN_S
        except ApplianceError as exc:
            self._say("nothing is carried", one.address, str(exc))
            return RETRY_S_MAX
        except AdmissionError as exc:
            return await self._lied(one, exc)
        one.misses, one.is_doubted = 0, False
        return self._poll_s * (0.75 + 0.5 * self._jitter())

    def _missed(self, one: _Neighbour, exc: LinkError) -> float:
        if one.misses == 0:
            log.info("neighbour lost", extra={"address": one.address, "reason": str(exc)})
        one.misses += 1
        misses_max = MISSES_MAX if one.heard_ns is not None else MISSES_NEW_MAX
        one.is_over = one.misses >= misses_max and not one.is_configured
        one.gate = ""
        self._circle.lost(one.address)
        wait_s: float = min(RETRY_S_MAX, POLL_S * 2.0 ** min(one.misses - 1, 10))
        return wait_s * (0.5 + 0.5 * self._jitter())

    async def _lied(self, one: _Neighbour, exc: AdmissionError) -> float:
        aside_s = self._circle.lied(one.address, self._now_s())
        who = one.gate or one.address
        log.error(
            "neighbour put aside", extra={"gate": who, "reason": str(exc), "aside_s": aside_s}
        )
        await self._write(LIE_FAULT, f"{who}: {exc}")
        one.gate = ""
        return aside_s

    async def _exchange(self, one: _Neighbour) -> None:
        if not one.gate and not await self._greet(one):
            return
        await self._facts.follow(self._carried)
        told = await self._ask(one, await self._heads())
        if not isinstance(told, Heads):
            raise RemoteProtocolError(f"asked for heads, got {type(told).__name__}")
        one.heard_ns = self._clock.monotonic_ns()
        self._circle.heard(one.address, one.gate, told.heads)
        self.is_full = not await self._carried.has_room()
        if self.is_full:
            self._say("nothing more is carried", "disk", "there is no room")
        while not self.is_full:
            wanted = self._circle.next_wanted(one.address, self._now_s())
            if wanted is None:
                return
            try:
                await self._pull(one, wanted)
            finally:
                self._circle.given_up(wanted)

    async def _greet(self, one: _Neighbour) -> bool:
        """Have a gate prove itself; tell whether it is another one that is not tended to yet."""
        raw = await self._wire.ask(one.address, one.visitor.greet(self._nonce()))
        certificate = one.visitor.welcomed(raw)
        if one.visitor.nonce == self._door.nonce:
            one.is_over = True  # the network brings us to ourselves
            return False
        if certificate.gate == self._own.gate:
            await self._write(TWIN_FAULT, f"at {one.address} is a gate of our own identity")
            one.is_over = not one.is_configured
            return False
        self._door.meet(certificate)
        if any(other.visitor.nonce == one.visitor.nonce for other in self._proven()):
            one.is_over = not one.is_configured  # the same gate at another of its addresses
            return False
        one.gate = certificate.gate
        log.info("neighbour", extra={"gate": one.gate, "address": one.address})
        return True

    async def _ask(self, one: _Neighbour, message: Heads | Wanted) -> Told:
        raw = await self._wire.ask(one.address, one.visitor.ask(message))
        try:
            return one.visitor.answered(raw)
        except StrangerError as exc:
            one.gate = ""
            raise LinkError(f"{one.address} was started anew") from exc
        except SignatureError as exc:
            if one.is_doubted:
                raise
            one.gate, one.is_doubted = "", True  # it may have another key since it was greeted
            raise LinkError(f"{one.address} speaks with another voice") from exc

    async def _pull(self, one: _Neighbour, wanted: Wanted) -> None:
        piece = await self._ask(one, wanted)
        if not isinstance(piece, Piece):
            raise RemoteProtocolError(f"asked for a piece, got {type(piece).__name__}")
        held = self._circle.held.get(wanted.journal)
        chain = self._circle.chain_of(wanted)
        try:
            taken = check_piece(piece, wanted, held, chain, self._enrolment)
        except UnprovenError as exc:
            self._say("journal not believed", wanted.journal, str(exc))
            taken = None
        if isinstance(taken, Taken):
            await self._carried.keep(taken)
            self._circle.took(taken)
            if self._facts.learn(taken.journal, taken.seal.gate, [row.blob for row in taken.rows]):
                self.changed()
            return
        self._circle.doubt(one.address, wanted.journal, self._now_s())
        if isinstance(taken, ForkProven):
            log.error("journal forked", extra={"journal": taken.journal, "gate": taken.gate})
            await self._write(FORK_FAULT, f"gate {taken.gate}: journal {taken.journal}")

    def _say(self, event: str, what: str, reason: str) -> None:
        if (event, what) not in self._said and len(self._said) < NEIGHBOURS_MAX:
            self._said.add((event, what))
            log.warning(event, extra={"what": what, "reason": reason})

    async def _write(self, code: str, text: str) -> None:
        """Write a fault down, but not the same again and again: journals are small."""
        now_ns = self._clock.monotonic_ns()
        since_ns = now_ns - self._noted_ns.get(code, -round(NOTES_S * _NS))
        if since_ns >= NOTES_S * _NS:
            self._noted_ns[code] = now_ns
            try:
                await self._note(code, text[:200])
            except StorageError as exc:  # told in the log; the gate has its own word on its disk
                self._say("fault not written", code, str(exc))

    def _tell(self) -> None:
        heard = self.heard
        if heard != self._told_heard:
            self._told_heard = heard
            log.info("neighbours heard", extra={"count": heard})
            self.changed()

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / _NS
