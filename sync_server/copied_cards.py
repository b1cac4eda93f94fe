"""Tells operators of gates whose memory card was cloned, or put back from an image.

The journals themselves show it: one of them goes on in two ways. Both are kept and count. What a
person has to do is outside of this program: find the second card, or remember who put the old
image back. That it was done is said here, with a reason, and audited.
"""

from sync_server.account_ports import User
from sync_server.branches import find_gate, reach
from sync_server.errors import ConflictError, InvalidError
from sync_server.journal_ports import SideLine
from sync_server.ledger import Ledger
from sync_server.ports import News, Store
from sync_server.stewarding import REASON_CHARACTERS_MAX


class CopiedCards:
    """The service.

    Args:
        store: the database.
        ledger: time, audit.
        news: told when a notice is taken down.
    """

    def __init__(self, store: Store, ledger: Ledger, news: News) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news

    async def open_lines(self, user: User) -> list[SideLine]:
        """Give what no operator has looked into yet, of the gates in the user's reach."""
        async with self._store.read() as transaction:
            gates = await transaction.gates.gates(await reach(transaction, user))
            lines = await transaction.lines.of_gates([gate.id for gate in gates])
        return [line for line in lines if line.settled_ms is None]

    async def settle(self, user: User, gate_id: str, reason: str) -> int:
        """Take the notice of a gate down: somebody has looked into it.

        Args:
            user: who says so.
            gate_id: of which gate.
            reason: what was found.

        Returns:
            How many lines of history were open.

        Raises:
            ConflictError: if none was.
            InvalidError: if there is no reason, or too long a one.
            NotFoundError: if the gate is out of reach.
        """
        reason = reason.strip()
        if not 0 < len(reason) <= REASON_CHARACTERS_MAX:
            raise InvalidError("reason", "say what was found, in a few words")
        async with self._store.write() as transaction:
            await find_gate(transaction, user, gate_id)
            settled = await transaction.lines.settle(
                gate_id, user.id, reason, self._ledger.now_ms()
            )
            if settled == 0:
                raise ConflictError("nothing_copied", "there is no such notice of this gate")
            await self._ledger.note(
                transaction, user.id, "copied_card_settled", gate_id, reason=reason, lines=settled
            )
        self._news.report_changed()
        return settled
