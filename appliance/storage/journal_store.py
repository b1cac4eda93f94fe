"""The journal on disk: append-only, gap-free, hash-chained. One hop and one commit an append."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any, Final, Self

from admission import journal
from admission.errors import JournalError
from admission.journal import Kind, Record
from admission.sync.gate_side import Row
from appliance.errors import StorageError
from appliance.fault_codes import JOURNAL_FAULT
from appliance.storage.database import Database, Execute
from appliance.storage.written_journal import StoredJournal

CHECKED_RECORDS: Final = 2_000  # of the end; what is older was checked when it was the end
_PLACE_MAX: Final = (1 << 63) - 1
_TAIL: Final = (
    "SELECT sequence - ?1, chain, blob FROM journal WHERE sequence > ?1 "
    "ORDER BY sequence DESC LIMIT ?2"
)
_INSERT: Final = "INSERT INTO journal (sequence, kind, refers_to, chain, blob) VALUES "


@cache
def _insert(count: int) -> str:
    return _INSERT + ", ".join(["(?, ?, ?, ?, ?)"] * count)


class SqliteJournal:
    """Implements `ports.Journal`; `open` finds or begins the journal.

    Attributes:
        former: the journals before this one, the first first.
    """

    def __init__(self, database: Database, journal_id: str) -> None:
        """Use `open` instead; this leaves the head unread."""
        self.former: list[StoredJournal] = []
        self._database = database
        self._current = StoredJournal(database, journal_id, 0)
        self._writing = asyncio.Lock()
        self._head = Row(0, journal.genesis(journal_id), b"")
        self._hlc = 0
        self._in_doubt = True
        self._is_open = False
        self._tried: tuple[tuple[Record, ...], Row] | None = None
        self._found: list[tuple[Record, ...]] = []

    @classmethod
    async def open(cls, database: Database, new_id: str) -> Self:
        """Open the journal of a database, or begin one.

        Args:
            database: from `open_database`.
            new_id: for a journal that is begun now.

        Raises:
            StorageError: if the journal cannot be read.
        """
        store = cls(database, new_id)
        try:
            await database.execute_fetchall(
                "INSERT INTO identity (one, journal) VALUES (1, ?) ON CONFLICT DO NOTHING",
                (new_id,),
            )
            await store._read_head()
        except sqlite3.Error as exc:
            raise database.error("journal cannot be opened", exc) from exc
        return store

    @property
    def id(self) -> str:
        """The journal's id."""
        return self._current.id

    @property
    def current(self) -> StoredJournal:
        """The journal that is written, to be read."""
        return self._current

    @property
    def head(self) -> int:
        """Greatest sequence written."""
        return self._head.sequence

    @property
    def acknowledged(self) -> Row:
        """How far the server has it."""
        return self._current.acknowledged

    def is_own(self, journal_id: str) -> bool:
        """Tell whether this gate wrote a journal, now or before."""
        return journal_id == self.id or any(one.id == journal_id for one in self.former)

    async def append(self, *drafts: Record) -> tuple[Record, ...]:
        """Write records in one commit; see `ports.Journal.append`."""
        async with self._writing:
            try:
                if self._in_doubt:
                    await self._read_head()
                if (found := self._claimed(drafts)) is not None:
                    return found
                records, rows = self._place(drafts)
                base = self._current.base
                self._in_doubt = True  # until we know: an error or a cancel may come either way
                self._tried = records, rows[-1]
                await self._database.execute_fetchall(
                    _insert(len(rows)),
                    [
                        value
                        for record, row in zip(records, rows, strict=True)
                        for value in (
                            base + row.sequence,
                            record.kind,
                            base + record.refers_to if record.refers_to > 0 else 0,
                            row.chain,
                            row.blob,
                        )
                    ],
                )
            except sqlite3.Error as exc:
                raise self._database.error("journal cannot be written", exc) from exc
            self._head, self._hlc, self._in_doubt = rows[-1], records[-1].hlc, False
            self._tried = None
            return records

    async def found(self) -> list[Record]:
        """Give what appends left on the disk that failed, once; see `ports.Journal.found`."""
        async with self._writing:
            if self._in_doubt:
                try:
                    await self._read_head()
                except sqlite3.Error as exc:
                    raise self._database.error("journal cannot be read", exc) from exc
            found, self._found = self._found, []
            return [record for records in found for record in records]

    async def begin_anew(self, new_id: str, why: str, opening: Callable[[Row], Record]) -> Record:
        """Begin another journal, in one statement; see `ports.Journal.begin_anew`."""
        async with self._writing:
            try:
                if self._in_doubt:
                    await self._read_head()
                hlc = journal.next_hlc(self._hlc, (draft := opening(self._head)).wall_ms)
                record = journal.placed(draft, 1, hlc)
                blob = journal.encode(record)
                chain = journal.chain(journal.genesis(new_id), blob)
                self._in_doubt = True  # until we know, as in `append`
                await self._database.execute_fetchall(
                    "INSERT INTO beginnings (journal, chain, blob, why) VALUES (?, ?, ?, ?)",
                    (new_id, chain, blob, why),
                )
                await self._read_head()
            except sqlite3.Error as exc:
                raise self._database.error("no journal can be begun", exc) from exc
            return record

    async def rows(self, after: int, count_max: int) -> list[Row]:
        """Give the records that follow a sequence, in order."""
        return await self._current.rows(after, count_max)

    async def chain_at(self, sequence: int) -> bytes | None:
        """Give the chain value after a record; at 0 the genesis."""
        return await self._current.chain_at(sequence)

    async def acknowledge(self, sequence: int, chain: bytes) -> None:
        """Remember how far the server has the journal."""
        await self._current.acknowledge(sequence, chain)

    async def open_grants(self) -> list[Record]:
        """Give the grants whose end was never written: a crash came between."""
        found = await self._select(
            "SELECT blob FROM journal WHERE kind = ? AND sequence > ? AND sequence NOT IN "
            "(SELECT refers_to FROM journal WHERE refers_to > 0) ORDER BY sequence",
            (int(Kind.GRANTED), self._current.base),
        )
        return [_decoded(row[0]) for row in found]

    async def last_of(self, kind: Kind) -> Record | None:
        """Give the newest record of a kind; see `ports.Journal.last_of`."""
        found = await self._select(
            "SELECT blob FROM journal WHERE kind = ? ORDER BY sequence DESC LIMIT 1", (int(kind),)
        )
        return _decoded(found[0][0]) if found else None

    async def facts(self) -> list[Record]:
        """Give every record of this journal that states a fact, in order."""
        return await self._facts(self._current.base, _PLACE_MAX)

    async def all_facts(self) -> list[tuple[str, Record]]:
        """Give the same of the journals before, too, each with its journal's id."""
        former = [
            (one.id, record)
            for one in self.former
            for record in await self._facts(one.base, one.base + (one.head or 0))
        ]
        strays = await self._select("SELECT journal, blob FROM stray_facts", ())
        former += [(name, _decoded(blob)) for name, blob in strays]
        return [*former, *((self.id, record) for record in await self.facts())]

    async def _facts(self, after: int, last: int) -> list[Record]:
        found = await self._select(
            "SELECT blob FROM journal WHERE sequence > ? AND sequence <= ? "
            "AND kind IN (?, ?, ?) ORDER BY sequence",
            (after, last, int(Kind.PASSED), int(Kind.RESET), int(Kind.FREE)),
        )
        return [_decoded(row[0]) for row in found]

    async def check(self, execute: Execute | None = None) -> None:
        """Check the end of what is on the disk: no gap, each link of the chain, and no step back.

        Args:
            execute: reads the file; by default the database that is in use.

        Raises:
            StorageError: if it is not what this journal has acknowledged.
            sqlite3.Error: if it cannot be read.
        """
        read = execute or self._database.execute_fetchall
        ((own_id, base),) = await read("SELECT journal, base FROM identity", ())
        rows = [Row(*row) for row in await read(_TAIL, (base, CHECKED_RECORDS))][::-1]
        head = rows[-1].sequence if rows else 0
        if own_id == self.id and head < self._head.sequence:
            raise _damaged(f"it ends at {head}, {self._head.sequence} was acknowledged")
        if rows and rows[0].sequence == 1:
            rows.insert(0, Row(0, journal.genesis(own_id), b""))
        for before, row in pairwise(rows):
            if row.sequence != before.sequence + 1:
                raise _damaged(f"record {before.sequence + 1} is missing")
            if row.chain != journal.chain(before.chain, row.blob):
                raise _damaged(f"record {row.sequence} was altered")
        self._in_doubt = True

    def _claimed(self, drafts: tuple[Record, ...]) -> tuple[Record, ...] | None:
        """Give the records of an append that failed and is on the disk all the same, if so."""
        for records in self._found:
            first = records[0].sequence
            if len(records) == len(drafts) and all(
                journal.placed(draft, first + place, record.hlc) == record
                for place, (draft, record) in enumerate(zip(drafts, records, strict=True))
            ):
                self._found.remove(records)
                return records
        return None

    def _place(self, drafts: tuple[Record, ...]) -> tuple[tuple[Record, ...], list[Row]]:
        sequence, chain, _ = self._head
        hlc = self._hlc
        records, rows = [], []
        for draft in drafts:
            sequence += 1
            hlc = journal.next_hlc(hlc, draft.wall_ms)
            record = journal.placed(draft, sequence, hlc)
            blob = journal.encode(record)
            chain = journal.chain(chain, blob)
            records.append(record)
            rows.append(Row(sequence, chain, blob))
        return tuple(records), rows

    async def _read_head(self) -> None:
        """Find out which journal is written, and how far; the disk alone knows after a doubt."""
        fetch = self._database.execute_fetchall
        ((own_id, base),) = await fetch("SELECT journal, base FROM identity")
        if own_id != self.id or base != self._current.base or not self._is_open:
            await self._read_journals(own_id, base)
        found = list(
            await fetch(
                "SELECT sequence - ?, chain, blob FROM journal WHERE sequence > ? "
                "ORDER BY sequence DESC LIMIT 1",
                (base, base),
            )
        )
        self._head = Row(*found[0]) if found else Row(0, journal.genesis(own_id), b"")
        if found:
            self._hlc = _decoded(self._head.blob).hlc
        if self._tried is not None and self._tried[1] == self._head:
            self._found.append(self._tried[0])
        self._tried, self._in_doubt, self._is_open = None, False, True

    async def _read_journals(self, own_id: str, base: int) -> None:
        fetch = self._database.execute_fetchall
        acked = [
            Row(sequence, chain, b"")
            for sequence, chain in await fetch("SELECT sequence, chain FROM acknowledged")
        ]
        before = {one.id: one for one in (*self.former, self._current)}
        self._current = StoredJournal(self._database, own_id, base, *acked)
        former = await fetch(
            "SELECT journal, base, head, acknowledged, acknowledged_chain, why "
            "FROM former_journals ORDER BY base"
        )
        self.former = []
        for name, begun, head, sequence, chain, why in former:
            one = before.get(name) or StoredJournal(self._database, name, begun)
            one.base, one.head, one.why = begun, head, why
            if sequence:
                one.acknowledged = Row(sequence, chain, b"")
            self.former.append(one)

    async def _select(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        return await self._database.run("journal cannot be used", sql, values)


def _decoded(blob: bytes) -> Record:
    try:
        return journal.decode(blob)
    except JournalError as exc:
        raise _damaged(str(exc)) from exc


def _damaged(what: str) -> StorageError:
    return StorageError(f"journal is damaged: {what}; keep it, and begin a new one", JOURNAL_FAULT)
