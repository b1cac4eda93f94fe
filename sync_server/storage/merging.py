"""Applies an import's rows to the tickets, as set operations inside the caller's transaction.

Rows are first put into a temporary table; every step is one statement over all of them, so that a
million tickets take seconds. What stands against a row, or changes a known ticket, is gathered in
a second one, which is small. Called by `tickets` only.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, CreateTable

from admission.ticket import TicketState
from sync_server.entities import ImportMode, Source
from sync_server.storage.list_pieces import SqlPieces
from sync_server.storage.tables import (
    facts,
    performances,
    ticket_attributes,
    ticket_classes,
    ticket_states,
    tickets,
)
from sync_server.ticket_ports import IncomingTicket, LineList, MergeResult

_temporary: Final = MetaData()
incoming: Final = Table(
    "incoming_tickets",
    _temporary,
    Column("line", Integer, primary_key=True),
    Column("number", Text, nullable=False),
    Column("identifier", LargeBinary, nullable=False),
    Column("class_place", Integer),  # null: a refused row, which only mentions the number
    Column("state", Text),
    Column("said", LargeBinary),  # null: the file says nothing of any ticket
    prefixes=["TEMPORARY"],
)
_covering: Final = Index(  # every look-up below is answered from this alone
    "ix_incoming_tickets",
    incoming.c.identifier,
    incoming.c.line,
    incoming.c.class_place,
    incoming.c.state,
)
incoming_classes: Final = Table(  # which class each place stands for
    "incoming_classes",
    _temporary,
    Column("place", Integer, primary_key=True),
    Column("class_id", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)
differing: Final = Table(
    "differing_tickets",
    _temporary,
    Column("line", Integer, primary_key=True),
    Column("identifier", LargeBinary, nullable=False),
    Column("class_id", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("is_repeated", Boolean, nullable=False),
    Column("is_foreign", Boolean, nullable=False),
    Column("is_frozen", Boolean, nullable=False),
    Column("has_other_class", Boolean, nullable=False),
    Column("has_other_state", Boolean, nullable=False),
    prefixes=["TEMPORARY"],
)
_IS_ITS_CLASS: Final = incoming_classes.c.place == incoming.c.class_place
_history: Final = ticket_states.alias("history")
_COLUMNS: Final = ["identifier", "ordinal", "from_us", "state", "origin"]


class Merge:
    """One import's rows on their way into the tickets."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._pieces = SqlPieces(connection)

    async def begin(self) -> None:
        """Make the empty staging tables; they go with the connection."""
        for table in (incoming, incoming_classes, differing):
            await self._connection.execute(CreateTable(table))

    async def stage(self, rows: Sequence[IncomingTicket]) -> None:
        """Put rows into the staging table."""
        if rows:
            await self._connection.exec_driver_sql(
                "INSERT INTO incoming_tickets (line, number, identifier, class_place, state, said)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                list(rows),  # bound as they are: compiled parameters take twice the time
            )

    async def finish_staging(self) -> None:
        """Prepare for merging; no further rows may come."""
        await self._connection.execute(CreateIndex(_covering))

    async def apply(
        self,
        source: Source,
        classes: Sequence[int],
        *,
        mode: ImportMode,
        now_us: int,
        lines_max: int,
    ) -> MergeResult:
        """Merge the staged rows."""
        if classes:
            await self._connection.execute(
                insert(incoming_classes),
                [{"place": place, "class_id": key} for place, key in enumerate(classes)],
            )
        before = await self._with_facts(source.performance_id)
        canceled = await self._cancel_absent(source, now_us) if mode is ImportMode.REPLACE else 0
        await self._gather(_repeated())
        await self._gather(_differing(source))
        changed = await self._count(_is_change)
        await self._pieces.note(
            source.performance_id, select(differing.c.identifier).where(_is_change)
        )
        await self._change_classes()
        await self._note_states(now_us)
        said = Said(self._connection, source.performance_id)
        changed += await said.count_changed()
        added = await self._add(source)
        await said.keep()
        await self._connection.execute(
            update(performances)
            .where(performances.c.id == source.performance_id)
            .values(listed=performances.c.listed + added)
        )
        after = await self._with_facts(source.performance_id)
        return MergeResult(
            added=added,
            changed=changed,
            canceled=canceled,
            duplicates=await self._lines(differing.c.is_repeated, lines_max),
            foreign=await self._lines(differing.c.is_foreign, lines_max),
            frozen=await self._lines(differing.c.is_frozen, lines_max),
            touched=tuple(key for key, value in after.items() if before.get(key) != value),
        )

    async def _gather(self, rows: Select[Any]) -> None:
        await self._connection.execute(
            insert(differing).from_select([column.name for column in differing.c], rows)
        )

    async def _count(self, condition: ColumnElement[bool]) -> int:
        counted = await self._connection.scalar(
            select(func.count()).select_from(differing).where(condition)
        )
        return int(counted or 0)

    async def _lines(self, condition: ColumnElement[bool], lines_max: int) -> LineList:
        first = await self._connection.scalars(
            select(differing.c.line).where(condition).order_by(differing.c.line).limit(lines_max)
        )
        return LineList(await self._count(condition), tuple(first))

    async def _cancel_absent(self, source: Source, now_us: int) -> int:
        canceled = TicketState.CANCELED.value
        absent = select(
            tickets.c.identifier,
            _next_ordinal(tickets.c.identifier),
            _from(tickets.c.identifier, now_us),
            literal(canceled),
            literal("source"),
        ).where(
            tickets.c.source_id == source.id,
            ~exists().where(incoming.c.identifier == tickets.c.identifier),
            _source_state(tickets.c.identifier) != canceled,
        )
        await self._pieces.note(source.performance_id, _identifiers(absent))
        done = await self._connection.execute(insert(ticket_states).from_select(_COLUMNS, absent))
        return done.rowcount

    async def _change_classes(self) -> None:
        wanted = select(differing.c.class_id).where(
            differing.c.identifier == tickets.c.identifier, _is_class_change
        )
        await self._connection.execute(
            update(tickets)
            .where(tickets.c.identifier.in_(select(differing.c.identifier).where(_is_class_change)))
            .values(class_id=wanted.correlate(tickets).scalar_subquery())
        )

    async def _note_states(self, now_us: int) -> None:
        """Add to the history of the known tickets of which the file says another state now."""
        await self._connection.execute(
            insert(ticket_states).from_select(
                _COLUMNS,
                select(
                    differing.c.identifier,
                    _next_ordinal(differing.c.identifier),
                    _from(differing.c.identifier, now_us),
                    differing.c.state,
                    literal("source"),
                ).where(_is_state_change),
            )
        )

    async def _add(self, source: Source) -> int:
        """Add the tickets that are not known, with their first state where it is not valid."""
        is_new = and_(
            incoming.c.class_place.is_not(None),
            incoming.c.line.not_in(select(differing.c.line)),
            ~exists().where(tickets.c.identifier == incoming.c.identifier),
        )
        first_states = await self._connection.execute(
            select(incoming.c.identifier, incoming.c.state).where(
                is_new, incoming.c.state != TicketState.VALID.value
            )
        )
        others = first_states.all()
        await self._pieces.note(source.performance_id, select(incoming.c.identifier).where(is_new))
        done = await self._connection.execute(
            insert(tickets).from_select(
                ["identifier", "number", "class_id", "source_id"],
                select(
                    incoming.c.identifier,
                    incoming.c.number,
                    incoming_classes.c.class_id,
                    literal(source.id),
                )
                .join(incoming_classes, _IS_ITS_CLASS)
                .where(is_new)
                .order_by(incoming.c.identifier),  # fills the table from left to right
            )
        )
        if others:
            await self._connection.execute(
                insert(ticket_states).values(ordinal=0, from_us=null(), origin="source"),
                [{"identifier": identifier, "state": state} for identifier, state in others],
            )
        return done.rowcount

    async def _with_facts(self, performance_id: str) -> dict[bytes, tuple[int, int]]:
        """Give the class and the length of the history of every listed ticket with facts."""
        spoken_of = (
            select(facts.c.identifier)
            .where(facts.c.performance_id == performance_id)
            .distinct()
            .subquery()
        )
        rows = await self._connection.execute(
            select(tickets.c.identifier, tickets.c.class_id, _next_ordinal(tickets.c.identifier))
            .join(spoken_of, tickets.c.identifier == spoken_of.c.identifier)
            .join(ticket_classes, ticket_classes.c.id == tickets.c.class_id)
            .where(ticket_classes.c.performance_id == performance_id)
        )
        return {identifier: (class_id, length) for identifier, class_id, length in rows}


