"""Fetching, believing and installing lists, and loading them at start. Called by the uplink.

Every refusal is journalled and leaves the list that was there. A list that was installed once is
never replaced by an older one, over restarts and new downloads alike.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from admission.errors import AdmissionError, ListError, RollbackError
from admission.journal import Kind
from admission.sync.assignment import Assignment, accept_assignment
from admission.ticketlist.acceptance import Installed, accept_manifest, check_list_key
from admission.ticketlist.manifest import Manifest
from admission.trust.sealing import unseal
from appliance.errors import LinkAnswerError, StorageError
from appliance.holdings import GateHoldings, HeldList, open_list
from appliance.ports import Memory, ServerLink, StoredList
from appliance.recording import Recorder

log = logging.getLogger(__name__)

SEALED_KEY_CONTEXT = b"list-key:"
_ASSIGNMENT = ""  # stands for the assignment where refusals are told apart by performance


class ListKeeper:
    """Keeps the gate's lists and assignment: what is on disk, what is trusted, what is held.

    Attributes:
        assignment: the gate's duty, or None before the first.
    """

    def __init__(
        self,
        *,
        gate: str,
        trusted_keys: Sequence[bytes],
        agreement_key: bytes,
        memory: Memory,
        holdings: GateHoldings,
        recorder: Recorder,
        now: Callable[[], datetime],
    ) -> None:
        """Take what the gate is and knows.

        Args:
            gate: its id.
            trusted_keys: public keys of the list role.
            agreement_key: X25519 private key of the gate.
            memory: the disk.
            holdings: what the gate judges by; filled here.
            recorder: writes to the journal.
            now: trusted time.
        """
        self._gate = gate
        self._trusted_keys = tuple(trusted_keys)
        self._agreement_key = agreement_key
        self._memory = memory
        self._holdings = holdings
        self._recorder = recorder
        self._now = now
        self._installed: dict[str, StoredList] = {}
        self._refusals: dict[str, tuple[str, str]] = {}
        self.assignment: Assignment | None = None

    async def load(self) -> None:
        """Open what was installed before; every list is verified again on the way.

        What fails is left out and journalled; a list's version still never goes down.

        Raises:
            StorageError: if the disk cannot be read or written.
        """
        envelope = await self._memory.assignment()
        if envelope is not None:
            try:
                self._take_assignment(envelope)
            except AdmissionError as exc:  # written for who this gate was before it enrolled anew
                await self._refuse(_ASSIGNMENT, exc)
        for stored in await self._memory.lists():
            self._installed[stored.performance] = stored
            try:
                self._holdings.install(await self._load_list(stored))
            except (ListError, StorageError) as exc:
                await self._refuse(stored.performance, exc)
        await self._memory.sweep(self._holdings.manifests)

    async def refresh(self, link: ServerLink) -> bool:
        """Fetch the assignment and every list it names, as far as they have changed.

        Returns:
            Whether everything that is offered is installed now.

        Raises:
            LinkError: if the server cannot be reached.
            StorageError: if the disk cannot be written.
        """
        is_complete = await self._refresh_assignment(link)
        if self.assignment is None:
            return False
        for performance in self.assignment.performances:
            is_complete = await self._refresh_list(performance, link) and is_complete
        return is_complete

    async def _load_list(self, stored: StoredList) -> HeldList:
        manifest = accept_manifest(
            stored.manifest,
            performance=stored.performance,
            trusted_keys=self._trusted_keys,
            installed=None,
            now=None,
        )
        snapshot = await self._memory.open_snapshot(manifest)
        return open_list(manifest, snapshot, stored.list_key)

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
            trusted_keys=self._trusted_keys,
            installed=None if known is None else Installed(known.version, known.chain),
            now=self._now(),
        )
        held = self._holdings.get(performance)
        if held is not None and held.manifest.version == manifest.version:
            if held.manifest != manifest:
                raise RollbackError(f"version {manifest.version} came again with other words")
            return
        list_key = await self._list_key(manifest, known, link)
        stored = StoredList(performance, manifest.version, manifest.chain, raw, list_key)
        if held is not None and held.manifest.snapshot.sha256 == manifest.snapshot.sha256:
            snapshot = await self._memory.open_snapshot(manifest)
            new = open_list(manifest, snapshot, list_key)
            await self._memory.install(stored, manifest, None)
        else:
            new = await self._install_download(stored, manifest, link)
        self._installed[performance] = stored
        self._holdings.install(new)
        await self._recorder.note(
            Kind.LIST_ACTIVATED, performance=performance, list_version=manifest.version
        )
        log.info("list installed", extra={"performance": performance, "version": manifest.version})
        await self._memory.sweep(self._holdings.manifests)

    async def _install_download(
        self, stored: StoredList, manifest: Manifest, link: ServerLink
    ) -> HeldList:
        """Fetch a snapshot; nothing of it counts before all of it was opened and believed."""
        ref = manifest.snapshot
        download = self._memory.new_download()
        try:
            await link.download(stored.performance, ref.sha256, ref.size, download)
            snapshot = await self._memory.open_download(manifest, download)
            new = open_list(manifest, snapshot, stored.list_key)
            await self._memory.install(stored, manifest, download)
        finally:
            download.unlink(missing_ok=True)
        return new

    async def _list_key(
        self, manifest: Manifest, known: StoredList | None, link: ServerLink
    ) -> bytes:
        if known is not None:
            list_key = known.list_key
        else:
            sealed = await link.list_key(manifest.performance)
            context = SEALED_KEY_CONTEXT + manifest.performance.encode()
            list_key = unseal(sealed, self._agreement_key, context)
        check_list_key(manifest, list_key)
        return list_key

    def _take_assignment(self, envelope: bytes) -> Assignment:
        self.assignment = accept_assignment(
            envelope,
            gate=self._gate,
            trusted_keys=self._trusted_keys,
            version_installed=0 if self.assignment is None else self.assignment.version,
        )
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
