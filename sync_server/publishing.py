"""Signs ticket lists and what gates are told to do, and keeps them for the gates to fetch.

Called by web. A list is some files named by their digests and a manifest that answers for them; its
version rises with every publication. Ticket numbers leave the server in no other form.
"""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from admission.journal import class_code
from admission.keyed import Alphabet
from admission.sync.assignment import (
    JOURNALS_NAMED_MAX,
    Assignment,
    encode_assignment,
    numbered,
)
from admission.sync.messages import Lists
from admission.ticket import TicketClass
from admission.ticketlist.manifest import (
    ClassRow,
    Manifest,
    Showing,
    alphabet_of,
    decode_manifest,
    encode_manifest,
    list_key_id,
    replace_fields,
)
from admission.ticketlist.pieces import chain_of
from admission.trust.envelope import ASSIGNMENT_TYPE, MANIFEST_TYPE, unverified_body
from admission.trust.root import Role
from admission.trust.sealing import seal
from admission.trust.status import ListLine
from sync_server.account_ports import User
from sync_server.assigning import content_of, duty
from sync_server.attribute_building import AttributeBuilding, BuiltAttributes
from sync_server.branches import find_performance
from sync_server.entities import Gate, ListVersion, Performance, instant
from sync_server.errors import ConflictError, NotFoundError
from sync_server.ledger import Ledger
from sync_server.list_building import Built, ListBuilding
from sync_server.ports import News, SnapshotFiles, Store, Transaction
from sync_server.proving import ProofRows, proof_rows
from sync_server.trusting import STATUS_LIFE, Trust

