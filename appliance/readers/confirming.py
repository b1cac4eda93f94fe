"""How often a code must be read alike before a refusal may come of it. Called by camera readers.

Decoders misread now and then, and never the same way twice in a row on pictures of moving hands.
So the first sight of a code is only a look; the code is certain once it was read alike on as many
pictures as are asked for. A code in whose place another one is read meanwhile begins anew.
"""

from collections.abc import Collection, Mapping
from typing import Final

from appliance.readers.decoding import Point, Read

CONFIRM_READS: Final = 2


class Confirming:
    """Counts equal reads of the codes that are being shown.

    Args:
        reads: equal reads, each on its own picture, that make a code certain; 1 trusts the first.

    Raises:
        ValueError: if `reads` is below one.
    """

    def __init__(self, reads: int = CONFIRM_READS) -> None:
        if reads < 1:
            raise ValueError(f"reads must be >= 1, got {reads}")
        self._reads = reads
        self._counts: dict[bytes, int] = {}
        self._places: dict[bytes, tuple[Point, ...]] = {}

    @property
    def is_first_look_certain(self) -> bool:
        """Whether one read is enough."""
        return self._reads == 1

    def begin(self, read: Read) -> None:
        """Note the first sight of a code that nobody was showing before."""
        if not self.is_first_look_certain:
            self._counts[read.data] = 1
            self._places[read.data] = read.position

    def see(self, reads: Mapping[bytes, Read], held: Collection[bytes]) -> list[bytes]:
        """Take in what a picture shows; called before `begin` for those that are new on it.

        Args:
            reads: the codes on it.
            held: the codes that were shown before and still are, in view or not; whatever was
                begun and is none of these is forgotten.

        Returns:
            Those that have become certain, each once for each time it is shown.
        """
        for data in [data for data in self._counts if data not in held]:
            self._drop(data)
        certain = []
        for data in list(self._counts):
            if data not in reads:
                self._doubt(data, reads)
                continue
            self._counts[data] += 1
            self._places[data] = reads[data].position
            if self._counts[data] >= self._reads:
                self._drop(data)
                certain.append(data)
        return certain

    def _doubt(self, data: bytes, reads: Mapping[bytes, Read]) -> None:
        """Count a code anew if another is read in its place: one of the two is misread."""
        place = self._places[data]
        if any(_share_a_place(read.position, place) for read in reads.values()):
            self._counts[data] = 0

    def _drop(self, data: bytes) -> None:
        del self._counts[data], self._places[data]


def _share_a_place(one: tuple[Point, ...], other: tuple[Point, ...]) -> bool:
    """Tell whether the middle of one lies within the other."""
    if not one or not other:
        return False
    return _holds(one, _middle(other)) or _holds(other, _middle(one))


def _middle(corners: tuple[Point, ...]) -> Point:
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return (min(xs) + max(xs)) // 2, (min(ys) + max(ys)) // 2


def _holds(corners: tuple[Point, ...], point: Point) -> bool:
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs) <= point[0] <= max(xs) and min(ys) <= point[1] <= max(ys)
