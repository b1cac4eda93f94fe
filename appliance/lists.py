"""Fetching, believing and installing lists, and loading them at start. Called by the uplink.

Every refusal is journalled and leaves the list that was there. A list that was installed once is
never replaced by an older one, over restarts and new downloads alike.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from admission.errors import AdmissionError, ListError
from admission.journal import Kind
from admission.sync.assignment import Assignment, accept_assignment
from admission.ticketlist.manifest import Manifest
from admission.ticketlist.sealing import unseal
from admission.ticketlist.trust import Installed, accept_manifest, check_list_key
from appliance.errors import StorageError
from appliance.holdings import GateHoldings, open_list
from appliance.ports import Memory, ServerLink, StoredList
from appliance.recording import Recorder

log = logging.getLogger(__name__)

SEALED_KEY_CONTEXT = b"list-key:"


class ListKeeper:
    """Keeps the gate's lists and assignment: what is on disk, what is trusted, what is held."""

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
        self.assignment: Assignment | None = None

    async def load(self) -> None:
        """Open what was installed before; every list is verified again on the way.

        A list that fails is left out and journalled; its version still never goes down.
        """
        envelope = await self._memory.assignment()
        if envelope is not None:
            self._take_assignment(envelope)
        for stored in await self._memory.lists():
            self._installed[stored.performance] = stored
            try:
                manifest = accept_manifest(
                    stored.manifest,
                    performance=stored.performance,
                    trusted_keys=self._trusted_keys,
                    installed=None,
                    now=None,
                )
                snapshot = await self._memory.open_snapshot(manifest)
                self._holdings.install(open_list(manifest, snapshot, stored.list_key))
            except (ListError, StorageError) as exc:
                await self._refuse(stored.performance, exc)

    async def refresh(self, link: ServerLink) -> bool:
        """Fetch the assignment and every list it names, as far as they have changed.

        Returns:
            Whether everything that was offered is installed now.

        Raises:
            LinkError: if the server cannot be reached.
            StorageError: if the disk cannot be written.
        """
        envelope = await link.assignment()
        if envelope is not None:
            try:
                self._take_assignment(envelope)
            except AdmissionError as exc:
                await self._refuse("", exc)
                return False
            if self.assignment is not None:
                await self._memory.remember_assignment(self.assignment.version, envelope)
        if self.assignment is None:
            return False
        results = [await self._refresh_list(name, link) for name in self.assignment.performances]
        return all(results)

    async def _refresh_list(self, performance: str, link: ServerLink) -> bool:
        raw = await link.manifest(performance)
        if raw is None:
            return True
        try:
            await self._install(performance, raw, link)
        except ListError as exc:
            link.forget(performance)
            await self._refuse(performance, exc)
            return False
        except BaseException:
            link.forget(performance)
            raise
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
            return
        list_key = await self._list_key(manifest, known, link)
        download = None
        if held is None or held.manifest.snapshot.sha256 != manifest.snapshot.sha256:
            download = self._memory.new_download()
        try:
            if download is not None:
                ref = manifest.snapshot
                await link.download(performance, ref.sha256, ref.size, download)
            stored = StoredList(performance, manifest.version, manifest.chain, raw, list_key)
            snapshot = await self._memory.install(stored, manifest, download)
        finally:
            if download is not None:
                download.unlink(missing_ok=True)
        self._installed[performance] = stored
        self._holdings.install(open_list(manifest, snapshot, list_key))
        await self._recorder.note(
            Kind.LIST_ACTIVATED, performance=performance, list_version=manifest.version
        )
        log.info("list installed", extra={"performance": performance, "version": manifest.version})

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

    def _take_assignment(self, envelope: bytes) -> None:
        self.assignment = accept_assignment(
            envelope,
            gate=self._gate,
            trusted_keys=self._trusted_keys,
            version_installed=0 if self.assignment is None else self.assignment.version,
        )

    async def _refuse(self, performance: str, exc: Exception) -> None:
        log.error("list refused", extra={"performance": performance, "reason": str(exc)})
        await self._recorder.note(
            Kind.LIST_REFUSED,
            performance=performance,
            detail={"error": type(exc).__name__, "reason": str(exc)[:200]},
        )
