"""Takes in what others bring of a gate's journal: another gate, a site server, a stick.

Whoever brings it is not believed: the gate that wrote the journal has sealed it. It is taken just
as if that gate had brought it, save for the time: it was long on its way, so no clock is measured
by it.
"""

from collections.abc import Sequence
from typing import Final

from admission.errors import RemoteProtocolError
from admission.limits import INTEGER_MAX
from admission.sync.messages import Batch, Carried, Heads, Moment
from admission.sync.sealed_head import check_carried
from sync_server.entities import Standing
from sync_server.errors import NotFoundError
from sync_server.ports import Store
from sync_server.quarantine import Quarantine
from sync_server.reconciling import Reconciling, Taken

# a machine that ran longer than there are times: no start of it can be measured
NO_CONTACT: Final = Moment(0, INTEGER_MAX, b"")


class Carrying:
    """The service.

    Args:
        store: the database.
        reconciling: takes journals in.
        quarantine: takes those of revoked gates, apart.
    """

    def __init__(self, store: Store, reconciling: Reconciling, quarantine: Quarantine) -> None:
        self._store = store
        self._reconciling = reconciling
        self._quarantine = quarantine

    async def take(self, carried: Carried) -> Taken:
        """Take a part of a journal in; durable when this returns.

        Raises:
            ConflictError: if the journal is another gate's, or quarantine is full.
            RemoteProtocolError: if no gate of ours has sealed all of it.
        """
        async with self._store.read() as transaction:
            gate = await transaction.gates.gate(carried.gate)
            keys = await transaction.gates.keys(carried.gate)
        if gate is None or gate.standing is Standing.PENDING or not keys:
            raise RemoteProtocolError(f"{carried.gate} is no gate that is enrolled here")
        good = [key for key, is_good in keys.items() if is_good]
        batch = _untimed(carried.batch)
        try:
            check_carried(batch, gate=gate.id, keys=good)
        except RemoteProtocolError:
            check_carried(batch, gate=gate.id, keys=keys)
            good = []  # sealed by a key that a revoked gate had
        if not good or gate.standing is Standing.REVOKED:
            ack = await self._quarantine.take(gate.id, batch)
            return Taken(ack, frozenset(), has_news=False, is_apart=True)
        return await self._reconciling.take(gate.id, batch)

    async def heads(self, asking: str, journals: Sequence[str]) -> Heads:
        """Give how far some journals are held, as far as they are of the asking gate's venue."""
        async with self._store.read() as transaction:
            gate = await transaction.gates.gate(asking)
            if gate is None:
                raise NotFoundError("gate")
            found = await transaction.journals.heads(journals, gate.venue_id)
        return Heads({name: (head.sequence, head.chain) for name, head in found.items()})


def _untimed(batch: Batch) -> Batch:
    """Have a batch say nothing of its gate's clock."""
    return Batch(
        batch.journal, batch.first, batch.previous_chain, batch.blobs, NO_CONTACT, batch.seal
    )
