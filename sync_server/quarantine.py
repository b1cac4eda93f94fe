"""Takes the journals of revoked gates in and holds them apart, until an operator releases them.

A revoked gate may have seen what nobody else did: its journal is evidence. Whoever stole it may
also have written what never was. So what it hands in is durable and acknowledged, stands on the
venue's page, and is part of no report, no ticket's state and no feed before a person has decided
so. Then it is taken in as if it came now.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from admission import journal
from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.sync.gate_side import Row
from admission.sync.messages import Ack, Batch
from admission.sync.server_side import Head, take_in
from sync_server.account_ports import User
from sync_server.branches import find_gate, reach
from sync_server.errors import ConflictError
from sync_server.journal_ports import Quarantined, QuarantineLine
from sync_server.ledger import Ledger
from sync_server.ports import News, Store, Transaction
from sync_server.reconciling import SERVER_JOURNAL, Reconciling

RECORDS_MAX: Final = 100_000  # of one gate: many seasons of passages, or 400 MB from a thief


class Quarantine:
    """The service.

    Args:
        store: the database.
        ledger: time, audit.
        news: told of what a release has changed.
        reconciling: takes in what is released.
    """

    def __init__(self, store: Store, ledger: Ledger, news: News, reconciling: Reconciling) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news
        self._reconciling = reconciling

    async def take(self, gate_id: str, batch: Batch) -> Ack:
        """Hold a batch of a revoked gate; durable when this returns.

        Raises:
            ConflictError: if the journal is another gate's, or the gate has handed in too much.
        """
        now_ms = self._ledger.now_ms()
        async with self._store.write() as transaction:
            head = await _head(transaction, gate_id, batch.journal)
            before = await transaction.quarantine.count(gate_id)
            if before + len(batch.blobs) > RECORDS_MAX:
                raise ConflictError(
                    "quarantine_full",
                    f"over {RECORDS_MAX} records of this gate wait for an operator's decision",
                )
            first, last = batch.first - 1, batch.first + len(batch.blobs) - 1
            chains, aside = await transaction.quarantine.chains(batch.journal, first, last)
            chains |= await transaction.journals.chains(batch.journal, first, last)
            for place, values in (
                await transaction.lines.chains(batch.journal, first, last)
            ).items():
                aside.setdefault(place, set()).update(values)
            intake = take_in(batch, head, chains, aside)
            rows = [new.row for new in intake.records]
            held = [*_held(batch, rows, now_ms), *_held(batch, intake.forked, now_ms, forked=True)]
            await transaction.quarantine.keep(gate_id, held)
            if held and before == 0:  # once: a thief must not fill the audit
                await self._ledger.note(transaction, None, "quarantine_began", gate_id)
        if held:
            self._news.report_changed()
        return intake.answer(batch.journal, now_ms)

    async def lines(self, user: User) -> list[QuarantineLine]:
        """Give what is held of the gates in the user's reach."""
        async with self._store.read() as transaction:
            gates = await transaction.gates.gates(await reach(transaction, user))
            return await transaction.quarantine.lines([gate.id for gate in gates])

    async def release(self, user: User, gate_id: str) -> int:
        """Believe what a gate has handed in: it counts from now on.

        Returns:
            How many records were held.

        Raises:
            NotFoundError: if the gate is out of reach.
        """
        streams: set[str] = set()
        async with self._store.write() as transaction:
            await find_gate(transaction, user, gate_id)
            held = await transaction.quarantine.take_out(gate_id)
            for batch, received_ms in _batches(held):
                taken = await self._reconciling.take_within(
                    transaction, gate_id, batch, received_ms
                )
                streams |= taken.streams
            await self._ledger.note(
                transaction, user.id, "quarantine_released", gate_id, records=len(held)
            )
        if streams:
            self._news.streams_grew(streams)
        self._news.report_changed()
        return len(held)


async def _head(transaction: Transaction, gate_id: str, journal_id: str) -> Head:
    """Give how far a journal is known, what is held of it included."""
    known = await transaction.journals.journal(journal_id)
    if journal_id == SERVER_JOURNAL or (known is not None and known.gate_id != gate_id):
        raise ConflictError("foreign_journal", "this journal belongs to another gate")
    head = Head(0, journal.genesis(journal_id)) if known is None else known.head
    held = await transaction.quarantine.head(journal_id)
    return head if held is None or held.sequence <= head.sequence else held


def _held(
    batch: Batch, rows: Iterable[Row], received_ms: int, *, forked: bool = False
) -> Iterator[Quarantined]:
    chain = batch.previous_chain
    before = {}
    for sequence, blob in enumerate(batch.blobs, start=batch.first):
        before[sequence] = chain
        chain = journal.chain(chain, blob)
    for row in rows:
        yield Quarantined(
            journal=batch.journal,
            sequence=row.sequence,
            previous_chain=before[row.sequence],
            chain=row.chain,
            blob=row.blob,
            forked=forked,
            sent=batch.sent,
            received_ms=received_ms,
        )


def _batches(held: Iterable[Quarantined]) -> Iterator[tuple[Batch, int]]:
    """Give what was held as batches again: neighbours of one history and one sending together."""
    run: list[Quarantined] = []
    for one in held:
        if run and not (_follows(run[-1], one) and len(run) < JOURNAL_BATCH_RECORDS_MAX):
            yield _batch(run)
            run = []
        run.append(one)
    if run:
        yield _batch(run)


def _follows(before: Quarantined, one: Quarantined) -> bool:
    return (
        one.journal == before.journal
        and one.sequence == before.sequence + 1
        and one.previous_chain == before.chain
        and one.sent == before.sent
    )


def _batch(run: list[Quarantined]) -> tuple[Batch, int]:
    first = run[0]
    blobs = [one.blob for one in run]
    batch = Batch(first.journal, first.sequence, first.previous_chain, blobs, first.sent)
    return batch, first.received_ms
