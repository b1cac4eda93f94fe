"""What the service of commands needs of the outside: its memory, and a way to the gates."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SignedCommand:
    """A command that was signed.

    Attributes:
        key_id: of the operator's key that signed it.
        counter: of that key.
        action: what it commands.
        gates: ids of the gates it is for.
        envelope: the signed document.
        issued_ms: when.
        not_after_ms: first instant at which it does nothing any more.
    """

    key_id: str
    counter: int
    action: str
    gates: tuple[str, ...]
    envelope: bytes
    issued_ms: int
    not_after_ms: int


class Commands(Protocol):
    """The commands that were signed. Implemented in `storage`."""

    async def add(self, command: SignedCommand) -> None:
        """Keep one; none is ever changed or removed."""
        ...

    async def last_counter(self, key_id: str) -> int:
        """Give the greatest counter that a key has signed, 0 for none."""
        ...

    async def standing(self, key_id: str, now_ms: int) -> list[SignedCommand]:
        """Give the locks and unlocks of a key that are not over, newest first."""
        ...


class Courier(Protocol):
    """Brings a command to the gates that are connected. Implemented by the live room."""

    def order(self, gates: Iterable[str], envelope: bytes) -> int:
        """Send it; never waits. Tells how many of the gates are connected."""
        ...
