"""The lists that a gate holds, ready to be judged by. Filled by the list keeper, asked by the gate.

Implements `admission.ticket.Holdings` over packed lists. Knows no file and no clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from admission.proof.proving import Proofs
from admission.ticket import Performance, Presented, Ticket, TicketClass
from admission.ticketlist.acceptance import check_segments
from admission.ticketlist.attributes import NOTHING, Attributes
from admission.ticketlist.columns import Buffer
from admission.ticketlist.identifiers import identify
from admission.ticketlist.issuers import issuers_of, rotation_of
from admission.ticketlist.manifest import Manifest, classes_of, performance_of
from admission.ticketlist.overlay import NO_CHANGES, Entries, Overlay, layered
from admission.ticketlist.packed import PackedList, pack
from admission.ticketlist.sealed_file import SealedFile, open_attributes
from admission.trust.status import ServerStatus
from admission.verdict import Answer


@dataclass(frozen=True, slots=True)
class HeldList:
    """One performance's list, opened.

    Attributes:
        manifest: what was signed.
        performance: as the rules see it.
        classes: what class indexes point to.
        packed: the snapshot.
        overlay: what the segments changed.
        entries: both together.
        list_key: makes identifiers.
        instead_of: version of the damaged list in whose place this older one stands; 0 is none.
        is_trusted: whether the tickets are there; if not, nobody is judged by them.
        sealed: records of what tickets say, each for whoever presents it.
    """

    manifest: Manifest
    performance: Performance
    classes: Sequence[TicketClass]
    packed: PackedList
    overlay: Overlay
    entries: Entries
    list_key: bytes
    instead_of: int = 0
    is_trusted: bool = True
    sealed: tuple[SealedFile, ...] = ()


def open_list(
    manifest: Manifest,
    snapshot: Buffer | PackedList,
    list_key: bytes,
    segments: Sequence[bytes] = (),
    under: Overlay = NO_CHANGES,
) -> HeldList:
    """Open checked pieces. Takes a while where the snapshot is new: it goes over every ticket.

    Args:
        manifest: names the pieces.
        snapshot: the file; the opened list where it was gone over before.
        list_key: the performance's.
        segments: the last of the manifest's segments; digests are checked here.
        under: what the segments before them came to.

    Raises:
        ListError: if a piece or the manifest is not what it should be.
    """
    classes = classes_of(manifest)
    if isinstance(snapshot, PackedList):
        packed = snapshot
    else:
        packed = PackedList(snapshot, manifest.performance)
        packed.check_columns(len(classes))  # a bad ticket must not come up at the door
    overlay = under
    if segments:
        before = len(manifest.segments) - len(segments)
        overlay = under.under(check_segments(manifest, segments, before))
        overlay.check_columns(len(classes))
    return HeldList(
        manifest=manifest,
        performance=performance_of(manifest),
        classes=classes,
        packed=packed,
        overlay=overlay,
        entries=layered(packed, overlay),
        list_key=list_key,
    )


def untrusted_list(manifest: Manifest, list_key: bytes) -> HeldList:
    """Hold a performance whose tickets are not there: whoever is inside can still go out.

    Raises:
        ListError: if the manifest is not what it should be.
    """
    empty = pack(manifest.performance, ())
    bare = PackedList(empty, manifest.performance)
    held = HeldList(
        manifest=manifest,
        performance=performance_of(manifest),
        classes=classes_of(manifest),
        packed=bare,
        overlay=NO_CHANGES,
        entries=bare,
        list_key=list_key,
    )
    return replace(held, is_trusted=False)


class GateHoldings:
    """Every list that the gate holds, by performance."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._lists: dict[str, HeldList] = {}
        self._performances: dict[str, Performance] = {}
        self._view = MappingProxyType(self._performances)
        self._proofs: dict[str, Proofs] = {}
        self._confirmed: dict[str, tuple[int, datetime]] = {}
        self._confirmed_at: datetime | None = None
        self._superseded: set[str] = set()

    @property
    def performances(self) -> Mapping[str, Performance]:
        """Every performance held, by id."""
        return self._view

    @property
    def versions(self) -> dict[str, int]:
        """List version by performance, those left out whose tickets are not there."""
        return {
            name: held.manifest.version for name, held in self._lists.items() if held.is_trusted
        }

    def version(self, performance: str) -> int:
        """Give the version of a performance's list, 0 where none is held."""
        held = self._lists.get(performance)
        return held.manifest.version if held is not None and held.is_trusted else 0

    @property
    def lists(self) -> list[HeldList]:
        """Every list."""
        return list(self._lists.values())

    def get(self, performance: str) -> HeldList | None:
        """Give a performance's list, or None."""
        return self._lists.get(performance)

    def install(self, held: HeldList) -> None:
        """Put a list in the place of the one before; one step, nothing in between."""
        self._lists[held.manifest.performance] = held
        self._superseded.discard(held.manifest.performance)
        self._performances[held.manifest.performance] = held.performance
        proofs = _proofs_of(held)
        if proofs is None:
            self._proofs.pop(held.manifest.performance, None)
        else:
            self._proofs[held.manifest.performance] = proofs

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

    def attributes(self, performance: str, identifier: bytes, presented: str) -> Attributes:
        """Open what a presented ticket says; NOTHING where that is nothing.

        Args:
            performance: whose ticket it is.
            identifier: the ticket's.
            presented: the text that was read: it is the key.
        """
        held = self._lists.get(performance)
        if held is None or not held.sealed:
            return NOTHING
        more = self.present(performance, presented)
        number = presented if more is None else more.number
        return open_attributes(held.sealed, identifier, held.list_key, number)

    def present(self, performance: str, text: str) -> Presented | None:
        """Give what a text is in a performance held; None for a plain number."""
        proofs = self._proofs.get(performance)
        if proofs is None:
            return None
        return proofs.present(
            text, lambda identifier: self.find(performance, identifier) is not None
        )

    def named(self, data: bytes) -> bytes:
        """Give what stays the same of a payload while its code rotates; the payload, if none does.

        Nothing is proven by it: it only tells that one ticket is still before the reader.
        """
        for proofs in self._proofs.values():
            number = proofs.named(data.decode("utf-8", "replace"))
            if number is not None:
                return number.encode()
        return data

    def faults(self, now: datetime) -> dict[str, Answer]:
        """Give the performances whose list must not admit now."""
        found: dict[str, Answer] = {}
        for name, held in self._lists.items():
            if not held.is_trusted:
                found[name] = Answer.LIST_UNTRUSTED
            elif held.manifest.not_after is not None and now >= held.manifest.not_after:
                found[name] = Answer.LIST_EXPIRED
        return found

    def is_stale(self, performance: str, now: datetime) -> bool:
        """Tell whether nobody has vouched for a list lately: it still admits, and says so.

        It is fresh until its own `refresh_by`, and for as long as the last status document that
        named this very version as the newest is good. A stand-in never is, nor is one whose
        signers may not sign any more.
        """
        held = self._lists.get(performance)
        if held is None:
            return False
        if held.instead_of or performance in self._superseded:
            return True
        if held.manifest.refresh_by is None or now < held.manifest.refresh_by:
            return False
        version, until = self._confirmed.get(performance, (0, now))
        return version != held.manifest.version or now >= until

    def age_s(self, performances: Iterable[str], now: datetime) -> float | None:
        """Give how old is what is known of the oldest of some lists, in seconds; None for no list.

        A list is as old as the server's last word that it is the newest, or else as itself.
        """
        held = (self._lists.get(name) for name in performances)
        known_at = [self._known_at(one) for one in held if one is not None]
        return max(0.0, (now - min(known_at)).total_seconds()) if known_at else None

    def _known_at(self, held: HeldList) -> datetime:
        manifest = held.manifest
        version, _ = self._confirmed.get(manifest.performance, (0, None))
        if self._confirmed_at is None or version != manifest.version:
            return manifest.published_at
        return max(manifest.published_at, self._confirmed_at)

    def confirm(self, status: ServerStatus) -> None:
        """Take the server's word of which lists are the newest."""
        self._confirmed = {
            name: (line.version, status.expires_at) for name, line in status.lists.items()
        }
        self._confirmed_at = status.time

    def supersede(self, performances: Iterable[str]) -> None:
        """Mark lists, until newer ones come: those who signed them may not sign any more."""
        self._superseded |= set(performances)


def _proofs_of(held: HeldList) -> Proofs | None:
    issuers = issuers_of(held.manifest.issuers, held.classes)
    rotation = rotation_of(held.manifest.rotating)
    if not issuers and rotation is None:
        return None
    return Proofs(held.manifest.performance, issuers, rotation, held.list_key, identify)
