"""What the services need of the outside, as protocols. Storage implements them; `main` binds them.

A service asks the `Store` for a transaction and works on its repositories; what it wrote is
durable when the `async with` block has ended without an exception, and gone otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from admission.ticketlist.columns import Buffer
from admission.ticketlist.guessability import Guessability
from sync_server.command_ports import Commands
from sync_server.entities import (
    AuditEntry,
    Checkpoint,
    EnrolmentCode,
    Event,
    Gate,
    GroupCode,
    ListVersion,
    Organization,
    Performance,
    Venue,
)
from sync_server.fleet_ports import Fleet
from sync_server.journal_ports import Facts, Journals, QuarantineStore, Seals, SideLines
from sync_server.list_ports import Pieces
from sync_server.proving_ports import Proving
from sync_server.report_ports import Reports
from sync_server.site_ports import Freight, Sites
from sync_server.ticket_ports import IncomingTicket, Tickets
from sync_server.trust_ports import Roots


class Clock(Protocol):
    """The only source of time. `main` binds the machine's, tests a virtual one."""

    def now_us(self) -> int:
        """Give the wall-clock time: microseconds since 1970, UTC."""
        ...


class Entropy(Protocol):
    """The only source of chance. `main` binds the system's, tests a seeded one."""

    def __call__(self, size: int, /) -> bytes:
        """Give so many unpredictable bytes."""
        ...


class News(Protocol):
    """Tells whoever watches that something has changed; never waits."""

    def streams_grew(self, streams: Iterable[str]) -> None:
        """Facts were added to these feeds."""
        ...

    def lists_changed(self) -> None:
        """A list or what a gate is told to do may be another now."""
        ...

    def report_changed(self) -> None:
        """The live report is another now."""
        ...


class SnapshotFiles(Protocol):
    """The files of lists on disk, each named by its digest and never changed."""

    async def open(self, sha256: str) -> Buffer | None:
        """Map a file, None where it is not there; what is in it is not checked."""
        ...

    async def keep(self, sha256: str, data: bytes) -> None:
        """Write a file so that it survives a power cut; one that is there already is left."""
        ...

    def path(self, sha256: str) -> Path:
        """Give where a file lies, whether or not it is there."""
        ...


class Organizations(Protocol):
    """Organizations, their venues and events."""

    async def add_organization(self, organization: Organization) -> None:
        """Keep a new one."""
        ...

    async def organization(self, organization_id: str) -> Organization | None:
        """Give one, or None."""
        ...

    async def root(self) -> Organization | None:
        """Give the one without a parent, None before `init`."""
        ...

    async def branch(self, top: str) -> list[Organization]:
        """Give an organization and all below it, by name."""
        ...

    async def add_venue(self, venue: Venue) -> None:
        """Keep a new one."""
        ...

    async def venue(self, venue_id: str) -> Venue | None:
        """Give one, or None."""
        ...

    async def venues(self, organization_ids: Sequence[str]) -> list[Venue]:
        """Give those of some organizations, by name."""
        ...

    async def add_event(self, event: Event) -> None:
        """Keep a new one."""
        ...

    async def event(self, event_id: str) -> Event | None:
        """Give one, or None."""
        ...

    async def events(self, organization_ids: Sequence[str]) -> list[Event]:
        """Give those of some organizations, by name."""
        ...


class Audit(Protocol):
    """Who did what."""

    async def add_entry(self, entry: AuditEntry) -> None:
        """Keep one entry; none is ever changed or removed."""
        ...

    async def newest(self, limit: int, before_ms: int | None = None) -> list[AuditEntry]:
        """Give the newest entries, newest first, optionally only those before a time."""
        ...


class Performances(Protocol):
    """Performances, and the lists published of them."""

    async def add_performance(self, performance: Performance) -> None:
        """Keep a new one."""
        ...

    async def save_performance(self, performance: Performance) -> None:
        """Replace what is kept of one, except its list key, published version and measure."""
        ...

    async def performance(self, performance_id: str) -> Performance | None:
        """Give one, or None."""
        ...

    async def performances(self, organization_ids: Sequence[str]) -> list[Performance]:
        """Give those of some organizations, by start (open-dated last), then name."""
        ...

    async def performances_at(self, venue_id: str) -> list[Performance]:
        """Give those of a venue's events, by start (open-dated last), then name."""
        ...

    async def performances_by_id(self, ids: Iterable[str]) -> dict[str, Performance]:
        """Give those of some ids that exist, by id."""
        ...

    async def organization_of_performance(self, performance_id: str) -> str | None:
        """Give the id of the organization it belongs to, or None where it does not exist."""
        ...

    async def note_published(self, performance_id: str, version: int) -> None:
        """Note the version of a performance's newest list."""
        ...

    async def note_guessability(self, performance_id: str, measured: Guessability | None) -> None:
        """Note how guessable a performance's numbers are now."""
        ...

    async def add_list_version(self, version: ListVersion) -> None:
        """Keep a published list."""
        ...

    async def newest_list(self, performance_id: str) -> ListVersion | None:
        """Give the newest published list, or None before the first."""
        ...

    async def list_versions(self, performance_id: str, limit: int) -> list[ListVersion]:
        """Give the newest published lists, newest first."""
        ...


