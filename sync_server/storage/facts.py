"""Facts, what they come to, and the feeds they go out on, in the database."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Row, case, delete, distinct, func, insert, select, tuple_
from sqlalchemy.dialects.sqlite import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from admission import journal
from admission.journal import Flag, Kind, Record
from admission.passage import (
    FoldKey,
    FreeCrossing,
    Passage,
    Reset,
    TicketFact,
    TicketKey,
    fold_key,
)
from admission.reconcile import TicketFold
from admission.scan import Direction
from admission.sync.messages import Feed, FeedItem
from sync_server.entities import instant, microseconds
from sync_server.journal_ports import StatedFact, Sums
from sync_server.storage.tables import anomalies, facts, feed_counters, refusals, ticket_folds

_KEYS_AT_ONCE: Final = 200  # three values a key, far below SQLite's most
_KINDS: Final = {"passage": Kind.PASSED, "reset": Kind.RESET, "free": Kind.FREE}
_FED_FLAGS: Final = int(Flag.OVERRIDE | Flag.UNRESOLVED)


class SqlFacts:
    """The `Facts` of `journal_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_facts(self, stated: Sequence[StatedFact]) -> None:
        """Keep facts; each gets the next number of its stream, without a gap."""
        numbers = await self._take_numbers(stated)
        rows = []
        for one in stated:
            numbers[one.stream] += 1
            rows.append(_values(one, numbers[one.stream]))
        if rows:
            await self._connection.execute(insert(facts), rows)

    async def _take_numbers(self, stated: Sequence[StatedFact]) -> dict[str, int]:
        """Raise each stream's counter once; give the number before the first of ours."""
        wanted: dict[str, int] = {}
        for one in stated:
            wanted[one.stream] = wanted.get(one.stream, 0) + 1
        before = {}
        for stream in sorted(wanted):
            adding = insert_or(feed_counters).values(stream=stream, last_number=wanted[stream])
            last = await self._connection.scalar(
                adding.on_conflict_do_update(
                    index_elements=["stream"],
                    set_={"last_number": feed_counters.c.last_number + wanted[stream]},
                ).returning(feed_counters.c.last_number)
            )
            before[stream] = int(last or 0) - wanted[stream]
        return before

    async def add_refusals(
        self, journal_id: str, gate_id: str, refused: Sequence[tuple[Record, int]]
    ) -> None:
        """Keep refusals, each with its corrected instant in microseconds."""
        if refused:
            await self._connection.execute(
                insert(refusals),
                [
                    {
                        "journal_id": journal_id,
                        "sequence": record.sequence,
                        "at_us": at_us,
                        "gate_id": gate_id,
                        "checkpoint_id": record.checkpoint,
                        "performance_id": record.performance,
                        "answer": record.answer,
                    }
                    for record, at_us in refused
                ],
            )

    async def facts_of(self, keys: Sequence[TicketKey]) -> dict[TicketKey, list[TicketFact]]:
        """Give all passages and resets of some keys."""
        found: dict[TicketKey, list[TicketFact]] = {key: [] for key in keys}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = [
                (key.checkpoint, key.performance or "", key.identifier)
                for key in keys[start : start + _KEYS_AT_ONCE]
            ]
            rows = await self._connection.execute(
                select(facts).where(
                    tuple_(facts.c.checkpoint_id, facts.c.performance_id, facts.c.identifier).in_(
                        some
                    ),
                    facts.c.kind != "free",
                )
            )
            for row in rows:
                fact = _fact(row)
                key = TicketKey(row.checkpoint_id, row.performance_id or None, row.identifier)
                found[key].append(fact)
        return found

    async def keys_of(self, performance_id: str, identifiers: Iterable[bytes]) -> list[TicketKey]:
        """Give the keys under which some tickets have facts."""
        wanted = list(identifiers)
        keys: list[TicketKey] = []
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            rows = await self._connection.execute(
                select(facts.c.checkpoint_id, facts.c.identifier)
                .where(
                    facts.c.performance_id == performance_id,
                    facts.c.identifier.in_(wanted[start : start + _KEYS_AT_ONCE]),
                )
                .distinct()
            )
            keys += [TicketKey(row.checkpoint_id, performance_id, row.identifier) for row in rows]
        return keys

    async def put_fold(self, key: TicketKey, fold: TicketFold, *, listed: bool) -> None:
        """Replace what is kept of a key's fold, its anomalies included."""
        place = {
            "checkpoint_id": key.checkpoint,
            "performance_id": key.performance or "",
            "identifier": key.identifier,
        }
        values = {"occupancy": fold.occupancy, "passages": int(fold.is_used), "listed": listed}
        await self._connection.execute(
            insert_or(ticket_folds)
            .values(**place, **values)
            .on_conflict_do_update(index_elements=list(place), set_=values)
        )
        await self._connection.execute(
            delete(anomalies).where(*(anomalies.c[name] == value for name, value in place.items()))
        )
        if fold.anomalies:
            variants = await self._variants(place)
            rows = [
                {
                    "journal_id": anomaly.passage.gate,
                    "sequence": anomaly.passage.sequence,
                    "variant": variants[anomaly.passage],
                    "reason": anomaly.reason.value,
                    **place,
                }
                for anomaly in fold.anomalies
            ]
            await self._connection.execute(insert(anomalies), rows)

    async def _variants(self, place: dict[str, Any]) -> dict[TicketFact, int]:
        rows = await self._connection.execute(
            select(facts).where(
                *(facts.c[name] == value for name, value in place.items()), facts.c.kind != "free"
            )
        )
        return {_fact(row): row.variant for row in rows}

    async def feed(self, stream: str, after: int, items_max: int) -> Feed:
        """Give the items that follow a cursor."""
        rows = await self._connection.execute(
            select(facts)
            .where(facts.c.feed_stream == stream, facts.c.feed_number > after)
            .order_by(facts.c.feed_number)
            .limit(items_max)
        )
        head = await self._connection.scalar(
            select(feed_counters.c.last_number).where(feed_counters.c.stream == stream)
        )
        return Feed(stream, after, [_item(row) for row in rows], int(head or 0))

    async def sums(self) -> Sums:
        """Give the figures of the exact report."""
        return Sums(await self._anomalies(), await self._occupancy(), await self._attendance())

    async def _anomalies(self) -> tuple[tuple[str, int, str], ...]:
        rows = await self._connection.execute(
            select(facts, anomalies.c.reason).join(
                anomalies,
                (anomalies.c.journal_id == facts.c.journal_id)
                & (anomalies.c.sequence == facts.c.sequence)
                & (anomalies.c.variant == facts.c.variant),
            )
        )
        found = [(_fact(row), row.reason) for row in rows]
        found.sort(key=lambda pair: fold_key(pair[0]))
        return tuple((fact.gate, fact.sequence, reason) for fact, reason in found)

    async def _occupancy(self) -> dict[str, int]:
        folded = await self._connection.execute(
            select(ticket_folds.c.checkpoint_id, func.sum(ticket_folds.c.occupancy)).group_by(
                ticket_folds.c.checkpoint_id
            )
        )
        occupancy = {checkpoint: int(inside) for checkpoint, inside in folded}
        steps = case((facts.c.direction == Direction.ENTRY.value, 1), else_=-1)
        free = await self._connection.execute(
            select(facts.c.checkpoint_id, func.sum(steps))
            .where(facts.c.kind == "free")
            .group_by(facts.c.checkpoint_id)
        )
        for checkpoint, inside in free:
            occupancy[checkpoint] = occupancy.get(checkpoint, 0) + int(inside)
        return occupancy

    async def _attendance(self) -> dict[str, int]:
        rows = await self._connection.execute(
            select(ticket_folds.c.performance_id, func.count(distinct(ticket_folds.c.identifier)))
            .where(ticket_folds.c.listed, ticket_folds.c.passages > 0)
            .group_by(ticket_folds.c.performance_id)
        )
        return {performance: int(count) for performance, count in rows}


def _values(one: StatedFact, number: int) -> dict[str, Any]:
    fact, record = one.fact, one.record
    kind = {Passage: "passage", Reset: "reset", FreeCrossing: "free"}[type(fact)]
    return {
        "journal_id": fact.gate,
        "sequence": fact.sequence,
        "variant": one.variant,
        "gate_id": one.gate_id,
        "kind": kind,
        "at_us": microseconds(fact.at),
        "wall_ms": record.wall_ms,
        "boot_ms": record.boot_ms,
        "boot_id": record.boot_id,
        "checkpoint_id": fact.checkpoint,
        "performance_id": record.performance,
        "identifier": record.identifier,
        "direction": None if isinstance(fact, Reset) else fact.direction.value,
        "answer": record.answer,
        "flags": record.flags,
        "ticket_class": None if record.ticket_class is None else list(record.ticket_class),
        "feed_stream": one.stream,
        "feed_number": number,
    }


def _fact(row: Row[Any]) -> TicketFact:
    where = (row.journal_id, row.sequence, instant(row.at_us), row.checkpoint_id)
    if row.kind == "reset":
        return Reset(*where, row.performance_id, row.identifier)
    return Passage(
        *where,
        row.performance_id or None,
        row.identifier,
        Direction(row.direction),
        bool(row.flags & Flag.OVERRIDE),
        bool(row.flags & Flag.UNRESOLVED),
        None if row.ticket_class is None else journal.class_of(tuple(row.ticket_class)),
    )


def order_of(row: Row[Any]) -> FoldKey:
    """Give the place of a stored passage in fold order."""
    return fold_key(_fact(row))


def _item(row: Row[Any]) -> FeedItem:
    code = 0 if row.direction is None else journal.direction_code(Direction(row.direction))
    return FeedItem(
        number=row.feed_number,
        kind=int(_KINDS[row.kind]),
        gate=row.journal_id,
        sequence=row.sequence,
        at_us=row.at_us,
        checkpoint=row.checkpoint_id,
        performance=row.performance_id,
        identifier=row.identifier,
        direction=code,
        flags=row.flags & _FED_FLAGS,
        ticket_class=None if row.ticket_class is None else tuple(row.ticket_class),
    )
