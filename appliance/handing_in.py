"""Hands the gate's journals in: the one it writes, and the former ones as far as they are owed.

Called by the uplink. Each journal goes by itself, stop-and-wait, every batch sealed. Where the
server's history of the present journal is another one (a card was cloned, or put back from an
image), another journal is asked for, and this one is handed in beside the server's all the same.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from admission.errors import RemoteProtocolError
from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.sync.gate_side import AckUpTo, CompareChain, Fork, Uploader
from admission.sync.messages import Batch, Moment
from admission.sync.sealed_head import sealing
from appliance.errors import LinkAnswerError
from appliance.identity_ports import Signer
from appliance.journal_ports import Journal, WrittenJournal
from appliance.link_ports import ServerLink

log = logging.getLogger(__name__)

FORK_FAULT: Final = "GT-FORK"  # the server holds another history of this gate's journal
FORK: Final = "fork"  # why a journal was begun anew


@dataclass(slots=True)
class _Line:
    """One journal on its way.

    Attributes:
        journal: it.
        uploader: its machine.
        is_sure: whether the server was asked, in this contact, for what it acknowledged: it may
            have come from a backup.
        is_put_off: whether it is left for the next contact.
    """

    journal: WrittenJournal
    uploader: Uploader
    is_sure: bool = False
    is_put_off: bool = False

    @property
    def owed(self) -> int:
        """How many records of a former journal the server has not acknowledged."""
        return (self.journal.head or 0) - self.uploader.acked


class HandingIn:
    """Every journal of this gate on its way to the server."""

    def __init__(
        self,
        journal: Journal,
        moment: Callable[[], Moment],
        *,
        gate: str = "",
        signer: Signer | None = None,
        forked: Callable[[int], None] = lambda sequence: None,
    ) -> None:
        """Take what is handed in.

        Args:
            journal: the gate's.
            moment: gives what the machine's clocks say.
            gate: id of the gate, which seals.
            signer: its device key; None leaves batches without a seal.
            forked: told, once for each journal, where the server's history was found to be another.
        """
        self._journal = journal
        self._moment = moment
        self._gate = gate
        self._signer = signer
        self._forked = forked
        self._lines: dict[str, _Line] = {}
        self._look()

    @property
    def backlog(self) -> int:
        """How many records the server has not acknowledged yet."""
        present, *former = self._look()
        return self._journal.head - present.uploader.acked + sum(line.owed for line in former)

    @property
    def is_forked(self) -> bool:
        """Whether the server holds another history, and not yet all of ours beside it."""
        present, *former = self._look()
        return present.uploader.forked_at is not None or any(
            line.owed > 0 for line in former if line.journal.why == FORK
        )

    def begin_contact(self) -> None:
        """Forget what was under way; what the server says it has is asked for anew."""
        for line in self._look():
            line.uploader.lost()
            line.is_sure = line.is_put_off = False

    async def once(self, link: ServerLink) -> bool:
        """Send one batch of each journal that owes any; tell whether one was sent and taken.

        Raises:
            LinkError: if the server cannot be reached.
            RemoteProtocolError: if its answer is none.
            StorageError: if the journal cannot be read.
        """
        present, *former = self._look()
        is_taken = await self._send_present(present, link)
        for line in former:
            is_taken |= not line.is_put_off and await self._send_former(line, link)
        return is_taken

    async def _send_present(self, line: _Line, link: ServerLink) -> bool:
        batch = await self._next(line)
        if batch is None:
            return False
        answer: AckUpTo | CompareChain | Fork = await self._send(line, batch, link)
        if isinstance(answer, CompareChain):
            own = await line.journal.chain_at(answer.sequence)
            answer = line.uploader.compared(answer, own)
        if isinstance(answer, Fork):
            log.error("the server holds another history", extra={"sequence": answer.sequence})
            line.is_sure = False  # what it acknowledged of ours before, it may have lost since
            self._forked(answer.sequence)
        else:
            await _note(line, answer)
        return True

    async def _send_former(self, line: _Line, link: ServerLink) -> bool:
        batch = await self._next(line)
        if batch is None:
            return False
        try:
            answer = await self._send(line, batch, link)
        except (RemoteProtocolError, LinkAnswerError) as exc:
            # the present journal is not held up by a server that refuses this one, or does not
            # know side lines; it is offered again at the next contact
            log.warning("former journal not taken", extra={"reason": str(exc)})
            line.is_put_off = True
            return False
        if isinstance(answer, AckUpTo):
            await _note(line, answer)
        return True

    async def _next(self, line: _Line) -> Batch | None:
        """Make a journal's next batch: what is owed, or the question whether nothing is."""
        is_sure, line.is_sure = line.is_sure, True
        rows = await line.journal.rows(line.uploader.acked, JOURNAL_BATCH_RECORDS_MAX)
        if rows or is_sure:
            return line.uploader.next_batch(rows, self._moment())
        return line.uploader.question(self._moment())

    async def _send(self, line: _Line, batch: Batch, link: ServerLink) -> AckUpTo | CompareChain:
        try:
            ack = await link.upload(batch)
        except BaseException:
            line.uploader.lost()
            raise
        return line.uploader.receive(ack)

    def _look(self) -> list[_Line]:
        """Give the lines, the present one first; another journal may have been begun meanwhile."""
        if next(iter(self._lines), None) != self._journal.id:
            journals = [self._journal.current, *self._journal.former]
            self._lines = {one.id: self._lines.get(one.id) or self._begin(one) for one in journals}
            for one in self._journal.former:
                uploader = self._lines[one.id].uploader
                if uploader.forked_at is None:  # whatever became of it, nothing follows it there
                    uploader.forked_at = one.head
        return list(self._lines.values())

    def _begin(self, one: WrittenJournal) -> _Line:
        acked = one.acknowledged
        seals = None if self._signer is None else sealing(self._signer, self._gate, one.id)
        return _Line(one, Uploader(one.id, acked.sequence, acked.chain, sealing=seals))


async def _note(line: _Line, answer: AckUpTo) -> None:
    if answer.sequence != line.journal.acknowledged.sequence:
        await line.journal.acknowledge(answer.sequence, answer.chain)
        if line.journal.head is not None and line.owed == 0:
            log.warning("former journal handed in", extra={"journal": line.journal.id})
