"""Others' journals on disk, in a file of their own: what is in it is a copy, the gate's own is not.

So that file may be begun anew where it is damaged, need not sync each commit, has a thread of its
own that no grant waits for, and stops growing before it takes the room of the gate's own journal.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

from admission import journal
from admission.errors import JournalError
from admission.journal import Kind
from admission.sync.gate_side import Row
from admission.sync.messages import Seal
from admission.sync.peer import Held, Taken
from appliance.errors import StorageError
from appliance.peer_ports import SealedRows
from appliance.storage.faults import storage_error

CARRIED_BYTES_MAX: Final = 1 << 30  # some four million records
FREE_BYTES_MIN: Final = 256 << 20  # left to the gate's own journal, and to all else
_SCHEMA: Final = 1
_FACTS_AT_ONCE: Final = 500
_DAMAGED: Final = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_PRAGMAS: Final = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -2048;
"""

T = TypeVar("T")


class SqliteCarried:
    """Implements `peer_ports.CarriedStore`. Use `open_carried`."""

    def __init__(
        self, path: Path, thread: ThreadPoolExecutor, bytes_max: int, free_bytes_min: int
    ) -> None:
        """Take where it lies; `open_carried` opens it."""
        self._path = path
        self._thread = thread
        self._bytes_max = bytes_max
        self._free_bytes_min = free_bytes_min
        self._connection: sqlite3.Connection

    async def held(self) -> list[Held]:
        """Give how far each journal is held."""
        rows = await self._run(
            lambda: self._all(
                "SELECT j.journal, j.gate, r.sequence, r.chain FROM journals j JOIN records r "
                "ON r.journal = j.id AND r.sequence = "
                "(SELECT MAX(sequence) FROM records WHERE journal = j.id) ORDER BY j.journal"
            )
        )
        return [Held(*row) for row in rows]

    async def keep(self, taken: Taken) -> None:
        """Keep a piece that continues what is held, whole or not at all."""
        kinds = [_kind(row.blob) for row in taken.rows]
        await self._run(lambda: self._keep(taken, kinds))

    async def following(self, journal: str, after: int, count_max: int) -> SealedRows | None:
        """Give what follows, up to the last seal within so many records."""
        return await self._run(lambda: self._following(journal, after, count_max))

    async def chain_at(self, journal_id: str, sequence: int) -> bytes | None:
        """Give the chain value after a record; at 0 the genesis."""
        if sequence == 0:
            return journal.genesis(journal_id)
        rows = await self._run(
            lambda: self._all(
                "SELECT r.chain FROM records r JOIN journals j ON j.id = r.journal "
                "WHERE j.journal = ? AND r.sequence = ?",
                (journal_id, sequence),
            )
        )
        return rows[0][0] if rows else None

    async def facts(self) -> AsyncIterator[tuple[str, list[bytes]]]:
        """Give the records of each journal that state facts, some at a time."""
        for number, name in await self._run(lambda: self._all("SELECT id, journal FROM journals")):
            after = 0
            while rows := await self._run(partial(self._facts, number, after)):
                yield name, [blob for _, blob in rows]
                after = rows[-1][0]

    async def revoked(self) -> list[str]:
        """Give the ids of the gates that the server had revoked."""
        rows = await self._run(lambda: self._all("SELECT gate FROM revoked ORDER BY gate"))
        return [gate for (gate,) in rows]

    async def keep_revoked(self, gates: Collection[str]) -> None:
        """Keep them, in the place of those of before."""
        await self._run(lambda: self._keep_revoked([(gate,) for gate in gates]))

    async def has_room(self) -> bool:
        """Tell whether more may be kept."""
        return await self._run(self._has_room)

    def open(self) -> None:
        """Open the file, in its thread; a damaged one is moved aside and begun anew."""
        try:
            self._connection = self._opened()
        except sqlite3.DatabaseError as exc:
            if (getattr(exc, "sqlite_errorcode", 0) & 0xFF) not in _DAMAGED:
                raise
            self._path.replace(self._path.with_suffix(".damaged"))
            for ending in ("-wal", "-shm"):
                Path(f"{self._path}{ending}").unlink(missing_ok=True)
            self._connection = self._opened()

    def close(self) -> None:
        """Close the file, in its thread."""
        self._connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=2.0)
        try:
            connection.executescript(_PRAGMAS)
            (installed,) = connection.execute("PRAGMA user_version").fetchone()
            if installed < _SCHEMA:
                script = resources.files("appliance.storage") / "schema" / "carried.sql"
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{script.read_text('utf-8')}\n"
                    f"PRAGMA user_version = {_SCHEMA};\nCOMMIT;"
                )
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _keep(self, taken: Taken, kinds: list[int]) -> None:
        connection, seal = self._connection, taken.seal
        with _transaction(connection):
            connection.execute(
                "INSERT INTO journals (journal, gate) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (taken.journal, seal.gate),
            )
            connection.execute(
                "INSERT INTO certificates (envelope) VALUES (?) ON CONFLICT DO NOTHING",
                (taken.envelope,),
            )
            ((number, last),) = connection.execute(
                "SELECT id, (SELECT MAX(sequence) FROM records WHERE journal = id) "
                "FROM journals WHERE journal = ?",
                (taken.journal,),
            ).fetchall()
            if taken.rows[0].sequence != (last or 0) + 1:
                raise StorageError(f"journal {taken.journal}: a gap after {last}")
            connection.executemany(
                "INSERT INTO records (journal, sequence, kind, chain, blob) VALUES (?, ?, ?, ?, ?)",
                [
                    (number, row.sequence, kind, row.chain, row.blob)
                    for row, kind in zip(taken.rows, kinds, strict=True)
                ],
            )
            connection.execute(
                "INSERT INTO seals (journal, sequence, signature, certificate) "
                "SELECT ?, ?, ?, id FROM certificates WHERE envelope = ?",
                (number, seal.sequence, seal.signature, taken.envelope),
            )

    def _keep_revoked(self, rows: list[tuple[str]]) -> None:
        with _transaction(self._connection):
            self._connection.execute("DELETE FROM revoked")
            self._connection.executemany("INSERT INTO revoked (gate) VALUES (?)", rows)

    def _following(self, name: str, after: int, count_max: int) -> SealedRows | None:
        found = self._all(
            "SELECT j.id, j.gate, s.sequence, s.signature, c.envelope FROM journals j "
            "JOIN seals s ON s.journal = j.id JOIN certificates c ON c.id = s.certificate "
            "WHERE j.journal = ? AND s.sequence > ? AND s.sequence <= ? "
            "ORDER BY s.sequence DESC LIMIT 1",
            (name, after, after + count_max),
        )
        if not found:
            return None
        number, gate, last, signature, envelope = found[0]
        rows = [
            Row(*row)
            for row in self._all(
                "SELECT sequence, chain, blob FROM records WHERE journal = ? AND sequence > ? "
                "AND sequence <= ? ORDER BY sequence",
                (number, after, last),
            )
        ]
        return SealedRows(rows, Seal(gate, name, last, rows[-1].chain, signature), envelope)

    def _facts(self, number: int, after: int) -> list[tuple[Any, ...]]:
        return self._all(
            "SELECT sequence, blob FROM records WHERE journal = ? AND sequence > ? "
            "AND kind IN (?, ?, ?) ORDER BY sequence LIMIT ?",
            (number, after, int(Kind.PASSED), int(Kind.RESET), int(Kind.FREE), _FACTS_AT_ONCE),
        )

    def _has_room(self) -> bool:
        try:
            used = self._path.stat().st_size
            disk = os.statvfs(self._path)
        except OSError as exc:
            raise StorageError(f"{self._path}: {exc.strerror}") from exc
        free = disk.f_bavail * disk.f_frsize
        return used < self._bytes_max and free >= self._free_bytes_min

    def _all(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as exc:
            raise storage_error(f"{self._path}: what is carried for others", exc) from exc


@asynccontextmanager
async def open_carried(
    path: Path, *, bytes_max: int = CARRIED_BYTES_MAX, free_bytes_min: int = FREE_BYTES_MIN
) -> AsyncIterator[SqliteCarried]:
    """Open what is carried for others, and close it in the end.

    Args:
        path: of the file; made if missing.
        bytes_max: at which it stops growing.
        free_bytes_min: of the disk, at which it stops growing.

    Raises:
        StorageError: if it cannot be opened.
    """
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, "carried")
    store = SqliteCarried(path, thread, bytes_max, free_bytes_min)
    try:
        try:
            await loop.run_in_executor(thread, store.open)
        except sqlite3.Error as exc:
            raise storage_error(f"{path}: cannot be opened", exc) from exc
        except OSError as exc:
            raise StorageError(f"{path}: cannot be moved aside: {exc.strerror}") from exc
        try:
            yield store
        finally:
            await loop.run_in_executor(thread, store.close)
    finally:
        thread.shutdown()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # whatever broke is raised, not this
            connection.execute("ROLLBACK")
        raise


def _kind(blob: bytes) -> int:
    """Give what a record states; 0 for one that nobody can read, which is carried all the same."""
    try:
        return journal.decode(blob).kind
    except JournalError:
        return 0
