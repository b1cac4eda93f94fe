"""The gate's trust: the chain of roots, and what the server has signed of now. Called by `lists`.

Trust begins with the root that the gate was enrolled with and follows it version by version. What
was taken is on the disk before it is used, so that nothing goes back over a restart, a crash or a
download that comes again.
"""

import logging
from collections.abc import Callable
from typing import Final

from admission.errors import DigestError, ListError, RollbackError, SignatureError
from admission.trust.envelope import open_envelope
from admission.trust.root import (
    Role,
    Root,
    Signers,
    first_root,
    is_replaced,
    next_root,
    require_in_force,
    signers,
)
from admission.trust.status import ServerStatus, accept_status, answers_nobody
from appliance.link_ports import ServerLink
from appliance.trust_ports import SignedClock, TrustMemory

log = logging.getLogger(__name__)

ROOTS_A_ROUND_MAX: Final = 32  # endless successors are somebody's attack, not a ceremony


class TrustKeeper:
    """Whom the gate believes.

    Attributes:
        status: the last status document that was taken since the start, or None.
        confirmed: called with every status that was taken.
        replaced: called with every role whose former keys have lost their word.
    """

    def __init__(
        self,
        *,
        root: bytes,
        root_digest: str,
        memory: TrustMemory,
        time: SignedClock,
        fresh_nonce: Callable[[], str],
    ) -> None:
        """Take what trust begins with.

        Args:
            root: envelope of the root that the gate was enrolled with.
            root_digest: what was pinned of it.
            memory: keeps what followed.
            time: the trusted clock; told what the server signs of the time.
            fresh_nonce: gives a question that was never asked before.

        Raises:
            ListError: if that root is not the one that was pinned, or not signed by itself.
        """
        self._chain = [first_root(root, root_digest)]
        self._memory = memory
        self._time = time
        self._fresh_nonce = fresh_nonce
        self._status_version = 0
        self.status: ServerStatus | None = None
        self.confirmed: Callable[[ServerStatus], None] = lambda _: None
        self.replaced: Callable[[Role], None] = lambda _: None

    @property
    def root(self) -> Root:
        """The newest root."""
        return self._chain[-1]

    async def load(self) -> None:
        """Follow the chain that was stored before.

        Raises:
            ListError: if it is broken: somebody has altered what is on the card.
            StorageError: if the disk cannot be read.
        """
        for raw in await self._memory.roots(after=self.root.version):
            self._chain.append(next_root(self.root, raw))
        self._status_version = await self._memory.status_version()

    def signers(self, role: Role) -> Signers:
        """Give who may sign for a role now."""
        return signers(self.root, role)

    def signers_in_force(self, role: Role) -> Signers:
        """Give who may sign for a role now, for what is to be believed anew.

        Raises:
            ListExpiredError: if the root's own time is over.
        """
        require_in_force(self.root, self._time.now())
        return self.signers(role)

    def open_stored(self, raw: bytes, payload_type: str, role: Role) -> tuple[bytes, bool]:
        """Open a document that was believed when it was stored.

        A rotation does not close a door: what a former key signed, and this gate took then, counts
        until something newer comes, as stale.

        Returns:
            The document, and whether those who signed it may still sign.

        Raises:
            ListError: if nobody of this chain ever signed it.
        """
        refusal: SignatureError | None = None
        for root in reversed(self._chain):
            wanted = signers(root, role)
            try:
                body = open_envelope(raw, payload_type, wanted.keys, wanted.threshold)
            except SignatureError as exc:
                refusal = refusal or exc
            else:
                return body, root is self.root or wanted == signers(self.root, role)
        raise refusal or SignatureError("there is no root")

    def check_line(self, performance: str, version: int, sha256: str) -> None:
        """Hold a manifest against what the server says is the newest.

        Args:
            performance: whose list it is.
            version: of the manifest.
            sha256: of its own bytes.

        Raises:
            RollbackError: if the server has signed that there is a newer one: it was kept back.
            DigestError: if the same version is another document there: parts were mixed.
        """
        line = None if self.status is None else self.status.lists.get(performance)
        if line is None:
            return
        if version < line.version:
            raise RollbackError(f"list {version} was handed out, {line.version} is the newest")
        if version == line.version and sha256 != line.sha256:
            raise DigestError(f"list {version} is not the one that the status names")

    async def refresh(self, link: ServerLink, *, carried: bool = False) -> None:
        """Follow new roots, then ask what time it is and what is the newest now.

        Args:
            link: to the server, or what was carried here in its name.
            carried: whether it was carried: then it answers no nonce, says nothing of the time,
                and stands beside the versions of what the server answers itself. What comes over
                a link may be so, too: a site server hands it out while its upstream is away.

        Raises:
            ListError: if what came is not to be believed; what was believed before stays.
            LinkError: if the server cannot be reached, LinkAnswerError if it has no answer.
            StorageError: if the disk cannot be written.
        """
        await self._follow_roots(link)
        if carried:
            self._take_carried(await link.status(""))
            return
        nonce, asked_ms = self._fresh_nonce(), self._time.boot_ms()
        raw = await link.status(nonce)
        answered_ms = self._time.boot_ms()
        if answers_nobody(raw):
            self._take_from_stock(raw)
            return
        status = accept_status(
            raw,
            trusted=self.signers(Role.STATUS),
            nonce=nonce,
            version_installed=self._status_version,
            root_version=self.root.version,
            now=self._time.now(),
        )
        if status.root_version > self.root.version:
            await self._follow_roots(link)  # it may have been installed in this very moment
            if status.root_version > self.root.version:
                raise RollbackError(f"root {status.root_version} is in force, but was kept back")
        # before the root is held against the time: a clock that somebody set ahead of its end
        # would else keep the gate from ever hearing better
        await self._time.note_signed_time(status.time, asked_ms, answered_ms)
        require_in_force(self.root, self._time.now())
        await self._memory.remember_status(status.version)
        self._status_version, self.status = status.version, status
        self.confirmed(status)

    def _take_from_stock(self, raw: bytes) -> None:
        """Take what a site server has in stock, while its upstream is away.

        It says no more than a stick's. One that is older than what was taken already is no news,
        and no fault either: the gate asked upstream itself, as long as it was there.
        """
        before = self.status
        try:
            self._take_carried(raw)
        except RollbackError:
            if before is None:
                raise
            log.info("the server in between has nothing newer than we")

    def _take_carried(self, raw: bytes) -> None:
        """Take a status that nobody asked for: good until it is over, and no older than the last.

        Its version is not remembered. The server that runs counts on from its own start; what
        another process of it signed for a stick must not shut its door.
        """
        require_in_force(self.root, self._time.now())
        status = accept_status(
            raw,
            trusted=self.signers(Role.STATUS),
            nonce="",
            version_installed=0,
            root_version=self.root.version,
            now=self._time.now(),
        )
        if status.root_version > self.root.version:
            raise RollbackError(f"root {status.root_version} is in force, but was not carried")
        if self.status is not None and status.time < self.status.time:
            raise RollbackError("a newer status was taken before")
        self.status = status
        self.confirmed(status)

    async def _follow_roots(self, link: ServerLink) -> None:
        for _ in range(ROOTS_A_ROUND_MAX):
            raw = await link.root(self.root.version + 1)
            if raw is None:
                return
            root = next_root(self.root, raw)
            replaced = [role for role in Role if is_replaced(self.root, root, role)]
            await self._memory.remember_root(
                root.version,
                raw,
                forget_lists=Role.LIST in replaced,
                forget_status=Role.STATUS in replaced,
            )
            if Role.STATUS in replaced:
                self._status_version, self.status = 0, None
                await self._time.forget_signed_time()
            self._chain.append(root)
            for role in replaced:
                self.replaced(role)
            log.warning("root followed", extra={"version": root.version})
        raise ListError(f"more than {ROOTS_A_ROUND_MAX} roots at once; asked again later")
