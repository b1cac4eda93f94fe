"""Sets up what there is to control: venues, events, performances, checkpoints, gates.

Called by web. Every call is in a user's name and reaches that user's branch only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from admission.limits import LIST_KEY_BYTES
from admission.rules import ClockPolicy, ExitPolicy
from admission.scan import Direction
from admission.ticketlist.attributes import FIELDS
from admission.ticketlist.key_storage import KeyStorage, is_risky
from sync_server.account_ports import User
from sync_server.branches import (
    find_checkpoint,
    find_event,
    find_gate,
    find_performance,
    find_venue,
    reach,
)
from sync_server.entities import (
    Checkpoint,
    Event,
    Gate,
    Organization,
    Performance,
    Venue,
)
from sync_server.errors import ConflictError, InvalidError
from sync_server.importing import check_collisions
from sync_server.ledger import Ledger
from sync_server.ports import News, Store, Transaction

NAME_CHARACTERS_MAX: Final = 200
CATEGORIES_MAX: Final = 1_000
CAPACITY_MAX: Final = 10_000_000
CHECKPOINT_PERFORMANCES_MAX: Final = 100
INSTANT_US_MAX: Final = 4_102_444_800_000_000  # the year 2100
_CLOCK_FACE: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_T = TypeVar("_T")


class Keep(Enum):
    """Stands for a field that a change leaves as it is."""

    AS_IT_IS = 0


KEEP: Final = Keep.AS_IT_IS


@dataclass(frozen=True, slots=True)
class PerformanceChange:
    """What of a performance shall be another; `KEEP` leaves a field."""

    name: str | Keep = KEEP
    excluded_categories: Sequence[str] | Keep = KEEP
    admits_from_us: int | Keep | None = KEEP
    admits_until_us: int | Keep | None = KEEP
    canceled: bool | Keep = KEEP
    gate_fields: Sequence[str] | Keep = KEEP


@dataclass(frozen=True, slots=True)
class KeyStorageChoice:
    """Where a performance's gates shall keep its list key.

    Attributes:
        storage: the choice.
        reason: why, where the numbers are guessable and the choice is risky; "" is none.
    """

    storage: KeyStorage
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckpointChange:
    """What of a checkpoint shall be another; `KEEP` leaves a field."""

    name: str | Keep = KEEP
    performances: Sequence[str] | Keep = KEEP
    allowed_categories: Sequence[str] | Keep | None = KEEP
    capacity: int | Keep | None = KEEP


@dataclass(frozen=True, slots=True)
class GateChange:
    """What of a gate shall be another; `KEEP` leaves a field."""

    checkpoint_id: str | Keep = KEEP
    exit_policy: ExitPolicy | Keep = KEEP
    clock_policy: ClockPolicy | Keep = KEEP
    strict: bool | Keep = KEEP


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is set up in a branch, each kind by name, performances by start."""

    organizations: tuple[Organization, ...]
    venues: tuple[Venue, ...]
    events: tuple[Event, ...]
    performances: tuple[Performance, ...]
    checkpoints: tuple[Checkpoint, ...]
    gates: tuple[Gate, ...]


