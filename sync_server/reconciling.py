"""Journals come in, the one truth comes out: stores records, derives facts, folds what they touch.

A batch is taken in by one transaction: records as they are, facts with their feed numbers, the
folds of the tickets they touch. Only then is it acknowledged. The report read from the folds
equals the one from scratch, whatever the order of arrival (docs/rules.md, Reconciliation).
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from admission import journal
from admission.errors import JournalError
from admission.journal import Flag, Kind, Record
from admission.limits import FEED_ITEMS_MAX
from admission.passage import FreeCrossing, Reset, TicketKey, key_of, step
from admission.reconcile import TicketFold, fold_ticket
from admission.sync.gate_side import Row
from admission.sync.messages import Ack, Batch, Feed
from admission.sync.sealed_head import check_batch
from admission.sync.server_side import Head, Intake, NewRecord, take_in
from sync_server.errors import ConflictError
from sync_server.gate_clock import GateClock
from sync_server.journal_ports import KeyFold, KnownJournal, Move, StatedFact
from sync_server.ports import Clock, Store, Transaction
from sync_server.proving import unlisted_tickets, with_all_keys

log = logging.getLogger(__name__)

_NUMBERING_BYTES: Final = 16
AT_A_TIME: Final = 200  # records; between, whatever else the process has to do is done: hints
SERVER_JOURNAL: Final = "server"  # the server's own: resets by operators


def fresh_numbering(random: Callable[[int], bytes]) -> str:
    """Make a name for feeds' numbers that no server had before.

    Args:
        random: gives so many random bytes.
    """
    return random(_NUMBERING_BYTES).hex()


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch.

    Attributes:
        ack: to be sent to the gate.
        streams: feeds that have grown.
        has_news: whether anything was stored.
        is_apart: whether it is held apart, for a revoked gate wrote it.
    """

    ack: Ack
    streams: frozenset[str]
    has_news: bool
    is_apart: bool = False


class Reconciling:
    """Takes journals in and keeps the folds."""

    def __init__(self, store: Store, clock: Clock, absorbing: "Absorbing | None" = None) -> None:
        """Take the database and the clock.

        Args:
            store: the database.
            clock: the server's; gates' offsets are measured against it.
            absorbing: what becomes of facts, if it is not `absorb`: a site server folds nothing.
        """
        self._store = store
        self._clock = clock
        self._absorbing = absorbing or absorb

    async def take(self, gate_id: str, batch: Batch) -> Taken:
        """Take a batch in; durable when this returns.

        Raises:
            ConflictError: if the journal is another gate's.
            RemoteProtocolError: if its seal is not by the gate, or not of these records.
        """
        server_ms = self._clock.now_us() // 1000  # before waiting for the writer before us
        async with self._store.write() as transaction:
            return await self.take_within(transaction, gate_id, batch, server_ms)

    async def take_within(
        self, transaction: Transaction, gate_id: str, batch: Batch, server_ms: int
    ) -> Taken:
        """Take a batch in, within the caller's transaction.

        Args:
            transaction: writes.
            gate_id: whose journal it is.
            batch: as it came.
            server_ms: when it came, milliseconds since 1970.

        Raises:
            ConflictError: if the journal is another gate's.
            RemoteProtocolError: if its seal is not by the gate, or not of these records.
        """
        known = await _journal(transaction, gate_id, batch.journal)
        if batch.seal is not None:
            keys = await transaction.gates.keys(gate_id)
            check_batch(batch, gate=gate_id, keys=keys)
        span = (batch.journal, batch.first - 1, batch.first + len(batch.blobs) - 1)
        chains = await transaction.journals.chains(*span)
        side_chains = await transaction.lines.chains(*span) if known.forked else {}
        intake = take_in(batch, known.head, chains, side_chains)
        clock, learnt = await _clock(transaction, known, batch, intake, server_ms)
        streams = await _set_right(transaction, known.id, clock, learnt) if learnt else frozenset()
        streams |= await _keep(transaction, known, intake, clock, self._absorbing, server_ms)
        if batch.seal is not None and intake.held.sequence:
            await transaction.seals.keep(batch.seal)
        if intake.forked:
            log.error(
                "journal forked: a gate's card was cloned or restored",
                extra={"gate": gate_id, "journal": batch.journal},
            )
        has_news = bool(intake.records or intake.forked)
        return Taken(intake.answer(batch.journal, server_ms), streams, has_news)

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
        known = await _journal(transaction, None, SERVER_JOURNAL)
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
        intake = Intake(Head(sequence, chain), (new,))
        return await _keep(transaction, known, intake, GateClock(), self._absorbing, record.wall_ms)

    async def feed(self, stream: str, after: int) -> Feed:
        """Give the items of a feed that follow a cursor."""
        async with self._store.read() as transaction:
            return await transaction.facts.feed(stream, after, FEED_ITEMS_MAX)

    async def numbering(self) -> str:
        """Give the name of the feeds' numbers."""
        async with self._store.read() as transaction:
            return await transaction.facts.numbering()


