"""Tickets, their sources, classes and states, in the database."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, ScalarSelect, Select, case, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.journal import class_code, class_of
from admission.keyed import Alphabet, Trait
from admission.reconcile import ListedTicket, StateChange
from admission.ticket import TicketClass, TicketState
from admission.ticketlist.packed import Entry
from sync_server.entities import Import, ImportMode, Source, instant
from sync_server.storage.list_pieces import SqlPieces
from sync_server.storage.measures import document_of, measured_of
from sync_server.storage.merging import Merge
from sync_server.storage.number_sample import NumberSample
from sync_server.storage.tables import (
    imports,
    sources,
    ticket_attributes,
    ticket_classes,
    ticket_states,
    tickets,
)
from sync_server.ticket_ports import MergeResult, SaidTicket

LISTED_BATCH: Final = 50_000  # tickets handed to the publisher at once
_LOOKED_UP_AT_ONCE: Final = 500  # bound parameters of one query
_LAST_STATE: Final[ScalarSelect[str]] = (
    select(ticket_states.c.state)
    .where(ticket_states.c.identifier == tickets.c.identifier)
    .order_by(ticket_states.c.ordinal.desc())
    .limit(1)
    .correlate(tickets)
    .scalar_subquery()
)


_SAYS: Final = ticket_attributes.c.said != b""
_NUMBER: Final = tickets.c.number
_HOLDS: Final[dict[Trait, ColumnElement[bool]]] = {
    Trait.UPPER: func.lower(_NUMBER) != _NUMBER,
    Trait.LOWER: func.upper(_NUMBER) != _NUMBER,
    Trait.SPACE: _NUMBER.contains(" ", autoescape=True),
    Trait.DASH: _NUMBER.contains("-", autoescape=True),
}
_STATES: Final = {state.value: state for state in TicketState}


class SqlTickets:
    """The `Tickets` of `ticket_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def source(self, performance_id: str, name: str) -> Source | None:
        """Give a performance's source by name, or None."""
        rows = await self._connection.execute(
            select(sources).where(
                sources.c.performance_id == performance_id, sources.c.name == name
            )
        )
        row = rows.mappings().one_or_none()
        return None if row is None else Source(**row)

    async def add_source(self, performance_id: str, kind: str, name: str) -> Source:
        """Keep a new one."""
        added = await self._connection.execute(
            insert(sources)
            .values(performance_id=performance_id, kind=kind, name=name)
            .returning(sources.c.id)
        )
        return Source(added.scalar_one(), performance_id, kind, name)

    async def sources(self, performance_id: str) -> list[Source]:
        """Give a performance's sources, by name."""
        rows = await self._connection.execute(
            select(sources)
            .where(sources.c.performance_id == performance_id)
            .order_by(sources.c.name)
        )
        return [Source(**row) for row in rows.mappings()]

    async def add_import(self, run: Import) -> None:
        """Keep the record of one run."""
        values = asdict(run) | {
            "mode": run.mode.value,
            "problems": list(run.problems),
            "guessability": document_of(run.guessability),
        }
        await self._connection.execute(insert(imports).values(values))

    async def imports(self, performance_id: str, limit: int) -> list[Import]:
        """Give the newest runs of a performance's sources, newest first."""
        rows = await self._connection.execute(
            select(imports)
            .join(sources, sources.c.id == imports.c.source_id)
            .where(sources.c.performance_id == performance_id)
            .order_by(imports.c.at_ms.desc(), imports.c.id.desc())
            .limit(limit)
        )
        return [_import(row) for row in rows.mappings()]

    async def class_keys(self, performance_id: str, wanted: Sequence[TicketClass]) -> Sequence[int]:
        """Give the key of each class, keeping those first that are new."""
        keys = {known: key for key, known in (await self.classes(performance_id)).items()}
        for ticket_class in wanted:
            if ticket_class not in keys:
                keys[ticket_class] = await self._add_class(performance_id, ticket_class)
        return [keys[ticket_class] for ticket_class in wanted]

    async def _add_class(self, performance_id: str, ticket_class: TicketClass) -> int:
        category, mode, total, per_day = class_code(ticket_class)
        added = await self._connection.execute(
            insert(ticket_classes)
            .values(
                performance_id=performance_id,
                category=category,
                mode=mode,
                total=total,
                per_day=per_day,
            )
            .returning(ticket_classes.c.id)
        )
        return int(added.scalar_one())

    async def classes(self, performance_id: str) -> Mapping[int, TicketClass]:
        """Give all of a performance's classes by key, oldest first."""
        rows = await self._connection.execute(
            select(ticket_classes)
            .where(ticket_classes.c.performance_id == performance_id)
            .order_by(ticket_classes.c.id)
        )
        return {row.id: class_of((row.category, row.mode, row.total, row.per_day)) for row in rows}

    async def merge(
        self,
        source: Source,
        classes: Sequence[int],
        *,
        mode: ImportMode,
        now_us: int,
        lines_max: int,
    ) -> MergeResult:
        """Apply the rows that were staged on this connection to a source's performance."""
        return await Merge(self._connection).apply(
            source, classes, mode=mode, now_us=now_us, lines_max=lines_max
        )

    async def known(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Mapping[bytes, ListedTicket]:
        """Give those of some tickets that are listed, with their histories, by identifier."""
        found: dict[bytes, ListedTicket] = {}
        for some in _chunks(identifiers):
            found |= await self._known(performance_id, some)
        return found

    async def _known(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> dict[bytes, ListedTicket]:
        wanted = (
            ticket_classes.c.performance_id == performance_id,
            tickets.c.identifier.in_(identifiers),
        )
        of_class = tickets.c.class_id == ticket_classes.c.id
        changes: defaultdict[bytes, list[StateChange]] = defaultdict(list)
        history = await self._connection.execute(
            select(ticket_states)
            .join(tickets, tickets.c.identifier == ticket_states.c.identifier)
            .join(ticket_classes, of_class)
            .where(*wanted)
            .order_by(ticket_states.c.identifier, ticket_states.c.ordinal)
        )
        for row in history:
            since = None if row.from_us is None else instant(row.from_us)
            changes[row.identifier].append(StateChange(since, TicketState(row.state)))
        rows = await self._connection.execute(
            select(
                tickets.c.identifier,
                ticket_classes.c.category,
                ticket_classes.c.mode,
                ticket_classes.c.total,
                ticket_classes.c.per_day,
            )
            .join(ticket_classes, of_class)
            .where(*wanted)
        )
        return {
            identifier: ListedTicket(
                class_of((category, mode, total, per_day)).rule, tuple(changes[identifier])
            )
            for identifier, category, mode, total, per_day in rows
        }

    async def set_state(
        self, performance_id: str, identifier: bytes, state: TicketState, now_us: int
    ) -> bool:
        """Add an operator's word to a listed ticket's history; False where nothing changes."""
        if not await self._known(performance_id, [identifier]):
            return False
        history = await self._connection.execute(
            select(ticket_states)
            .where(ticket_states.c.identifier == identifier)
            .order_by(ticket_states.c.ordinal.desc())
            .limit(1)
        )
        last = history.one_or_none()
        if (TicketState.VALID if last is None else TicketState(last.state)) is state:
            return False
        from_us = now_us if last is None else max(now_us, last.from_us or now_us)
        await self._connection.execute(
            insert(ticket_states).values(
                identifier=identifier,
                ordinal=0 if last is None else last.ordinal + 1,
                from_us=from_us,
                state=state.value,
                origin="operator",
            )
        )
        await SqlPieces(self._connection).note(
            performance_id, select(tickets.c.identifier).where(tickets.c.identifier == identifier)
        )
        return True

    async def listed_among(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Sequence[Entry]:
        """Give those of some tickets that are listed, as they stand now."""
        found: list[Entry] = []
        for some in _chunks(identifiers):
            rows = await self._connection.execute(
                _entries(performance_id).where(tickets.c.identifier.in_(some))
            )
            found += [_entry(identifier, key, state) for identifier, key, state in rows]
        return found

    async def listed(self, performance_id: str) -> AsyncIterator[Sequence[Entry]]:
        """Yield all tickets of a performance as they stand now, in batches, by identifier."""
        valid = TicketState.VALID
        stream = await self._connection.stream(
            _entries(performance_id).order_by(tickets.c.identifier)  # sorted off the loop
        )
        async for part in stream.partitions(LISTED_BATCH):
            yield [  # no call for each: there are millions
                Entry(identifier, class_id, valid if state is None else _STATES[state])
                for identifier, class_id, state in part
            ]

    async def alphabet(
        self, performance_id: str, identifiers: Sequence[bytes] | None = None
    ) -> Alphabet:
        """Give what a performance's ticket numbers hold between them, or those of some tickets."""
        asked = select(*(func.max(case((holds, 1), else_=0)) for holds in _HOLDS.values())).where(
            tickets.c.class_id.in_(_classes_of(performance_id))
        )
        if identifiers is None:
            parts = [asked]
        else:
            parts = [asked.where(tickets.c.identifier.in_(some)) for some in _chunks(identifiers)]
        found: set[Trait] = set()
        for part in parts:
            row = (await self._connection.execute(part)).one()
            found |= {trait for trait, holds in zip(_HOLDS, row, strict=True) if holds}
        return frozenset(found)

    async def says_anything(self, performance_id: str) -> bool:
        """Tell whether any ticket of a performance says something besides its class."""
        found = await self._connection.scalar(
            select(ticket_attributes.c.identifier)
            .where(ticket_attributes.c.performance_id == performance_id, _SAYS)
            .limit(1)
        )
        return found is not None

    async def said(self, performance_id: str) -> AsyncIterator[Sequence[SaidTicket]]:
        """Yield what all tickets of a performance say that say something, in batches."""
        stream = await self._connection.stream(
            select(tickets.c.identifier, tickets.c.number, ticket_attributes.c.said)
            .join(ticket_attributes, ticket_attributes.c.identifier == tickets.c.identifier)
            .where(ticket_attributes.c.performance_id == performance_id, _SAYS)
        )
        async for part in stream.partitions(LISTED_BATCH):
            yield [SaidTicket(identifier, number, said) for identifier, number, said in part]

    async def said_among(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Sequence[SaidTicket]:
        """Give what some tickets of a performance say, be it nothing."""
        found: list[SaidTicket] = []
        for some in _chunks(identifiers):
            rows = await self._connection.execute(
                select(tickets.c.identifier, tickets.c.number, ticket_attributes.c.said)
                .outerjoin(
                    ticket_attributes, ticket_attributes.c.identifier == tickets.c.identifier
                )
                .where(
                    tickets.c.identifier.in_(some),
                    tickets.c.class_id.in_(_classes_of(performance_id)),
                )
            )
            found += [SaidTicket(one, number, said or b"") for one, number, said in rows]
        return found

    async def collisions(self, performance_ids: Sequence[str], limit: int) -> list[tuple[str, str]]:
        """Give pairs of performances that hold one same number."""
        pairs: list[tuple[str, str]] = []
        for place, one in enumerate(performance_ids):
            for other in performance_ids[place + 1 :]:
                if len(pairs) < limit and await self._collide(one, other):
                    pairs.append((one, other))
        return pairs

    async def _collide(self, one: str, other: str) -> bool:
        mine = select(tickets.c.number).where(tickets.c.class_id.in_(_classes_of(one)))
        theirs = select(tickets.c.number).where(tickets.c.class_id.in_(_classes_of(other)))
        found = await self._connection.scalar(mine.intersect(theirs).limit(1))
        return found is not None

    async def number_sample(self, performance_id: str) -> tuple[Sequence[str], Mapping[int, int]]:
        """Give some numbers of each length, chosen by their identifiers, and how many there are."""
        return await NumberSample(self._connection, _classes_of(performance_id)).take()

    async def count(self, performance_id: str) -> int:
        """Give how many tickets a performance lists."""
        counted = await self._connection.scalar(
            select(func.count())
            .select_from(tickets)
            .where(tickets.c.class_id.in_(_classes_of(performance_id)))
        )
        return int(counted or 0)


def _import(row: RowMapping) -> Import:
    values = dict(row)
    values["mode"] = ImportMode(values["mode"])
    values["problems"] = tuple(values["problems"])
    values["guessability"] = measured_of(values["guessability"])
    return Import(**values)


def _entries(performance_id: str) -> Select[Any]:
    return select(tickets.c.identifier, tickets.c.class_id, _LAST_STATE).where(
        tickets.c.class_id.in_(_classes_of(performance_id))
    )


def _entry(identifier: bytes, class_id: int, state: str | None) -> Entry:
    return Entry(identifier, class_id, TicketState.VALID if state is None else _STATES[state])


def _classes_of(performance_id: str) -> ScalarSelect[int]:
    return (
        select(ticket_classes.c.id)
        .where(ticket_classes.c.performance_id == performance_id)
        .scalar_subquery()
    )


def _chunks(identifiers: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(identifiers), _LOOKED_UP_AT_ONCE):
        yield identifiers[start : start + _LOOKED_UP_AT_ONCE]
