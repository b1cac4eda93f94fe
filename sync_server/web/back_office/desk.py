"""What the pages need of the services. The services' side implements it; `main` binds it.

Every call is made in the name of a user and reaches that user's branch only: what lies outside is
NotFoundError, as if it were not there.
"""

from dataclasses import dataclass
from typing import Protocol

from admission.proof.proving import IssuerFormat
from admission.proof.rotation import Rotation
from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.key_storage import KeyStorage
from admission.trust.command import Action
from sync_server.account_ports import User
from sync_server.commanding import Issued
from sync_server.entities import (
    Checkpoint,
    Event,
    Gate,
    Import,
    ImportMode,
    ListVersion,
    Performance,
    Site,
    Venue,
)
from sync_server.issuing import Blocked, ProvingSetUp
from sync_server.journal_ports import QuarantineLine, SideLine
from sync_server.web.back_office.fleet_desk import FleetDesk
from sync_server.web.back_office.live_board import LiveReports


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that is set up in a branch, each kind in the order of its names.

    Attributes:
        performances: by start, open-dated ones last.
    """

    venues: tuple[Venue, ...]
    events: tuple[Event, ...]
    performances: tuple[Performance, ...]
    checkpoints: tuple[Checkpoint, ...]
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One import, and the name of the source that brought it."""

    run: Import
    source: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A ticket file as it arrived.

    Attributes:
        data: its bytes.
        filename: as the browser named it.
        source: who brings it.
        mode: what a number's absence means.
    """

    data: bytes
    filename: str
    source: str
    mode: ImportMode


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was taken in.

    Attributes:
        run_id: of the import.
        notes: codes of what a person should look at.
    """

    run_id: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewCode:
    """An enrolment code; shown once, kept nowhere in the clear.

    Attributes:
        code: what is typed on the gate.
        expires_ms: first instant at which it is void.
        link: says to a machine all that it needs: server, pin, code.
    """

    code: str
    expires_ms: int
    link: str