HELD_PAST_MS: Final = 36 * 3600 * 1000  # a showing that began so long ago is over
EPHEMERAL_BYTES: Final = 32
AFTER_THE_END: Final = timedelta(hours=12)  # the last ones leave, and journals are looked at
OPEN_DATED_LIFE: Final = timedelta(days=400)  # signed anew at half of it
SEALED_KEY_CONTEXT: Final = b"list-key:"


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a publication reads of the database."""

    performance: Performance
    event: str
    venue: str
    classes: tuple[ClassRow, ...]
    built: Built
    proofs: ProofRows
    attributes: BuiltAttributes
    alphabet: Alphabet


class Publishing:
    """The service.

    Args:
        store: the database.
        files: the files of lists.
        ledger: time, chance, audit.
        news: told when a list is out.
        trust: signs lists for the role list, and what gates are told to do for the role status.
    """

    def __init__(
        self, store: Store, files: SnapshotFiles, ledger: Ledger, news: News, trust: Trust
    ) -> None:
        self._store = store
        self._files = files
        self._building = ListBuilding(files)
        self._attributes = AttributeBuilding(files)
        self._ledger = ledger
        self._news = news
        self._trust = trust
        self._one_at_a_time = asyncio.Lock()

    async def publish(self, user: User, performance_id: str) -> int:
        """Sign a performance's list as it stands now and have its gates fetch it.

        Returns:
            The list's version.

        Raises:
            ConflictError: if it has more categories than a manifest holds.
            NotFoundError: if the performance is out of reach.
        """
        async with self._one_at_a_time:
            await self._begin_log(user, performance_id)
            draft = await self._draft(user, performance_id)
            try:
                published = self._sign(draft)
            except ConflictError:
                if not draft.built.segments:
                    raise
                draft = await self._draft(user, performance_id, anew=True)  # names fewer files
                published = self._sign(draft)
            async with self._store.write() as transaction:
                for file in (*draft.built.new, *draft.attributes.new):
                    await transaction.pieces.add_file(file)
                await transaction.pieces.forget_changes(performance_id, draft.built.mark)
                await transaction.performances.add_list_version(published)
                await transaction.performances.note_published(performance_id, published.version)
                await self._ledger.note(
                    transaction,
                    user.id,
                    "list_published",
                    performance_id,
                    version=published.version,
                    count=published.count,
                )
        self._news.lists_changed()
        self._news.report_changed()
        return published.version

    async def _begin_log(self, user: User, performance_id: str) -> None:
        """Have changes noted before the list is read: none may fall between the two."""
        async with self._store.read() as transaction:
            await find_performance(transaction, user, performance_id)
            is_logged = await transaction.pieces.is_logged(performance_id)
        if not is_logged:
            async with self._store.write() as transaction:
                await transaction.pieces.begin_log(performance_id)

    async def _draft(self, user: User, performance_id: str, *, anew: bool = False) -> _Draft:
        async with self._store.read() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            event = await transaction.organizations.event(performance.event_id)
            venue = event and await transaction.organizations.venue(event.venue_id)
            classes = await transaction.tickets.classes(performance.id)
            proofs = await proof_rows(transaction, performance.id, list(classes.values()))
            built = await self._building.build(
                transaction,
                performance.id,
                performance.published_version + 1,
                {key: place for place, key in enumerate(classes)},  # none ever goes: places stay
                proofs.stops,
                anew=anew,
            )
            attributes = await self._attributes.build(transaction, performance)
            alphabet = await _alphabet(transaction, performance.id, built)
        return _Draft(
            performance,
            event.name if event else "",
            venue.name if venue else "",
            tuple(_row(ticket_class) for ticket_class in classes.values()),
            built,
            proofs,
            attributes,
            alphabet,
        )

    async def manifest(self, gate_id: str, performance_id: str) -> bytes:
        """Give the newest signed manifest of a performance that a gate holds.

        Raises:
            NotFoundError: if the gate does not hold it, or nothing is published.
        """
        async with self._store.read() as transaction:
            await self._require_held(transaction, gate_id, performance_id)
        newest = await self._in_force(performance_id)
        if newest is None:
            raise NotFoundError("list")
        return newest.manifest

    async def lines(self, gate_id: str) -> dict[str, ListLine]:
        """Give the newest manifest of every list that a gate holds, by version and digest.

        Raises:
            NotFoundError: if there is no such gate.
        """
        assignment = await self._current(gate_id)
        lines: dict[str, ListLine] = {}
        for performance_id in assignment.performances:
            newest = await self._in_force(performance_id)
            if newest is not None:
                body = unverified_body(newest.manifest, MANIFEST_TYPE)
                digest = hashlib.sha256(body).hexdigest()
                lines[performance_id] = ListLine(version=newest.version, sha256=digest)
        return lines

    async def _in_force(self, performance_id: str) -> ListVersion | None:
        """Give the newest list, signed anew where those who signed it may not sign any more.

        After a rotation of the role's keys, every list is signed again by the first gate that asks.
        """
        async with self._store.read() as transaction:
            newest = await transaction.performances.newest_list(performance_id)
        if newest is None or not self._is_due(newest):
            return newest
        async with self._one_at_a_time, self._store.write() as transaction:
            newest = await transaction.performances.newest_list(performance_id)
            if newest is not None and self._is_due(newest):
                newest = self._signed_again(newest)
                await transaction.performances.add_list_version(newest)
                await transaction.performances.note_published(performance_id, newest.version)
                await self._ledger.note(
                    transaction, None, "list_signed_again", performance_id, version=newest.version
                )
        return newest

    def _is_due(self, newest: ListVersion) -> bool:
        if self._trust.keys_here(Role.LIST) == 0:
            return False  # whoever has the keys signs
        if not self._trust.is_signed_now(Role.LIST, MANIFEST_TYPE, newest.manifest):
            return True
        manifest = decode_manifest(unverified_body(newest.manifest, MANIFEST_TYPE))
        now = instant(self._ledger.now_us())
        return (
            manifest.showing.starts_at is None
            and manifest.not_after is not None
            and manifest.showing.admits_until is None
            and now > manifest.not_after - OPEN_DATED_LIFE / 2
        )

    def _signed_again(self, newest: ListVersion) -> ListVersion:
        at_us = self._ledger.now_us()
        manifest = replace_fields(
            decode_manifest(unverified_body(newest.manifest, MANIFEST_TYPE)),
            version=newest.version + 1,
            published_at=instant(at_us),
            refresh_by=instant(at_us) + STATUS_LIFE,
        )
        manifest = replace_fields(manifest, not_after=_not_after(manifest.showing, at_us))
        signed = self._trust.sign(Role.LIST, MANIFEST_TYPE, encode_manifest(manifest))
        return replace(
            newest, version=manifest.version, published_ms=at_us // 1000, manifest=signed
        )

    async def list_file(self, gate_id: str, performance_id: str, sha256: str) -> Path:
        """Give a file that was published for a performance a gate holds.

        Raises:
            NotFoundError: if the gate does not hold it, or there is no such file.
        """
        try:
            digest = bytes.fromhex(sha256)
        except ValueError:
            raise NotFoundError("list") from None
        async with self._store.read() as transaction:
            await self._require_held(transaction, gate_id, performance_id)
            if not await transaction.pieces.is_file_of(performance_id, digest):
                raise NotFoundError("list")
        return self._files.path(digest.hex())

    async def sealed_key(self, gate_id: str, performance_id: str) -> bytes:
        """Give a list key, sealed for a gate that holds the performance.

        Raises:
            NotFoundError: if the gate does not hold it.
        """
        async with self._store.read() as transaction:
            gate = await self._require_held(transaction, gate_id, performance_id)
            performance = await transaction.performances.performance(performance_id)
        if performance is None or gate.agreement_key is None:
            raise NotFoundError("list")
        return seal(
            performance.list_key,
            gate.agreement_key,
            SEALED_KEY_CONTEXT + performance_id.encode(),
            self._ledger.random(EPHEMERAL_BYTES),
        )

    async def assignment(self, gate_id: str) -> bytes:
        """Give a gate's signed assignment; its version rises when it says something else.

        Raises:
            NotFoundError: if there is no such gate.
        """
        assignment = await self._current(gate_id)
        return self._trust.sign(Role.STATUS, ASSIGNMENT_TYPE, encode_assignment(assignment))

    async def lists(self, gate_id: str) -> Lists:
        """Give the versions of a gate's lists and assignment, as they are now.

        Raises:
            NotFoundError: if there is no such gate.
        """
        assignment = await self._current(gate_id)
        async with self._store.read() as transaction:
            held = await transaction.performances.performances_by_id(assignment.performances)
        versions = {performance.id: performance.published_version for performance in held.values()}
        return Lists(versions, assignment.version, self._trust.root.version)

    async def streams(self, gate_id: str) -> frozenset[str]:
        """Give the feeds that a gate may follow: those of the performances it holds.

        Raises:
            NotFoundError: if there is no such gate.
        """
        assignment = await self._current(gate_id)
        return frozenset(assignment.performances)

    async def _current(self, gate_id: str) -> Assignment:
        async with self._store.read() as transaction:
            gate, bare = await self._duty(transaction, gate_id)
        if gate.assignment_sha256 != content_of(bare):
            async with self._store.write() as transaction:
                gate, bare = await self._duty(transaction, gate_id)
                content = content_of(bare)
                if gate.assignment_sha256 != content:
                    version = gate.assignment_version + 1
                    await transaction.gates.note_assignment(gate_id, version, content)
                    gate = replace(gate, assignment_version=version)
        return numbered(bare, gate.assignment_version)

    async def _duty(self, transaction: Transaction, gate_id: str) -> tuple[Gate, Assignment]:
        """Give a gate and what it is told to do, version 0."""
        gate = await transaction.gates.gate(gate_id)
        if gate is None:
            raise NotFoundError("gate")
        checkpoint = await transaction.checkpoints.checkpoint(gate.checkpoint_id)
        if checkpoint is None:
            raise NotFoundError("checkpoint")
        published = await self._published_at(transaction, gate.venue_id)
        names = await transaction.journals.names_at(checkpoint.id, JOURNALS_NAMED_MAX)
        places = await transaction.checkpoints.checkpoints_at(gate.venue_id)
        return gate, duty(gate, checkpoint, published, names, places)

    async def _published_at(self, transaction: Transaction, venue_id: str) -> list[Performance]:
        """Give a venue's published performances that are not over, by start."""
        since_ms = self._ledger.now_ms() - HELD_PAST_MS
        return [
            performance
            for performance in await transaction.performances.performances_at(venue_id)
            if performance.published_version > 0
            and (performance.starts_ms is None or performance.starts_ms >= since_ms)
        ]

    async def _require_held(
        self, transaction: Transaction, gate_id: str, performance_id: str
    ) -> Gate:
        gate, assignment = await self._duty(transaction, gate_id)
        if performance_id not in assignment.performances:
            raise NotFoundError("list")
        return gate

    def _sign(self, draft: _Draft) -> ListVersion:
        performance, built = draft.performance, draft.built
        version = performance.published_version + 1
        at_us = self._ledger.now_us()
        showing = _showing(draft)
        manifest = Manifest(
            performance=performance.id,
            version=version,
            chain=chain_of(built.snapshot, built.segments),
            snapshot=built.snapshot,
            segments=built.segments,
            attributes=draft.attributes.refs,
            list_key_id=list_key_id(performance.list_key),
            classes=draft.classes,
            showing=showing,
            published_at=instant(at_us),
            issuers=draft.proofs.issuers,
            rotating=draft.proofs.rotating,
            key_storage=performance.key_storage_in_force,
            refresh_by=instant(at_us) + STATUS_LIFE,
            not_after=_not_after(showing, at_us),
            alphabet=tuple(sorted(draft.alphabet)),
        )
        try:
            signed = self._trust.sign(Role.LIST, MANIFEST_TYPE, encode_manifest(manifest))
        except ValueError:
            raise ConflictError(
                "too_many_categories",
                f"{len(draft.classes)} combinations of category and rule are too many for one"
                " list; use fewer categories",
            ) from None
        return ListVersion(
            performance_id=performance.id,
            version=version,
            published_ms=at_us // 1000,
            manifest=signed,
            snapshot_sha256=bytes.fromhex(built.snapshot.sha256),
            size_bytes=built.size_bytes,
            count=built.count - len(draft.proofs.stops),
            stops=len(draft.proofs.stops),
        )


