"""What is left of a damaged database: kept as evidence, read as far as it can be, and gone on from.

Called by `main` while nothing of it is open. A new file gets every journal up to its first break,
and a new journal after them that names the one that was written. What can still be read behind a
break is kept for judging only. All else is taken over row by row, as far as it can be read; what
cannot comes from the server again.

Steps, so that a power cut between any two of them loses nothing: the new file is written whole
beside the old one, renamed to say so, the old one set aside, the new one put in its place.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from admission import journal
from admission.errors import JournalError
from admission.journal import Flag, Kind, Record
from admission.sync.gate_side import Row
from appliance.storage.database import APPLICATION_ID, scripts
from appliance.storage.faults import file_error, storage_error

log = logging.getLogger(__name__)

DAMAGED: Final = "damaged"  # why a journal was begun anew; and the folder of the evidence
EVIDENCE_MAX: Final = 3
UNKNOWN: Final = "unknown"  # id of a journal whose name cannot be read; nothing of it is proven
_WAL: Final = "-wal"
_FACTS: Final = (Kind.PASSED, Kind.RESET, Kind.FREE)
_SPAN_MAX: Final = 1_000_000  # records looked for one by one behind a break
# `roots` first: what is inserted there makes the lists of before forget their versions
_TAKEN_OVER: Final = (
    "roots", "lists", "list_keys", "assignment", "status", "commands", "signed_time", "feed",
    "feed_numberings", "numbering_heard", "stray_facts",
)  # fmt: skip

Opening = Callable[[str, Row], Record]


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged database.

    Attributes:
        previous: id of the journal that was written, or UNKNOWN.
        kept: records of all journals whose chain is whole.
        strays: facts behind a break.
        lost: tables of which not every row could be read.
    """

    previous: str
    kept: int
    strays: int
    lost: tuple[str, ...]


@dataclass(slots=True)
class _Journal:
    """One journal as the damaged file names it; `head` None is the one that was written."""

    id: str
    base: int
    head: int | None


def finish(path: Path) -> None:
    """Finish what a power cut interrupted; called before each opening.

    Raises:
        StorageError: if files cannot be moved.
    """
    try:
        _beside(path, ".part").unlink(missing_ok=True)
        if _beside(path, ".new").exists():
            _swap(path)
    except OSError as exc:
        raise file_error(f"{path}: cannot be put in its place", exc) from exc


def salvage(path: Path, new_id: str, opening: Opening) -> Salvaged:
    """Make a good database of a damaged one.

    Args:
        path: of the damaged file; nothing has it open.
        new_id: of the journal that begins now.
        opening: makes the draft of its first record of the id and the last proven row before it.

    Raises:
        StorageError: if the new file cannot be written.
    """
    part = _beside(path, ".part")
    try:
        for ending in ("", _WAL):
            _beside(part, ending).unlink(missing_ok=True)
        with closing(_create(part)) as target:
            with closing(sqlite3.connect(path, isolation_level=None)) as source:
                salvaged = _take_over(source, target, new_id, opening)
            target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _sync(part)
        part.replace(_beside(path, ".new"))
        _sync(path.parent)
        _swap(path)
    except sqlite3.Error as exc:
        raise storage_error(f"{part}: cannot be written", exc) from exc
    except OSError as exc:
        raise file_error(f"{path}: cannot be set aside", exc) from exc
    fields = {"kept": salvaged.kept, "strays": salvaged.strays, "lost": salvaged.lost}
    log.error("damaged database set aside", extra=fields)
    return salvaged


def _create(part: Path) -> sqlite3.Connection:
    target = sqlite3.connect(part, isolation_level=None)
    try:
        target.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        for number, script in sorted(scripts().items()):
            target.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        target.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    except sqlite3.Error:
        target.close()
        raise
    return target


