"""What reporting needs of the store: figures by checkpoint, performance and gate. Only read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from admission.scan import Direction


class PassageRow(NamedTuple):
    """A passage as reports show it.

    Attributes:
        gate_id: None for one of the server's own journal.
        performance_id: "" where it has none.
    """

    journal_id: str
    sequence: int
    variant: int
    at_us: int
    gate_id: str | None
    checkpoint_id: str
    performance_id: str
    identifier: bytes
    direction: Direction
    answer: str
    flags: int


@dataclass(frozen=True, slots=True)
class AnomalyRow:
    """An anomaly, the passage that is one, and all passages of its ticket at its checkpoint.

    Attributes:
        passage: the anomalous one.
        reason: the answer's code.
        passages: in fold order, `passage` among them.
    """

    passage: PassageRow
    reason: str
    passages: tuple[PassageRow, ...]


class Reports(Protocol):
    """Figures. A missing key is a zero."""

    async def occupancy(self, checkpoints: Sequence[str]) -> Mapping[str, int]:
        """Give the people inside, by checkpoint."""
        ...

    async def attendance(self, performance_ids: Sequence[str]) -> Mapping[str, int]:
        """Give the listed tickets with an unforgotten passage, by performance."""
        ...

    async def listed(self, performance_ids: Sequence[str]) -> Mapping[str, int]:
        """Give the tickets of each performance's list as it is now."""
        ...

    async def admitted(self, gates: Sequence[str]) -> Mapping[str, int]:
        """Give the passages and free crossings, by gate."""
        ...

    async def refused_by_gate(self, gates: Sequence[str]) -> Mapping[str, int]:
        """Give the refusals, by gate."""
        ...

    async def refused_by_performance(self, performance_ids: Sequence[str]) -> Mapping[str, int]:
        """Give the refusals of tickets, by performance."""
        ...

    async def refused_by_answer(self, checkpoints: Sequence[str]) -> Mapping[str, int]:
        """Give the refusals at some checkpoints, by answer."""
        ...

    async def last_passages(self, checkpoints: Sequence[str], limit: int) -> list[PassageRow]:
        """Give the last passages at some checkpoints, newest first."""
        ...

    async def newest_anomalies(self, checkpoints: Sequence[str], limit: int) -> list[AnomalyRow]:
        """Give the last anomalies at some checkpoints, newest first."""
        ...

    async def anomalies(self, checkpoints: Sequence[str]) -> list[tuple[str, int, str]]:
        """Give (journal, sequence, reason) of all anomalies at some checkpoints, in fold order."""
        ...

    async def entries_per_minute(
        self, checkpoints: Sequence[str], since_us: int
    ) -> Mapping[int, int]:
        """Give the entries at some checkpoints, by start of the minute in microseconds."""
        ...
