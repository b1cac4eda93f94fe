"""Hands others' journals on to the server, where this gate has a link and they have none.

Called as a task. The server is asked first how far it has them, so that of many gates that carry
one journal most have nothing to do. What a gate says the server has of its own is not even asked.
"""

import logging
from collections.abc import Callable
from typing import Final

from admission import journal
from admission.errors import AdmissionError
from admission.limits import JOURNAL_BATCH_RECORDS_MAX, JOURNALS_ASKED_MAX
from admission.sync.messages import Batch, Carried, Moment
from admission.sync.peer import Circle, Held
from appliance.errors import ApplianceError
from appliance.link_ports import ServerLink
from appliance.peer_ports import CarriedStore, SealedRows
from appliance.ports import Clock

log = logging.getLogger(__name__)

PAUSE_S: Final = 10.0  # on average: a gate that has a link of its own is quicker than that
_NOWHERE: Final = Moment(0, 0, b"")  # who carries knows nothing of the writer's clocks


class HandingOn:
    """Brings to the server what other gates wrote."""

    def __init__(
        self,
        *,
        link: ServerLink,
        circle: Circle,
        carried: CarriedStore,
        is_live: Callable[[], bool],
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        """Take what this works with.

        Args:
            link: to the server.
            circle: knows what is carried, and how far the server has it by its writer's word.
            carried: others' journals.
            is_live: tells whether there is a link now.
            clock: counts the pauses.
            jitter: gives a random number from 0 to 1.
        """
        self._link = link
        self._circle = circle
        self._carried = carried
        self._is_live = is_live
        self._clock = clock
        self._jitter = jitter
        self._server_has: dict[str, int] = {}
        self._failed = ""

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self._clock.sleep(PAUSE_S * (0.5 + self._jitter()))
            if self._is_live():
                await self.hand_on()

    async def hand_on(self) -> None:
        """Bring once what the server does not have; what fails is tried again the next time."""
        try:
            due = [one for one in self._circle.held.values() if self._is_due(one)]
            if not due:
                return
            due.sort(key=lambda one: one.journal)
            start = int(self._jitter() * len(due))  # not every gate begins with the same one
            due = (due[start:] + due[:start])[:JOURNALS_ASKED_MAX]
            heads = await self._link.heads([one.journal for one in due])
            for one in due:
                place = heads.heads.get(one.journal, (0, journal.genesis(one.journal)))
                await self._bring(one, *place)
            self._failed = ""
        except (AdmissionError, ApplianceError) as exc:
            if str(exc) != self._failed:
                self._failed = str(exc)
                log.warning("not handed on", extra={"reason": str(exc)})

    def _is_due(self, one: Held) -> bool:
        return one.head > max(one.acknowledged, self._server_has.get(one.journal, 0))

    async def _bring(self, one: Held, after: int, chain: bytes) -> None:
        """Bring what follows; where the server has another history, ours from its beginning.

        It keeps both: the writer's card was copied, and what is carried may be all there is of one.
        """
        if after > one.head:
            self._server_has[one.journal] = after  # whatever line that is: it has more than we
            return
        if await self._carried.chain_at(one.journal, after) != chain:
            after, chain = 0, journal.genesis(one.journal)
        while after < one.head:
            found = await self._carried.following(one.journal, after, JOURNAL_BATCH_RECORDS_MAX)
            if found is None:
                return
            batch = _batch(one.journal, after, chain, found)
            ack = await self._link.carry(Carried(one.gate, batch))
            after, chain = found.rows[-1].sequence, found.rows[-1].chain
            if ack.held < after:
                return  # it does not know what comes before: asked again the next time
            log.info("handed on", extra={"journal": one.journal, "head": after})
        self._server_has[one.journal] = after


def _batch(name: str, after: int, chain: bytes, found: SealedRows) -> Batch:
    blobs = [row.blob for row in found.rows]
    return Batch(name, after + 1, chain, blobs, _NOWHERE, found.seal)
