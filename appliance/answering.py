"""Answers other gates of the local network: who we are, what we have, and what follows in it.

Called by the transport with whatever comes. Everything is bounded: what one machine may ask, what
all of them may, and what an answer holds. Nothing that comes can hold a person up.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from admission.errors import AdmissionError
from admission.sync.gate_side import Row
from admission.sync.messages import Seal
from admission.sync.peer import Circle, piece_of
from admission.sync.peer_messages import (
    JOURNALS_MAX,
    PIECE_RECORDS_MAX,
    Heads,
    Hello,
    JournalHead,
    Piece,
    Said,
    Stranger,
    Wanted,
    decode_spoken,
    encode,
)
from admission.sync.peer_proof import Doorkeeper, Question, Self, StrangerError
from admission.sync.sealed_head import seal
from appliance.errors import ApplianceError
from appliance.peer_ports import CarriedStore
from appliance.ports import Clock

log = logging.getLogger(__name__)

ASKED_A_SECOND: Final = 20.0  # by one machine; a gate asks twice, and more where it has to catch up
ASKED_A_SECOND_BY_ALL: Final = 60.0  # three signatures each: a tenth of a small machine
BURST_S: Final = 4.0  # a gate that comes back has much to ask at once
MACHINES_MAX: Final = 256
_NS: Final = 1_000_000_000


class OwnJournal(Protocol):
    """The gate's own journal, as far as it is told to others. Implemented in `storage`."""

    @property
    def id(self) -> str:
        """The journal's id."""
        ...

    @property
    def acknowledged(self) -> Row:
        """How far the server has it."""
        ...

    @property
    def head(self) -> int | None:
        """Greatest sequence written; None where another one tells it."""
        ...

    async def rows(self, after: int, count_max: int) -> list[Row]:
        """Give the records that follow a sequence, in order."""
        ...

    async def chain_at(self, sequence: int) -> bytes | None:
        """Give the chain value after a record."""
        ...


class Answering:
    """The gate's door on the local network.

    Attributes:
        port: where this gate can be asked.
    """

    def __init__(
        self,
        *,
        own: Self,
        door: Doorkeeper,
        circle: Circle,
        journals: Callable[[], Sequence[OwnJournal]],
        carried: CarriedStore,
        found: Callable[[str, str, Heads], None],
        clock: Clock,
        port: int,
    ) -> None:
        """Take what is told.

        Args:
            own: what this gate shows and signs with.
            door: knows who asks.
            circle: knows what is carried.
            journals: the gate's own.
            carried: others'.
            found: told of a gate that has proven itself: its host, its id, what it has.
            clock: counts what is asked.
            port: where this gate can be asked.
        """
        self._own = own
        self._door = door
        self._circle = circle
        self._journals = journals
        self._carried = carried
        self._found = found
        self._clock = clock
        self.port = port
        self._all = Allowance(ASKED_A_SECOND_BY_ALL)
        self._machines: dict[str, Allowance] = {}
        self._chains: dict[str, tuple[int, bytes]] = {}

    async def answer(self, host: str, raw: bytes) -> bytes | None:
        """Answer a question.

        Args:
            host: address of the machine that it comes from.
            raw: whatever came.

        Returns:
            None where there is nothing to say: too much was asked, or nothing that makes sense.
        """
        if not self._may_ask(host):
            return None
        try:
            message = decode_spoken(raw)
            if isinstance(message, Hello):
                return self._door.welcome(message)
            if isinstance(message, Said):
                return await self._reply(host, message)
        except StrangerError:
            return encode(Stranger())
        except (AdmissionError, ApplianceError) as exc:
            log.info("question not answered", extra={"host": host, "reason": str(exc)})
        return None

    async def heads(self) -> Heads:
        """Give what this gate has: its own journals, and those that it carries.

        Raises:
            StorageError: if the disk cannot be read.
        """
        heads = [
            JournalHead(one.journal, one.gate, one.head, one.chain, one.acknowledged)
            for one in self._circle.held.values()
        ]
        for own in self._journals():
            self._circle.own(own.id)  # a journal that was begun anew is one of ours, too
            head = own.head
            chain = None if head is None else await self._chain_at(own, head)
            if head is not None and chain is not None:
                mine = (own.id, self._own.gate, head, chain, own.acknowledged.sequence)
                heads.insert(0, JournalHead(*mine))
        return Heads(heads[:JOURNALS_MAX], self.port)

    async def _chain_at(self, own: OwnJournal, head: int) -> bytes | None:
        """Give the chain value at a head, read once: grants wait for the same thread."""
        known = self._chains.get(own.id)
        if known is not None and known[0] == head:
            return known[1]
        chain = await own.chain_at(head) if head else None
        if chain is not None:
            self._chains[own.id] = (head, chain)
        return chain

    async def _reply(self, host: str, said: Said) -> bytes:
        question = self._door.question(said)
        message = question.message
        if isinstance(message, Heads):
            self._hear(host, question, message)
            return self._door.answer(question, await self.heads())
        return self._door.answer(question, await self._piece(message))

    def _hear(self, host: str, question: Question, heads: Heads) -> None:
        if question.gate != self._own.gate:
            self._found(host, question.gate, heads)

    async def _piece(self, wanted: Wanted) -> Piece:
        for own in self._journals():
            if own.id == wanted.journal:
                return await self._own_piece(own, wanted)
        found = await self._carried.following(wanted.journal, wanted.after, PIECE_RECORDS_MAX)
        chain = await self._carried.chain_at(wanted.journal, wanted.after)
        if found is None or chain is None:
            return Piece()
        return piece_of(wanted.journal, wanted.after, chain, found.rows, found.seal, found.envelope)

    async def _own_piece(self, own: OwnJournal, wanted: Wanted) -> Piece:
        rows = await own.rows(wanted.after, PIECE_RECORDS_MAX)
        chain = await own.chain_at(wanted.after)
        if not rows or chain is None:
            return Piece()
        sealed = self._seal(own.id, rows[-1])
        return piece_of(wanted.journal, wanted.after, chain, rows, sealed, self._own.certificate())

    def _seal(self, journal_id: str, last: Row) -> Seal:
        return seal(self._own.sign, self._own.gate, journal_id, last.sequence, last.chain)

    def _may_ask(self, host: str) -> bool:
        now_ns = self._clock.monotonic_ns()
        machine = self._machines.get(host)
        if machine is None:
            if len(self._machines) >= MACHINES_MAX:
                del self._machines[next(iter(self._machines))]
            machine = self._machines[host] = Allowance(ASKED_A_SECOND)
        return machine.take(now_ns) and self._all.take(now_ns)


class Allowance:
    """So many a second, and a few seconds' worth of them at once."""

    def __init__(self, a_second: float, burst_s: float = BURST_S) -> None:
        """Begin with all that may come at once.

        Args:
            a_second: how many.
            burst_s: how many seconds' worth may come at once.
        """
        self._a_second = a_second
        self._most = a_second * burst_s
        self._left = self._most
        self._seen_ns = 0

    def take(self, now_ns: int) -> bool:
        """Use one up; tell whether there was one."""
        gained = max(0, now_ns - self._seen_ns) / _NS * self._a_second
        self._left = min(self._most, self._left + gained)
        self._seen_ns = now_ns
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