class Planning:
    """The service."""

    def __init__(self, store: Store, ledger: Ledger, news: News) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news

    async def plan(self, user: User) -> Plan:
        """Give everything that is set up in the user's branch."""
        async with self._store.read() as transaction:
            organizations = await transaction.organizations.branch(user.organization_id)
            ids = [organization.id for organization in organizations]
            return Plan(
                tuple(organizations),
                tuple(await transaction.organizations.venues(ids)),
                tuple(await transaction.organizations.events(ids)),
                tuple(await transaction.performances.performances(ids)),
                tuple(await transaction.checkpoints.checkpoints(ids)),
                tuple(await transaction.gates.gates(ids)),
            )

    async def add_organization(self, user: User, name: str, parent_id: str | None = None) -> str:
        """Make an organization below another, by default the user's own; give its id.

        Raises:
            InvalidError: for a name that cannot be, or a parent out of reach.
        """
        check_name("name", name)
        parent = user.organization_id if parent_id is None else parent_id
        organization = Organization(self._ledger.new_id(), parent, name)
        async with self._store.write() as transaction:
            if parent not in await reach(transaction, user):
                raise InvalidError("parent_id", "there is no such organization")
            await transaction.organizations.add_organization(organization)
            await self._note(transaction, user, "organization_added", organization.id)
        return organization.id

    async def add_venue(
        self, user: User, name: str, timezone: str, organization_id: str | None = None
    ) -> str:
        """Make a venue, by default in the user's own organization; give its id.

        Raises:
            InvalidError: for a name or time zone that cannot be, or an organization out of reach.
        """
        check_name("name", name)
        check_timezone("timezone", timezone)
        owner = user.organization_id if organization_id is None else organization_id
        venue = Venue(self._ledger.new_id(), owner, name, timezone)
        async with self._store.write() as transaction:
            if owner not in await reach(transaction, user):
                raise InvalidError("organization_id", "there is no such organization")
            await transaction.organizations.add_venue(venue)
            await self._note(transaction, user, "venue_added", venue.id)
        self._news.report_changed()
        return venue.id

    async def add_event(self, user: User, venue_id: str, name: str) -> str:
        """Make an event at a venue; give its id.

        Raises:
            InvalidError: for a name that cannot be.
            NotFoundError: if the venue is out of reach.
        """
        check_name("name", name)
        async with self._store.write() as transaction:
            venue = await find_venue(transaction, user, venue_id)
            event = Event(self._ledger.new_id(), venue.organization_id, venue.id, name)
            await transaction.organizations.add_event(event)
            await self._note(transaction, user, "event_added", event.id)
        return event.id

    async def add_performance(
        self,
        user: User,
        event_id: str,
        name: str,
        *,
        starts_ms: int | None = None,
        timezone: str | None = None,
        day_starts_at: str = "00:00",
        change: PerformanceChange | None = None,
    ) -> str:
        """Make a performance; give its id.

        Args:
            user: who asks.
            event_id: the show it is a showing of.
            name: for people.
            starts_ms: None for an open-dated one.
            timezone: by default its venue's.
            day_starts_at: "HH:MM" on the clock face.
            change: further fields.

        Raises:
            InvalidError: for a value that cannot be.
            NotFoundError: if the event is out of reach.
        """
        if starts_ms is not None:
            _check_instant("starts_at", starts_ms * 1000)
        if timezone is not None:
            check_timezone("timezone", timezone)
        if not _CLOCK_FACE.fullmatch(day_starts_at):
            raise InvalidError("day_starts_at", "day_starts_at is a time of day such as 05:00")
        async with self._store.write() as transaction:
            event = await find_event(transaction, user, event_id)
            venue = await find_venue(transaction, user, event.venue_id)
            bare = Performance(
                id=self._ledger.new_id(),
                event_id=event.id,
                name=name,
                starts_ms=starts_ms,
                timezone=timezone or venue.timezone,
                day_starts_at=day_starts_at,
                excluded_categories=(),
                admits_from_us=None,
                admits_until_us=None,
                canceled=False,
                list_key=self._ledger.random(LIST_KEY_BYTES),
            )
            performance = _changed_performance(bare, change or PerformanceChange())
            await transaction.performances.add_performance(performance)
            await self._note(transaction, user, "performance_added", performance.id)
        self._news.report_changed()
        return performance.id

    async def change_performance(
        self, user: User, performance_id: str, change: PerformanceChange
    ) -> Performance:
        """Change a performance; gates learn of it with the next published list.

        Raises:
            InvalidError: for a value that cannot be.
            NotFoundError: if the performance is out of reach.
        """
        async with self._store.write() as transaction:
            known = await find_performance(transaction, user, performance_id)
            performance = _changed_performance(known, change)
            await transaction.performances.save_performance(performance)
            await self._note(transaction, user, "performance_changed", performance.id)
        self._news.report_changed()
        return performance

    async def choose_key_storage(
        self, user: User, performance_id: str, choice: KeyStorageChoice
    ) -> Performance:
        """Choose where gates keep the list key; they learn of it with the next published list.

        Raises:
            ConflictError: if guessable numbers would lie open on every memory card, and no reason
                is given.
            InvalidError: for a reason that cannot be.
            NotFoundError: if the performance is out of reach.
        """
        reason = choice.reason.strip()
        if len(reason) > NAME_CHARACTERS_MAX or not reason.isprintable():
            message = f"a reason has at most {NAME_CHARACTERS_MAX} printable characters"
            raise InvalidError("key_storage_reason", message)
        async with self._store.write() as transaction:
            known = await find_performance(transaction, user, performance_id)
            risky = is_risky(choice.storage, known.guessability)
            if risky and not reason:
                raise ConflictError(
                    "key_storage_risky",
                    "the numbers are guessable: with the key in a file, whoever steals a gate's"
                    " memory card can work them out; choose sealed or memory, or give a reason",
                )
            performance = replace(
                known, key_storage=choice.storage, key_storage_reason=reason if risky else ""
            )
            await transaction.performances.save_performance(performance)
            await self._ledger.note(
                transaction,
                user.id,
                "key_storage_chosen",
                performance.id,
                key_storage=choice.storage.value,
                strength=known.guessability.strength.value if known.guessability else None,
                reason=performance.key_storage_reason,
            )
        self._news.report_changed()
        return performance

    async def add_checkpoint(
        self, user: User, venue_id: str, name: str, change: CheckpointChange | None = None
    ) -> str:
        """Make a checkpoint; give its id.

        Raises:
            ConflictError: if two of its performances hold one same number.
            InvalidError: for a value that cannot be.
            NotFoundError: if the venue is out of reach.
        """
        async with self._store.write() as transaction:
            venue = await find_venue(transaction, user, venue_id)
            bare = Checkpoint(self._ledger.new_id(), venue.id, name, None, None, ())
            checkpoint = await self._changed_checkpoint(
                transaction, bare, change or CheckpointChange()
            )
            await transaction.checkpoints.add_checkpoint(checkpoint)
            await self._note(transaction, user, "checkpoint_added", checkpoint.id)
        self._news.report_changed()
        return checkpoint.id

    async def change_checkpoint(
        self, user: User, checkpoint_id: str, change: CheckpointChange
    ) -> Checkpoint:
        """Change a checkpoint; its gates learn of it at once.

        Raises:
            ConflictError: if two of its performances hold one same number.
            InvalidError: for a value that cannot be.
            NotFoundError: if the checkpoint is out of reach.
        """
        async with self._store.write() as transaction:
            known = await find_checkpoint(transaction, user, checkpoint_id)
            checkpoint = await self._changed_checkpoint(transaction, known, change)
            await transaction.checkpoints.save_checkpoint(checkpoint)
            await self._note(transaction, user, "checkpoint_changed", checkpoint.id)
        self._news.lists_changed()
        self._news.report_changed()
        return checkpoint

    async def add_gate(
        self,
        user: User,
        checkpoint_id: str,
        name: str,
        direction: Direction,
        exit_policy: ExitPolicy = ExitPolicy.LISTED,
        clock_policy: ClockPolicy = ClockPolicy.ADMIT,
        *,
        strict: bool = False,
    ) -> str:
        """Make a gate that serves a checkpoint; give its id. It is enrolled later.

        Raises:
            InvalidError: for a name that cannot be.
            NotFoundError: if the checkpoint is out of reach.
        """
        check_name("name", name)
        async with self._store.write() as transaction:
            checkpoint = await find_checkpoint(transaction, user, checkpoint_id)
            gate = Gate(
                id=self._ledger.new_id(),
                venue_id=checkpoint.venue_id,
                name=name,
                checkpoint_id=checkpoint.id,
                direction=direction,
                exit_policy=exit_policy,
                clock_policy=clock_policy,
                strict=strict,
            )
            await transaction.gates.add_gate(gate)
            await self._note(transaction, user, "gate_added", gate.id)
        self._news.report_changed()
        return gate.id

    async def change_gate(self, user: User, gate_id: str, change: GateChange) -> None:
        """Have a gate serve another checkpoint of its venue, or go by other policies.

        It learns of it at once.

        Raises:
            InvalidError: if the checkpoint is at another venue.
            NotFoundError: if gate or checkpoint are out of reach.
        """
        async with self._store.write() as transaction:
            gate = await find_gate(transaction, user, gate_id)
            checkpoint_id = _kept(change.checkpoint_id, gate.checkpoint_id)
            checkpoint = await find_checkpoint(transaction, user, checkpoint_id)
            if checkpoint.venue_id != gate.venue_id:
                raise InvalidError("checkpoint_id", "the checkpoint is at another venue")
            changed = replace(
                gate,
                checkpoint_id=checkpoint.id,
                exit_policy=_kept(change.exit_policy, gate.exit_policy),
                clock_policy=_kept(change.clock_policy, gate.clock_policy),
                strict=_kept(change.strict, gate.strict),
            )
            await transaction.gates.save_gate(changed)
            what = "gate_changed" if checkpoint.id == gate.checkpoint_id else "gate_moved"
            await self._note(transaction, user, what, gate.id)
        self._news.lists_changed()
        self._news.report_changed()

    async def _changed_checkpoint(
        self, transaction: Transaction, known: Checkpoint, change: CheckpointChange
    ) -> Checkpoint:
        allowed = _kept(change.allowed_categories, known.allowed_categories)
        changed = replace(
            known,
            name=_kept(change.name, known.name),
            allowed_categories=None if allowed is None else tuple(allowed),
            capacity=_kept(change.capacity, known.capacity),
            performances=tuple(dict.fromkeys(_kept(change.performances, known.performances))),
        )
        check_name("name", changed.name)
        if changed.allowed_categories is not None:
            _check_categories("allowed_categories", changed.allowed_categories)
        if changed.capacity is not None and not 0 <= changed.capacity <= CAPACITY_MAX:
            raise InvalidError("capacity", f"capacity is a number from 0 to {CAPACITY_MAX:,}")
        await _check_performances(transaction, changed)
        return changed

    async def _note(self, transaction: Transaction, user: User, what: str, subject: str) -> None:
        await self._ledger.note(transaction, user.id, what, subject)


