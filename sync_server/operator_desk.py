"""The services as the operators' pages see them. Bound by `main`; every call is one user's."""

from collections.abc import AsyncIterable, Sequence
from typing import Final

from admission.proof.proving import IssuerFormat
from admission.proof.rotation import Rotation
from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.key_storage import KeyStorage
from admission.trust.command import Action
from sync_server.account_ports import User
from sync_server.branches import find_gate, find_performance
from sync_server.commanding import Issued, Order
from sync_server.entities import Gate, ListVersion, Site, Venue
from sync_server.fleet_entities import Plan, Release
from sync_server.issuing import Blocked, ProvingSetUp
from sync_server.journal_ports import QuarantineLine, SideLine
from sync_server.planning import CheckpointChange, KeyStorageChoice
from sync_server.ports import Store
from sync_server.reporting import LiveReport
from sync_server.rolling_out import FleetReport
from sync_server.web.back_office.desk import Catalogue, ImportRun, NewCode, Taken, Upload
from sync_server.web.public_api import Services

NEWEST: Final = 20
MINUTE_MS: Final = 60_000


class OperatorDesk:
    """The `BackOfficeDesk` of `web.back_office`."""

    def __init__(self, store: Store, services: Services) -> None:
        self._store = store
        self._planning = services.planning
        self._commanding = services.commanding
        self._enrollment = services.enrollment
        self._importing = services.importing
        self._issuing = services.issuing
        self._publishing = services.publishing
        self._quarantine = services.quarantine
        self._copied_cards = services.copied_cards
        self._siting = services.siting
        self._stewarding = services.stewarding
        self._reporting = services.reporting
        self._releasing = services.releasing
        self._rolling_out = services.rolling_out

    async def live(self, organization_id: str) -> LiveReport:
        """Give what is going on in an organization and all below it."""
        return await self._reporting.live(organization_id)

    async def organization_name(self, organization_id: str) -> str:
        """Give an organization's name."""
        return await self._reporting.organization_name(organization_id)

    async def zones(self, organization_id: str) -> Sequence[str]:
        """Give the time zones of its venues, each once."""
        return await self._reporting.zones(organization_id)

    async def catalogue(self, user: User) -> Catalogue:
        """Give everything that is set up in the user's branch."""
        plan = await self._planning.plan(user)
        return Catalogue(plan.venues, plan.events, plan.performances, plan.checkpoints, plan.gates)

    async def add_venue(self, user: User, name: str, timezone: str) -> str:
        """Make a venue; give its id."""
        return await self._planning.add_venue(user, name, timezone)

    async def add_event(self, user: User, venue_id: str, name: str) -> str:
        """Make an event; give its id."""
        return await self._planning.add_event(user, venue_id, name)

    async def add_performance(
        self, user: User, event_id: str, name: str, starts_ms: int | None
    ) -> str:
        """Make a performance in its venue's time zone; give its id."""
        return await self._planning.add_performance(user, event_id, name, starts_ms=starts_ms)

    async def add_checkpoint(
        self, user: User, venue_id: str, name: str, capacity: int | None, performances: list[str]
    ) -> str:
        """Make a checkpoint that controls some performances; give its id."""
        change = CheckpointChange(capacity=capacity, performances=performances)
        return await self._planning.add_checkpoint(user, venue_id, name, change)

    async def change_checkpoint(
        self, user: User, checkpoint_id: str, capacity: int | None, performances: list[str]
    ) -> None:
        """Have a checkpoint hold so many people and control these performances."""
        change = CheckpointChange(capacity=capacity, performances=performances)
        await self._planning.change_checkpoint(user, checkpoint_id, change)

    async def add_gate(
        self, user: User, checkpoint_id: str, name: str, direction: Direction
    ) -> str:
        """Make a gate; give its id."""
        return await self._planning.add_gate(user, checkpoint_id, name, direction)

    async def new_code(self, user: User, gate_id: str, reached_by: str) -> NewCode:
        """Make the code that enrols a gate's appliance; earlier ones are void."""
        made = await self._enrollment.new_code(user, gate_id)
        link = self._enrollment.link(made.code, reached_by)
        return NewCode(made.code, made.expires_ms, link)

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
        made = await self._enrollment.new_group_code(
            user, checkpoint_id, direction, uses, minutes * MINUTE_MS
        )
        link = self._enrollment.link(made.code, reached_by)
        return NewCode(made.code, made.expires_ms, link)

    async def sites(self, user: User, venue: Venue) -> list[Site]:
        """Give the site servers of a venue, by name."""
        return await self._siting.sites(user, [venue])

    async def add_site(self, user: User, venue_id: str, name: str) -> str:
        """Make a site server of a venue; give its id."""
        return await self._siting.add_site(user, venue_id, name)

    async def new_site_code(self, user: User, site_id: str, reached_by: str) -> NewCode:
        """Make the code with which a machine becomes a site server; earlier ones are void."""
        made = await self._siting.new_code(user, site_id)
        link = self._enrollment.link(made.code, reached_by)
        return NewCode(made.code, made.expires_ms, link)

    async def revoke_site(self, user: User, site_id: str) -> None:
        """Have a site server's key mean nothing any more."""
        await self._siting.revoke(user, site_id)

    def site_check_string(self, site: Site) -> str:
        """Give the digits that a site server has shown too, "" before it has joined."""
        return self._siting.check_string(site)

    async def confirm_gate(self, user: User, gate_id: str) -> None:
        """Take a machine that waits in: its digits were compared."""
        await self._enrollment.confirm(user, gate_id)

    async def command_gate(self, user: User, gate_id: str, action: Action, reason: str) -> Issued:
        """Command a gate to lock, to unlock, or to let one person through its own way."""
        async with self._store.read() as transaction:
            gate = await find_gate(transaction, user, gate_id)
        order = Order(action, reason, direction=gate.direction)
        return await self._commanding.order_gate(user, gate_id, order)

    async def revoke_gate(self, user: User, gate_id: str) -> None:
        """Have a gate's key mean nothing any more."""
        await self._enrollment.revoke(user, gate_id)

    async def quarantine(self, user: User) -> list[QuarantineLine]:
        """Give what revoked gates of the user's branch have handed in."""
        return await self._quarantine.lines(user)

    async def release(self, user: User, gate_id: str) -> int:
        """Believe what a gate has handed in; give how many records."""
        return await self._quarantine.release(user, gate_id)

    async def copied_cards(self, user: User) -> list[SideLine]:
        """Give what journals say of copied cards, as far as nobody has looked into it yet."""
        return await self._copied_cards.open_lines(user)

    async def settle_copies(self, user: User, gate_id: str, reason: str) -> int:
        """Take the notice of a gate's copied card down; give how many lines were open."""
        return await self._copied_cards.settle(user, gate_id, reason)

    def check_string(self, gate: Gate) -> str:
        """Give the digits that an enrolled gate shows too, "" before it is enrolled."""
        return self._enrollment.check_string(gate)

    async def imports(self, user: User, performance_id: str) -> list[ImportRun]:
        """Give a performance's newest imports, newest first."""
        async with self._store.read() as transaction:
            await find_performance(transaction, user, performance_id)
            runs = await transaction.tickets.imports(performance_id, NEWEST)
            sources = await transaction.tickets.sources(performance_id)
        names = {source.id: source.name for source in sources}
        return [ImportRun(run, names[run.source_id]) for run in runs]

    async def list_versions(self, user: User, performance_id: str) -> list[ListVersion]:
        """Give the newest published lists of a performance, newest first."""
        async with self._store.read() as transaction:
            await find_performance(transaction, user, performance_id)
            return await transaction.performances.list_versions(performance_id, NEWEST)

    async def import_file(self, user: User, performance_id: str, upload: Upload) -> Taken:
        """Take a ticket file in, wholly or not at all."""
        report = await self._importing.import_file(
            user,
            performance_id,
            upload.data,
            source_name=upload.source,
            filename=upload.filename,
            mode=upload.mode,
        )
        return Taken(report.id, tuple(note.code for note in report.notes))

    async def publish(self, user: User, performance_id: str) -> int:
        """Sign a performance's list and have its gates fetch it; give the version."""
        return await self._publishing.publish(user, performance_id)

    async def choose_key_storage(
        self, user: User, performance_id: str, storage: KeyStorage, reason: str
    ) -> None:
        """Choose where gates keep a performance's list key."""
        choice = KeyStorageChoice(storage, reason)
        await self._planning.choose_key_storage(user, performance_id, choice)

    async def set_state(
        self, user: User, performance_id: str, number: str, state: TicketState
    ) -> bool:
        """Change one ticket's state from now on; False where it had that state already."""
        return await self._stewarding.set_state(user, performance_id, number, state)

    async def reset(
        self, user: User, performance_id: str, checkpoint_id: str, number: str, reason: str
    ) -> None:
        """Forget a ticket's earlier passages at a checkpoint."""
        await self._stewarding.reset(user, performance_id, checkpoint_id, number, reason)

    async def proving(self, user: User, performance_id: str) -> ProvingSetUp:
        """Give what a performance accepts besides its list."""
        return await self._issuing.set_up(user, performance_id)

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
        return await self._issuing.add_issuer(
            user, performance_id, ticket_format, key=key, classes=classes, subevents=subevents
        )

    async def withdraw_issuer(self, user: User, performance_id: str, issuer_id: str) -> None:
        """Accept an issuer's tickets no longer."""
        await self._issuing.withdraw_issuer(user, performance_id, issuer_id)

    async def set_rotation(
        self, user: User, performance_id: str, rotation: Rotation | None
    ) -> None:
        """Have entries ask for rotating codes, or no longer."""
        await self._issuing.set_rotation(user, performance_id, rotation)

    async def rotating_patterns(self, user: User, performance_id: str) -> str:
        """Give the keys of a performance's rotating codes, as CSV."""
        return await self._issuing.rotating_patterns(user, performance_id)

    async def block_numbers(
        self, user: User, performance_id: str, lines: list[str], *, blocked: bool
    ) -> Blocked:
        """Block numbers that no list holds, or release them."""
        return await self._issuing.block(user, performance_id, lines, blocked=blocked)

    async def fleet(self, user: User) -> FleetReport:
        """Give what the gates of the user's branch run, and its rollouts."""
        return await self._rolling_out.report(user)

    async def releases(self, user: User) -> list[Release]:
        """Give the bundles, those added last first."""
        return await self._releasing.releases(user)

    async def may_add_releases(self, user: User) -> bool:
        """Tell whether the user may add and withdraw bundles, which are every branch's."""
        return await self._releasing.may_add(user)

    async def add_release(
        self, user: User, version: str, compatible: str, note: str, chunks: AsyncIterable[bytes]
    ) -> Release:
        """Take a bundle in."""
        return await self._releasing.add(user, version, compatible, note, chunks)

    async def withdraw_release(self, user: User, release_id: str) -> None:
        """Offer a bundle to nobody any more."""
        await self._releasing.withdraw(user, release_id)

    async def start_rollout(self, user: User, plan: Plan) -> str:
        """Begin to bring a version to gates; give the rollout's id."""
        return await self._rolling_out.start(user, plan)

    async def change_rollout(self, user: User, rollout_id: str, action: str) -> None:
        """Have a rollout `approve`d, `pause`d, `resume`d or `abort`ed."""
        actions = {
            "approve": self._rolling_out.approve,
            "pause": self._rolling_out.pause,
            "resume": self._rolling_out.resume,
            "abort": self._rolling_out.abort,
        }
        await actions[action](user, rollout_id)