class Said:
    """What an import's tickets say besides class and state, on its way to be kept.

    Only what the file says itself counts: of a row that is repeated or another source's, nothing.
    """

    def __init__(self, connection: AsyncConnection, performance_id: str) -> None:
        self._connection = connection
        self._performance_id = performance_id

    async def count_changed(self) -> int:
        """Count the known tickets that say something else now, and change in nothing more."""
        if not await self._is_any():
            return 0
        rows = _restated().subquery()
        counted = await self._connection.scalar(
            select(func.count())
            .select_from(rows)
            .join(tickets, tickets.c.identifier == rows.c.identifier)
            .where(rows.c.identifier.not_in(select(differing.c.identifier).where(_is_change)))
        )
        return int(counted or 0)

    async def keep(self) -> None:
        """Keep what they say; the tickets themselves are there."""
        if not await self._is_any():
            return
        rows = _restated().subquery()
        await SqlPieces(self._connection).note(self._performance_id, select(rows.c.identifier))
        known = ticket_attributes.c.identifier
        await self._connection.execute(
            delete(ticket_attributes).where(known.in_(select(rows.c.identifier)))
        )
        await self._connection.execute(
            insert(ticket_attributes).from_select(
                ["identifier", "performance_id", "said"],
                select(rows.c.identifier, literal(self._performance_id), rows.c.said).order_by(
                    rows.c.identifier
                ),
            )
        )

    async def _is_any(self) -> bool:
        found = await self._connection.scalar(
            select(incoming.c.line).where(incoming.c.said.is_not(None)).limit(1)
        )
        return found is not None


