"""Some of a performance's ticket numbers, as many as are worth measuring. Called by `tickets`.

Identifiers are a keyed hash, so the tickets with the smallest ones are chosen by chance as far as
their numbers go, and the same every time; the table is ordered by them. Of a length that few
numbers have, all are taken: a guest list among a million tickets must not be missed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.limits import IDENTIFIER_BYTES
from admission.ticketlist.guessability import SAMPLE_MAX
from sync_server.storage.tables import tickets

_COMMON_MIN: Final = SAMPLE_MAX // 100  # of the sample: one number in a hundred
_RARE_MAX: Final = 5 * SAMPLE_MAX  # of all lengths that few numbers have
_ENOUGH: Final = SAMPLE_MAX * 11 // 10  # chance may bring fewer than expected below a bound
_LENGTH: Final = func.length(tickets.c.number)


class NumberSample:
    """One performance's numbers."""

    def __init__(self, connection: AsyncConnection, classes: ScalarSelect[int]) -> None:
        self._connection = connection
        self._is_listed = tickets.c.class_id.in_(classes)

    async def take(self) -> tuple[Sequence[str], Mapping[int, int]]:
        """Give the sample, and how many numbers there are of each length.

        No length is counted by itself, which would take longer than all the rest: those that are
        common share what the rare ones leave as they share the sample.
        """
        total = await self._connection.scalar(
            select(func.count()).select_from(tickets).where(self._is_listed)
        )
        highest = (1 << 8 * IDENTIFIER_BYTES) - 1
        lowest_share = highest * _ENOUGH // max(total or 0, 1)
        bound = min(highest, lowest_share).to_bytes(IDENTIFIER_BYTES, "big")
        sample = await self._some(tickets.c.identifier <= bound, SAMPLE_MAX)
        lengths = Counter(map(len, sample))
        if len(sample) == total:
            return sample, lengths
        common = [one for one, count in lengths.items() if count >= _COMMON_MIN]
        rare = await self._some(_LENGTH.not_in(common), _RARE_MAX)
        kept = [number for number in sample if len(number) in common]
        scale = ((total or 0) - len(rare)) / max(len(kept), 1)
        listed = Counter({one: round(lengths[one] * scale) for one in common})
        return kept + rare, listed + Counter(map(len, rare))

    async def _some(self, is_wanted: ColumnElement[bool], most: int) -> list[str]:
        found = await self._connection.scalars(
            select(tickets.c.number).where(self._is_listed, is_wanted).limit(most)
        )
        return list(found)
