"""What proving tickets without a list needs of the store. Implemented by storage."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from admission.proof.proving import Issuer
from admission.proof.rotation import Rotation
from admission.reconcile import StateChange


@dataclass(frozen=True, slots=True)
class KnownIssuer:
    """Somebody whose signature makes tickets of a performance. What was accepted once is kept.

    Attributes:
        id: of this record.
        performance_id: of the performance.
        issuer: key, format and what its codes mean.
        accepted: whether gates take its tickets now.
        created_ms: when it was added.
    """

    id: str
    performance_id: str
    issuer: Issuer
    accepted: bool
    created_ms: int


class Proving(Protocol):
    """Issuers, rotating codes, and numbers that are blocked although no list holds them."""

    async def add_issuer(self, known: KnownIssuer) -> None:
        """Keep a new one."""
        ...

    async def issuers(self, performance_id: str) -> list[KnownIssuer]:
        """Give a performance's, oldest first, those no longer accepted too."""
        ...

    async def withdraw_issuer(self, issuer_id: str) -> None:
        """Note that one is no longer accepted."""
        ...

    async def rotation(self, performance_id: str) -> Rotation | None:
        """Give a performance's rotating codes, or None."""
        ...

    async def save_rotation(self, performance_id: str, rotation: Rotation | None) -> None:
        """Replace a performance's rotating codes; None ends them."""
        ...

    async def block(
        self,
        performance_id: str,
        numbers: Sequence[tuple[bytes, str]],
        now_us: int,
        *,
        blocked: bool,
    ) -> list[bytes]:
        """Block numbers, or release them, from now on; give those of which that was news.

        Args:
            performance_id: of the performance.
            numbers: pairs of identifier and number, each once.
            now_us: from when on.
            blocked: False releases.
        """
        ...

    async def blocks(
        self, performance_id: str, identifiers: Sequence[bytes]
    ) -> Mapping[bytes, Sequence[StateChange]]:
        """Give when each of some numbers was blocked and released, in order of time."""
        ...

    async def blocked(self, performance_id: str) -> list[tuple[bytes, str]]:
        """Give the numbers that are blocked now and that no list holds."""
        ...

    async def listed_among(self, identifiers: Sequence[bytes]) -> int:
        """Tell how many of some identifiers are tickets of a list."""
        ...

    async def proven(self, performance_id: str) -> list[bytes]:
        """Give the identifiers of which a gate says that they proved themselves."""
        ...

    def numbers(self, performance_id: str) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """Yield (number, identifier) of a performance's tickets, in batches."""
        ...
