"""Journals come in, the one truth comes out: stores records, derives facts, folds what they touch.

A batch is taken in by one transaction: records as they are, facts with their feed numbers, the
folds of the tickets they touch. Only then is it acknowledged. The report read from the folds
equals the one from scratch, whatever the order of arrival (docs/rules.md, Reconciliation).
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from admission import journal
from admission.errors import JournalError
from admission.journal import Flag, Kind, Record
from admission.limits import FEED_ITEMS_MAX
from admission.passage import FreeCrossing, TicketKey, key_of
from admission.reconcile import fold_ticket
from admission.sync.gate_side import Row
from admission.sync.messages import Ack, Batch, Feed
from admission.sync.server_side import Head, Intake, NewRecord, take_in
from sync_server.entities import instant
from sync_server.errors import ConflictError
from sync_server.journal_ports import KnownJournal, StatedFact
from sync_server.ports import Clock, Store, Transaction

log = logging.getLogger(__name__)

CLOCK_OFFSET_MS_MAX: Final = 2000  # a gate's clock that is nearer than this is taken as it is
SERVER_JOURNAL: Final = "server"  # the server's own: resets by operators


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch.

    Attributes:
        ack: to be sent to the gate.
        streams: feeds that have grown.
        has_news: whether anything was stored.
    """

    ack: Ack
    streams: frozenset[str]
    has_news: bool


class Reconciling:
    """Takes journals in and keeps the folds."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Take the database and the clock.

        Args:
            store: the database.
            clock: the server's; gates' offsets are measured against it.
        """
        self._store = store
        self._clock = clock

    async def take(self, gate_id: str, batch: Batch) -> Taken:
        """Take a batch in; durable when this returns.

        Raises:
            ConflictError: if the journal is another gate's.
        """
        server_ms = self._clock.now_us() // 1000
        async with self._store.write() as transaction:
            known = await self._journal(transaction, gate_id, batch.journal)
            last = batch.first + len(batch.blobs) - 1
            chains = await transaction.journals.chains(batch.journal, batch.first - 1, last)
            intake = take_in(batch, known.head, chains)
            await _measure_clock(transaction, batch, server_ms)
            streams = await self._keep(transaction, known, intake)
        if intake.forked:
            log.error(
                "journal forked: a gate's card was cloned or restored",
                extra={"gate": gate_id, "journal": batch.journal},
            )
        has_news = bool(intake.records or intake.forked)
        return Taken(intake.answer(batch.journal, server_ms), streams, has_news)

    async def reset(
        self, checkpoint_id: str, performance_id: str, identifier: bytes, reason: str
    ) -> frozenset[str]:
        """Have a checkpoint forget a ticket's passages so far; an operator's order.

        Returns:
            Feeds that have grown.
        """
        async with self._store.write() as transaction:
            return await self.reset_within(
                transaction, checkpoint_id, performance_id, identifier, {"reason": reason[:200]}
            )

    async def reset_within(
        self,
        transaction: Transaction,
        checkpoint_id: str,
        performance_id: str,
        identifier: bytes,
        detail: dict[str, str | int],
    ) -> frozenset[str]:
        """Write a reset into the server's own journal, within the caller's transaction.

        Returns:
            Feeds that have grown.
        """
        known = await self._journal(transaction, None, SERVER_JOURNAL)
        sequence = known.head.sequence + 1
        record = Record(
            kind=int(Kind.RESET),
            sequence=sequence,
            wall_ms=self._clock.now_us() // 1000,
            boot_ms=0,
            boot_id=b"",
            checkpoint=checkpoint_id,
            performance=performance_id,
            identifier=identifier,
            detail=detail,
        )
        blob = journal.encode(record)
        chain = journal.chain(known.head.chain, blob)
        new = NewRecord(Row(sequence, chain, blob), record)
        return await self._keep(transaction, known, Intake(Head(sequence, chain), (new,)))

    async def refold(self, performance_id: str, identifiers: Iterable[bytes]) -> None:
        """Fold some tickets anew: their state or class has changed."""
        async with self._store.write() as transaction:
            await refold_tickets(transaction, performance_id, identifiers)

    async def feed(self, stream: str, after: int) -> Feed:
        """Give the items of a feed that follow a cursor."""
        async with self._store.read() as transaction:
            return await transaction.facts.feed(stream, after, FEED_ITEMS_MAX)

    async def _journal(
        self, transaction: Transaction, gate_id: str | None, journal_id: str
    ) -> KnownJournal:
        known = await transaction.journals.journal(journal_id)
        if known is None:
            head = Head(0, journal.genesis(journal_id))
            await transaction.journals.add_journal(journal_id, gate_id, head)
            return KnownJournal(journal_id, gate_id, head)
        if known.gate_id != gate_id:
            raise ConflictError("foreign_journal", "this journal belongs to another gate")
        return known

    async def _keep(
        self, transaction: Transaction, known: KnownJournal, intake: Intake
    ) -> frozenset[str]:
        stated = []
        if intake.records:
            rows = [new.row for new in intake.records]
            await transaction.journals.add_records(known.id, rows, intake.head)
            stated += await self._stated(transaction, known, intake.records, {})
            await self._keep_refusals(transaction, known, intake.records)
        if intake.forked:
            variants = await transaction.journals.add_forks(known.id, intake.forked)
            other = [
                NewRecord(row, _read(row)) for row in intake.forked if row.sequence in variants
            ]
            stated += await self._stated(transaction, known, other, variants)
        await transaction.facts.add_facts(stated)
        await _fold(
            transaction,
            {key_of(one.fact) for one in stated if not isinstance(one.fact, FreeCrossing)},
        )
        return frozenset(one.stream for one in stated)

    async def _stated(
        self,
        transaction: Transaction,
        known: KnownJournal,
        records: Sequence[NewRecord],
        variants: dict[int, int],
    ) -> list[StatedFact]:
        """Derive the facts that some records state."""
        stated = []
        streams: dict[tuple[str, str], str] = {}
        for new in records:
            if new.record is None:
                continue
            at = await _corrected(transaction, known.id, new.record)
            fact = journal.fact_of(known.id, new.record, at)
            if fact is None:
                continue
            place = (new.record.performance, new.record.checkpoint)
            if place not in streams:
                streams[place] = await _stream(transaction, *place)
            variant = variants.get(new.row.sequence, 0)
            stated.append(StatedFact(fact, new.record, variant, known.gate_id, streams[place]))
        return stated

    async def _keep_refusals(
        self, transaction: Transaction, known: KnownJournal, records: Sequence[NewRecord]
    ) -> None:
        refused = [
            (new.record, journal.microseconds(await _corrected(transaction, known.id, new.record)))
            for new in records
            if new.record is not None and _is_refusal(new.record)
        ]
        if known.gate_id is not None:
            await transaction.facts.add_refusals(known.id, known.gate_id, refused)