async def _alphabet(transaction: Transaction, performance_id: str, built: Built) -> Alphabet:
    """Give what a list's numbers hold. It only grows from one segment to the next."""
    if built.changed is not None:
        newest = await transaction.performances.newest_list(performance_id)
        if newest is not None:
            before = alphabet_of(decode_manifest(unverified_body(newest.manifest, MANIFEST_TYPE)))
            if before is not None:
                return before | await transaction.tickets.alphabet(performance_id, built.changed)
    return await transaction.tickets.alphabet(performance_id)


def _row(ticket_class: TicketClass) -> ClassRow:
    category, mode, total, per_day = class_code(ticket_class)
    return ClassRow(category=category, mode=mode, total=total, per_day=per_day)


def _showing(draft: _Draft) -> Showing:
    performance = draft.performance
    judged = performance.judged()
    starts_ms = performance.starts_ms
    return Showing(
        name=performance.name,
        event=draft.event,
        venue=draft.venue,
        timezone=performance.timezone,
        day_starts_at=performance.day_starts_at,
        starts_at=None if starts_ms is None else instant(starts_ms * 1000),
        excluded_categories=performance.excluded_categories,
        admits_from=judged.admits_from,
        admits_until=judged.admits_until,
        canceled=performance.canceled,
    )


def _not_after(showing: Showing, at_us: int) -> datetime:
    """Give the instant from which a list must not admit any more, whoever kept its successor back.

    It follows the showing's end; a list that is published still later ends as long after that.
    """
    now = instant(at_us)
    if showing.admits_until is not None:
        end = showing.admits_until
    elif showing.starts_at is not None:
        end = showing.starts_at + timedelta(milliseconds=HELD_PAST_MS)
    else:
        return now + OPEN_DATED_LIFE
    return max(end, now) + AFTER_THE_END
