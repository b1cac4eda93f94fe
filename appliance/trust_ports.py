"""What the gate's trust needs of the outside: a memory, and a clock that it tells of the time."""

from datetime import datetime
from typing import Protocol

from admission.scan import Direction
from admission.sync.assignment import Move


class SignedClock(Protocol):
    """A clock that goes by what the server signs of the time. Implemented by `trusted_clock`."""

    def now(self) -> datetime:
        """Trusted time, aware, UTC."""
        ...

    def boot_ms(self) -> int:
        """Milliseconds since the machine started."""
        ...

    async def note_signed_time(
        self, server_time: datetime, asked_boot_ms: int, received_boot_ms: int
    ) -> bool:
        """Take a time that the server signed under our own nonce; tell whether it was taken."""
        ...

    async def forget_signed_time(self) -> None:
        """Let the next signed time count, whatever was signed before: its keys were replaced."""
        ...


class TrustMemory(Protocol):
    """What the gate's trust remembers; none of it ever goes back. Implemented in `storage`."""

    async def roots(self, after: int) -> list[bytes]:
        """Give the envelopes of the roots that follow a version, in order."""
        ...

    async def remember_root(
        self, version: int, envelope: bytes, *, forget_lists: bool, forget_status: bool
    ) -> None:
        """Remember a root that was checked, and forget versions that mean nothing any more.

        Args:
            version: of the root.
            envelope: its bytes.
            forget_lists: whether versions of lists count from nothing again.
            forget_status: whether those of status documents and assignments do.

        Raises:
            StorageError: if it cannot be written; then nothing was forgotten.
        """
        ...

    async def status_version(self) -> int:
        """Give the greatest version of a status document that was taken, 0 for none."""
        ...

    async def remember_status(self, version: int) -> None:
        """Remember a greater one."""
        ...


class CommandMemory(Protocol):
    """Which operators' commands were obeyed; none is ever forgotten. Implemented in `storage`."""

    async def counters(self) -> dict[str, int]:
        """Give the greatest counter obeyed, by key id."""
        ...

    async def spend(self, key: str, counter: int, action: str) -> None:
        """Remember a command before it is obeyed, so that it is obeyed at most once.

        Raises:
            StorageError: if it cannot be written, or was spent before; then nothing may be done.
        """
        ...

    async def is_locked(self) -> bool:
        """Tell whether the last lock or unlock that was obeyed is a lock."""
        ...

    async def moved(self) -> Move | None:
        """Give to which checkpoint a supervisor moved the gate last; None for never."""
        ...

    async def turned(self) -> dict[str, Direction]:
        """Give which way each reader that a steward turned lets people go since, by its name."""
        ...
