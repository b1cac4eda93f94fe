"""The manifest: what a list version is, and what its performance is like. JSON in an envelope.

Written by the publisher, read by the gate after its envelope was checked.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, time
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from admission.errors import JournalError, ListFormatError
from admission.journal import class_of
from admission.keyed import Alphabet, Trait
from admission.limits import CLASSES_MAX
from admission.ticket import Performance, TicketClass
from admission.ticketlist.issuers import ISSUERS_MAX, IssuerRow, RotationRow, check_issuers
from admission.ticketlist.key_storage import KeyStorage
from admission.ticketlist.pieces import (
    Digest,
    FileRef,
    PieceRef,
    SealedFiles,
    Segments,
    Version,
    check_attributes,
    check_pieces,
)

IDENTIFIER_ALGORITHM: Final = "hmac-sha256-128"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Showing(msgspec.Struct, frozen=True, kw_only=True):
    """The performance as the rules see it; the fields of `ticket.Performance`.

    Attributes:
        name: for people.
        event: the event's name, for people.
        timezone: IANA name.
        day_starts_at: HH:MM.
        starts_at: aware start, None for open-dated; for people.
        venue: for people, where a ticket for it belongs.
        excluded_categories: filtered out now.
        admits_from: aware; None is no bound.
        admits_until: aware; None is no bound.
        canceled: does not take place.
    """

    name: Annotated[str, msgspec.Meta(max_length=200)]
    event: Annotated[str, msgspec.Meta(max_length=200)] = ""
    venue: Annotated[str, msgspec.Meta(max_length=200)] = ""
    timezone: Name
    day_starts_at: Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "00:00"
    starts_at: datetime | None = None
    excluded_categories: tuple[str, ...] = ()
    admits_from: datetime | None = None
    admits_until: datetime | None = None
    canceled: bool = False


class ClassRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the class table; the packed list points here."""

    category: Annotated[str, msgspec.Meta(max_length=200)]
    mode: str
    total: int | None = None
    per_day: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a performance's list.

    Attributes:
        performance: its id.
        version: strictly rising.
        chain: SHA-256 chain over snapshot and segments; with no segment, the snapshot's digest.
        snapshot: the packed file.
        segments: what has changed since, in order.
        identifier_algorithm: how identifiers are made.
        list_key_id: names the list key, so that a foreign one is noticed.
        classes: what class indexes point to.
        showing: the performance itself.
        published_at: aware; by the server's clock.
        not_before: aware; the list counts from then on, None from at once.
        refresh_by: aware; afterwards the list is stale: it admits, and says so.
        not_after: aware; afterwards it does not admit.
        firmware_min: least version of the gate's software, "" is any.
        key_storage: where the gate may keep the list key; it never keeps more than that.
        issuers: whose signed tickets are accepted without being listed.
        rotating: the codes that change with time, None where there are none.
        attributes: sealed records of what tickets say; later files stand over earlier ones.
        alphabet: the `Trait`s that ticket numbers hold, for codes typed by hand; None where that
            is not stated. One that this program does not know is passed over.
    """

    performance: Name
    version: Version
    chain: Digest
    snapshot: FileRef
    segments: Segments = ()
    identifier_algorithm: str = IDENTIFIER_ALGORITHM
    list_key_id: str
    classes: Annotated[tuple[ClassRow, ...], msgspec.Meta(max_length=CLASSES_MAX)]
    showing: Showing
    published_at: datetime
    not_before: datetime | None = None
    refresh_by: datetime | None = None
    not_after: datetime | None = None
    firmware_min: str = ""
    key_storage: KeyStorage = KeyStorage.SEALED
    issuers: Annotated[tuple[IssuerRow, ...], msgspec.Meta(max_length=ISSUERS_MAX)] = ()
    rotating: RotationRow | None = None
    attributes: SealedFiles = ()
    alphabet: Annotated[tuple[Name, ...], msgspec.Meta(max_length=16)] | None = None


_decoder: Final = msgspec.json.Decoder(Manifest)


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as JSON."""
    return msgspec.json.encode(manifest)


def decode_manifest(body: bytes) -> Manifest:
    """Read a manifest whose envelope was checked.

    Raises:
        ListFormatError: if a field is missing or wrong; the message names it.
    """
    try:
        manifest = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ListFormatError(f"manifest: {exc}") from exc
    if manifest.identifier_algorithm != IDENTIFIER_ALGORITHM:
        raise ListFormatError(
            f"manifest: identifier_algorithm {manifest.identifier_algorithm[:40]!r} is unknown"
        )
    check_pieces(manifest.version, manifest.chain, manifest.snapshot, manifest.segments)
    check_attributes(manifest.version, manifest.attributes)
    check_issuers(manifest.issuers, manifest.rotating, len(manifest.classes))
    for name in ("published_at", "not_before", "refresh_by", "not_after"):
        _require_aware(name, getattr(manifest, name))
    for name in ("starts_at", "admits_from", "admits_until"):
        _require_aware(f"showing.{name}", getattr(manifest.showing, name))
    return manifest


def replace_fields(manifest: Manifest, **fields: object) -> Manifest:
    """Give a manifest that says the same but for some fields."""
    return msgspec.structs.replace(manifest, **fields)


def _require_aware(name: str, at: datetime | None) -> None:
    if at is not None and at.tzinfo is None:
        raise ListFormatError(f"manifest: {name} has no offset")


def pieces_of(manifest: Manifest) -> list[tuple[str, PieceRef]]:
    """Give every file that a manifest answers for, each with its name for people."""
    named: list[tuple[str, PieceRef]] = [("snapshot", manifest.snapshot)]
    named += [(f"segment {ref.version}", ref) for ref in manifest.segments]
    return named + [(f"attributes {ref.version}", ref) for ref in manifest.attributes]


def performance_of(manifest: Manifest) -> Performance:
    """Give the performance that a manifest describes.

    Raises:
        ListFormatError: if its time zone is unknown.
    """
    showing = manifest.showing
    try:
        zone = ZoneInfo(showing.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:  # OSError: a folder of zones
        raise ListFormatError(f"manifest: unknown time zone {showing.timezone[:80]!r}") from exc
    return Performance(
        id=manifest.performance,
        zone=zone,
        day_starts_at=time.fromisoformat(showing.day_starts_at),
        excluded_categories=frozenset(showing.excluded_categories),
        admits_from=showing.admits_from,
        admits_until=showing.admits_until,
        canceled=showing.canceled,
        name=showing.name,
    )


def alphabet_of(manifest: Manifest) -> Alphabet | None:
    """Give what a list's numbers hold, None where it is not stated."""
    if manifest.alphabet is None:
        return None
    return frozenset(trait for trait in Trait if trait.value in manifest.alphabet)


def classes_of(manifest: Manifest) -> Sequence[TicketClass]:
    """Give the class table.

    Raises:
        ListFormatError: if a row is no class.
    """
    try:
        return tuple(
            class_of((row.category, row.mode, row.total, row.per_day)) for row in manifest.classes
        )
    except JournalError as exc:
        raise ListFormatError(f"manifest: classes: {exc}") from exc


def list_key_id(list_key: bytes) -> str:
    """Name a list key without giving it away."""
    return hashlib.sha256(b"portillon-list-key-1\0" + list_key).hexdigest()[:32]
