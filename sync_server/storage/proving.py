"""Issuers, rotating codes and blocked numbers, in the database."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.journal import Flag, class_code, class_of
from admission.proof.proving import ClassCode, Issuer, IssuerFormat
from admission.proof.rotation import Rotation
from admission.reconcile import StateChange
from admission.ticket import TicketState
from sync_server.entities import instant
from sync_server.proving_ports import KnownIssuer
from sync_server.storage.list_pieces import SqlPieces
from sync_server.storage.tables import (
    facts,
    issuers,
    number_blocks,
    rotations,
    ticket_classes,
    tickets,
)

_T = TypeVar("_T")
_AT_ONCE: Final = 500  # bound parameters of one query
_BATCH: Final = 10_000
_NEWEST: Final = (
    select(number_blocks.c.identifier, func.max(number_blocks.c.ordinal).label("ordinal"))
    .group_by(number_blocks.c.identifier)
    .subquery()
)


class SqlProving:
    """The `Proving` of `proving_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_issuer(self, known: KnownIssuer) -> None:
        """Keep a new one."""
        issuer = known.issuer
        await self._connection.execute(
            insert(issuers).values(
                id=known.id,
                performance_id=known.performance_id,
                format=issuer.format.value,
                public_key=issuer.public_key,
                classes=[[*code, *class_code(one)] for code, one in issuer.classes.items()],
                subevents=None if issuer.subevents is None else sorted(issuer.subevents),
                accepted=known.accepted,
                created_ms=known.created_ms,
            )
        )
        await self._note(known.performance_id, true())  # it may say of which class they are

    async def issuers(self, performance_id: str) -> list[KnownIssuer]:
        """Give a performance's, oldest first, those no longer accepted too."""
        rows = await self._connection.execute(
            select(issuers)
            .where(issuers.c.performance_id == performance_id)
            .order_by(issuers.c.created_ms, issuers.c.id)
        )
        return [_known(row) for row in rows]

    async def withdraw_issuer(self, issuer_id: str) -> None:
        """Note that one is no longer accepted."""
        await self._connection.execute(
            update(issuers).where(issuers.c.id == issuer_id).values(accepted=False)
        )

    async def rotation(self, performance_id: str) -> Rotation | None:
        """Give a performance's rotating codes, or None."""
        rows = await self._connection.execute(
            select(rotations).where(rotations.c.performance_id == performance_id)
        )
        row = rows.one_or_none()
        if row is None:
            return None
        return Rotation(row.pattern, row.period_ms, tuple(row.lengths), row.allows_static)

    async def save_rotation(self, performance_id: str, rotation: Rotation | None) -> None:
        """Replace a performance's rotating codes; None ends them."""
        await self._connection.execute(
            delete(rotations).where(rotations.c.performance_id == performance_id)
        )
        if rotation is not None:
            await self._connection.execute(
                insert(rotations).values(
                    performance_id=performance_id,
                    pattern=rotation.pattern,
                    period_ms=rotation.period_ms,
                    lengths=list(rotation.lengths),
                    allows_static=rotation.allows_static,
                )
            )

    async def block(
        self,
        performance_id: str,
        numbers: Sequence[tuple[bytes, str]],
        now_us: int,
        *,
        blocked: bool,
    ) -> list[bytes]:
        """Block numbers, or release them, from now on; give those of which that was news."""
        changed: list[bytes] = []
        for some in _chunks(numbers):
            last = await self._last([identifier for identifier, _ in some])
            rows = []
            for identifier, number in some:
                before = last.get(identifier)
                if blocked is (before is not None and before.blocked):
                    continue
                rows.append(
                    {
                        "identifier": identifier,
                        "ordinal": 0 if before is None else before.ordinal + 1,
                        "performance_id": performance_id,
                        "number": number,
                        "from_us": now_us if before is None else max(now_us, before.from_us),
                        "blocked": blocked,
                    }
                )
            if rows:
                await self._connection.execute(insert(number_blocks), rows)
                news = [row["identifier"] for row in rows if isinstance(row["identifier"], bytes)]
                changed += news
                await self._note(performance_id, number_blocks.c.identifier.in_(news))
        return changed

    async def _note(self, performance_id: str, which: ColumnElement[bool]) -> None:
        """Have the next list look at blocked numbers again."""
        found = select(number_blocks.c.identifier).where(
            number_blocks.c.performance_id == performance_id, which
        )
        await SqlPieces(self._connection).note(performance_id, found.distinct())

    async def _last(self, identifiers: Sequence[bytes]) -> dict[bytes, Row[Any]]:
        rows = await self._connection.execute(
            select(number_blocks)
            .where(number_blocks.c.identifier.in_(identifiers))
            .order_by(number_blocks.c.ordinal)
        )
        return {row.identifier: row for row in rows}

    async def blocks(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Mapping[bytes, Sequence[StateChange]]:
        """Give when each of some numbers was blocked and released, in order of time."""
        found: defaultdict[bytes, list[StateChange]] = defaultdict(list)
        for some in _chunks(identifiers):
            rows = await self._connection.execute(
                select(number_blocks)
                .where(
                    number_blocks.c.performance_id == performance_id,
                    number_blocks.c.identifier.in_(some),
                )
                .order_by(number_blocks.c.identifier, number_blocks.c.ordinal)
            )
            for row in rows:
                state = TicketState.BLOCKED if row.blocked else TicketState.VALID
                found[row.identifier].append(StateChange(instant(row.from_us), state))
        return found

    async def blocked(self, performance_id: str) -> list[tuple[bytes, str]]:
        """Give the numbers that are blocked now and that no list holds."""
        is_newest = (number_blocks.c.identifier == _NEWEST.c.identifier) & (
            number_blocks.c.ordinal == _NEWEST.c.ordinal
        )
        rows = await self._connection.execute(
            select(number_blocks.c.identifier, number_blocks.c.number)
            .join(_NEWEST, is_newest)
            .outerjoin(tickets, tickets.c.identifier == number_blocks.c.identifier)
            .where(
                number_blocks.c.performance_id == performance_id,
                number_blocks.c.blocked,
                tickets.c.identifier.is_(None),
            )
            .order_by(number_blocks.c.identifier)
        )
        return [(identifier, number) for identifier, number in rows]

    async def listed_among(self, identifiers: Sequence[bytes]) -> int:
        """Tell how many of some identifiers are tickets of a list."""
        count = 0
        for some in _chunks(identifiers):
            found = await self._connection.scalar(
                select(func.count()).select_from(tickets).where(tickets.c.identifier.in_(some))
            )
            count += int(found or 0)
        return count

    async def proven(self, performance_id: str) -> list[bytes]:
        """Give the identifiers of which a gate says that they proved themselves."""
        rows = await self._connection.scalars(
            select(facts.c.identifier)
            .where(
                facts.c.performance_id == performance_id,
                facts.c.flags.bitwise_and(int(Flag.PROVEN)) != 0,
            )
            .distinct()
        )
        return list(rows)

    async def numbers(self, performance_id: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """Yield (number, identifier) of a performance's tickets, in batches."""
        stream = await self._connection.stream(
            select(tickets.c.number, tickets.c.identifier)
            .join(ticket_classes, ticket_classes.c.id == tickets.c.class_id)
            .where(ticket_classes.c.performance_id == performance_id)
            .order_by(tickets.c.identifier)
        )
        async for part in stream.partitions(_BATCH):
            yield [(number, identifier) for number, identifier in part]


def _known(row: Row[Any]) -> KnownIssuer:
    classes = {
        ClassCode(code, variation): class_of((category, mode, total, per_day))
        for code, variation, category, mode, total, per_day in row.classes
    }
    subevents = None if row.subevents is None else frozenset(row.subevents)
    issuer = Issuer(IssuerFormat(row.format), row.public_key, classes, subevents)
    return KnownIssuer(row.id, row.performance_id, issuer, row.accepted, row.created_ms)


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