def _restated() -> Select[Any]:
    """Give identifier and words of the tickets that say something else than is kept."""
    kept = ticket_attributes.alias("kept")
    return (
        select(incoming.c.identifier, incoming.c.said)
        .select_from(incoming.outerjoin(kept, kept.c.identifier == incoming.c.identifier))
        .where(
            incoming.c.said.is_not(None),
            incoming.c.class_place.is_not(None),
            incoming.c.line.not_in(select(differing.c.line).where(~_is_own)),
            incoming.c.said != func.coalesce(kept.c.said, literal(b"")),
        )
    )


_is_own: Final = ~(differing.c.is_repeated | differing.c.is_foreign)
_is_class_change: Final = _is_own & differing.c.has_other_class & ~differing.c.is_frozen
_is_state_change: Final = _is_own & differing.c.has_other_state
_is_change: Final = or_(_is_class_change, _is_state_change)


def _identifiers(rows: Select[Any]) -> Select[tuple[bytes]]:
    return select(rows.subquery().c.identifier)


def _repeated() -> Select[Any]:
    several = (
        select(incoming.c.identifier, func.min(incoming.c.line).label("first"))
        .where(incoming.c.class_place.is_not(None))
        .group_by(incoming.c.identifier)
        .having(func.count() > 1)
        .subquery()
    )
    no = literal(value=False)
    return (
        select(
            incoming.c.line,
            incoming.c.identifier,
            incoming_classes.c.class_id,
            incoming.c.state,
            literal(value=True),
            no,
            no,
            no,
            no,
        )
        .join(several, several.c.identifier == incoming.c.identifier)
        .join(incoming_classes, _IS_ITS_CLASS)
        .where(incoming.c.line != several.c.first)
    )


def _differing(source: Source) -> Select[Any]:
    """Give the rows whose ticket is known, but as another's or with another class or state."""
    is_foreign = tickets.c.source_id != source.id
    has_other_class = tickets.c.class_id != incoming_classes.c.class_id
    has_other_state = incoming.c.state != _source_state(tickets.c.identifier)
    has_passed = exists().where(
        facts.c.performance_id == source.performance_id,
        facts.c.identifier == tickets.c.identifier,
        facts.c.kind == "passage",
    )
    return (
        select(
            incoming.c.line,
            incoming.c.identifier,
            incoming_classes.c.class_id,
            incoming.c.state,
            literal(value=False),
            is_foreign,
            and_(~is_foreign, has_other_class, has_passed),
            has_other_class,
            has_other_state,
        )
        .join(tickets, tickets.c.identifier == incoming.c.identifier)
        .join(incoming_classes, _IS_ITS_CLASS)
        .where(
            incoming.c.line.not_in(select(differing.c.line)),
            or_(is_foreign, has_other_class, has_other_state),
        )
    )


def _source_state(identifier: ColumnElement[bytes]) -> ColumnElement[str]:
    """Give the source's last word on a ticket, whatever operators have said since."""
    return func.coalesce(
        select(_history.c.state)
        .where(_history.c.identifier == identifier, _history.c.origin == "source")
        .order_by(_history.c.ordinal.desc())
        .limit(1)
        .scalar_subquery(),
        TicketState.VALID.value,
    )


def _next_ordinal(identifier: ColumnElement[bytes]) -> ColumnElement[int]:
    return (
        select(func.coalesce(func.max(_history.c.ordinal), -1) + 1)
        .where(_history.c.identifier == identifier)
        .scalar_subquery()
    )


def _from(identifier: ColumnElement[bytes], now_us: int) -> ColumnElement[int]:
    """From now; never before the change before, should the clock have been set back."""
    last = (
        select(func.max(_history.c.from_us))
        .where(_history.c.identifier == identifier)
        .scalar_subquery()
    )
    return case((last > now_us, last), else_=literal(now_us))