async def _check_performances(transaction: Transaction, checkpoint: Checkpoint) -> None:
    if len(checkpoint.performances) > CHECKPOINT_PERFORMANCES_MAX:
        message = f"a checkpoint controls at most {CHECKPOINT_PERFORMANCES_MAX} performances"
        raise InvalidError("performances", message)
    found = await transaction.performances.performances_by_id(checkpoint.performances)
    for performance_id in checkpoint.performances:
        performance = found.get(performance_id)
        event = None
        if performance is not None:
            event = await transaction.organizations.event(performance.event_id)
        if event is None or event.venue_id != checkpoint.venue_id:
            raise InvalidError("performances", "a performance is not of the checkpoint's venue")
    await check_collisions(transaction, checkpoint.name, checkpoint.performances)


def _changed_performance(known: Performance, change: PerformanceChange) -> Performance:
    changed = replace(
        known,
        name=_kept(change.name, known.name),
        excluded_categories=tuple(_kept(change.excluded_categories, known.excluded_categories)),
        admits_from_us=_kept(change.admits_from_us, known.admits_from_us),
        admits_until_us=_kept(change.admits_until_us, known.admits_until_us),
        canceled=_kept(change.canceled, known.canceled),
        gate_fields=tuple(_kept(change.gate_fields, known.gate_fields)),
    )
    check_name("name", changed.name)
    if not set(changed.gate_fields) <= set(FIELDS):
        raise InvalidError("gate_fields", f"gate_fields are some of {', '.join(FIELDS)}")
    _check_categories("excluded_categories", changed.excluded_categories)
    first, last = changed.admits_from_us, changed.admits_until_us
    for field, at_us in (("admits_from", first), ("admits_until", last)):
        if at_us is not None:
            _check_instant(field, at_us)
    if first is not None and last is not None and first >= last:
        raise InvalidError("admits_until", "admits_until must be after admits_from")
    return changed


def _kept(value: _T | Keep, known: _T) -> _T:
    return known if isinstance(value, Keep) else value


def check_name(field: str, value: str) -> None:
    """Refuse a name that is empty, too long or not printable.

    Raises:
        InvalidError: naming the field.
    """
    if not value.strip() or len(value) > NAME_CHARACTERS_MAX or not value.isprintable():
        message = f"{field} needs 1 to {NAME_CHARACTERS_MAX} printable characters"
        raise InvalidError(field, message)


def check_timezone(field: str, value: str) -> None:
    """Refuse what is no IANA time zone.

    Raises:
        InvalidError: naming the field.
    """
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{field} is an IANA name such as Europe/Paris"
        raise InvalidError(field, message) from None


def _check_categories(field: str, values: Sequence[str]) -> None:
    if len(values) > CATEGORIES_MAX:
        raise InvalidError(field, f"{field} holds at most {CATEGORIES_MAX} categories")
    for value in values:
        check_name(field, value)


def _check_instant(field: str, at_us: int) -> None:
    if not 0 <= at_us <= INSTANT_US_MAX:
        raise InvalidError(field, f"{field} is an instant between 1970 and 2100")
