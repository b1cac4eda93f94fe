"""The gates of one local network among themselves, put together; `main` gives it wire and disk.

With a server or without: each tells the others at once what it has granted, and holds what all of
them wrote, proven. Everything in here is beside the lane: none of it is waited for.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

from admission.passage import History
from admission.sync.messages import Hint
from admission.sync.peer import Circle
from admission.sync.peer_proof import Doorkeeper, Enrolment, Self
from appliance.answering import Answering, OwnJournal
from appliance.errors import StorageError
from appliance.neighbours import Neighbours, Note
from appliance.peer_facts import PeerFacts
from appliance.peer_ports import CarriedStore, Datagrams, PeerWire
from appliance.ports import Clock
from appliance.shouting import Shouting

REVOKED_S: Final = 5.0  # so often is looked whether the server has revoked another gate


class Revoked:
    """The gates that the server has revoked, also after a start without it."""

    def __init__(self, carried: CarriedStore, told: Callable[[], Collection[str] | None]) -> None:
        """Take where that is known.

        Args:
            carried: keeps it.
            told: gives what the server said last, None if it has said nothing since the start.
        """
        self._carried = carried
        self._told = told
        self._kept: frozenset[str] = frozenset()

    async def load(self) -> None:
        """Read what was kept.

        Raises:
            StorageError: if it cannot be read.
        """
        self._kept = frozenset(await self._carried.revoked())

    def __call__(self) -> Collection[str]:
        """Give their ids."""
        told = self._told()
        return self._kept if told is None else told

    async def keep(self) -> None:
        """Keep what the server has said, if it is something else than before.

        Raises:
            StorageError: if it cannot be written.
        """
        told = frozenset(self())
        if told != self._kept:
            await self._carried.keep_revoked(told)
            self._kept = told


class LocalNetwork:
    """One gate's part in it.

    Attributes:
        circle: what is held of others, and what they have.
        neighbours: the other gates.
        answering: the door.
        shouting: the voice and the ear.
    """

    def __init__(
        self,
        *,
        own: Self,
        enrolment: Enrolment,
        revoked: Revoked,
        circle: Circle,
        carried: CarriedStore,
        journals: Callable[[], Sequence[OwnJournal]],
        grew: asyncio.Event,
        wire: PeerWire,
        datagrams: Datagrams,
        history: History,
        hear: Callable[[Hint], None],
        confirm: Callable[[str, int], object],
        performances: Callable[[], Collection[str]],
        note: Note,
        nonce: Callable[[], bytes],
        jitter: Callable[[], float],
        clock: Clock,
        port: int,
    ) -> None:
        """Put it together; nothing is sent before `run`.

        Args:
            own: what this gate shows and signs with.
            enrolment: what it believes of others' certificates.
            revoked: the gates that the server has revoked.
            circle: begun with what is carried.
            carried: others' journals.
            journals: gives the gate's own, the one that it writes first.
            grew: set when that has grown.
            wire: brings questions.
            datagrams: brings datagrams.
            history: what the gate judges by.
            hear: takes a hint in.
            confirm: forgets the hint of a grant, by journal and sequence.
            performances: gives those that the gate holds.
            note: writes a fault down.
            nonce: gives 16 random bytes.
            jitter: gives a random number from 0 to 1.
            clock: counts waits.
            port: where this gate can be asked.
        """
        door = Doorkeeper(own, enrolment, nonce())
        self._revoked = revoked
        self._clock = clock
        self.circle = circle
        self.neighbours = Neighbours(
            own=own,
            enrolment=enrolment,
            door=door,
            circle=circle,
            wire=wire,
            carried=carried,
            facts=PeerFacts(history, hear, confirm, performances),
            heads=lambda: self.answering.heads(),
            note=note,
            nonce=nonce,
            jitter=jitter,
            clock=clock,
        )
        self.answering = Answering(
            own=own,
            door=door,
            circle=circle,
            journals=journals,
            carried=carried,
            found=self.neighbours.came,
            clock=clock,
            port=port,
        )
        self.shouting = Shouting(
            own=own,
            door=door,
            circle=circle,
            hear=hear,
            datagrams=datagrams,
            addresses=lambda: self.neighbours.addresses,
            journal=lambda: journals()[0],
            grew=grew,
            grown=self.neighbours.grown,
            clock=clock,
        )

    async def load(self) -> None:
        """Learn from what is carried, before anybody is served.

        Raises:
            StorageError: if it cannot be read.
        """
        await self._revoked.load()
        await self.neighbours.learn()

    async def run(self) -> None:
        """Go on until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.neighbours.run())
            group.create_task(self.shouting.run())
            group.create_task(self._keep_revoked())

    async def _keep_revoked(self) -> None:
        while True:
            with suppress(StorageError):  # what the server said counts until the next start
                await self._revoked.keep()
            await self._clock.sleep(REVOKED_S)
