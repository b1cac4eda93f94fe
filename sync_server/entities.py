"""What the server keeps, as frozen records. Made by services, kept by storage, read by web pages.

Each is one row of the table of its name. Knows no database and decides nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum, unique
from typing import Final
from zoneinfo import ZoneInfo

from admission import ticket as judged
from admission.rules import ClockPolicy, ExitPolicy
from admission.scan import Direction
from admission.ticketlist.attributes import TRAVELLING
from admission.ticketlist.guessability import Guessability
from admission.ticketlist.key_storage import KeyStorage, storage_in_force

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]


def instant(at_us: int) -> datetime:
    """Give the aware UTC instant of so many microseconds since 1970, exactly."""
    return EPOCH + timedelta(microseconds=at_us)


def microseconds(at: datetime) -> int:
    """Give an aware instant as whole microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant; a tree under the one without a parent."""

    id: str
    parent_id: str | None
    name: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, and when. Holds no ticket number and no secret."""

    id: str
    at_ms: int
    user_id: str | None
    what: str
    subject: str
    detail: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Venue:
    """A place with gates; its zone is the default of its performances'."""

    id: str
    organization_id: str
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class Event:
    """A show, whose showings are performances."""

    id: str
    organization_id: str
    venue_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Performance:
    """One showing, with what its list says of it.

    Attributes:
        starts_ms: None for an open-dated one.
        day_starts_at: "HH:MM" on the venue's clock face.
        list_key: keys the identifiers of its tickets; secret, never rotated.
        published_version: of its newest list; 0 before the first.
        guessability: of its numbers, as measured after the last import; None before the first.
        key_storage: where its gates shall keep the list key, as an operator chose.
        key_storage_reason: why that was chosen though the numbers are guessable; "" if it was not.
        gate_fields: those of what its tickets say that go to gates, sealed.
    """

    id: str
    event_id: str
    name: str
    starts_ms: int | None
    timezone: str
    day_starts_at: str
    excluded_categories: tuple[str, ...]
    admits_from_us: int | None
    admits_until_us: int | None
    canceled: bool
    list_key: bytes = field(repr=False)
    published_version: int = 0
    guessability: Guessability | None = None
    key_storage: KeyStorage = KeyStorage.SEALED
    key_storage_reason: str = ""
    gate_fields: tuple[str, ...] = TRAVELLING

    @property
    def key_storage_in_force(self) -> KeyStorage:
        """What its gates are told, whatever was chosen."""
        return storage_in_force(
            self.key_storage, self.guessability, is_overridden=bool(self.key_storage_reason)
        )

    def judged(self) -> judged.Performance:
        """Give it as the rules see it."""
        return judged.Performance(
            id=self.id,
            zone=ZoneInfo(self.timezone),
            day_starts_at=time.fromisoformat(self.day_starts_at),
            excluded_categories=frozenset(self.excluded_categories),
            admits_from=None if self.admits_from_us is None else instant(self.admits_from_us),
            admits_until=None if self.admits_until_us is None else instant(self.admits_until_us),
            canceled=self.canceled,
            name=self.name,
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A logical access point and the performances it controls."""

    id: str
    venue_id: str
    name: str
    allowed_categories: tuple[str, ...] | None
    capacity: int | None
    performances: tuple[str, ...]

    def judged(self) -> judged.Checkpoint:
        """Give it as the rules see it."""
        allowed = self.allowed_categories
        return judged.Checkpoint(
            id=self.id,
            performances=self.performances,
            allowed_categories=None if allowed is None else frozenset(allowed),
            capacity=self.capacity,
            name=self.name,
        )


@unique
class Standing(StrEnum):
    """What a gate is to the server.

    `unknown`: no machine is this gate. `pending`: one is, and nobody has confirmed it; it gets
    nothing and is not heard. `revoked`: it gets nothing; its journal is taken, and held apart.
    """

    UNKNOWN = "unknown"
    PENDING = "pending"
    IN_FORCE = "in_force"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Gate:
    """One lane and its appliance.

    Attributes:
        public_key: Ed25519, raw 32 bytes; None until enrolled.
        agreement_key: X25519, raw 32 bytes; the list keys are sealed for it.
        last_status: what it last said of itself, as it was sent.
        exit_policy: when an exit opens on a refusal.
        clock_policy: what rules with a time in them do while it has no trusted time.
        strict: whether it claims a ticket here before it opens, while it is connected.
        assignment_version: of the last assignment it was given; 0 before the first.
        assignment_sha256: digest of what that assignment says.
        pending_ms: since when it waits for an operator to compare the digits; None if it does not.
        certificate_serial: of its newest device certificate; 0 before the first.
    """

    id: str
    venue_id: str
    name: str
    checkpoint_id: str
    direction: Direction
    public_key: bytes | None = None
    agreement_key: bytes | None = None
    enrolled_ms: int | None = None
    revoked_ms: int | None = None
    last_seen_ms: int | None = None
    last_status: Mapping[str, JsonValue] | None = None
    exit_policy: ExitPolicy = ExitPolicy.LISTED
    clock_policy: ClockPolicy = ClockPolicy.ADMIT
    strict: bool = False
    assignment_version: int = 0
    assignment_sha256: bytes | None = None
    pending_ms: int | None = None
    certificate_serial: int = 0

    @property
    def standing(self) -> "Standing":
        """What the gate is to the server now."""
        if self.public_key is None:
            return Standing.UNKNOWN
        if self.pending_ms is not None:
            return Standing.PENDING
        return Standing.IN_FORCE if self.revoked_ms is None else Standing.REVOKED


@dataclass(frozen=True, slots=True)
class Site:
    """A site server: a machine at a venue that carries between its gates and this server.

    Attributes:
        public_key: Ed25519, raw 32 bytes; None until it has joined.
        pins: SHA-256 of the certificates by which its gates know it, hexadecimal.
        addresses: under which its gates reach it.
        last_status: what it last said of itself.
    """

    id: str
    venue_id: str
    name: str
    public_key: bytes | None = None
    pins: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    joined_ms: int | None = None
    revoked_ms: int | None = None
    last_seen_ms: int | None = None
    last_status: Mapping[str, JsonValue] | None = None

    @property
    def is_in_force(self) -> bool:
        """Whether a machine is this site, and may be."""
        return self.public_key is not None and self.revoked_ms is None


@dataclass(frozen=True, slots=True)
class SiteCode:
    """A one-time code that makes a machine a site server, known by its hash only."""

    code_hash: bytes = field(repr=False)
    site_id: str
    expires_ms: int
    used_ms: int | None = None


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    """A one-time code, known by its hash only."""

    code_hash: bytes = field(repr=False)
    gate_id: str
    expires_ms: int
    used_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GroupCode:
    """A code that makes several gates, each of which waits to be confirmed.

    Attributes:
        code_hash: what it is known by.
        checkpoint_id: where its gates stand.
        direction: the way they let people go.
        uses_left: how many more it makes.
        expires_ms: first instant at which it is void.
    """

    code_hash: bytes = field(repr=False)
    checkpoint_id: str
    direction: Direction
    uses_left: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where a performance's ticket numbers come from; the first to bring a number owns it."""

    id: int
    performance_id: str
    kind: str
    name: str


@unique
class ImportMode(StrEnum):
    """What a number's absence means: nothing, or that it is canceled."""

    ADD = "add"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Import:
    """One run of an import, counted.

    Attributes:
        guessability: of all the numbers of the performance, as they were then.
    """

    id: str
    source_id: int
    user_id: str | None
    at_ms: int
    filename: str
    mode: ImportMode
    rows: int
    added: int
    changed: int
    canceled: int
    conflicts: int
    refused: int
    problems: tuple[Mapping[str, JsonValue], ...]
    guessability: Guessability | None = None


@unique
class FileKind(StrEnum):
    """What a file of a published list is."""

    SNAPSHOT = "snapshot"
    SEGMENT = "segment"
    ATTRIBUTES = "attributes"


@dataclass(frozen=True, slots=True)
class ListFile:
    """A file of published lists, from the version on that brought it; named by its digest.

    Attributes:
        base_version: of attributes: version of the whole file that this one follows.
        fields: of attributes: which of them may be in it.
    """

    performance_id: str
    version: int
    kind: FileKind
    sha256: bytes
    size_bytes: int
    count: int
    base_version: int | None = None
    fields: str | None = None


@dataclass(frozen=True, slots=True)
class ListVersion:
    """One published list of a performance.

    Attributes:
        manifest: the signed envelope.
        snapshot_sha256: digest of its snapshot.
        size_bytes: of all its files together.
        count: tickets on the list.
        stops: further entries: blocked numbers that are no tickets.
    """

    performance_id: str
    version: int
    published_ms: int
    manifest: bytes
    snapshot_sha256: bytes
    size_bytes: int
    count: int
    stops: int = 0