def _take_over(
    source: sqlite3.Connection, target: sqlite3.Connection, new_id: str, opening: Opening
) -> Salvaged:
    target.execute("BEGIN")
    journals, lost = _journals(source)
    kept = strays = 0
    last = Row(0, b"", b"")
    for one in journals:
        last, records, unproven = _take_journal(source, target, one)
        kept, strays = kept + records, strays + unproven
        _name_journal(source, target, one, last)
    lost += [table for table in _TAKEN_OVER if not _take_table(source, target, table)]
    previous = journals[-1].id
    _begin(target, new_id, opening(previous, last), has_records=last.sequence > 0)
    target.execute("COMMIT")
    return Salvaged(previous, kept, strays, tuple(lost))


def _journals(source: sqlite3.Connection) -> tuple[list[_Journal], list[str]]:
    """Give the journals that the file names, the one that was written last."""
    found, lost = [], []
    for table, sql in (
        ("former_journals", "SELECT journal, base, head FROM former_journals ORDER BY base"),
        ("identity", "SELECT journal, base, NULL FROM identity"),
    ):
        try:
            found += [_Journal(*row) for row in source.execute(sql)]
        except sqlite3.Error:
            lost.append(table)
    if not found or found[-1].head is not None:  # which one was written cannot be read
        last = found[-1] if found else _Journal(UNKNOWN, 0, 0)
        found.append(_Journal(UNKNOWN, last.base + (last.head or 0), None))
    return found, lost


def _take_journal(
    source: sqlite3.Connection, target: sqlite3.Connection, one: _Journal
) -> tuple[Row, int, int]:
    """Take a journal over; give its last proven row, and how many are proven and only read."""
    last = Row(0, journal.genesis(one.id), b"")
    is_whole, strays, open_grants = True, 0, dict[int, Record]()
    for place, kind, refers_to, chain, blob in _rows(source, one):
        sequence = place - one.base
        record = _read(blob, sequence)
        if is_whole and sequence == last.sequence + 1 and record is not None:
            is_whole = chain == journal.chain(last.chain, blob)
        else:
            is_whole = False
        if is_whole:
            target.execute(
                "INSERT INTO journal (sequence, kind, refers_to, chain, blob) "
                "VALUES (?, ?, ?, ?, ?)",
                (place, kind, refers_to, chain, blob),
            )
            last = Row(sequence, chain, blob)
        if record is None:
            continue
        if record.kind == Kind.GRANTED:
            open_grants[sequence] = record
        open_grants.pop(record.refers_to, None)
        if not is_whole and record.kind in _FACTS:
            strays += _stray(target, one.id, record)
    for grant in open_grants.values():  # nobody knows whether they went through
        ending = journal.ending(grant, Kind.PASSED, grant.sequence, Flag.UNRESOLVED)
        strays += _stray(target, one.id, journal.placed(ending, grant.sequence, grant.hlc))
    return last, last.sequence, strays


def _stray(target: sqlite3.Connection, name: str, record: Record) -> int:
    target.execute(
        "INSERT OR IGNORE INTO stray_facts (journal, sequence, blob) VALUES (?, ?, ?)",
        (name, record.sequence, journal.encode(record)),
    )
    return 1


def _read(blob: object, sequence: int) -> Record | None:
    """Read a record; what is not one, or stands elsewhere than it says, is none."""
    try:
        record = journal.decode(blob) if isinstance(blob, bytes) else None
    except JournalError:
        return None
    return record if record is not None and record.sequence == sequence else None


def _rows(source: sqlite3.Connection, one: _Journal) -> Iterator[tuple[Any, ...]]:
    """Give every row of a journal that can be read, in order, whatever lies between."""
    what = "SELECT sequence, kind, refers_to, chain, blob FROM journal WHERE sequence "
    end = None if one.head is None else one.base + one.head
    place = one.base
    try:
        for row in source.execute(f"{what} > ? ORDER BY sequence", (place,)):
            if end is not None and row[0] > end:
                return
            place = row[0]
            yield row
    except sqlite3.Error as exc:
        log.warning("journal is broken", extra={"after": place - one.base, "reason": str(exc)})
    else:
        return
    last = _last_place(source) if end is None else end
    for wanted in range(place + 1, min(last, place + _SPAN_MAX) + 1):
        with suppress(sqlite3.Error):
            yield from source.execute(f"{what} = ?", (wanted,)).fetchall()


