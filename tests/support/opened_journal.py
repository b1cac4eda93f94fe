"""Opens what a cut or a kill left of a journal, by the gate's own code, and checks all of it."""

from collections import Counter
from pathlib import Path

from admission import journal
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from disk_log import Image


async def head_of(image: Image, folder: Path) -> int:
    """Open a disk's image; see `head_in`."""
    folder.mkdir(exist_ok=True)
    for name in ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-journal"):
        (folder / name).unlink(missing_ok=True)
    for name, content in image.items():
        (folder / name).write_bytes(content)
    return await head_in(folder)


async def head_in(folder: Path) -> int:
    """Open a folder's journal and give how far it goes; it goes on being written from there.

    Raises:
        StorageError: if it cannot be opened or is damaged.
        AssertionError: if it has a gap, a broken chain or a record twice.
    """
    async with open_database(folder / "journal.sqlite") as database:
        await database.require_whole()
        store = await SqliteJournal.open(database, "journal-a")
        await store.check()
        rows = await store.rows(0, 10_000)
        await database.probe()
    value = journal.genesis("journal-a")
    for place, row in enumerate(rows, 1):
        value = journal.chain(value, row.blob)
        assert (row.sequence, row.chain) == (place, value)
    records = [journal.decode(row.blob) for row in rows]
    twice = Counter((one.kind, one.identifier) for one in records)
    assert max(twice.values(), default=1) == 1, "a record stands there twice"
    return len(rows)
