"""What segments changed, laid over the packed list: searched first, then the file below.

Holds what all segments came to as three sorted columns in memory, 19 bytes a changed ticket; the
segments themselves are not kept. Called by whoever opens a list.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from admission.errors import ListFormatError
from admission.limits import IDENTIFIER_BYTES
from admission.ticketlist.columns import IdentifierColumn
from admission.ticketlist.packed import STATES, Entry, PackedList
from admission.ticketlist.segment import REMOVED, Columns


class Overlay:
    """All changes of some segments, the later ones over the earlier ones. Never changed itself."""

    __slots__ = ("_columns", "_identifiers")

    def __init__(self, columns: Columns) -> None:
        """Take columns in ascending order of their identifiers."""
        self._columns = columns
        self._identifiers = IdentifierColumn(columns.identifiers, 0, len(columns))

    def __len__(self) -> int:
        """Give the number of tickets that are changed, those that are gone included."""
        return len(self._columns)

    def under(self, segments: Iterable[Columns]) -> "Overlay":
        """Give this overlay with further segments laid over it, in order."""
        merged: dict[bytes, bytes] = dict(_rows(self._columns))
        for segment in segments:
            merged.update(_rows(segment))
        ordered = sorted(merged.items())
        return Overlay(
            Columns(
                b"".join([identifier for identifier, _ in ordered]),
                b"".join([row[:2] for _, row in ordered]),
                b"".join([row[2:] for _, row in ordered]),
            )
        )

    def place_of(self, identifier: bytes) -> int | None:
        """Find a ticket that is changed; None where the list below says all there is."""
        return self._identifiers.place_of(identifier)

    def entry(self, place: int) -> Entry | None:
        """Give the ticket at a place, None where it is gone."""
        number = self._columns.states[place]
        if number == REMOVED:
            return None
        index = int.from_bytes(self._columns.classes[2 * place : 2 * place + 2], "big")
        return Entry(self._identifiers[place], index, STATES[number])

    def __iter__(self) -> Iterator[tuple[bytes, Entry | None]]:
        """Go over all changes, by identifier."""
        return ((self._identifiers[place], self.entry(place)) for place in range(len(self)))

    def check_columns(self, class_count: int) -> None:
        """Make sure that every ticket's class is one.

        Args:
            class_count: rows of the manifest's class table.

        Raises:
            ListFormatError: if a class points beyond that table.
        """
        highest = max(struct.iter_unpack(">H", self._columns.classes), default=(0,))[0]
        if len(self) and highest >= class_count:
            raise ListFormatError(f"a ticket is of class {highest}, there are {class_count}")


def _rows(columns: Columns) -> Iterator[tuple[bytes, bytes]]:
    size, identifiers, classes = IDENTIFIER_BYTES, columns.identifiers, columns.classes
    for place in range(len(columns)):
        row = classes[2 * place : 2 * place + 2] + columns.states[place : place + 1]
        yield identifiers[size * place : size * (place + 1)], row


NO_CHANGES: Final = Overlay(Columns(b"", b"", b""))


class Entries(Protocol):
    """The tickets of a list, however many pieces they lie in."""

    def __len__(self) -> int:
        """Give the number of tickets."""
        ...

    def find(self, identifier: bytes) -> Entry | None:
        """Look a ticket up."""
        ...


class LayeredList:
    """A packed list with an overlay on it.

    Args:
        packed: the snapshot.
        overlay: what its segments came to.
    """

    __slots__ = ("_overlay", "_packed")

    def __init__(self, packed: PackedList, overlay: Overlay) -> None:
        self._packed = packed
        self._overlay = overlay

    def __len__(self) -> int:
        """Give the number of tickets; goes over all that is changed."""
        return len(self._packed) + sum(
            (entry is not None) - (self._packed.find(identifier) is not None)
            for identifier, entry in self._overlay
        )

    def find(self, identifier: bytes) -> Entry | None:
        """Look a ticket up.

        Raises:
            ListFormatError: if its state is none that this program knows.
        """
        place = self._overlay.place_of(identifier)
        return self._packed.find(identifier) if place is None else self._overlay.entry(place)


def layered(packed: PackedList, overlay: Overlay) -> Entries:
    """Give a list as it is now: the packed one itself where nothing has changed."""
    return LayeredList(packed, overlay) if len(overlay) else packed