class BackOfficeDesk(LiveReports, FleetDesk, Protocol):
    """The services, as the pages see them. All raise ServerError where they refuse."""

    async def catalogue(self, user: User) -> Catalogue:
        """Give everything that is set up in the user's branch."""
        ...

    async def add_venue(self, user: User, name: str, timezone: str) -> str:
        """Make a venue; give its id."""
        ...

    async def add_event(self, user: User, venue_id: str, name: str) -> str:
        """Make an event; give its id."""
        ...

    async def add_performance(
        self, user: User, event_id: str, name: str, starts_ms: int | None
    ) -> str:
        """Make a performance in its venue's time zone; give its id."""
        ...

    async def add_checkpoint(
        self, user: User, venue_id: str, name: str, capacity: int | None, performances: list[str]
    ) -> str:
        """Make a checkpoint that controls some performances; give its id."""
        ...

    async def change_checkpoint(
        self, user: User, checkpoint_id: str, capacity: int | None, performances: list[str]
    ) -> None:
        """Have a checkpoint hold so many people and control these performances."""
        ...

    async def add_gate(
        self, user: User, checkpoint_id: str, name: str, direction: Direction
    ) -> str:
        """Make a gate; give its id."""
        ...

    async def new_code(self, user: User, gate_id: str, reached_by: str) -> NewCode:
        """Make the code that enrols a gate's appliance; earlier ones are void.

        Args:
            user: who asks.
            gate_id: of the gate.
            reached_by: base address under which the user's browser reached the server.
        """
        ...

    async def new_group_code(
        self,
        user: User,
        checkpoint_id: str,
        direction: Direction,
        uses: int,
        minutes: int,
        reached_by: str,
    ) -> NewCode:
        """Make a code with which several machines become gates that wait to be confirmed."""
        ...

    async def sites(self, user: User, venue: Venue) -> list[Site]:
        """Give the site servers of a venue, by name."""
        ...

    async def add_site(self, user: User, venue_id: str, name: str) -> str:
        """Make a site server of a venue; give its id."""
        ...

    async def new_site_code(self, user: User, site_id: str, reached_by: str) -> NewCode:
        """Make the code with which a machine becomes a site server; earlier ones are void."""
        ...

    async def revoke_site(self, user: User, site_id: str) -> None:
        """Have a site server's key mean nothing any more."""
        ...

    def site_check_string(self, site: Site) -> str:
        """Give the digits that a site server has shown too, "" before it has joined."""
        ...

    async def confirm_gate(self, user: User, gate_id: str) -> None:
        """Take a machine that waits in: its digits were compared."""
        ...

    async def command_gate(self, user: User, gate_id: str, action: Action, reason: str) -> Issued:
        """Command a gate to lock, to unlock, or to let one person through its own way."""
        ...

    async def revoke_gate(self, user: User, gate_id: str) -> None:
        """Have a gate's key mean nothing any more."""
        ...

    async def quarantine(self, user: User) -> list[QuarantineLine]:
        """Give what revoked gates of the user's branch have handed in."""
        ...

    async def release(self, user: User, gate_id: str) -> int:
        """Believe what a gate has handed in; give how many records."""
        ...

    async def copied_cards(self, user: User) -> list[SideLine]:
        """Give what journals say of copied cards, as far as nobody has looked into it yet."""
        ...

    async def settle_copies(self, user: User, gate_id: str, reason: str) -> int:
        """Take the notice of a gate's copied card down; give how many lines were open."""
        ...

    def check_string(self, gate: Gate) -> str:
        """Give the digits that an enrolled gate shows too, "" before it is enrolled."""
        ...

    async def imports(self, user: User, performance_id: str) -> list[ImportRun]:
        """Give a performance's newest imports, newest first."""
        ...

    async def list_versions(self, user: User, performance_id: str) -> list[ListVersion]:
        """Give the newest published lists of a performance, newest first."""
        ...

    async def import_file(self, user: User, performance_id: str, upload: Upload) -> Taken:
        """Take a ticket file in, wholly or not at all.

        Raises:
            TicketFileError: if the file as a whole is refused.
        """
        ...

    async def publish(self, user: User, performance_id: str) -> int:
        """Sign a performance's list and have its gates fetch it; give the version."""
        ...

    async def choose_key_storage(
        self, user: User, performance_id: str, storage: KeyStorage, reason: str
    ) -> None:
        """Choose where gates keep a performance's list key.

        Raises:
            ConflictError: if it is risky and no reason is given.
        """
        ...

    async def set_state(
        self, user: User, performance_id: str, number: str, state: TicketState
    ) -> bool:
        """Change one ticket's state from now on; False where it had that state already."""
        ...

    async def reset(
        self, user: User, performance_id: str, checkpoint_id: str, number: str, reason: str
    ) -> None:
        """Forget a ticket's earlier passages at a checkpoint."""
        ...

    async def proving(self, user: User, performance_id: str) -> ProvingSetUp:
        """Give what a performance accepts besides its list."""
        ...

    async def add_issuer(
        self,
        user: User,
        performance_id: str,
        ticket_format: IssuerFormat,
        key: str,
        classes: list[str],
        subevents: list[str] | None,
    ) -> str:
        """Accept somebody's signed tickets; give the record's id."""
        ...

    async def withdraw_issuer(self, user: User, performance_id: str, issuer_id: str) -> None:
        """Accept an issuer's tickets no longer."""
        ...

    async def set_rotation(
        self, user: User, performance_id: str, rotation: Rotation | None
    ) -> None:
        """Have entries ask for rotating codes, or no longer."""
        ...

    async def rotating_patterns(self, user: User, performance_id: str) -> str:
        """Give the keys of a performance's rotating codes, as CSV."""
        ...

    async def block_numbers(
        self, user: User, performance_id: str, lines: list[str], *, blocked: bool
    ) -> Blocked:
        """Block numbers that no list holds, or release them."""
        ...
