"""The local network and what is carried for others, as the services see them.

Implemented in `transport` and in `storage`.
"""

from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from admission.sync.gate_side import Row
from admission.sync.messages import Seal
from admission.sync.peer import Held, Taken


class PeerWire(Protocol):
    """Questions to other gates of the local network."""

    async def ask(self, address: str, raw: bytes) -> bytes:
        """Bring a question to a gate, and its answer back; bounded in time and in size.

        Args:
            address: host and port of it.
            raw: the question.

        Raises:
            LinkError: if no answer comes.
        """
        ...


class Datagrams(Protocol):
    """Datagrams to other gates of the local network: they arrive, or they do not."""

    def send(self, raw: bytes, addresses: Iterable[str]) -> None:
        """Send one to each address; never waits, never raises."""
        ...


@dataclass(frozen=True, slots=True)
class SealedRows:
    """Records of a journal up to one that its gate has sealed.

    Attributes:
        rows: in order; the last one is sealed.
        seal: of the last.
        envelope: of the certificate whose key made the seal.
    """

    rows: list[Row]
    seal: Seal
    envelope: bytes


class CarriedStore(Protocol):
    """Others' journals on the disk, each up to a seal. Each call may raise StorageError."""

    async def held(self) -> list[Held]:
        """Give how far each journal is held."""
        ...

    async def keep(self, taken: Taken) -> None:
        """Keep a piece that continues what is held, whole or not at all."""
        ...

    async def following(self, journal: str, after: int, count_max: int) -> SealedRows | None:
        """Give what follows, up to the last seal within so many records; None for nothing."""
        ...

    async def chain_at(self, journal: str, sequence: int) -> bytes | None:
        """Give the chain value after a record, None if it is not held; at 0 the genesis."""
        ...

    def facts(self) -> AsyncIterator[tuple[str, list[bytes]]]:
        """Give the records of each journal that state facts, some at a time."""
        ...

    async def revoked(self) -> list[str]:
        """Give the ids of the gates that the server had revoked."""
        ...

    async def keep_revoked(self, gates: Collection[str]) -> None:
        """Keep them, in the place of those of before."""
        ...

    async def has_room(self) -> bool:
        """Tell whether more may be kept; what the gate itself writes comes first."""
        ...
