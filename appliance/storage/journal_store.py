"""The journal on disk: append-only, gap-free, hash-chained. One hop and one commit an append."""

import asyncio
import sqlite3
from functools import cache
from typing import Any, Final, Self

import aiosqlite

from admission import journal
from admission.errors import JournalError
from admission.journal import Kind, Record
from admission.sync.gate_side import Row
from appliance.errors import StorageError
from appliance.storage.faults import storage_error

_INSERT: Final = "INSERT INTO journal (sequence, kind, refers_to, chain, blob) VALUES "


@cache
def _insert(count: int) -> str:
    return _INSERT + ", ".join(["(?, ?, ?, ?, ?)"] * count)


class SqliteJournal:
    """Implements `ports.Journal`; `open` finds or begins the journal."""

    def __init__(self, connection: aiosqlite.Connection, journal_id: str) -> None:
        """Use `open` instead; this leaves the head unread."""
        self._connection = connection
        self._id = journal_id
        self._writing = asyncio.Lock()
        self._head = Row(0, journal.genesis(journal_id), b"")
        self._hlc = 0
        self._acknowledged = self._head
        self._in_doubt = True

    @classmethod
    async def open(cls, connection: aiosqlite.Connection, new_id: str) -> Self:
        """Open the journal of a database, or begin one.

        Args:
            connection: from `open_database`.
            new_id: for a journal that is begun now.

        Raises:
            StorageError: if the journal cannot be read.
        """
        try:
            await connection.execute_fetchall(
                "INSERT INTO identity (one, journal) VALUES (1, ?) ON CONFLICT DO NOTHING",
                (new_id,),
            )
            rows = list(await connection.execute_fetchall("SELECT journal FROM identity"))
            store = cls(connection, rows[0][0])
            await store._read_head()
            acked = list(
                await connection.execute_fetchall("SELECT sequence, chain FROM acknowledged")
            )
        except sqlite3.Error as exc:
            raise storage_error("journal cannot be opened", exc) from exc
        if acked:
            store._acknowledged = Row(acked[0][0], acked[0][1], b"")
        return store

    @property
    def id(self) -> str:
        """The journal's id."""
        return self._id

    @property
    def head(self) -> int:
        """Greatest sequence written."""
        return self._head.sequence

    @property
    def acknowledged(self) -> Row:
        """How far the server has it."""
        return self._acknowledged

    async def append(self, *drafts: Record) -> tuple[Record, ...]:
        """Write records in one commit; see `ports.Journal.append`."""
        async with self._writing:
            try:
                if self._in_doubt:
                    await self._read_head()
                records, rows = self._place(drafts)
                self._in_doubt = True  # until we know: an error or a cancel may come either way
                await self._connection.execute_fetchall(
                    _insert(len(rows)),
                    [
                        value
                        for record, row in zip(records, rows, strict=True)
                        for value in (
                            row.sequence,
                            record.kind,
                            record.refers_to,
                            row.chain,
                            row.blob,
                        )
                    ],
                )
            except sqlite3.Error as exc:
                raise storage_error("journal cannot be written", exc) from exc
            self._head, self._hlc, self._in_doubt = rows[-1], records[-1].hlc, False
            return records

    async def rows(self, after: int, count_max: int) -> list[Row]:
        """Give the records that follow a sequence, in order."""
        found = await self._select(
            "SELECT sequence, chain, blob FROM journal WHERE sequence > ? "
            "ORDER BY sequence LIMIT ?",
            (after, count_max),
        )
        return [Row(*row) for row in found]

    async def chain_at(self, sequence: int) -> bytes | None:
        """Give the chain value after a record; at 0 the genesis."""
        if sequence == 0:
            return journal.genesis(self._id)
        found = await self._select("SELECT chain FROM journal WHERE sequence = ?", (sequence,))
        return found[0][0] if found else None

    async def acknowledge(self, sequence: int, chain: bytes) -> None:
        """Remember how far the server has the journal."""
        await self._select(
            "INSERT INTO acknowledged (one, sequence, chain) VALUES (1, ?, ?) "
            "ON CONFLICT (one) DO UPDATE SET sequence = excluded.sequence, chain = excluded.chain",
            (sequence, chain),
        )
        self._acknowledged = Row(sequence, chain, b"")

    async def open_grants(self) -> list[Record]:
        """Give the grants whose end was never written: a crash came between."""
        found = await self._select(
            "SELECT blob FROM journal WHERE kind = ? AND sequence NOT IN "
            "(SELECT refers_to FROM journal WHERE refers_to > 0) ORDER BY sequence",
            (int(Kind.GRANTED),),
        )
        return [_decoded(row[0]) for row in found]

    async def facts(self) -> list[Record]:
        """Give every record that states a fact, in order."""
        found = await self._select(
            "SELECT blob FROM journal WHERE kind IN (?, ?, ?) ORDER BY sequence",
            (int(Kind.PASSED), int(Kind.RESET), int(Kind.FREE)),
        )
        return [_decoded(row[0]) for row in found]

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
        found = list(
            await self._connection.execute_fetchall(
                "SELECT sequence, chain, blob FROM journal ORDER BY sequence DESC LIMIT 1"
            )
        )
        if found:
            self._head = Row(*found[0])
            self._hlc = _decoded(self._head.blob).hlc
        self._in_doubt = False

    async def _select(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return [tuple(row) for row in await self._connection.execute_fetchall(sql, values)]
        except sqlite3.Error as exc:
            raise storage_error("journal cannot be used", exc) from exc


def _decoded(blob: bytes) -> Record:
    try:
        return journal.decode(blob)
    except JournalError as exc:
        raise StorageError(f"journal is damaged: {exc}; keep it, and begin a new one") from exc
