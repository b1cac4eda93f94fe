"""A gate's database after a night, to be damaged by tests."""

from pathlib import Path

from admission import journal
from admission.journal import Kind, Record
from admission.sync.messages import FeedItem
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.storage.trust_store import SqliteTrust


def draft(kind: Kind, number: int = 0, **fields) -> Record:
    identifier = bytes([number]) * 16 if number else b""
    return Record(
        kind=int(kind), sequence=0, wall_ms=1_000 + number, boot_ms=5, boot_id=bytes(16),
        identifier=identifier, direction=1 if number else 0, checkpoint="door", **fields,
    )  # fmt: skip


async def write_night(file: Path, passages: int = 120, filler: int = 900) -> list[Record]:
    """Write a night with a passage each two records; give the journal."""
    file.parent.mkdir(exist_ok=True)
    async with open_database(file) as database:
        store = await SqliteJournal.open(database, "journal-a")
        written = [*await store.append(draft(Kind.JOURNAL_NEW))]
        for number in range(1, passages + 1):
            (grant,) = await store.append(
                draft(Kind.GRANTED, number, detail={"filler": "x" * filler})
            )
            written.append(grant)
            written += await store.append(journal.ending(grant, Kind.PASSED, grant.sequence))
        rows = await store.rows(0, 10)
        await store.acknowledge(rows[:5][-1].sequence, rows[:5][-1].chain)
        memory = SqliteMemory(database, file.parent / "lists")
        await memory.remember_assignment(3, b"assignment")
        await SqliteTrust(database).remember_status(7)
        item = FeedItem(1, 12, "gate-b", 1, 0, "door", "show", bytes(16), 1, 0)
        await memory.remember_feed("show", [item], "central")
    return written
