"""Speaks for the roles: keeps the chain of roots, signs what is to be believed.

Called by every service that has something signed, and by `portillon trust`. What is signed for
which role, and by how many keys, is the newest root's to say; a role whose keys are elsewhere is
not signed for here.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from admission.errors import AdmissionError
from admission.trust.envelope import STATUS_TYPE, seal_envelope, signers_of
from admission.trust.keys import key_id, public_key
from admission.trust.root import Role, Root, first_root, next_root, root_digest, signers
from admission.trust.status import ListLine, ServerStatus, encode_status
from sync_server.ceremony import (
    RENEW_BEFORE,
    ROOT_LIFE,
    RootChange,
    draft_next,
    missing_signatures,
    sign_draft,
)
from sync_server.entities import instant
from sync_server.errors import ConfigError, ConflictError, NotFoundError
from sync_server.ledger import Ledger
from sync_server.ports import Store
from sync_server.trust_ports import Keyring

log = logging.getLogger(__name__)

STATUS_LIFE: Final = timedelta(hours=24)  # as long may a gate be alone before its lists are stale
_EPOCH_SHIFT: Final = 30  # so many statuses of one start before the next start's would be lower


class Trust:
    """The service; `open` reads the chain.

    Args:
        store: keeps the roots.
        ledger: the time, and the audit.
        keyring: private keys.
    """

    def __init__(self, store: Store, ledger: Ledger, keyring: Keyring) -> None:
        self._store = store
        self._ledger = ledger
        self._keyring = keyring
        self._private: dict[bytes, bytes] = {}
        self._root: Root | None = None
        self._raw = b""
        self._status_version = 0

    @property
    def root(self) -> Root:
        """The newest root.

        Raises:
            ConfigError: before there is one.
        """
        if self._root is None:
            raise ConfigError("there is no root document yet; run `portillon server init`")
        return self._root

    @property
    def raw(self) -> bytes:
        """The newest root's envelope: what a gate's trust begins with."""
        return self._raw

    @property
    def digest(self) -> str:
        """What a gate pins of it."""
        return root_digest(self._raw)

    async def open(self) -> None:
        """Read chain and keys, and begin an epoch of statuses.

        Raises:
            ConfigError: if there is no root, or a key cannot be read.
        """
        await self.refresh()
        self.require_online_keys()
        await self._renew_if_due()
        async with self._store.write() as transaction:
            epoch = await transaction.trust.begin_epoch(self._ledger.now_ms() // 1000)
        self._status_version = epoch << _EPOCH_SHIFT

    def require_online_keys(self) -> None:
        """Make sure that the server can do what nobody else does for it.

        Raises:
            ConfigError: if there is no root, or too few keys of the roles status and enrol.
        """
        for role in (Role.STATUS, Role.ENROL):
            wanted = signers(self.root, role).threshold
            if self.keys_here(role) < wanted:
                raise ConfigError(
                    f"{self.keys_here(role)} of {wanted} keys of role {role.value} are in the"
                    " folder of keys, but gates trust them; bring them back from a backup"
                )

    async def _renew_if_due(self) -> None:
        """Follow a root that runs out with one that says the same, if its keys are here."""
        now = instant(self._ledger.now_us())
        if now < self.root.expires_at - RENEW_BEFORE:
            return
        draft = draft_next(self.root, RootChange(), now, ROOT_LIFE)
        for public in signers(self.root, Role.ROOT).keys:
            if public in self._private:
                draft = sign_draft(draft, self._private[public], public, self.root)
        if missing_signatures(draft, self.root):
            log.error("root runs out", extra={"at": self.root.expires_at.isoformat()})
        else:
            await self.install(draft, None)

    async def refresh(self) -> bool:
        """Look whether a root was installed meanwhile; tell whether one was.

        Raises:
            ConfigError: if the chain is broken, or a key cannot be read.
        """
        async with self._store.read() as transaction:
            newest = await transaction.trust.newest_version()
            if newest == (0 if self._root is None else self._root.version):
                return False
            raw = await transaction.trust.root(newest)
        try:
            self._root, self._raw = first_root(raw or b"", None), raw or b""
        except AdmissionError as exc:
            raise ConfigError(f"root {newest} in the database: {exc}") from exc
        self._private = {public_key(one): one for one in self._keyring.private_keys()}
        return True

    async def root_of_version(self, version: int) -> bytes:
        """Give one root's envelope.

        Raises:
            NotFoundError: if there is none of that version (yet).
        """
        async with self._store.read() as transaction:
            raw = await transaction.trust.root(version)
        if raw is None:
            raise NotFoundError("root")
        return raw

    async def install(self, raw: bytes, user_id: str | None) -> Root:
        """Take the root that follows; gates fetch it from now on.

        Args:
            raw: its envelope, with every signature that it needs.
            user_id: who did it, None at the command line.

        Raises:
            ConflictError: if it is no successor of the newest root; the message says why.
        """
        async with self._store.write() as transaction:
            version = await transaction.trust.newest_version()
            newest = await transaction.trust.root(version)
            try:
                if newest is None:
                    root = first_root(raw, None)
                else:
                    root = next_root(first_root(newest, None), raw)
            except AdmissionError as exc:
                raise ConflictError("root_refused", f"the root is not taken: {exc}") from exc
            await transaction.trust.add_root(root.version, raw, self._ledger.now_ms())
            await self._ledger.note(
                transaction, user_id, "root_installed", root_digest(raw), version=root.version
            )
        log.warning("root installed", extra={"version": root.version})
        await self.refresh()
        return root

    def keys_here(self, role: Role) -> int:
        """Tell how many of a role's keys this server can sign with."""
        return len([key for key in signers(self.root, role).keys if key in self._private])

    def signing_key(self, role: Role) -> str | None:
        """Give the id of the first key that signs for a role here; None where too few are."""
        wanted = signers(self.root, role)
        here = [key for key in wanted.keys if key in self._private]
        return key_id(here[0]) if len(here) >= wanted.threshold else None

    def sign(self, role: Role, payload_type: str, body: bytes) -> bytes:
        """Sign a document for a role, with as many of its keys as its threshold asks for.

        Raises:
            ConflictError: if too few of the role's keys are on this server.
            ValueError: if the envelope would be over its caps.
        """
        wanted = signers(self.root, role)
        here = [self._private[key] for key in wanted.keys if key in self._private]
        if len(here) < wanted.threshold:
            raise ConflictError(
                "key_elsewhere",
                f"{wanted.threshold} key(s) of role {role.value} must sign, {len(here)} are on"
                " this server; bring them into its folder of keys, or sign where they are",
            )
        return seal_envelope(payload_type, body, here[: wanted.threshold])

    def is_signed_now(self, role: Role, payload_type: str, raw: bytes) -> bool:
        """Tell whether a document is still signed by those who may sign for a role now."""
        wanted = signers(self.root, role)
        return len(signers_of(raw, payload_type, wanted.keys)) >= wanted.threshold

    def status(
        self,
        nonce: str,
        lists: Mapping[str, ListLine],
        revoked: tuple[str, ...],
        tls_pins: tuple[str, ...] = (),
    ) -> bytes:
        """Sign what is the newest now; every one is of a higher version than those before.

        Args:
            nonce: the asker's.
            lists: newest manifest by performance, of those that the asker holds.
            revoked: ids of revoked gates.
            tls_pins: by which gates may know the server, the present one first.

        Raises:
            ConflictError: if the keys of role status are not on this server.
        """
        self._status_version += 1
        at = instant(self._ledger.now_us())
        body = encode_status(
            ServerStatus(
                version=self._status_version,
                time=at,
                expires_at=at + STATUS_LIFE,
                nonce=nonce,
                root_version=self.root.version,
                lists=dict(lists),
                revoked_gates=revoked,
                tls_pins=tls_pins,
            )
        )
        return self.sign(Role.STATUS, STATUS_TYPE, body)