async def refold_tickets(
    transaction: Transaction, performance_id: str, identifiers: Iterable[bytes]
) -> None:
    """Fold some tickets anew, inside the transaction that changed them."""
    await _fold(transaction, set(await transaction.facts.keys_of(performance_id, identifiers)))


async def _fold(transaction: Transaction, keys: set[TicketKey]) -> None:
    facts = await transaction.facts.facts_of(sorted(keys, key=repr))
    names = {key.performance for key in keys if key.performance is not None}
    performances = await transaction.performances.performances_by_id(names)
    for name in sorted(names):
        mine = [key.identifier for key in keys if key.performance == name]
        listed = await transaction.tickets.known(name, mine)
        performance = performances[name].judged() if name in performances else None
        for key in (key for key in facts if key.performance == name):
            ticket = listed.get(key.identifier)
            fold = fold_ticket(facts[key], performance, ticket)
            await transaction.facts.put_fold(key, fold, listed=ticket is not None)
    for key in (key for key in facts if key.performance is None):
        await transaction.facts.put_fold(key, fold_ticket(facts[key], None, None), listed=False)


async def _measure_clock(transaction: Transaction, batch: Batch, server_ms: int) -> None:
    origin_ms = server_ms - batch.sent.boot_ms
    await transaction.journals.add_origin(batch.journal, batch.sent.boot_id, origin_ms, server_ms)


async def _corrected(transaction: Transaction, journal_id: str, record: Record) -> datetime:
    """Give a record's instant, corrected by its clock's known offset to the server.

    The offset is the one of the first contact after the machine's start, so that it never changes
    once facts were told. A clock that is nearly right is taken as it is: the measurement's own
    error, the time on the way, is of that size.
    """
    origin_ms = await transaction.journals.origin_ms(journal_id, record.boot_id)
    if origin_ms is None:
        return journal.instant(record.wall_ms)
    by_server_ms = origin_ms + record.boot_ms
    if abs(by_server_ms - record.wall_ms) < CLOCK_OFFSET_MS_MAX:
        return journal.instant(record.wall_ms)
    return instant(by_server_ms * 1000)


async def _stream(transaction: Transaction, performance_id: str, checkpoint_id: str) -> str:
    """Give the feed of a fact: its performance's, else that of its checkpoint's first."""
    if performance_id:
        return performance_id
    checkpoint = await transaction.checkpoints.checkpoint(checkpoint_id)
    return checkpoint.performances[0] if checkpoint and checkpoint.performances else ""


def _is_refusal(record: Record) -> bool:
    opened = record.kind == Kind.GRANTED and bool(record.flags & Flag.EXIT_POLICY)
    return record.kind == Kind.DENIED or opened


def _read(row: Row) -> Record | None:
    try:
        return journal.decode(row.blob)
    except JournalError:
        return None  # kept as it came, and counted as a fork; it states no fact
