"""What every service needs to write something down: the time, new ids, the audit line."""

from admission.ids import ID_ENTROPY_BYTES, new_id
from sync_server.entities import AuditEntry, JsonValue
from sync_server.ports import Clock, Entropy, Transaction


class Ledger:
    """The clock, chance, new ids and the audit, in one."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return self._clock.now_us()

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._clock.now_us() // 1000

    def random(self, size: int) -> bytes:
        """Give so many unpredictable bytes."""
        return self._entropy(size)

    def new_id(self) -> str:
        """Make an identifier."""
        return new_id(self.now_ms(), self._entropy(ID_ENTROPY_BYTES))

    async def note(
        self,
        transaction: Transaction,
        user_id: str | None,
        what: str,
        subject: str,
        **detail: JsonValue,
    ) -> None:
        """Write an audit line, within the transaction that does what it says."""
        entry = AuditEntry(self.new_id(), self.now_ms(), user_id, what, subject, detail)
        await transaction.audit.add_entry(entry)
