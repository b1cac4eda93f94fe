"""What a stick brings to a gate and takes away: lists and a lock in, the journal out.

Called by `portillon gate stick`, and by a running gate that is handed a stick. Lists go through the
same door as from the server. What the stick takes is not acknowledged by it: only the server's own
answer, at the next contact, lets the gate forget that it still owes these records.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.sync import codec
from admission.sync.gate_side import Uploader
from admission.sync.messages import Carried, Moment
from admission.sync.sealed_head import sealing
from admission.sync.stick import Path, batch_path
from appliance.identity_ports import Signer
from appliance.journal_ports import Journal, WrittenJournal
from appliance.link_ports import ServerLink
from appliance.lists import ListKeeper

RECORDS_MAX: Final = 1_000_000  # of one visit: a season; what is over waits for the next


class Stick(ServerLink, Protocol):
    """A stick for this gate. Implemented in `transport`."""

    async def order(self) -> bytes | None:
        """Read the lock or unlock that stood when the stick was written, None for none."""
        ...

    async def put(self, path: Path, data: bytes) -> None:
        """Write a file onto the stick, whole or not at all.

        Raises:
            LinkError: if it cannot be written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Visit:
    """What a stick's visit came to.

    Attributes:
        is_complete: whether everything that it brings for this gate is installed now.
        records: how many records it takes away.
    """

    is_complete: bool
    records: int


class Carrying:
    """One gate's dealings with sticks."""

    def __init__(
        self,
        *,
        gate: str,
        signer: Signer,
        keeper: ListKeeper,
        journal: Journal,
        moment: Callable[[], Moment],
        obey: Callable[[bytes], Awaitable[None]],
    ) -> None:
        """Take what is filled and what is emptied.

        Args:
            gate: its id.
            signer: the gate's device key.
            keeper: takes lists and assignment.
            journal: is handed out.
            moment: gives what the machine's clocks say.
            obey: has a command looked at.
        """
        self._gate = gate
        self._signer = signer
        self._keeper = keeper
        self._journal = journal
        self._moment = moment
        self._obey = obey

    async def visit(self, stick: Stick) -> Visit:
        """Take what a stick brings, and hand it what the server has not acknowledged.

        Raises:
            LinkError: if the stick cannot be read or written.
            StorageError: if the gate's disk cannot be.
        """
        is_complete = await self._keeper.refresh(stick, carried=True)
        order = await stick.order()
        if order is not None:
            await self._obey(order)
        return Visit(is_complete, await self._hand_out(stick))

    async def _hand_out(self, stick: Stick) -> int:
        """Write what is owed of every journal, the oldest first."""
        handed = 0
        for journal in (*self._journal.former, self._journal.current):
            handed += await self._hand_out_one(journal, stick, RECORDS_MAX - handed)
        return handed

    async def _hand_out_one(self, journal: WrittenJournal, stick: Stick, most: int) -> int:
        uploader = Uploader(
            journal.id,
            journal.acknowledged.sequence,
            journal.acknowledged.chain,
            sealing=sealing(self._signer, self._gate, journal.id),
        )
        first = uploader.acked
        while uploader.acked - first < most:
            rows = await journal.rows(uploader.acked, JOURNAL_BATCH_RECORDS_MAX)
            batch = uploader.next_batch(rows, self._moment())
            if batch is None:
                break
            content = codec.encode(Carried(self._gate, batch))
            await stick.put(batch_path(journal.id, batch.first), content)
            uploader.carried_off(rows[-1])
        return uploader.acked - first
