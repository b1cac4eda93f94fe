"""What an operator does to one ticket: another state, or its passages forgotten.

Called by web. Every call is in a user's name and leaves an audit line, without the number.
"""

from typing import Final

from admission.proof.compact import ticket_number
from admission.scan import is_well_formed, strip
from admission.ticket import TicketState
from admission.ticketlist.identifiers import identify
from sync_server.account_ports import User
from sync_server.branches import find_checkpoint, find_performance
from sync_server.entities import Performance
from sync_server.errors import InvalidError, NotFoundError
from sync_server.ledger import Ledger
from sync_server.ports import News, Store
from sync_server.reconciling import Reconciling, refold_tickets
from sync_server.reporting import reference

REASON_CHARACTERS_MAX: Final = 200


class Stewarding:
    """The service."""

    def __init__(self, store: Store, ledger: Ledger, news: News, reconciling: Reconciling) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news
        self._reconciling = reconciling

    async def set_state(
        self, user: User, performance_id: str, number: str, state: TicketState
    ) -> bool:
        """Change one ticket's state from now on; gates learn of it with the next list.

        Returns:
            False where it had that state already.

        Raises:
            InvalidError: if the number cannot be one.
            NotFoundError: if the performance is out of reach, or its list has no such ticket.
        """
        async with self._store.write() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            identifier = identifier_of(performance, number)
            if not await transaction.tickets.known(performance.id, [identifier]):
                raise NotFoundError("ticket")
            changed = await transaction.tickets.set_state(
                performance.id, identifier, state, self._ledger.now_us()
            )
            if changed:
                await refold_tickets(transaction, performance.id, [identifier])
                await self._ledger.note(
                    transaction,
                    user.id,
                    "ticket_state_set",
                    performance.id,
                    ticket=reference(identifier),
                    state=state.value,
                )
        if changed:
            self._news.report_changed()
        return changed

    async def reset(
        self, user: User, performance_id: str, checkpoint_id: str, number: str, reason: str
    ) -> None:
        """Have a checkpoint forget a ticket's passages so far, listed or not.

        Raises:
            InvalidError: if the number cannot be one, or no reason is given.
            NotFoundError: if performance or checkpoint are out of reach.
        """
        require_reason(reason)
        async with self._store.write() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            checkpoint = await find_checkpoint(transaction, user, checkpoint_id)
            identifier = identifier_of(performance, number)
            streams = await self._reconciling.reset_within(
                transaction,
                checkpoint.id,
                performance.id,
                identifier,
                {"user": user.id, "reason": reason},
            )
            await self._ledger.note(
                transaction,
                user.id,
                "ticket_reset",
                performance.id,
                checkpoint=checkpoint.id,
                ticket=reference(identifier),
                reason=reason,
            )
        self._news.streams_grew(streams)
        self._news.report_changed()


def require_reason(reason: str) -> None:
    """Make sure that somebody has said why.

    Raises:
        InvalidError: if not, or at too great length.
    """
    if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX or not reason.isprintable():
        message = f"a reason of 1 to {REASON_CHARACTERS_MAX} characters is needed"
        raise InvalidError("reason", message)


def identifier_of(performance: Performance, number: str) -> bytes:
    """Give a typed number's identifier in a performance.

    Raises:
        InvalidError: if it cannot be a number.
    """
    stripped = strip(number)
    if not is_well_formed(stripped):
        raise InvalidError("number", "this cannot be a ticket number")
    return identify(performance.list_key, ticket_number(stripped))