Absorbing = Callable[[Transaction, Sequence[StatedFact]], Awaitable[frozenset[str]]]


async def absorb(transaction: Transaction, stated: Sequence[StatedFact]) -> frozenset[str]:
    """Keep facts that are not kept yet, and fold again what they touch; give feeds that grew."""
    await transaction.facts.add_facts(stated)
    keys: dict[TicketKey, None] = {}
    alone = []
    for one in stated:
        fact = one.fact
        if not isinstance(fact, FreeCrossing) and fact.performance:
            keys[key_of(fact)] = None
        elif not isinstance(fact, Reset):  # a reset of no performance forgets nothing
            alone.append(_fold_alone(one))
    await transaction.facts.add_folds(alone)
    await fold_again(transaction, list(keys))
    return frozenset(one.stream for one in stated)


async def refold_tickets(
    transaction: Transaction, performance_id: str, identifiers: Iterable[bytes]
) -> None:
    """Fold some tickets anew, inside the transaction that changed them."""
    await fold_again(transaction, await transaction.facts.keys_of(performance_id, identifiers))


async def fold_again(transaction: Transaction, keys: Sequence[TicketKey]) -> None:
    """Fold the facts of some tickets of performances from scratch, and keep what they come to."""
    by_performance: defaultdict[str, list[TicketKey]] = defaultdict(list)
    for key in keys:
        by_performance[key.performance or ""].append(key)
    performances = await transaction.performances.performances_by_id(by_performance)
    folds = []
    for name, touched in by_performance.items():
        identifiers = {key.identifier for key in touched}
        listed = await transaction.tickets.known(name, list(identifiers))
        unlisted = identifiers - listed.keys()
        mine = await with_all_keys(transaction, name, touched, unlisted)
        facts = await transaction.facts.facts_of(mine)
        proven = await unlisted_tickets(transaction, name, unlisted, facts)
        performance = performances[name].judged() if name in performances else None
        for key in mine:
            ticket = listed.get(key.identifier) or proven.get(key.identifier)
            fold = fold_ticket(facts[key], performance, ticket)
            is_listed = ticket is not None and ticket.is_listed
            folds.append(KeyFold(key, fold, is_listed, facts[key]))
    await transaction.facts.replace_folds(folds)


def _fold_alone(one: StatedFact) -> KeyFold:
    """Fold a fact that has no ticket: it says nothing of any other."""
    fact = one.fact
    if isinstance(fact, FreeCrossing):
        key = TicketKey(fact.checkpoint, None, b"")
        return KeyFold(key, TicketFold((), step(fact.direction), is_used=False), False, {})
    return KeyFold(key_of(fact), fold_ticket([fact], None, None), False, {fact: one.variant})


async def _journal(transaction: Transaction, gate_id: str | None, journal_id: str) -> KnownJournal:
    known = await transaction.journals.journal(journal_id)
    if known is None and (gate_id is None) == (journal_id == SERVER_JOURNAL):
        head = Head(0, journal.genesis(journal_id))
        await transaction.journals.add_journal(journal_id, gate_id, head)
        return KnownJournal(journal_id, gate_id, head)
    if known is None or known.gate_id != gate_id:
        raise ConflictError("foreign_journal", "this journal belongs to another gate")
    return known


async def _keep(
    transaction: Transaction,
    known: KnownJournal,
    intake: Intake,
    clock: GateClock,
    absorbing: Absorbing,
    now_ms: int,
) -> frozenset[str]:
    deriving = _Deriving(transaction, known, clock)
    for start in range(0, len(intake.records), AT_A_TIME):
        some = intake.records[start : start + AT_A_TIME]
        rows = [new.row for new in some]
        await transaction.journals.add_records(known.id, rows, Head(*rows[-1][:2]))
        for new in some:
            await deriving.add(new.record, 0)
    if intake.forked_after is not None:
        variants = await transaction.lines.add(known.id, intake.forked_after, intake.forked, now_ms)
        for row in intake.forked:
            if row.sequence in variants:
                await deriving.add(_read(row), variants[row.sequence])
    if known.gate_id is not None:
        await transaction.facts.add_refusals(known.id, known.gate_id, deriving.refused)
    return await absorbing(transaction, deriving.stated)


