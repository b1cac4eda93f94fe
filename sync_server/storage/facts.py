"""Facts, what they come to, and the feeds they go out on, in the database."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, and_, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from admission import journal
from admission.journal import Flag, Kind, Record
from admission.passage import (
    Fact,
    FoldKey,
    FreeCrossing,
    Passage,
    Reset,
    TicketFact,
    TicketKey,
    fold_key,
)
from admission.scan import Direction
from admission.sync.messages import Feed, FeedItem
from sync_server.entities import instant, microseconds
from sync_server.journal_ports import KeptFact, KeyFold, Move, StatedFact
from sync_server.storage.clock_tables import feed_repeats
from sync_server.storage.tables import (
    anomalies,
    facts,
    feed_counters,
    feed_numbering,
    refusals,
    ticket_folds,
)

_LOOKED_UP_AT_ONCE: Final = 500  # bound parameters of one query
_KIND_OF: Final = {Passage: "passage", Reset: "reset", FreeCrossing: "free"}
_KINDS: Final = {"passage": Kind.PASSED, "reset": Kind.RESET, "free": Kind.FREE}
_FED_FLAGS: Final = int(Flag.OVERRIDE | Flag.UNRESOLVED | Flag.PROVEN)
_ALL_FLAGS: Final = 0x7FFF_FFFF  # what the column holds; no flag is above it
_INTEGER_MAX: Final = (1 << 63) - 1
_IS_REPEATED: Final = and_(
    *(feed_repeats.c[name] == facts.c[name] for name in ("journal_id", "sequence", "variant"))
)
_KEY: Final = ("checkpoint_id", "performance_id", "identifier")


class SqlFacts:
    """The `Facts` of `journal_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_facts(self, stated: Sequence[StatedFact]) -> None:
        """Keep facts; each gets the next number of its stream, without a gap."""
        by_stream: defaultdict[str, list[StatedFact]] = defaultdict(list)
        for one in stated:
            by_stream[one.stream].append(one)
        for stream in sorted(by_stream):
            some = by_stream[stream]
            first = await self._take_numbers(stream, len(some))
            await self._connection.execute(
                insert(facts), [_values(one, first + place) for place, one in enumerate(some)]
            )

    async def _take_numbers(self, stream: str, count: int) -> int:
        """Raise a stream's counter; give the first number taken."""
        raised = await self._connection.execute(
            update(feed_counters)
            .where(feed_counters.c.stream == stream)
            .values(last_number=feed_counters.c.last_number + count)
            .returning(feed_counters.c.last_number)
        )
        last = raised.scalar_one_or_none()
        if last is None:
            await self._connection.execute(
                insert(feed_counters).values(stream=stream, last_number=count)
            )
            return 1
        return int(last) - count + 1

    async def add_refusals(
        self, journal_id: str, gate_id: str, refused: Sequence[tuple[Record, int, int]]
    ) -> None:
        """Keep refusals, each with its variant and its corrected instant in microseconds."""
        if refused:
            await self._connection.execute(
                insert(refusals),
                [
                    {
                        "journal_id": journal_id,
                        "sequence": record.sequence,
                        "variant": variant,
                        "at_us": at_us,
                        "gate_id": gate_id,
                        "checkpoint_id": record.checkpoint,
                        "performance_id": record.performance,
                        "answer": record.answer,
                    }
                    for record, variant, at_us in refused
                ],
            )

    async def contents(self, journal_id: str, sequence: int) -> list[Fact]:
        """Give every content that is known of one fact."""
        rows = await self._connection.execute(
            select(facts).where(facts.c.journal_id == journal_id, facts.c.sequence == sequence)
        )
        return [_fact(row) for row in rows]

    async def facts_of(
        self, keys: Sequence[TicketKey]
    ) -> Mapping[TicketKey, Mapping[TicketFact, int]]:
        """Give all passages and resets of some keys, each with its variant."""
        found: dict[TicketKey, dict[TicketFact, int]] = {key: {} for key in keys}
        places: defaultdict[tuple[str, str | None], list[bytes]] = defaultdict(list)
        for key in keys:
            places[key.checkpoint, key.performance].append(key.identifier)
        for (checkpoint, performance), identifiers in places.items():
            for some in _chunks(identifiers):
                rows = await self._connection.execute(
                    select(facts).where(
                        facts.c.checkpoint_id == checkpoint,
                        facts.c.performance_id == (performance or ""),
                        facts.c.identifier.in_(some),
                    )
                )
                for row in rows:
                    fact = _fact(row)
                    if not isinstance(fact, FreeCrossing):
                        key = TicketKey(checkpoint, performance, row.identifier)
                        found[key][fact] = row.variant
        return found

    async def keys_of(self, performance_id: str, identifiers: Iterable[bytes]) -> list[TicketKey]:
        """Give the keys under which some tickets have facts."""
        keys: list[TicketKey] = []
        for some in _chunks(list(identifiers)):
            rows = await self._connection.execute(
                select(facts.c.checkpoint_id, facts.c.identifier)
                .where(facts.c.performance_id == performance_id, facts.c.identifier.in_(some))
                .distinct()
            )
            keys += [TicketKey(row.checkpoint_id, performance_id, row.identifier) for row in rows]
        return keys

    async def replace_folds(self, folds: Sequence[KeyFold]) -> None:
        """Replace what is kept of some keys' folds, their anomalies included."""
        if not folds:
            return
        keys = [{f"of_{name}": value for name, value in _key(one).items()} for one in folds]
        for table in (anomalies, ticket_folds):
            await self._connection.execute(
                delete(table).where(*(table.c[name] == bindparam(f"of_{name}") for name in _KEY)),
                keys,
            )
        await self._connection.execute(insert(ticket_folds), [_fold(one) for one in folds])
        await self._add_anomalies(folds)

    async def add_folds(self, folds: Sequence[KeyFold]) -> None:
        """Add to what is kept of facts without a ticket, each of which folds alone."""
        for one in folds:
            here = (ticket_folds.c[name] == value for name, value in _key(one).items())
            raised = await self._connection.execute(
                update(ticket_folds)
                .where(*here)
                .values(occupancy=ticket_folds.c.occupancy + one.fold.occupancy)
            )
            if raised.rowcount == 0:
                await self._connection.execute(insert(ticket_folds).values(_fold(one)))
        await self._add_anomalies(folds)

    async def _add_anomalies(self, folds: Sequence[KeyFold]) -> None:
        rows = [
            _key(one)
            | {
                "journal_id": anomaly.passage.gate,
                "sequence": anomaly.passage.sequence,
                "variant": one.variants[anomaly.passage],
                "reason": anomaly.reason.value,
            }
            for one in folds
            for anomaly in one.fold.anomalies
        ]
        if rows:
            await self._connection.execute(insert(anomalies), rows)

    async def boots(self, journal_id: str) -> set[bytes]:
        """Give the starts of its machine that a journal's facts name."""
        rows = await self._connection.execute(
            select(facts.c.boot_id).where(facts.c.journal_id == journal_id).distinct()
        )
        return set(rows.scalars())

    async def variants(self, journal_id: str, sequence: int) -> list[tuple[KeptFact, Fact]]:
        """Give every content that is known of one fact, as it is kept."""
        rows = await self._connection.execute(
            select(facts).where(facts.c.journal_id == journal_id, facts.c.sequence == sequence)
        )
        return [(_kept(row), _fact(row)) for row in rows]

    async def of_boots(self, journal_id: str, boots: Iterable[bytes]) -> list[KeptFact]:
        """Give the facts of some starts of a journal's machine."""
        rows = await self._connection.execute(
            select(facts).where(
                facts.c.journal_id == journal_id, facts.c.boot_id.in_(sorted(boots))
            )
        )
        return [_kept(row) for row in rows]

    async def move(self, moves: Sequence[Move]) -> None:
        """Give facts another instant; each goes out again, under a new number of its feed."""
        by_stream: defaultdict[str, list[Move]] = defaultdict(list)
        for one in moves:
            by_stream[one.fact.stream].append(one)
        for stream in sorted(by_stream):
            some = by_stream[stream]
            first = await self._take_numbers(stream, len(some))
            await self._connection.execute(
                insert(feed_repeats),
                [
                    {"stream": stream, "number": first + place} | _identity(one.fact)
                    for place, one in enumerate(some)
                ],
            )
        for one in moves:
            is_suspect = int(Flag.CLOCK_SUSPECT) if one.clock_wrong else 0
            await self._connection.execute(
                update(facts)
                .where(*(facts.c[name] == value for name, value in _identity(one.fact).items()))
                .values(at_us=one.at_us, flags=facts.c.flags.op("|")(is_suspect))
            )

    async def feed(self, stream: str, after: int, items_max: int) -> Feed:
        """Give the items that follow a cursor."""
        told = select(facts, facts.c.feed_number.label("number")).where(
            facts.c.feed_stream == stream, facts.c.feed_number > after
        )
        again = (
            select(facts, feed_repeats.c.number)
            .join(facts, _IS_REPEATED)
            .where(feed_repeats.c.stream == stream, feed_repeats.c.number > after)
        )
        rows: list[Row[Any]] = []
        for query, number in ((told, facts.c.feed_number), (again, feed_repeats.c.number)):
            rows += await self._connection.execute(query.order_by(number).limit(items_max))
        rows = sorted(rows, key=lambda row: int(row.number))[:items_max]
        last = select(feed_counters.c.last_number).where(feed_counters.c.stream == stream)
        known = await self._connection.execute(
            select(feed_numbering.c.name, last.scalar_subquery())
        )
        numbering, head = known.one()
        return Feed(stream, after, [_item(row) for row in rows], int(head or 0), numbering)

    async def numbering(self) -> str:
        """Give the name of the feeds' numbers."""
        name: str = (await self._connection.execute(select(feed_numbering.c.name))).scalar_one()
        return name

    async def renumber(self, name: str) -> None:
        """Give the feeds' numbers another name, so that gates take them for new ones."""
        await self._connection.execute(update(feed_numbering).values(name=name))


def order_of(row: Row[Any]) -> FoldKey:
    """Give the place of a stored fact in fold order."""
    return fold_key(_fact(row))


def _values(one: StatedFact, number: int) -> dict[str, Any]:
    fact, record = one.fact, one.record
    is_free = isinstance(fact, FreeCrossing)
    return {
        "journal_id": fact.gate,
        "sequence": fact.sequence,
        "variant": one.variant,
        "gate_id": one.gate_id,
        "kind": _KIND_OF[type(fact)],
        "at_us": microseconds(fact.at),
        "wall_ms": record.wall_ms,
        "boot_ms": max(-_INTEGER_MAX, min(record.boot_ms, _INTEGER_MAX)),
        "boot_id": record.boot_id,
        "trusted_ms": record.trusted_ms,
        "checkpoint_id": fact.checkpoint,
        "performance_id": "" if is_free else record.performance,
        "identifier": b"" if is_free else record.identifier,
        "direction": None if isinstance(fact, Reset) else fact.direction.value,
        "answer": record.answer,
        "flags": record.flags & _ALL_FLAGS | (Flag.CLOCK_SUSPECT if one.clock_wrong else 0),
        "ticket_class": None if record.ticket_class is None else list(record.ticket_class),
        "feed_stream": one.stream,
        "feed_number": number,
        "refers_to": max(0, record.refers_to),
    }


def _fact(row: Row[Any]) -> Fact:
    where = (row.journal_id, row.sequence, instant(row.at_us), row.checkpoint_id)
    match row.kind:
        case "reset":
            return Reset(*where, row.performance_id, row.identifier)
        case "free":
            return FreeCrossing(*where, Direction(row.direction))
        case _:
            code = row.ticket_class
            return Passage(
                *where,
                row.performance_id or None,
                row.identifier,
                Direction(row.direction),
                bool(row.flags & Flag.OVERRIDE),
                bool(row.flags & Flag.UNRESOLVED),
                None if code is None else journal.class_of(tuple(code)),
                bool(row.flags & Flag.PROVEN),
            )


def _item(row: Row[Any]) -> FeedItem:
    code = 0 if row.direction is None else journal.direction_code(Direction(row.direction))
    return FeedItem(
        number=row.number,
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
        variant=row.variant,
        refers_to=row.refers_to,
    )


def _kept(row: Row[Any]) -> KeptFact:
    return KeptFact(
        journal=row.journal_id,
        sequence=row.sequence,
        variant=row.variant,
        key=TicketKey(row.checkpoint_id, row.performance_id or None, row.identifier),
        stream=row.feed_stream,
        at_us=row.at_us,
        wall_ms=row.wall_ms,
        boot_ms=row.boot_ms,
        boot_id=row.boot_id,
        trusted_ms=row.trusted_ms,
    )


def _identity(fact: KeptFact) -> dict[str, Any]:
    return {
        "journal_id": fact.journal,
        "sequence": fact.sequence,
        "variant": fact.variant,
    }


def _key(one: KeyFold) -> dict[str, Any]:
    checkpoint, performance, identifier = one.key
    return {
        "checkpoint_id": checkpoint,
        "performance_id": performance or "",
        "identifier": identifier,
    }


def _fold(one: KeyFold) -> dict[str, Any]:
    return _key(one) | {
        "occupancy": one.fold.occupancy,
        "is_used": one.fold.is_used,
        "is_listed": one.is_listed,
    }


def _chunks(identifiers: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(identifiers), _LOOKED_UP_AT_ONCE):
        yield identifiers[start : start + _LOOKED_UP_AT_ONCE]
