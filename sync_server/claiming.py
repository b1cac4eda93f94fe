"""Strict gates ask before they open: is this ticket free? Answered from the facts, and at once.

The table of what gates hold is this process's own, and so the promise, at most one admission among
connected strict gates, is one process's. Nothing here is written down: journals tell what happened.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from admission import journal
from admission.errors import JournalError, RemoteProtocolError
from admission.passage import Passage, fold_key, use_of
from admission.rules import leaves_inside, refusal_by_state, refusal_by_use
from admission.scan import Direction
from admission.sync.claims import ClaimTable, key_of_claim
from admission.sync.messages import Batch, Claim, Claimed, Hint
from admission.ticket import Multi, PassRule, Performance
from admission.verdict import Answer
from sync_server.entities import Standing
from sync_server.errors import NotFoundError
from sync_server.ports import Store, Transaction

log = logging.getLogger(__name__)

_FREE: Final = Answer.GRANTED.value


class Claiming:
    """Answers claims."""

    def __init__(
        self,
        store: Store,
        monotonic_ms: Callable[[], int],
        showing: Callable[[Transaction, str], Awaitable[Performance | None]] | None = None,
    ) -> None:
        """Take the facts and a clock.

        Args:
            store: the database; only read.
            monotonic_ms: milliseconds on a clock that never steps.
            showing: gives a performance as it is judged by, where none is set up here: on a site.
        """
        self._showing = showing or _set_up_here
        self._store = store
        self._monotonic_ms = monotonic_ms
        self._table = ClaimTable()

    async def claim(self, gate_id: str, claim: Claim) -> Claimed | None:
        """Answer a claim; None leaves the gate to its own rule.

        What is not answered stays held: the gate may open by its own rule.

        Args:
            gate_id: who asks.
            claim: for what.

        Raises:
            NotFoundError: if the gate is not in force.
            RemoteProtocolError: if the claim cannot be read.
        """
        others = self._table.claim(gate_id, claim, self._monotonic_ms())  # before any waiting
        async with self._store.read() as transaction:
            gate = await transaction.gates.gate(gate_id)
            if gate is None or gate.standing is not Standing.IN_FORCE:
                self._table.release(gate_id, claim)
                raise NotFoundError("gate")
            if gate.checkpoint_id != claim.checkpoint:
                # a supervisor moved it within its venue; or an operator did, and it does not know
                place = await transaction.checkpoints.checkpoint(claim.checkpoint)
                if place is None or place.venue_id != gate.venue_id:
                    return None
            performance = await self._showing(transaction, claim.performance)
            answer = await _answer(transaction, claim, others, performance)
        if answer is not None and answer != _FREE:
            self._table.release(gate_id, claim)
        return None if answer is None else Claimed(claim.number, answer)

    def give_back(self, gate_id: str, claim: Claim) -> None:
        """Hold nothing for a claim any more: it was refused elsewhere."""
        self._table.release(gate_id, claim)

    def hear(self, hint: Hint) -> None:
        """Take in what a gate says that it has granted, or takes back."""
        try:
            self._table.hear(hint, self._monotonic_ms())
        except RemoteProtocolError as exc:
            log.debug("hint makes no sense", extra={"gate": hint.gate, "reason": str(exc)})

    def settle(self, gate_id: str, batch: Batch) -> None:
        """Release what a batch tells the end of; call it when the batch is stored."""
        if not self._table.holds(gate_id):
            return
        records = []
        for blob in batch.blobs:
            try:
                records.append(journal.decode(blob))
            except JournalError:
                continue  # stored as it is; it tells the end of nothing
        self._table.settle(gate_id, records)


async def _set_up_here(transaction: Transaction, performance_id: str) -> Performance | None:
    found = await transaction.performances.performances_by_id([performance_id])
    return found[performance_id].judged() if performance_id in found else None


async def _answer(
    transaction: Transaction,
    claim: Claim,
    others: tuple[Passage, ...],
    performance: Performance | None,
) -> str | None:
    key = key_of_claim(claim)
    at, direction = journal.instant(claim.at_ms), journal.direction_of(claim.direction)
    listed = await transaction.tickets.known(claim.performance, [claim.identifier])
    ticket = listed.get(claim.identifier)
    rule = _rule_of_claim(claim) if ticket is None else ticket.rule
    if rule is None or performance is None:
        return None
    held = [one for one in others if isinstance(rule, Multi) or one.direction is Direction.ENTRY]
    facts = await transaction.facts.facts_of([key])
    use = use_of(sorted([*facts[key], *held], key=fold_key), performance)
    if leaves_inside(rule, use, direction):
        return _FREE
    refusal = (None if ticket is None else refusal_by_state(ticket.state_at(at))) or refusal_by_use(
        rule, use, direction, performance, at
    )
    return _FREE if refusal is None else refusal.value


def _rule_of_claim(claim: Claim) -> PassRule | None:
    """Give the rule that the gate's list has, for a ticket that no list here holds."""
    if claim.ticket_class is None:
        return None
    try:
        return journal.class_of(claim.ticket_class).rule
    except JournalError as exc:
        raise RemoteProtocolError(f"claim {claim.number}: {exc}") from exc
