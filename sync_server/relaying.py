"""Carries gates' batches from a site server up, each journal in order, until upstream has them.

A batch goes up as its gate wrote and sealed it. Nothing is forgotten here before upstream has
acknowledged it by the chain value at its end, and for a month after that. What upstream refuses
stays, is said on the site's page, and is tried again; other journals go on meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from admission.errors import ProtocolError
from admission.sync import codec
from admission.sync.messages import Ack, Batch, Carried
from sync_server.errors import UpstreamError
from sync_server.ledger import Ledger
from sync_server.ports import Store
from sync_server.site_ports import Load
from sync_server.upstream_ports import Upstream

log = logging.getLogger(__name__)

LOADS_A_ROUND: Final = 64
REFUSED_RETRY_MS: Final = 60_000
KEPT_MS: Final = 30 * 24 * 3600 * 1000  # upstream may come back from a backup of last week
_FROM_HEAD_THEN_FIRST: Final = (True, False)


class Relay:
    """Carries batches up.

    Args:
        store: the database.
        ledger: the time.
        upstream: takes them.
        changed: told when there is another backlog, or another fault.
    """

    def __init__(
        self, store: Store, ledger: Ledger, upstream: Upstream, changed: Callable[[], None]
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._upstream = upstream
        self._changed = changed
        self._refused: dict[str, tuple[int, str]] = {}
        self._again: dict[int, int] = {}
        self.grew = asyncio.Event()

    @property
    def refused(self) -> dict[str, str]:
        """By journal, why upstream does not take what waits of it."""
        return {journal: words for journal, (_, words) in self._refused.items()}

    async def backlog(self) -> int:
        """Give how many records wait."""
        async with self._store.read() as transaction:
            return await transaction.freight.backlog()

    async def run(self) -> None:
        """Go on until upstream is gone.

        Raises:
            UpstreamError: if it is.
        """
        while True:
            self.grew.clear()
            if not await self.carry_waiting():
                async with self._store.write() as transaction:
                    await transaction.freight.forget_carried(self._ledger.now_ms() - KEPT_MS)
                try:
                    async with asyncio.timeout(REFUSED_RETRY_MS / 1000):
                        await self.grew.wait()
                except TimeoutError:
                    continue

    async def carry_waiting(self) -> bool:
        """Carry the next batch of each journal; tell whether any of them is done with.

        Raises:
            UpstreamError: if upstream is gone.
        """
        async with self._store.read() as transaction:
            waiting = await transaction.freight.waiting(LOADS_A_ROUND)
        has_moved = False
        for load in waiting:
            refused_ms, _ = self._refused.get(load.journal_id, (-REFUSED_RETRY_MS, ""))
            if self._ledger.now_ms() - refused_ms >= REFUSED_RETRY_MS:
                has_moved = await self._carry(load) or has_moved
        return has_moved

    async def _carry(self, load: Load) -> bool:
        try:
            batch = codec.decode(load.raw, Batch)
            ack = await self._upstream.carry(Carried(load.gate_id, batch))
        except ProtocolError as exc:  # our own disk: it was read before it was kept
            self._refuse(load, str(exc))
            return False
        except UpstreamError as exc:
            if not exc.is_refusal:
                raise
            self._refuse(load, exc.message)
            return False
        if not _is_held(batch, ack):
            return await self._go_back(load, ack)
        async with self._store.write() as transaction:
            await transaction.freight.carried(load.id, self._ledger.now_ms())
        self._refused.pop(load.journal_id, None)
        self._again.pop(load.id, None)
        self._changed()
        return True

    async def _go_back(self, load: Load, ack: Ack) -> bool:
        """Begin again where upstream stands, or at the first record: it came from a backup."""
        tried = self._again.get(load.id, 0)
        self._again[load.id] = tried + 1
        again = 0
        if tried < len(_FROM_HEAD_THEN_FIRST):
            after = ack.head if _FROM_HEAD_THEN_FIRST[tried] else 0
            async with self._store.write() as transaction:
                again = await transaction.freight.carry_again(load.journal_id, after)
        log.warning("upstream lacks what came before", extra={"journal": load.journal_id})
        if again == 0 and tried > 0:
            self._refuse(load, "upstream lacks earlier records, which are not here either")
            return False
        return True

    def _refuse(self, load: Load, words: str) -> None:
        if self._refused.get(load.journal_id, (0, ""))[1] != words:
            log.error("batch refused", extra={"journal": load.journal_id, "reason": words})
        self._refused[load.journal_id] = (self._ledger.now_ms(), words)
        self._changed()


def _is_held(batch: Batch, ack: Ack) -> bool:
    """Tell whether an answer says, by the chain, that upstream has all of a batch."""
    sealed = batch.seal
    return sealed is not None and (ack.held, ack.held_chain) == (sealed.sequence, sealed.chain)
