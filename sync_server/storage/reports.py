"""Figures for reports, read from the folds and the facts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, distinct, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.scan import Direction
from sync_server.report_ports import AnomalyRow, PassageRow
from sync_server.storage.facts import order_of
from sync_server.storage.tables import anomalies, facts, performances, refusals, ticket_folds

MINUTE_US: Final = 60_000_000
_PASSAGE: Final = tuple(facts.c[name] for name in PassageRow._fields)
_IS_OF_FACT: Final = (
    (anomalies.c.journal_id == facts.c.journal_id)
    & (anomalies.c.sequence == facts.c.sequence)
    & (anomalies.c.variant == facts.c.variant)
)


class SqlReports:
    """The `Reports` of `report_ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def occupancy(self, checkpoints: Sequence[str]) -> Mapping[str, int]:
        """Give the people inside, by checkpoint."""
        return await self._counts(
            ticket_folds.c.checkpoint_id, checkpoints, func.sum(ticket_folds.c.occupancy)
        )

    async def attendance(self, performance_ids: Sequence[str]) -> Mapping[str, int]:
        """Give the listed tickets with an unforgotten passage, by performance."""
        return await self._counts(
            ticket_folds.c.performance_id,
            performance_ids,
            func.count(distinct(ticket_folds.c.identifier)),
            ticket_folds.c.is_listed & ticket_folds.c.is_used,
        )

    async def listed(self, performance_ids: Sequence[str]) -> Mapping[str, int]:
        """Give the tickets of each performance's list as it is now."""
        rows = await self._connection.execute(
            select(performances.c.id, performances.c.listed).where(
                performances.c.id.in_(performance_ids)
            )
        )
        return {performance: int(count) for performance, count in rows}

    async def admitted(self, gates: Sequence[str]) -> Mapping[str, int]:
        """Give the passages and free crossings, by gate."""
        return await self._counts(
            facts.c.gate_id, gates, func.count(), facts.c.kind.in_(("passage", "free"))
        )

    async def refused_by_gate(self, gates: Sequence[str]) -> Mapping[str, int]:
        """Give the refusals, by gate."""
        return await self._counts(refusals.c.gate_id, gates, func.count())

    async def refused_by_performance(self, performance_ids: Sequence[str]) -> Mapping[str, int]:
        """Give the refusals of tickets, by performance."""
        return await self._counts(refusals.c.performance_id, performance_ids, func.count())

    async def refused_by_answer(self, checkpoints: Sequence[str]) -> Mapping[str, int]:
        """Give the refusals at some checkpoints, by answer."""
        rows = await self._connection.execute(
            select(refusals.c.answer, func.count())
            .where(refusals.c.checkpoint_id.in_(checkpoints))
            .group_by(refusals.c.answer)
        )
        return {answer: int(count) for answer, count in rows}

    async def last_passages(self, checkpoints: Sequence[str], limit: int) -> list[PassageRow]:
        """Give the last passages at some checkpoints, newest first."""
        found: list[PassageRow] = []
        for checkpoint in checkpoints:  # each from the end of its index
            rows = await self._connection.execute(
                select(*_PASSAGE)
                .where(facts.c.checkpoint_id == checkpoint, facts.c.kind == "passage")
                .order_by(facts.c.at_us.desc())
                .limit(limit)
            )
            found += [_passage(row) for row in rows]
        found.sort(key=_newest_first, reverse=True)
        return found[:limit]

    async def newest_anomalies(self, checkpoints: Sequence[str], limit: int) -> list[AnomalyRow]:
        """Give the last anomalies at some checkpoints, newest first."""
        rows = await self._connection.execute(
            select(*_PASSAGE, anomalies.c.reason)
            .join(anomalies, _IS_OF_FACT)
            .where(anomalies.c.checkpoint_id.in_(checkpoints))
            .order_by(facts.c.at_us.desc(), facts.c.journal_id.desc(), facts.c.sequence.desc())
            .limit(limit)
        )
        found = [(_passage(row), str(row[-1])) for row in rows]
        passages = await self._passages_of({_key(passage) for passage, _ in found})
        return [
            AnomalyRow(passage, reason, tuple(passages[_key(passage)])) for passage, reason in found
        ]

    async def anomalies(self, checkpoints: Sequence[str]) -> list[tuple[str, int, str]]:
        """Give (journal, sequence, reason) of all anomalies at some checkpoints, in fold order."""
        rows = await self._connection.execute(
            select(facts, anomalies.c.reason)
            .join(anomalies, _IS_OF_FACT)
            .where(anomalies.c.checkpoint_id.in_(checkpoints))
        )
        ordered = sorted((order_of(row), row.journal_id, row.sequence, row.reason) for row in rows)
        return [(journal, sequence, reason) for _, journal, sequence, reason in ordered]

    async def entries_per_minute(
        self, checkpoints: Sequence[str], since_us: int
    ) -> Mapping[int, int]:
        """Give the entries at some checkpoints, by start of the minute in microseconds."""
        minute = facts.c.at_us - facts.c.at_us % MINUTE_US
        rows = await self._connection.execute(
            select(minute, func.count())
            .where(
                facts.c.at_us >= since_us,
                facts.c.checkpoint_id.in_(checkpoints),
                facts.c.kind.in_(("passage", "free")),
                facts.c.direction == Direction.ENTRY.value,
            )
            .group_by(minute)
        )
        return {int(start): int(count) for start, count in rows}

    async def _counts(
        self,
        by: ColumnElement[Any],
        wanted: Sequence[str],
        what: ColumnElement[Any],
        condition: ColumnElement[bool] | None = None,
    ) -> dict[str, int]:
        query: Select[Any] = select(by, what).where(by.in_(wanted)).group_by(by)
        if condition is not None:
            query = query.where(condition)
        return {key: int(count) for key, count in await self._connection.execute(query)}

    async def _passages_of(
        self, keys: set[tuple[str, str, bytes]]
    ) -> Mapping[tuple[str, str, bytes], list[PassageRow]]:
        rows = await self._connection.execute(
            select(*_PASSAGE)
            .where(
                tuple_(facts.c.checkpoint_id, facts.c.performance_id, facts.c.identifier).in_(
                    sorted(keys)
                ),
                facts.c.kind == "passage",
            )
            .order_by(facts.c.at_us, facts.c.journal_id, facts.c.sequence, facts.c.variant)
        )
        passages = defaultdict(list)
        for row in rows:
            passage = _passage(row)
            passages[_key(passage)].append(passage)
        return passages


def _passage(row: Any) -> PassageRow:
    values = [row[place] for place in range(len(PassageRow._fields))]
    passage = PassageRow(*values)
    return passage._replace(direction=Direction(passage.direction))


def _newest_first(passage: PassageRow) -> tuple[int, str, int, int]:
    return (passage.at_us, passage.journal_id, passage.sequence, passage.variant)


def _key(passage: PassageRow) -> tuple[str, str, bytes]:
    return (passage.checkpoint_id, passage.performance_id, passage.identifier)
