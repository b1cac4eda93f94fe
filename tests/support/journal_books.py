"""Journals as gates would have written them, for whoever hands them to a server."""

from admission import journal
from admission.journal import Kind, Record
from admission.sync.gate_side import Row
from admission.sync.messages import Batch, Moment

BOOT = b"b" * 16
NOW_MS = 1_780_000_000_000


def record(sequence, kind=Kind.PASSED, **changes):
    values = {
        "kind": int(kind),
        "sequence": sequence,
        "wall_ms": NOW_MS + sequence * 1000,
        "boot_ms": 5_000_000 + sequence * 1000,
        "boot_id": BOOT,
        "checkpoint": "c0",
        "performance": "p0",
        "identifier": b"i" * 16,
        "direction": 1,
        "ticket_class": ("standard", "single", None, None),
    }
    return Record(**values | changes)


class Book:
    """A gate's journal, as the gate would have written it."""

    def __init__(self, name, *records):
        self.name = name
        self.rows = []
        chain = journal.genesis(name)
        for one in records:
            blob = one if isinstance(one, bytes) else journal.encode(one)
            chain = journal.chain(chain, blob)
            self.rows.append(Row(len(self.rows) + 1, chain, blob))

    def batch(self, first=1, last=None, wall_ms=NOW_MS, boot_ms=5_000_000):
        before = journal.genesis(self.name) if first == 1 else self.rows[first - 2].chain
        blobs = [row.blob for row in self.rows[first - 1 : last]]
        return Batch(self.name, first, before, blobs, Moment(wall_ms, boot_ms, BOOT))
