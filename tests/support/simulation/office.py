"""The server's database before a run, and the lists that are published while it goes on.

Made once a process and copied for each run; the tables and their steps are the server's own.
"""

from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert
from sqlalchemy.pool import StaticPool

from admission.journal import class_of
from admission.scan import Direction
from admission.ticket import TicketClass, TicketState
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import ClassRow
from appliance.simulator.box_office import BoxOffice, ListedNumber, SignedList
from simulation.machine import put_in_place
from simulation.plan import CHECKPOINTS, SHOWS, Plan
from simulation.scheduler import Cut, finish
from sync_server.entities import Checkpoint, Event, Gate, Organization, Performance, Venue
from sync_server.storage.database import migrate
from sync_server.storage.tables import tickets
from sync_server.storage.transaction import SqlTransaction

GATES_MAX: Final = 12


class _Connection:
    """What the stores ask of an asynchronous connection, done at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, *arguments: Any) -> Any:
        return self._connection.execute(*arguments)

    async def scalar(self, *arguments: Any) -> Any:
        return self._connection.scalar(*arguments)

    async def scalars(self, *arguments: Any) -> Any:
        return self._connection.scalars(*arguments)


class Database:
    """The server's database in memory; a transaction that is cut off leaves nothing behind.

    Attributes:
        cut_before_commit: the server dies at the end of its next writing transaction.
        cut_after_commit: it dies just after it.
    """

    def __init__(self) -> None:
        self.cut_before_commit = self.cut_after_commit = False
        self._engine = _engine()
        self.restore(_venue())

    @asynccontextmanager
    async def write(self) -> Any:
        """Open the writing transaction; the server may die at its end, on either side of it."""
        with self._engine.begin() as connection:
            yield SqlTransaction(_Connection(connection))  # type: ignore[arg-type]
            if self.cut_before_commit:
                raise Cut
        if self.cut_after_commit:
            raise Cut

    @asynccontextmanager
    async def read(self) -> Any:
        """Open a view."""
        with self._engine.begin() as connection:
            yield SqlTransaction(_Connection(connection))  # type: ignore[arg-type]

    def backup(self) -> bytes:
        """Copy it."""
        content: bytes = _raw(self._engine).serialize()
        return content

    def restore(self, content: bytes) -> None:
        """Put a copy in its place."""
        put_in_place(content, _raw(self._engine))

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Look at it, past the server."""
        return list(_raw(self._engine).execute(sql, values).fetchall())


def _raw(engine: Engine) -> Any:
    return engine.raw_connection().driver_connection


@cache
def _engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)

    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", lambda one: one.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


@cache
def _venue() -> bytes:
    with _engine().begin() as connection:
        migrate(connection)
        finish(_furnish(SqlTransaction(_Connection(connection))))  # type: ignore[arg-type]
    content: bytes = _raw(_engine()).serialize()
    return content


async def _furnish(transaction: SqlTransaction) -> None:
    await transaction.organizations.add_organization(Organization("root", None, "Root"))
    await transaction.organizations.add_venue(Venue("venue", "root", "Hall", "UTC"))
    await transaction.organizations.add_event(Event("event", "root", "venue", "Show"))
    for name in SHOWS:
        await transaction.performances.add_performance(_performance(name))
        await transaction.tickets.add_source(name, "file", "tickets")
    for name, shows in CHECKPOINTS.items():
        checkpoint = Checkpoint(name, "venue", name, None, None, shows)
        await transaction.checkpoints.add_checkpoint(checkpoint)
    for place in range(GATES_MAX):
        name, where = gate_name(place), checkpoint_of(place)
        await transaction.gates.add_gate(Gate(name, "venue", name, where, Direction.ENTRY))


def gate_name(place: int) -> str:
    """Name a gate."""
    return f"gate-{place}"


def checkpoint_of(place: int) -> str:
    """Give where a gate works: two of three at the hall, so that they meet."""
    return "house" if place % 3 == 2 else "hall"


def _performance(name: str) -> Performance:
    return Performance(
        id=name,
        event_id="event",
        name=name,
        starts_ms=None,
        timezone="UTC",
        day_starts_at="00:00",
        excluded_categories=(),
        admits_from_us=None,
        admits_until_us=None,
        canceled=False,
        list_key=BoxOffice.list_key(name),
    )


@cache
def box_office() -> BoxOffice:
    """Whoever signs, in every run."""
    return BoxOffice()


class Lists:
    """What is published.

    Attributes:
        now: the newest list by performance.
        all: every version so far, oldest first.
        states: of every listed ticket, by performance and number.
        signed_states: the same, by performance and version.
    """

    def __init__(self, plan: Plan) -> None:
        self._rows = {one.number: one.row for one in plan.tickets}
        self.now: dict[str, SignedList] = {}
        self.all: dict[str, list[SignedList]] = {}
        self.states: dict[str, dict[str, TicketState]] = {}
        self.signed_states: dict[tuple[str, int], dict[str, TicketState]] = {}
        for name in SHOWS:
            self.states[name] = {
                one.number: TicketState.VALID
                for one in plan.tickets
                if one.show == name and one.is_listed
            }
            listed = [self._listed(name, number) for number in self.states[name]]
            self._publish(name, box_office().draw_up(name, listed))

    async def write(self, database: "Database") -> None:
        """Write the tickets into the server's database, as an import does."""
        async with database.write() as transaction:
            for name in SHOWS:
                numbers = list(self.states[name])
                rows = [self.class_of(number) for number in numbers]
                keys = await transaction.tickets.class_keys(name, rows)
                (source,) = await transaction.tickets.sources(name)
                values = [
                    {
                        "identifier": identifier_of(name, number),
                        "source_id": source.id,
                        "class_id": key,
                        "number": number,
                    }
                    for number, key in zip(numbers, keys, strict=True)
                ]
                if values:
                    await transaction.connection.execute(insert(tickets), values)

    def change(self, name: str, number: str, state: TicketState) -> bool:
        """Publish another state of a ticket; tell whether that is one."""
        if self.states[name].get(number, state) is state:
            return False
        self.states[name][number] = state
        self._publish(name, box_office().update(self.now[name], [self._listed(name, number)]))
        return True

    def _publish(self, name: str, signed: SignedList) -> None:
        self.now[name] = signed
        self.all.setdefault(name, []).append(signed)
        self.signed_states[name, signed.manifest.version] = dict(self.states[name])

    def _listed(self, name: str, number: str) -> ListedNumber:
        return ListedNumber(number, self.row_of(number), self.states[name][number])

    def row_of(self, number: str) -> ClassRow:
        """Give a ticket's class, as a list says it."""
        return self._rows[number]

    def class_of(self, number: str) -> TicketClass:
        """Give a ticket's class, as the rules know it."""
        row = self._rows[number]
        return class_of((row.category, row.mode, row.total, row.per_day))


def identifier_of(name: str, number: str) -> bytes:
    """Give a ticket's identifier."""
    return identify(BoxOffice.list_key(name), number)