def _last_place(source: sqlite3.Connection) -> int:
    try:
        ((last,),) = source.execute("SELECT coalesce(max(sequence), 0) FROM journal").fetchall()
    except sqlite3.Error:
        return 0
    return int(last)


def _name_journal(
    source: sqlite3.Connection, target: sqlite3.Connection, one: _Journal, last: Row
) -> None:
    """Name a journal in the new file, and how far the server has it, if that can be read."""
    if one.head is None:
        target.execute(
            "INSERT INTO identity (one, journal, base) VALUES (1, ?, ?)", (one.id, one.base)
        )
        acked = _first(source, "SELECT sequence, chain FROM acknowledged", ())
        if acked is not None and acked[0] <= last.sequence:
            target.execute(
                "INSERT INTO acknowledged (one, sequence, chain) VALUES (1, ?, ?)", acked
            )
        return
    found = _first(
        source,
        "SELECT acknowledged, acknowledged_chain, why FROM former_journals WHERE journal = ?",
        (one.id,),
    )
    acknowledged, chain, why = found or (0, b"", DAMAGED)
    if acknowledged > last.sequence:
        acknowledged, chain = 0, b""  # asked for anew
    target.execute(
        "INSERT INTO former_journals (journal, base, head, acknowledged, acknowledged_chain, why) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (one.id, one.base, last.sequence, acknowledged, chain, why),
    )


def _first(
    source: sqlite3.Connection, sql: str, values: Sequence[object]
) -> tuple[Any, ...] | None:
    try:
        return tuple(row) if (row := source.execute(sql, values).fetchone()) else None
    except sqlite3.Error:
        return None


def _take_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> bool:
    """Take a table over, forwards and then backwards around a break; tell whether it was whole."""
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    read = f"SELECT {names} FROM {table}"  # noqa: S608 names of our own schema
    write = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
    for order in ("", f" ORDER BY {columns[0]} DESC"):
        try:
            for row in source.execute(read + order):
                target.execute(write, row)
        except sqlite3.Error:
            continue
        return not order
    return False


def _begin(target: sqlite3.Connection, new_id: str, draft: Record, *, has_records: bool) -> None:
    """Begin the new journal, as `begin_anew` does; the old one stays a former one."""
    ((last,),) = target.execute("SELECT coalesce(max(sequence), 0) FROM journal").fetchall()
    record = journal.placed(draft, 1, journal.next_hlc(0, draft.wall_ms))
    blob = journal.encode(record)
    chain = journal.chain(journal.genesis(new_id), blob)
    if has_records:
        target.execute(
            "INSERT INTO beginnings (journal, chain, blob, why) VALUES (?, ?, ?, ?)",
            (new_id, chain, blob, DAMAGED),
        )
        return
    target.execute("DELETE FROM identity")
    target.execute("DELETE FROM acknowledged")
    target.execute("INSERT INTO identity (one, journal, base) VALUES (1, ?, ?)", (new_id, last))
    target.execute(
        "INSERT INTO journal (sequence, kind, refers_to, chain, blob) VALUES (?, ?, 0, ?, ?)",
        (last + 1, int(Kind.JOURNAL_NEW), chain, blob),
    )


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(path: Path) -> None:
    """Set the damaged file aside, its log first, and put the new one in its place."""
    folder = path.parent / DAMAGED
    folder.mkdir(mode=0o700, exist_ok=True)
    numbers = sorted(int(file.name[:4]) for file in folder.glob(f"????-{path.name}"))
    aside = folder / f"{max(numbers, default=0) + 1:04d}-{path.name}"
    for ending in (_WAL, ""):
        with suppress(FileNotFoundError):
            _beside(path, ending).replace(_beside(aside, ending))
    _sync(folder)
    _beside(path, ".new").replace(path)
    _sync(path.parent)
    for old in numbers[: -(EVIDENCE_MAX - 1)]:
        for file in folder.glob(f"{old:04d}-*"):
            file.unlink()
