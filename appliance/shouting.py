"""Datagrams between gates of one local network: what was just granted, and that a journal grew.

Each is signed by its gate's device key and goes to every neighbour that has proven itself. None is
answered, none is sent again: the journal follows by questions. What comes is looked at only from a
gate that is known, only so often, and once.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from admission.errors import AdmissionError
from admission.sync.messages import Hint
from admission.sync.peer import Circle
from admission.sync.peer_messages import DATAGRAM_BYTES_MAX, Grown, decode_shout
from admission.sync.peer_proof import Doorkeeper, Self, shout
from appliance.answering import Allowance, OwnJournal
from appliance.errors import ApplianceError
from appliance.peer_ports import Datagrams
from appliance.ports import Clock

log = logging.getLogger(__name__)

QUEUED_MAX: Final = 32  # grants that wait to be told; beyond, the oldest is dropped
GROWN_S: Final = 0.5  # so often at the most is told that the journal grew,
GROWN_S_FOR_EACH: Final = 0.05  # or more seldom where many would ask at once
HEARD_A_SECOND: Final = 20.0  # of one gate: a busy lane tells two things each second
GATES_MAX: Final = 500
REMEMBERED_MAX: Final = 4096  # datagrams, so that one that comes twice costs nothing


class Shouting:
    """The gate's voice and its ear on the local network. Implements `link_ports.HintLane`.

    Attributes:
        refused: datagrams that were not looked at or not believed.
    """

    def __init__(
        self,
        *,
        own: Self,
        door: Doorkeeper,
        circle: Circle,
        hear: Callable[[Hint], None],
        datagrams: Datagrams,
        addresses: Callable[[], tuple[str, ...]],
        journal: Callable[[], OwnJournal],
        grew: asyncio.Event,
        grown: Callable[[str, Grown], None],
        clock: Clock,
    ) -> None:
        """Take what this works with.

        Args:
            own: what this gate signs with.
            door: knows the others' voices.
            circle: knows what is carried: what a journal says itself needs no hint.
            hear: takes a hint in.
            datagrams: brings them.
            addresses: gives where to.
            journal: gives the gate's own.
            grew: set when that has grown.
            grown: told that another gate's has.
            clock: counts.
        """
        self.refused = 0
        self._own = own
        self._door = door
        self._circle = circle
        self._hear_hint = hear
        self._datagrams = datagrams
        self._addresses = addresses
        self._journal = journal
        self._grew = grew
        self._grown = grown
        self._clock = clock
        self._waiting: deque[Hint] = deque(maxlen=QUEUED_MAX)
        self._due = asyncio.Event()
        self._allowances: dict[str, Allowance] = {}
        self._remembered: dict[bytes, None] = {}

    def offer(self, hint: Hint) -> None:
        """Send a hint as soon as can be, or drop it; never waits, never raises."""
        self._waiting.append(hint)
        self._due.set()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_grants())
            group.create_task(self._tell_growth())

    def hear(self, raw: bytes) -> None:
        """Take a datagram, whatever it is; never raises."""
        if not self._is_new(raw):
            return
        try:
            self._take(raw)
        except AdmissionError as exc:
            self.refused += 1
            if self.refused == 1:
                log.info("datagram refused", extra={"reason": str(exc)})

    async def _tell_grants(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            while self._waiting:
                self._send(self._waiting.pop())  # the newest first

    async def _tell_growth(self) -> None:
        while True:
            await self._grew.wait()
            self._grew.clear()
            journal = self._journal()
            if journal.head:
                self._send(Grown(journal.id, journal.head))
            many_s = GROWN_S_FOR_EACH * len(self._addresses())
            await self._clock.sleep(max(GROWN_S, many_s))

    def _send(self, message: Hint | Grown) -> None:
        addresses = self._addresses()
        if not addresses:
            return
        try:
            raw = shout(self._own, message)
        except ApplianceError as exc:
            log.info("datagram not signed", extra={"reason": str(exc)})
            return
        if len(raw) <= DATAGRAM_BYTES_MAX:
            self._datagrams.send(raw, addresses)

    def _is_new(self, raw: bytes) -> bool:
        if len(raw) > DATAGRAM_BYTES_MAX:
            return False
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        if digest in self._remembered:
            return False
        self._remembered[digest] = None
        if len(self._remembered) > REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        return True

    def _take(self, raw: bytes) -> None:
        said = decode_shout(raw)
        if said.gate == self._own.gate or not self._may_speak(said.gate):
            self.refused += 1
            return
        message = self._door.heard(said)
        if isinstance(message, Grown):
            self._grown(said.gate, message)
        elif message.gate == said.gate and not self._is_told(message):
            self._hear_hint(message)

    def _is_told(self, hint: Hint) -> bool:
        """Tell whether the journal itself has told of a grant: then a hint of it is an old one."""
        held = self._circle.held.get(hint.journal)
        return held is not None and held.head >= hint.sequence and not hint.withdrawn

    def _may_speak(self, gate: str) -> bool:
        """Tell whether a gate is known and has not said too much, before any signature is tried."""
        if not self._door.knows(gate):
            return False
        allowance = self._allowances.get(gate)
        if allowance is None:
            if len(self._allowances) >= GATES_MAX:
                del self._allowances[next(iter(self._allowances))]
            allowance = self._allowances[gate] = Allowance(HEARD_A_SECOND)
        return allowance.take(self._clock.monotonic_ns())
