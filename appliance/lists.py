"""Fetching, believing and installing lists, and loading them at start. Called by the uplink.

Every refusal is journalled and leaves the list that was there. A list that was installed once is
never replaced by an older one from outside, over restarts and new downloads alike; where its own
files are damaged, the one that was in use before stands in until it was fetched again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from admission.errors import AdmissionError, ListError, RollbackError
from admission.journal import Kind
from admission.sync.assignment import (
    Assignment,
    CheckpointRow,
    Move,
    accept_assignment,
    decode_assignment,
    row_in_force,
)
from admission.ticketlist.acceptance import Installed, accept_manifest, require_performance
from admission.ticketlist.manifest import Manifest, decode_manifest, pieces_of
from admission.trust.envelope import ASSIGNMENT_TYPE, MANIFEST_TYPE, unverified_body
from admission.trust.root import Role
from admission.trust.status import ServerStatus
from appliance.errors import LinkAnswerError, StorageError
from appliance.holdings import GateHoldings, HeldList, untrusted_list
from appliance.key_cabinet import KeyCabinet
from appliance.link_ports import ServerLink
from appliance.list_store import Damage, ListStore
from appliance.ports import Memory, StoredList
from appliance.recording import Recorder
from appliance.trust_keeper import TrustKeeper

log = logging.getLogger(__name__)

_ASSIGNMENT = ""  # stands for the assignment where refusals are told apart by performance
_TRUST = "trust"  # and this for root and status


class ListKeeper:
    """Keeps the gate's lists and assignment: what is on disk, what is trusted, what is held.

    Attributes:
        assignment: the gate's duty, or None before the first.
        is_trust_refused: whether the server's last root or status was not to be believed.
    """

    def __init__(
        self,
        *,
        gate: str,
        trust: TrustKeeper,
        cabinet: KeyCabinet,
        memory: Memory,
        holdings: GateHoldings,
        recorder: Recorder,
        now: Callable[[], datetime],
    ) -> None:
        """Take what the gate is and knows.

        Args:
            gate: its id.
            trust: whom to believe.
            cabinet: has the list keys.
            memory: the disk.
            holdings: what the gate judges by; filled here.
            recorder: writes to the journal.
            now: trusted time.
        """
        self._gate = gate
        self._trust = trust
        trust.replaced = self._role_replaced
        trust.confirmed = holdings.confirm
        self._cabinet = cabinet
        self._memory = memory
        self._holdings = holdings
        self._recorder = recorder
        self._now = now
        self._store = ListStore(memory)
        self._changing = asyncio.Lock()  # one list at a time takes another's place
        self._installed: dict[str, StoredList] = {}
        self._newest: dict[str, Manifest] = {}  # of what is installed, damaged or not
        self._before: dict[str, Manifest] = {}  # of what was in use before that
        self._damaged: set[str] = set()
        self._keyless: set[str] = set()  # their lists are good, but their keys were not kept
        self._refusals: dict[str, tuple[str, str]] = {}
        self._assignment_floor = 0
        self.assignment: Assignment | None = None
        self.move: Move | None = None
        self.is_trust_refused = False

    @property
    def status(self) -> ServerStatus | None:
        """The last status document that was taken since the start."""
        return self._trust.status

    @property
    def checkpoint(self) -> CheckpointRow | None:
        """Where the gate works, None before its first assignment."""
        return None if self.assignment is None else row_in_force(self.assignment, self.move)

    @property
    def root_version(self) -> int:
        """Version of the root that is believed by."""
        return self._trust.root.version

    async def load(self) -> None:
        """Open what was installed before; every list is verified again on the way.

        What fails is journalled, and the list that was in use before stands in, if there is one;
        the version that is accepted from outside still never goes down.

        Raises:
            StorageError: if the disk cannot be read or written.
        """
        envelope = await self._memory.assignment()
        if envelope is not None:
            try:
                self._open_assignment(envelope)
            except AdmissionError as exc:  # written for who this gate was before it enrolled anew
                await self._refuse(_ASSIGNMENT, exc)
        for stored in await self._memory.lists():
            await self._load_list(stored)
        await self._sweep()

    async def _load_list(self, stored: StoredList) -> None:
        performance = stored.performance
        self._installed[performance] = stored
        if stored.before is not None:
            try:
                self._before[performance], _ = self._believe(performance, stored.before)
            except ListError as exc:
                log.warning("no list to fall back on", extra={"reason": str(exc)})
        try:
            manifest, is_current = self._believe(performance, stored.manifest)
            self._newest[performance] = manifest
            list_key = await self._cabinet.find(manifest)
            if list_key is None:
                log.warning("list without its key", extra={"performance": performance})
                self._keyless.add(performance)
                return
            held = await self._store.open(manifest, list_key)
        except (ListError, StorageError) as exc:
            await self._fall_back(performance, exc)
            return
        await self._hold(held)
        if not is_current:
            self._holdings.supersede([performance])

    async def _hold(self, held: HeldList) -> None:
        """Hold a list that was opened; it counts without its sealed records, too."""
        self._holdings.install(held)
        try:
            self._holdings.install(await self._store.with_attributes(held))
        except (ListError, StorageError) as exc:
            await self._do_without_attributes(held.manifest.performance, exc)

    async def _do_without_attributes(self, performance: str, exc: Exception) -> None:
        held = self._holdings.get(performance)
        if held is not None:
            self._holdings.install(replace(held, sealed=()))
        self._damaged.add(performance)
        await self._refuse(performance, exc)

    async def check_again(self) -> bool:
        """Read the files of every list in use again; a list that was altered is used no more.

        Returns:
            Whether everything is as it was signed.

        Raises:
            StorageError: if the journal cannot be written.
        """
        is_good = True
        for held in self._holdings.lists:
            damage = await self._store.find_damage(held.manifest) if held.is_trusted else None
            if damage is not None:
                is_good = False
                async with self._changing:
                    await self._take_damage(held.manifest.performance, damage)
        return is_good

    async def _take_damage(self, performance: str, damage: Damage) -> None:
        held = self._holdings.get(performance)
        if held is None or not held.is_trusted:
            return
        if damage.ref in [ref for _, ref in pieces_of(held.manifest)]:  # also of a newer version
            await self._store.set_aside(damage.ref)
            if damage.ref in held.manifest.attributes:
                await self._do_without_attributes(performance, damage.reason)
            else:
                await self._fall_back(performance, damage.reason)

    @property
    def keys_kept(self) -> dict[str, str]:
        """What is really done with each list key, by performance."""
        return self._cabinet.kept

    @property
    def damaged(self) -> frozenset[str]:
        """The performances whose installed list is damaged and was not fetched again yet."""
        return frozenset(self._damaged)

    async def _fall_back(self, performance: str, exc: Exception) -> None:
        """Use a damaged list no more: the one in use before stands in, else nobody is judged."""
        stored = self._installed[performance]
        self._damaged.add(performance)
        held, newest = self._holdings.get(performance), self._newest.get(performance)
        list_key, before = self._cabinet.key(performance), self._before.get(performance)
        if list_key is None and before is not None:
            list_key = await self._cabinet.find(before)
        if newest is not None and list_key is not None:
            try:
                self._holdings.install(untrusted_list(newest, list_key))
            except ListError as bare:  # then the gate holds nothing of that performance
                log.warning("no list", extra={"reason": str(bare)})
        await self._refuse(performance, exc)
        if before is None or list_key is None or (held is not None and held.instead_of):
            return
        try:
            stand_in = await self._store.open(before, list_key)
        except (ListError, StorageError) as further:
            await self._refuse(performance, further)
            return
        await self._hold(replace(stand_in, instead_of=stored.version))
        log.warning(
            "older list in use", extra={"performance": performance, "version": before.version}
        )
        await self._recorder.note(
            Kind.LIST_ACTIVATED,
            performance=performance,
            list_version=before.version,
            detail={"instead_of": stored.version},
        )

    def _believe(self, performance: str, envelope: bytes) -> tuple[Manifest, bool]:
        """Check again a manifest that was accepted before; tell whether its signers still may."""
        body, is_current = self._trust.open_stored(envelope, MANIFEST_TYPE, Role.LIST)
        manifest = decode_manifest(body)
        require_performance(manifest, performance)
        return manifest, is_current

    def _open_assignment(self, envelope: bytes) -> None:
        """Open again an assignment that was accepted before."""
        body, is_current = self._trust.open_stored(envelope, ASSIGNMENT_TYPE, Role.STATUS)
        self.assignment = decode_assignment(body, self._gate)
        self._assignment_floor = self.assignment.version if is_current else 0

    def _role_replaced(self, role: Role) -> None:
        """Count from nothing again what a role's former keys have counted."""
        if role is Role.LIST:
            self._installed = {
                name: replace(stored, version=0, chain="")
                for name, stored in self._installed.items()
            }
            self._holdings.supersede(self._installed)
        if role is Role.STATUS:
            self._assignment_floor = 0

    async def _sweep(self) -> None:
        in_use = [held.manifest for held in self._holdings.lists]
        await self._store.sweep([*in_use, *self._newest.values(), *self._before.values()])

    async def refresh(self, link: ServerLink, *, carried: bool = False) -> bool:
        """Fetch the assignment and every list it names, as far as they have changed.

        Args:
            link: to the server, or what was carried here in its name.
            carried: whether it was carried, on a stick.

        Returns:
            Whether everything that is offered is installed now.

        Raises:
            LinkError: if the server cannot be reached.
            StorageError: if the disk cannot be written.
        """
        if not await self._refresh_trust(link, carried=carried):
            return False
        is_complete = await self._refresh_assignment(link)
        if self.assignment is None:
            return False
        for performance in self.assignment.performances:
            is_complete = await self._refresh_list(performance, link) and is_complete
        return is_complete

    async def _refresh_trust(self, link: ServerLink, *, carried: bool) -> bool:
        """Follow roots and status; tell whether what the server hands out may be looked at."""
        try:
            await self._trust.refresh(link, carried=carried)
        except LinkAnswerError as exc:  # its lists still speak for themselves, if not of now
            self._note_unanswered(_TRUST, exc)
            return True
        except ListError as exc:
            self.is_trust_refused = True
            await self._refuse(_TRUST, exc)
            return False
        self.is_trust_refused = False
        self._refusals.pop(_TRUST, None)
        return True

    async def _refresh_assignment(self, link: ServerLink) -> bool:
        try:
            envelope = await link.assignment()
        except LinkAnswerError as exc:
            self._note_unanswered(_ASSIGNMENT, exc)
            return False
        if envelope is None:
            return True
        try:
            assignment = self._take_assignment(envelope)
            await self._memory.remember_assignment(assignment.version, envelope)
        except AdmissionError as exc:
            link.forget_assignment()
            await self._refuse(_ASSIGNMENT, exc)
            return False
        except BaseException:
            link.forget_assignment()
            raise
        self._refusals.pop(_ASSIGNMENT, None)
        return True

    async def _refresh_list(self, performance: str, link: ServerLink) -> bool:
        if performance in self._damaged:
            link.forget(performance)  # also where the server has nothing newer
        try:
            raw = await link.manifest(performance)
            if raw is not None:
                await self._install(performance, raw, link)
        except ListError as exc:
            link.forget(performance)
            await self._refuse(performance, exc)
            return False
        except LinkAnswerError as exc:  # not published yet, say: no reason to go without the rest
            link.forget(performance)
            self._note_unanswered(performance, exc)
            return False
        except BaseException:
            link.forget(performance)
            raise
        self._refusals.pop(performance, None)
        return True

    async def _install(self, performance: str, raw: bytes, link: ServerLink) -> None:
        known = self._installed.get(performance)
        manifest = accept_manifest(
            raw,
            performance=performance,
            trusted=self._trust.signers(Role.LIST),
            installed=None if known is None else Installed(known.version, known.chain),
            now=self._now(),
        )
        sha256 = hashlib.sha256(unverified_body(raw, MANIFEST_TYPE)).hexdigest()
        self._trust.check_line(performance, manifest.version, sha256)
        newest = self._newest.get(performance)
        if newest is not None and known is not None and known.version == manifest.version:
            if newest != manifest:
                raise RollbackError(f"version {manifest.version} came again with other words")
            if performance not in self._damaged | self._keyless:
                return
        list_key = await self._cabinet.obtain(manifest, link)
        stored = StoredList(
            performance=performance,
            version=manifest.version,
            chain=manifest.chain,
            manifest=raw,
        )
        async with self._store.fetched(manifest, link) as downloads, self._changing:
            await self._put(stored, manifest, list_key, downloads)
        await self._recorder.note(
            Kind.LIST_ACTIVATED, performance=performance, list_version=manifest.version
        )
        log.info("list installed", extra={"performance": performance, "version": manifest.version})
        await self._sweep()

    async def _put(
        self,
        bare: StoredList,
        manifest: Manifest,
        list_key: bytes,
        downloads: Mapping[str, Path],
    ) -> None:
        """Make a list whose pieces are there the installed one; remember what was in use till now.

        Args:
            bare: what to remember of it by itself.
            manifest: the one in it, read.
            list_key: the performance's.
            downloads: by digest, its pieces that are not kept yet.
        """
        performance, known = bare.performance, self._installed.get(bare.performance)
        held = self._holdings.get(performance)
        in_use = held if held is not None and held.is_trusted else None
        opened = await self._store.open(manifest, list_key, in_use, downloads)
        new = await self._store.with_attributes(opened, in_use, downloads)
        stored, before = bare, None
        if known is not None and performance in self._keyless:
            stored, before = replace(bare, before=known.before), self._before.get(performance)
        elif known is not None and in_use is not None:
            is_kept = in_use.instead_of or in_use.manifest == manifest  # it only stood in, or anew
            stored = replace(bare, before=known.before if is_kept else known.manifest)
            before = self._before.get(performance) if is_kept else in_use.manifest
        await self._memory.install(stored, downloads)
        if before is None:
            self._before.pop(performance, None)
        else:
            self._before[performance] = before
        self._installed[performance] = stored
        self._newest[performance] = manifest
        self._damaged.discard(performance)
        self._keyless.discard(performance)
        self._holdings.install(new)

    def _take_assignment(self, envelope: bytes) -> Assignment:
        self.assignment = accept_assignment(
            envelope,
            gate=self._gate,
            trusted=self._trust.signers(Role.STATUS),
            version_installed=self._assignment_floor,
        )
        self._assignment_floor = self.assignment.version
        return self.assignment

    async def _refuse(self, performance: str, exc: Exception) -> None:
        """Write a refusal down; the same one again, at the next attempt, is no news."""
        refusal = (type(exc).__name__, str(exc)[:200])
        if self._refusals.get(performance) == refusal:
            return
        error, reason = refusal
        log.error("list refused", extra={"performance": performance, "reason": reason})
        await self._recorder.note(
            Kind.LIST_REFUSED, performance=performance, detail={"error": error, "reason": reason}
        )
        self._refusals[performance] = refusal

    def _note_unanswered(self, performance: str, exc: LinkAnswerError) -> None:
        refusal = (type(exc).__name__, str(exc)[:200])
        if self._refusals.get(performance) != refusal:
            log.warning("no list", extra={"performance": performance, "reason": str(exc)})
            self._refusals[performance] = refusal
