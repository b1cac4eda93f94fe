"""Some of a performance's ticket numbers, as many as are worth measuring. Called by `tickets`.

Identifiers are a keyed hash, so the tickets with the smallest ones are chosen by chance as far as
their numbers go, and the same every time; the table is ordered by them. Of a length that few
numbers have, all are taken.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.limits import IDENTIFIER_BYTES
from admission.ticketlist.guessability import SAMPLE_MAX, sample_size
from sync_server.storage.tables import tickets

_LENGTHS_MAX: Final = 8  # sampled one by one; more lengths than that are looked at together
_RARE_MAX: Final = 5 * SAMPLE_MAX  # of all lengths that few numbers have
_MARGIN: Final = 1.1  # chance may bring fewer than expected below a bound


class NumberSample:
    """One performance's numbers."""

    def __init__(self, connection: AsyncConnection, classes: ScalarSelect[int]) -> None:
        self._connection = connection
        self._is_listed = tickets.c.class_id.in_(classes)

    async def take(self) -> tuple[Sequence[str], Mapping[int, int]]:
        """Give the sample, and how many numbers there are of each length."""
        length = func.length(tickets.c.number)
        counted = await self._connection.execute(
            select(length, func.count()).where(self._is_listed).group_by(length)
        )
        listed = {int(characters): int(count) for characters, count in counted}
        rare = [one for one, count in listed.items() if count <= sample_size(one)]
        common = sorted(set(listed) - set(rare), key=lambda one: -listed[one])
        sample: list[str] = []
        if rare:
            sample += await self._some(length.in_(rare), _RARE_MAX)
        for one in common[:_LENGTHS_MAX]:
            sample += await self._below(length == one, sample_size(one), listed[one])
        if rest := common[_LENGTHS_MAX:]:
            most = sample_size(max(rest))
            sample += await self._below(length.in_(rest), most, sum(listed[one] for one in rest))
        return sample, listed

    async def _below(self, is_wanted: ColumnElement[bool], most: int, count: int) -> list[str]:
        """Give about so many of so many: those whose identifiers lie below a bound."""
        share = min(1.0, most / count * _MARGIN)
        bound = int(share * ((1 << 8 * IDENTIFIER_BYTES) - 1)).to_bytes(IDENTIFIER_BYTES, "big")
        return await self._some(is_wanted & (tickets.c.identifier <= bound), most)

    async def _some(self, is_wanted: ColumnElement[bool], most: int) -> list[str]:
        found = await self._connection.scalars(
            select(tickets.c.number).where(self._is_listed, is_wanted).limit(most)
        )
        return list(found)