class _Deriving:
    """Derives facts and refusals of one journal's records."""

    def __init__(self, transaction: Transaction, known: KnownJournal, clock: GateClock) -> None:
        self._transaction = transaction
        self._known = known
        self._clock = clock
        self._streams: dict[tuple[str, str], str] = {}
        self.stated: list[StatedFact] = []
        self.refused: list[tuple[Record, int, int]] = []

    async def add(self, record: Record | None, variant: int) -> None:
        """Take a record in; one that cannot be read, or contradicts itself, states nothing."""
        if record is None:
            return
        try:
            at, is_wrong = self._clock.corrected(record)
            fact = journal.fact_of(self._known.id, record, at)
        except JournalError:
            return
        if _is_refusal(record):
            self.refused.append((record, variant, journal.microseconds(at)))
        if fact is None:
            return
        if self._known.forked or variant > 0:
            contents = await self._transaction.facts.contents(self._known.id, record.sequence)
            if fact in contents:
                return  # the same fact in other bytes
        stream = await self._stream(record.performance, record.checkpoint)
        self.stated.append(StatedFact(fact, record, variant, self._known.gate_id, stream, is_wrong))

    async def _stream(self, performance_id: str, checkpoint_id: str) -> str:
        """Give the feed of a fact: its performance's, else that of its checkpoint's first."""
        if performance_id:
            return performance_id
        place = (performance_id, checkpoint_id)
        if place not in self._streams:
            checkpoint = await self._transaction.checkpoints.checkpoint(checkpoint_id)
            controlled = checkpoint.performances if checkpoint else ()
            self._streams[place] = controlled[0] if controlled else checkpoint_id
        return self._streams[place]


async def _clock(
    transaction: Transaction, known: KnownJournal, batch: Batch, intake: Intake, server_ms: int
) -> tuple[GateClock, frozenset[bytes]]:
    """Take a contact's measure; give the clock, and the starts that are known otherwise by it."""
    clock = await transaction.journals.clock(known.id)
    learnt: set[bytes] = set()
    measured = clock.measure(batch.sent, server_ms)
    boots = {new.record.boot_id for new in intake.records if new.record is not None}
    if measured is not None:
        await transaction.journals.add_measured(known.id, batch.sent.boot_id, measured)
        learnt.add(batch.sent.boot_id)
        if not known.forked:  # of two machines with one journal, neither was before the other
            boots |= await transaction.facts.boots(known.id)
    for boot_id in sorted(boots - {b""}):
        bounded = clock.bound(boot_id, batch.sent)
        if bounded is not None:
            await transaction.journals.add_bounded(known.id, boot_id, bounded)
            learnt.add(boot_id)
    return clock, frozenset(learnt)


async def _set_right(
    transaction: Transaction, journal_id: str, clock: GateClock, boots: frozenset[bytes]
) -> frozenset[str]:
    """Move the facts of some starts to where their clock belongs; give the feeds that have grown.

    They came by other hands before the gate itself did, or its clock was not known to be wrong.
    """
    moves = []
    for one in await transaction.facts.of_boots(journal_id, boots):
        try:
            at, is_wrong = clock.corrected(one)
        except JournalError:
            continue
        if journal.microseconds(at) != one.at_us:
            moves.append(Move(one, journal.microseconds(at), is_wrong))
    if moves:
        await transaction.facts.move(moves)
        keys = dict.fromkeys(move.fact.key for move in moves)
        # a fact of no performance folds alone, at whatever time it was
        await fold_again(transaction, [key for key in keys if key.performance])
    return frozenset(move.fact.stream for move in moves)


def _is_refusal(record: Record) -> bool:
    opened = record.kind == Kind.GRANTED and bool(record.flags & Flag.EXIT_POLICY)
    return record.kind == Kind.DENIED or opened


def _read(row: Row) -> Record | None:
    try:
        record = journal.decode(row.blob)
    except JournalError:
        return None  # kept as it came, and counted as a fork; it states no fact
    return record if record.sequence == row.sequence else None
