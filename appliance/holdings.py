"""The lists that a gate holds, ready to be judged by. Filled by the uplink, asked by the gate.

Implements `admission.ticket.Holdings` over packed lists. Knows no file and no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from admission.ticket import Performance, Ticket, TicketClass
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import Manifest, classes_of, performance_of
from admission.ticketlist.packed import Buffer, PackedList
from admission.verdict import Answer


@dataclass(frozen=True, slots=True)
class HeldList:
    """One performance's list, opened.

    Attributes:
        manifest: what was signed.
        performance: as the rules see it.
        classes: what class indexes point to.
        entries: the packed list.
        list_key: makes identifiers.
    """

    manifest: Manifest
    performance: Performance
    classes: Sequence[TicketClass]
    entries: PackedList
    list_key: bytes


def open_list(manifest: Manifest, snapshot: Buffer, list_key: bytes) -> HeldList:
    """Open a checked snapshot.

    Raises:
        ListError: if the snapshot or the manifest is not what it should be.
    """
    return HeldList(
        manifest,
        performance_of(manifest),
        classes_of(manifest),
        PackedList(snapshot, manifest.performance),
        list_key,
    )


class GateHoldings:
    """Every list that the gate holds, by performance."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._lists: dict[str, HeldList] = {}
        self._performances: dict[str, Performance] = {}
        self._view = MappingProxyType(self._performances)

    @property
    def performances(self) -> Mapping[str, Performance]:
        """Every performance held, by id."""
        return self._view

    @property
    def versions(self) -> dict[str, int]:
        """List version by performance."""
        return {name: held.manifest.version for name, held in self._lists.items()}

    def version(self, performance: str) -> int:
        """Give the version of a performance's list, 0 where none is held."""
        held = self._lists.get(performance)
        return 0 if held is None else held.manifest.version

    @property
    def manifests(self) -> list[Manifest]:
        """The manifest of every list."""
        return [held.manifest for held in self._lists.values()]

    def get(self, performance: str) -> HeldList | None:
        """Give a performance's list, or None."""
        return self._lists.get(performance)

    def install(self, held: HeldList) -> None:
        """Put a list in the place of the one before; one step, nothing in between."""
        self._lists[held.manifest.performance] = held
        self._performances[held.manifest.performance] = held.performance

    def identify(self, performance: str, number: str) -> bytes:
        """Give the identifier that stands for a number in a performance held.

        Raises:
            KeyError: if the performance is not held.
        """
        return identify(self._lists[performance].list_key, number)

    def find(self, performance: str, identifier: bytes) -> Ticket | None:
        """Look a ticket up."""
        held = self._lists[performance]
        entry = held.entries.find(identifier)
        if entry is None:
            return None
        return Ticket(identifier, held.classes[entry.class_index], entry.state)

    def faults(self, now: datetime) -> dict[str, Answer]:
        """Give the performances whose list must not admit now."""
        return {
            name: Answer.LIST_EXPIRED
            for name, held in self._lists.items()
            if held.manifest.not_after is not None and now >= held.manifest.not_after
        }

    def is_stale(self, performance: str, now: datetime) -> bool:
        """Tell whether a list is past its `refresh_by`: it still admits, and says so."""
        held = self._lists.get(performance)
        return (
            held is not None
            and held.manifest.refresh_by is not None
            and now >= held.manifest.refresh_by
        )
