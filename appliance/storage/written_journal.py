"""One journal of this gate, to be read and acknowledged: the one it writes now, or a former one.

All of them lie in one table, one after another, so that a journal that is begun anew moves
nothing: a record's place there is its sequence and its journal's `base` together.
"""

from collections.abc import Sequence
from typing import Any, Final

from admission import journal
from admission.sync.gate_side import Row
from appliance.storage.database import Database

# each up to where a journal reaches, should another one have followed meanwhile
_ROWS: Final = (
    "SELECT sequence - ?2, chain, blob FROM journal WHERE sequence > ?2 + ?3 AND sequence <= "
    "coalesce((SELECT base + head FROM former_journals WHERE journal = ?1), 9223372036854775807) "
    "ORDER BY sequence LIMIT ?4"
)
_CHAIN: Final = (
    "SELECT chain FROM journal WHERE sequence = ?2 + ?3 AND sequence <= "
    "coalesce((SELECT base + head FROM former_journals WHERE journal = ?1), 9223372036854775807)"
)
_ACKNOWLEDGE: Final = (
    "INSERT INTO acknowledged (one, sequence, chain) SELECT 1, ?, ? "
    "WHERE (SELECT journal FROM identity) = ? "
    "ON CONFLICT (one) DO UPDATE SET sequence = excluded.sequence, chain = excluded.chain"
)
_ACKNOWLEDGE_FORMER: Final = (
    "UPDATE former_journals SET acknowledged = ?, acknowledged_chain = ? WHERE journal = ?"
)


class StoredJournal:
    """Implements `ports.WrittenJournal`.

    Attributes:
        id: the journal's.
        base: place of the record before its first.
        head: greatest sequence of a former journal; None while it is written.
        why: for what reason another journal followed, "" while none has.
        acknowledged: how far the server has it; the blob is left empty.
    """

    def __init__(
        self,
        database: Database,
        journal_id: str,
        base: int,
        acknowledged: Row | None = None,
        *,
        head: int | None = None,
        why: str = "",
    ) -> None:
        self.id = journal_id
        self.base = base
        self.head = head
        self.why = why
        self.acknowledged = acknowledged or Row(0, journal.genesis(journal_id), b"")
        self._database = database

    async def rows(self, after: int, count_max: int) -> list[Row]:
        """Give the records that follow a sequence, in order."""
        found = await self._run(_ROWS, (self.id, self.base, after, count_max))
        return [Row(*row) for row in found]

    async def chain_at(self, sequence: int) -> bytes | None:
        """Give the chain value after a record; at 0 the genesis."""
        if sequence == 0:
            return journal.genesis(self.id)
        found = await self._run(_CHAIN, (self.id, self.base, sequence))
        return found[0][0] if found else None

    async def acknowledge(self, sequence: int, chain: bytes) -> None:
        """Remember how far the server has it, also if another journal followed meanwhile."""
        values = (sequence, chain, self.id)
        if self.head is None:
            await self._run(_ACKNOWLEDGE, values)
        await self._run(_ACKNOWLEDGE_FORMER, values)
        self.acknowledged = Row(sequence, chain, b"")

    async def _run(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return await self._database.run("journal cannot be used", sql, values)