class Checkpoints(Protocol):
    """Checkpoints and the performances they control."""

    async def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a new one."""
        ...

    async def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace what is kept of one, the performances it controls included."""
        ...

    async def checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        """Give one, or None."""
        ...

    async def checkpoints(self, organization_ids: Sequence[str]) -> list[Checkpoint]:
        """Give those of some organizations, by name."""
        ...

    async def checkpoints_at(self, venue_id: str) -> list[Checkpoint]:
        """Give those of a venue, by name."""
        ...

    async def organization_of_checkpoint(self, checkpoint_id: str) -> str | None:
        """Give the id of the organization it belongs to, or None where it does not exist."""
        ...


class Gates(Protocol):
    """Gates and the codes they are enrolled with."""

    async def add_gate(self, gate: Gate) -> None:
        """Keep a new one."""
        ...

    async def save_gate(self, gate: Gate) -> None:
        """Replace what is kept of one, except what `note_gate` and `note_assignment` keep.

        A device key that it gives up is kept among its former ones.

        Raises:
            ConflictError: if its public key is another gate's.
        """
        ...

    async def note_gate(
        self, gate_id: str, seen_ms: int, status: Mapping[str, object] | None
    ) -> None:
        """Note that a gate was heard, and what it said of itself (None: nothing new)."""
        ...

    async def note_assignment(self, gate_id: str, version: int, sha256: bytes) -> None:
        """Note which assignment a gate was given."""
        ...

    async def gate(self, gate_id: str) -> Gate | None:
        """Give one, or None."""
        ...

    async def keys(self, gate_id: str) -> dict[bytes, bool]:
        """Give the device keys that a gate has and had, and whether each is to be believed.

        One that was given up by a revoked gate is not: whoever stole it may sign with it.
        """
        ...

    async def gates(self, organization_ids: Sequence[str]) -> list[Gate]:
        """Give those of some organizations, by name."""
        ...

    async def revoked(self) -> list[str]:
        """Give the ids of revoked gates, those revoked last first."""
        ...

    async def add_code(self, code: EnrolmentCode) -> None:
        """Keep a new enrolment code; earlier unused ones of its gate are dropped."""
        ...

    async def codes(self) -> list[EnrolmentCode]:
        """Give the unused codes."""
        ...

    async def spend_code(self, code_hash: bytes, used_ms: int) -> bool:
        """Mark a code used; False where it was used before."""
        ...

    async def made_by(self, code_hash: bytes, public_key: bytes) -> str | None:
        """Give the id of the gate that this code has made of the machine with this key."""
        ...

    async def add_group_code(self, code: GroupCode) -> None:
        """Keep a new code that makes several gates."""
        ...

    async def group_codes(self) -> list[GroupCode]:
        """Give the codes that have uses left."""
        ...

    async def spend_group_code(self, code_hash: bytes) -> bool:
        """Use a code once; False where none of its uses was left."""
        ...

    async def organization_of_gate(self, gate_id: str) -> str | None:
        """Give the id of the organization it belongs to, or None where it does not exist."""
        ...


class Transaction(Protocol):
    """One view of the database: reads agree with each other, writes come together or not at all."""

    @property
    def organizations(self) -> Organizations:
        """Organizations, venues, events."""
        ...

    @property
    def audit(self) -> Audit:
        """Who did what."""
        ...

    @property
    def performances(self) -> Performances:
        """Performances and published lists."""
        ...

    @property
    def checkpoints(self) -> Checkpoints:
        """Checkpoints."""
        ...

    @property
    def gates(self) -> Gates:
        """Gates and enrolment codes."""
        ...

    @property
    def tickets(self) -> Tickets:
        """Tickets and where they come from."""
        ...

    @property
    def pieces(self) -> Pieces:
        """The files of published lists, and what has changed since."""
        ...

    @property
    def journals(self) -> Journals:
        """Journals as the gates wrote them."""
        ...

    @property
    def lines(self) -> SideLines:
        """Histories of journals beside their main ones."""
        ...

    @property
    def seals(self) -> Seals:
        """What gates have signed of their journals."""
        ...

    @property
    def quarantine(self) -> QuarantineStore:
        """What revoked gates handed in."""
        ...

    @property
    def facts(self) -> Facts:
        """Facts, what they come to, and the feeds."""
        ...

    @property
    def trust(self) -> Roots:
        """The chain of roots."""
        ...

    @property
    def commands(self) -> Commands:
        """Operators' commands."""
        ...

    @property
    def reports(self) -> Reports:
        """Figures for reports."""
        ...

    @property
    def proving(self) -> Proving:
        """Issuers, rotating codes, blocked numbers."""
        ...

    @property
    def sites(self) -> Sites:
        """Site servers, and the codes they join with."""
        ...

    @property
    def fleet(self) -> Fleet:
        """Releases of gates' software, and their rollouts."""
        ...

    @property
    def freight(self) -> Freight:
        """On a site server: what it carries."""
        ...


class Staging(Protocol):
    """Where an import's rows are gathered; no writer waits meanwhile."""

    async def stage(self, rows: Sequence[IncomingTicket]) -> None:
        """Add rows."""
        ...

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """Open the one writing transaction, in which the rows can be merged."""
        ...


class Store(Protocol):
    """The database."""

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a view to read from; it never waits for a writer."""
        ...

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """Open the one writing transaction; waits for the writer before."""
        ...

    def staging(self) -> AbstractAsyncContextManager[Staging]:
        """Open an empty place for an import's rows; waits for the import before."""
        ...
